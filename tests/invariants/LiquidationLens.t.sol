// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {ILiquidationLens} from "../../contracts/interfaces/ILiquidationLens.sol";
import {LiquidationLens} from "../../contracts/periphery/LiquidationLens.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title The cheapest mix that restores an account
contract LiquidationLensTest is EngineFixture {
    LiquidationLens private _lens;

    function setUp() public override {
        super.setUp();
        _lens = new LiquidationLens(address(engine));
        _fund(taker, USDC, 1_000_000 * ONE_USDC);
    }

    function test_a_healthy_account_needs_nothing() external {
        _openLong();
        (ILiquidationLens.Step[] memory steps, uint256 health) = _lens.preview(borrower);
        assertEq(steps.length, 0);
        assertEq(health, house.healthFactor(borrower));
    }

    function test_one_collateral_is_the_largest_slice_of_the_engine() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(60);
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        (ILiquidationLens.Step[] memory steps, uint256 health) = _lens.preview(borrower);
        assertEq(steps.length, 1);
        assertEq(steps[0].seized, slice.seized);
        assertEq(steps[0].payment, slice.payment);
        assertEq(steps[0].repaid, slice.repaid);
        assertEq(steps[0].multiplierWad, slice.multiplierWad);
        assertTrue(steps[0].running);
        assertApproxEqAbs(health, 1.05e18, 1e10);
        _take(WETH, USDC, NO_LIMIT);
        assertApproxEqAbs(house.healthFactor(borrower), health, 1e10);
    }

    function test_netting_comes_first_and_may_be_all() external {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, USDC, 3_000 * ONE_USDC);
        _borrow(borrower, USDC, 17_800 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_800e8);
        (ILiquidationLens.Step[] memory steps, uint256 health) = _lens.preview(borrower);
        assertEq(steps[0].collateralId, USDC);
        assertEq(steps[0].debtId, USDC);
        assertEq(steps[0].seized, 3_000 * ONE_USDC);
        assertGt(health, 1e18);
    }

    function test_the_cheaper_collateral_goes_first_and_the_dearer_for_the_rest() external {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, WBTC, 0.04e8); // 2,400: not enough alone
        _borrow(borrower, USDC, 17_500 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_850e8);
        (ILiquidationLens.Step[] memory steps, uint256 health) = _lens.preview(borrower);
        assertEq(steps.length, 2);
        assertEq(steps[0].collateralId, WBTC, "a lower threshold restores more at the same price");
        assertEq(steps[0].seized, 0.04e8);
        assertEq(steps[1].collateralId, WETH);
        assertLt(steps[0].costWad, steps[1].costWad);
        assertFalse(steps[0].running);
        assertApproxEqAbs(health, 1.05e18, 1e12);
    }

    /// @dev No other order of the two collaterals gives away less.
    function test_the_mix_costs_no_more_than_the_other_order(uint256 weth, uint256 wbtc) external {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, WBTC, 0.1e8);
        _borrow(borrower, USDC, 20_000 * ONE_USDC);
        skip(12);
        _publish(WETH, int256(bound(weth, 1_600e8, 1_900e8)));
        _publish(WBTC, int256(bound(wbtc, 50_000e8, 60_000e8)));
        if (house.healthFactor(borrower) >= 1e18) return;
        _kick(borrower, _ids(WETH, WBTC));
        skip(60);
        (ILiquidationLens.Step[] memory steps,) = _lens.preview(borrower);
        uint256 given = _given(steps);
        uint8 other = steps[0].collateralId == WETH ? WBTC : WETH;
        uint256 snapshot = vm.snapshotState();
        uint256 before = house.accountState(borrower).collateralValue - house.accountState(borrower).debtValue;
        _take(other, USDC, NO_LIMIT);
        if (_flagged(borrower)) _take(steps[0].collateralId, USDC, NO_LIMIT);
        uint256 afterwards = house.accountState(borrower).collateralValue - house.accountState(borrower).debtValue;
        vm.revertToState(snapshot);
        assertLe(given, before - afterwards + 1e18);
    }

    /// @dev Value of collateral given less debt repaid.
    function _given(ILiquidationLens.Step[] memory steps) private view returns (uint256 given) {
        for (uint256 i = 0; i < steps.length; ++i) {
            uint256 price = oracle.price(address(tokens[steps[i].collateralId]));
            given += steps[i].seized * price / 10 ** tokens[steps[i].collateralId].decimals();
            given -= steps[i].repaid * 1e12;
        }
    }
}
