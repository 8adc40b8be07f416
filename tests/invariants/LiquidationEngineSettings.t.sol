// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {Parameters} from "../../contracts/libraries/Parameters.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title What governance sets on the engine
contract LiquidationEngineSettingsTest is EngineFixture {
    function test_a_new_engine_starts_with_the_defaults_and_says_so() external {
        vm.expectEmit();
        emit ILiquidationEngine.EngineParametersSet(engine.parameters());
        ILiquidationEngine fresh = _newEngine();
        ILiquidationEngine.EngineParameters memory parameters = fresh.parameters();
        assertEq(parameters.targetHealthFactorBps, 10_500);
        assertEq(parameters.penaltyBps, 50);
        assertEq(parameters.chipBps, 10);
        assertEq(parameters.incentiveShareBps, 6_000);
        assertEq(parameters.floorMultiplierBps, 8_000);
        assertEq(parameters.tipValue, 5);
        assertEq(parameters.dustValue, 100);
        assertEq(parameters.tail, 7_200);
        assertEq(fresh.clearingHouse(), address(house));
    }

    function test_parameters_are_kept_and_leave_the_breaker_alone() external {
        engine.setBreaker(2, type(uint40).max);
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.penaltyBps = 100;
        parameters.tail = 1 hours;
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.EngineParametersSet(parameters);
        engine.setParameters(parameters);
        assertEq(engine.parameters().penaltyBps, 100);
        assertEq(engine.parameters().tail, 1 hours);
        assertEq(engine.speedParameters().slippageLimitBps, 200);
        (uint8 level,,) = engine.breaker();
        assertEq(level, 2);
    }

    function test_speed_parameters_start_with_the_defaults_and_are_kept() external {
        ILiquidationEngine.SpeedParameters memory speed = engine.speedParameters();
        assertEq(speed.recovery, 120);
        assertEq(speed.slippageLimitBps, 200);
        assertEq(speed.nearSlippageBps, 30);
        assertEq(speed.shapeBps, 5_000);
        assertEq(speed.urgencyZBps, 30_000);
        assertEq(speed.tauClear, 600);
        assertEq(speed.minCapacity, 10_000);
        assertEq(speed.maxCapacity, 5_000_000);
        assertEq(speed.depthMaxAge, 1_800);
        assertEq(speed.choiceToleranceBps, 1_000);
        engine.setBudgeted(WBTC, true);
        speed.recovery = 60;
        speed.slippageLimitBps = 300;
        speed.maxCapacity = 1_000_000;
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.SpeedParametersSet(speed);
        engine.setSpeedParameters(speed);
        assertEq(engine.speedParameters().recovery, 60);
        assertEq(engine.speedParameters().slippageLimitBps, 300);
        assertEq(engine.speedParameters().maxCapacity, 1_000_000);
        assertEq(engine.budgeted(), 1 << WBTC);
        assertEq(engine.parameters().tail, 7_200);
    }

    function test_a_near_slippage_that_starts_a_curve_below_the_floor_is_refused() external {
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.floorMultiplierBps = 9_500;
        engine.setParameters(parameters);
        engine.setCurveInputs(WETH, ILiquidationEngine.CurveInputs(8_000, 50, 10_000));
        ILiquidationEngine.SpeedParameters memory speed = engine.speedParameters();
        speed.slippageLimitBps = 500;
        speed.nearSlippageBps = 401; // 1 - 0.01 - 0.0401
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        engine.setSpeedParameters(speed);
        speed.nearSlippageBps = 400;
        engine.setSpeedParameters(speed);
    }

    function test_assets_get_budgets_and_lose_them() external {
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.BudgetedSet(WETH, true);
        engine.setBudgeted(WETH, true);
        engine.setBudgeted(USDC, true);
        assertEq(engine.budgeted(), 1 << WETH | 1 << USDC);
        engine.setBudgeted(WETH, false);
        assertEq(engine.budgeted(), 1 << USDC);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        engine.setBudgeted(3, true);
    }

    function test_the_source_of_depth_is_set() external {
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.MarketDepthSet(taker);
        engine.setMarketDepth(taker);
        assertEq(engine.marketDepth(), taker);
    }

    function test_parameters_out_of_bounds_are_refused() external {
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.dustValue = 1;
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        engine.setParameters(parameters);
    }

    function test_a_penalty_that_does_not_fit_a_listed_asset_is_refused() external {
        _widestNearStart();
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.penaltyBps = 450; // 0.90 * 1.045 / 0.94 = 1.0005
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        engine.setParameters(parameters);
    }

    function test_a_floor_above_the_start_of_a_curve_is_refused() external {
        _widestNearStart();
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.floorMultiplierBps = 9_401;
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        engine.setParameters(parameters);
    }

    function test_an_asset_has_the_default_curves_until_inputs_are_set() external {
        assertEq(engine.curve(WETH).startMultiplierWad, 0.9965e18, "1 - 0.05 % - 0.3 %");
        assertEq(engine.farCurve(WETH).startMultiplierWad, 1_007_093_695_690_360_856);
        assertEq(engine.farCurve(WETH).decayPerSecondWad, 112_116_696_187_555);
        ILiquidationEngine.CurveInputs memory inputs = ILiquidationEngine.CurveInputs(5_000, 100, 3_000);
        ILiquidationEngine.Curve memory far = ILiquidationEngine.Curve(1_011_308_559_806_475_535, 81_957_802_100_558);
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.CurveSet(WETH, inputs, far);
        engine.setCurveInputs(WETH, inputs);
        assertEq(engine.curve(WETH).startMultiplierWad, 0.994e18);
        assertEq(engine.curve(WETH).decayPerSecondWad, far.decayPerSecondWad);
        assertEq(engine.farCurve(WETH).startMultiplierWad, far.startMultiplierWad);
        assertEq(engine.curveInputs(WETH).volatilityBps, 5_000);
        assertEq(engine.curveInputs(WBTC).volatilityBps, 8_000, "the others as before");
    }

    function test_inputs_for_an_asset_that_is_not_listed_are_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        engine.setCurveInputs(3, ILiquidationEngine.CurveInputs(8_000, 50, 500));
    }

    function test_inputs_out_of_bounds_are_refused() external {
        bytes4 refusal = IClearingHouse.ParameterOutOfBounds.selector;
        vm.expectPartialRevert(refusal);
        engine.setCurveInputs(WETH, ILiquidationEngine.CurveInputs(49, 50, 500));
        vm.expectPartialRevert(refusal);
        engine.setCurveInputs(WETH, ILiquidationEngine.CurveInputs(50_001, 50, 500));
        vm.expectPartialRevert(refusal);
        engine.setCurveInputs(WETH, ILiquidationEngine.CurveInputs(8_000, 501, 500));
        vm.expectPartialRevert(refusal);
        engine.setCurveInputs(WETH, ILiquidationEngine.CurveInputs(8_000, 50, 10_001));
        engine.setCurveInputs(WETH, ILiquidationEngine.CurveInputs(50, 0, 0));
        engine.setCurveInputs(WETH, ILiquidationEngine.CurveInputs(50_000, 500, 10_000));
    }

    function test_a_threshold_that_does_not_fit_the_engine_is_refused_by_the_house() external {
        _widestNearStart();
        IClearingHouse.AssetParameters memory parameters = house.assetParameters(WETH);
        parameters.liquidationThresholdBps = 9_354;
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        house.setAssetParameters(WETH, parameters);
    }

    function test_a_venue_is_allowed_and_refused() external {
        address other = makeAddr("venue");
        assertFalse(engine.isVenue(other));
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.VenueSet(other, true);
        engine.setVenue(other, true);
        assertTrue(engine.isVenue(other));
        engine.setVenue(other, false);
        assertFalse(engine.isVenue(other));
    }

    function test_the_breaker_is_told_with_the_time_of_its_end() external {
        uint40 until = uint40(vm.getBlockTimestamp() + 600);
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.BreakerSet(3, until, 0);
        engine.setBreaker(3, until);
        skip(60);
        uint40 time = uint40(vm.getBlockTimestamp());
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.BreakerSet(0, 0, time);
        engine.setBreaker(0, 0);
        (uint8 level,, uint40 resumedAt) = engine.breaker();
        assertEq(level, 0);
        assertEq(resumedAt, time);
    }

    function test_a_level_ends_by_itself() external {
        uint40 until = uint40(vm.getBlockTimestamp() + 600);
        engine.setBreaker(3, until);
        vm.warp(until - 1);
        (uint8 level,, uint40 resumedAt) = engine.breaker();
        assertEq(level, 3);
        assertEq(resumedAt, 0);
        vm.warp(until);
        (level,, resumedAt) = engine.breaker();
        assertEq(level, 0);
        assertEq(resumedAt, until);
    }

    function test_a_level_3_that_is_prolonged_resumes_once() external {
        engine.setBreaker(3, uint40(vm.getBlockTimestamp() + 600));
        skip(60);
        engine.setBreaker(3, uint40(vm.getBlockTimestamp() + 6_000));
        (,, uint40 resumedAt) = engine.breaker();
        assertEq(resumedAt, 0);
    }

    function test_there_is_no_level_4() external {
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        engine.setBreaker(4, type(uint40).max);
    }

    function test_only_governance_sets() external {
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        ILiquidationEngine.SpeedParameters memory speed = engine.speedParameters();
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, taker);
        vm.startPrank(taker);
        vm.expectRevert(refusal);
        engine.setParameters(parameters);
        vm.expectRevert(refusal);
        engine.setCurveInputs(WETH, ILiquidationEngine.CurveInputs(8_000, 50, 500));
        vm.expectRevert(refusal);
        engine.setSpeedParameters(speed);
        vm.expectRevert(refusal);
        engine.setBudgeted(WETH, true);
        vm.expectRevert(refusal);
        engine.setMarketDepth(taker);
        vm.expectRevert(refusal);
        engine.setVenue(taker, true);
        vm.expectRevert(refusal);
        engine.setBreaker(3, 1);
        vm.stopPrank();
    }

    /// @dev The lowest start that the bounds allow: 1 - 1 % - 5 %.
    function _widestNearStart() private {
        ILiquidationEngine.SpeedParameters memory speed = engine.speedParameters();
        (speed.slippageLimitBps, speed.nearSlippageBps) = (500, 500);
        engine.setSpeedParameters(speed);
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            engine.setCurveInputs(assetId, ILiquidationEngine.CurveInputs(8_000, 50, 10_000));
        }
        assertEq(engine.curve(WETH).startMultiplierWad, 0.94e18);
    }
}
