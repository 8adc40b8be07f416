// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {BPS, WAD, WAD_PER_BPS, WadMath} from "./WadMath.sol";

/// @title Depth of constant-product liquidity, in quote value
/// @dev Liquidity L between reserves x and y means x * y = L^2 around the price. At prices v and w per token unit both
/// sides are worth K = L * sqrt(v * w), whatever the pool's own price. A sale of value s moves the price to
/// (1 + s/K)^-2, a purchase of value s to (1 - s/K)^-2. Every result is
/// rounded DOWN: depth is what may be released.
library DepthMath {
    using WadMath for uint256;

    /// @dev Bits of the fraction in which sqrt(v * w) is kept: enough for tokens of 18 decimals at a millionth of a
    /// quote unit, and no overflow at a billion with 6.
    uint256 private constant FRACTION_BITS = 56;

    /// @dev K = L * sqrt(price_a / unit_a * price_b / unit_b), WAD quote units. Prices are at most 1e27.
    function ofLiquidity(uint256 liquidity, uint256 priceA, uint256 unitA, uint256 priceB, uint256 unitB)
        internal
        pure
        returns (uint256)
    {
        uint256 square = (priceA * priceB).mulDivDown(1 << (2 * FRACTION_BITS), unitA * unitB);
        return liquidity.mulDivDown(FixedPointMathLib.sqrt(square), 1 << FRACTION_BITS);
    }

    /// @dev ln(x / y), WAD, of positive numbers below 2^196, to 1e-18 of itself and of the quotient that is at least 1.
    function logRatio(uint256 x, uint256 y) internal pure returns (int256) {
        return x < y ? -FixedPointMathLib.lnWad(int256(y.divDown(x))) : FixedPointMathLib.lnWad(int256(x.divDown(y)));
    }

    /// @dev K of two pools one behind the other: their moves multiply, (1 + s/K1) * (1 + s'/K2) = 1 + s * (1/K1 + 1/K2)
    /// for the s' = s / (1 + s/K1) that the first pays to the second. So 1/K = 1/K1 + 1/K2.
    function behind(uint256 first, uint256 second) internal pure returns (uint256) {
        if (first == 0 || second == 0) return 0;
        return first.mulDivDown(second, first + second);
    }

    /// @dev Value sold that brings the price down to 1 - bps: K * (1 / sqrt(1 - bps) - 1); or bought that brings it up
    /// to 1 + bps: K * (1 - 1 / sqrt(1 + bps)). `bps` must be above 0 and below 10,000.
    function moved(uint256 virtualDepth, bool sold, uint256 bps) internal pure returns (uint256) {
        if (sold) {
            uint256 root = FixedPointMathLib.sqrtWad((BPS - bps) * WAD_PER_BPS) + 1;
            return virtualDepth.mulDown(WAD.divDown(root) - WAD);
        }
        return virtualDepth.mulDown(WAD - WAD.divUp(FixedPointMathLib.sqrtWad((BPS + bps) * WAD_PER_BPS)));
    }
}
