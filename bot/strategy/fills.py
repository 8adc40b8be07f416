"""The fill of a dealer's quote as a candidate, by the exact twin: comparable with a swap and a take."""

from typing import Final

from bot.domain import engine
from bot.domain.engine import Markets, Position, Sale, Terms
from bot.domain.incentives import Incentives, incentives
from bot.domain.release import Side
from bot.domain.wad import BPS, WAD, WAD_PER_BPS, bps_down, mul_div_down
from bot.strategy.case import Case
from bot.strategy.decision import Action, Candidate, Kind, Reason, Rejection
from bot.strategy.quotes import NOBODY, FirmQuote, OpenQuote
from bot.strategy.sale import writes_off
from bot.strategy.settings import StrategySettings

_ALL: Final = engine.UNBOUNDED
"""Limit that leaves the size to the engine, which knows the account at the moment of the sale."""


def pays_for_depth(markets: Markets, pair: tuple[int, int], value: int, quoted: int, time: int) -> bool:
    """Return whether a price is at least what the measured depth of both markets would pay.

    Then a fill does not draw on the release budgets. A sale that moves the price by the slippage limit costs
    half of that on average, so the price must be ``1 - limit * value / (2 depth)``, and never less than ``1 -
    limit``; where a poke is too old nothing is known. Rounding: the discount DOWN.

    Parameters
    ----------
    markets : Markets
        Release budgets of every asset.
    pair : tuple of int
        Asset ids of collateral and debt.
    value : int
        Of the collateral sold, WAD quote units.
    quoted : int
        Price over the oracle's, WAD.
    time : int
        Unix seconds.
    """
    speed = markets.speed
    limit = speed.slippage_limit_bps * WAD_PER_BPS
    for asset_id, side in zip(pair, (Side.SELL, Side.BUY), strict=True):
        if asset_id not in markets.budgeted:
            continue
        bucket = markets.bucket(asset_id, side, time)
        if not bucket.is_fresh(speed.depth_max_age, time):
            return False
        discount = min(mul_div_down(limit, value, 2 * bucket.depth(speed.shape_bps)), limit)
        if quoted < WAD - discount:
            return False
    return True


def fill(case: Case, offered: OpenQuote, settings: StrategySettings, gas_price: int) -> Candidate | Rejection:
    """Return what filling a quote brings the keeper, or why it is not filled.

    Sized as the engine does, at the quote's own price: the smallest of the slice that restores the target,
    what is left of the quote, what the dealer can pay, and, unless the price pays for the measured depth,
    what the budgets release. The revenue is the chip, and the tip where the
    keeper kicked, times the share of this dealer's fills that went through: gas is spent either way, so a
    dealer that lets fills fail loses against a pool that does not. What the account gets over the reserve is
    not the keeper's, and does not count.

    Parameters
    ----------
    case : Case
        The account, flagged, with an auction that runs.
    offered : OpenQuote
        Verified, for this account.
    settings : StrategySettings
        Limits; the estimate of gas.
    gas_price : int
        WAD quote units per gas.
    """
    return _Filling(case, offered, settings, gas_price).candidate()


class _Filling:
    """One quote on one account."""

    def __init__(self, case: Case, offered: OpenQuote, settings: StrategySettings, gas_price: int) -> None:
        self._case: Final = case
        self._offered: Final = offered
        self._quote: Final[FirmQuote] = offered.quote
        self._pair: Final = (offered.quote.collateral_id, offered.quote.debt_id)
        self._gas_cost: Final = gas_price * settings.gas.of(Kind.FILL)

    def candidate(self) -> Candidate | Rejection:
        """Return the candidate, or why there is none."""
        quote, case = self._quote, self._case
        if (fault := self._fault()) is not None:
            return self._no(Reason.QUOTE_VOID, **fault)
        if case.auction is None or quote.collateral_id not in case.auction.legs:
            return self._no(Reason.LEG_MISSING)
        position = case.position(quote.collateral_id, quote.debt_id)
        if not position.sold.value_down(position.collateral) or not position.debt:
            return self._no(Reason.EMPTY, held=position.collateral, owed=position.debt)
        if not position.balance.weighted_collateral:
            return self._no(Reason.EMPTY, held=position.collateral)
        return self._priced(position)

    def _fault(self) -> dict[str, int] | None:
        """Return the numbers of the first thing that voids the quote at this head; None if it holds."""
        quote, snapshot, auction = self._quote, self._case.snapshot, self._case.auction
        if quote.account != self._case.account or quote.dealer == self._case.account:
            return {"account": int.from_bytes(quote.account)}
        if quote.deadline <= snapshot.timestamp:  # it lands in the next block, which is later
            return {"deadline": quote.deadline, "now": snapshot.timestamp}
        if auction is not None and quote.epoch != auction.epoch:
            return {"epoch": quote.epoch, "running": auction.epoch}
        if quote.filler not in (NOBODY, snapshot.keeper):
            return {"filler": int.from_bytes(quote.filler)}
        held = {holding.asset_id for holding in self._case.holdings}
        if quote.collateral_id == quote.debt_id or not {quote.collateral_id, quote.debt_id} <= held:
            return {"collateral_id": quote.collateral_id, "debt_id": quote.debt_id}
        return None if self._offered.left else {"filled": self._offered.filled}

    def _priced(self, position: Position) -> Candidate | Rejection:
        """Return the candidate once price and size hold."""
        case, rules, price = self._case, self._case.snapshot.engine, self._quote.price
        reserve = engine.terms_at(position, case.multiplier(self._quote.collateral_id), rules.penalty)
        quoted = engine.multiplier_down(position, WAD, price)
        if quoted < reserve.multiplier:
            return self._no(Reason.QUOTE_BELOW_RESERVE, reserve=reserve.multiplier, price=quoted)
        best = engine.terms_at(position, engine.multiplier_up(position, WAD, price), rules.penalty)
        low = engine.terms_at(position, quoted, rules.penalty)
        if (dear := case.dearer(self._pair, position, low)) is not None:
            numbers = {"cheapest": dear.cheapest} | ({} if dear.cost is None else {"cost": dear.cost})
            return self._no(Reason.DEAR_CHOICE, **numbers)
        wanted = engine.sale_size(position, best, low, rules.target, rules.dust)
        seized = min(wanted, self._offered.left, self._affordable())
        value, markets = position.sold.value_up(seized), case.snapshot.markets
        if not pays_for_depth(markets, self._pair, value, quoted, case.snapshot.timestamp):
            budget = case.released(self._pair, position, reserve, best, wanted)
            if budget == 0 and wanted:
                return self._no(Reason.BUDGET, wanted=wanted)
            seized = min(seized, budget)
        if seized == 0 or seized < self._offered.least:
            return self._no(Reason.QUOTE_TOO_SMALL, wanted=wanted, seized=seized, least=self._offered.least)
        return self._booked(position, reserve, seized, whole=seized == wanted)

    def _booked(
        self, position: Position, reserve: Terms, seized: int, *, whole: bool
    ) -> Candidate | Rejection:
        """Return the candidate as the engine would book it, unless it breaks a rule there."""
        rules, payment = self._case.snapshot.engine, self._quote.payment(seized)
        realised = max(engine.multiplier_down(position, seized, payment), reserve.multiplier)
        paid = engine.terms_at(position, realised, rules.penalty)
        sale = engine.realised(position, paid, seized, payment)
        if sale.payment == 0 or sale.cancelled == 0:
            return self._no(Reason.EMPTY, seized=seized, payment=payment)
        if engine.leaves_dust(position, seized, sale.cancelled, rules.dust):
            return self._no(Reason.DUST, seized=seized)
        earned = self._incentives(position, paid, sale)
        expected = bps_down(earned.tip + earned.chip, min(self._offered.fill_rate_bps, BPS))
        return Candidate(
            Action(
                Kind.FILL,
                self._case.account,
                (self._quote.collateral_id,),
                self._quote.debt_id,
                max_seized=_ALL if whole else seized,
                limit_price=self._quote.price,
                quote=self._offered,
                writes_off=writes_off(self._case, position, sale),
            ),
            revenue=position.owed.value_down(expected),
            gas_cost=self._gas_cost,
            seized=seized,
            payment=payment,
            repaid=sale.repaid,
            reserve_multiplier=reserve.multiplier,
            realised_multiplier=realised,
            tip=position.owed.value_down(bps_down(earned.tip, min(self._offered.fill_rate_bps, BPS))),
        )

    def _affordable(self) -> int:
        """Return the collateral that the dealer can pay for. Rounding: DOWN, so that the payment is there."""
        return mul_div_down(self._offered.funds, WAD, self._quote.price) if self._quote.price else 0

    def _incentives(self, position: Position, paid: Terms, sale: Sale) -> Incentives:
        """Return what the keeper is credited: the chip, and the tip if it kicked."""
        snapshot, auction = self._case.snapshot, self._case.auction
        owed = auction.tip_owed if auction else 0
        market = snapshot.assets[self._quote.debt_id].market
        earned = incentives(position, snapshot.engine, paid, sale, owed, market)
        ours = auction is not None and auction.kicker == snapshot.keeper
        return earned if ours else earned._replace(tip=0)

    def _no(self, reason: Reason, **numbers: int) -> Rejection:
        return Rejection(Kind.FILL, reason, self._quote.collateral_id, self._quote.debt_id, numbers)
