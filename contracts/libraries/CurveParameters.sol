// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";
import {Parameters} from "./Parameters.sol";
import {WAD, WAD_PER_BPS, WadMath} from "./WadMath.sol";

/// @title Where a reserve curve starts and how fast it falls
/// @notice A lot that the market takes within the near slippage s0 starts at what it pays there, so that a sale clears
/// at once and everybody else meets the same price. Where pools paid more than the oracle's price of late, as they do
/// while a market falls, that is more by as much: else whoever comes first would keep it. A larger lot starts no lower
/// than where the oracle may at most be behind. Both fall at the speed that costs least: fast enough to clear before
/// the price moves away, slow enough that the discount of one block is small.
///   near:   m0 = clamp(q * (1 - venueFee - s0), 1 - venueFee - s0, NEAR_START_MAX)
///           q = (mean price / oracle price) of the collateral / (the same) of the debt
///   far:    m0 = max(1 + deviation + z * sigma * sqrt(latency), near)
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

    /// @dev The near start where pools pay `premium` times the oracle's price, WAD; `lowest` is the one where they pay
    /// no more than it. Rounding: UP, in favour of the account.
    function raisedUp(uint256 lowest, uint256 premium) internal pure returns (uint64) {
        return uint64(lowest.mulUp(premium).min(Parameters.NEAR_START_MAX_WAD).max(lowest));
    }

    /// @dev The lowest near start. Exact.
    function nearStart(uint256 venueFeePips, uint256 nearSlippageBps) internal pure returns (uint64) {
        return uint64(WAD - venueFeePips * WAD_PER_PIP - nearSlippageBps * WAD_PER_BPS);
    }

    /// @dev lambda per second, WAD. Rounding: DOWN, in favour of the account: the cube, then its root.
    function decayDown(uint256 volatilityBps) internal pure returns (uint64) {
        return uint64(FixedPointMathLib.cbrt(volatilityBps * volatilityBps * CUBE_NUMERATOR / CUBE_DIVISOR));
    }
}
