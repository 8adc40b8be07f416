// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {IVenue} from "../../interfaces/IVenue.sol";
import {Parameters} from "../../libraries/Parameters.sol";
import {Sizing} from "../../libraries/Sizing.sol";
import {WAD, WAD_PER_BPS, WadMath} from "../../libraries/WadMath.sol";
import {EngineStorage} from "./EngineStorage.sol";
import {Sales} from "./Sales.sol";

/// @title How a sale reaches a venue
/// @notice Code that the liquidation engine runs by delegatecall, in its own storage, because its bytecode would not
/// hold all of it. The engine declares the same functions and forwards them unchanged.
contract EngineRoutes is Sales {
    using WadMath for uint256;

    /// @param house The clearing house. The engine's authority is in the engine's storage.
    constructor(address house) AccessManaged(address(0)) EngineStorage(house) {}

    // ------------------------------------------------------------------ swap

    /// @notice See `ILiquidationEngine`.
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
        if (!_venues[venue]) revert ILiquidationEngine.VenueNotAllowed(venue);
        Context memory context = _open(account, collateralId, debtId);
        uint256 spot = _spotMultiplier(context, venue, data);
        uint256 minPayment;
        (seized, minPayment) = _sizeSale(context, spot, maxSeized, minPrice);
        _draw(context, seized);
        payment = _house.sell(account, collateralId, debtId, seized.toUint128(), minPayment, venue, data);
        _book(context, seized, payment);
    }

    /// @dev How much to sell, and the least that it must bring. The venue's marginal price `spot` is the best that any
    /// sale there can bring, the reserve or the caller's limit the worst.
    function _sizeSale(Context memory context, uint256 spot, uint256 maxSeized, uint256 minPrice)
        private
        view
        returns (uint256 seized, uint256 minPayment)
    {
        Sizing.Position memory position = context.position;
        uint256 least = _leastMultiplier(context, spot, minPrice);
        Sizing.Terms memory best = Sizing.terms(position, context.rules, spot);
        Sizing.Terms memory low = Sizing.terms(position, context.rules, least);
        _requireChoice(context, low);
        seized = Sizing.saleSize(position, best, low, context.rules);
        seized = _released(context, best, seized).min(maxSeized);
        if (seized == 0) revert ILiquidationEngine.SliceEmpty();
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
        if (spot < least) revert ILiquidationEngine.VenueBelowReserve(spot.mulDown(price), least.mulUp(price));
        least = least.max(minPrice.divUp(price));
        if (spot < least) revert ILiquidationEngine.PriceBelowLimit(spot.mulDown(price), minPrice);
    }

    /// @dev The venue's marginal price over the oracle price, rounded UP. Refuses a venue whose time-weighted price is
    /// too far from the oracle's, on any way: then one of them is wrong, or somebody has bent the other.
    function _spotMultiplier(Context memory context, address venue, bytes calldata data)
        private
        view
        returns (uint256)
    {
        (address collateralToken,) = _house.asset(context.collateralId);
        (address debtToken,) = _house.asset(context.debtId);
        uint256 held = context.position.collateral;
        _requireOnOracle(context, venue, collateralToken, debtToken, data);
        uint256 amountOut = IVenue(venue).amountOutAtSpot(collateralToken, debtToken, held, data);
        return Sizing.multiplierUp(context.position, held, amountOut);
    }

    function _requireOnOracle(
        Context memory context,
        address venue,
        address collateralToken,
        address debtToken,
        bytes calldata data
    ) private view {
        uint256 held = context.position.collateral;
        (uint256 lowest, uint256 highest) =
            IVenue(venue).priceBounds(collateralToken, debtToken, held, data, Parameters.TWAP_WINDOW);
        lowest = Sizing.multiplierDown(context.position, held, lowest);
        highest = Sizing.multiplierUp(context.position, held, highest);
        uint256 tolerance = Parameters.TWAP_TOLERANCE_BPS * WAD_PER_BPS;
        if (lowest < WAD - tolerance || highest > WAD + tolerance) {
            revert ILiquidationEngine.VenueOffOracle(lowest, highest);
        }
    }

    /// @dev Books what `sell` brought. It is at least the reserve, so a realised multiplier that comes out a wei below
    /// it is a rounding and does not count.
    function _book(Context memory context, uint256 seized, uint256 payment) private {
        uint256 realised = Sizing.multiplierDown(context.position, seized, payment).max(context.reserve.multiplier);
        Sizing.Terms memory paid = Sizing.terms(context.position, context.rules, realised);
        Sizing.Sale memory sale = Sizing.realised(context.position, paid, seized, payment);
        uint256 chipWad = _chipPart(realised, context.settings.slippageLimitBps * WAD_PER_BPS);
        (IClearingHouse.Settlement memory settlement, bool spent) = _conclude(context, paid, sale, chipWad);
        settlement.route = uint8(ILiquidationEngine.Route.SWAP);
        settlement.multiplierWad = uint64(realised.min(type(uint64).max));
        _house.settle(settlement);
        if (spent) _house.writeOff(context.account);
    }

    /// @dev Part of the chip that a sale earns: 1 at the oracle's price, 0 at the slippage limit, linear. Rounding:
    /// DOWN.
    function _chipPart(uint256 realised, uint256 limit) private pure returns (uint256) {
        uint256 slippage = WAD.zeroFloorSub(realised);
        return limit.zeroFloorSub(slippage).divDown(limit);
    }
}
