// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Urgency} from "../../contracts/libraries/Urgency.sol";
import {Test} from "../support/forge/Test.sol";

/// @title How urgent an account is
contract UrgencyTest is Test {
    uint256 private constant NEED = 0.975e18;
    uint256 private constant Z = 30_000;
    uint256 private constant TAU = 600;
    /// @dev 3 * 80 % * sqrt(600 s / 1 year).
    uint256 private constant WIDTH = 10_468_478_451_804_273;

    function test_need_is_what_slippage_and_penalty_leave() external pure {
        assertEq(Urgency.need(200, 50), NEED);
    }

    function test_the_width_is_so_many_deviations_of_the_time_to_clear() external pure {
        assertApproxEqAbs(Urgency.widthDown(0.8e18, Z, TAU), WIDTH, 3);
        assertLe(Urgency.widthDown(0.8e18, Z, TAU), WIDTH);
        assertApproxEqAbs(Urgency.widthDown(0.8e18, Z, 4 * TAU), 2 * WIDTH, 10);
    }

    function test_an_account_that_takers_cannot_make_whole_is_urgent() external pure {
        assertEq(Urgency.urgency(1_000e18, 975e18, NEED, WIDTH), 255);
        assertEq(Urgency.urgency(1_000e18, 2_000e18, NEED, WIDTH), 255);
        assertEq(Urgency.urgency(1_000e18, 974.999e18, NEED, WIDTH), 254, "rounded down");
    }

    function test_urgency_falls_linearly_in_the_logarithm() external pure {
        uint256 half = 1_005_247_955_000_000_000; // exp(width / 2)
        assertEq(Urgency.urgency(half, 0.975e18, NEED, WIDTH), 127);
        uint256 whole = 1_010_523_452_000_000_000; // exp(width), and a little
        assertEq(Urgency.urgency(whole, 0.975e18, NEED, WIDTH), 0);
    }

    function test_urgency_never_falls_with_debt(uint256 debt, uint256 more, uint256 width) external pure {
        debt = bound(debt, 500e18, 1_000e18);
        more = bound(more, debt, 1_100e18);
        width = bound(width, 1, 0.5e18);
        assertLe(Urgency.urgency(1_000e18, debt, NEED, width), Urgency.urgency(1_000e18, more, NEED, width));
    }

    function test_what_is_remote_at_the_widest_is_not_urgent_at_any(uint256 debt, uint256 widest, uint256 width)
        external
        pure
    {
        debt = bound(debt, 1e18, 1_100e18);
        widest = bound(widest, 1, 1.5e18);
        width = bound(width, 1, widest);
        if (!Urgency.isRemote(1_000e18, debt, NEED, widest)) return;
        assertEq(Urgency.urgency(1_000e18, debt, NEED, width), 0);
    }
}
