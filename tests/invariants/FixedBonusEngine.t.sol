// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FixedBonusEngine} from "../../contracts/mocks/FixedBonusEngine.sol";
import {HouseFixture} from "./support/HouseFixture.sol";
import {VenueDouble} from "./support/HouseDoubles.sol";

/// @title The engine that Sluice is compared with follows the rule that it stands for
contract FixedBonusEngineTest is HouseFixture {
    FixedBonusEngine private bonus;
    VenueDouble private venue;

    function setUp() public override {
        super.setUp();
        bonus = new FixedBonusEngine(house);
        venue = new VenueDouble();
        vm.prank(governor);
        house.setEngine(address(bonus));
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 16_000e6);
    }

    function test_healthy_account_is_refused() public {
        vm.expectPartialRevert(FixedBonusEngine.AccountHealthy.selector);
        bonus.liquidate(_order(1_000e6));
    }

    function test_collateral_given_is_worth_the_debt_repaid_and_five_percent() public {
        setPrice(WETH, 1_900e8);
        venue.setPays(2_000e6);
        (uint256 seized, uint256 repaid, uint256 profit) = bonus.liquidate(_order(1_900e6));
        assertEq(repaid, 1_900e6);
        assertEq(seized, 1.05e18);
        assertEq(profit, 100e6);
        assertEq(house.creditOf(USDC, address(this)), 100e6);
        assertBooksBalance();
    }

    function test_half_of_the_debt_may_be_repaid_near_health_and_all_of_it_below() public {
        setPrice(WETH, 1_900e8); // HF 0.9856
        venue.setPays(8_400e6);
        (, uint256 repaid,) = bonus.liquidate(_order(type(uint128).max));
        assertEq(repaid, 8_000e6);
        setPrice(WETH, 1_640e8);
        deposit(borrower, WETH, 0.5e18);
        venue.setPays(8_400e6);
        uint256 owed = debtOf(borrower, USDC);
        setPrice(WETH, 1_500e8); // HF below 0.95
        (, repaid,) = bonus.liquidate(_order(type(uint128).max));
        assertEq(repaid, owed);
    }

    function test_debt_without_collateral_left_is_written_off() public {
        setPrice(WETH, 1_500e8);
        venue.setPays(14_900e6);
        (uint256 seized, uint256 repaid,) = bonus.liquidate(_order(type(uint128).max));
        assertEq(seized, 10e18);
        assertApproxEqAbs(repaid, 14_285_714_286, 1);
        assertEq(debtOf(borrower, USDC), 0);
        assertBooksBalance();
    }

    function test_sale_below_debt_and_profit_asked_for_is_refused() public {
        setPrice(WETH, 1_900e8);
        venue.setPays(1_909e6);
        FixedBonusEngine.Order memory order = _order(1_900e6);
        order.minProfit = 10e6;
        vm.expectRevert();
        bonus.liquidate(order);
        order.minProfit = 9e6;
        bonus.liquidate(order);
    }

    function _order(uint256 maxRepaid) private view returns (FixedBonusEngine.Order memory order) {
        order.account = borrower;
        order.collateralId = WETH;
        order.debtId = USDC;
        order.maxRepaid = maxRepaid;
        order.venue = address(venue);
    }
}
