// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {IVenue} from "../../interfaces/IVenue.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {Parameters} from "../../libraries/Parameters.sol";
import {Quotes} from "../../libraries/Quotes.sol";
import {ReleaseBudget} from "../../libraries/ReleaseBudget.sol";
import {Sizing} from "../../libraries/Sizing.sol";
import {WAD, WAD_PER_BPS, WadMath} from "../../libraries/WadMath.sol";
import {EngineStorage} from "./EngineStorage.sol";
import {Sales} from "./Sales.sol";

/// @title How a sale reaches a venue or a dealer
/// @notice Code that the liquidation engine runs by delegatecall, in its own storage, because its bytecode would not
/// hold all of it. The engine declares the same functions and forwards them unchanged.
contract EngineRoutes is Sales {
    using AssetBitmap for uint64;
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
        _settle(context, seized, payment);
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
        uint256 held = context.position.collateral;
        _requireOnOracle(context, venue, data);
        uint256 amountOut = IVenue(venue).amountOutAtSpot(context.collateralToken, context.debtToken, held, data);
        return Sizing.multiplierUp(context.position, held, amountOut);
    }

    function _requireOnOracle(Context memory context, address venue, bytes calldata data) private view {
        uint256 held = context.position.collateral;
        (uint256 lowest, uint256 highest) =
            IVenue(venue).priceBounds(context.collateralToken, context.debtToken, held, data, Parameters.TWAP_WINDOW);
        lowest = Sizing.multiplierDown(context.position, held, lowest);
        highest = Sizing.multiplierUp(context.position, held, highest);
        uint256 tolerance = Parameters.TWAP_TOLERANCE_BPS * WAD_PER_BPS;
        if (lowest < WAD - tolerance || highest > WAD + tolerance) {
            revert ILiquidationEngine.VenueOffOracle(lowest, highest);
        }
    }

    function _settle(Context memory context, uint256 seized, uint256 payment) private {
        (IClearingHouse.Settlement memory settlement, Sizing.Sale memory sale, bool spent) =
            _booked(context, seized, payment, true);
        _house.settle(settlement);
        _follow(context, sale, spent);
    }

    /// @dev What a sale at its own price is booked as, and whether the account must be written off after it. The sale
    /// brought at least the reserve, so a realised multiplier that comes out a wei below it is a rounding and does not
    /// count. `slipping` chips fall with slippage.
    function _booked(Context memory context, uint256 seized, uint256 payment, bool slipping)
        private
        returns (IClearingHouse.Settlement memory settlement, Sizing.Sale memory sale, bool spent)
    {
        uint256 realised = Sizing.multiplierDown(context.position, seized, payment).max(context.reserve.multiplier);
        Sizing.Terms memory paid = Sizing.terms(context.position, context.rules, realised);
        sale = Sizing.realised(context.position, paid, seized, payment);
        uint256 chipWad = slipping ? _chipPart(realised, context.pace.speed.slippageLimitBps * WAD_PER_BPS) : WAD;
        (settlement, spent) = _conclude(context, paid, sale, chipWad);
        settlement.route = uint8(slipping ? ILiquidationEngine.Route.SWAP : ILiquidationEngine.Route.FILL);
        settlement.multiplierWad = uint64(realised.min(type(uint64).max));
    }

    /// @dev Part of the chip that a sale earns: 1 at the oracle's price, 0 at the slippage limit, linear. Rounding:
    /// DOWN.
    function _chipPart(uint256 realised, uint256 limit) private pure returns (uint256) {
        uint256 slippage = WAD.zeroFloorSub(realised);
        return limit.zeroFloorSub(slippage).divDown(limit);
    }

    // ------------------------------------------------------------------ fill

    /// @notice See `ILiquidationEngine`.
    function fill(ILiquidationEngine.Quote calldata quote, bytes calldata signature, uint256 amount)
        external
        nonReentrant
        returns (uint256 seized, uint256 payment)
    {
        bytes32 hash = Quotes.digest(quote);
        uint256 left = _requireFillable(quote, hash, signature);
        Context memory context = _open(quote.account, quote.collateralId, quote.debtId);
        if (quote.epoch != context.epoch) revert ILiquidationEngine.QuoteEpochPassed(quote.epoch, context.epoch);
        bool drew;
        (seized, drew) = _sizeFill(context, quote, left, amount);
        payment = seized.mulDivUp(quote.price, WAD);
        _noteFill(quote, hash, left, seized, drew);
        _settleFill(context, quote.dealer, seized, payment, quote.callback ? abi.encode(hash) : bytes(""));
    }

    function _settleFill(Context memory context, address dealer, uint256 seized, uint256 payment, bytes memory data)
        private
    {
        (IClearingHouse.Settlement memory settlement, Sizing.Sale memory sale, bool spent) =
            _booked(context, seized, payment, false);
        _house.settleTake(settlement, dealer, dealer, data);
        _follow(context, sale, spent);
    }

    /// @dev Refuses what its dealer did not sign, or no longer stands by; gives what is left of a quote.
    function _requireFillable(ILiquidationEngine.Quote calldata quote, bytes32 hash, bytes calldata signature)
        private
        view
        returns (uint256 left)
    {
        if (block.timestamp > quote.deadline) revert ILiquidationEngine.QuoteExpired(quote.deadline);
        if (quote.dealer == quote.account) revert ILiquidationEngine.QuoteSelfDealt(quote.dealer);
        if (quote.filler != address(0) && quote.filler != msg.sender) {
            revert ILiquidationEngine.QuoteFillerExclusive(quote.filler);
        }
        (uint256 word, uint256 bit) = Quotes.position(quote.nonce);
        if (_nonceBitmap[quote.dealer][word] & bit != 0) {
            revert ILiquidationEngine.QuoteSpent(quote.dealer, quote.nonce);
        }
        if (!SignatureChecker.isValidSignatureNowCalldata(quote.dealer, hash, signature)) {
            revert ILiquidationEngine.QuoteUnsigned(quote.dealer);
        }
        return quote.maxFill - _filled[hash];
    }

    /// @dev How much is sold at the quote's price: what restores the target at it, at most what is left of the quote,
    /// what the caller asks for, and what the budgets release.
    function _sizeFill(Context memory context, ILiquidationEngine.Quote calldata quote, uint256 left, uint256 amount)
        private
        returns (uint256 seized, bool drew)
    {
        Sizing.Position memory position = context.position;
        uint256 quoted = Sizing.multiplierDown(position, WAD, quote.price);
        if (quoted < context.reserve.multiplier) {
            uint256 price = position.collateralPrice;
            revert ILiquidationEngine.QuoteBelowReserve(quoted.mulDown(price), context.reserve.multiplier.mulUp(price));
        }
        uint256 above = Sizing.multiplierUp(position, WAD, quote.price);
        Sizing.Terms memory best = Sizing.terms(position, context.rules, above);
        Sizing.Terms memory low = Sizing.terms(position, context.rules, quoted);
        _requireChoice(context, low);
        uint256 size = Sizing.saleSize(position, best, low, context.rules);
        seized = size.min(left).min(amount);
        if (seized == 0) revert ILiquidationEngine.SliceEmpty();
        drew = !_paysForDepth(context, seized, quoted);
        if (drew) {
            seized = seized.min(_released(context, best, size));
            _draw(context, seized);
        }
        if (seized < quote.minFill && seized < left) revert ILiquidationEngine.FillTooSmall(seized, quote.minFill);
    }

    /// @dev Whether a price is at least what the measured depth of both markets would pay for `seized`, so that the
    /// dealer asks nothing of them: 1 - slippageLimit * value / (2 * depth), since a sale that moves the price by the
    /// slippage limit costs half of that on average, and never below 1 - slippageLimit, beyond which nothing was
    /// measured. Where a poke is too old nothing is known. Rounding: UP.
    function _paysForDepth(Context memory context, uint256 seized, uint256 quoted) private view returns (bool) {
        Pace memory pace = context.pace;
        uint256 value = seized.valueUp(context.position.collateralPrice, context.position.collateralUnit);
        return _paysFor(context.collateralId, ILiquidationEngine.Side.SELL, pace, value, quoted)
            && _paysFor(context.debtId, ILiquidationEngine.Side.BUY, pace, value, quoted);
    }

    function _paysFor(uint8 assetId, ILiquidationEngine.Side side, Pace memory pace, uint256 value, uint256 quoted)
        private
        view
        returns (bool)
    {
        if (!pace.budgeted.has(assetId)) return true;
        ILiquidationEngine.Bucket memory market = pace.markets[_market(assetId, side, pace)];
        if (!ReleaseBudget.isFresh(market, pace.speed.depthMaxAge, block.timestamp)) return false;
        uint256 limit = pace.speed.slippageLimitBps * WAD_PER_BPS;
        uint256 depth = ReleaseBudget.depthOf(market, pace.speed.shapeBps);
        uint256 slippage = limit.mulDivDown(value, 2 * depth).min(limit);
        return quoted >= WAD - slippage;
    }

    /// @dev Keeps what is sold under a quote. The last fill spends its nonce instead, and with it every other quote
    /// under it.
    function _noteFill(ILiquidationEngine.Quote calldata quote, bytes32 hash, uint256 left, uint256 seized, bool drew)
        private
    {
        if (seized < left) {
            _filled[hash] = uint128(quote.maxFill - left + seized); // below maxFill
        } else {
            (uint256 word, uint256 bit) = Quotes.position(quote.nonce);
            _nonceBitmap[quote.dealer][word] |= bit;
        }
        emit ILiquidationEngine.QuoteFilled(hash, quote.dealer, seized, drew);
    }
}
