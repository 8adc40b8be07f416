// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {WadMath} from "./WadMath.sol";

/// @title Prices of Uniswap V3 pools
/// @dev A pool keeps the square root of its price, token1 per token0, in 64.96 fixed point.
library UniswapV3Price {
    using WadMath for uint256;

    /// @dev Square-root prices at the lowest and the highest tick: a swap may go up to, not onto them.
    uint160 private constant MIN_SQRT_PRICE_X96 = 4295128739;
    uint160 private constant MAX_SQRT_PRICE_X96 = 1461446703485210103287273052203988822378723970342;
    uint256 private constant Q96 = 2 ** 96;

    /// @dev What `amount` is worth at the price of this moment, before fees: times or divided by sqrtPrice, twice.
    /// Rounding: UP at both steps, because it stands as an upper bound.
    function quoteUp(uint256 amount, uint160 sqrtPriceX96, bool zeroForOne) internal pure returns (uint256) {
        (uint256 numerator, uint256 divisor) = zeroForOne ? (uint256(sqrtPriceX96), Q96) : (Q96, uint256(sqrtPriceX96));
        return amount.mulDivUp(numerator, divisor).mulDivUp(numerator, divisor);
    }

    /// @dev The limit that lets a swap go as far as the pool does.
    function extremeLimit(bool zeroForOne) internal pure returns (uint160) {
        return zeroForOne ? MIN_SQRT_PRICE_X96 + 1 : MAX_SQRT_PRICE_X96 - 1;
    }
}
