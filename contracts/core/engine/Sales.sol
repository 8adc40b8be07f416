// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {Sizing} from "../../libraries/Sizing.sol";
import {WAD, WAD_PER_BPS, WadMath} from "../../libraries/WadMath.sol";
import {Auctions} from "./Auctions.sol";

/// @title What every sale has in common, however it reached the market
/// @dev Calculate, then execute: `_open` reads the account once and prices it, `Sizing` sizes, `_conclude` checks the
/// outcome and turns it into what the clearing house books.
abstract contract Sales is Auctions {
    using WadMath for uint256;

    /// @dev One sale in the making.
    /// @param reserve Terms at the curve: the least that the account must be given.
    /// @param surplusThreshold liquidationThreshold of the debt asset as a collateral.
    /// @param health Before the sale.
    struct Context {
        address account;
        uint8 collateralId;
        uint8 debtId;
        uint256 surplusThreshold;
        uint256 health;
        Settings settings;
        AuctionData auction;
        Sizing.Rules rules;
        Sizing.Position position;
        Sizing.Terms reserve;
    }

    /// @dev Value of a step of `AuctionData.tipOwed`.
    uint256 private constant TIP_STEP_VALUE = WAD / TIP_STEPS;

    // ------------------------------------------------------------------ before

    /// @dev Reads an account and prices one of its collaterals against one of its debts. Reverts unless the leg is for
    /// sale now.
    function _open(address account, uint8 collateralId, uint8 debtId) internal view returns (Context memory context) {
        if (collateralId == debtId) revert SameAsset(collateralId);
        (context.account, context.collateralId, context.debtId) = (account, collateralId, debtId);
        context.settings = _requireOpen();
        IClearingHouse.AccountState memory state = _flaggedState(account, collateralId);
        _requireUnhealthy(account, state);
        _requireNotLapsed(account, state.epoch, context.settings);
        context.auction = _auctions[account];
        context.rules = Sizing.Rules({
            target: context.settings.targetHealthFactorBps * WAD_PER_BPS,
            penalty: context.settings.penaltyBps * WAD_PER_BPS,
            dust: context.settings.dustValue * WAD
        });
        context.health = _health(state);
        uint256 multiplier = _read(context, state);
        if (context.position.debt == 0) revert SliceEmpty();
        context.reserve = Sizing.terms(context.position, context.rules, multiplier);
    }

    /// @dev Fills the position from the account's legs; returns the multiplier of the collateral that is sold. Among
    /// the others a collateral below the dust value does not count, lest a gift of it holds an auction up.
    function _read(Context memory context, IClearingHouse.AccountState memory state)
        private
        view
        returns (uint256 multiplier)
    {
        Sizing.Position memory position = context.position;
        position.collateralValue = state.collateralValue;
        position.debtValue = state.debtValue;
        position.weightedCollateral = state.weightedCollateral;
        position.weightedDebt = state.weightedDebt;
        bool running;
        for (uint256 i = 0; i < state.legs.length; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            if (leg.assetId == context.collateralId) {
                (running, multiplier) = _multiplier(context.account, leg.assetId, state.epoch, context.settings);
                position.highestMultiplier = position.highestMultiplier.max(multiplier);
                _readCollateral(position, leg);
            } else if (leg.collateralValue >= context.rules.dust) {
                (, uint256 other) = _multiplier(context.account, leg.assetId, state.epoch, context.settings);
                position.highestMultiplier = position.highestMultiplier.max(other);
            }
            if (leg.assetId == context.debtId) {
                context.surplusThreshold = leg.liquidationThresholdWad;
                _readDebt(position, leg);
            } else {
                position.otherDebtValue += leg.debtValue;
            }
        }
        if (!running) revert AuctionMissing(context.account, context.collateralId);
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

    // ------------------------------------------------------------------ after

    /// @dev Checks a sale and turns it into a settlement. `paid` is what it is booked at.
    /// @return settlement For the house. @return spent Whether the account must be written off after it.
    function _conclude(Context memory context, Sizing.Terms memory paid, Sizing.Sale memory sale)
        internal
        returns (IClearingHouse.Settlement memory settlement, bool spent)
    {
        Sizing.Aftermath memory result = Sizing.aftermath(context.position, sale, context.surplusThreshold);
        _requireSound(context, paid, sale, result);
        bool healthy = result.weightedCollateral >= result.weightedDebt;
        spent = !healthy && result.collateralValue < context.rules.dust
            && (paid.insolvent || result.collateralValue < result.debtValue);
        (uint256 tip, uint256 chip) = _incentives(context, paid, sale);
        settlement.account = context.account;
        settlement.collateralId = context.collateralId;
        settlement.debtId = context.debtId;
        settlement.seized = sale.seized.toUint128();
        settlement.payment = sale.payment.toUint128();
        settlement.repaid = sale.repaid.toUint128();
        settlement.cancelled = sale.cancelled.toUint128();
        settlement.surplus = sale.surplus.toUint128();
        settlement.tip = tip.toUint128();
        settlement.chip = chip.toUint128();
        if (sale.cancelled == sale.repaid) {
            settlement.reserve = (sale.payment - sale.repaid - sale.surplus - tip - chip).toUint128();
        }
        settlement.kicker = context.auction.kicker;
        settlement.settler = msg.sender;
        settlement.closes = healthy || spent;
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
        if (sale.seized == 0 || sale.payment == 0 || sale.cancelled == 0) revert SliceEmpty();
        Sizing.Position memory position = context.position;
        uint256 dust = context.rules.dust;
        if (Sizing.leavesDust(position, sale.seized, sale.cancelled, dust)) {
            (uint256 collateralValue, uint256 debtValue) = Sizing.remainder(position, sale.seized, sale.cancelled);
            revert DustLeft(collateralValue, debtValue, dust);
        }
        (uint256 lowest, uint256 highest) = Sizing.healthRange(position, result);
        bool closing = sale.cancelled == position.debt || sale.seized == position.collateral;
        bool above = !closing && !paid.insolvent && lowest > context.rules.target;
        bool below = !context.reserve.insolvent && highest < context.health;
        if (above || below) revert HealthOutOfRange(context.health, above ? lowest : highest, context.rules.target);
    }

    /// @dev Tip and chip: at most `incentiveShare` of the penalty really collected, the tip first. So whoever settles
    /// an account of his own always pays more than he gets back. In insolvency, where there is no penalty, they come
    /// out of the house's reserve, as far as it reaches, and are capped as if the penalty had been paid: splitting an
    /// account in many does not multiply them.
    /// Rounding: DOWN, in favour of the reserve; what is taken off the tip owed UP.
    function _incentives(Context memory context, Sizing.Terms memory paid, Sizing.Sale memory sale)
        private
        returns (uint256 tip, uint256 chip)
    {
        Settings memory settings = context.settings;
        uint256 penalty = sale.payment - sale.repaid - sale.surplus;
        if (paid.insolvent) penalty = sale.repaid.bpsDown(settings.penaltyBps);
        uint256 budget = penalty.bpsDown(settings.incentiveShareBps);
        if (paid.insolvent) budget = budget.min(_reserveAvailable(context, sale));
        tip = _tip(context, budget);
        chip = sale.repaid.bpsDown(settings.chipBps).min(budget - tip);
    }

    /// @dev The tip out of `budget`, and what is left of it for the next sale.
    function _tip(Context memory context, uint256 budget) private returns (uint256 tip) {
        uint256 owed = context.auction.tipOwed;
        if (owed == 0 || budget == 0) return 0;
        Sizing.Position memory position = context.position;
        uint256 full = (owed * TIP_STEP_VALUE).mulDivDown(position.debtUnit, position.debtPrice);
        tip = full.min(budget);
        uint256 steps = tip.mulDivUp(position.debtPrice, position.debtUnit * TIP_STEP_VALUE);
        _auctions[context.account].tipOwed = tip == full ? 0 : uint24(owed.zeroFloorSub(steps));
    }

    /// @dev What the house can pay out of its reserve of the debt asset in insolvency: nothing where the sale cancels
    /// no more than it repays, and never what the deficit itself will need.
    function _reserveAvailable(Context memory context, Sizing.Sale memory sale) private view returns (uint256) {
        if (sale.cancelled == sale.repaid) return 0;
        IClearingHouse.Market memory market = _house.market(context.debtId);
        uint256 beyondSuppliers = (sale.cancelled - sale.repaid).zeroFloorSub(market.totalSupplyAssets);
        uint256 inCash = uint256(market.cash) - market.collateralAssets - market.creditAssets;
        return uint256(market.reserveAssets).zeroFloorSub(beyondSuppliers).min(inCash);
    }
}
