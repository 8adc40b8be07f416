// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {InterestRate} from "../../contracts/libraries/InterestRate.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {Test} from "../support/forge/Test.sol";

/// @title The kinked rate and its compounding
contract InterestRateTest is Test {
    uint256 private constant AMOUNT = 5e33;

    /// @dev 1 % at rest, 6 % at 90 %, 80 % when all is lent.
    function _model() private pure returns (IClearingHouse.RateModel memory) {
        return IClearingHouse.RateModel({baseRateBps: 100, kinkRateBps: 600, fullRateBps: 8_000, kinkBps: 9_000});
    }

    function _rate(uint256 supplied, uint256 borrowed) private pure returns (uint256) {
        return InterestRate.borrowRate(_model(), supplied, borrowed);
    }

    // ------------------------------------------------------------------ rate

    function test_the_rate_at_its_corners() external pure {
        assertEq(_rate(0, 0), 0.01e18, "empty");
        assertEq(_rate(1e18, 0), 0.01e18, "idle");
        assertEq(_rate(1e18, 0.45e18), 0.035e18, "half way to the kink");
        assertEq(_rate(1e18, 0.9e18), 0.06e18, "kink");
        assertEq(_rate(1e18, 0.95e18), 0.43e18, "half way beyond");
        assertEq(_rate(1e18, 1e18), 0.8e18, "full");
    }

    function test_the_rate_stays_at_full_where_debt_passes_the_supply() external pure {
        assertEq(_rate(1e18, 1.01e18), 0.8e18);
        assertEq(_rate(0, 1), 0.8e18);
    }

    function test_the_rate_never_falls_with_utilisation(uint256 supplied, uint256 less, uint256 more) external pure {
        supplied = bound(supplied, 1, AMOUNT);
        less = bound(less, 0, supplied);
        more = bound(more, less, supplied);
        assertLe(_rate(supplied, less), _rate(supplied, more));
    }

    function test_the_rate_rounds_up() external pure {
        assertEq(_rate(3, 1), 0.01e18 + _ceilDiv(0.05e18 * 333_333_333_333_333_333, 0.9e18));
    }

    function test_a_flat_model_has_one_rate(uint256 borrowed) external pure {
        IClearingHouse.RateModel memory flat = IClearingHouse.RateModel(500, 500, 500, 5_000);
        assertEq(InterestRate.borrowRate(flat, 1e18, bound(borrowed, 0, 1e18)), 0.05e18);
    }

    // ------------------------------------------------------------------ growth

    function test_nothing_grows_in_no_time(uint256 rate) external pure {
        assertEq(InterestRate.growthUp(bound(rate, 0, 10e18), 0), 0);
    }

    function test_a_year_at_ten_percent() external pure {
        assertEq(InterestRate.growthUp(0.1e18, 365 days), 0.1e18 + 0.005e18 + 166_666_666_666_667);
    }

    /// @dev Each of three terms rounds up, and the second and third carry the first's unit: a few units of WAD.
    function test_growth_lies_between_simple_interest_and_the_exponential(uint256 rate, uint256 elapsed) external pure {
        (rate, elapsed) = (bound(rate, 0, 10e18), bound(elapsed, 0, 30 days));
        uint256 growth = InterestRate.growthUp(rate, elapsed);
        uint256 simple = rate * elapsed / 365 days;
        assertGe(growth, simple);
        assertLe(growth, uint256(FixedPointMathLib.expWad(int256(simple))) - 1e18 + 8);
    }

    function test_growth_rounds_up() external pure {
        assertEq(InterestRate.growthUp(1, 1), 3, "one unit for each of three terms");
    }

    /// @dev Accruing in steps may only cost the borrower more, by compounding and rounding, so that nobody gains by
    /// accruing rarely at the suppliers' expense, beyond what the series leaves off.
    function test_growth_in_two_steps_is_no_less(uint256 rate, uint256 first, uint256 second) external pure {
        rate = bound(rate, 0, 10e18);
        (first, second) = (bound(first, 0, 30 days), bound(second, 0, 30 days));
        uint256 once = InterestRate.growthUp(rate, first + second);
        uint256 a = InterestRate.growthUp(rate, first);
        uint256 b = InterestRate.growthUp(rate, second);
        assertGe(a + b + a * b / 1e18 + 5, once);
    }

    function _ceilDiv(uint256 x, uint256 y) private pure returns (uint256) {
        return (x + y - 1) / y;
    }
}
