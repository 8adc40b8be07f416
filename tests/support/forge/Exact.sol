// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Comparisons without rounding
library Exact {
    /// @dev Whether a * b <= c * d, with products of 512 bits.
    function productLe(uint256 a, uint256 b, uint256 c, uint256 d) internal pure returns (bool) {
        (uint256 highLeft, uint256 lowLeft) = product(a, b);
        (uint256 highRight, uint256 lowRight) = product(c, d);
        return highLeft < highRight || (highLeft == highRight && lowLeft <= lowRight);
    }

    /// @dev x * y in two words: modulo 2^256, and what the remainder modulo 2^256 - 1 tells of the rest.
    function product(uint256 x, uint256 y) internal pure returns (uint256 high, uint256 low) {
        unchecked {
            low = x * y;
            uint256 remainder = mulmod(x, y, type(uint256).max);
            high = remainder - low;
            if (remainder < low) --high;
        }
    }
}
