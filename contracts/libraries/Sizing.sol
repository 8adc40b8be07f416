// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {WAD, WadMath} from "./WadMath.sol";

/// @title How much of a collateral is sold, at what price, and what it cancels
/// @notice Symbols, as in docs/mechanism.md: for one account, V and D value of collateral and debt, A and D_w the
/// weighted ones, HF = A / D_w; for the collateral sold k its liquidationThreshold and m the multiplier over the oracle
/// price; for the debt repaid d its amount and w its debtWeight; h the target health, p the penalty,
/// b = (1 + p) / m the incentiveFactor; M the highest multiplier among the account's collaterals, where one that does
/// not run counts 1 and one below the dust value not at all, and the legs that were sold out; and S = V * M.
/// @dev Pure, in steps of `mulDiv` alone, so that a twin elsewhere can follow it to the wei.
///
/// While S >= D the account is solvent at the reserve. A slice raises health iff k * b <= HF * w and keeps V / D iff
/// b <= V / D, so b is capped by B = min(HF * w / k, V / D):
///   m' = max(m, 1 / B)       where even p = 0 would be toxic at the curve, the price rises to the cap;
///   p' = min(p, m' * B - 1)  near insolvency the penalty shrinks to nothing while the price stays on the curve.
///
/// While S < D the price is M for every collateral, and each 1 paid cancels D / S of debt, without penalty; the
/// difference is a deficit. The ratio is the same for every debt of the account, hence pro rata, and it stays the same
/// after a slice, hence no slice is better than its pieces. At S = D, where M = D / V, price and ratio meet those of
/// the solvent account, so that no price lies dead between them.
///
/// Why M, and not each collateral's own m: a collateral whose price is held above its curve by the cap cannot be
/// bought, so its clock runs down without having asked anybody. Were it to count at its own m, then whoever kicks such
/// a
/// collateral alone could wait until it makes a solvent account insolvent, and buy it at that price, at the expense of
/// the owner and the lenders. M is a price at which everything that matters has been for sale.
///
/// A slice may end above the target only in these cases (dust), all of them the same closing slice:
///   1. it would leave a debt of less than the dust value;
///   2. it would leave a collateral of less than the dust value.
/// The closing slice takes the whole debt, or the whole collateral where that does not pay for the debt. What stays of
/// the other side is of any size.
library Sizing {
    using WadMath for uint256;

    /// @dev More than all roundings of one sale together: in wei of value, and, because k * b and h * w are rounded to
    /// a wei before they are multiplied by a value, in parts in 10^18 of the account's debt.
    uint256 private constant ROUNDING = 1_000;
    uint256 private constant ROUNDING_WAD = 10;

    /// @notice One account, seen from one collateral that is sold for one debt.
    /// @param collateralValue V. @param debtValue D. @param weightedCollateral A. @param weightedDebt D_w.
    /// @param highestMultiplier M, at the curves of this moment; at least that of the collateral sold.
    /// @param otherDebtValue Value of the account's other debts.
    /// @param collateral Token units held. @param collateralUnit 10**decimals. @param collateralPrice Of a whole token.
    /// @param threshold k, WAD.
    /// @param debt d, token units owed. @param debtUnit 10**decimals. @param debtPrice Of a whole token.
    /// @param weight w, WAD.
    struct Position {
        uint256 collateralValue;
        uint256 debtValue;
        uint256 weightedCollateral;
        uint256 weightedDebt;
        uint256 highestMultiplier;
        uint256 otherDebtValue;
        uint256 collateral;
        uint256 collateralUnit;
        uint256 collateralPrice;
        uint256 threshold;
        uint256 debt;
        uint256 debtUnit;
        uint256 debtPrice;
        uint256 weight;
    }

    /// @notice What a sale at one multiplier is booked at.
    /// @param multiplier m', or M in insolvency, WAD. @param penalty p', WAD. @param reserveValue S.
    /// @param insolvent Whether S < D.
    struct Terms {
        uint256 multiplier;
        uint256 penalty;
        uint256 reserveValue;
        bool insolvent;
    }

    /// @notice What governance has set, WAD.
    /// @param target h. @param penalty p. @param dust Smallest value to leave on a side.
    struct Rules {
        uint256 target;
        uint256 penalty;
        uint256 dust;
    }

    /// @notice One sale, token units.
    /// @param seized Collateral sold. @param payment What is paid for it. @param repaid Part that repays debt.
    /// @param cancelled Debt cancelled: `repaid`, or more in insolvency. @param surplus Part that is the account's.
    struct Sale {
        uint256 seized;
        uint256 payment;
        uint256 repaid;
        uint256 cancelled;
        uint256 surplus;
    }

    /// @notice The account after a sale, every figure on the careful side.
    /// @param collateralValue V, rounded down. @param debtValue D, rounded up.
    /// @param weightedCollateral A, rounded down. @param weightedDebt D_w, rounded up.
    struct Aftermath {
        uint256 collateralValue;
        uint256 debtValue;
        uint256 weightedCollateral;
        uint256 weightedDebt;
    }

    // ------------------------------------------------------------------ price

    /// @dev m', p' and S for a sale at `multiplier`: the curve of the collateral sold, or what its sale really brings.
    /// Where that is above M, S counts what is sold at it and the rest at M.
    /// Rounding: S down, so that insolvency is not overlooked; 1 / B up and p' down, so that b stays below the cap.
    function terms(Position memory position, Rules memory rules, uint256 multiplier)
        internal
        pure
        returns (Terms memory result)
    {
        price(result, position, rules, multiplier);
    }

    /// @dev The same, into memory that is there already, and zero.
    function price(Terms memory result, Position memory position, Rules memory rules, uint256 multiplier)
        internal
        pure
    {
        uint256 sold = position.collateral.valueDown(position.collateralPrice, position.collateralUnit);
        uint256 highest = multiplier.max(position.highestMultiplier);
        result.reserveValue =
            sold.mulDown(highest) + (position.collateralValue - sold).mulDown(position.highestMultiplier);
        if (result.reserveValue < position.debtValue) {
            result.multiplier = highest;
            result.insolvent = true;
            return;
        }
        // HF * w / k = (A * w) / (k * D_w)
        uint256 healthNumerator = position.weightedCollateral * position.weight;
        uint256 healthDivisor = position.threshold * position.weightedDebt;
        uint256 leastForHealth = WAD.mulDivUp(healthDivisor, healthNumerator);
        uint256 leastForSolvency = position.debtValue.divUp(position.collateralValue);
        result.multiplier = multiplier.max(leastForHealth).max(leastForSolvency);
        uint256 roomForHealth = result.multiplier.mulDivDown(healthNumerator, healthDivisor);
        uint256 roomForSolvency = result.multiplier.mulDivDown(position.collateralValue, position.debtValue);
        result.penalty = roomForHealth.min(roomForSolvency).zeroFloorSub(WAD).min(rules.penalty);
    }

    /// @dev Debt tokens owed for `seized` at the reserve: seized * price * m' / debtPrice.
    /// Rounding: UP at every step, in favour of the account, because nobody may settle below the reserve.
    function paymentUp(Position memory position, uint256 multiplier, uint256 seized) internal pure returns (uint256) {
        uint256 value = seized.valueUp(position.collateralPrice, position.collateralUnit).mulUp(multiplier);
        return value.mulDivUp(position.debtUnit, position.debtPrice);
    }

    /// @dev Multiplier that a sale brought: value of the payment over value of the collateral.
    /// Rounding: DOWN, in favour of the account, because the penalty grows with it.
    function multiplierDown(Position memory position, uint256 seized, uint256 payment) internal pure returns (uint256) {
        uint256 paid = payment.valueDown(position.debtPrice, position.debtUnit);
        return paid.divDown(seized.valueUp(position.collateralPrice, position.collateralUnit));
    }

    /// @dev The same, rounded UP: for sizing, where a higher price gives the smaller slice.
    function multiplierUp(Position memory position, uint256 seized, uint256 payment) internal pure returns (uint256) {
        uint256 paid = payment.valueUp(position.debtPrice, position.debtUnit);
        return paid.divUp(seized.valueDown(position.collateralPrice, position.collateralUnit));
    }

    // ------------------------------------------------------------------ take: the price is known beforehand

    /// @dev The largest slice at the terms of `offer`: up to the target while solvent, else all that debt or collateral
    /// allow.
    function largest(Position memory position, Terms memory offer, Rules memory rules)
        internal
        pure
        returns (Sale memory sale)
    {
        if (!_toTarget(sale, position, offer, rules)) _close(sale, position, offer);
    }

    /// @dev A slice of `seized`, at most the largest one. Whole or in pieces it costs the same, but for a unit for each
    /// piece.
    /// Rounding: the payment UP, because of the reserve; the debt repaid by it UP, because health may not fall, at the
    /// expense of a unit of penalty.
    function partly(Position memory position, Terms memory offer, uint256 seized)
        internal
        pure
        returns (Sale memory sale)
    {
        _realise(sale, position, offer, seized, paymentUp(position, offer.multiplier, seized));
        sale.surplus = 0; // at most a unit or two of rounding: part of the penalty
    }

    // ------------------------------------------------------------------ swap: the price is known afterwards

    /// @dev Collateral to sell where the price will lie between `low.multiplier` and `best.multiplier`.
    /// Up to the target the best price sizes: any worse one repays less and stays below the target. A closing sale is
    /// sized by the lowest price, so that it closes whatever the sale brings; the rest is the account's surplus.
    /// Rounding: down to the target; a closing sale UP, by more than all roundings that follow, because a debt is
    /// closed to the wei or not at all.
    function saleSize(Position memory position, Terms memory best, Terms memory low, Rules memory rules)
        internal
        pure
        returns (uint256 seized)
    {
        Sale memory sale;
        if (_toTarget(sale, position, best, rules)) return sale.seized;
        uint256 payment = low.insolvent
            ? position.debt.mulDivUp(low.reserveValue, position.debtValue)
            : position.debt + position.debt.mulUp(low.penalty);
        uint256 value = payment.valueUp(position.debtPrice, position.debtUnit).divUp(low.multiplier);
        value += ROUNDING + value.mulUp(ROUNDING_WAD);
        return value.mulDivUp(position.collateralUnit, position.collateralPrice).min(position.collateral);
    }

    /// @dev What a sale of `seized` that brought `payment` is booked as, at the terms of its own price.
    /// Solvent: repaid = payment / (1 + p'), at most the debt; beyond debt and penalty the payment is the account's.
    /// Insolvent: all of it repays, and cancels D / S of it, at most the debt.
    /// Rounding: repaid UP, so that health does not fall, penalty UP; what insolvency cancels DOWN, in favour of the
    /// lenders.
    function realised(Position memory position, Terms memory offer, uint256 seized, uint256 payment)
        internal
        pure
        returns (Sale memory sale)
    {
        _realise(sale, position, offer, seized, payment);
    }

    /// @dev The same, into memory that is there already, whatever was in it.
    function _realise(Sale memory sale, Position memory position, Terms memory offer, uint256 seized, uint256 payment)
        private
        pure
    {
        (sale.seized, sale.payment) = (seized, payment);
        if (offer.insolvent) {
            sale.repaid = payment.min(position.debt);
            uint256 cancelled = sale.repaid.mulDivDown(position.debtValue, offer.reserveValue);
            sale.cancelled = cancelled.min(position.debt);
            sale.surplus = payment - sale.repaid;
            return;
        }
        uint256 repaid = payment.divUp(WAD + offer.penalty).min(position.debt);
        (sale.repaid, sale.cancelled) = (repaid, repaid);
        sale.surplus = repaid == position.debt ? payment.zeroFloorSub(repaid + repaid.mulUp(offer.penalty)) : 0;
    }

    // ------------------------------------------------------------------ before: what a lot is, what a choice costs

    /// @dev Value of collateral that restores the target at the multiplier `start`, at most all of it:
    /// (h * D_w - A) * b / (h - k * b) with b = (1 + p) / start, for a debt of weight 1, which needs the most.
    /// Rounding: UP, so that a lot is not taken for a smaller one.
    function lotUp(
        uint256 collateralValue,
        uint256 threshold,
        uint256 weightedCollateral,
        uint256 weightedDebt,
        Rules memory rules,
        uint256 start
    ) internal pure returns (uint256) {
        uint256 factor = (WAD + rules.penalty).divUp(start);
        uint256 divisor = rules.target.zeroFloorSub(threshold.mulUp(factor));
        if (divisor == 0) return collateralValue;
        uint256 missing = rules.target.mulUp(weightedDebt).zeroFloorSub(weightedCollateral);
        return missing.mulDivUp(factor, divisor).min(collateralValue);
    }

    /// @dev What a collateral of `threshold` k costs the account at `multiplier` m, per weighted value restored, WAD:
    /// (b - 1) / (h * w - k * b) with b = min((1 + p) / m, HF * w / k, V / D). Negative where it pays more than the
    /// oracle; the largest integer where it cannot reach the target.
    /// Rounding: b UP to its cap, the divisor DOWN, the quotient toward zero.
    function costOf(Position memory position, Rules memory rules, uint256 threshold, uint256 multiplier)
        internal
        pure
        returns (int256)
    {
        uint256 forHealth =
            (position.weightedCollateral * position.weight).mulDivDown(WAD, threshold * position.weightedDebt);
        uint256 forSolvency = position.collateralValue.divDown(position.debtValue);
        uint256 factor = (WAD + rules.penalty).divUp(multiplier).min(forHealth).min(forSolvency);
        uint256 divisor = rules.target.mulDown(position.weight).zeroFloorSub(threshold.mulUp(factor));
        if (divisor == 0) return type(int256).max;
        // forge-lint: disable-next-line(unsafe-typecast) -- factors and fractions, far below 2^127
        return (int256(factor) - int256(WAD)) * int256(WAD) / int256(divisor);
    }

    // ------------------------------------------------------------------ afterwards

    /// @dev The account after `sale`; `surplusThreshold` is the liquidationThreshold of the debt asset as a collateral.
    /// Rounding: collateral down, debt up, so that health is not overrated by a wei.
    function aftermath(Position memory position, Sale memory sale, uint256 surplusThreshold)
        internal
        pure
        returns (Aftermath memory result)
    {
        uint256 seizedValue = sale.seized.valueUp(position.collateralPrice, position.collateralUnit);
        uint256 surplusValue = sale.surplus.valueDown(position.debtPrice, position.debtUnit);
        unchecked {
            // values: amounts of 128 bits at prices of 90, hence far from 256
            result.collateralValue = position.collateralValue.zeroFloorSub(seizedValue) + surplusValue;
            result.weightedCollateral = position.weightedCollateral.zeroFloorSub(seizedValue.mulUp(position.threshold))
                + surplusValue.mulDown(surplusThreshold);
        }
        if (sale.cancelled < position.debt) {
            uint256 cancelledValue = sale.cancelled.valueDown(position.debtPrice, position.debtUnit);
            unchecked {
                // a part of a debt, rounded down, of sums that count all of it, rounded up
                result.debtValue = position.debtValue - cancelledValue;
                result.weightedDebt = position.weightedDebt - cancelledValue.mulDown(position.weight);
            }
        } else {
            uint256 cancelledValue = sale.cancelled.valueUp(position.debtPrice, position.debtUnit);
            result.debtValue = position.otherDebtValue;
            result.weightedDebt = position.weightedDebt.zeroFloorSub(cancelledValue.mulUp(position.weight));
        }
    }

    /// @dev Whether health after a sale, taken at its word, is between `least` and `most`. Then it is so for any ends
    /// of `healthRange` too, which cost more to find: the lower one is no higher, the upper one no lower.
    function isWithin(Aftermath memory result, uint256 least, uint256 most) internal pure returns (bool) {
        if (result.weightedDebt == 0) return false;
        uint256 health = result.weightedCollateral.divDown(result.weightedDebt);
        return health >= least && health <= most;
    }

    /// @dev Health after a sale, give or take two token units of each side and the roundings: no lower than `lowest`
    /// and no higher than `highest`. Without debt both are the largest integer.
    function healthRange(Position memory position, Aftermath memory result)
        internal
        pure
        returns (uint256 lowest, uint256 highest)
    {
        uint256 rounding = ROUNDING + position.weightedDebt.mulUp(ROUNDING_WAD);
        uint256 collateralUnits = uint256(2).valueUp(position.collateralPrice, position.collateralUnit);
        uint256 debtUnits = uint256(2).valueUp(position.debtPrice, position.debtUnit);
        uint256 collateralSlack = collateralUnits.mulUp(position.threshold) + rounding;
        uint256 debtSlack = debtUnits.mulUp(position.weight) + rounding;
        if (result.debtValue == 0) return (type(uint256).max, type(uint256).max);
        lowest = result.weightedCollateral.zeroFloorSub(collateralSlack).divDown(result.weightedDebt + debtSlack);
        highest = result.weightedDebt > debtSlack
            ? (result.weightedCollateral + collateralSlack).divUp(result.weightedDebt - debtSlack)
            : type(uint256).max;
    }

    // ------------------------------------------------------------------ steps

    /// @dev Solves (A - k * b * r) / (D_w - w * r) = h for the value r of the debt repaid:
    /// r = (h * D_w - A) / (h * w - k * b), defined while k * b < h * w. Not reachable where the debt or the collateral
    /// ends before, where dust would stay, or in insolvency.
    /// Rounding: r UP to a unit of the debt, so that the target is reached: the minuend up, the divisor down. The
    /// collateral for it DOWN, so that it is not passed.
    function _toTarget(Sale memory sale, Position memory position, Terms memory offer, Rules memory rules)
        private
        pure
        returns (bool reachable)
    {
        if (offer.insolvent) return false;
        uint256 factored = position.threshold.mulDivUp(WAD + offer.penalty, offer.multiplier);
        uint256 divisor = rules.target.mulDown(position.weight).zeroFloorSub(factored);
        if (divisor == 0) return false;
        uint256 missing = rules.target.mulUp(position.weightedDebt).zeroFloorSub(position.weightedCollateral);
        uint256 repaid = missing.divUp(divisor).mulDivUp(position.debtUnit, position.debtPrice);
        if (repaid >= position.debt) return false;
        uint256 seized = _seizedDown(position, offer, repaid);
        if (seized >= position.collateral) return false;
        _realise(sale, position, offer, seized, paymentUp(position, offer.multiplier, seized));
        sale.surplus = 0; // as in `partly`
        reachable = sale.cancelled < position.debt && !leavesDust(position, seized, sale.cancelled, rules.dust);
    }

    /// @dev Whether a sale leaves less than the dust value on a side while something stays on both.
    function leavesDust(Position memory position, uint256 seized, uint256 cancelled, uint256 dust)
        internal
        pure
        returns (bool)
    {
        if (seized >= position.collateral || cancelled >= position.debt) return false;
        (uint256 collateralValue, uint256 debtValue) = remainder(position, seized, cancelled);
        return collateralValue < dust || debtValue < dust;
    }

    /// @dev Value of what a sale leaves of its collateral and its debt, rounded down.
    function remainder(Position memory position, uint256 seized, uint256 cancelled)
        internal
        pure
        returns (uint256 collateralValue, uint256 debtValue)
    {
        unchecked {
            // of a part of each, by `leavesDust`
            (seized, cancelled) = (position.collateral - seized, position.debt - cancelled);
        }
        collateralValue = seized.valueDown(position.collateralPrice, position.collateralUnit);
        debtValue = cancelled.valueDown(position.debtPrice, position.debtUnit);
    }

    /// @dev The slice that takes the whole debt, or the whole collateral where that does not pay for it.
    /// Rounding: the payment UP, from the debt and from the collateral, because of the reserve.
    function _close(Sale memory sale, Position memory position, Terms memory offer) private pure {
        uint256 repaid = offer.insolvent
            ? position.debt.mulDivUp(offer.reserveValue, position.debtValue)  // below the debt, since S < D
            : position.debt;
        uint256 seized = _seizedDown(position, offer, repaid);
        if (seized > position.collateral) {
            seized = position.collateral;
            _realise(sale, position, offer, seized, paymentUp(position, offer.multiplier, seized));
            sale.surplus = 0; // as in `partly`
            return;
        }
        (sale.seized, sale.repaid, sale.cancelled, sale.surplus) = (seized, repaid, position.debt, 0);
        sale.payment = (repaid + repaid.mulUp(offer.penalty)).max(paymentUp(position, offer.multiplier, seized));
    }

    /// @dev Collateral for `repaid`: its value * b / price.
    /// Rounding: DOWN at every step, in favour of the account, because b may not pass its cap.
    function _seizedDown(Position memory position, Terms memory offer, uint256 repaid) private pure returns (uint256) {
        uint256 value = repaid.valueDown(position.debtPrice, position.debtUnit);
        uint256 seizedValue = value.mulDivDown(WAD + offer.penalty, offer.multiplier);
        return seizedValue.mulDivDown(position.collateralUnit, position.collateralPrice);
    }
}
