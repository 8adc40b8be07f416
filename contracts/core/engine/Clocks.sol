// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {IPriceOracle} from "../../interfaces/IPriceOracle.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {Parameters} from "../../libraries/Parameters.sol";
import {ReleaseBudget} from "../../libraries/ReleaseBudget.sol";
import {ReserveCurve} from "../../libraries/ReserveCurve.sol";
import {Sizing} from "../../libraries/Sizing.sol";
import {Urgency} from "../../libraries/Urgency.sol";
import {WAD, WAD_PER_BPS, WadMath} from "../../libraries/WadMath.sol";
import {EngineStorage} from "./EngineStorage.sol";

/// @title How far the reserves of an auction have fallen
/// @notice The clock of a leg keeps the pace of the slowest market that its account is sold into: the sell side of the
/// collateral, and the buy sides of the debts, where they have buckets. Urgency pulls it toward wall time,
/// `elapsed = active + u * (wall - active)`, but no reserve below what takers need by that: what a loaded market took
/// of the time counts as time without a buyer only as far as nobody could have been one.
/// @dev The debts' clocks count for every leg, whichever debt is repaid, so that a leg has one reserve, and in
/// insolvency every debt bears the same rate of loss. A debt that was repaid since the kick, and a leg that was sold
/// out, count until the auction ends: else whoever repays the one, or buys the other, would lower the reserve of all
/// the rest at that moment, for himself.
abstract contract Clocks is EngineStorage {
    using AssetBitmap for uint64;
    using WadMath for uint256;

    /// @dev What every leg of an account shares at one moment.
    /// @param started Legs whose reserves were started, sold out since or not, where more than one pair was.
    /// @param buyProgress Milliseconds that the slowest of the debts' markets was active since the kick.
    /// @param urgency u of this moment, 255 = 1.
    /// @param need m_need, WAD: below it urgency lowers nothing.
    /// @param floor m_floor, WAD.
    /// @param overrun Milliseconds to leave out at the end of every clock: zero, but for the moment of a lapse.
    /// @param markets The last bucket asked for, on each side, and `assets` whose it is, plus one: a sale needs the
    /// same one for its clock, its gate and its draw.
    struct Pace {
        ILiquidationEngine.SpeedParameters speed;
        uint64 budgeted;
        uint64 started;
        uint256 buyProgress;
        uint256 urgency;
        uint256 need;
        uint256 floor;
        uint256 overrun;
        uint256[2] assets;
        ILiquidationEngine.Bucket[2] markets;
    }

    /// @dev In errors about a whole auction, where an asset id would stand.
    uint8 internal constant NO_ASSET = type(uint8).max;
    /// @dev Instead of the time at which an interruption was over.
    uint256 internal constant NOT_INTERRUPTED = type(uint256).max;
    uint256 private constant MILLIS = 1_000;
    /// @dev Bytes of an encoded `AccountState` before its legs, and of each of these.
    uint256 private constant LEGS_OFFSET = 0x160;
    uint256 private constant LEG_SIZE = 0x140;

    // ------------------------------------------------------------------ legs

    /// @dev What the legs of an account share now.
    function _pace(address account, IClearingHouse.AccountState memory state, Settings memory settings)
        internal
        view
        returns (Pace memory pace)
    {
        _readPace(pace, account, state, settings);
    }

    /// @dev The same, into memory that is there already.
    function _readPace(
        Pace memory pace,
        address account,
        IClearingHouse.AccountState memory state,
        Settings memory settings
    ) internal view {
        _readSpeed(pace.speed);
        pace.budgeted = _speed.budgeted;
        pace.floor = settings.floorMultiplierBps * WAD_PER_BPS;
        pace.need = Urgency.need(pace.speed.slippageLimitBps, settings.penaltyBps);
        pace.urgency = _urgency(state, settings.penaltyBps, pace.speed);
        pace.buyProgress = type(uint256).max;
        uint64 debts;
        (pace.started, debts) = _membersOf(account, state);
        for (debts &= pace.budgeted; debts != 0; debts = debts.withoutLowest()) {
            _readProgress(pace, account, debts.lowest(), state.epoch);
        }
    }

    /// @dev Counts the clock of a debt, where one was noted in this auction.
    function _readProgress(Pace memory pace, address account, uint8 assetId, uint32 epoch) private view {
        BuyClock memory start = _buyClocks[account][assetId];
        if (start.epoch != epoch) return;
        uint256 clock = pace.markets[_market(assetId, ILiquidationEngine.Side.BUY, pace)].clock;
        pace.buyProgress = pace.buyProgress.min(clock.zeroFloorSub(start.clockAt));
    }

    /// @dev Legs that were started in the auction of an account, and debts whose clocks may count; where only one pair
    /// was, no legs, and the debts that are owed.
    function _membersOf(address account, IClearingHouse.AccountState memory state)
        private
        view
        returns (uint64 legs, uint64 debts)
    {
        AuctionData storage data = _auctions[account];
        if (data.traits & HAS_MEMBERS != 0 && data.epoch == state.epoch) {
            Members storage members = _members[account];
            return (members.legs, members.debts);
        }
        for (uint256 i = 0; i < state.legs.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            if (leg.debt != 0) debts = debts.with(leg.assetId);
        }
    }

    /// @dev The multiplier of a leg, rounded up, and the urgency that its last settlement saw; 1 where the leg does not
    /// run, because nothing of it is for sale. Where urgency alone would lead below what takers need, it is that, or
    /// what the active clock has come to by itself.
    function _multiplier(address account, uint8 assetId, uint32 epoch, Pace memory pace)
        internal
        view
        returns (bool running, uint256 multiplier, uint256 urgency)
    {
        ILiquidationEngine.AuctionLeg storage leg = _legs[account][assetId];
        if (!_runs(leg, epoch)) return (false, WAD, 0);
        running = true;
        urgency = leg.urgency;
        (uint256 active, uint256 elapsed) = _elapsed(assetId, leg, pace);
        multiplier = _multiplierAt(leg, elapsed, pace.floor);
        if (multiplier < pace.need && elapsed > active) {
            multiplier = _multiplierAt(leg, active, pace.floor).min(pace.need);
        }
    }

    function _multiplierAt(ILiquidationEngine.AuctionLeg storage leg, uint256 elapsed, uint256 floor)
        private
        view
        returns (uint256)
    {
        return ReserveCurve.multiplierUp(leg.startMultiplierWad, leg.decayPerSecondWad, elapsed, floor);
    }

    /// @dev Milliseconds that a leg's clock was active, and has run: active + u * (wall - active), rounded DOWN. A
    /// market that got its bucket after the kick is as active as the wall.
    function _elapsed(uint8 assetId, ILiquidationEngine.AuctionLeg storage leg, Pace memory pace)
        private
        view
        returns (uint256 active, uint256 elapsed)
    {
        active = pace.buyProgress;
        if (pace.budgeted.has(assetId)) {
            uint256 clock = pace.markets[_market(assetId, ILiquidationEngine.Side.SELL, pace)].clock;
            active = active.min(clock.zeroFloorSub(leg.clockAt));
        }
        uint256 urgency = pace.urgency.max(leg.urgency);
        unchecked {
            // times of 40 bits, the start not after now, the active part not above the wall
            uint256 wall = ((block.timestamp - leg.startedAt) * MILLIS).zeroFloorSub(pace.overrun);
            active = active.zeroFloorSub(pace.overrun).min(wall);
            elapsed = active + (wall - active) * urgency / ReleaseBudget.URGENT;
        }
    }

    /// @dev Whether a leg was offered for long enough to say that nobody wants it: its reserve is at the floor, or the
    /// market's own clock has run for half of `tail`, seconds.
    function _wasOffered(address account, uint8 assetId, uint32 epoch, Pace memory pace, uint256 tail)
        internal
        view
        returns (bool)
    {
        (bool running, uint256 multiplier,) = _multiplier(account, assetId, epoch, pace);
        if (!running) return false;
        (uint256 active,) = _elapsed(assetId, _legs[account][assetId], pace);
        return multiplier <= pace.floor || active >= tail * MILLIS / 2;
    }

    /// @dev M, the highest multiplier among an account's collaterals and the legs that were sold out, where one that
    /// does not run counts 1 and one below `dust` not at all; zero where there is none.
    function _highest(address account, IClearingHouse.AccountState memory state, Pace memory pace, uint256 dust)
        internal
        view
        returns (uint256 highest)
    {
        for (uint256 i = 0; i < state.legs.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            if (leg.collateralValue < dust) continue;
            (, uint256 multiplier,) = _multiplier(account, leg.assetId, state.epoch, pace);
            highest = highest.max(multiplier);
        }
        highest = highest.max(_highestSoldOut(account, state, pace));
    }

    /// @dev The highest multiplier among the legs of this auction that were sold out; zero where none was.
    function _highestSoldOut(address account, IClearingHouse.AccountState memory state, Pace memory pace)
        internal
        view
        returns (uint256 highest)
    {
        uint64 soldOut = pace.started;
        for (uint256 i = 0; soldOut != 0 && i < state.legs.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            if (leg.collateral != 0) soldOut = soldOut.without(leg.assetId);
        }
        for (; soldOut != 0; soldOut = soldOut.withoutLowest()) {
            (, uint256 multiplier,) = _multiplier(account, soldOut.lowest(), state.epoch, pace);
            highest = highest.max(multiplier);
        }
    }

    /// @dev What is asked for an account's collateral: the sum of each one's value at its reserve, or at the oracle's
    /// price where that is lower, where no leg runs, or where it is worth less than dust. Each counts at its own
    /// reserve, so that a gift adds no more than itself.
    /// Rounding: DOWN, since it stands against a loss that is feared.
    function _asked(address account, IClearingHouse.Leg[] memory legs, uint32 epoch, Pace memory pace, uint256 dust)
        internal
        view
        returns (uint256 asked)
    {
        for (uint256 i = 0; i < legs.length; ++i) {
            IClearingHouse.Leg memory leg = legs[i];
            uint256 value = leg.collateralValue;
            if (value >= dust) {
                (, uint256 multiplier,) = _multiplier(account, leg.assetId, epoch, pace);
                value = value.mulDown(multiplier.min(WAD));
            }
            asked += value;
        }
    }

    /// @dev Part of an account's debt that what is asked for its collateral does not cover: 1 - asked / D, at least
    /// zero, WAD. Rounding: UP, since what may be withdrawn from a fund is what is not feared lost.
    function _loss(uint256 asked, uint256 debtValue) internal pure returns (uint256) {
        return asked >= debtValue ? 0 : (debtValue - asked).divUp(debtValue);
    }

    function _runs(ILiquidationEngine.AuctionLeg storage leg, uint32 epoch) internal view returns (bool) {
        return leg.startedAt != 0 && leg.epoch == epoch;
    }

    // ------------------------------------------------------------------ urgency

    /// @dev u of an account, 255 = 1. The volatilities are read only where the largest allowed would count.
    function _urgency(
        IClearingHouse.AccountState memory state,
        uint256 penaltyBps,
        ILiquidationEngine.SpeedParameters memory speed
    ) internal view returns (uint256) {
        uint256 need = Urgency.need(speed.slippageLimitBps, penaltyBps);
        uint256 widest =
            Urgency.widthDown(2 * Parameters.VOLATILITY_MAX_BPS * WAD_PER_BPS, speed.urgencyZBps, speed.tauClear);
        if (Urgency.isRemote(state.collateralValue, state.debtValue, need, widest)) return 0;
        if (state.collateralValue == 0) return ReleaseBudget.URGENT;
        uint256 width = Urgency.widthDown(_volatility(state), speed.urgencyZBps, speed.tauClear);
        return Urgency.urgency(state.collateralValue, state.debtValue, need, width);
    }

    /// @dev sigma_p = sum V_i * sigma_i / V + sum d_j * sigma_j / D, WAD a year. Rounding: each sum DOWN.
    function _volatility(IClearingHouse.AccountState memory state) private view returns (uint256) {
        uint256 held;
        uint256 owed;
        for (uint256 i = 0; i < state.legs.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            uint256 volatility = _curveData(leg.assetId).volatilityBps * WAD_PER_BPS;
            held += leg.collateralValue * volatility;
            owed += leg.debtValue * volatility;
        }
        return held / state.collateralValue + owed / state.debtValue;
    }

    // ------------------------------------------------------------------ buckets

    /// @dev Reads and rolls a bucket, once for one sale; tells which of `pace.markets` it is.
    function _market(uint8 assetId, ILiquidationEngine.Side side, Pace memory pace)
        internal
        view
        returns (uint256 index)
    {
        index = uint256(side);
        if (pace.assets[index] != uint256(assetId) + 1) {
            pace.assets[index] = uint256(assetId) + 1;
            _readBucket(pace.markets[index], assetId, side, pace.speed);
        }
    }

    /// @dev A bucket at this moment.
    function _bucketNow(uint8 assetId, ILiquidationEngine.Side side, ILiquidationEngine.SpeedParameters memory speed)
        internal
        view
        returns (ILiquidationEngine.Bucket memory bucket)
    {
        _readBucket(bucket, assetId, side, speed);
    }

    /// @dev The same, into memory that is there already.
    function _readBucket(
        ILiquidationEngine.Bucket memory bucket,
        uint8 assetId,
        ILiquidationEngine.Side side,
        ILiquidationEngine.SpeedParameters memory speed
    ) private view {
        ILiquidationEngine.Bucket storage stored = _buckets[assetId][side];
        (bucket.level, bucket.capacity, bucket.levelAt) = (stored.level, stored.capacity, stored.levelAt);
        (bucket.clock, bucket.pokedAt, bucket.meanPrice) = (stored.clock, stored.pokedAt, stored.meanPrice);
        ReleaseBudget.advance(bucket, speed, block.timestamp);
    }

    // ------------------------------------------------------------------ accounts

    /// @dev An account at oracle prices. The house's answer is not decoded but used where it lies: its words are those
    /// of the struct in memory, but for the legs, which memory holds by an array of pointers, put behind the answer.
    /// The house, which is of the code, encodes what it says it does.
    function _stateOf(address account) internal view returns (IClearingHouse.AccountState memory state) {
        address house = address(_house);
        bytes4 selector = IClearingHouse.accountState.selector;
        assembly ("memory-safe") {
            let answer := mload(0x40)
            mstore(0x00, selector)
            mstore(0x04, account)
            let success := staticcall(gas(), house, 0x00, 0x24, 0x00, 0x00)
            returndatacopy(answer, 0x00, returndatasize())
            if iszero(success) { revert(answer, returndatasize()) }
            state := add(answer, 0x20)
            let pointers := add(answer, returndatasize())
            let count := mload(add(answer, 0x140))
            mstore(add(answer, 0x120), pointers)
            mstore(pointers, count)
            let leg := add(answer, LEGS_OFFSET)
            for {} count { count := sub(count, 1) } {
                pointers := add(pointers, 0x20)
                mstore(pointers, leg)
                leg := add(leg, LEG_SIZE)
            }
            mstore(0x40, add(pointers, 0x20))
        }
    }

    /// @dev The state of an account whose auction may run, or `AuctionMissing`.
    function _flaggedState(address account, uint8 assetId)
        internal
        view
        returns (IClearingHouse.AccountState memory state)
    {
        state = _stateOf(account);
        if (!state.flagged) revert ILiquidationEngine.AuctionMissing(account, assetId);
    }

    function _requireUnhealthy(address account, IClearingHouse.AccountState memory state) internal pure {
        if (_isHealthy(state)) revert ILiquidationEngine.AccountHealthy(account, _health(state));
    }

    /// @dev A / D_w, rounded DOWN, as the house gives it.
    function _health(IClearingHouse.AccountState memory state) internal pure returns (uint256) {
        if (state.weightedDebt == 0) return type(uint256).max;
        return state.weightedCollateral.divDown(state.weightedDebt);
    }

    /// @dev HF >= 1 without dividing: exact.
    function _isHealthy(IClearingHouse.AccountState memory state) internal pure returns (bool) {
        return state.weightedCollateral >= state.weightedDebt;
    }

    /// @dev Target, penalty and dust in WAD.
    function _rules(Settings memory settings) internal pure returns (Sizing.Rules memory) {
        return Sizing.Rules({
            target: settings.targetHealthFactorBps * WAD_PER_BPS,
            penalty: settings.penaltyBps * WAD_PER_BPS,
            dust: settings.dustValue * WAD
        });
    }

    // ------------------------------------------------------------------ lapse

    /// @dev Whether, and when, the auction of a flagged account lapses: `tail` after its kick, or when settlements
    /// were resumed after it, by the breaker or by the sequencer. One kicked at the very time of the resumption has
    /// missed nothing. An account that was flagged by another engine has no auction here, and one whose prices were
    /// refused none any more: it lapsed at time zero, so that `redo` can take it over.
    function _lapse(AuctionData memory data, uint32 epoch, Settings memory settings)
        internal
        view
        returns (bool lapsed, uint256 lapsesAt)
    {
        uint256 resumedAt = _interruption(data, epoch, settings);
        if (resumedAt != NOT_INTERRUPTED) return (true, resumedAt);
        lapsesAt = uint256(data.kickedAt) + settings.tail;
        lapsed = block.timestamp >= lapsesAt;
    }

    /// @dev When what interrupted an auction was over, by the rules of `_lapse`; the largest integer where nothing did.
    function _interruption(AuctionData memory data, uint32 epoch, Settings memory settings)
        internal
        view
        returns (uint256 resumedAt)
    {
        if (data.kickedAt == 0 || data.epoch != epoch) return 0;
        resumedAt = uint256(_resumedAt(settings)).max(IPriceOracle(_house.oracle()).upSince());
        if (resumedAt <= data.kickedAt) return NOT_INTERRUPTED;
    }

    /// @dev Reverts with `AuctionLapsed` once only `redo` is left of an account's auction.
    function _requireNotLapsed(address account, AuctionData memory data, uint32 epoch, Settings memory settings)
        internal
        view
    {
        (bool lapsed, uint256 lapsesAt) = _lapse(data, epoch, settings);
        if (lapsed) revert ILiquidationEngine.AuctionLapsed(account, lapsesAt);
    }
}
