// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {IPriceOracle} from "../../interfaces/IPriceOracle.sol";
import {IMarketDepth} from "../../interfaces/IMarketDepth.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {BinaryFloat} from "../../libraries/BinaryFloat.sol";
import {Parameters} from "../../libraries/Parameters.sol";
import {Quotes} from "../../libraries/Quotes.sol";
import {ReleaseBudget} from "../../libraries/ReleaseBudget.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {Clocks} from "./Clocks.sol";
import {EngineStorage} from "./EngineStorage.sol";

/// @title What governance sets on the liquidation engine, and what else is rare
/// @notice Code that the engine runs by delegatecall, in its own storage: it would weigh on the contract that every
/// settlement calls. The engine declares the same functions and forwards them unchanged. See `ILiquidationEngine`.
/// @dev Who may call what, and after which delay, is the AccessManager's to say; bounds are in `Parameters`. What is
/// set is checked against every listed asset, so that no order of settings leads to a pair that does not fit. Called
/// directly, this contract has no authority, hence refuses everything that is governed.
contract EngineGovernance is Clocks {
    using AssetBitmap for uint64;
    using WadMath for uint256;

    /// @dev The engine's authority is in the engine's storage.
    constructor(address house) AccessManaged(address(0)) EngineStorage(house) {}

    // ------------------------------------------------------------------ parameters

    /// @notice Sets the engine's parameters.
    function setParameters(ILiquidationEngine.EngineParameters calldata parameters) external nonReentrant restricted {
        _requireCurves(parameters, _speed.nearSlippageBps);
        _storeParameters(parameters);
    }

    /// @notice Sets the parameters of budget and urgency. Auctions that run keep the curve of their kick.
    function setSpeedParameters(ILiquidationEngine.SpeedParameters calldata parameters)
        external
        nonReentrant
        restricted
    {
        _storeSpeed(parameters);
        _requireCurves(_parametersOf(_settings), parameters.nearSlippageBps);
    }

    /// @notice Sets what the curves of a collateral follow from. Auctions that run keep the curve of their kick.
    function setCurveInputs(uint8 assetId, ILiquidationEngine.CurveInputs calldata inputs)
        external
        nonReentrant
        restricted
    {
        Parameters.validateCurveInputs(inputs);
        CurveData memory data = _curveOf(inputs);
        _requireCurve(assetId, data, _parametersOf(_settings), _speed.nearSlippageBps);
        _curves[assetId] = data;
        emit ILiquidationEngine.CurveSet(assetId, inputs, _farCurve(data));
    }

    /// @dev Checks the curves of every listed asset.
    function _requireCurves(ILiquidationEngine.EngineParameters memory parameters, uint256 nearSlippageBps)
        private
        view
    {
        uint8 assets = _house.assetCount();
        for (uint8 assetId = 0; assetId < assets; ++assetId) {
            _requireCurve(assetId, _curveData(assetId), parameters, nearSlippageBps);
        }
    }

    /// @dev Checks both curves by themselves, and the near one, where b is largest, against the asset.
    function _requireCurve(
        uint8 assetId,
        CurveData memory data,
        ILiquidationEngine.EngineParameters memory parameters,
        uint256 nearSlippageBps
    ) private view {
        ILiquidationEngine.Curve memory near = _nearCurve(data, nearSlippageBps);
        Parameters.validateCurve(near, parameters);
        Parameters.validateCurve(_farCurve(data), parameters);
        Parameters.validateTogether(_house.assetParameters(assetId), parameters, near);
    }

    // ------------------------------------------------------------------ markets

    /// @notice Gives an asset release budgets, or takes them away.
    function setBudgeted(uint8 assetId, bool budgeted) external nonReentrant restricted {
        _house.asset(assetId); // reverts where nothing is listed
        uint64 assets = _speed.budgeted;
        _speed.budgeted = budgeted ? assets.with(assetId) : assets.without(assetId);
        emit ILiquidationEngine.BudgetedSet(assetId, budgeted);
    }

    /// @notice Sets where depth is read.
    function setMarketDepth(address marketDepth) external nonReentrant restricted {
        _marketDepth = marketDepth;
        emit ILiquidationEngine.MarketDepthSet(marketDepth);
    }

    /// @notice Allows or refuses a venue.
    function setVenue(address venue, bool allowed) external nonReentrant restricted {
        _venues[venue] = allowed;
        emit ILiquidationEngine.VenueSet(venue, allowed);
    }

    /// @notice Reads the depth of an asset's market for its buckets, and what its pools paid of late.
    /// @dev What was sold before stays on the market, whatever its capacity is now.
    function poke(uint8 assetId) external nonReentrant {
        ILiquidationEngine.SpeedParameters memory speed = _speedParameters();
        address marketDepth = _marketDepth;
        if (marketDepth == address(0)) revert ILiquidationEngine.MarketDepthMissing(assetId);
        (uint256 sold, uint256 bought, uint256 meanPrice) =
            IMarketDepth(marketDepth).survey(assetId, speed.slippageLimitBps);
        _poke(assetId, ILiquidationEngine.Side.SELL, sold, BinaryFloat.packUp(meanPrice), speed);
        emit ILiquidationEngine.Poked(
            assetId, ILiquidationEngine.Side.SELL, ReleaseBudget.capacityOf(sold, speed), sold, meanPrice
        );
        _poke(assetId, ILiquidationEngine.Side.BUY, bought, BinaryFloat.packDown(meanPrice), speed);
        emit ILiquidationEngine.Poked(
            assetId, ILiquidationEngine.Side.BUY, ReleaseBudget.capacityOf(bought, speed), bought, meanPrice
        );
    }

    function _poke(
        uint8 assetId,
        ILiquidationEngine.Side side,
        uint256 depth,
        uint32 meanPrice,
        ILiquidationEngine.SpeedParameters memory speed
    ) private {
        ILiquidationEngine.Bucket memory market = _bucketNow(assetId, side, speed);
        ReleaseBudget.resize(market, ReleaseBudget.capacityOf(depth, speed));
        market.pokedAt = uint32(block.timestamp);
        market.meanPrice = meanPrice;
        _buckets[assetId][side] = market;
    }

    // ------------------------------------------------------------------ breaker

    /// @notice Sets the breaker.
    /// @dev Lifting what does not stand changes nothing: else it would make every auction lapse.
    function setBreaker(uint8 level, uint40 until) external nonReentrant restricted {
        Parameters.validateBreaker(level);
        _setBreaker(level, until);
    }

    function _setBreaker(uint8 level, uint40 until) private {
        Settings memory settings = _settings;
        uint40 resumedAt = _resumedAt(settings);
        bool stopped = _level(settings) == NO_SETTLEMENT;
        if (stopped && (level != NO_SETTLEMENT || until <= block.timestamp)) resumedAt = uint40(block.timestamp);
        if (until <= block.timestamp) level = 0;
        (_settings.level, _settings.until, _settings.resumedAt) = (level, until, resumedAt);
        emit ILiquidationEngine.BreakerSet(level, until, resumedAt);
    }

    /// @notice Stops settlements for 30 minutes after a round in which a price fell beyond tolerance.
    /// @dev The time runs from the round, so that no round trips twice, and none that was seen before settlements were
    /// resumed trips at all: a crash must not be able to switch liquidations off for longer.
    function trip(uint8 assetId) external nonReentrant {
        (address token,) = _house.asset(assetId);
        (uint256 dropBps, uint256 updatedAt) = IPriceOracle(_house.oracle()).lastDrop(token);
        Settings memory settings = _settings;
        uint256 until = updatedAt + Parameters.TRIP_DURATION;
        bool prolongs = _level(settings) < NO_SETTLEMENT || until > settings.until;
        bool news = updatedAt <= block.timestamp && updatedAt > _resumedAt(settings) && block.timestamp < until;
        if (dropBps <= Parameters.TRIP_DROP_BPS || !news || !prolongs) {
            revert ILiquidationEngine.TripRefused(assetId, dropBps, updatedAt);
        }
        _setBreaker(NO_SETTLEMENT, uint40(until));
    }

    // ------------------------------------------------------------------ quotes

    /// @notice Cancels one nonce of the caller.
    function invalidateNonce(uint256 nonce) external nonReentrant {
        (uint256 word, uint256 bit) = Quotes.position(nonce);
        _invalidate(word, bit);
    }

    /// @notice Cancels the nonces of a word of the caller whose bit is set in `mask`.
    function invalidateWord(uint256 word, uint256 mask) external nonReentrant {
        _invalidate(word, mask);
    }

    function _invalidate(uint256 word, uint256 mask) private {
        _nonceBitmap[msg.sender][word] |= mask;
        emit ILiquidationEngine.NoncesInvalidated(msg.sender, word, mask);
    }
}
