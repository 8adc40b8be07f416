// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Parameters} from "../../contracts/libraries/Parameters.sol";
import {ReserveCurve} from "../../contracts/libraries/ReserveCurve.sol";
import {Test} from "../support/forge/Test.sol";

/// @title The decaying reserve
contract ReserveCurveTest is Test {
    uint256 private constant START = 1.0071e18;
    uint256 private constant DECAY = 0.01e18 / uint256(89);
    uint256 private constant SECOND = 1_000;
    uint256 private constant FLOOR = 0.8e18;

    function test_it_starts_at_the_start() external pure {
        assertEq(ReserveCurve.multiplierUp(START, DECAY, 0, FLOOR), START);
    }

    function test_it_loses_one_per_cent_in_89_seconds() external pure {
        uint256 multiplier = ReserveCurve.multiplierUp(1e18, DECAY, 89 * SECOND, FLOOR);
        assertApproxEqAbs(multiplier, 990_049_833_749_168_054, 100); // exp(-0.01), but for the wei that lambda lost
    }

    function test_it_stops_at_the_floor() external pure {
        assertEq(ReserveCurve.multiplierUp(START, DECAY, 2 hours * SECOND, FLOOR), FLOOR);
        assertGt(ReserveCurve.multiplierUp(START, DECAY, 2_000 * SECOND, FLOOR), FLOOR);
        assertEq(ReserveCurve.multiplierUp(START, DECAY, 2_100 * SECOND, FLOOR), FLOOR);
    }

    function test_it_is_defined_for_any_time() external pure {
        assertEq(ReserveCurve.multiplierUp(START, 2e15, type(uint40).max * SECOND, FLOOR), FLOOR);
        assertEq(ReserveCurve.multiplierUp(START, 2e15, type(uint40).max * SECOND, 0), 0);
    }

    function test_it_never_rises(uint256 start, uint256 decay, uint256 elapsed, uint256 later) external pure {
        start = bound(start, Parameters.START_MULTIPLIER_MIN_WAD, Parameters.START_MULTIPLIER_MAX_WAD);
        decay = bound(decay, Parameters.DECAY_PER_SECOND_MIN_WAD, Parameters.DECAY_PER_SECOND_MAX_WAD);
        elapsed = bound(elapsed, 0, 1 days * SECOND);
        later = bound(later, elapsed, 1 days * SECOND);
        uint256 first = ReserveCurve.multiplierUp(start, decay, elapsed, FLOOR);
        uint256 second = ReserveCurve.multiplierUp(start, decay, later, FLOOR);
        assertLe(second, first);
        assertLe(first, start);
        assertGe(second, FLOOR);
    }

    function test_it_rounds_up() external pure {
        // exp(-1e-18 * 1) in WAD is 1e18 - 1: times 1.1 that is not whole
        assertEq(ReserveCurve.multiplierUp(1.1e18, 1, SECOND, 0), 1.1e18 - 1);
    }

    function test_a_second_that_is_not_over_counts_for_what_is_over() external pure {
        assertEq(ReserveCurve.multiplierUp(1e18, 1, 999, 0), 1e18, "lambda * elapsed is rounded down");
        uint256 half = ReserveCurve.multiplierUp(1e18, 2e15, SECOND / 2, 0);
        assertEq(half, ReserveCurve.multiplierUp(1e18, 1e15, SECOND, 0));
    }
}
