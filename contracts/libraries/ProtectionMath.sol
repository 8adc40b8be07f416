// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IProtection} from "../interfaces/IProtection.sol";
import {BPS, WAD, WAD_PER_BPS, WadMath} from "./WadMath.sol";

/// @title When a protected account is deleveraged, at what fee, and by how much
/// @notice With x_i the exposure of ln HF to the logarithm of price i: the part of A that collateral i is, less the
/// part of D_w that debt i is; sigma_i the volatility of that price; tau_p the owner's horizon:
///   DD        = ln(HF) / (sigma_p * sqrt(tau_p))
///   sigma_p^2 = Q + up * (P^2 + N^2 - Q) - 2 * down * P * N,
///               P, N = sums of |x_i| sigma_i over x_i > 0, < 0;   Q = sum of (x_i sigma_i)^2
///   shortfall = max(0, 1 - DD / DD_min, 1 - HF in the worst scenario)
///   fee       = maxFee * min(1, shortfall / ramp).
/// @dev sigma_p^2 is the largest variance x' S x over all correlations from `down` to `up`: two exposures of one sign
/// count with the highest, of two signs with the lowest.
/// @dev Rounding: towards not triggering. An operator's right is used where the owner's condition certainly holds; a
/// unit in the eighteenth digit decides nothing about safety, and this way it never decides against consent. So the
/// volatility is rounded DOWN, the distance UP, health in a scenario UP, the shortfall and the fee DOWN.
library ProtectionMath {
    using WadMath for uint256;

    /// @notice What is sold against what is repaid.
    /// @param repaid Token units paid. @param seized Token units of collateral for it.
    /// @param value Value repaid, WAD quote units, down.
    /// @param whole Whether one side is used up, so that health may pass the target.
    struct Sale {
        uint256 repaid;
        uint256 seized;
        uint256 value;
        bool whole;
    }

    /// @notice What bounds a sale.
    /// @param target h, WAD. @param fee WAD. @param dust WAD quote units.
    /// @param mostValue Most value that may be repaid, WAD quote units. @param maxRepaid Token units.
    struct Bounds {
        uint256 target;
        uint256 fee;
        uint256 dust;
        uint256 mostValue;
        uint256 maxRepaid;
    }

    /// @dev Seconds in a year.
    uint256 private constant YEAR = 365 days;
    /// @dev Quote units of 1e-18 by which the roundings of A and D_w may together lift health past a target.
    uint256 private constant ROUNDINGS = 16;

    // ------------------------------------------------------------------ how near

    /// @dev sigma_p, WAD a year. Rounding: DOWN at every step but the exposures of a debt's weight, which follow D_w.
    /// @param volatilitiesBps Of each leg, a year.
    function volatilityDown(
        IClearingHouse.AccountState memory state,
        uint256[] memory volatilitiesBps,
        IProtection.Parameters memory parameters
    ) internal pure returns (uint256) {
        uint256 held;
        uint256 owed;
        uint256 squares;
        for (uint256 i = 0; i < state.legs.length; ++i) {
            (uint256 long, uint256 short) = _weights(state, state.legs[i]);
            uint256 swing = (long.max(short) - long.min(short)).bpsDown(volatilitiesBps[i]);
            if (long > short) held += swing;
            else owed += swing;
            squares += swing * swing;
        }
        return _boundedDown(held, owed, squares, parameters);
    }

    /// @dev sqrt of Q + up * (P^2 + N^2 - Q) - 2 * down * P * N. Not negative: with both correlations equal to `up` it
    /// is (1 - up) * Q + up * (P - N)^2, and a lower `down` only adds.
    function _boundedDown(uint256 held, uint256 owed, uint256 squares, IProtection.Parameters memory parameters)
        private
        pure
        returns (uint256)
    {
        // swings are at most a few WAD, so that nothing here comes near 256 bits
        int256 variance = int256(squares * BPS);
        variance += parameters.correlationUpBps * int256(held * held + owed * owed - squares);
        variance -= parameters.correlationDownBps * int256(2 * held * owed);
        return FixedPointMathLib.sqrt(uint256(variance) / BPS);
    }

    /// @dev Parts of A and of D_w that a leg is, WAD, DOWN; at most 1 but for roundings.
    function _weights(IClearingHouse.AccountState memory state, IClearingHouse.Leg memory leg)
        private
        pure
        returns (uint256 long, uint256 short)
    {
        if (leg.collateralValue != 0) {
            long = leg.collateralValue.mulDown(leg.liquidationThresholdWad).divDown(state.weightedCollateral.max(1));
        }
        if (leg.debtValue != 0) short = leg.debtValue.mulUp(leg.debtWeightWad).divDown(state.weightedDebt);
    }

    /// @dev DD, WAD, UP; for A >= D_w > 0. Without any volatility the distance is without bound.
    function distanceUp(uint256 weightedCollateral, uint256 weightedDebt, uint256 volatility, uint256 horizon)
        internal
        pure
        returns (uint256)
    {
        uint256 width = volatility.mulDown(FixedPointMathLib.sqrt(horizon * WAD * WAD / YEAR));
        if (width == 0) return type(uint256).max;
        // forge-lint: disable-next-line(unsafe-typecast) -- at least WAD, so the logarithm is not negative
        return uint256(FixedPointMathLib.lnWad(int256(weightedCollateral.divUp(weightedDebt)))).divUp(width);
    }

    /// @dev Health in a scenario, WAD, UP: A up, D_w down. The largest number where nothing is owed in it.
    /// @param shocksBps Move of each leg's price, at least -10,000.
    function healthAfterUp(IClearingHouse.AccountState memory state, int256[] memory shocksBps)
        internal
        pure
        returns (uint256)
    {
        uint256 collateral;
        uint256 debt;
        for (uint256 i = 0; i < state.legs.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            // forge-lint: disable-next-line(unsafe-typecast) -- not negative by the bounds of a shock
            uint256 factor = uint256(int256(BPS) + shocksBps[i]);
            collateral += leg.collateralValue.mulUp(leg.liquidationThresholdWad).bpsUp(factor);
            debt += leg.debtValue.mulDown(leg.debtWeightWad).bpsDown(factor);
        }
        return debt == 0 ? type(uint256).max : collateral.divUp(debt);
    }

    /// @dev How far distance, or health in the worst scenario, is below its bound, as a part of the bound; WAD, DOWN.
    function shortfallDown(uint256 distance, uint256 minDistance, uint256 worstHealth) internal pure returns (uint256) {
        uint256 ofDistance = minDistance.zeroFloorSub(distance).divDown(minDistance);
        return ofDistance.max(WAD.zeroFloorSub(worstHealth));
    }

    /// @dev maxFee * min(1, shortfall / ramp), WAD, DOWN.
    function feeDown(uint256 maxFeeBps, uint256 shortfall, uint256 rampBps) internal pure returns (uint256) {
        uint256 ramp = rampBps * WAD_PER_BPS;
        return (maxFeeBps * WAD_PER_BPS).mulDivDown(shortfall.min(ramp), ramp);
    }

    // ------------------------------------------------------------------ how much

    /// @dev Repaying r and giving r * (1 + fee) of collateral i lifts health to h when
    ///   (A - k_i * (1 + fee) * r) / (D_w - w_j * r) = h   =>   r = (h * D_w - A) / (h * w_j - k_i * (1 + fee)).
    /// Rounding: r DOWN, the minuends down, the divisor up, and A counted up by what one unit of collateral and the
    /// house's own roundings can add, so that health ends at the target or below it, never past it.
    /// Nothing where the target is reached, but for roundings.
    /// What would leave dust of the debt, or of the collateral, takes the whole of it; so does a collateral that does
    /// not reach. Bounds cut last, and a cut that leaves dust is refused.
    function sale(
        IClearingHouse.AccountState memory state,
        IClearingHouse.Leg memory sold,
        IClearingHouse.Leg memory owed,
        Bounds memory bounds
    ) internal pure returns (Sale memory result) {
        uint256 unit = 10 ** owed.decimals;
        uint256 affordable = _affordableUp(sold, owed, bounds.fee);
        uint256 most = affordable.min(owed.debt);
        uint256 repaid = _toTargetDown(state, sold, owed, bounds).mulDivDown(unit, owed.price);
        if (repaid == 0) return result;
        if (repaid > most || _leavesDust(sold, owed, repaid, bounds)) repaid = most;
        repaid = repaid.min(bounds.maxRepaid).min(bounds.mostValue.mulDivDown(unit, owed.price));
        result.repaid = repaid;
        result.value = repaid.valueDown(owed.price, unit);
        result.seized = repaid >= affordable ? sold.collateral : _seizedDown(sold, owed, repaid, bounds.fee);
        result.whole = repaid == owed.debt || result.seized == sold.collateral;
        if (!result.whole && repaid != 0 && _leavesDust(sold, owed, repaid, bounds)) {
            (uint256 collateralValue, uint256 debtValue) = _left(sold, owed, repaid, bounds.fee);
            revert IProtection.DustLeft(collateralValue, debtValue, bounds.dust);
        }
    }

    /// @dev r in quote units, WAD.
    function _toTargetDown(
        IClearingHouse.AccountState memory state,
        IClearingHouse.Leg memory sold,
        IClearingHouse.Leg memory owed,
        Bounds memory bounds
    ) private pure returns (uint256) {
        uint256 factor = (WAD + bounds.fee).mulDown(sold.liquidationThresholdWad);
        uint256 restored = bounds.target.mulUp(owed.debtWeightWad);
        if (restored <= factor) revert IProtection.TargetUnreachable(bounds.target, factor);
        uint256 counted = state.weightedCollateral + uint256(1).valueUp(sold.price, 10 ** sold.decimals) + ROUNDINGS;
        return bounds.target.mulDown(state.weightedDebt).zeroFloorSub(counted).divDown(restored - factor);
    }

    /// @dev Debt units that all of the collateral pays for, UP, so that who takes all of it pays for all of it.
    function _affordableUp(IClearingHouse.Leg memory sold, IClearingHouse.Leg memory owed, uint256 fee)
        private
        pure
        returns (uint256)
    {
        uint256 value = uint256(sold.collateral).valueUp(sold.price, 10 ** sold.decimals).divUp(WAD + fee);
        return value.mulDivUp(10 ** owed.decimals, owed.price);
    }

    /// @dev Collateral worth what is repaid and the fee, DOWN at every step, in favour of the account.
    function _seizedDown(IClearingHouse.Leg memory sold, IClearingHouse.Leg memory owed, uint256 repaid, uint256 fee)
        private
        pure
        returns (uint256)
    {
        uint256 value = repaid.valueDown(owed.price, 10 ** owed.decimals).mulDown(WAD + fee);
        return value.mulDivDown(10 ** sold.decimals, sold.price).min(sold.collateral);
    }

    /// @dev Values of what a sale leaves of both sides, DOWN.
    function _left(IClearingHouse.Leg memory sold, IClearingHouse.Leg memory owed, uint256 repaid, uint256 fee)
        private
        pure
        returns (uint256 collateralValue, uint256 debtValue)
    {
        uint256 collateral = sold.collateral - _seizedDown(sold, owed, repaid, fee);
        collateralValue = collateral.valueDown(sold.price, 10 ** sold.decimals);
        debtValue = uint256(owed.debt).zeroFloorSub(repaid).valueDown(owed.price, 10 ** owed.decimals);
    }

    function _leavesDust(
        IClearingHouse.Leg memory sold,
        IClearingHouse.Leg memory owed,
        uint256 repaid,
        Bounds memory bounds
    ) private pure returns (bool) {
        (uint256 collateralValue, uint256 debtValue) = _left(sold, owed, repaid, bounds.fee);
        return collateralValue.min(debtValue) < bounds.dust;
    }
}
