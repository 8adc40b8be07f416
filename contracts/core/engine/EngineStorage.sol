// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {CurveParameters} from "../../libraries/CurveParameters.sol";
import {Parameters} from "../../libraries/Parameters.sol";

/// @title What the liquidation engine remembers
/// @notice The one storage layout, shared by the engine and its parts, which run in it by delegatecall.
/// @dev Laid out for the settlement path: two slots of settings, one per auction, one per leg, one per bucket. No other
/// contract part may declare storage.
abstract contract EngineStorage is AccessManaged, ReentrancyGuardTransient {
    /// @dev One slot: `EngineParameters`, the slippage limit, and the breaker. `level` counts until `until`;
    /// `resumedAt` is when a level 3 before it ended.
    struct Settings {
        uint16 targetHealthFactorBps;
        uint16 penaltyBps;
        uint16 chipBps;
        uint16 incentiveShareBps;
        uint16 floorMultiplierBps;
        uint16 tipValue;
        uint16 dustValue;
        uint32 tail;
        uint16 slippageLimitBps;
        uint8 level;
        uint40 until;
        uint40 resumedAt;
    }

    /// @dev One slot: the rest of `SpeedParameters`, and the assets that have buckets.
    struct Speed {
        uint64 budgeted;
        uint16 recovery;
        uint16 nearSlippageBps;
        uint16 shapeBps;
        uint16 urgencyZBps;
        uint24 tauClear;
        uint32 minCapacity;
        uint32 maxCapacity;
        uint24 depthMaxAge;
        uint16 choiceToleranceBps;
    }

    /// @dev One slot: the inputs of an asset's curves, and what was computed from them.
    struct CurveData {
        uint64 farStartMultiplierWad;
        uint64 decayPerSecondWad;
        uint16 volatilityBps;
        uint16 deviationBps;
        uint24 venueFeePips;
    }

    /// @dev One slot. `tipOwed` is what is left of the kicker's tip, in thousandths of a quote unit: 24 bits hold far
    /// more than the largest tip. A tip is paid from the first proceeds, as far as they reach, however they are sliced.
    /// `traits` are `HAS_MEMBERS` and `INSOLVENT`, or none. Times of 32 bits last until the year 2106.
    struct AuctionData {
        address kicker;
        uint32 kickedAt;
        uint32 epoch;
        uint24 tipOwed;
        uint8 traits;
    }

    /// @dev One slot: what counts in an auction until its end, whether it is sold out and repaid by then or not. Kept
    /// where an account has more than one pair; that of a single one ends with it.
    /// @param legs Collaterals whose reserves were started.
    /// @param debts Debts whose clocks were noted.
    struct Members {
        uint64 legs;
        uint64 debts;
    }

    /// @dev One slot: the clock of a debt's buy side at the kick of `epoch`.
    struct BuyClock {
        uint48 clockAt;
        uint32 epoch;
    }

    /// @dev Trait of an auction: `_members` is of it.
    uint8 internal constant HAS_MEMBERS = 1;
    /// @dev Trait of an auction: the account was worth less than its debt, at the oracle's prices, when it began.
    uint8 internal constant INSOLVENT = 2;
    /// @dev Steps of `tipOwed` in a quote unit.
    uint256 internal constant TIP_STEPS = 1_000;
    /// @dev Breaker levels: what each stops, and all below it.
    uint8 internal constant NO_KICK = 1;
    uint8 internal constant NO_REDO = 2;
    uint8 internal constant NO_SETTLEMENT = 3;

    IClearingHouse internal immutable _house;

    Settings internal _settings;
    Speed internal _speed;
    address internal _marketDepth;
    mapping(uint8 assetId => CurveData) internal _curves;
    mapping(address venue => bool) internal _venues;
    mapping(uint8 assetId => mapping(ILiquidationEngine.Side side => ILiquidationEngine.Bucket)) internal _buckets;
    mapping(address account => AuctionData) internal _auctions;
    mapping(address account => Members) internal _members;
    mapping(address account => mapping(uint8 assetId => ILiquidationEngine.AuctionLeg)) internal _legs;
    mapping(address account => mapping(uint8 debtId => BuyClock)) internal _buyClocks;
    mapping(bytes32 quoteHash => uint128) internal _filled;
    mapping(address dealer => mapping(uint256 word => uint256)) internal _nonceBitmap;

    /// @param house The clearing house that this engine settles for.
    constructor(address house) {
        _house = IClearingHouse(house);
    }

    // ------------------------------------------------------------------ settings

    /// @dev The breaker's level at this moment.
    function _level(Settings memory settings) internal view returns (uint8) {
        return block.timestamp < settings.until ? settings.level : 0;
    }

    /// @dev When settlements were last possible again after a level 3.
    function _resumedAt(Settings memory settings) internal view returns (uint40) {
        bool expired = settings.level == NO_SETTLEMENT && block.timestamp >= settings.until;
        return expired ? settings.until : settings.resumedAt;
    }

    /// @dev Refuses while the breaker stands at `level` or above.
    function _requireBelow(Settings memory settings, uint8 level) internal view {
        if (_level(settings) >= level) revert ILiquidationEngine.BreakerOpen(settings.level, settings.until);
    }

    /// @dev `SpeedParameters` from the two slots.
    function _speedParameters() internal view returns (ILiquidationEngine.SpeedParameters memory result) {
        _readSpeed(result);
    }

    /// @dev The same, into memory that is there already.
    function _readSpeed(ILiquidationEngine.SpeedParameters memory result) internal view {
        Speed storage speed = _speed;
        (result.recovery, result.slippageLimitBps) = (speed.recovery, _settings.slippageLimitBps);
        (result.nearSlippageBps, result.shapeBps) = (speed.nearSlippageBps, speed.shapeBps);
        (result.urgencyZBps, result.tauClear) = (speed.urgencyZBps, speed.tauClear);
        (result.minCapacity, result.maxCapacity) = (speed.minCapacity, speed.maxCapacity);
        (result.depthMaxAge, result.choiceToleranceBps) = (speed.depthMaxAge, speed.choiceToleranceBps);
    }

    /// @dev `EngineParameters` from their slot.
    function _parametersOf(Settings memory settings)
        internal
        pure
        returns (ILiquidationEngine.EngineParameters memory)
    {
        return ILiquidationEngine.EngineParameters({
            targetHealthFactorBps: settings.targetHealthFactorBps,
            penaltyBps: settings.penaltyBps,
            chipBps: settings.chipBps,
            incentiveShareBps: settings.incentiveShareBps,
            floorMultiplierBps: settings.floorMultiplierBps,
            tipValue: settings.tipValue,
            dustValue: settings.dustValue,
            tail: settings.tail
        });
    }

    /// @dev Checks parameters by themselves and keeps them beside the breaker, which stays as it is.
    function _storeParameters(ILiquidationEngine.EngineParameters memory parameters_) internal {
        Parameters.validateEngine(parameters_);
        Settings storage settings = _settings;
        settings.targetHealthFactorBps = parameters_.targetHealthFactorBps;
        settings.penaltyBps = parameters_.penaltyBps;
        settings.chipBps = parameters_.chipBps;
        settings.incentiveShareBps = parameters_.incentiveShareBps;
        settings.floorMultiplierBps = parameters_.floorMultiplierBps;
        settings.tipValue = parameters_.tipValue;
        settings.dustValue = parameters_.dustValue;
        settings.tail = parameters_.tail;
        emit ILiquidationEngine.EngineParametersSet(parameters_);
    }

    /// @dev The same for the parameters of budget and urgency.
    function _storeSpeed(ILiquidationEngine.SpeedParameters memory parameters_) internal {
        Parameters.validateSpeed(parameters_);
        Speed storage speed = _speed;
        _settings.slippageLimitBps = parameters_.slippageLimitBps;
        speed.recovery = parameters_.recovery;
        speed.nearSlippageBps = parameters_.nearSlippageBps;
        speed.shapeBps = parameters_.shapeBps;
        speed.urgencyZBps = parameters_.urgencyZBps;
        speed.tauClear = parameters_.tauClear;
        speed.minCapacity = parameters_.minCapacity;
        speed.maxCapacity = parameters_.maxCapacity;
        speed.depthMaxAge = parameters_.depthMaxAge;
        speed.choiceToleranceBps = parameters_.choiceToleranceBps;
        emit ILiquidationEngine.SpeedParametersSet(parameters_);
    }

    // ------------------------------------------------------------------ curves

    /// @dev Inputs and curve of an asset: those of `Parameters` until some are set, so that no listed asset is beyond
    /// liquidation.
    function _curveData(uint8 assetId) internal view returns (CurveData memory data) {
        data = _curves[assetId];
        if (data.volatilityBps == 0) {
            data = _curveOf(
                ILiquidationEngine.CurveInputs(
                    Parameters.VOLATILITY_BPS, Parameters.DEVIATION_BPS, Parameters.VENUE_FEE_PIPS
                )
            );
        }
    }

    /// @dev What curves follow from inputs.
    function _curveOf(ILiquidationEngine.CurveInputs memory inputs) internal pure returns (CurveData memory) {
        return CurveData({
            farStartMultiplierWad: CurveParameters.farStartUp(inputs),
            decayPerSecondWad: CurveParameters.decayDown(inputs.volatilityBps),
            volatilityBps: inputs.volatilityBps,
            deviationBps: inputs.deviationBps,
            venueFeePips: inputs.venueFeePips
        });
    }

    /// @dev The curve of a lot within the near depth whose pools pay no more than the oracle: the lowest that a kick
    /// gives.
    function _nearCurve(CurveData memory data, uint256 nearSlippageBps)
        internal
        pure
        returns (ILiquidationEngine.Curve memory)
    {
        return ILiquidationEngine.Curve(
            CurveParameters.nearStart(data.venueFeePips, nearSlippageBps), data.decayPerSecondWad
        );
    }

    /// @dev The lowest curve of a larger lot.
    function _farCurve(CurveData memory data) internal pure returns (ILiquidationEngine.Curve memory) {
        return ILiquidationEngine.Curve(data.farStartMultiplierWad, data.decayPerSecondWad);
    }
}
