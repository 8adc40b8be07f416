// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";
import {Parameters} from "../libraries/Parameters.sol";
import {Quotes} from "../libraries/Quotes.sol";
import {Sizing} from "../libraries/Sizing.sol";
import {WAD, WadMath} from "../libraries/WadMath.sol";
import {EngineStorage} from "./engine/EngineStorage.sol";
import {Sales} from "./engine/Sales.sol";

/// @title Liquidation engine: one reserve price, several ways to meet it
/// @notice See `ILiquidationEngine` for what each function does. The parts, in `core/engine`: what is stored
/// (EngineStorage), how far reserves have fallen (Clocks), what every sale has in common (Sales), and, forwarded to,
/// how auctions begin and end (EngineAuctions), how a sale reaches a venue or a dealer (EngineRoutes), what governance
/// does (EngineGovernance); the arithmetic is in `Sizing`, `ReserveCurve`, `ReleaseBudget`, `Urgency`,
/// `CurveParameters`.
/// Here: the open take, and what can be read.
/// @dev Holds no tokens. Every function that changes state holds one transient lock, and writes its own state before it
/// calls the clearing house, which alone calls out to takers and venues.
contract LiquidationEngine is ILiquidationEngine, Sales, Multicall {
    using WadMath for uint256;

    /// @dev Code that other functions run, in this contract's storage.
    address private immutable _auctioneer;
    address private immutable _routes;
    address private immutable _governance;

    /// @param authority AccessManager that governs. @param house The clearing house that this engine settles for.
    /// @param auctions An `EngineAuctions` of that house. @param routes An `EngineRoutes` of it.
    /// @param governance An `EngineGovernance` of it.
    constructor(address authority, address house, address auctions, address routes, address governance)
        AccessManaged(authority)
        EngineStorage(house)
    {
        (_auctioneer, _routes, _governance) = (auctions, routes, governance);
        _storeParameters(
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
        _storeSpeed(
            SpeedParameters({
                recovery: Parameters.RECOVERY,
                slippageLimitBps: Parameters.SLIPPAGE_LIMIT_BPS,
                nearSlippageBps: Parameters.NEAR_SLIPPAGE_BPS,
                shapeBps: Parameters.SHAPE_BPS,
                urgencyZBps: Parameters.URGENCY_Z_BPS,
                tauClear: Parameters.TAU_CLEAR,
                minCapacity: Parameters.CAPACITY_MIN,
                maxCapacity: Parameters.CAPACITY_MAX,
                depthMaxAge: Parameters.DEPTH_MAX_AGE,
                choiceToleranceBps: Parameters.CHOICE_TOLERANCE_BPS
            })
        );
    }

    // ------------------------------------------------------------------ take

    /// @inheritdoc ILiquidationEngine
    function take(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 maxSeized,
        uint256 maxPrice,
        address recipient,
        bytes calldata data
    ) external nonReentrant returns (uint256 seized, uint256 payment) {
        Context memory context = _open(account, collateralId, debtId);
        uint256 price = context.reserve.multiplier.mulUp(context.position.collateralPrice);
        if (price > maxPrice) revert PriceAboveLimit(price, maxPrice);
        _requireChoice(context, context.reserve);
        Sizing.Sale memory sale = _largest(context);
        if (maxSeized < sale.seized) sale = Sizing.partly(context.position, context.reserve, maxSeized);
        _draw(context, sale.seized);
        (IClearingHouse.Settlement memory settlement, bool spent) = _conclude(context, context.reserve, sale, WAD);
        settlement.multiplierWad = uint64(context.reserve.multiplier.min(type(uint64).max));
        payment = _house.settleTake(settlement, msg.sender, recipient, data);
        _follow(context, sale, spent);
        return (sale.seized, payment);
    }

    /// @dev The largest slice at the reserve that the budgets release.
    function _largest(Context memory context) private view returns (Sizing.Sale memory sale) {
        sale = Sizing.largest(context.position, context.reserve, context.rules);
        uint256 released = _released(context, context.reserve, sale.seized);
        if (released < sale.seized) sale = Sizing.partly(context.position, context.reserve, released);
    }

    // ------------------------------------------------------------------ views: auctions

    /// @inheritdoc ILiquidationEngine
    function auction(address account) external view returns (Auction memory) {
        AuctionData memory data = _auctions[account];
        return Auction(data.kicker, data.kickedAt, data.epoch, data.kickedAt != 0 && data.tipOwed == 0);
    }

    /// @inheritdoc ILiquidationEngine
    function auctionLeg(address account, uint8 assetId) external view returns (AuctionLeg memory) {
        return _legs[account][assetId];
    }

    /// @inheritdoc ILiquidationEngine
    function reservePrice(address account, uint8 collateralId) external view returns (uint256) {
        Settings memory settings = _settings;
        _requireBelow(settings, NO_SETTLEMENT);
        IClearingHouse.AccountState memory state = _flaggedState(account, collateralId);
        _requireUnhealthy(account, state);
        _requireNotLapsed(account, _auctions[account], state.epoch, settings);
        Pace memory pace = _pace(account, state, settings);
        (bool running, uint256 multiplier_,) = _multiplier(account, collateralId, state.epoch, pace);
        for (uint256 i = 0; running && i < state.legs.length; ++i) {
            if (state.legs[i].assetId == collateralId) return multiplier_.mulUp(state.legs[i].price);
        }
        revert AuctionMissing(account, collateralId);
    }

    /// @inheritdoc ILiquidationEngine
    function multiplier(address account, uint8 collateralId)
        external
        view
        returns (bool running, uint256 multiplierWad)
    {
        IClearingHouse.AccountState memory state = _stateOf(account);
        if (!state.flagged) return (false, WAD);
        Pace memory pace = _pace(account, state, _settings);
        (running, multiplierWad,) = _multiplier(account, collateralId, state.epoch, pace);
    }

    /// @inheritdoc ILiquidationEngine
    function largestSlice(address account, uint8 collateralId, uint8 debtId) external view returns (Slice memory) {
        Context memory context = _open(account, collateralId, debtId);
        _requireChoice(context, context.reserve);
        Sizing.Sale memory sale = _largest(context);
        if (sale.seized == 0 || sale.payment == 0) revert SliceEmpty();
        return Slice({
            seized: sale.seized,
            payment: sale.payment,
            repaid: sale.repaid,
            cancelled: sale.cancelled,
            multiplierWad: context.reserve.multiplier,
            insolvent: context.reserve.insolvent
        });
    }

    // ------------------------------------------------------------------ views: settings

    /// @inheritdoc ILiquidationEngine
    function parameters() external view returns (EngineParameters memory) {
        return _parametersOf(_settings);
    }

    /// @inheritdoc ILiquidationEngine
    function speedParameters() external view returns (SpeedParameters memory) {
        return _speedParameters();
    }

    /// @inheritdoc ILiquidationEngine
    function curve(uint8 assetId) external view returns (Curve memory) {
        return _nearCurve(_curveData(assetId), _speed.nearSlippageBps);
    }

    /// @inheritdoc ILiquidationEngine
    function farCurve(uint8 assetId) external view returns (Curve memory) {
        return _farCurve(_curveData(assetId));
    }

    /// @inheritdoc ILiquidationEngine
    function curveInputs(uint8 assetId) external view returns (CurveInputs memory) {
        CurveData memory data = _curveData(assetId);
        return CurveInputs(data.volatilityBps, data.deviationBps, data.venueFeePips);
    }

    /// @inheritdoc ILiquidationEngine
    function budgeted() external view returns (uint64) {
        return _speed.budgeted;
    }

    /// @inheritdoc ILiquidationEngine
    function bucket(uint8 assetId, Side side) external view returns (Bucket memory) {
        return _buckets[assetId][side];
    }

    /// @inheritdoc ILiquidationEngine
    function bucketNow(uint8 assetId, Side side) external view returns (Bucket memory) {
        return _bucketNow(assetId, side, _speedParameters());
    }

    /// @inheritdoc ILiquidationEngine
    function buyClock(address account, uint8 debtId) external view returns (uint48 clockAt, uint32 epoch) {
        BuyClock memory start = _buyClocks[account][debtId];
        return (start.clockAt, start.epoch);
    }

    /// @inheritdoc ILiquidationEngine
    function marketDepth() external view returns (address) {
        return _marketDepth;
    }

    /// @inheritdoc ILiquidationEngine
    function isVenue(address venue) public view returns (bool) {
        return _venues[venue];
    }

    /// @inheritdoc ILiquidationEngine
    function breaker() external view returns (uint8 level, uint40 until, uint40 resumedAt) {
        Settings memory settings = _settings;
        return (_level(settings), settings.until, _resumedAt(settings));
    }

    /// @inheritdoc ILiquidationEngine
    function quoteHash(Quote calldata quote) external view returns (bytes32) {
        return Quotes.digest(quote);
    }

    /// @inheritdoc ILiquidationEngine
    function filled(bytes32 hash) external view returns (uint128) {
        return _filled[hash];
    }

    /// @inheritdoc ILiquidationEngine
    function nonceBitmap(address dealer, uint256 word) external view returns (uint256) {
        return _nonceBitmap[dealer][word];
    }

    /// @inheritdoc ILiquidationEngine
    function clearingHouse() external view returns (address) {
        return address(_house);
    }

    // ------------------------------------------------------------------ forwarded: routes

    /// @inheritdoc ILiquidationEngine
    function swap(address, uint8, uint8, uint256, uint256, address, bytes calldata)
        external
        returns (uint256, uint256)
    {
        _forward(_routes);
    }

    /// @inheritdoc ILiquidationEngine
    function fill(Quote calldata, bytes calldata, uint256) external returns (uint256, uint256) {
        _forward(_routes);
    }

    // ------------------------------------------------------------------ forwarded: auctions

    /// @inheritdoc ILiquidationEngine
    function kick(address, uint8[] calldata) external returns (bool) {
        _forward(_auctioneer);
    }

    /// @inheritdoc ILiquidationEngine
    function redo(address, uint8[] calldata) external {
        _forward(_auctioneer);
    }

    /// @inheritdoc ILiquidationEngine
    function lapse(address) external {
        _forward(_auctioneer);
    }

    /// @inheritdoc ILiquidationEngine
    function clear(address) external {
        _forward(_auctioneer);
    }

    /// @inheritdoc ILiquidationEngine
    function net(address, uint8) external returns (uint256) {
        _forward(_auctioneer);
    }

    /// @inheritdoc ILiquidationEngine
    function end(address) external {
        _forward(_auctioneer);
    }

    /// @inheritdoc ILiquidationEngine
    function mark(address) external returns (uint256) {
        _forward(_auctioneer);
    }

    // ------------------------------------------------------------------ forwarded: governance

    /// @inheritdoc ILiquidationEngine
    function poke(uint8) external {
        _forward(_governance);
    }

    /// @inheritdoc ILiquidationEngine
    function invalidateNonce(uint256) external {
        _forward(_governance);
    }

    /// @inheritdoc ILiquidationEngine
    function invalidateWord(uint256, uint256) external {
        _forward(_governance);
    }

    /// @inheritdoc ILiquidationEngine
    function trip(uint8) external {
        _forward(_governance);
    }

    /// @inheritdoc ILiquidationEngine
    function setParameters(EngineParameters calldata) external {
        _forward(_governance);
    }

    /// @inheritdoc ILiquidationEngine
    function setSpeedParameters(SpeedParameters calldata) external {
        _forward(_governance);
    }

    /// @inheritdoc ILiquidationEngine
    function setCurveInputs(uint8, CurveInputs calldata) external {
        _forward(_governance);
    }

    /// @inheritdoc ILiquidationEngine
    function setBudgeted(uint8, bool) external {
        _forward(_governance);
    }

    /// @inheritdoc ILiquidationEngine
    function setMarketDepth(address) external {
        _forward(_governance);
    }

    /// @inheritdoc ILiquidationEngine
    function setVenue(address, bool) external {
        _forward(_governance);
    }

    /// @inheritdoc ILiquidationEngine
    function setBreaker(uint8, uint40) external {
        _forward(_governance);
    }

    /// @dev Runs the same call in the code of a module, which takes the lock and asks the authority, and ends the call
    /// with its answer.
    function _forward(address module) private {
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let success := delegatecall(gas(), module, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(success) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }
}
