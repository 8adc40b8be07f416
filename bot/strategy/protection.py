"""Early deleveraging of accounts that asked for it, as candidates beside liquidations.

Each sale goes through the flash protector: the collateral is sold in one pool, the debt repaid from the
proceeds, and the difference is the keeper's. Liquidations come first; protection takes what they leave of the
pools and of the head's actions.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from bot.domain.engine import UNBOUNDED
from bot.domain.engine.clocks import VOLATILITY_BPS
from bot.domain.protection import Assessment, ProtectionPair, ProtectionSale, assess
from bot.domain.wad import BPS, WAD, bps_down, div_down
from bot.strategy.board import Board, Market, Quote
from bot.strategy.case import Case
from bot.strategy.decision import Action, Candidate, Decision, Kind, Reason, Rejection, Way
from bot.strategy.protected import Protected, Protections
from bot.strategy.screen import MARGIN, Screen
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot

_PARTS: Final = (2, 4, 8)
"""Where the whole sale does not pay, these parts of it are weighed: slippage falls with the size."""


class _Offer(NamedTuple):
    candidate: Candidate
    market: Market
    quote: Quote


class _Found(NamedTuple):
    decision: Decision
    best: _Offer | None


def deleveragings(
    snapshot: Snapshot, screen: Screen, board: Board, settings: StrategySettings, left: int, gas_price: int
) -> list[Decision]:
    """Return a decision for each protected account below its target, the most profitable first.

    Pure. Accounts that are unhealthy or flagged are the liquidation engine's, and not among them. Each sale
    is decided on the pools as the ones before it will leave them.

    Parameters
    ----------
    snapshot : Snapshot
        The head.
    screen : Screen
        Its accounts in floats, of which only those near their target are looked at exactly.
    board : Board
        Pools as liquidations will leave them; moved by what is decided here.
    settings : StrategySettings
        The operator's limits.
    left : int
        Actions that liquidations leave on this head.
    gas_price : int
        WAD quote units per gas.
    """
    view = snapshot.protections
    if view is None or not view.accounts:
        return []
    cases = list(_near(snapshot, screen, view))
    considered = [_Protecting(case, known, view, board, settings, gas_price) for case, known in cases]
    worth = [best.candidate.net if (best := each.found().best) else 0 for each in considered]
    order = sorted(range(len(cases)), key=lambda i: (-worth[i], cases[i][0].account))
    decisions = []
    for index in order:
        decision, best = considered[index].found()
        if best is not None and left == 0:
            decision = _refused(decision, best, Reason.BLOCK_FULL, {"max_actions": settings.max_actions})
        elif best is not None:
            left -= 1
            board.sell(best.market, best.quote)
        decisions.append(decision)
    return decisions


def _near(snapshot: Snapshot, screen: Screen, view: Protections) -> Iterator[tuple[Case, Protected]]:
    """Yield protected accounts that are healthy, not flagged, in debt and below their target."""
    for row, account in enumerate(snapshot.positions.accounts):
        known = view.accounts.get(account)
        if known is None or not screen.health[row] < known.terms.target / WAD * (1 + MARGIN):
            continue  # also where the oracle refuses a price: nothing compares with NaN
        case = Case.of(snapshot, row)
        if case.healthy and not case.flagged:
            yield case, known


def assessment_of(case: Case, known: Protected, view: Protections) -> Assessment:
    """Return how near a protected account is by its own terms.

    Parameters
    ----------
    case : Case
        The account.
    known : Protected
        What its owner stated.
    view : Protections
        What governance set.
    """
    table = case.snapshot.markets.volatilities
    volatilities = {
        holding.asset_id: table.get(holding.asset_id, VOLATILITY_BPS) for holding in case.holdings
    }
    return assess(case.holdings, case.terms, volatilities, known.terms, view.rules, view.scenarios)


class _Protecting:
    """One protected account on the pools of this moment."""

    def __init__(
        self,
        case: Case,
        known: Protected,
        view: Protections,
        board: Board,
        settings: StrategySettings,
        gas_price: int,
    ) -> None:
        self._case: Final = case
        self._known: Final = known
        self._view: Final = view
        self._board: Final = board
        self._settings: Final = settings
        self._gas_cost: Final = gas_price * settings.gas.of(Kind.DELEVERAGE)
        self._assessment: Final = assessment_of(case, known, view)

    def found(self) -> _Found:
        """Return the decision, and the offer behind it."""
        considered = list(self._considered())
        offers = [one for one in considered if isinstance(one, _Offer)]
        rejected = [one for one in considered if isinstance(one, Rejection)]
        best = max(offers, key=lambda offer: offer.candidate.net, default=None)
        rejected += [_lost(offer, Reason.OUTBID, {}) for offer in offers if offer is not best]
        return _Found(self._decision(None if best is None else best.candidate, tuple(rejected)), best)

    def _decision(self, chosen: Candidate | None, rejected: tuple[Rejection, ...]) -> Decision:
        case = self._case
        prices = {asset_id: terms.price for asset_id, terms in case.terms.items()}
        return Decision(
            case.account,
            case.balance.health_factor,
            case.balance.collateral_value,
            case.balance.debt_value,
            case.holdings,
            prices,
            {},
            chosen,
            rejected,
        )

    # --------------------------------------------------------------------- what there is

    def _considered(self) -> Iterator[_Offer | Rejection]:
        if (refused := self._refusal()) is not None:
            yield refused
            return
        for pair in self._case.pairs():
            if not self._known.terms.allows(pair[0]):
                yield self._no(Reason.COLLATERAL_KEPT, pair, allowed=self._known.terms.collaterals)
            else:
                yield from self._sales(pair)

    def _refusal(self) -> Rejection | None:
        """Return why the contract would refuse every sale of the account now, or None if it would not."""
        terms, now, near = self._known.terms, self._case.snapshot.timestamp, self._assessment
        if not self._known.operated or now >= terms.expiry:
            return self._no(
                Reason.NOT_PROTECTED, None, operated=int(self._known.operated), expiry=terms.expiry, now=now
            )
        level = self._case.snapshot.breaker_level
        if self._view.paused or level:
            return self._no(Reason.HALTED, None, paused=int(self._view.paused), level=level)
        if near.shortfall == 0:
            numbers = {"distance": near.distance, "least_distance": terms.min_distance}
            if near.worst_health != UNBOUNDED:
                numbers["worst_health"] = near.worst_health
            return self._no(Reason.DD_ABOVE_MIN, None, **numbers)
        return None

    def _sales(self, ids: tuple[int, int]) -> Iterator[_Offer | Rejection]:
        """Yield the sale of a pair through each pool that trades it."""
        terms, pair = self._known.terms, self._pair(ids)
        sale = pair.sale(self._known.most_value(self._case.snapshot.timestamp))
        if sale.repaid == 0 or sale.value < terms.min_value * WAD:
            numbers = {"value": sale.value, "least_value": terms.min_value * WAD}
            yield self._no(Reason.OWNERS_BOUND, ids, **numbers)
        elif sale.dust:
            yield self._no(Reason.DUST, ids, repaid=sale.repaid, seized=sale.seized)
        elif not (markets := self._board.markets(*ids)):
            yield self._no(Reason.NO_POOL, ids)
        else:
            yield from (self._through(market, ids, pair, sale) for market in markets)

    def _pair(self, ids: tuple[int, int]) -> ProtectionPair:
        case, (sold, owed) = self._case, ids
        held = {holding.asset_id: holding for holding in case.holdings}
        return ProtectionPair(
            case.balance,
            case.terms[sold],
            case.terms[owed],
            held[sold].collateral,
            held[owed].debt,
            self._known.terms.target,
            self._assessment.fee,
            case.snapshot.engine.dust,
        )

    def _through(
        self, market: Market, ids: tuple[int, int], pair: ProtectionPair, whole: ProtectionSale
    ) -> _Offer | Rejection:
        """Return the whole sale through a pool, or where it does not pay the part of it that pays best."""
        most, least = self._known.most_value(self._case.snapshot.timestamp), self._known.terms.min_value * WAD
        first = self._offer(market, ids, pair, whole, UNBOUNDED)
        if isinstance(first, _Offer):
            return first
        offers = []
        for part in _PARTS:
            limit = whole.repaid // part
            sale = pair.sale(most, limit)
            if not sale.dust and sale.value >= least:
                offers.append(self._offer(market, ids, pair, sale, limit))
        paying = [offer for offer in offers if isinstance(offer, _Offer)]
        return max(paying, key=lambda offer: offer.candidate.net, default=first)

    def _offer(
        self, market: Market, ids: tuple[int, int], pair: ProtectionPair, sale: ProtectionSale, limit: int
    ) -> _Offer | Rejection:
        quote = market.quote(sale.seized)
        if quote is None:
            return self._no(Reason.SLIPPAGE, ids, seized=sale.seized)
        spot = market.at_spot(sale.seized)
        if quote.amount_out < spot - bps_down(spot, self._settings.max_slippage_bps):
            return self._no(Reason.SLIPPAGE, ids, seized=sale.seized, payment=quote.amount_out)
        profit = quote.amount_out - sale.repaid
        revenue = pair.owed.value_down(max(profit, 0))
        least = self._settings.minimum_profit + self._gas_cost
        if profit < 0 or revenue < least:
            numbers = {"fee": pair.fee, "payment": quote.amount_out, "repaid": sale.repaid}
            return self._no(Reason.FEE_BELOW_COST, ids, **numbers, gas_cost=self._gas_cost)
        fee_pips = market.pool.fee_pips
        action = Action(
            Kind.DELEVERAGE,
            self._case.account,
            (ids[0],),
            ids[1],
            max_seized=limit,
            route=(Way(BPS, ids, (fee_pips,)),),
            min_profit=max(-(-least * pair.owed.unit // pair.owed.price), 0),
        )
        candidate = Candidate(
            action,
            revenue,
            self._gas_cost,
            sale.seized,
            quote.amount_out,
            sale.repaid,
            div_down(WAD, WAD + pair.fee),
            div_down(pair.owed.value_down(quote.amount_out), pair.sold.value_up(sale.seized)),
        )
        return _Offer(candidate, market, quote)

    def _no(self, reason: Reason, ids: tuple[int, int] | None, **numbers: int) -> Rejection:
        collateral_id, debt_id = ids or (None, None)
        return Rejection(Kind.DELEVERAGE, reason, collateral_id, debt_id, numbers)


def _lost(offer: _Offer, reason: Reason, numbers: dict[str, int]) -> Rejection:
    candidate, action = offer.candidate, offer.candidate.action
    known = {"revenue": candidate.revenue, "gas_cost": candidate.gas_cost, "seized": candidate.seized}
    return Rejection(
        action.kind, reason, action.collateral_ids[0], action.debt_id, known | numbers, action.route
    )


def _refused(decision: Decision, best: _Offer, reason: Reason, numbers: dict[str, int]) -> Decision:
    return replace(decision, chosen=None, rejected=(*decision.rejected, _lost(best, reason, numbers)))
