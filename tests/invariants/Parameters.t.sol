// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {Parameters} from "../../contracts/libraries/Parameters.sol";
import {Test} from "../support/forge/Test.sol";

/// @title Bounds of every parameter
contract ParametersTest is Test {
    // ------------------------------------------------------------------ calls that may revert

    function asset(IClearingHouse.AssetParameters memory parameters) external pure {
        Parameters.validateAsset(parameters);
    }

    function rateModel(IClearingHouse.RateModel memory model) external pure {
        Parameters.validateRateModel(model);
    }

    function engine(ILiquidationEngine.EngineParameters memory parameters) external pure {
        Parameters.validateEngine(parameters);
    }

    function curve(ILiquidationEngine.Curve memory ofAsset) external pure {
        Parameters.validateCurve(ofAsset, _engine());
    }

    function together(IClearingHouse.AssetParameters memory parameters, ILiquidationEngine.Curve memory ofAsset)
        external
        pure
    {
        Parameters.validateTogether(parameters, _engine(), ofAsset);
    }

    function smallestBorrow(uint256 value) external pure {
        Parameters.validateSmallestBorrow(value);
    }

    // ------------------------------------------------------------------ defaults

    function test_the_defaults_are_within_their_bounds_and_fit_together() external view {
        this.engine(_engine());
        this.curve(_curve());
        this.smallestBorrow(Parameters.SMALLEST_BORROW);
        this.together(_asset(8_000, 8_300, 10_800), _curve());
        this.together(_asset(7_300, 7_800, 11_000), _curve());
        this.together(_asset(8_700, 9_000, 10_000), _curve());
    }

    // ------------------------------------------------------------------ assets

    function test_asset_bounds() external {
        this.asset(_asset(0, 1, 10_000));
        this.asset(_asset(9_899, 9_900, 20_000));
        _refuses("liquidationThresholdBps", 0, 1, 9_900);
        this.asset(_asset(0, 0, 10_000));
        _refuses("liquidationThresholdBps", 9_901, 1, 9_900);
        this.asset(_asset(0, 9_901, 10_000));
        _refuses("maxLtvBps", 8_300, 0, 8_299);
        this.asset(_asset(8_300, 8_300, 10_000));
        _refuses("debtWeightBps", 9_999, 10_000, 20_000);
        this.asset(_asset(8_000, 8_300, 9_999));
        _refuses("debtWeightBps", 20_001, 10_000, 20_000);
        this.asset(_asset(8_000, 8_300, 20_001));
        IClearingHouse.AssetParameters memory parameters = _asset(8_000, 8_300, 10_000);
        parameters.reserveFactorBps = 5_001;
        _refuses("reserveFactorBps", 5_001, 0, 5_000);
        this.asset(parameters);
    }

    function test_rate_model_bounds() external {
        this.rateModel(IClearingHouse.RateModel(0, 0, 0, 1));
        this.rateModel(IClearingHouse.RateModel(100_000, 100_000, 100_000, 9_999));
        _refuses("fullRateBps", 100_001, 0, 100_000);
        this.rateModel(IClearingHouse.RateModel(0, 0, 100_001, 9_000));
        _refuses("kinkRateBps", 401, 0, 400);
        this.rateModel(IClearingHouse.RateModel(0, 401, 400, 9_000));
        _refuses("baseRateBps", 5, 0, 4);
        this.rateModel(IClearingHouse.RateModel(5, 4, 400, 9_000));
        _refuses("kinkBps", 0, 1, 9_999);
        this.rateModel(IClearingHouse.RateModel(0, 4, 400, 0));
        _refuses("kinkBps", 10_000, 1, 9_999);
        this.rateModel(IClearingHouse.RateModel(0, 4, 400, 10_000));
    }

    function test_smallest_borrow_bounds() external {
        this.smallestBorrow(10e18);
        this.smallestBorrow(100_000e18);
        _refuses("smallestBorrow", 10e18 - 1, 10e18, 100_000e18);
        this.smallestBorrow(10e18 - 1);
        _refuses("smallestBorrow", 100_000e18 + 1, 10e18, 100_000e18);
        this.smallestBorrow(100_000e18 + 1);
    }

    // ------------------------------------------------------------------ engine

    function test_target_bounds() external {
        ILiquidationEngine.EngineParameters memory parameters = _engine();
        parameters.targetHealthFactorBps = 10_100;
        this.engine(parameters);
        parameters.targetHealthFactorBps = 12_500;
        this.engine(parameters);
        parameters.targetHealthFactorBps = 10_099;
        _refuses("targetHealthFactorBps", 10_099, 10_100, 12_500);
        this.engine(parameters);
        parameters.targetHealthFactorBps = 12_501;
        _refuses("targetHealthFactorBps", 12_501, 10_100, 12_500);
        this.engine(parameters);
    }

    function test_penalty_and_incentive_bounds() external {
        ILiquidationEngine.EngineParameters memory parameters = _engine();
        parameters.penaltyBps = 501;
        _refuses("penaltyBps", 501, 0, 500);
        this.engine(parameters);
        parameters = _engine();
        parameters.incentiveShareBps = 6_001;
        _refuses("incentiveShareBps", 6_001, 0, 6_000);
        this.engine(parameters);
        parameters = _engine();
        parameters.chipBps = 30;
        this.engine(parameters);
        parameters.chipBps = 31; // 60 % of 50
        _refuses("chipBps", 31, 0, 30);
        this.engine(parameters);
        parameters = _engine();
        parameters.tipValue = 101;
        _refuses("tipValue", 101, 0, 100);
        this.engine(parameters);
    }

    function test_floor_dust_and_tail_bounds() external {
        ILiquidationEngine.EngineParameters memory parameters = _engine();
        parameters.floorMultiplierBps = 4_999;
        _refuses("floorMultiplierBps", 4_999, 5_000, 9_500);
        this.engine(parameters);
        parameters.floorMultiplierBps = 9_501;
        _refuses("floorMultiplierBps", 9_501, 5_000, 9_500);
        this.engine(parameters);
        parameters = _engine();
        parameters.dustValue = 9;
        _refuses("dustValue", 9, 10, 10_000);
        this.engine(parameters);
        parameters.dustValue = 10_001;
        _refuses("dustValue", 10_001, 10, 10_000);
        this.engine(parameters);
        parameters = _engine();
        parameters.tail = 599;
        _refuses("tail", 599, 600, 86_400);
        this.engine(parameters);
        parameters.tail = 86_401;
        _refuses("tail", 86_401, 600, 86_400);
        this.engine(parameters);
    }

    function test_curve_bounds() external {
        this.curve(ILiquidationEngine.Curve(0.94e18, 2_777_777_777_778));
        this.curve(ILiquidationEngine.Curve(1.1e18, 2e15));
        _refuses("startMultiplierWad", 0.94e18 - 1, 0.94e18, 1.1e18);
        this.curve(ILiquidationEngine.Curve(0.94e18 - 1, 1e14));
        _refuses("startMultiplierWad", 1.1e18 + 1, 0.94e18, 1.1e18);
        this.curve(ILiquidationEngine.Curve(1.1e18 + 1, 1e14));
        _refuses("decayPerSecondWad", 2_777_777_777_777, 2_777_777_777_778, 2e15);
        this.curve(ILiquidationEngine.Curve(1e18, 2_777_777_777_777));
        _refuses("decayPerSecondWad", 2e15 + 1, 2_777_777_777_778, 2e15);
        this.curve(ILiquidationEngine.Curve(1e18, 2e15 + 1));
    }

    function test_a_threshold_that_the_start_of_the_curve_cannot_carry_is_refused() external {
        // k * 1.005 / 0.94 < 1: k below 0.9353
        this.together(_asset(8_000, 9_353, 10_000), ILiquidationEngine.Curve(0.94e18, 1e14));
        uint256 weighted = 1_000_081_914_893_617_022; // 0.9354 * 1.005 / 0.94, up
        _refuses("threshold at penalty start", weighted, 0, 1e18 - 1);
        this.together(_asset(8_000, 9_354, 10_000), ILiquidationEngine.Curve(0.94e18, 1e14));
    }

    // ------------------------------------------------------------------ figures

    function _refuses(bytes32 name, uint256 value, uint256 lower, uint256 upper) private {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.ParameterOutOfBounds.selector, name, value, lower, upper));
    }

    function _asset(uint16 maxLtv, uint16 threshold, uint16 weight)
        private
        pure
        returns (IClearingHouse.AssetParameters memory)
    {
        return IClearingHouse.AssetParameters(maxLtv, threshold, weight, 1_000, 0, 0, 0);
    }

    function _curve() private pure returns (ILiquidationEngine.Curve memory) {
        return ILiquidationEngine.Curve(1.0071e18, 0.01e18 / uint64(89));
    }

    function _engine() private pure returns (ILiquidationEngine.EngineParameters memory) {
        return ILiquidationEngine.EngineParameters({
            targetHealthFactorBps: Parameters.TARGET_HEALTH_FACTOR_BPS,
            penaltyBps: Parameters.PENALTY_BPS,
            chipBps: Parameters.CHIP_BPS,
            incentiveShareBps: Parameters.INCENTIVE_SHARE_BPS,
            floorMultiplierBps: Parameters.FLOOR_MULTIPLIER_BPS,
            tipValue: Parameters.TIP_VALUE,
            dustValue: Parameters.DUST_VALUE,
            tail: Parameters.TAIL
        });
    }
}
