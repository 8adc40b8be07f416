// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {WadMath} from "./WadMath.sol";

/// @title The decaying reserve of an auction leg
/// @notice The reserve starts at or above what the market should pay and falls until somebody settles, never below a
/// floor: it finds the price at which takers come without asking anybody what it is.
library ReserveCurve {
    using WadMath for uint256;

    /// @dev Milliseconds in a second.
    uint256 private constant MILLIS = 1_000;

    /// @dev m = max(floor, m0 * exp(-lambda * elapsed)), the multiplier over the oracle price.
    /// Defined for any elapsed time: the exponential is zero from lambda * elapsed = 41.4 on, and the product cannot
    /// overflow within the bounds of `Parameters` and block times of 40 bits.
    /// Rounding: lambda * elapsed DOWN to a WAD; the exponential DOWN, by at most a few parts in 10^18, as Solady
    /// computes it; the product UP, in favour of the account, because it is a price that others pay.
    /// @param start m0, WAD. @param decayPerSecond lambda, WAD. @param elapsedMs Milliseconds that the
    /// leg's clock has run.
    /// @param floor Smallest multiplier, WAD.
    function multiplierUp(uint256 start, uint256 decayPerSecond, uint256 elapsedMs, uint256 floor)
        internal
        pure
        returns (uint256)
    {
        int256 exponent = -int256(decayPerSecond * elapsedMs / MILLIS);
        return start.mulUp(uint256(FixedPointMathLib.expWad(exponent))).max(floor);
    }
}
