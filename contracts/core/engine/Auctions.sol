// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {ReserveCurve} from "../../libraries/ReserveCurve.sol";
import {WAD, WAD_PER_BPS, WadMath} from "../../libraries/WadMath.sol";
import {EngineSettings} from "./EngineSettings.sol";

/// @title How auctions begin, lapse and end
/// @dev The flag and the epoch are the clearing house's; here is what was true at the kick. An auction or a leg counts
/// only while the account is flagged and its epoch is the one stored, so whatever ends an auction, a cure included,
/// voids all of it without a call here.
abstract contract Auctions is EngineSettings, ReentrancyGuardTransient {
    using AssetBitmap for uint64;
    using WadMath for uint256;

    /// @dev One slot. `tipOwed` is what is left of the kicker's tip, in thousandths of a quote unit: 24 bits hold far
    /// more than the largest tip. A tip is paid from the first proceeds, as far as they reach, however they are sliced.
    struct AuctionData {
        address kicker;
        uint40 kickedAt;
        uint32 epoch;
        uint24 tipOwed;
    }

    /// @dev In errors about a whole auction, where an asset id would stand.
    uint8 internal constant NO_ASSET = type(uint8).max;
    /// @dev Steps of `tipOwed` in a quote unit.
    uint256 internal constant TIP_STEPS = 1_000;

    mapping(address account => AuctionData) internal _auctions;
    mapping(address account => mapping(uint8 assetId => AuctionLeg)) private _legs;

    // ------------------------------------------------------------------ begin

    /// @inheritdoc ILiquidationEngine
    /// @dev An account with less collateral than dust and than debt is written off on the spot: an auction would cost
    /// more than it brings.
    function kick(address account, uint8[] calldata collateralIds) external nonReentrant returns (bool kicked) {
        Settings memory settings = _requireOpen();
        (,,,, uint40 lastRiskBlock) = _house.accountInfo(account);
        if (lastRiskBlock == block.number) revert CoolingOff(account, block.number);
        IClearingHouse.AccountState memory state = _unhealthyState(account);
        state = _netted(account, state);
        if (_needsNoAuction(account, state, settings)) return false;
        if (state.flagged) {
            _requireNotLapsed(account, state.epoch, settings);
        } else {
            _begin(account, state.epoch, settings);
            emit Kicked(account, state.epoch, msg.sender);
            _house.setFlag(account, true);
        }
        _startLegs(account, state.epoch, state, collateralIds);
        return true;
    }

    /// @inheritdoc ILiquidationEngine
    function redo(address account, uint8[] calldata collateralIds) external nonReentrant {
        Settings memory settings = _requireOpen();
        IClearingHouse.AccountState memory state = _flaggedState(account, NO_ASSET);
        (bool lapsed, uint256 lapsesAt) = _lapse(account, state.epoch, settings);
        if (!lapsed) revert AuctionRunning(account, lapsesAt);
        _requireUnhealthy(account, state);
        state = _netted(account, state);
        if (_needsNoAuction(account, state, settings)) return;
        uint32 epoch = state.epoch + 1; // as the fall of the flag leaves it
        _begin(account, epoch, settings);
        emit Redone(account, epoch, msg.sender);
        _house.setFlag(account, false);
        _house.setFlag(account, true);
        _startLegs(account, epoch, state, collateralIds);
    }

    // ------------------------------------------------------------------ end

    /// @inheritdoc ILiquidationEngine
    /// @dev Works during a halt: it only lets go.
    function clear(address account) external nonReentrant {
        IClearingHouse.AccountState memory state = _flaggedState(account, NO_ASSET);
        if (!_isHealthy(state)) revert AccountUnhealthy(account, _health(state));
        _house.setFlag(account, false);
    }

    /// @inheritdoc ILiquidationEngine
    /// @dev At no price and no penalty, so it costs the account nothing; if it is healthy afterwards the house lets
    /// its flag fall. Where the account is far below its debt this favours one debt over the others, and health, a
    /// ratio, may fall by it; the gap between debt and collateral never widens.
    function net(address account, uint8 assetId) external nonReentrant returns (uint256 amount) {
        _requireOpen();
        _unhealthyState(account);
        return _house.net(account, assetId);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc ILiquidationEngine
    function auction(address account) external view returns (Auction memory) {
        AuctionData memory data = _auctions[account];
        return Auction(data.kicker, data.kickedAt, data.epoch, data.kickedAt != 0 && data.tipOwed == 0);
    }

    /// @inheritdoc ILiquidationEngine
    function auctionLeg(address account, uint8 assetId) external view returns (AuctionLeg memory) {
        return _legs[account][assetId];
    }

    // ------------------------------------------------------------------ what runs

    /// @dev The multiplier of a leg now, rounded up; 1 where the leg does not run, because nothing of it is for sale.
    function _multiplier(address account, uint8 assetId, uint32 epoch, Settings memory settings)
        internal
        view
        returns (bool running, uint256 multiplier)
    {
        AuctionLeg memory leg = _legs[account][assetId];
        running = _runs(leg, epoch);
        if (!running) return (false, WAD);
        multiplier = ReserveCurve.multiplierUp(
            leg.startMultiplierWad,
            leg.decayPerSecondWad,
            block.timestamp - leg.startedAt,
            settings.floorMultiplierBps * WAD_PER_BPS
        );
    }

    /// @dev Reverts with `AuctionLapsed` once only `redo` is left.
    function _requireNotLapsed(address account, uint32 epoch, Settings memory settings) internal view {
        (bool lapsed, uint256 lapsesAt) = _lapse(account, epoch, settings);
        if (lapsed) revert AuctionLapsed(account, lapsesAt);
    }

    /// @dev Whether, and when, the auction of a flagged account lapses: `tail` after its kick, or when liquidations
    /// were resumed after it. One kicked at the very time of the resumption has missed nothing. An account that was
    /// flagged by another engine has no auction here: it lapsed at time zero, so that `redo` can take it over.
    function _lapse(address account, uint32 epoch, Settings memory settings)
        private
        view
        returns (bool lapsed, uint256 lapsesAt)
    {
        AuctionData memory data = _auctions[account];
        if (data.kickedAt == 0 || data.epoch != epoch) return (true, 0);
        if (settings.resumedAt > data.kickedAt) return (true, settings.resumedAt);
        lapsesAt = uint256(data.kickedAt) + settings.tail;
        lapsed = block.timestamp >= lapsesAt;
    }

    function _runs(AuctionLeg memory leg, uint32 epoch) private pure returns (bool) {
        return leg.startedAt != 0 && leg.epoch == epoch;
    }

    // ------------------------------------------------------------------ accounts

    /// @dev The state of an account whose auction may run, or `AuctionMissing`.
    function _flaggedState(address account, uint8 assetId)
        internal
        view
        returns (IClearingHouse.AccountState memory state)
    {
        state = _house.accountState(account);
        if (!state.flagged) revert AuctionMissing(account, assetId);
    }

    function _requireUnhealthy(address account, IClearingHouse.AccountState memory state) internal pure {
        if (_isHealthy(state)) revert AccountHealthy(account, _health(state));
    }

    /// @dev A / D_w, rounded DOWN, as the house gives it.
    function _health(IClearingHouse.AccountState memory state) internal pure returns (uint256) {
        if (state.weightedDebt == 0) return type(uint256).max;
        return state.weightedCollateral.divDown(state.weightedDebt);
    }

    function _unhealthyState(address account) private view returns (IClearingHouse.AccountState memory state) {
        state = _house.accountState(account);
        _requireUnhealthy(account, state);
    }

    /// @dev HF >= 1 without dividing: exact.
    function _isHealthy(IClearingHouse.AccountState memory state) private pure returns (bool) {
        return state.weightedCollateral >= state.weightedDebt;
    }

    /// @dev Nets assets that an unhealthy account both holds and owes, until it is healthy or none is left. Each
    /// netting empties one side of one asset, so there are at most eight.
    function _netted(address account, IClearingHouse.AccountState memory state)
        private
        returns (IClearingHouse.AccountState memory)
    {
        for (uint256 i = 0; i < state.legs.length && !_isHealthy(state);) {
            IClearingHouse.Leg memory leg = state.legs[i];
            if (leg.collateral == 0 || leg.debt == 0) {
                ++i;
                continue;
            }
            _house.net(account, leg.assetId);
            state = _house.accountState(account);
            i = 0;
        }
        return state;
    }

    /// @dev Whether netting cured the account (the house has let the flag fall then), or there is too little left to
    /// auction, in which case it is written off.
    function _needsNoAuction(address account, IClearingHouse.AccountState memory state, Settings memory settings)
        private
        returns (bool)
    {
        if (_isHealthy(state)) return true;
        bool spent = state.collateralValue < state.debtValue && state.collateralValue < settings.dustValue * WAD;
        if (spent) _house.writeOff(account);
        return spent;
    }

    // ------------------------------------------------------------------ steps

    function _begin(address account, uint32 epoch, Settings memory settings) private {
        _auctions[account] = AuctionData({
            kicker: msg.sender,
            kickedAt: uint40(block.timestamp),
            epoch: epoch,
            tipOwed: uint24(settings.tipValue * TIP_STEPS)
        });
    }

    /// @dev Starts the legs named, each with the curve of this moment. What runs already goes on as it is.
    function _startLegs(
        address account,
        uint32 epoch,
        IClearingHouse.AccountState memory state,
        uint8[] calldata collateralIds
    ) private {
        uint64 held = _collaterals(state);
        bool started;
        for (uint256 i = 0; i < collateralIds.length; ++i) {
            uint8 assetId = collateralIds[i];
            if (!held.has(assetId)) revert CollateralInvalid(account, assetId);
            held = held.without(assetId);
            if (_runs(_legs[account][assetId], epoch)) continue;
            Curve memory ofAsset = curve(assetId);
            _legs[account][assetId] = AuctionLeg({
                startMultiplierWad: ofAsset.startMultiplierWad,
                decayPerSecondWad: ofAsset.decayPerSecondWad,
                startedAt: uint40(block.timestamp),
                epoch: epoch
            });
            started = true;
            emit LegStarted(account, epoch, assetId, ofAsset);
        }
        if (!started) revert NothingToKick(account);
    }

    /// @dev The assets that an account holds as collateral.
    function _collaterals(IClearingHouse.AccountState memory state) private pure returns (uint64 held) {
        for (uint256 i = 0; i < state.legs.length; ++i) {
            if (state.legs[i].collateral != 0) held = held.with(state.legs[i].assetId);
        }
    }
}
