// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {ReleaseBudget} from "../../libraries/ReleaseBudget.sol";
import {Sizing} from "../../libraries/Sizing.sol";
import {WAD, WAD_PER_BPS, WadMath} from "../../libraries/WadMath.sol";
import {Clocks} from "./Clocks.sol";

/// @title What every sale has in common, however it reached the market
/// @dev Calculate, then execute: `_open` reads the account once and prices it, `Sizing` sizes, `_conclude` checks the
/// outcome and turns it into what the clearing house books.
abstract contract Sales is Clocks {
    using AssetBitmap for uint64;
    using WadMath for uint256;

    /// @dev One sale in the making. Its parts are filled where they lie, since each copy would be paid for.
    /// @param surplusThreshold liquidationThreshold of the debt asset as a collateral.
    /// @param health Before the sale.
    /// @param urgency Of the leg's last settlement, 255 = 1.
    /// @param marked Whether a deficit of the account is pending.
    /// @param kicker Of the auction, and what is left of its tip.
    /// @param reserve Terms at the curve: the least that the account must be given.
    /// @param rivals The other collaterals that may be sold now: threshold and, in the lower half, multiplier; zero for
    /// a leg that is none.
    /// @param legs What the account held and owed before the sale.
    struct Context {
        address account;
        uint8 collateralId;
        uint8 debtId;
        address collateralToken;
        address debtToken;
        uint256 surplusThreshold;
        uint256 health;
        uint256 urgency;
        bool marked;
        uint32 epoch;
        address kicker;
        uint256 tipOwed;
        uint256 penaltyBps;
        uint256 chipBps;
        uint256 incentiveShareBps;
        Pace pace;
        Sizing.Rules rules;
        Sizing.Position position;
        Sizing.Terms reserve;
        uint256[] rivals;
        IClearingHouse.Leg[] legs;
    }

    /// @dev Value of a step of `AuctionData.tipOwed`.
    uint256 private constant TIP_STEP_VALUE = WAD / TIP_STEPS;
    uint256 private constant RIVAL_BITS = 128;

    // ------------------------------------------------------------------ before

    /// @dev Reads an account and prices one of its collaterals against one of its debts. Reverts unless the leg is for
    /// sale now.
    function _open(address account, uint8 collateralId, uint8 debtId) internal view returns (Context memory context) {
        if (collateralId == debtId) revert ILiquidationEngine.SameAsset(collateralId);
        (context.account, context.collateralId, context.debtId) = (account, collateralId, debtId);
        Settings memory settings = _settings;
        _requireBelow(settings, NO_SETTLEMENT);
        IClearingHouse.AccountState memory state = _stateOf(account);
        if (!state.flagged) revert ILiquidationEngine.AuctionMissing(account, collateralId);
        _requireUnhealthy(account, state);
        AuctionData memory auction_ = _auctions[account];
        _requireNotLapsed(account, auction_, state.epoch, settings);
        (context.epoch, context.kicker, context.tipOwed) = (auction_.epoch, auction_.kicker, auction_.tipOwed);
        context.health = _health(state);
        context.marked = state.marked;
        _readRules(context, settings);
        _readPace(context.pace, account, state, settings);
        uint256 multiplier_ = _read(context, state);
        if (context.position.debt == 0) revert ILiquidationEngine.SliceEmpty();
        Sizing.price(context.reserve, context.position, context.rules, multiplier_);
    }

    function _readRules(Context memory context, Settings memory settings) private pure {
        (context.penaltyBps, context.chipBps) = (settings.penaltyBps, settings.chipBps);
        context.incentiveShareBps = settings.incentiveShareBps;
        Sizing.Rules memory rules = context.rules;
        rules.target = settings.targetHealthFactorBps * WAD_PER_BPS;
        rules.penalty = settings.penaltyBps * WAD_PER_BPS;
        rules.dust = settings.dustValue * WAD;
    }

    /// @dev Fills the position from the account's legs; returns the multiplier of the collateral that is sold. Among
    /// the others a collateral below the dust value does not count, lest a gift of it holds an auction up.
    function _read(Context memory context, IClearingHouse.AccountState memory state)
        private
        view
        returns (uint256 multiplier_)
    {
        Sizing.Position memory position = context.position;
        position.collateralValue = state.collateralValue;
        position.debtValue = state.debtValue;
        position.weightedCollateral = state.weightedCollateral;
        position.weightedDebt = state.weightedDebt;
        uint256[] memory rivals = new uint256[](state.legs.length);
        (context.rivals, context.legs) = (rivals, state.legs);
        bool running;
        for (uint256 i = 0; i < rivals.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            if (leg.assetId == context.collateralId) {
                (running, multiplier_) = _readSold(context, leg, state.epoch);
            } else if (leg.collateralValue >= context.rules.dust) {
                rivals[i] = _readRival(context, leg, state.epoch);
            }
            if (leg.assetId == context.debtId) {
                context.surplusThreshold = leg.liquidationThresholdWad;
                context.debtToken = leg.token;
                _readDebt(position, leg);
            } else {
                position.otherDebtValue += leg.debtValue;
            }
        }
        if (!running) revert ILiquidationEngine.AuctionMissing(context.account, context.collateralId);
        position.highestMultiplier =
            position.highestMultiplier.max(_highestSoldOut(context.account, state, context.pace));
    }

    function _readSold(Context memory context, IClearingHouse.Leg memory leg, uint32 epoch)
        private
        view
        returns (bool running, uint256 multiplier_)
    {
        (running, multiplier_, context.urgency) = _multiplier(context.account, leg.assetId, epoch, context.pace);
        context.position.highestMultiplier = context.position.highestMultiplier.max(multiplier_);
        context.collateralToken = leg.token;
        _readCollateral(context.position, leg);
    }

    /// @dev A collateral at its floor has been offered at every price, and one whose budget is used up cannot be sold
    /// now: neither binds the choice of another.
    function _readRival(Context memory context, IClearingHouse.Leg memory leg, uint32 epoch)
        private
        view
        returns (uint256 rival)
    {
        (bool running, uint256 multiplier_,) = _multiplier(context.account, leg.assetId, epoch, context.pace);
        context.position.highestMultiplier = context.position.highestMultiplier.max(multiplier_);
        if (!running || multiplier_ <= context.pace.floor) return 0;
        Pace memory pace = context.pace;
        if (pace.budgeted.has(leg.assetId)) {
            uint256 index = _market(leg.assetId, ILiquidationEngine.Side.SELL, pace);
            if (!ReleaseBudget.isOpen(pace.markets[index], pace.urgency)) return 0;
        }
        return uint256(leg.liquidationThresholdWad) << RIVAL_BITS | multiplier_; // below 2^65: the start is
    }

    function _readCollateral(Sizing.Position memory position, IClearingHouse.Leg memory leg) private pure {
        position.collateral = leg.collateral;
        position.collateralUnit = 10 ** leg.decimals;
        position.collateralPrice = leg.price;
        position.threshold = leg.liquidationThresholdWad;
    }

    function _readDebt(Sizing.Position memory position, IClearingHouse.Leg memory leg) private pure {
        position.debt = leg.debt;
        position.debtUnit = 10 ** leg.decimals;
        position.debtPrice = leg.price;
        position.weight = leg.debtWeightWad;
    }

    // ------------------------------------------------------------------ choice and budget

    /// @dev Refuses, while the account is solvent at `offer`, a collateral that costs it more than the cheapest other
    /// one by more than the tolerance. The others count at their reserves.
    function _requireChoice(Context memory context, Sizing.Terms memory offer) internal pure {
        if (offer.insolvent) return;
        int256 cheapest = type(int256).max;
        uint256[] memory rivals = context.rivals;
        for (uint256 i = 0; i < rivals.length; ++i) {
            uint256 rival = rivals[i];
            if (rival == 0) continue;
            int256 rivalCost = Sizing.costOf(context.position, context.rules, rival >> RIVAL_BITS, uint128(rival));
            if (rivalCost < cheapest) cheapest = rivalCost;
        }
        if (cheapest == type(int256).max) return;
        Sizing.Position memory position = context.position;
        int256 cost = Sizing.costOf(position, context.rules, position.threshold, offer.multiplier);
        // forge-lint: disable-next-line(unsafe-typecast) -- 16 bits of basis points
        int256 tolerance = int256(context.pace.speed.choiceToleranceBps * WAD_PER_BPS);
        if (cost == type(int256).max || cost - cheapest > tolerance) {
            revert ILiquidationEngine.ChoiceTooDear(context.collateralId, cost, cheapest);
        }
    }

    /// @dev What a sale is cut to: `seized`, or what the budgets release at once, unless that alone would leave dust.
    /// Reverts while a bucket is empty.
    function _released(Context memory context, Sizing.Terms memory offer, uint256 seized)
        internal
        view
        returns (uint256)
    {
        uint256 urgency = context.reserve.insolvent ? ReleaseBudget.URGENT : context.pace.urgency.max(context.urgency);
        uint256 value = _openDraw(context.collateralId, ILiquidationEngine.Side.SELL, context.pace, urgency)
            .min(_openDraw(context.debtId, ILiquidationEngine.Side.BUY, context.pace, urgency));
        if (value == type(uint256).max) return seized;
        Sizing.Position memory position = context.position;
        uint256 most = value.mulDivDown(position.collateralUnit, position.collateralPrice);
        if (most >= seized) return seized;
        uint256 cancelled = Sizing.partly(position, offer, most).cancelled;
        return Sizing.leavesDust(position, most, cancelled, context.rules.dust) ? seized : most;
    }

    /// @dev Largest value that one settlement may draw on a side now; the largest integer where nothing limits it.
    function _openDraw(uint8 assetId, ILiquidationEngine.Side side, Pace memory pace, uint256 urgency)
        private
        view
        returns (uint256)
    {
        if (urgency == ReleaseBudget.URGENT || !pace.budgeted.has(assetId)) return type(uint256).max;
        ILiquidationEngine.Bucket memory market = pace.markets[_market(assetId, side, pace)];
        if (!ReleaseBudget.isOpen(market, urgency)) {
            revert ILiquidationEngine.BudgetExhausted(assetId, side, market.level);
        }
        return ReleaseBudget.largestDraw(market);
    }

    /// @dev Takes what is sold, at the oracle's price, off the budgets of both sides.
    /// Rounding: the value UP, against release.
    function _draw(Context memory context, uint256 seized) internal {
        Pace memory pace = context.pace;
        bool sells = pace.budgeted.has(context.collateralId);
        bool buys = pace.budgeted.has(context.debtId);
        if (!sells && !buys) return;
        uint256 value = seized.valueUp(context.position.collateralPrice, context.position.collateralUnit);
        if (sells) _drawOn(context.collateralId, ILiquidationEngine.Side.SELL, pace, value);
        if (buys) _drawOn(context.debtId, ILiquidationEngine.Side.BUY, pace, value);
    }

    function _drawOn(uint8 assetId, ILiquidationEngine.Side side, Pace memory pace, uint256 value) private {
        ILiquidationEngine.Bucket memory market = pace.markets[_market(assetId, side, pace)];
        ReleaseBudget.draw(market, value);
        _buckets[assetId][side] = market;
    }

    // ------------------------------------------------------------------ after

    /// @dev Checks a sale and turns it into a settlement. `paid` is what it is booked at, `chipWad` the part of the
    /// chip that its settler earned.
    /// @return settlement For the house. @return spent Whether the account must be written off after it.
    function _conclude(Context memory context, Sizing.Terms memory paid, Sizing.Sale memory sale, uint256 chipWad)
        internal
        returns (IClearingHouse.Settlement memory settlement, bool spent)
    {
        Sizing.Aftermath memory result = Sizing.aftermath(context.position, sale, context.surplusThreshold);
        _requireSound(context, paid, sale, result);
        bool healthy = result.weightedCollateral >= result.weightedDebt;
        spent = !healthy && result.collateralValue < context.rules.dust
            && (paid.insolvent || result.collateralValue < result.debtValue);
        if (context.pace.urgency > context.urgency) {
            _legs[context.account][context.collateralId].urgency = uint8(context.pace.urgency);
        }
        (uint256 tip, uint256 chip) = _incentives(context, paid, sale, chipWad);
        settlement.account = context.account;
        settlement.collateralId = context.collateralId;
        settlement.debtId = context.debtId;
        // at most the account's collateral and debt, and parts of the payment: they fit as those do
        (settlement.seized, settlement.payment) = (uint128(sale.seized), sale.payment.toUint128());
        (settlement.repaid, settlement.cancelled) = (uint128(sale.repaid), uint128(sale.cancelled));
        (settlement.surplus, settlement.tip, settlement.chip) = (uint128(sale.surplus), uint128(tip), uint128(chip));
        if (sale.cancelled == sale.repaid) {
            settlement.reserve = uint128(sale.payment - sale.repaid - sale.surplus - tip - chip);
        }
        (settlement.kicker, settlement.settler) = (context.kicker, msg.sender);
        settlement.epoch = context.epoch;
        settlement.closes = healthy || spent;
    }

    /// @dev What follows a sale: the account is written off where nothing worth selling is left, or its pending deficit
    /// brought up to date. One that is solvent and was so before pays nothing for that.
    function _follow(Context memory context, Sizing.Sale memory sale, bool spent) internal {
        if (spent) {
            _house.writeOff(context.account);
        } else if (context.reserve.insolvent || context.marked) {
            Sizing.Aftermath memory result = Sizing.aftermath(context.position, sale, context.surplusThreshold);
            if (result.weightedCollateral >= result.weightedDebt) return; // the marks fell with the flag
            _house.mark(context.account, _loss(_askedAfter(context, sale), result.debtValue));
        }
    }

    /// @dev What is asked for what a sale left of the collateral. It is written where the account's legs lie.
    function _askedAfter(Context memory context, Sizing.Sale memory sale) private view returns (uint256) {
        Sizing.Position memory position = context.position;
        for (uint256 i = 0; i < context.legs.length; ++i) {
            IClearingHouse.Leg memory leg = context.legs[i];
            if (leg.assetId == context.collateralId) {
                uint256 left = position.collateral - sale.seized;
                leg.collateralValue = left.valueDown(position.collateralPrice, position.collateralUnit);
            } else if (leg.assetId == context.debtId) {
                leg.collateralValue += sale.surplus.valueDown(position.debtPrice, position.debtUnit);
            }
        }
        return _asked(context.account, context.legs, context.epoch, context.pace, context.rules.dust);
    }

    /// @dev Both sides move, no dust is left, and health stays between where it was and the target, to two token units.
    /// Past the target is only where a whole debt or a whole collateral went (the closing slice of `Sizing`); below
    /// where it was is only an account that is insolvent at the reserve, whose health no price on the curve can save.
    function _requireSound(
        Context memory context,
        Sizing.Terms memory paid,
        Sizing.Sale memory sale,
        Sizing.Aftermath memory result
    ) private pure {
        if (sale.seized == 0 || sale.payment == 0 || sale.cancelled == 0) {
            revert ILiquidationEngine.SliceEmpty();
        }
        Sizing.Position memory position = context.position;
        uint256 dust = context.rules.dust;
        if (Sizing.leavesDust(position, sale.seized, sale.cancelled, dust)) {
            (uint256 collateralValue, uint256 debtValue) = Sizing.remainder(position, sale.seized, sale.cancelled);
            revert ILiquidationEngine.DustLeft(collateralValue, debtValue, dust);
        }
        if (Sizing.isWithin(result, context.health, context.rules.target)) return;
        (uint256 lowest, uint256 highest) = Sizing.healthRange(position, result);
        bool closing = sale.cancelled == position.debt || sale.seized == position.collateral;
        bool above = !closing && !paid.insolvent && lowest > context.rules.target;
        bool below = !context.reserve.insolvent && highest < context.health;
        if (above || below) {
            revert ILiquidationEngine.HealthOutOfRange(context.health, above ? lowest : highest, context.rules.target);
        }
    }

    /// @dev Tip and chip: at most `incentiveShare` of the penalty really collected, the tip first. So whoever settles
    /// an account of his own always pays more than he gets back. In insolvency, where there is no penalty, they come
    /// out of the house's reserve, as far as it reaches, and are capped as if the penalty had been paid: splitting an
    /// account in many does not multiply them.
    /// Rounding: DOWN, in favour of the reserve; what is taken off the tip owed UP.
    function _incentives(Context memory context, Sizing.Terms memory paid, Sizing.Sale memory sale, uint256 chipWad)
        private
        returns (uint256 tip, uint256 chip)
    {
        uint256 penalty = sale.payment - sale.repaid - sale.surplus;
        if (paid.insolvent) penalty = sale.repaid.bpsDown(context.penaltyBps);
        uint256 budget = penalty.bpsDown(context.incentiveShareBps);
        if (paid.insolvent) budget = budget.min(_reserveAvailable(context, sale));
        tip = _tip(context, budget);
        chip = sale.repaid.bpsDown(context.chipBps).mulDown(chipWad).min(budget - tip);
    }

    /// @dev The tip out of `budget`, and what is left of it for the next sale.
    function _tip(Context memory context, uint256 budget) private returns (uint256 tip) {
        uint256 owed = context.tipOwed;
        if (owed == 0 || budget == 0) return 0;
        Sizing.Position memory position = context.position;
        uint256 full = (owed * TIP_STEP_VALUE).mulDivDown(position.debtUnit, position.debtPrice);
        tip = full.min(budget);
        uint256 steps = tip.mulDivUp(position.debtPrice, position.debtUnit * TIP_STEP_VALUE);
        _auctions[context.account].tipOwed = tip == full ? 0 : uint24(owed.zeroFloorSub(steps));
    }

    /// @dev What reserve and fund can pay in insolvency beside the deficit: nothing where the sale cancels no more than
    /// it repays.
    function _reserveAvailable(Context memory context, Sizing.Sale memory sale) private view returns (uint256) {
        if (sale.cancelled == sale.repaid) return 0;
        return _house.incentivesPayable(context.debtId, sale.cancelled - sale.repaid);
    }
}
