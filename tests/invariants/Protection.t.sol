// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {IProtection} from "../../contracts/interfaces/IProtection.sol";
import {ProtectionFixture} from "./support/ProtectionFixture.sol";

/// @title What a protected account is sold for, when, and when not
contract ProtectionTest is ProtectionFixture {
    // ------------------------------------------------------------------ a sale

    function test_a_sale_ends_at_the_target_and_costs_the_owner_the_fee_alone() external {
        IProtection.Assessment memory before = protection.assess(borrower);
        int256 equity = _equity(borrower);
        (uint256 repaid, uint256 seized) = _deleverage(NO_LIMIT);
        assertApproxEqAbs(house.healthFactor(borrower), 1.1e18, 1e11, "at the target");
        assertLe(house.healthFactor(borrower), 1.1e18, "not past it");
        assertEq(tokens[WETH].balanceOf(recipient), seized, "the recipient has the collateral");
        assertEq(1e30 - tokens[USDC].balanceOf(executor), repaid, "the executor paid");
        uint256 lost = uint256(equity - _equity(borrower));
        assertApproxEqAbs(lost, repaid * 1e12 * before.fee / 1e18, 1e13, "the owner lost the fee");
        _assertNothingLeft();
        _assertBooksBalance();
    }

    function test_the_size_is_that_of_the_formula() external view {
        uint256 fee = protection.assess(borrower).fee;
        (uint256 repaid,) = protection.quote(borrower, WETH, USDC, NO_LIMIT);
        IClearingHouse.AccountState memory state = house.accountState(borrower);
        uint256 missing = 11 * state.weightedDebt / 10 - state.weightedCollateral;
        assertApproxEqAbs(repaid, missing * 1e6 / (1.1e18 - 83 * (1e18 + fee) / 100), 1, "r");
    }

    function test_a_sale_announces_all_of_it() external {
        IProtection.Assessment memory before = protection.assess(borrower);
        (uint256 repaid, uint256 seized) = protection.quote(borrower, WETH, USDC, 1_000 * ONE_USDC);
        uint256 value = repaid * 1e12;
        uint256 snapshot = vm.snapshotState();
        _deleverage(1_000 * ONE_USDC);
        uint256 afterwards = house.healthFactor(borrower);
        vm.revertToState(snapshot);
        vm.expectEmit(address(protection));
        emit IProtection.Deleveraged(
            borrower,
            WETH,
            USDC,
            executor,
            recipient,
            seized,
            repaid,
            value,
            before.fee,
            before.healthFactor,
            afterwards
        );
        _deleverage(1_000 * ONE_USDC);
    }

    function test_splitting_a_sale_gains_nothing() external {
        uint256 snapshot = vm.snapshotState();
        _deleverage(NO_LIMIT);
        uint256 seized = tokens[WETH].balanceOf(recipient);
        vm.revertToState(snapshot);
        _deleverage(1_200 * ONE_USDC);
        if (protection.assess(borrower).shortfall != 0) _deleverage(NO_LIMIT);
        assertLe(tokens[WETH].balanceOf(recipient), seized, "two calls take no more than one");
    }

    function test_a_sale_stops_when_the_distance_is_restored() external {
        _deleverage(1_500 * ONE_USDC);
        assertGe(protection.assess(borrower).distance, 3e18);
        _refused(
            abi.encodeWithSelector(
                IProtection.TriggerUnmet.selector, protection.assess(borrower).distance, 3e18, type(uint256).max
            )
        );
    }

    function test_a_short_is_bought_back() external {
        address shorter = makeAddr("shorter");
        _deposit(shorter, USDC, 20_000 * ONE_USDC);
        _borrow(shorter, WETH, 8 * ONE_WETH);
        skip(12);
        _publish(WETH, 2_020e8); // 18,000 against 8 * 2,020 * 1.08 = 17,453
        _optIn(shorter, _terms());
        vm.prank(executor);
        protection.deleverage(shorter, USDC, WETH, NO_LIMIT, 0, recipient, "");
        assertApproxEqAbs(house.healthFactor(shorter), 1.1e18, 1e11);
        assertLe(house.healthFactor(shorter), 1.1e18);
        _assertNothingLeft();
    }

    function test_an_executor_bounds_what_it_receives() external {
        (, uint256 seized) = protection.quote(borrower, WETH, USDC, NO_LIMIT);
        vm.prank(executor);
        vm.expectRevert(abi.encodeWithSelector(IProtection.SeizedBelowMinimum.selector, seized, seized + 1));
        protection.deleverage(borrower, WETH, USDC, NO_LIMIT, seized + 1, recipient, "");
    }

    // ------------------------------------------------------------------ trigger and fee

    function test_distance_is_health_over_what_four_hours_move_it() external view {
        IProtection.Assessment memory assessment = protection.assess(borrower);
        assertApproxEqAbs(assessment.volatility, 0.824621125123532e18, 1e4, "sqrt(0.8^2 + 0.2^2)");
        // ln(16600 / 15900.001) / (0.8246 * sqrt(4 / 8760)) = 0.043083 / 0.0176212
        assertApproxEqAbs(assessment.distance, 2.4449e18, 2e14);
        assertApproxEqAbs(assessment.shortfall, 1e18 - assessment.distance / 3, 1);
        assertApproxEqAbs(assessment.fee, 0.005e18 * assessment.shortfall / 0.25e18, 1);
        assertEq(assessment.worstHealth, type(uint256).max, "no scenario was chosen");
    }

    function test_a_distant_account_is_left_alone() external {
        _publish(WETH, 2_060e8);
        IProtection.Assessment memory assessment = protection.assess(borrower);
        assertGt(assessment.distance, 3e18);
        assertEq(assessment.fee, 0);
        _refused(
            abi.encodeWithSelector(IProtection.TriggerUnmet.selector, assessment.distance, 3e18, assessment.worstHealth)
        );
    }

    function test_a_scenario_that_the_owner_chose_triggers_and_another_does_not() external {
        _publish(WETH, 2_060e8);
        assertEq(_addScenario(WETH, -300), 0); // 1.0753 * 0.97 = 1.043
        assertEq(_addScenario(WETH, -2_000), 1);
        IProtection.Terms memory terms = _terms();
        terms.scenarios = 1;
        _restate(terms);
        assertApproxEqAbs(protection.assess(borrower).worstHealth, 1.04309e18, 1e14);
        assertEq(protection.assess(borrower).shortfall, 0);
        terms.scenarios = 3;
        _restate(terms);
        IProtection.Assessment memory assessment = protection.assess(borrower);
        assertApproxEqAbs(assessment.worstHealth, 0.86028e18, 1e14);
        assertApproxEqAbs(assessment.shortfall, 0.13972e18, 1e14);
        _deleverage(NO_LIMIT);
        assertApproxEqAbs(house.healthFactor(borrower), 1.1e18, 1e11);
    }

    function test_the_fee_rises_with_the_shortfall_to_the_lower_maximum() external {
        _publish(WETH, 1_950e8); // DD 1.01: the whole fee
        assertEq(protection.assess(borrower).fee, 0.005e18);
        IProtection.Parameters memory parameters = protection.parameters();
        parameters.maxFeeBps = 20;
        protection.setParameters(parameters);
        assertEq(protection.assess(borrower).fee, 0.002e18, "governance's maximum is lower");
    }

    function test_health_over_one_basket_uses_the_correlation_bounds() external {
        _deposit(borrower, WBTC, ONE_WBTC / 10);
        IProtection.Parameters memory parameters = protection.parameters();
        uint256 together = protection.assess(borrower).volatility;
        assertApproxEqAbs(together, 0.824621125123532e18, 1e4, "two of one volatility that move as one");
        parameters.correlationUpBps = 5_000;
        protection.setParameters(parameters);
        assertLt(protection.assess(borrower).volatility, together, "half hedged by each other");
        parameters.correlationDownBps = -10_000;
        protection.setParameters(parameters);
        assertGt(protection.assess(borrower).volatility, together, "the debt rises as they fall");
    }

    function test_an_account_without_debt_is_nowhere_near() external {
        vm.startPrank(borrower);
        tokens[USDC].mint(borrower, 1_000_000 * ONE_USDC);
        tokens[USDC].approve(address(house), NO_LIMIT);
        house.repay(USDC, NO_LIMIT, borrower);
        vm.stopPrank();
        IProtection.Assessment memory assessment = protection.assess(borrower);
        assertEq(assessment.healthFactor, type(uint256).max);
        assertEq(assessment.shortfall, 0);
    }

    // ------------------------------------------------------------------ refusals

    function test_an_account_without_terms_is_refused() external {
        vm.prank(borrower);
        protection.unprotect();
        _refused(abi.encodeWithSelector(IProtection.AccountUnprotected.selector, borrower));
        vm.prank(borrower);
        vm.expectRevert(abi.encodeWithSelector(IProtection.AccountUnprotected.selector, borrower));
        protection.unprotect();
    }

    function test_an_account_that_dismissed_its_operator_is_refused_by_the_house() external {
        vm.prank(borrower);
        house.setOperator(address(protection), false);
        _refused(abi.encodeWithSelector(IClearingHouse.OperatorUnauthorised.selector, borrower, address(protection)));
    }

    function test_expired_terms_are_refused() external {
        IProtection.Terms memory terms = _terms();
        terms.expiry = uint40(vm.getBlockTimestamp() + 1);
        _restate(terms);
        skip(1);
        _refused(abi.encodeWithSelector(IProtection.TermsExpired.selector, borrower, terms.expiry));
    }

    function test_an_unhealthy_account_is_the_engines() external {
        _publish(WETH, 1_900e8);
        uint256 health = house.healthFactor(borrower);
        _refused(abi.encodeWithSelector(IProtection.AccountLiquidatable.selector, borrower, health, false));
    }

    function test_a_flagged_account_is_the_engines_even_when_healthy_again() external {
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        _publish(WETH, 1_950e8);
        uint256 health = house.healthFactor(borrower);
        assertGt(health, 1e18);
        _refused(abi.encodeWithSelector(IProtection.AccountLiquidatable.selector, borrower, health, true));
    }

    function test_a_collateral_that_the_owner_keeps_is_refused() external {
        IProtection.Terms memory terms = _terms();
        terms.collaterals = 6;
        _restate(terms);
        _refused(abi.encodeWithSelector(IProtection.CollateralRefused.selector, borrower, WETH));
    }

    function test_legs_that_are_not_there_are_refused() external {
        bytes4 missing = IProtection.LegMissing.selector;
        vm.expectRevert(abi.encodeWithSelector(missing, borrower, WBTC));
        protection.quote(borrower, WBTC, USDC, NO_LIMIT);
        vm.expectRevert(abi.encodeWithSelector(missing, borrower, WBTC));
        protection.quote(borrower, WETH, WBTC, NO_LIMIT);
        vm.expectRevert(abi.encodeWithSelector(IProtection.CollateralRefused.selector, borrower, USDC));
        protection.quote(borrower, USDC, USDC, NO_LIMIT);
        _deposit(borrower, WBTC, 1); // held, not owed
        vm.expectRevert(abi.encodeWithSelector(missing, borrower, WBTC));
        protection.quote(borrower, WETH, WBTC, NO_LIMIT);
    }

    function test_a_refused_price_refuses_the_sale() external {
        skip(2 days);
        (,,, uint256 updatedAt,) = feeds[WETH].latestRoundData();
        _refused(abi.encodeWithSelector(IPriceOracle.PriceStale.selector, address(tokens[WETH]), updatedAt, 1 days));
    }

    function test_breaker_and_pause_halt_sales_and_owners_still_leave() external {
        engine.setBreaker(1, type(uint40).max);
        _refused(abi.encodeWithSelector(IProtection.SalesHalted.selector, false, 1));
        engine.setBreaker(0, 0);
        protection.setPaused(true);
        _refused(abi.encodeWithSelector(IProtection.SalesHalted.selector, true, 0));
        vm.prank(borrower);
        protection.unprotect();
        protection.setPaused(false);
        _refused(abi.encodeWithSelector(IProtection.AccountUnprotected.selector, borrower));
    }

    function test_an_account_at_its_target_is_left_alone() external {
        IProtection.Terms memory terms = _terms();
        terms.targetHealthFactorBps = 10_700; // below what three deviations of this account need
        terms.minDistanceWad = 6e18;
        terms.collaterals = 1;
        _restate(terms);
        _deleverage(NO_LIMIT);
        uint256 health = house.healthFactor(borrower);
        _refused(abi.encodeWithSelector(IProtection.TargetReached.selector, health, 1.07e18));
    }

    function test_a_part_that_ends_short_of_borrowing_health_is_refused_by_the_house() external {
        _publish(WETH, 1_950e8); // health 1.018; borrowing needs 0.83 / 0.80 = 1.0375
        vm.prank(executor);
        vm.expectPartialRevert(IClearingHouse.BorrowLimitExceeded.selector);
        protection.deleverage(borrower, WETH, USDC, 500 * ONE_USDC, 0, recipient, "");
        _deleverage(NO_LIMIT);
        assertApproxEqAbs(house.healthFactor(borrower), 1.1e18, 1e11);
    }

    function test_governance_alone_governs() external {
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger);
        IProtection.Parameters memory parameters = protection.parameters();
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        protection.setParameters(parameters);
        vm.expectRevert(refusal);
        protection.addScenario(_ids(WETH), new int16[](1));
        vm.expectRevert(refusal);
        protection.setPaused(true);
        vm.stopPrank();
    }
}
