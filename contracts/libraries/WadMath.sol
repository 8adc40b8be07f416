// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";

/// @dev One, in the fixed point of this protocol.
uint256 constant WAD = 1e18;
/// @dev One, in basis points.
uint256 constant BPS = 10_000;
/// @dev One basis point in WAD: the bridge between what is stored and what is computed with.
uint256 constant WAD_PER_BPS = WAD / BPS;

/// @title Fixed-point arithmetic that names its rounding
/// @notice No amount is divided in Sluice except through a function whose name ends in Down or Up, so that a reader
/// sees at each step in whose favour it rounds.
/// @dev Every function reverts on overflow and on division by zero; none truncates silently.
library WadMath {
    /// @dev x * y / 1e18, rounded DOWN.
    function mulDown(uint256 x, uint256 y) internal pure returns (uint256) {
        return FixedPointMathLib.mulWad(x, y);
    }

    /// @dev x * y / 1e18, rounded UP.
    function mulUp(uint256 x, uint256 y) internal pure returns (uint256) {
        return FixedPointMathLib.mulWadUp(x, y);
    }

    /// @dev x * 1e18 / y, rounded DOWN.
    function divDown(uint256 x, uint256 y) internal pure returns (uint256) {
        return FixedPointMathLib.divWad(x, y);
    }

    /// @dev x * 1e18 / y, rounded UP.
    function divUp(uint256 x, uint256 y) internal pure returns (uint256) {
        return FixedPointMathLib.divWadUp(x, y);
    }

    /// @dev x * y / d, rounded DOWN; the product may pass 256 bits, the result may not.
    function mulDivDown(uint256 x, uint256 y, uint256 d) internal pure returns (uint256) {
        return FixedPointMathLib.fullMulDiv(x, y, d);
    }

    /// @dev x * y / d, rounded UP; the product may pass 256 bits, the result may not.
    function mulDivUp(uint256 x, uint256 y, uint256 d) internal pure returns (uint256) {
        return FixedPointMathLib.fullMulDivUp(x, y, d);
    }

    /// @dev x * bps / 10,000, rounded DOWN.
    function bpsDown(uint256 x, uint256 bps) internal pure returns (uint256) {
        return x * bps / BPS;
    }

    /// @dev x * bps / 10,000, rounded UP.
    function bpsUp(uint256 x, uint256 bps) internal pure returns (uint256) {
        return (x * bps + (BPS - 1)) / BPS;
    }

    /// @dev Value of `amount` token units at `price` WAD quote units per whole token of `unit` = 10**decimals units:
    /// amount * price / unit, rounded DOWN, as collateral is valued.
    function valueDown(uint256 amount, uint256 price, uint256 unit) internal pure returns (uint256) {
        return FixedPointMathLib.fullMulDiv(amount, price, unit);
    }

    /// @dev The same, rounded UP, as debt is valued.
    function valueUp(uint256 amount, uint256 price, uint256 unit) internal pure returns (uint256) {
        return FixedPointMathLib.fullMulDivUp(amount, price, unit);
    }

    /// @dev The smaller of two.
    function min(uint256 x, uint256 y) internal pure returns (uint256) {
        return FixedPointMathLib.min(x, y);
    }

    /// @dev The larger of two.
    function max(uint256 x, uint256 y) internal pure returns (uint256) {
        return FixedPointMathLib.max(x, y);
    }

    /// @dev x - y, or zero where that would be negative.
    function zeroFloorSub(uint256 x, uint256 y) internal pure returns (uint256) {
        return FixedPointMathLib.zeroFloorSub(x, y);
    }

    /// @dev x as the type that what is lent and owed is stored in; reverts with `AmountTooLarge` where it does not fit.
    function toUint112(uint256 x) internal pure returns (uint112) {
        if (x > type(uint112).max) revert IClearingHouse.AmountTooLarge(x);
        return uint112(x);
    }

    /// @dev x as the type that amounts are stored in; reverts with `AmountTooLarge` where it does not fit.
    function toUint128(uint256 x) internal pure returns (uint128) {
        if (x > type(uint128).max) revert IClearingHouse.AmountTooLarge(x);
        return uint128(x);
    }
}
