// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Sizing} from "../../contracts/libraries/Sizing.sol";
import {WAD, WadMath} from "../../contracts/libraries/WadMath.sol";
import {Test} from "../support/forge/Test.sol";

/// @title Sizing on figures that a reader can check by hand
contract SizingTest is Test {
    using WadMath for uint256;

    // ------------------------------------------------------------------ price

    function test_a_safe_account_pays_the_curve_and_the_whole_penalty() external pure {
        Sizing.Terms memory offer = Sizing.terms(_long(), _rules(), 0.99e18);
        assertEq(offer.multiplier, 0.99e18);
        assertEq(offer.penalty, 0.005e18);
        assertEq(offer.reserveValue, 18_810e18);
        assertFalse(offer.insolvent);
    }

    function test_the_penalty_shrinks_as_the_collateral_nears_the_debt() external pure {
        // V / D = 1.002 and m = 1: b may be 1.002 at most
        Sizing.Position memory position = _long();
        _owe(position, 18_962_075_848); // 19,000 / 1.002
        Sizing.Terms memory offer = Sizing.terms(position, _rules(), 1e18);
        assertEq(offer.multiplier, 1e18, "the price stays on the curve");
        assertApproxEqAbs(offer.penalty, 0.002e18, 1e8);
    }

    function test_the_price_rises_where_the_curve_would_lower_health_even_without_penalty() external pure {
        // two collaterals, each worth 1,000: k 0.9 (for sale) and 0.5; A = 1,400 against 1,600 owed: HF / k = 0.972
        Sizing.Position memory position = _stableBesideWorse();
        Sizing.Terms memory offer = Sizing.terms(position, _rules(), 1e18);
        assertFalse(offer.insolvent);
        assertEq(offer.multiplier, uint256(1_440e36).divUp(1_400e36), "1 / B = k * D_w / (A * w)");
        assertEq(offer.penalty, 0);
    }

    function test_the_price_rises_where_the_curve_would_sell_solvency() external pure {
        // V / D = 1.05; this leg at 0.9, the other one not yet for sale
        Sizing.Terms memory offer = Sizing.terms(_halves(1e18), _rules(), 0.9e18);
        assertFalse(offer.insolvent);
        assertEq(offer.multiplier, uint256(1_000e18).divUp(1_050e18));
        assertEq(offer.penalty, 0);
    }

    function test_insolvency_waits_for_the_slowest_clock() external pure {
        assertFalse(Sizing.terms(_halves(0.96e18), _rules(), 0.8e18).insolvent, "1,050 * 0.96 = 1,008");
        Sizing.Terms memory offer = Sizing.terms(_halves(0.94e18), _rules(), 0.8e18);
        assertTrue(offer.insolvent, "1,050 * 0.94 = 987");
        assertEq(offer.multiplier, 0.94e18, "the price that all of it was for sale at");
        assertEq(offer.reserveValue, 987e18);
    }

    function test_a_sale_above_the_reserve_counts_at_what_it_brought() external pure {
        // 525 sold at 1 and 525 at 0.94 make 1,018.5
        Sizing.Terms memory paid = Sizing.terms(_halves(0.94e18), _rules(), 1e18);
        assertFalse(paid.insolvent);
        assertEq(paid.reserveValue, 1_018.5e18);
    }

    function test_a_start_above_one_keeps_an_account_solvent_that_it_pays_for() external pure {
        // V = 0.998 D, m = 1.005: the reserve is worth more than the debt
        Sizing.Position memory position = _long();
        _owe(position, 19_038_076_152);
        Sizing.Terms memory offer = Sizing.terms(position, _rules(), 1.005e18);
        assertFalse(offer.insolvent);
        assertEq(offer.multiplier, 1.005e18);
        assertApproxEqAbs(offer.penalty, 0.00299e18, 1e9); // 1.005 * 0.998 - 1
    }

    function test_insolvency_starts_where_the_reserve_no_longer_covers_the_debt() external pure {
        Sizing.Position memory position = _long();
        _owe(position, 17_100e6);
        assertFalse(Sizing.terms(position, _rules(), 0.9e18).insolvent, "S = D");
        assertTrue(Sizing.terms(position, _rules(), 0.9e18 - 1).insolvent, "S < D");
        Sizing.Terms memory offer = Sizing.terms(position, _rules(), 0.9e18 - 1);
        assertEq(offer.multiplier, 0.9e18 - 1);
        assertEq(offer.penalty, 0);
    }

    function test_price_and_penalty_meet_insolvency_without_a_step() external pure {
        Sizing.Position memory position = _long();
        _owe(position, 17_100e6);
        Sizing.Terms memory solvent = Sizing.terms(position, _rules(), 0.9e18);
        Sizing.Terms memory insolvent = Sizing.terms(position, _rules(), 0.9e18 - 1);
        assertEq(solvent.multiplier - insolvent.multiplier, 1);
        assertEq(solvent.penalty, 0);
        Sizing.Sale memory before = Sizing.largest(position, solvent, _rules());
        Sizing.Sale memory afterwards = Sizing.largest(position, insolvent, _rules());
        assertApproxEqAbs(before.payment, afterwards.payment, 1);
        assertEq(before.cancelled, afterwards.cancelled, "both close the debt");
    }

    // ------------------------------------------------------------------ slices

    function test_the_largest_slice_restores_the_target() external pure {
        // r = (1.05 * 15,900 - 15,770) / (1.05 - 0.83 * 1.005) = 925 / 0.21585
        Sizing.Position memory position = _long();
        Sizing.Sale memory sale = Sizing.largest(position, Sizing.terms(position, _rules(), 1e18), _rules());
        assertEq(sale.repaid, 4_285_383_370); // up, and once more from the payment
        assertEq(sale.cancelled, sale.repaid);
        assertEq(sale.payment, 4_306_810_286); // * 1.005, up
        assertApproxEqAbs(sale.seized, 4_306.810285e18 / uint256(1_900), 1e10);
        Sizing.Aftermath memory result = Sizing.aftermath(position, sale, 0.9e18);
        assertApproxEqAbs(result.weightedCollateral.divDown(result.weightedDebt), 1.05e18, 1e10);
    }

    function test_a_debt_weight_makes_the_slice_of_a_short_larger_than_its_leverage_alone() external pure {
        // 17,600 USDC against 8 WETH at 1,900: D_w = 16,416, A = 15,840;
        // r = (1.05 * 16,416 - 15,840) / (1.05 * 1.08 - 0.9 * 1.005) = 1,396.8 / 0.2295
        Sizing.Position memory position = _short();
        Sizing.Sale memory sale = Sizing.largest(position, Sizing.terms(position, _rules(), 1e18), _rules());
        assertApproxEqRel(sale.repaid, 6_086.274509803e18 / uint256(1_900), 1e9);
        assertApproxEqRel(sale.seized, 6_116.705882e6, 1e9);
        Sizing.Aftermath memory result = Sizing.aftermath(position, sale, 0.83e18);
        assertApproxEqAbs(result.weightedCollateral.divDown(result.weightedDebt), 1.05e18, 1e10);
    }

    function test_a_slice_that_would_leave_a_dusty_debt_closes_it() external pure {
        Sizing.Position memory position = _long();
        _addOtherDebt(position, 11_600e18);
        _owe(position, 4_360e6); // the target asks for some 4,300
        Sizing.Sale memory sale = Sizing.largest(position, Sizing.terms(position, _rules(), 1e18), _rules());
        assertEq(sale.cancelled, 4_360e6, "the whole debt");
        assertEq(sale.payment, 4_381_800_000, "with its penalty");
        assertLt(sale.seized, position.collateral);
    }

    function test_a_slice_that_would_leave_a_dusty_collateral_takes_it_all() external pure {
        Sizing.Position memory position = _long();
        position.collateral = 2.3e18; // 4,370 of the 19,000; the target asks for some 4,300
        position.highestMultiplier = 1e18;
        Sizing.Sale memory sale = Sizing.largest(position, Sizing.terms(position, _rules(), 1e18), _rules());
        assertEq(sale.seized, position.collateral, "the whole collateral");
        assertEq(sale.payment, 4_370e6);
        assertEq(sale.repaid, 4_348_258_707); // / 1.005, up
    }

    function test_a_collateral_below_the_slice_is_taken_whole() external pure {
        Sizing.Position memory position = _long();
        position.collateral = 1e18;
        position.highestMultiplier = 1e18;
        Sizing.Sale memory sale = Sizing.largest(position, Sizing.terms(position, _rules(), 1e18), _rules());
        assertEq(sale.seized, 1e18);
        assertEq(sale.payment, 1_900e6);
    }

    function test_a_choice_below_the_largest_slice_pays_in_proportion() external pure {
        Sizing.Position memory position = _long();
        Sizing.Terms memory offer = Sizing.terms(position, _rules(), 1e18);
        Sizing.Sale memory sale = Sizing.partly(position, offer, 1e18);
        assertEq(sale.payment, 1_900e6);
        assertEq(sale.repaid, 1_890_547_264); // / 1.005, up
        assertEq(sale.surplus, 0);
    }

    function test_one_unit_of_a_coarse_collateral_costs_no_less_than_its_reserve() external pure {
        Sizing.Position memory position = _coarse();
        Sizing.Terms memory offer = Sizing.terms(position, _rules(), 0.95e18);
        Sizing.Sale memory sale = Sizing.partly(position, offer, 1); // 0.0006 USDC * 0.95
        assertEq(sale.payment, 570);
    }

    // ------------------------------------------------------------------ insolvency

    function test_in_insolvency_each_payment_cancels_the_same_share_of_the_debt() external pure {
        Sizing.Position memory position = _long();
        _owe(position, 20_000e6); // S = 19,000 * 0.9 = 17,100
        Sizing.Terms memory offer = Sizing.terms(position, _rules(), 0.9e18);
        Sizing.Sale memory sale = Sizing.partly(position, offer, 1e18);
        assertEq(sale.payment, 1_710e6);
        assertEq(sale.repaid, 1_710e6, "no penalty");
        assertEq(sale.cancelled, 2_000e6, "D / S");
        sale = Sizing.largest(position, offer, _rules());
        assertEq(sale.cancelled, 20_000e6);
        assertEq(sale.payment, 17_100e6);
        assertEq(sale.seized, 10e18);
    }

    function test_in_insolvency_other_debts_bear_the_same_loss() external pure {
        Sizing.Position memory position = _long();
        _addOtherDebt(position, 12_000e18);
        _owe(position, 8_000e6); // of 20,000 in all, against 17,100
        Sizing.Terms memory offer = Sizing.terms(position, _rules(), 0.9e18);
        Sizing.Sale memory sale = Sizing.largest(position, offer, _rules());
        assertEq(sale.cancelled, 8_000e6);
        assertEq(sale.payment, 6_840e6, "8,000 * 17,100 / 20,000");
        assertEq(sale.seized, 4e18);
    }

    function test_in_insolvency_a_collateral_that_does_not_run_holds_the_price_at_one() external pure {
        Sizing.Position memory position = _long();
        position.collateral = 5e18; // half of it elsewhere, not for sale
        position.highestMultiplier = 1e18;
        _owe(position, 20_000e6);
        Sizing.Terms memory offer = Sizing.terms(position, _rules(), 0.8e18);
        assertEq(offer.reserveValue, 19_000e18);
        assertEq(offer.multiplier, 1e18);
        Sizing.Sale memory sale = Sizing.largest(position, offer, _rules());
        assertEq(sale.seized, 5e18);
        assertEq(sale.payment, 9_500e6);
        assertEq(sale.cancelled, 10_000e6);
    }

    function test_worthless_collateral_gives_an_empty_slice() external pure {
        Sizing.Position memory position = _long();
        (position.collateral, position.collateralValue, position.weightedCollateral) = (1, 0, 0);
        position.collateralPrice = 1e15;
        Sizing.Sale memory sale = Sizing.largest(position, Sizing.terms(position, _rules(), 1e18), _rules());
        assertEq(sale.seized, 0);
        assertEq(sale.payment, 0);
    }

    // ------------------------------------------------------------------ sales whose price shows afterwards

    function test_a_sale_is_sized_by_the_best_price_and_stays_below_the_target_at_a_worse_one() external pure {
        Sizing.Position memory position = _long();
        Sizing.Terms memory best = Sizing.terms(position, _rules(), 0.995e18);
        Sizing.Terms memory low = Sizing.terms(position, _rules(), 0.95e18);
        uint256 seized = Sizing.saleSize(position, best, low, _rules());
        assertLt(seized, Sizing.largest(position, low, _rules()).seized, "a third too much otherwise");
        uint256 payment = Sizing.paymentUp(position, 0.985e18, seized);
        Sizing.Terms memory paid = Sizing.terms(position, _rules(), 0.985e18);
        Sizing.Aftermath memory result =
            Sizing.aftermath(position, Sizing.realised(position, paid, seized, payment), 0.9e18);
        uint256 health = result.weightedCollateral.divDown(result.weightedDebt);
        assertLt(health, 1.05e18);
        assertGt(health, 1.04e18);
    }

    function test_a_closing_sale_is_sized_by_the_lowest_price_and_credits_the_rest() external pure {
        Sizing.Position memory position = _long();
        _addOtherDebt(position, 11_600e18);
        _owe(position, 4_360e6);
        Sizing.Terms memory best = Sizing.terms(position, _rules(), 1e18);
        Sizing.Terms memory low = Sizing.terms(position, _rules(), 0.99e18);
        uint256 seized = Sizing.saleSize(position, best, low, _rules());
        assertGe(Sizing.paymentUp(position, 0.99e18, seized), 4_381_800_000, "closes at the lowest price");
        Sizing.Sale memory sale = Sizing.realised(position, best, seized, seized * 1_900 / 1e12);
        assertEq(sale.cancelled, 4_360e6);
        assertEq(sale.payment - sale.repaid - sale.surplus, 21_800_000, "0.5 % of the debt, no more");
        assertApproxEqAbs(sale.surplus, 44_260_606, 2); // 4,381.8 / 0.99 - 4,381.8
    }

    function test_a_closing_sale_closes_where_a_unit_is_worth_less_than_a_wei_of_value() external pure {
        // found by drawing: 87.04 of a token at 0.0001 against 7,783.1 of one at 0.000001, insolvent
        Sizing.Position memory position = _long();
        (position.collateral, position.collateralPrice) = (87.04e18, 0.0001e18);
        (position.collateralValue, position.weightedCollateral) = (8_704e12, 7_224.32e12);
        (position.debtUnit, position.debtPrice) = (1e18, 0.000001e18);
        _addOtherDebt(position, 30_000_000);
        _owe(position, 7_783_116_086_936_137_000_000);
        Sizing.Terms memory best = Sizing.terms(position, _rules(), 0.87e18);
        Sizing.Terms memory low = Sizing.terms(position, _rules(), 0.839951887616859109e18);
        uint256 seized = Sizing.saleSize(position, best, low, _rules());
        assertLt(seized, position.collateral);
        uint256 payment = Sizing.paymentUp(position, 0.868826603522413277e18, seized);
        Sizing.Terms memory paid = Sizing.terms(position, _rules(), Sizing.multiplierDown(position, seized, payment));
        assertEq(Sizing.realised(position, paid, seized, payment).cancelled, position.debt);
    }

    function test_proceeds_beyond_a_debt_are_the_accounts_even_in_insolvency() external pure {
        Sizing.Position memory position = _long();
        _addOtherDebt(position, 19_900e18);
        _owe(position, 100e6);
        Sizing.Terms memory paid = Sizing.terms(position, _rules(), 0.9e18);
        Sizing.Sale memory sale = Sizing.realised(position, paid, 0.07e18, 119_700_000);
        assertEq(sale.repaid, 100e6);
        assertEq(sale.cancelled, 100e6);
        assertEq(sale.surplus, 19_700_000);
    }

    // ------------------------------------------------------------------ dust

    function test_dust_is_what_lies_below_the_dust_value_while_both_sides_remain() external pure {
        Sizing.Position memory position = _long();
        assertFalse(Sizing.leavesDust(position, 9e18, 15_800e6, 100e18), "exactly the dust value is none");
        assertTrue(Sizing.leavesDust(position, 9e18, 15_800e6 + 1, 100e18), "debt");
        assertTrue(Sizing.leavesDust(position, 9.95e18, 10_000e6, 100e18), "collateral");
        assertFalse(Sizing.leavesDust(position, 9.99e18, 15_900e6, 100e18), "no debt left");
        assertFalse(Sizing.leavesDust(position, 10e18, 15_899e6, 100e18), "no collateral left");
    }

    // ------------------------------------------------------------------ positions

    function _rules() private pure returns (Sizing.Rules memory) {
        return Sizing.Rules({target: 1.05e18, penalty: 0.005e18, dust: 100e18});
    }

    /// @dev 10 WETH at 1,900 against 15,900 USDC.
    function _long() private pure returns (Sizing.Position memory position) {
        position.collateral = 10e18;
        position.collateralUnit = 1e18;
        position.collateralPrice = 1_900e18;
        position.threshold = 0.83e18;
        position.debtUnit = 1e6;
        position.debtPrice = 1e18;
        position.weight = 1e18;
        position.collateralValue = 19_000e18;
        position.weightedCollateral = 15_770e18;
        _owe(position, 15_900e6);
    }

    /// @dev 17,600 USDC against 8 WETH at 1,900.
    function _short() private pure returns (Sizing.Position memory position) {
        position.collateral = 17_600e6;
        position.collateralUnit = 1e6;
        position.collateralPrice = 1e18;
        position.threshold = 0.9e18;
        position.debtUnit = 1e18;
        position.debtPrice = 1_900e18;
        position.weight = 1.08e18;
        position.collateralValue = 17_600e18;
        position.weightedCollateral = 15_840e18;
        _owe(position, 8e18);
    }

    /// @dev 1 WBTC at 60,000 against 50,000 USDC.
    function _coarse() private pure returns (Sizing.Position memory position) {
        position = _long();
        position.collateral = 1e8;
        position.collateralUnit = 1e8;
        position.collateralPrice = 60_000e18;
        position.threshold = 0.78e18;
        position.collateralValue = 60_000e18;
        position.weightedCollateral = 46_800e18;
        _owe(position, 50_000e6);
    }

    /// @dev 1,000 of a stable collateral beside 1,000 of one with half the threshold, against 1,600.
    function _stableBesideWorse() private pure returns (Sizing.Position memory position) {
        position = _short();
        position.collateral = 1_000e6;
        position.collateralValue = 2_000e18;
        position.weightedCollateral = 1_400e18;
        position.highestMultiplier = 1e18;
        position.debtUnit = 1e18;
        position.debtPrice = 1e18;
        position.weight = 1e18;
        _owe(position, 1_600e18);
    }

    /// @dev Two collaterals of 525 each and of one threshold, against 1,000.
    function _halves(uint256 highestMultiplier) private pure returns (Sizing.Position memory position) {
        position = _short();
        position.collateral = 525e6;
        position.collateralValue = 1_050e18;
        position.weightedCollateral = 945e18;
        position.highestMultiplier = highestMultiplier;
        position.debtUnit = 1e18;
        position.debtPrice = 1e18;
        position.weight = 1e18;
        _owe(position, 1_000e18);
    }

    /// @dev Sets the debt that is repaid, beside what else is owed.
    function _owe(Sizing.Position memory position, uint256 debt) private pure {
        position.debt = debt;
        uint256 value = debt.valueUp(position.debtPrice, position.debtUnit);
        position.debtValue = value + position.otherDebtValue;
        position.weightedDebt = value.mulUp(position.weight) + position.otherDebtValue;
    }

    /// @dev Another debt, of weight 1.
    function _addOtherDebt(Sizing.Position memory position, uint256 value) private pure {
        position.otherDebtValue = value;
    }
}
