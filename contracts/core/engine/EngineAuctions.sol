// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {CurveParameters} from "../../libraries/CurveParameters.sol";
import {Parameters} from "../../libraries/Parameters.sol";
import {ReleaseBudget} from "../../libraries/ReleaseBudget.sol";
import {Sizing} from "../../libraries/Sizing.sol";
import {WAD, WAD_PER_BPS, WadMath} from "../../libraries/WadMath.sol";
import {Clocks} from "./Clocks.sol";
import {EngineStorage} from "./EngineStorage.sol";

/// @title How auctions begin and end
/// @notice Code that the liquidation engine runs by delegatecall, in its own storage, because its bytecode would not
/// hold all of it. The engine declares the same functions and forwards them unchanged.
/// @dev The flag and the epoch are the clearing house's; here is what was true at the kick. An auction or a leg counts
/// only while the account is flagged and its epoch is the one stored, so whatever ends an auction, a cure included,
/// voids all of it without a call here.
contract EngineAuctions is Clocks {
    using AssetBitmap for uint64;
    using WadMath for uint256;

    /// @dev What the legs of one kick share.
    /// @param nearDepth Value that the debts' markets take within the near slippage; the largest integer where none of
    /// them has a bucket.
    /// @param debtPremium What pools paid for the debt that they sold cheapest, over the oracle's price, WAD; 1 for one
    /// without a bucket.
    struct Opening {
        ILiquidationEngine.SpeedParameters speed;
        uint64 budgeted;
        uint256 urgency;
        uint256 nearDepth;
        uint256 debtPremium;
        Sizing.Rules rules;
    }

    /// @dev A debt counts no cheaper than a venue may be off the oracle: the divisor of a start is never near zero.
    uint256 private constant DEBT_PREMIUM_MIN = WAD - Parameters.TWAP_TOLERANCE_BPS * WAD_PER_BPS;

    /// @dev Gas that `lapse` must have left for each price that it asks for: enough for two feeds and a
    /// sequencer's that use up what a feed is given, and for those that pass the question on: none can be starved.
    uint256 private constant PRICE_GAS_LEFT = 350_000;

    /// @param house The clearing house. The engine's authority is in the engine's storage.
    constructor(address house) AccessManaged(address(0)) EngineStorage(house) {}

    // ------------------------------------------------------------------ begin

    /// @notice See `ILiquidationEngine`.
    /// @dev An account with less collateral than dust and than debt is written off on the spot: an auction would cost
    /// more than it brings.
    function kick(address account, uint8[] calldata collateralIds) external nonReentrant returns (bool kicked) {
        Settings memory settings = _settings;
        _requireBelow(settings, NO_KICK);
        IClearingHouse.AccountState memory state = _unhealthyState(account);
        if (state.lastRiskBlock == block.number) revert ILiquidationEngine.CoolingOff(account, block.number);
        state = _netted(account, state);
        if (_needsNoAuction(account, state, settings)) return false;
        if (state.flagged) {
            _requireNotLapsed(account, _auctions[account], state.epoch, settings);
        } else {
            _begin(account, state.epoch, _isInsolvent(state), settings);
            emit ILiquidationEngine.Kicked(account, state.epoch, msg.sender, _isInsolvent(state));
            _house.setFlag(account, true);
        }
        _startLegs(account, state.epoch, state, collateralIds, settings);
        _markIfFeared(account, state.epoch, state, settings);
        return true;
    }

    /// @notice See `ILiquidationEngine`.
    function redo(address account, uint8[] calldata collateralIds) external nonReentrant {
        Settings memory settings = _settings;
        _requireBelow(settings, NO_REDO);
        IClearingHouse.AccountState memory state = _flaggedState(account, NO_ASSET);
        (bool lapsed, uint256 lapsesAt) = _lapse(_auctions[account], state.epoch, settings);
        if (!lapsed) revert ILiquidationEngine.AuctionRunning(account, lapsesAt);
        _requireUnhealthy(account, state);
        state = _netted(account, state);
        if (_needsNoAuction(account, state, settings)) return;
        uint32 epoch = state.epoch + 1; // as the fall of the flag leaves it
        _begin(account, epoch, _isInsolvent(state), settings);
        emit ILiquidationEngine.Redone(account, epoch, msg.sender, _isInsolvent(state));
        _house.setFlag(account, false);
        _house.setFlag(account, true);
        _startLegs(account, epoch, state, collateralIds, settings);
        _markIfFeared(account, epoch, state, settings);
    }

    /// @notice See `ILiquidationEngine`.
    /// @dev One that has lapsed stays as it is: at its tail it had its time, and may be ended. The time of the kick is
    /// forgotten, which costs a settlement nothing to see.
    function lapse(address account) external nonReentrant {
        (uint64 collaterals, uint64 debts, uint32 epoch, bool flagged,) = _house.accountInfo(account);
        if (!flagged) revert ILiquidationEngine.AuctionMissing(account, NO_ASSET);
        AuctionData storage data = _auctions[account];
        _requireNotLapsed(account, data, epoch, _settings);
        if (_hasPrices(account, collaterals | debts)) revert ILiquidationEngine.PricesGiven(account);
        data.kickedAt = 0;
        emit ILiquidationEngine.Lapsed(account, epoch);
    }

    /// @dev Whether the oracle gives the prices of all the assets that an account uses.
    function _hasPrices(address account, uint64 assets) private view returns (bool given) {
        uint256 needed = assets.count() * PRICE_GAS_LEFT;
        uint256 available = gasleft();
        if (available < needed) revert IClearingHouse.GasInsufficient(available, needed);
        (given,) = address(_house).staticcall(abi.encodeCall(IClearingHouse.accountState, (account)));
    }

    // ------------------------------------------------------------------ end

    /// @notice See `ILiquidationEngine`.
    /// @dev Works at every level of the breaker: it only lets go.
    function clear(address account) external nonReentrant {
        IClearingHouse.AccountState memory state = _flaggedState(account, NO_ASSET);
        if (!_isHealthy(state)) revert ILiquidationEngine.AccountUnhealthy(account, _health(state));
        _house.setFlag(account, false);
    }

    /// @notice See `ILiquidationEngine`.
    /// @dev At no price and no penalty, so it costs the account nothing; if it is healthy afterwards the house lets
    /// its flag fall. Where the account is far below its debt this favours one debt over the others, and health, a
    /// ratio, may fall by it; the gap between debt and collateral never widens. Works at every level of the breaker.
    function net(address account, uint8 assetId) external nonReentrant returns (uint256 amount) {
        _unhealthyState(account);
        return _house.net(account, assetId);
    }

    /// @notice See `ILiquidationEngine`.
    /// @dev The multipliers are those at the lapse, as far as can be known: a market's clock may have run on since by
    /// at most the wall time since, which is left out, and urgency counts as the last settlement saw it. An account
    /// that is solvent at the oracle's prices, or was so at the kick, is not ended: it may have been healthy while its
    /// auction ran, so that nobody could buy, and a `redo` offers it anew. Nor is one that was interrupted at any time,
    /// or of which something was not offered for long enough, be it that its market was busy with the rest.
    function end(address account) external nonReentrant {
        Settings memory settings = _settings;
        _requireBelow(settings, NO_SETTLEMENT);
        IClearingHouse.AccountState memory state = _flaggedState(account, NO_ASSET);
        _requireUnhealthy(account, state);
        AuctionData memory data = _auctions[account];
        bool interrupted = _interruption(data, state.epoch, settings) != NOT_INTERRUPTED;
        uint256 lapsesAt = uint256(data.kickedAt) + settings.tail;
        if (!interrupted && block.timestamp < lapsesAt) revert ILiquidationEngine.AuctionRunning(account, lapsesAt);
        if (interrupted || data.traits & INSOLVENT == 0) revert ILiquidationEngine.EndRefused(account);
        Pace memory pace = _pace(account, state, settings);
        (pace.urgency, pace.overrun) = (0, (block.timestamp - lapsesAt) * 1_000);
        uint256 highest = _highest(account, state, pace, settings.dustValue * WAD).max(WAD);
        bool covered = state.collateralValue.mulDown(highest) >= state.debtValue;
        if (covered || !_wereOffered(account, state, pace, settings)) revert ILiquidationEngine.EndRefused(account);
        emit ILiquidationEngine.Ended(account, state.epoch);
        _house.writeOff(account);
    }

    /// @dev Whether every collateral that is worth the dust value was offered for long enough.
    function _wereOffered(
        address account,
        IClearingHouse.AccountState memory state,
        Pace memory pace,
        Settings memory settings
    ) private view returns (bool) {
        for (uint256 i = 0; i < state.legs.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            if (leg.collateralValue < settings.dustValue * WAD) continue;
            if (!_wasOffered(account, leg.assetId, state.epoch, pace, settings.tail)) return false;
        }
        return true;
    }

    // ------------------------------------------------------------------ pending deficits

    /// @notice See `ILiquidationEngine`.
    /// @dev An account without an auction, or whose auction has lapsed, counts at the oracle's prices.
    function mark(address account) external nonReentrant returns (uint256 pending) {
        IClearingHouse.AccountState memory state = _stateOf(account);
        if (_isHealthy(state)) {
            _house.mark(account, 0);
            return 0;
        }
        Settings memory settings = _settings;
        (bool lapsed,) = _lapse(_auctions[account], state.epoch, settings);
        uint256 loss = _lossOf(account, state, settings, lapsed);
        _house.mark(account, loss);
        return state.debtValue.mulUp(loss);
    }

    /// @dev Marks a deficit at the start of an auction; an account that any start covers pays nothing for it.
    function _markIfFeared(
        address account,
        uint32 epoch,
        IClearingHouse.AccountState memory state,
        Settings memory settings
    ) private {
        bool covered = state.collateralValue.mulDown(Parameters.START_MULTIPLIER_MIN_WAD) >= state.debtValue;
        if (covered && !state.marked) return;
        (state.epoch, state.flagged) = (epoch, true);
        _house.mark(account, _lossOf(account, state, settings, false));
    }

    function _lossOf(address account, IClearingHouse.AccountState memory state, Settings memory settings, bool lapsed)
        private
        view
        returns (uint256)
    {
        if (lapsed) return _loss(state.collateralValue, state.debtValue);
        Pace memory pace = _pace(account, state, settings);
        uint256 asked = _asked(account, state.legs, state.epoch, pace, settings.dustValue * WAD);
        return _loss(asked, state.debtValue);
    }

    // ------------------------------------------------------------------ accounts

    function _unhealthyState(address account) private view returns (IClearingHouse.AccountState memory state) {
        state = _stateOf(account);
        _requireUnhealthy(account, state);
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
            state = _stateOf(account);
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

    /// @dev V < D at the oracle's prices.
    function _isInsolvent(IClearingHouse.AccountState memory state) private pure returns (bool) {
        return state.collateralValue < state.debtValue;
    }

    // ------------------------------------------------------------------ steps

    function _begin(address account, uint32 epoch, bool insolvent, Settings memory settings) private {
        _auctions[account] = AuctionData({
            kicker: msg.sender,
            kickedAt: uint32(block.timestamp),
            epoch: epoch,
            tipOwed: uint24(settings.tipValue * TIP_STEPS),
            traits: insolvent ? INSOLVENT : 0
        });
    }

    /// @dev Starts the legs named, each with the curve of this moment, and the clocks of the debts with the first. What
    /// runs already goes on as it is.
    function _startLegs(
        address account,
        uint32 epoch,
        IClearingHouse.AccountState memory state,
        uint8[] calldata collateralIds,
        Settings memory settings
    ) private {
        uint64 held = _collaterals(state);
        Opening memory opening = _opening(account, epoch, state, settings);
        bool started;
        for (uint256 i = 0; i < collateralIds.length; ++i) {
            uint8 assetId = collateralIds[i];
            if (!held.has(assetId)) revert ILiquidationEngine.CollateralInvalid(account, assetId);
            held = held.without(assetId);
            if (_runs(_legs[account][assetId], epoch)) continue;
            _startLeg(account, epoch, assetId, opening, state);
            started = true;
        }
        if (!started) revert ILiquidationEngine.NothingToKick(account);
        if (state.legs.length > 2) _remember(account, epoch, state);
    }

    /// @dev Notes which legs run and which debts have clocks, beside those that were noted in this auction before.
    function _remember(address account, uint32 epoch, IClearingHouse.AccountState memory state) private {
        AuctionData storage data = _auctions[account];
        Members memory members;
        if (data.traits & HAS_MEMBERS != 0) members = _members[account];
        for (uint256 i = 0; i < state.legs.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            uint8 assetId = leg.assetId;
            if (leg.collateral != 0 && _runs(_legs[account][assetId], epoch)) {
                members.legs = members.legs.with(assetId);
            }
            if (leg.debt != 0) members.debts = members.debts.with(assetId);
        }
        _members[account] = members;
        data.traits |= HAS_MEMBERS;
    }

    function _startLeg(
        address account,
        uint32 epoch,
        uint8 assetId,
        Opening memory opening,
        IClearingHouse.AccountState memory state
    ) private {
        (ILiquidationEngine.Curve memory curve_, uint48 clockAt) = _start(assetId, opening, state);
        _legs[account][assetId] = ILiquidationEngine.AuctionLeg({
            startMultiplierWad: curve_.startMultiplierWad,
            decayPerSecondWad: curve_.decayPerSecondWad,
            startedAt: uint40(block.timestamp),
            epoch: epoch,
            clockAt: clockAt,
            urgency: uint8(opening.urgency)
        });
        emit ILiquidationEngine.LegStarted(account, epoch, assetId, curve_, clockAt);
    }

    /// @dev A fresh leg: at what the market pays where the lot fits there, else where the oracle may at most be behind,
    /// and no lower than the market pays either.
    function _start(uint8 assetId, Opening memory opening, IClearingHouse.AccountState memory state)
        private
        view
        returns (ILiquidationEngine.Curve memory curve_, uint48 clockAt)
    {
        CurveData memory data = _curveData(assetId);
        IClearingHouse.Leg memory held = state.legs[_indexOf(state, assetId)];
        (uint256 nearDepth, uint256 premium) = (opening.nearDepth, WAD);
        if (opening.budgeted.has(assetId)) {
            ILiquidationEngine.Bucket memory sells = _bucketNow(assetId, ILiquidationEngine.Side.SELL, opening.speed);
            nearDepth = nearDepth.min(_nearDepth(sells, opening.speed));
            premium = ReleaseBudget.meanPrice(sells, block.timestamp).divUp(held.price);
            clockAt = sells.clock;
        }
        curve_ = _nearCurve(data, opening.speed.nearSlippageBps);
        curve_.startMultiplierWad =
            CurveParameters.raisedUp(curve_.startMultiplierWad, premium.divUp(opening.debtPremium));
        uint256 lot = _lot(held, opening.rules, state, curve_.startMultiplierWad);
        // without any bucket nothing is known of the market, hence nothing of the lot
        if (nearDepth == type(uint256).max || lot > nearDepth) {
            curve_.startMultiplierWad = uint64(uint256(data.farStartMultiplierWad).max(curve_.startMultiplierWad));
        }
    }

    /// @dev What the legs of one call start with. The clocks of the debts are noted at the first kick of an epoch.
    function _opening(address account, uint32 epoch, IClearingHouse.AccountState memory state, Settings memory settings)
        private
        returns (Opening memory opening)
    {
        _readSpeed(opening.speed);
        opening.budgeted = _speed.budgeted;
        opening.urgency = _urgency(state, settings.penaltyBps, opening.speed);
        opening.rules = _rules(settings);
        (opening.nearDepth, opening.debtPremium) = (type(uint256).max, WAD);
        for (uint256 i = 0; opening.budgeted != 0 && i < state.legs.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            uint8 assetId = leg.assetId;
            if (leg.debt == 0 || !opening.budgeted.has(assetId)) continue;
            ILiquidationEngine.Bucket memory buys = _bucketNow(assetId, ILiquidationEngine.Side.BUY, opening.speed);
            opening.nearDepth = opening.nearDepth.min(_nearDepth(buys, opening.speed));
            uint256 meanPrice = ReleaseBudget.meanPrice(buys, block.timestamp);
            if (meanPrice != 0) {
                uint256 premium = meanPrice.divDown(leg.price).max(DEBT_PREMIUM_MIN);
                opening.debtPremium = opening.debtPremium.min(premium);
            }
            BuyClock storage start = _buyClocks[account][assetId];
            if (start.epoch == epoch && start.clockAt != 0) continue; // a clock that was noted is not zero
            (start.clockAt, start.epoch) = (buys.clock, epoch);
        }
    }

    /// @dev Value that a market takes within the near slippage: depth * s0 / slippageLimit, rounded DOWN; nothing where
    /// it is not known what its pools pay. Were the oracle's price good enough then, whoever kicks would have only to
    /// wait until the mean is forgotten.
    function _nearDepth(ILiquidationEngine.Bucket memory market, ILiquidationEngine.SpeedParameters memory speed)
        private
        view
        returns (uint256)
    {
        if (ReleaseBudget.meanPrice(market, block.timestamp) == 0) return 0;
        uint256 depth = ReleaseBudget.depthOf(market, speed.shapeBps);
        return depth.mulDivDown(speed.nearSlippageBps, speed.slippageLimitBps);
    }

    /// @dev Value of a collateral that a sale at `start` would take to the target.
    function _lot(
        IClearingHouse.Leg memory leg,
        Sizing.Rules memory rules,
        IClearingHouse.AccountState memory state,
        uint256 start
    ) private pure returns (uint256) {
        return Sizing.lotUp(
            leg.collateralValue, leg.liquidationThresholdWad, state.weightedCollateral, state.weightedDebt, rules, start
        );
    }

    /// @dev Place of a leg that the account is known to have.
    function _indexOf(IClearingHouse.AccountState memory state, uint8 assetId) private pure returns (uint256 i) {
        while (state.legs[i].assetId != assetId) ++i;
    }

    /// @dev The assets that an account holds as collateral.
    function _collaterals(IClearingHouse.AccountState memory state) private pure returns (uint64 held) {
        for (uint256 i = 0; i < state.legs.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            if (leg.collateral != 0) held = held.with(leg.assetId);
        }
    }
}
