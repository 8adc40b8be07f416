// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {WAD, WadMath} from "./WadMath.sol";

/// @title What Uniswap V3 pools remember
/// @dev A pool adds up, over time, its tick and the seconds per liquidity. It writes both at the first trade of a
/// block, at the state the block began with: what is moved within one block leaves no trace in a mean.
library UniswapV3History {
    using WadMath for uint256;

    /// @dev ln(1.0001) in WAD: one tick, as a logarithm. Over all ticks the rounding of it is below 1e-12.
    int256 private constant LN_TICK_WAD = 99_995_000_333_308;

    /// @notice Thrown when a pool does not answer at all: it has no code, or the caller gave too little gas.
    error PoolUnreadable(address pool);

    /// @dev The mean tick of the last `window` seconds, rounded towards minus infinity. `known` is false where the
    /// pool says that its record is shorter; a pool that says nothing reverts, so that a caller cannot blind anyone by
    /// starving it of gas.
    function meanTick(address pool, uint32 window) internal view returns (bool known, int24 tick) {
        if (window == 0) return (false, 0);
        uint32[] memory ago = new uint32[](2);
        ago[0] = window;
        int56[] memory ticks;
        (known, ticks,) = _observed(pool, ago);
        if (known) tick = _meanTick(ticks[1] - ticks[0], window);
    }

    /// @dev The harmonic mean of the liquidity in range of the last `window` seconds, rounded DOWN, and the logarithm
    /// of the geometric mean price, token1 per token0 in token units, of the last `recent`, WAD, rounded toward zero:
    /// one call for both. `recent` is above zero and at most `window`; `known` as above.
    function liquidityAndPrice(address pool, uint32 window, uint32 recent)
        internal
        view
        returns (bool known, uint256 liquidity, int256 logPrice)
    {
        uint32[] memory ago = new uint32[](3);
        (ago[0], ago[1]) = (window, recent);
        int56[] memory ticks;
        uint160[] memory seconds_;
        (known, ticks, seconds_) = _observed(pool, ago);
        if (!known) return (false, 0, 0);
        liquidity = _meanLiquidity(seconds_[0], seconds_[2], window);
        logPrice = int256(ticks[2] - ticks[1]) * LN_TICK_WAD / int256(uint256(recent));
    }

    function _observed(address pool, uint32[] memory ago)
        private
        view
        returns (bool known, int56[] memory ticks, uint160[] memory seconds_)
    {
        try IUniswapV3Pool(pool).observe(ago) returns (int56[] memory ticks_, uint160[] memory sums) {
            return (true, ticks_, sums);
        } catch (bytes memory reason) {
            if (reason.length == 0) revert PoolUnreadable(pool);
        }
    }

    /// @dev What `amount` is worth at a tick, before fees: times 1.0001^tick as token0, divided by it as token1.
    /// Rounding: DOWN.
    function quoteDown(uint256 amount, int24 tick, bool zeroForOne) internal pure returns (uint256) {
        bool rises = (tick > 0) == zeroForOne;
        int256 magnitude = tick > 0 ? int256(tick) : -int256(tick);
        uint256 ratio = uint256(FixedPointMathLib.expWad(magnitude * LN_TICK_WAD));
        return rises ? amount.mulDivDown(ratio, WAD) : amount.mulDivDown(WAD, ratio);
    }

    function _meanTick(int56 delta, uint32 window) private pure returns (int24) {
        int56 mean = delta / int56(uint56(window));
        if (delta < 0 && delta % int56(uint56(window)) != 0) --mean;
        return int24(mean);
    }

    /// @dev window * 2^128 / (growth of seconds per liquidity in 128.128). The sums wrap around by design.
    function _meanLiquidity(uint160 first, uint160 last, uint32 window) private pure returns (uint256) {
        unchecked {
            return (uint256(window) << 128) / uint256(last - first);
        }
    }
}
