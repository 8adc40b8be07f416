// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {BPS, WAD, WadMath} from "./WadMath.sol";

/// @title How near an account is to insolvency
/// @notice A release budget that nothing overrides leaves bad debt in a crash that does not recover. Urgency u rises
/// from 0 to 1 as collateral, at what takers need, falls to the debt:
///   u = clamp(1 - ln(V * m_need / D) / (z_u * sigma_p * sqrt(tau_clear))),   m_need = 1 - slippageLimit - penalty.
/// It is 0 as long as the account is z_u standard deviations of the time that clearing takes away from insolvency.
/// @dev sigma_p = sum V_i * sigma_i / V + sum d_j * sigma_j / D, a year: the volatility of ln(V / D) if all that is
/// held fell and all that is owed rose together, hence an upper bound on it for any correlation. Urgency is a byte, 255
/// = 1.
library Urgency {
    using WadMath for uint256;

    /// @dev Seconds in a year.
    uint256 internal constant YEAR = 365 days;
    /// @dev 1.
    uint8 private constant FULL = type(uint8).max;

    /// @dev z_u * sigma_p * sqrt(tau_clear), WAD: the width of ln(V * m_need / D) in which u goes from 1 to 0.
    /// Rounding: DOWN at every step (root, product, z), so that urgency is not overstated.
    /// @param sigma sigma_p, WAD a year. @param zBps z_u. @param tau Seconds.
    function widthDown(uint256 sigma, uint256 zBps, uint256 tau) internal pure returns (uint256) {
        uint256 root = FixedPointMathLib.sqrt(tau * WAD * WAD / YEAR);
        return sigma.mulDown(root).bpsDown(zBps);
    }

    /// @dev u of an account with collateral V and debt D, where `needed` is m_need, WAD.
    /// Rounding: V * m_need / D UP, the logarithm to the nearest WAD that Solady's `lnWad` gives, u DOWN to 1/255.
    function urgency(uint256 collateralValue, uint256 debtValue, uint256 needed, uint256 width)
        internal
        pure
        returns (uint8)
    {
        uint256 cover = collateralValue.mulDivUp(needed, debtValue);
        if (cover <= WAD) return FULL;
        // forge-lint: disable-next-line(unsafe-typecast) -- above WAD, so the logarithm is not negative
        uint256 distance = uint256(FixedPointMathLib.lnWad(int256(cover)));
        if (distance >= width) return 0;
        return uint8((width - distance) * FULL / width);
    }

    /// @dev Whether u is zero at any volatility whose width is at most `widest`, without a logarithm: since
    /// ln x >= 1 - 1 / x, it is where 1 - D / (V * m_need) >= widest. Rounding: on the careful side.
    function isRemote(uint256 collateralValue, uint256 debtValue, uint256 needed, uint256 widest)
        internal
        pure
        returns (bool)
    {
        if (widest >= WAD) return false;
        return collateralValue.mulDown(needed).mulDown(WAD - widest) >= debtValue;
    }

    /// @dev m_need = 1 - slippageLimit - penalty, WAD.
    function need(uint256 slippageLimitBps, uint256 penaltyBps) internal pure returns (uint256) {
        return WAD * (BPS - slippageLimitBps - penaltyBps) / BPS;
    }
}
