// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {HouseFixture} from "./support/HouseFixture.sol";

/// @title Accounts at oracle prices
contract ClearingHouseHealthTest is HouseFixture {
    function test_a_basket_is_added_up_leg_by_leg() external {
        deposit(borrower, WETH, 2e18); // 4,000
        deposit(borrower, WBTC, 0.1e8); // 4,000
        deposit(borrower, USDC, 1_000e6);
        borrow(borrower, USDC, 3_000e6);
        borrow(borrower, WBTC, 0.02e8); // 800
        IClearingHouse.AccountState memory state = house.accountState(borrower);
        assertEq(state.collateralValue, 9_000e18);
        assertEq(state.debtValue, 3_800e18);
        assertEq(state.weightedCollateral, 4_000e18 * 83 / 100 + 4_000e18 * 78 / 100 + 900e18);
        assertEq(state.weightedDebt, 3_000e18 + 880e18);
        assertEq(state.legs.length, 3);
        IClearingHouse.Leg memory leg = state.legs[1];
        assertEq(leg.assetId, WBTC);
        assertEq(leg.decimals, 8);
        assertEq(leg.liquidationThresholdWad, 0.78e18);
        assertEq(leg.debtWeightWad, 1.1e18);
        assertEq(leg.collateral, 0.1e8);
        assertEq(leg.debt, 0.02e8);
        assertEq(leg.price, 40_000e18);
        assertEq(leg.collateralValue, 4_000e18);
        assertEq(leg.debtValue, 800e18);
        assertEq(house.healthFactor(borrower), state.weightedCollateral * 1e18 / state.weightedDebt);
    }

    function test_legs_come_by_rising_id_each_once() external {
        deposit(borrower, USDC, 10_000e6);
        deposit(borrower, WETH, 1e18);
        borrow(borrower, WETH, 1e18);
        IClearingHouse.Leg[] memory legs = house.accountState(borrower).legs;
        assertEq(legs.length, 2);
        assertEq(legs[0].assetId, WETH);
        assertEq(legs[0].collateral, 1e18);
        assertEq(legs[0].debt, 1e18);
        assertEq(legs[1].assetId, USDC);
        assertEq(legs[1].debt, 0);
    }

    function test_an_empty_account_is_healthy_and_has_no_legs() external view {
        IClearingHouse.AccountState memory state = house.accountState(stranger);
        assertEq(state.legs.length, 0);
        assertEq(state.weightedDebt, 0);
        assertFalse(state.flagged);
        assertEq(house.healthFactor(stranger), type(uint256).max);
    }

    function test_the_state_shows_flag_and_epoch() external {
        asEngine.setFlag(borrower, true);
        asEngine.setFlag(borrower, false);
        asEngine.setFlag(borrower, true);
        IClearingHouse.AccountState memory state = house.accountState(borrower);
        assertTrue(state.flagged);
        assertEq(state.epoch, 1);
    }

    function test_debt_grows_without_an_accrual() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 10_000e6);
        uint256 health = house.healthFactor(borrower);
        pass(30 days);
        assertGt(house.accountState(borrower).debtValue, 10_000e18);
        assertLt(house.healthFactor(borrower), health);
        uint256 shown = debtOf(borrower, USDC);
        house.accrue(USDC);
        assertEq(debtOf(borrower, USDC), shown);
    }

    /// @dev One unit of WBTC at 40,000.00000001 is worth 0.0004000000000001 with 18 decimals: not whole.
    function test_collateral_rounds_down_and_debt_up() external {
        deposit(borrower, USDC, 3_000e6);
        deposit(borrower, WETH, 1e18 + 1);
        borrow(borrower, WETH, 1e18 + 1);
        setPrice(WETH, 200_000_000_001);
        IClearingHouse.Leg memory leg = house.accountState(borrower).legs[0];
        uint256 exact = (1e18 + 1) * uint256(2_000.00000001e18); // over 1e18
        assertEq(leg.collateralValue, exact / 1e18);
        assertEq(leg.debtValue, exact / 1e18 + 1);
    }

    function test_weights_round_against_the_account(uint256 collateral, uint256 debt, uint256 price) external {
        collateral = bound(collateral, 2e18, 400e18);
        debt = bound(debt, 500e6, collateral * 1_000 / 1e12);
        price = bound(price, 1_500e8, 3_000e8);
        deposit(borrower, WETH, collateral);
        setPrice(WETH, int256(price));
        borrow(borrower, USDC, debt);
        IClearingHouse.AccountState memory state = house.accountState(borrower);
        uint256 value = collateral * price * 1e10 / 1e18;
        assertEq(state.collateralValue, value);
        assertEq(state.weightedCollateral, value * 8_300 / 10_000);
        assertEq(state.debtValue, debt * 1e12);
        assertEq(house.healthFactor(borrower), state.weightedCollateral * 1e18 / state.weightedDebt);
    }

    /// @dev healthFactor >= 1 must be the same thing as A >= D_w, which the engine compares.
    function test_health_of_one_is_where_the_sides_meet() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 14_940e6);
        setPrice(WETH, 1_800e8);
        assertEq(house.healthFactor(borrower), 1e18);
        setPrice(WETH, 1_800e8 - 1);
        assertLt(house.healthFactor(borrower), 1e18);
    }

    function test_a_refused_price_refuses_the_account() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 1_000e6);
        setPrice(WETH, 0);
        bytes memory refused =
            abi.encodeWithSelector(IPriceOracle.PriceNotPositive.selector, address(tokens[WETH]), int256(0));
        vm.expectRevert(refused);
        house.accountState(borrower);
        vm.expectRevert(refused);
        house.healthFactor(borrower);
        vm.expectRevert(refused);
        vm.prank(borrower);
        house.withdrawCollateral(WETH, 1, borrower, borrower);
    }

    function test_a_price_that_is_not_used_may_be_refused() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 1_000e6);
        setPrice(WBTC, 0);
        assertGt(house.healthFactor(borrower), 1e18);
    }
}
