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
        ILiquidationEngine fresh = ILiquidationEngine(
            vm.deployCode("LiquidationEngine.sol:LiquidationEngine", abi.encode(address(manager), address(house)))
        );
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

    function test_parameters_are_kept_and_leave_the_halt_alone() external {
        engine.setHalted(true);
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.penaltyBps = 100;
        parameters.tail = 1 hours;
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.EngineParametersSet(parameters);
        engine.setParameters(parameters);
        assertEq(engine.parameters().penaltyBps, 100);
        assertEq(engine.parameters().tail, 1 hours);
        (bool halted,) = engine.halt();
        assertTrue(halted);
    }

    function test_parameters_out_of_bounds_are_refused() external {
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.dustValue = 1;
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        engine.setParameters(parameters);
    }

    function test_a_penalty_that_does_not_fit_a_listed_asset_is_refused() external {
        engine.setCurve(USDC, ILiquidationEngine.Curve(0.94e18, 1e14)); // k 0.90 * 1.005 / 0.94 = 0.962
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.penaltyBps = 450; // 0.90 * 1.045 / 0.94 = 1.0005
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        engine.setParameters(parameters);
    }

    function test_a_floor_above_the_start_of_a_curve_is_refused() external {
        engine.setCurve(WETH, ILiquidationEngine.Curve(0.94e18, 1e14));
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.floorMultiplierBps = 9_401;
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        engine.setParameters(parameters);
    }

    function test_an_asset_has_the_default_curve_until_one_is_set() external {
        assertEq(engine.curve(WETH).startMultiplierWad, Parameters.START_MULTIPLIER_WAD);
        ILiquidationEngine.Curve memory curve = ILiquidationEngine.Curve(0.99e18, 2e14);
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.CurveSet(WETH, curve);
        engine.setCurve(WETH, curve);
        assertEq(engine.curve(WETH).startMultiplierWad, 0.99e18);
        assertEq(engine.curve(WETH).decayPerSecondWad, 2e14);
        assertEq(engine.curve(WBTC).decayPerSecondWad, Parameters.DECAY_PER_SECOND_WAD);
    }

    function test_a_curve_for_an_asset_that_is_not_listed_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        engine.setCurve(3, ILiquidationEngine.Curve(1e18, 1e14));
    }

    function test_a_curve_out_of_bounds_is_refused() external {
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        engine.setCurve(WETH, ILiquidationEngine.Curve(1.2e18, 1e14));
    }

    function test_a_threshold_that_does_not_fit_the_engine_is_refused_by_the_house() external {
        engine.setCurve(WETH, ILiquidationEngine.Curve(0.94e18, 1e14));
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

    function test_a_halt_is_told_with_the_time_of_its_end() external {
        engine.setHalted(true);
        (bool halted, uint40 resumedAt) = engine.halt();
        assertTrue(halted);
        assertEq(resumedAt, 0);
        skip(60);
        uint40 time = uint40(vm.getBlockTimestamp());
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.HaltSet(false, time);
        engine.setHalted(false);
        (halted, resumedAt) = engine.halt();
        assertFalse(halted);
        assertEq(resumedAt, time);
    }

    function test_only_governance_sets() external {
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, taker);
        vm.startPrank(taker);
        vm.expectRevert(refusal);
        engine.setParameters(parameters);
        vm.expectRevert(refusal);
        engine.setCurve(WETH, ILiquidationEngine.Curve(1e18, 1e14));
        vm.expectRevert(refusal);
        engine.setVenue(taker, true);
        vm.expectRevert(refusal);
        engine.setHalted(true);
        vm.stopPrank();
    }
}
