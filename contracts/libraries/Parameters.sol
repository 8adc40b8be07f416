// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";
import {BPS, WAD, WAD_PER_BPS, WadMath} from "./WadMath.sol";

/// @title Every parameter of Sluice: defaults, bounds, and what must hold between them
/// @notice The one place that says what governance may set. Fractions are in basis points, curves in WAD, values in
/// whole quote units, times in seconds, as the structs that store them.
/// @dev The validators revert with `IClearingHouse.ParameterOutOfBounds(name, value, lower, upper)`, bounds included.
library Parameters {
    using WadMath for uint256;

    // ------------------------------------------------------------------ assets: defaults

    uint16 internal constant WETH_MAX_LTV_BPS = 8_000;
    uint16 internal constant WETH_LIQUIDATION_THRESHOLD_BPS = 8_300;
    uint16 internal constant WETH_DEBT_WEIGHT_BPS = 10_800;
    uint16 internal constant WBTC_MAX_LTV_BPS = 7_300;
    uint16 internal constant WBTC_LIQUIDATION_THRESHOLD_BPS = 7_800;
    uint16 internal constant WBTC_DEBT_WEIGHT_BPS = 11_000;
    uint16 internal constant STABLE_MAX_LTV_BPS = 8_700;
    uint16 internal constant STABLE_LIQUIDATION_THRESHOLD_BPS = 9_000;
    uint16 internal constant STABLE_DEBT_WEIGHT_BPS = 10_000;
    uint16 internal constant RESERVE_FACTOR_BPS = 1_000;
    uint256 internal constant SMALLEST_BORROW = 500e18;

    // ------------------------------------------------------------------ assets: bounds

    /// @dev Below 1; the bound that counts is the cross check with the engine's b at the penalty start.
    uint256 internal constant LIQUIDATION_THRESHOLD_MAX_BPS = 9_900;
    uint256 internal constant DEBT_WEIGHT_MIN_BPS = 10_000;
    uint256 internal constant DEBT_WEIGHT_MAX_BPS = 20_000;
    uint256 internal constant RESERVE_FACTOR_MAX_BPS = 5_000;
    /// @dev 1,000 % a year, far beyond any rate that a pool of this kind has needed.
    uint256 internal constant RATE_MAX_BPS = 100_000;
    uint256 internal constant SMALLEST_BORROW_MIN = 10e18;
    uint256 internal constant SMALLEST_BORROW_MAX = 100_000e18;

    // ------------------------------------------------------------------ engine: defaults

    uint16 internal constant TARGET_HEALTH_FACTOR_BPS = 10_500;
    uint16 internal constant PENALTY_BPS = 50;
    uint16 internal constant CHIP_BPS = 10;
    uint16 internal constant INCENTIVE_SHARE_BPS = 6_000;
    uint16 internal constant FLOOR_MULTIPLIER_BPS = 8_000;
    uint16 internal constant TIP_VALUE = 5;
    uint16 internal constant DUST_VALUE = 100;
    uint32 internal constant TAIL = 2 hours;

    // ------------------------------------------------------------------ curves: defaults

    /// @dev Of an asset whose inputs were not set: 80 % a year, as ether in its wilder years.
    uint16 internal constant VOLATILITY_BPS = 8_000;
    uint16 internal constant DEVIATION_BPS = 50;
    uint24 internal constant VENUE_FEE_PIPS = 500;

    // ------------------------------------------------------------------ speed: defaults

    uint16 internal constant RECOVERY = 120;
    uint16 internal constant SLIPPAGE_LIMIT_BPS = 200;
    uint16 internal constant NEAR_SLIPPAGE_BPS = 30;
    uint16 internal constant SHAPE_BPS = 5_000;
    uint16 internal constant URGENCY_Z_BPS = 30_000;
    uint24 internal constant TAU_CLEAR = 10 minutes;
    uint32 internal constant CAPACITY_MIN = 10_000;
    uint32 internal constant CAPACITY_MAX = 5_000_000;
    uint24 internal constant DEPTH_MAX_AGE = 30 minutes;
    uint16 internal constant CHOICE_TOLERANCE_BPS = 1_000;

    // ------------------------------------------------------------------ guards

    uint256 internal constant BREAKER_LEVELS = 3;
    /// @dev A price that falls by more in one round trips the breaker, for so long after the round.
    uint256 internal constant TRIP_DROP_BPS = 4_000;
    uint256 internal constant TRIP_DURATION = 30 minutes;
    /// @dev Window of a pool's time-weighted price, seconds, and how far it may be from the oracle's.
    uint32 internal constant TWAP_WINDOW = 3 minutes;
    uint256 internal constant TWAP_TOLERANCE_BPS = 300;
    /// @dev For so long, seconds, what pools paid before a poke tells where a kick may start.
    uint256 internal constant MEAN_PRICE_MAX_AGE = 1 minutes;
    /// @dev Highest near start, however much pools pay: whoever holds their mean price up delays a sale by the time in
    /// which a reserve falls from here to the lowest start, some five minutes by default.
    uint256 internal constant NEAR_START_MAX_WAD = 1.03e18;

    // ------------------------------------------------------------------ prices

    /// @dev Largest upper bound of a feed: a billion quote units per token. With it no valuation can overflow.
    uint256 internal constant PRICE_MAX_WAD = 1e27;
    /// @dev Widest deviation that two sources of the same price may be granted.
    uint256 internal constant SOURCE_DEVIATION_MAX_BPS = 2_000;

    // ------------------------------------------------------------------ depth

    /// @dev Window of the mean liquidity of pools, seconds. Below its least a block of moved liquidity would weigh too
    /// much; above its most, pools do not keep their record.
    uint32 internal constant DEPTH_WINDOW = 30 minutes;
    uint32 internal constant DEPTH_WINDOW_MIN = 5 minutes;
    uint32 internal constant DEPTH_WINDOW_MAX = 4 hours;

    // ------------------------------------------------------------------ insurance funds

    /// @dev Seconds between a request and its payment.
    uint32 internal constant FUND_COOLDOWN = 7 days;
    uint32 internal constant FUND_COOLDOWN_MIN = 1 days;
    uint32 internal constant FUND_COOLDOWN_MAX = 30 days;
    /// @dev Seconds that a request stays open once it has cooled down.
    uint32 internal constant FUND_WINDOW = 2 days;
    /// @dev Part of a fund that one event may cost, and how long an event lasts.
    uint16 internal constant FUND_CAP_BPS = 3_000;
    uint16 internal constant FUND_CAP_MIN_BPS = 100;
    uint16 internal constant FUND_CAP_MAX_BPS = 10_000;
    uint32 internal constant FUND_EVENT_DURATION = 1 days;
    uint32 internal constant FUND_EVENT_DURATION_MIN = 1 hours;
    uint32 internal constant FUND_EVENT_DURATION_MAX = 7 days;
    /// @dev Gas for one call of a fund by the house. Our own needs less than half of it as a transaction of its own;
    /// one that burns it all cannot stop a settlement.
    uint256 internal constant FUND_GAS = 300_000;

    // ------------------------------------------------------------------ engine: bounds

    uint256 internal constant TARGET_HEALTH_FACTOR_MIN_BPS = 10_100;
    uint256 internal constant TARGET_HEALTH_FACTOR_MAX_BPS = 12_500;
    uint256 internal constant PENALTY_MAX_BPS = 500;
    uint256 internal constant INCENTIVE_SHARE_MAX_BPS = 6_000;
    uint256 internal constant FLOOR_MULTIPLIER_MIN_BPS = 5_000;
    uint256 internal constant FLOOR_MULTIPLIER_MAX_BPS = 9_500;
    uint256 internal constant TIP_VALUE_MAX = 100;
    uint256 internal constant DUST_VALUE_MIN = 10;
    uint256 internal constant DUST_VALUE_MAX = 10_000;
    uint256 internal constant TAIL_MIN = 10 minutes;
    uint256 internal constant TAIL_MAX = 24 hours;
    /// @dev A fee of 1 % and the widest slippage that a start may grant, 5 %.
    uint256 internal constant START_MULTIPLIER_MIN_WAD = 0.94e18;
    /// @dev Room for the widest oracle deviation and latency; a higher start only wastes time.
    uint256 internal constant START_MULTIPLIER_MAX_WAD = 1.1e18;
    /// @dev 1 % per hour, rounded up.
    uint256 internal constant DECAY_PER_SECOND_MIN_WAD = 0.01e18 / uint256(1 hours) + 1;
    /// @dev 1 % per 5 s.
    uint256 internal constant DECAY_PER_SECOND_MAX_WAD = 0.01e18 / uint256(5);

    // ------------------------------------------------------------------ curves and speed: bounds

    uint256 internal constant VOLATILITY_MIN_BPS = 50;
    uint256 internal constant VOLATILITY_MAX_BPS = 50_000;
    uint256 internal constant DEVIATION_MAX_BPS = 500;
    uint256 internal constant VENUE_FEE_MAX_PIPS = 10_000;
    uint256 internal constant RECOVERY_MIN = 12;
    uint256 internal constant RECOVERY_MAX = 1 hours;
    uint256 internal constant SLIPPAGE_LIMIT_MIN_BPS = 50;
    uint256 internal constant SLIPPAGE_LIMIT_MAX_BPS = 500;
    uint256 internal constant SHAPE_MIN_BPS = 1_000;
    uint256 internal constant SHAPE_MAX_BPS = 10_000;
    uint256 internal constant URGENCY_Z_MIN_BPS = 10_000;
    uint256 internal constant URGENCY_Z_MAX_BPS = 60_000;
    uint256 internal constant TAU_CLEAR_MIN = 1 minutes;
    uint256 internal constant TAU_CLEAR_MAX = 2 hours;
    uint256 internal constant CAPACITY_LOWEST = 1_000;
    uint256 internal constant CAPACITY_HIGHEST = 1_000_000_000;
    uint256 internal constant DEPTH_MAX_AGE_MIN = 1 minutes;
    uint256 internal constant DEPTH_MAX_AGE_MAX = 24 hours;
    uint256 internal constant CHOICE_TOLERANCE_MIN_BPS = 100;
    uint256 internal constant CHOICE_TOLERANCE_MAX_BPS = 50_000;

    // ------------------------------------------------------------------ validators

    /// @notice Checks an asset by itself: maxLtv < liquidationThreshold < 1, debtWeight from 1 to 2.
    /// @dev A threshold is never zero, so that no division by a collateral's weight can fail. The caps are free.
    function validateAsset(IClearingHouse.AssetParameters memory asset) internal pure {
        uint256 threshold = asset.liquidationThresholdBps;
        _requireWithin("liquidationThresholdBps", threshold, 1, LIQUIDATION_THRESHOLD_MAX_BPS);
        _requireWithin("maxLtvBps", asset.maxLtvBps, 0, threshold - 1);
        _requireWithin("debtWeightBps", asset.debtWeightBps, DEBT_WEIGHT_MIN_BPS, DEBT_WEIGHT_MAX_BPS);
        _requireWithin("reserveFactorBps", asset.reserveFactorBps, 0, RESERVE_FACTOR_MAX_BPS);
    }

    /// @notice Checks a rate model: rates rise with utilisation, the kink lies strictly between 0 and 1.
    function validateRateModel(IClearingHouse.RateModel memory model) internal pure {
        _requireWithin("fullRateBps", model.fullRateBps, 0, RATE_MAX_BPS);
        _requireWithin("kinkRateBps", model.kinkRateBps, 0, model.fullRateBps);
        _requireWithin("baseRateBps", model.baseRateBps, 0, model.kinkRateBps);
        _requireWithin("kinkBps", model.kinkBps, 1, BPS - 1);
    }

    /// @notice Checks the smallest debt after a borrow, WAD quote units.
    function validateSmallestBorrow(uint256 value) internal pure {
        _requireWithin("smallestBorrow", value, SMALLEST_BORROW_MIN, SMALLEST_BORROW_MAX);
    }

    /// @notice Checks the engine's parameters by themselves.
    /// @dev The chip may not exceed the share of the penalty that incentives may take, so that it is never cut while
    /// the whole penalty is collected and no tip is due.
    function validateEngine(ILiquidationEngine.EngineParameters memory engine) internal pure {
        _requireWithin(
            "targetHealthFactorBps",
            engine.targetHealthFactorBps,
            TARGET_HEALTH_FACTOR_MIN_BPS,
            TARGET_HEALTH_FACTOR_MAX_BPS
        );
        _requireWithin("penaltyBps", engine.penaltyBps, 0, PENALTY_MAX_BPS);
        _requireWithin("incentiveShareBps", engine.incentiveShareBps, 0, INCENTIVE_SHARE_MAX_BPS);
        uint256 incentive = uint256(engine.penaltyBps).bpsDown(engine.incentiveShareBps);
        _requireWithin("chipBps", engine.chipBps, 0, incentive);
        _requireWithin(
            "floorMultiplierBps", engine.floorMultiplierBps, FLOOR_MULTIPLIER_MIN_BPS, FLOOR_MULTIPLIER_MAX_BPS
        );
        _requireWithin("tipValue", engine.tipValue, 0, TIP_VALUE_MAX);
        _requireWithin("dustValue", engine.dustValue, DUST_VALUE_MIN, DUST_VALUE_MAX);
        _requireWithin("tail", engine.tail, TAIL_MIN, TAIL_MAX);
    }

    /// @notice Checks a curve by itself and against the engine's floor, which it must start at or above.
    function validateCurve(ILiquidationEngine.Curve memory curve, ILiquidationEngine.EngineParameters memory engine)
        internal
        pure
    {
        uint256 lowest = (engine.floorMultiplierBps * WAD_PER_BPS).max(START_MULTIPLIER_MIN_WAD);
        _requireWithin("startMultiplierWad", curve.startMultiplierWad, lowest, START_MULTIPLIER_MAX_WAD);
        _requireWithin("decayPerSecondWad", curve.decayPerSecondWad, DECAY_PER_SECOND_MIN_WAD, DECAY_PER_SECOND_MAX_WAD);
    }

    /// @notice Checks an asset against the engine and its curve: k * b < 1 with b = (1 + p) / m0, at the penalty start.
    /// @dev So a sale at the start of the curve restores health whatever the account holds, and `h > k * b / w` follows
    /// from h > 1 and w >= 1. Further down the curve the engine caps b by the account itself.
    /// Rounding: k * b UP, so that the check errs on the strict side.
    function validateTogether(
        IClearingHouse.AssetParameters memory asset,
        ILiquidationEngine.EngineParameters memory engine,
        ILiquidationEngine.Curve memory curve
    ) internal pure {
        uint256 factor = (WAD + engine.penaltyBps * WAD_PER_BPS).divUp(curve.startMultiplierWad);
        uint256 weighted = (asset.liquidationThresholdBps * WAD_PER_BPS).mulUp(factor);
        _requireWithin("threshold at penalty start", weighted, 0, WAD - 1);
    }

    /// @notice Checks budget and urgency: s0 is at most the slippage limit, B_min at most B_max.
    function validateSpeed(ILiquidationEngine.SpeedParameters memory speed) internal pure {
        uint256 limit = speed.slippageLimitBps;
        _requireWithin("recovery", speed.recovery, RECOVERY_MIN, RECOVERY_MAX);
        _requireWithin("slippageLimitBps", limit, SLIPPAGE_LIMIT_MIN_BPS, SLIPPAGE_LIMIT_MAX_BPS);
        _requireWithin("nearSlippageBps", speed.nearSlippageBps, 0, limit);
        _requireWithin("shapeBps", speed.shapeBps, SHAPE_MIN_BPS, SHAPE_MAX_BPS);
        _requireWithin("urgencyZBps", speed.urgencyZBps, URGENCY_Z_MIN_BPS, URGENCY_Z_MAX_BPS);
        _requireWithin("tauClear", speed.tauClear, TAU_CLEAR_MIN, TAU_CLEAR_MAX);
        _requireWithin("minCapacity", speed.minCapacity, CAPACITY_LOWEST, speed.maxCapacity);
        _requireWithin("maxCapacity", speed.maxCapacity, CAPACITY_LOWEST, CAPACITY_HIGHEST);
        _requireWithin("depthMaxAge", speed.depthMaxAge, DEPTH_MAX_AGE_MIN, DEPTH_MAX_AGE_MAX);
        uint256 tolerance = speed.choiceToleranceBps;
        _requireWithin("choiceToleranceBps", tolerance, CHOICE_TOLERANCE_MIN_BPS, CHOICE_TOLERANCE_MAX_BPS);
    }

    /// @notice Checks a level of the breaker.
    function validateBreaker(uint256 level) internal pure {
        _requireWithin("level", level, 0, BREAKER_LEVELS);
    }

    /// @notice Checks what curves follow from. The curves themselves are checked by `validateCurve`.
    function validateCurveInputs(ILiquidationEngine.CurveInputs memory inputs) internal pure {
        _requireWithin("volatilityBps", inputs.volatilityBps, VOLATILITY_MIN_BPS, VOLATILITY_MAX_BPS);
        _requireWithin("deviationBps", inputs.deviationBps, 0, DEVIATION_MAX_BPS);
        _requireWithin("venueFeePips", inputs.venueFeePips, 0, VENUE_FEE_MAX_PIPS);
    }

    /// @dev Reverts unless lower <= value <= upper.
    function _requireWithin(bytes32 name, uint256 value, uint256 lower, uint256 upper) private pure {
        if (value < lower || value > upper) revert IClearingHouse.ParameterOutOfBounds(name, value, lower, upper);
    }
}
