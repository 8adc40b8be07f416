// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";
import {WAD, WAD_PER_BPS, WadMath} from "./WadMath.sol";

/// @title Where a reserve curve starts and how fast it falls
/// @notice A lot that the market takes within the near slippage s0 starts at what it pays there, so that a sale clears
/// at once and everybody else meets the same price. A larger lot starts where the oracle may at most be behind, and
/// falls at the speed that costs least: fast enough to clear before the price moves away, slow enough that the discount
/// of one block is small.
///   near:   m0 = 1 - venueFee - s0
///   far:    m0 = 1 + deviation + z * sigma * sqrt(latency)
///   speed:  lambda = (sigma * sqrt(d*) / dt)^(2/3), sigma per root-second
/// @dev The constants z = 3, latency 24 s, d* = 1 % and dt = 12 s are those of the derivation in docs/mechanism.md.
library CurveParameters {
    using WadMath for uint256;

    /// @dev WAD in a millionth.
    uint256 private constant WAD_PER_PIP = 1e12;
    /// @dev z * sqrt(latency / year) = 3 * sqrt(24 / 31,536,000), WAD, rounded up.
    uint256 private constant LATENCY_FACTOR_WAD = 2_617_119_612_951_069;
    /// @dev 10^54 * d* / (dt^2 * year * 10^8) as numerator and divisor: with sigma in basis points the cube of lambda,
    /// WAD, is sigma^2 times that.
    uint256 private constant CUBE_NUMERATOR = 1e52;
    uint256 private constant CUBE_DIVISOR = 144 * 31_536_000 * 1e8;

    /// @dev Rounding: UP, in favour of the account, because it is a price that others pay.
    function farStartUp(ILiquidationEngine.CurveInputs memory inputs) internal pure returns (uint64) {
        uint256 latency = (inputs.volatilityBps * WAD_PER_BPS).mulUp(LATENCY_FACTOR_WAD);
        return uint64(WAD + inputs.deviationBps * WAD_PER_BPS + latency);
    }

    /// @dev Exact.
    function nearStart(uint256 venueFeePips, uint256 nearSlippageBps) internal pure returns (uint64) {
        return uint64(WAD - venueFeePips * WAD_PER_PIP - nearSlippageBps * WAD_PER_BPS);
    }

    /// @dev lambda per second, WAD. Rounding: DOWN, in favour of the account: the cube, then its root.
    function decayDown(uint256 volatilityBps) internal pure returns (uint64) {
        return uint64(FixedPointMathLib.cbrt(volatilityBps * volatilityBps * CUBE_NUMERATOR / CUBE_DIVISOR));
    }
}
