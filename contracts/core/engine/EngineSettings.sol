// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {Parameters} from "../../libraries/Parameters.sol";

/// @title What governance sets on the liquidation engine
/// @dev Parameters and the halt share one slot, which every call reads once. What is set is checked against every
/// listed asset, so that no order of settings leads to a pair that does not fit.
abstract contract EngineSettings is ILiquidationEngine, AccessManaged {
    /// @dev `EngineParameters` and the halt, flat, so that they take one slot.
    struct Settings {
        uint16 targetHealthFactorBps;
        uint16 penaltyBps;
        uint16 chipBps;
        uint16 incentiveShareBps;
        uint16 floorMultiplierBps;
        uint16 tipValue;
        uint16 dustValue;
        uint32 tail;
        bool halted;
        uint40 resumedAt;
    }

    IClearingHouse internal immutable _house;

    Settings internal _settings;
    mapping(uint8 assetId => Curve) private _curves;
    mapping(address venue => bool) private _venues;

    /// @param authority AccessManager that governs. @param house The clearing house that this engine settles for.
    constructor(address authority, address house) AccessManaged(authority) {
        _house = IClearingHouse(house);
        _store(
            EngineParameters({
                targetHealthFactorBps: Parameters.TARGET_HEALTH_FACTOR_BPS,
                penaltyBps: Parameters.PENALTY_BPS,
                chipBps: Parameters.CHIP_BPS,
                incentiveShareBps: Parameters.INCENTIVE_SHARE_BPS,
                floorMultiplierBps: Parameters.FLOOR_MULTIPLIER_BPS,
                tipValue: Parameters.TIP_VALUE,
                dustValue: Parameters.DUST_VALUE,
                tail: Parameters.TAIL
            })
        );
    }

    // ------------------------------------------------------------------ governance

    /// @inheritdoc ILiquidationEngine
    function setParameters(EngineParameters calldata parameters_) external restricted {
        uint8 assets = _house.assetCount();
        for (uint8 assetId = 0; assetId < assets; ++assetId) {
            Curve memory ofAsset = curve(assetId);
            Parameters.validateCurve(ofAsset, parameters_);
            Parameters.validateTogether(_house.assetParameters(assetId), parameters_, ofAsset);
        }
        _store(parameters_);
    }

    /// @inheritdoc ILiquidationEngine
    /// @dev Auctions that run keep the curve of their kick.
    function setCurve(uint8 assetId, Curve calldata curve_) external restricted {
        EngineParameters memory current = parameters();
        Parameters.validateCurve(curve_, current);
        Parameters.validateTogether(_house.assetParameters(assetId), current, curve_);
        _curves[assetId] = curve_;
        emit CurveSet(assetId, curve_);
    }

    /// @inheritdoc ILiquidationEngine
    function setVenue(address venue, bool allowed) external restricted {
        _venues[venue] = allowed;
        emit VenueSet(venue, allowed);
    }

    /// @inheritdoc ILiquidationEngine
    /// @dev Resuming what was not halted changes nothing: it would make every auction lapse.
    function setHalted(bool halted_) external restricted {
        if (_settings.halted && !halted_) _settings.resumedAt = uint40(block.timestamp);
        _settings.halted = halted_;
        emit HaltSet(halted_, _settings.resumedAt);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc ILiquidationEngine
    function parameters() public view returns (EngineParameters memory) {
        Settings memory settings = _settings;
        return EngineParameters({
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

    /// @inheritdoc ILiquidationEngine
    /// @dev The default of `Parameters` until one is set, so that no listed asset is beyond liquidation.
    function curve(uint8 assetId) public view returns (Curve memory ofAsset) {
        ofAsset = _curves[assetId];
        if (ofAsset.startMultiplierWad == 0) {
            return Curve(Parameters.START_MULTIPLIER_WAD, Parameters.DECAY_PER_SECOND_WAD);
        }
    }

    /// @inheritdoc ILiquidationEngine
    function isVenue(address venue) public view returns (bool) {
        return _venues[venue];
    }

    /// @inheritdoc ILiquidationEngine
    function halt() external view returns (bool halted, uint40 resumedAt) {
        return (_settings.halted, _settings.resumedAt);
    }

    /// @inheritdoc ILiquidationEngine
    function clearingHouse() external view returns (address) {
        return address(_house);
    }

    // ------------------------------------------------------------------ steps

    /// @dev The settings, unless liquidations are halted.
    function _requireOpen() internal view returns (Settings memory settings) {
        settings = _settings;
        if (settings.halted) revert Halted();
    }

    /// @dev Checks parameters by themselves and keeps them beside the halt, which stays as it is.
    function _store(EngineParameters memory parameters_) private {
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
        emit EngineParametersSet(parameters_);
    }
}
