// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";
import {IVenue} from "../interfaces/IVenue.sol";
import {Sizing} from "../libraries/Sizing.sol";
import {WadMath} from "../libraries/WadMath.sol";
import {EngineSettings} from "./engine/EngineSettings.sol";
import {Sales} from "./engine/Sales.sol";

/// @title Liquidation engine: one reserve price, several ways to meet it
/// @notice See `ILiquidationEngine` for what each function does. The parts, in `core/engine`: what governance sets
/// (EngineSettings), how auctions begin and end (Auctions), what every sale has in common (Sales); the arithmetic is in
/// `Sizing` and `ReserveCurve`. Here: the two ways to the market.
/// @dev Holds no tokens. Every function that changes state holds one transient lock, and writes its own state before it
/// calls the clearing house, which alone calls out to takers and venues.
contract LiquidationEngine is Sales {
    using WadMath for uint256;

    /// @param authority AccessManager that governs. @param house The clearing house that this engine settles for.
    constructor(address authority, address house) EngineSettings(authority, house) {}

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
        Sizing.Sale memory sale = Sizing.largest(context.position, context.reserve, context.rules);
        if (maxSeized < sale.seized) sale = Sizing.partly(context.position, context.reserve, maxSeized);
        (IClearingHouse.Settlement memory settlement, bool spent) = _conclude(context, context.reserve, sale);
        _house.settleTake(settlement, recipient, data);
        _report(Route.TAKE, context.reserve.multiplier, sale, context);
        if (spent) _house.writeOff(context.account);
        return (sale.seized, sale.payment - settlement.chip);
    }

    // ------------------------------------------------------------------ swap

    /// @inheritdoc ILiquidationEngine
    /// @dev Booked at the realised price: solvent or not, the penalty, and the debt repaid follow from what the sale
    /// brought. An account that is insolvent at the reserve may turn out solvent at it; then there is no deficit.
    function swap(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 maxSeized,
        uint256 minPrice,
        address venue,
        bytes calldata data
    ) external nonReentrant returns (uint256 seized, uint256 payment) {
        if (!isVenue(venue)) revert VenueNotAllowed(venue);
        Context memory context = _open(account, collateralId, debtId);
        uint256 spot = _spotMultiplier(context, venue, data);
        uint256 minPayment;
        (seized, minPayment) = _sizeSale(context, spot, maxSeized, minPrice);
        payment = _house.sell(account, collateralId, debtId, seized.toUint128(), minPayment, venue, data);
        _book(context, seized, payment);
    }

    /// @dev How much to sell, and the least that it must bring. The venue's marginal price `spot` is the best that any
    /// sale there can bring, the reserve or the caller's limit the worst.
    function _sizeSale(Context memory context, uint256 spot, uint256 maxSeized, uint256 minPrice)
        private
        pure
        returns (uint256 seized, uint256 minPayment)
    {
        Sizing.Position memory position = context.position;
        uint256 least = _leastMultiplier(context, spot, minPrice);
        Sizing.Terms memory best = Sizing.terms(position, context.rules, spot);
        Sizing.Terms memory low = Sizing.terms(position, context.rules, least);
        seized = Sizing.saleSize(position, best, low, context.rules).min(maxSeized);
        if (seized == 0) revert SliceEmpty();
        minPayment = Sizing.paymentUp(position, least, seized);
    }

    /// @dev The higher of the reserve and the caller's limit, rounded UP; refuses a venue that cannot pay it.
    function _leastMultiplier(Context memory context, uint256 spot, uint256 minPrice)
        private
        pure
        returns (uint256 least)
    {
        uint256 price = context.position.collateralPrice;
        least = context.reserve.multiplier;
        if (spot < least) revert VenueBelowReserve(spot.mulDown(price), least.mulUp(price));
        least = least.max(minPrice.divUp(price));
        if (spot < least) revert PriceBelowLimit(spot.mulDown(price), minPrice);
    }

    /// @dev The venue's marginal price over the oracle price, rounded UP.
    function _spotMultiplier(Context memory context, address venue, bytes calldata data)
        private
        view
        returns (uint256)
    {
        (address collateralToken,) = _house.asset(context.collateralId);
        (address debtToken,) = _house.asset(context.debtId);
        uint256 held = context.position.collateral;
        uint256 amountOut = IVenue(venue).amountOutAtSpot(collateralToken, debtToken, held, data);
        return Sizing.multiplierUp(context.position, held, amountOut);
    }

    /// @dev Books what `sell` brought. It is at least the reserve, so a realised multiplier that comes out a wei below
    /// it is a rounding and does not count.
    function _book(Context memory context, uint256 seized, uint256 payment) private {
        uint256 realised = Sizing.multiplierDown(context.position, seized, payment).max(context.reserve.multiplier);
        Sizing.Terms memory paid = Sizing.terms(context.position, context.rules, realised);
        Sizing.Sale memory sale = Sizing.realised(context.position, paid, seized, payment);
        (IClearingHouse.Settlement memory settlement, bool spent) = _conclude(context, paid, sale);
        _house.settle(settlement);
        _report(Route.SWAP, realised, sale, context);
        if (spent) _house.writeOff(context.account);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc ILiquidationEngine
    function reservePrice(address account, uint8 collateralId) external view returns (uint256) {
        Settings memory settings = _requireOpen();
        IClearingHouse.AccountState memory state = _flaggedState(account, collateralId);
        _requireUnhealthy(account, state);
        _requireNotLapsed(account, state.epoch, settings);
        (bool running, uint256 multiplier) = _multiplier(account, collateralId, state.epoch, settings);
        for (uint256 i = 0; running && i < state.legs.length; ++i) {
            if (state.legs[i].assetId == collateralId) return multiplier.mulUp(state.legs[i].price);
        }
        revert AuctionMissing(account, collateralId);
    }

    /// @inheritdoc ILiquidationEngine
    function largestSlice(address account, uint8 collateralId, uint8 debtId) external view returns (Slice memory) {
        Context memory context = _open(account, collateralId, debtId);
        Sizing.Sale memory sale = Sizing.largest(context.position, context.reserve, context.rules);
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

    // ------------------------------------------------------------------ steps

    /// @dev Says what was settled. The parameters stand in the order that the compiler's stack asks for.
    function _report(Route route, uint256 multiplier, Sizing.Sale memory sale, Context memory context) private {
        emit Settled(
            context.account,
            context.auction.epoch,
            msg.sender,
            route,
            context.collateralId,
            context.debtId,
            sale.seized,
            sale.payment,
            sale.repaid,
            multiplier,
            context.position.collateralPrice,
            context.position.debtPrice
        );
    }
}
