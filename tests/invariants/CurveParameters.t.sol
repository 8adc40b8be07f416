// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {CurveParameters} from "../../contracts/libraries/CurveParameters.sol";
import {Parameters} from "../../contracts/libraries/Parameters.sol";
import {Test} from "../support/forge/Test.sol";

/// @title Where reserve curves start and how fast they fall
contract CurveParametersTest is Test {
    function test_the_far_start_is_as_far_as_the_oracle_may_be_behind() external pure {
        assertEq(_farStart(8_000, 50), 1_007_093_695_690_360_856);
        assertEq(_farStart(100, 25), 1_002_526_171_196_129_511);
        assertEq(_farStart(0, 0), 1e18);
    }

    function test_the_near_start_is_what_the_market_pays() external pure {
        assertEq(CurveParameters.nearStart(500, 30), 0.9965e18);
        assertEq(CurveParameters.nearStart(0, 0), 1e18);
        assertEq(CurveParameters.nearStart(10_000, 500), 0.94e18);
    }

    function test_a_near_start_rises_with_what_pools_pay_and_is_rounded_up() external pure {
        assertEq(CurveParameters.raisedUp(0.9965e18, 1.01e18), 1.006465e18);
        assertEq(CurveParameters.raisedUp(0.9965e18, 1e18 + 1), 0.9965e18 + 1);
        assertEq(CurveParameters.raisedUp(0.9965e18, 0.9e18), 0.9965e18, "never below the lowest");
        assertEq(CurveParameters.raisedUp(0.9965e18, 0), 0.9965e18);
        assertEq(CurveParameters.raisedUp(0.9965e18, 1.05e18), 1.03e18, "nor beyond the highest");
    }

    function test_a_near_start_follows_the_premium_between_its_bounds(uint256 lowest, uint256 premium) external pure {
        lowest = bound(lowest, Parameters.START_MULTIPLIER_MIN_WAD, 1e18);
        premium = bound(premium, 0, 2 ** 150);
        uint256 start = CurveParameters.raisedUp(lowest, premium);
        assertGe(start, lowest);
        assertLe(start, Parameters.NEAR_START_MAX_WAD);
        assertLe(Parameters.NEAR_START_MAX_WAD, Parameters.START_MULTIPLIER_MAX_WAD);
        if (start > lowest) assertLe(start * 1e18, lowest * premium + 1e18 - 1, "no higher than the market");
        if (start < Parameters.NEAR_START_MAX_WAD) assertGe(start * 1e18, lowest * premium, "nor lower");
        assertGe(CurveParameters.raisedUp(lowest, premium + 1), start);
    }

    function test_at_80_per_cent_a_year_the_reserve_loses_one_per_cent_in_89_seconds() external pure {
        uint256 decay = CurveParameters.decayDown(8_000);
        assertEq(decay, 112_116_696_187_555);
        assertApproxEqRel(0.01e18 / uint256(89), decay, 0.003e18);
    }

    /// @dev lambda^3 = sigma^2 * d* / (dt^2 * year), to the wei of lambda.
    function test_the_decay_is_the_root_rounded_down(uint256 volatility) external pure {
        volatility = bound(volatility, Parameters.VOLATILITY_MIN_BPS, Parameters.VOLATILITY_MAX_BPS);
        uint256 decay = CurveParameters.decayDown(volatility);
        uint256 cube = volatility * volatility * 1e52 / (144 * 31_536_000 * 1e8);
        assertLe(decay * decay * decay, cube);
        assertGt((decay + 1) * (decay + 1) * (decay + 1), cube);
    }

    function test_every_allowed_input_gives_curves_within_their_bounds(
        uint256 volatility,
        uint256 deviation,
        uint256 fee,
        uint256 near
    ) external pure {
        ILiquidationEngine.CurveInputs memory inputs = ILiquidationEngine.CurveInputs(
            uint16(bound(volatility, Parameters.VOLATILITY_MIN_BPS, Parameters.VOLATILITY_MAX_BPS)),
            uint16(bound(deviation, 0, Parameters.DEVIATION_MAX_BPS)),
            uint24(bound(fee, 0, Parameters.VENUE_FEE_MAX_PIPS))
        );
        Parameters.validateCurveInputs(inputs);
        uint64 decay = CurveParameters.decayDown(inputs.volatilityBps);
        ILiquidationEngine.EngineParameters memory engine;
        engine.floorMultiplierBps = 9_400;
        Parameters.validateCurve(ILiquidationEngine.Curve(CurveParameters.farStartUp(inputs), decay), engine);
        uint256 slippage = bound(near, 0, Parameters.SLIPPAGE_LIMIT_MAX_BPS);
        uint64 start = CurveParameters.nearStart(inputs.venueFeePips, slippage);
        Parameters.validateCurve(ILiquidationEngine.Curve(start, decay), engine);
    }

    function _farStart(uint16 volatility, uint16 deviation) private pure returns (uint256) {
        return CurveParameters.farStartUp(ILiquidationEngine.CurveInputs(volatility, deviation, 0));
    }
}
