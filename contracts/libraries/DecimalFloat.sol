// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Round numbers in 24 bits
/// @dev mantissa * 10^exponent, the mantissa in the upper 18 bits and the exponent in the lower 6. Bounds of feeds are
/// round decimal numbers, so they are kept exactly or not at all.
library DecimalFloat {
    uint256 private constant EXPONENT_BITS = 6;
    uint256 private constant EXPONENT_MASK = 0x3f;
    uint256 private constant MANTISSA_END = 2 ** 18;

    /// @dev `exact` is false, and the rest meaningless, where the number has too many digits.
    function pack(uint256 x) internal pure returns (bool exact, uint24 packed) {
        uint256 exponent = 0;
        for (; x >= MANTISSA_END && x % 10 == 0; ++exponent) {
            x /= 10;
        }
        exact = x < MANTISSA_END && exponent <= EXPONENT_MASK;
        if (exact) packed = uint24(x << EXPONENT_BITS | exponent);
    }

    /// @dev The number that was packed: below 2^18 * 10^63, hence far from overflow.
    function unpack(uint24 packed) internal pure returns (uint256) {
        unchecked {
            return (packed >> EXPONENT_BITS) * 10 ** (packed & EXPONENT_MASK);
        }
    }
}
