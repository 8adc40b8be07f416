// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IFlashTaker} from "../../contracts/interfaces/IFlashTaker.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {FlashTaker} from "../../contracts/periphery/FlashTaker.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title Takes without capital, through a real pool
contract FlashTakerTest is EngineFixture {
    FlashTaker private _flash;
    address private _owner = makeAddr("owner");

    function setUp() public override {
        super.setUp();
        _flash = new FlashTaker(_owner, address(engine), address(factory));
        _openLong();
        _publish(WETH, 1_900e8);
        _pool(WETH, 1_900e18, 200_000_000);
        _kick(borrower, _ids(WETH));
        skip(180); // m = 0.9869, the pool pays 0.9995
    }

    // ------------------------------------------------------------------ take

    function test_a_take_pays_from_its_own_proceeds_and_keeps_the_profit() external {
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        vm.prank(_owner);
        (uint256 seized, uint256 profit) = _flash.takeAndSell(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, FEE_PIPS, 1);
        assertEq(seized, slice.seized);
        assertEq(tokens[USDC].balanceOf(address(_flash)), profit);
        assertEq(tokens[WETH].balanceOf(address(_flash)), 0);
        assertApproxEqRel(profit, slice.payment * 126 / 9_869, 0.1e18, "what the pool pays above the reserve");
        assertEq(tokens[USDC].allowance(address(_flash), address(house)), 0, "no approval left");
        assertApproxEqAbs(house.healthFactor(borrower), 1.05e18, 1e9);
        _assertBooksBalance();
    }

    function test_a_take_in_a_coarse_asset_for_a_volatile_debt() external {
        address shorter = makeAddr("shorter");
        _deposit(shorter, USDC, 20_000 * ONE_USDC);
        _borrow(shorter, WETH, 8 * ONE_WETH);
        skip(12);
        _publish(WETH, 2_150e8);
        pools.moveTo(tokens[WETH], tokens[USDC], FEE_PIPS, 2_150e18);
        _kick(shorter, _ids(USDC));
        skip(180);
        vm.prank(_owner);
        (, uint256 profit) = _flash.takeAndSell(shorter, USDC, WETH, NO_LIMIT, NO_LIMIT, FEE_PIPS, 1);
        assertEq(tokens[WETH].balanceOf(address(_flash)), profit);
        _assertBooksBalance();
    }

    function test_a_profit_below_the_minimum_reverts() external {
        uint256 snapshot = vm.snapshotState();
        vm.prank(_owner);
        (, uint256 profit) = _flash.takeAndSell(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, FEE_PIPS, 0);
        vm.revertToState(snapshot);
        vm.prank(_owner);
        vm.expectRevert(abi.encodeWithSelector(IFlashTaker.ProfitBelowMinimum.selector, profit, profit + 1));
        _flash.takeAndSell(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, FEE_PIPS, profit + 1);
    }

    function test_a_loss_is_never_paid_from_earlier_profits() external {
        tokens[USDC].mint(address(_flash), 100_000 * ONE_USDC);
        pools.moveTo(tokens[WETH], tokens[USDC], FEE_PIPS, 1_700e18);
        vm.prank(_owner);
        vm.expectRevert(abi.encodeWithSelector(IFlashTaker.ProfitBelowMinimum.selector, 0, 0));
        _flash.takeAndSell(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, FEE_PIPS, 0);
    }

    function test_a_take_without_enough_proceeds_reverts() external {
        pools.moveTo(tokens[WETH], tokens[USDC], FEE_PIPS, 1_700e18);
        vm.prank(_owner);
        vm.expectRevert(SafeTransferLib.TransferFromFailed.selector);
        _flash.takeAndSell(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, FEE_PIPS, 0);
    }

    function test_a_pair_without_pool_is_refused() external {
        vm.prank(_owner);
        vm.expectRevert(
            abi.encodeWithSelector(
                IFlashTaker.PoolMissing.selector, address(tokens[WETH]), address(tokens[USDC]), 3_000
            )
        );
        _flash.takeAndSell(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, 3_000, 0);
    }

    // ------------------------------------------------------------------ who may

    function test_only_owner_and_operators_take() external {
        vm.expectRevert(abi.encodeWithSelector(IFlashTaker.OperatorUnauthorised.selector, taker));
        vm.prank(taker);
        _flash.takeAndSell(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, FEE_PIPS, 0);
        vm.prank(_owner);
        _flash.setOperator(taker, true);
        vm.prank(taker);
        _flash.takeAndSell(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, FEE_PIPS, 0);
    }

    function test_a_dismissed_operator_is_refused() external {
        vm.startPrank(_owner);
        _flash.setOperator(taker, true);
        _flash.setOperator(taker, false);
        vm.stopPrank();
        vm.prank(taker);
        vm.expectRevert(abi.encodeWithSelector(IFlashTaker.OperatorUnauthorised.selector, taker));
        _flash.takeAndSell(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, FEE_PIPS, 0);
    }

    function test_only_the_owner_withdraws_and_appoints() external {
        tokens[USDC].mint(address(_flash), 100);
        vm.prank(_owner);
        _flash.setOperator(taker, true);
        bytes memory refusal = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, taker);
        vm.startPrank(taker);
        vm.expectRevert(refusal);
        _flash.withdraw(address(tokens[USDC]), 100, taker);
        vm.expectRevert(refusal);
        _flash.setOperator(keeper, true);
        vm.stopPrank();
        vm.prank(_owner);
        _flash.withdraw(address(tokens[USDC]), 100, keeper);
        assertEq(tokens[USDC].balanceOf(keeper), 100);
    }

    // ------------------------------------------------------------------ callbacks

    function test_callbacks_of_strangers_are_refused() external {
        tokens[WETH].mint(address(_flash), ONE_WETH);
        bytes memory refusal = abi.encodeWithSelector(IFlashTaker.CallbackUnauthorised.selector, taker);
        vm.startPrank(taker);
        vm.expectRevert(refusal);
        _flash.uniswapV3SwapCallback(1, -1, "");
        vm.expectRevert(refusal);
        _flash.onTake(borrower, address(tokens[WETH]), 1, address(tokens[USDC]), 1, "");
        vm.stopPrank();
    }

    function test_callbacks_of_the_right_callers_are_refused_outside_a_take() external {
        tokens[WETH].mint(address(_flash), ONE_WETH);
        address pool = factory.getPool(address(tokens[WETH]), address(tokens[USDC]), FEE_PIPS);
        vm.prank(address(house));
        vm.expectRevert(abi.encodeWithSelector(IFlashTaker.CallbackUnauthorised.selector, address(house)));
        _flash.onTake(borrower, address(tokens[WETH]), 1, address(tokens[USDC]), 1, "");
        vm.prank(pool);
        vm.expectRevert(abi.encodeWithSelector(IFlashTaker.CallbackUnauthorised.selector, pool));
        _flash.uniswapV3SwapCallback(1, -1, "");
    }
}
