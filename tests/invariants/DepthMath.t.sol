// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DepthMath} from "../../contracts/libraries/DepthMath.sol";
import {Test} from "../support/forge/Test.sol";

/// @title Depth is rounded down and overflows nowhere within the bounds of prices
contract DepthMathTest is Test {
    function test_the_widest_inputs_do_not_overflow(uint256 priceA, uint256 priceB, uint256 liquidity) external pure {
        (priceA, priceB) = (bound(priceA, 1, 1e27), bound(priceB, 1, 1e27));
        liquidity = bound(liquidity, 0, type(uint128).max);
        uint256 coarse = DepthMath.ofLiquidity(liquidity, priceA, 1e6, priceB, 1e6);
        uint256 fine = DepthMath.ofLiquidity(liquidity, priceA, 1e18, priceB, 1e18);
        assertLe(fine, coarse);
        assertLe(DepthMath.behind(fine, coarse), fine);
    }

    function test_a_million_at_one_dollar_is_a_million() external pure {
        assertEq(DepthMath.ofLiquidity(1_000_000e6, 1e18, 1e6, 1e18, 1e6), 1_000_000e18);
        assertEq(DepthMath.ofLiquidity(1_000_000e18, 1e18, 1e18, 1e18, 1e18), 1_000_000e18);
    }

    function test_moves_are_never_overstated(uint256 bps) external pure {
        bps = bound(bps, 1, 9_999);
        uint256 sold = DepthMath.moved(1e36, true, bps);
        // (1 + s)^2 * (1 - x) <= 1
        assertLe((1e36 + sold) / 1e18 * ((1e36 + sold) / 1e18) / 1e18 * (10_000 - bps) / 10_000, 1e18);
        uint256 bought = DepthMath.moved(1e36, false, bps);
        assertGe((1e36 - bought) / 1e18 * ((1e36 - bought) / 1e18) / 1e18 * (10_000 + bps) / 10_000 + 3, 1e18);
        assertLt(bought, sold);
    }

    function test_a_ratio_and_its_inverse_have_opposite_logarithms(uint256 x, uint256 y) external pure {
        (x, y) = (bound(x, 1, 1e45), bound(y, 1, 1e45));
        int256 log = DepthMath.logRatio(x, y);
        assertEq(DepthMath.logRatio(y, x), -log);
        if (x > y) assertGe(log, 0);
        if (x > y + y / 1e17) assertGt(log, 0, "unless they are equal to the last place");
        assertEq(DepthMath.logRatio(x, x), 0);
        assertEq(DepthMath.logRatio(2 * x, x), 693_147_180_559_945_309);
    }

    function test_nothing_behind_something_is_nothing() external pure {
        assertEq(DepthMath.behind(0, 5), 0);
        assertEq(DepthMath.behind(5, 0), 0);
        assertEq(DepthMath.behind(6, 3), 2);
    }
}
