// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {WadMath} from "./WadMath.sol";

/// @title Measured numbers in 32 bits
/// @dev mantissa * 2^exponent, the mantissa in the upper 25 bits and the exponent in the lower 7: numbers below 2^25
/// exactly, larger ones to one part in 2^24. Defined below 2^152.
library BinaryFloat {
    using WadMath for uint256;

    uint256 private constant MANTISSA_BITS = 25;
    uint256 private constant EXPONENT_BITS = 7;
    uint256 private constant EXPONENT_MASK = 0x7f;

    /// @dev Rounding: DOWN.
    function packDown(uint256 x) internal pure returns (uint32) {
        uint256 exponent = _exponent(x);
        return uint32(x >> exponent << EXPONENT_BITS | exponent);
    }

    /// @dev Rounding: UP. What is added carries into the mantissa unless the bits that are lost are all zero.
    function packUp(uint256 x) internal pure returns (uint32) {
        return packDown(x + (1 << _exponent(x)) - 1);
    }

    /// @dev The number that was packed.
    function unpack(uint32 packed) internal pure returns (uint256) {
        return uint256(packed >> EXPONENT_BITS) << (packed & EXPONENT_MASK);
    }

    /// @dev Bits that a mantissa of 25 loses.
    function _exponent(uint256 x) private pure returns (uint256) {
        return FixedPointMathLib.log2(x).zeroFloorSub(MANTISSA_BITS - 1);
    }
}
