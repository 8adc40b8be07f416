// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Sizing} from "../../contracts/libraries/Sizing.sol";
import {WAD, WadMath} from "../../contracts/libraries/WadMath.sol";
import {Exact} from "../support/forge/Exact.sol";
import {Test} from "../support/forge/Test.sol";

/// @title What holds for every slice, whatever the account
/// @notice Accounts are drawn with tokens of 6, 8 and 18 decimals, prices from a millionth to a hundred thousand, one
/// or two collaterals and debts, whole values, odd ones and dust. Comparisons are exact, in 512 bits.
contract SizingPropertiesTest is Test {
    using WadMath for uint256;

    uint256 private constant WAD_PER_BP = 1e14;

    /// @dev Raw material of an account.
    struct Seed {
        uint256 collateralDecimals;
        uint256 collateralPrice;
        uint256 collateralValue;
        uint256 threshold;
        uint256 multiplier;
        uint256 otherValue;
        uint256 otherThreshold;
        uint256 otherMultiplier;
        uint256 debtDecimals;
        uint256 debtPrice;
        uint256 weight;
        uint256 otherDebtShare;
        uint256 healthFactor;
        uint256 fraction;
    }

    // ------------------------------------------------------------------ take

    function test_no_slice_is_settled_below_the_reserve(Seed memory seed) external pure {
        (Sizing.Position memory position, Sizing.Terms memory offer) = _draw(seed);
        _assertAtLeastReserve(position, offer, _largest(position, offer));
        _assertAtLeastReserve(position, offer, _part(position, offer, seed.fraction));
    }

    function test_no_slice_lowers_health_or_solvency_of_a_solvent_account(Seed memory seed) external pure {
        (Sizing.Position memory position, Sizing.Terms memory offer) = _draw(seed);
        vm.assume(!offer.insolvent);
        _assertNotToxic(position, _largest(position, offer));
        _assertNotToxic(position, _part(position, offer, seed.fraction));
    }

    function test_a_slice_ends_at_the_target_or_closes_a_side(Seed memory seed) external pure {
        (Sizing.Position memory position, Sizing.Terms memory offer) = _draw(seed);
        Sizing.Sale memory sale = _largest(position, offer);
        if (sale.cancelled == position.debt || sale.seized == position.collateral) return;
        assertFalse(offer.insolvent, "in insolvency a side closes");
        (uint256 lowest,) = Sizing.healthRange(position, Sizing.aftermath(position, sale, 0));
        assertLe(lowest, _rules().target, "past the target");
        sale = Sizing.partly(position, offer, sale.seized + 1);
        (, uint256 highest) = Sizing.healthRange(position, Sizing.aftermath(position, sale, 0));
        assertGe(highest, _rules().target, "short of the target by more than a unit");
    }

    function test_no_choice_lifts_health_past_the_target(Seed memory seed) external pure {
        (Sizing.Position memory position, Sizing.Terms memory offer) = _draw(seed);
        Sizing.Sale memory largest = _largest(position, offer);
        Sizing.Sale memory sale = _part(position, offer, seed.fraction);
        assertLe(sale.seized, largest.seized);
        assertLe(sale.payment, largest.payment);
        uint256 unitsPerWei = position.debtUnit / position.debtPrice; // where a unit is worth less than a wei of value
        assertLe(sale.cancelled, largest.cancelled + 1 + 4 * unitsPerWei, "more than rounding");
        // the closing slice may pass the target, where it must leave no dust
        if (largest.cancelled == position.debt || largest.seized == position.collateral) return;
        (uint256 lowest,) = Sizing.healthRange(position, Sizing.aftermath(position, sale, 0));
        assertLe(lowest, _rules().target, "past the target");
    }

    function test_a_slice_moves_no_more_than_there_is(Seed memory seed) external pure {
        (Sizing.Position memory position, Sizing.Terms memory offer) = _draw(seed);
        Sizing.Sale memory sale = _largest(position, offer);
        assertLe(sale.seized, position.collateral);
        assertLe(sale.cancelled, position.debt);
        assertLe(sale.repaid, sale.payment);
        assertLe(sale.repaid, sale.cancelled);
        assertEq(sale.surplus, 0, "a take leaves no surplus");
    }

    function test_the_largest_slice_leaves_no_dust(Seed memory seed) external pure {
        (Sizing.Position memory position, Sizing.Terms memory offer) = _draw(seed);
        Sizing.Sale memory sale = _largest(position, offer);
        vm.assume(sale.seized != 0);
        assertFalse(Sizing.leavesDust(position, sale.seized, sale.cancelled, _rules().dust));
    }

    function test_the_penalty_is_taken_once_and_never_more(Seed memory seed) external pure {
        (Sizing.Position memory position, Sizing.Terms memory offer) = _draw(seed);
        vm.assume(!offer.insolvent);
        Sizing.Sale memory sale = _part(position, offer, seed.fraction);
        vm.assume(sale.cancelled < position.debt);
        uint256 penalty = sale.payment - sale.repaid;
        assertLe(penalty, sale.repaid.mulUp(offer.penalty));
        assertGe(penalty + 1, sale.repaid.mulDown(offer.penalty), "a unit went to health");
    }

    function test_in_insolvency_the_loss_is_the_same_share_of_each_payment(Seed memory seed) external pure {
        seed.threshold = bound(seed.threshold, 8_500, 9_000);
        seed.weight = 10_000;
        seed.healthFactor = bound(seed.healthFactor, 0.6e18, 0.8e18);
        (Sizing.Position memory position, Sizing.Terms memory offer) = _draw(seed);
        vm.assume(offer.insolvent && offer.reserveValue > 0);
        Sizing.Sale memory sale = _part(position, offer, seed.fraction);
        assertEq(sale.repaid, sale.payment, "no penalty");
        assertTrue(
            Exact.productLe(sale.cancelled, offer.reserveValue, sale.payment, position.debtValue), "cancels too much"
        );
        Sizing.Sale memory largest = _largest(position, offer);
        assertTrue(
            Exact.productLe(largest.cancelled, offer.reserveValue, largest.payment, position.debtValue),
            "the largest slice cancels too much"
        );
        bool capped = sale.cancelled == position.debt;
        assertTrue(
            capped || Exact.productLe(sale.payment, position.debtValue, sale.cancelled + 1, offer.reserveValue),
            "cancels too little"
        );
    }

    // ------------------------------------------------------------------ swap

    function test_a_sale_at_any_price_between_keeps_what_a_slice_keeps(Seed memory seed, uint256 better, uint256 price)
        external
        pure
    {
        (Sizing.Position memory position, Sizing.Terms memory low) = _draw(seed);
        better = bound(better, low.multiplier, low.multiplier * 11 / 10);
        Sizing.Terms memory best = Sizing.terms(position, _rules(), better);
        uint256 seized = Sizing.saleSize(position, best, low, _rules());
        vm.assume(seized > 0);
        uint256 least = Sizing.paymentUp(position, low.multiplier, seized);
        uint256 payment = Sizing.paymentUp(position, bound(price, low.multiplier, better), seized);
        uint256 real = Sizing.multiplierDown(position, seized, payment).max(low.multiplier);
        Sizing.Terms memory paid = Sizing.terms(position, _rules(), real);
        Sizing.Sale memory sale = Sizing.realised(position, paid, seized, payment.max(least));
        (uint256 lowest, uint256 highest) = Sizing.healthRange(position, Sizing.aftermath(position, sale, 0.9e18));
        bool closing = sale.cancelled == position.debt || seized == position.collateral;
        if (!low.insolvent) assertGe(highest, _health(position), "lowers health");
        if (!closing) assertLe(lowest, _rules().target, "past the target");
        assertFalse(Sizing.leavesDust(position, seized, sale.cancelled, _rules().dust), "leaves dust");
        assertEq(sale.payment, sale.repaid + sale.surplus + _penalty(sale), "parts do not add up");
    }

    // ------------------------------------------------------------------ assertions

    /// @dev payment * debtPrice / debtUnit >= seized * price / unit * m', exactly.
    function _assertAtLeastReserve(Sizing.Position memory position, Sizing.Terms memory offer, Sizing.Sale memory sale)
        private
        pure
    {
        assertTrue(
            Exact.productLe(
                sale.seized * position.collateralPrice,
                offer.multiplier * position.debtUnit,
                sale.payment * position.debtPrice,
                position.collateralUnit * WAD
            ),
            "below the reserve"
        );
    }

    /// @dev k * seized <= HF * w * cancelled, and seized <= V / D * cancelled, exactly.
    function _assertNotToxic(Sizing.Position memory position, Sizing.Sale memory sale) private pure {
        uint256 seized = sale.seized * position.collateralPrice;
        uint256 cancelled = sale.cancelled * position.debtPrice;
        uint256 threshold = position.threshold / WAD_PER_BP;
        uint256 weight = position.weight / WAD_PER_BP;
        assertTrue(
            Exact.productLe(
                seized,
                position.debtUnit * threshold * position.weightedDebt,
                cancelled,
                position.collateralUnit * weight * position.weightedCollateral
            ),
            "lowers health"
        );
        assertTrue(
            Exact.productLe(
                seized,
                position.debtUnit * position.debtValue,
                cancelled,
                position.collateralUnit * position.collateralValue
            ),
            "lowers solvency"
        );
    }

    // ------------------------------------------------------------------ slices

    function _largest(Sizing.Position memory position, Sizing.Terms memory offer)
        private
        pure
        returns (Sizing.Sale memory)
    {
        return Sizing.largest(position, offer, _rules());
    }

    function _part(Sizing.Position memory position, Sizing.Terms memory offer, uint256 fraction)
        private
        pure
        returns (Sizing.Sale memory)
    {
        uint256 seized = _largest(position, offer).seized;
        vm.assume(seized > 1);
        return Sizing.partly(position, offer, bound(fraction, 1, seized - 1));
    }

    function _penalty(Sizing.Sale memory sale) private pure returns (uint256) {
        return sale.payment - sale.repaid - sale.surplus;
    }

    function _health(Sizing.Position memory position) private pure returns (uint256) {
        return position.weightedCollateral.divDown(position.weightedDebt);
    }

    // ------------------------------------------------------------------ accounts

    function _rules() private pure returns (Sizing.Rules memory) {
        return Sizing.Rules({target: 1.05e18, penalty: 0.005e18, dust: 100e18});
    }

    /// @dev An unhealthy account, and its terms at the curve.
    function _draw(Seed memory seed) private pure returns (Sizing.Position memory position, Sizing.Terms memory offer) {
        _drawCollateral(position, seed);
        _drawDebt(position, seed);
        vm.assume(position.weightedCollateral > 0 && position.weightedCollateral < position.weightedDebt);
        offer = Sizing.terms(position, _rules(), bound(seed.multiplier, 0.8e18, 1.01e18));
    }

    function _drawCollateral(Sizing.Position memory position, Seed memory seed) private pure {
        position.collateralUnit = _unit(seed.collateralDecimals);
        position.collateralPrice = _scaled(seed.collateralPrice, 12, 22);
        position.threshold = bound(seed.threshold, 3_000, 9_000) * WAD_PER_BP;
        uint256 value = _scaled(seed.collateralValue, 15, 26);
        position.collateral = value.mulDivDown(position.collateralUnit, position.collateralPrice).max(1);
        uint256 first = position.collateral.valueDown(position.collateralPrice, position.collateralUnit);
        uint256 second = seed.otherValue % 2 == 0 ? 0 : _scaled(seed.otherValue, 15, 26);
        uint256 secondThreshold = bound(seed.otherThreshold, 3_000, 9_000) * WAD_PER_BP;
        position.collateralValue = first + second;
        position.weightedCollateral = first.mulDown(position.threshold) + second.mulDown(secondThreshold);
        uint256 multiplier = bound(seed.multiplier, 0.8e18, 1.01e18);
        position.highestMultiplier = multiplier.max(second == 0 ? 0 : bound(seed.otherMultiplier, 0.8e18, 1.01e18));
    }

    function _drawDebt(Sizing.Position memory position, Seed memory seed) private pure {
        position.debtUnit = _unit(seed.debtDecimals);
        position.debtPrice = _scaled(seed.debtPrice, 12, 22);
        position.weight = bound(seed.weight, 10_000, 20_000) * WAD_PER_BP;
        uint256 weighted = position.weightedCollateral.divUp(bound(seed.healthFactor, 0.6e18, 0.9999e18));
        uint256 other = seed.otherDebtShare % 2 == 0 ? 0 : weighted.mulDown(bound(seed.otherDebtShare, 0, 1e18));
        uint256 value = (weighted - other).divDown(position.weight);
        position.debt = value.mulDivDown(position.debtUnit, position.debtPrice).max(1);
        position.otherDebtValue = other;
        uint256 debtValue = position.debt.valueUp(position.debtPrice, position.debtUnit);
        position.debtValue = debtValue + other;
        position.weightedDebt = debtValue.mulUp(position.weight) + other;
    }

    function _unit(uint256 seed) private pure returns (uint256) {
        uint256 choice = seed % 3;
        return choice == 0 ? 1e6 : choice == 1 ? 1e8 : 1e18;
    }

    /// @dev One to four digits times a power of ten: whole units and odd ones over many scales.
    function _scaled(uint256 seed, uint256 lowest, uint256 highest) private pure returns (uint256) {
        uint256 digits = seed % 5 == 0 ? 1 : 1 + (seed / 7) % 9_999;
        return digits * 10 ** (lowest + (seed >> 128) % (highest - lowest + 1)) / (digits > 9 ? 1_000 : 1);
    }
}
