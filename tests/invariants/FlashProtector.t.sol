// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IFlashProtector} from "../../contracts/interfaces/IFlashProtector.sol";
import {IProtection} from "../../contracts/interfaces/IProtection.sol";
import {FlashProtector} from "../../contracts/periphery/FlashProtector.sol";
import {ProtectionFixture} from "./support/ProtectionFixture.sol";

/// @title Protection without capital, through a real pool
contract FlashProtectorTest is ProtectionFixture {
    FlashProtector private _flash;

    function setUp() public override {
        super.setUp();
        _flash = new FlashProtector(address(protection), address(house), address(factory));
        _pool(WETH, 2_000e18, 200_000_000);
    }

    function _sell(uint256 minProfit) private returns (uint256 repaid, uint256 seized, uint256 profit) {
        vm.prank(stranger);
        return _flash.deleverageAndSell(borrower, WETH, USDC, NO_LIMIT, FEE_PIPS, minProfit, recipient);
    }

    function test_anyone_deleverages_without_capital_and_keeps_the_fee_less_the_pools() external {
        (uint256 quoted, uint256 seizing) = protection.quote(borrower, WETH, USDC, NO_LIMIT);
        uint256 fee = protection.assess(borrower).fee;
        (uint256 repaid, uint256 seized, uint256 profit) = _sell(1);
        assertEq(repaid, quoted);
        assertEq(seized, seizing);
        assertEq(tokens[USDC].balanceOf(recipient), profit);
        assertApproxEqRel(profit, repaid * (fee - 0.0005e18) / 1e18, 0.05e18);
        assertApproxEqAbs(house.healthFactor(borrower), 1.1e18, 1e11);
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            assertEq(tokens[assetId].balanceOf(address(_flash)), 0);
            assertEq(tokens[assetId].allowance(address(_flash), address(protection)), 0);
        }
        _assertNothingLeft();
        _assertBooksBalance();
    }

    function test_a_sale_happens_once() external {
        _sell(1);
        vm.expectPartialRevert(IProtection.TriggerUnmet.selector);
        _sell(0);
    }

    function test_a_short_is_bought_back_without_capital() external {
        address shorter = makeAddr("shorter");
        _deposit(shorter, USDC, 20_000 * ONE_USDC);
        _borrow(shorter, WETH, 8 * ONE_WETH);
        skip(12);
        _publish(WETH, 2_030e8);
        pools.moveTo(tokens[WETH], tokens[USDC], FEE_PIPS, 2_030e18);
        _optIn(shorter, _terms());
        (,, uint256 profit) = _flash.deleverageAndSell(shorter, USDC, WETH, NO_LIMIT, FEE_PIPS, 1, recipient);
        assertEq(tokens[WETH].balanceOf(recipient), profit);
        assertApproxEqAbs(house.healthFactor(shorter), 1.1e18, 1e11);
    }

    function test_a_profit_that_no_sale_can_bring_is_refused_by_name() external {
        vm.expectPartialRevert(IFlashProtector.ProceedsBelowMinimum.selector);
        _sell(type(uint256).max);
    }

    function test_a_profit_below_the_minimum_reverts() external {
        uint256 snapshot = vm.snapshotState();
        (uint256 repaid,, uint256 profit) = _sell(0);
        vm.revertToState(snapshot);
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(IFlashProtector.ProceedsBelowMinimum.selector, repaid + profit, repaid + profit + 1)
        );
        _flash.deleverageAndSell(borrower, WETH, USDC, NO_LIMIT, FEE_PIPS, profit + 1, recipient);
    }

    function test_a_pool_below_the_oracle_by_more_than_the_fee_reverts() external {
        pools.moveTo(tokens[WETH], tokens[USDC], FEE_PIPS, 1_980e18);
        vm.expectPartialRevert(IFlashProtector.ProceedsBelowMinimum.selector);
        _sell(0);
    }

    function test_a_pair_without_pool_is_refused() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IFlashProtector.PoolMissing.selector, address(tokens[WETH]), address(tokens[USDC]), 3_000
            )
        );
        _flash.deleverageAndSell(borrower, WETH, USDC, NO_LIMIT, 3_000, 0, recipient);
    }

    function test_callbacks_of_strangers_are_refused() external {
        address pool = factory.getPool(address(tokens[WETH]), address(tokens[USDC]), FEE_PIPS);
        address[2] memory callers = [stranger, pool];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSelector(IFlashProtector.CallbackUnauthorised.selector, callers[i]));
            _flash.uniswapV3SwapCallback(1, -1, "");
        }
    }

    /// @dev Whole transactions, warm market and approvals, as `isolate` counts them.
    function test_gas_of_a_sale() external {
        _sell(0);
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        assertLt(gas, 490_000, "a flash sale");
    }
}
