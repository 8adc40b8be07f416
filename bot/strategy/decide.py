"""The decision on a whole head: which accounts, in which order, and what to do to each."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from bot.domain import engine
from bot.domain.engine import Position
from bot.domain.incentives import TIP_STEPS, incentives
from bot.domain.wad import BPS, WAD
from bot.strategy.board import Board
from bot.strategy.case import Case
from bot.strategy.decision import Action, Candidate, Decision, Decisions, Kind, Reason, Rejection
from bot.strategy.fills import fill
from bot.strategy.lapses import lapses
from bot.strategy.opening import opened
from bot.strategy.outlook import Outlook, outlook_of
from bot.strategy.pokes import pokes
from bot.strategy.protection import deleveragings
from bot.strategy.routes import Route, paths
from bot.strategy.sale import Offer, Pair, swaps
from bot.strategy.screen import Screen
from bot.strategy.settings import GasEstimates, StrategySettings
from bot.strategy.several import SELLING, SeveralOffer, extended
from bot.strategy.snapshot import NO_KICK, NO_REDO, Snapshot
from bot.strategy.timing import cost_of_a_block, value_of_waiting

_WITH_SALE: Final = {Kind.KICK: Kind.KICK_SWAP, Kind.REDO: Kind.REDO_SWAP}
"""How an auction begins, by itself and with a sale in the same call."""
NEGLIGIBLE_LOSS: Final = 1e-6
"""Expected loss, quote units, below which it does not order accounts: a forecast that small is none."""


def decide(snapshot: Snapshot, settings: StrategySettings) -> Decisions:
    """Return what to do about every unhealthy or flagged account, most urgent first.

    Pure: the same snapshot and settings give the same decisions. At most one action per account; each sale is
    decided on the pools as the ones before it will leave them. Most urgent is where gas avoids most expected
    loss; see `urgency`.

    Parameters
    ----------
    snapshot : Snapshot
        The protocol at one head.
    settings : StrategySettings
        The operator's limits.
    """
    screen = Screen(snapshot)
    cases = [Case.of(snapshot, int(row)) for row in screen.suspects]
    cases = [case for case in cases if case.flagged or not case.healthy]
    outlook = outlook_of(snapshot, settings.outlook, settings.max_slippage_bps / BPS)
    if outlook is not None:
        outlook.look_at([case.row for case in cases])
    cases.sort(key=lambda case: urgency(case, outlook, settings.gas))
    read = pokes(snapshot, cases, settings, gas_price(snapshot, settings))
    chooser = _Chooser(snapshot, settings, outlook, frozenset(_poked(read)))
    settled = [chooser.decide(case) for case in cases]
    price = gas_price(snapshot, settings)
    rows = [int(row) for row in screen.interrupted]
    told = lapses(snapshot, rows, settings, price, chooser.left)
    early = deleveragings(snapshot, screen, chooser.board, settings, chooser.left - len(told), price)
    decisions = (*read, *settled, *told, *early)
    return Decisions(snapshot.block, len(snapshot.positions.accounts), screen.unpriced, decisions, outlook)


def _poked(decisions: Sequence[Decision]) -> Iterator[int]:
    """Yield the assets whose depth is read on this head: starts behind that rest on what nobody knows yet."""
    for decision in decisions:
        if decision.chosen is not None:
            yield from decision.chosen.action.collateral_ids


def urgency(case: Case, outlook: Outlook | None, gas: GasEstimates) -> tuple[float, int, int, bytes]:
    """Return the key that sorts the most urgent case first.

    First comes the expected loss that a unit of gas avoids: the loss of waiting over the gas from here to the
    first sale. Where that is less than `NEGLIGIBLE_LOSS`, or nothing is estimated, the lowest health does,
    then the largest debt; the address makes the order total. A healthy account, of which only the flag is
    left to fall, avoids none.

    Parameters
    ----------
    case : Case
        The account.
    outlook : Outlook or None
        Of its snapshot.
    gas : GasEstimates
        Gas of each action.
    """
    avoided = 0.0 if outlook is None or case.healthy else outlook.account(case.row).loss_of_waiting
    if not avoided >= NEGLIGIBLE_LOSS:
        avoided = 0.0
    balance = case.balance
    return -avoided / _gas_ahead(case, gas), balance.health_factor, -balance.debt_value, case.account


def _gas_ahead(case: Case, gas: GasEstimates) -> int:
    """Return the gas from where the account stands to its first sale."""
    if not case.flagged:
        return gas.kick + gas.swap
    return gas.redo + gas.swap if case.lapsed else gas.swap


class _Chooser:
    """Decides one account after the other, on pools that the earlier decisions have moved."""

    def __init__(
        self,
        snapshot: Snapshot,
        settings: StrategySettings,
        outlook: Outlook | None,
        poked: frozenset[int],
    ) -> None:
        self._snapshot: Final = snapshot
        self._settings: Final = settings
        self._outlook: Final = outlook
        self._poked: Final = poked
        self.board: Final = Board(snapshot.pools)
        self._gas_price: Final = gas_price(snapshot, settings)
        self._markets = snapshot.markets
        self.left = settings.max_actions

    def decide(self, case: Case) -> Decision:
        """Return the decision on one account."""
        if self._markets is not case.snapshot.markets:  # an earlier decision has drawn on the budgets
            case = replace(case, snapshot=replace(case.snapshot, markets=self._markets))
        offers: list[Offer] = []
        rejected: list[Rejection] = []
        for found in self._considered(case):
            if isinstance(found, Offer):
                offers.append(found)
            else:
                rejected.append(found)
        chosen = self._choice(case, offers, rejected)
        balance = case.balance
        return Decision(
            case.account,
            balance.health_factor,
            balance.collateral_value,
            balance.debt_value,
            case.holdings,
            {asset_id: terms.price for asset_id, terms in case.terms.items()},
            {asset_id: case.multiplier(asset_id) for asset_id in (case.auction.legs if case.auction else ())},
            chosen,
            tuple(rejected),
            None if self._outlook is None else self._outlook.account(case.row),
        )

    # --------------------------------------------------------------------- what there is

    def _considered(self, case: Case) -> Iterator[Offer | Rejection]:
        if case.healthy:
            if self._settings.housekeeping:
                yield self._upkeep(Action(Kind.CLEAR, case.account))
        elif self._snapshot.halted:
            yield Rejection(Kind.KICK, Reason.HALTED, None, None, {})
        elif not case.flagged:
            yield from self._kick(case)
        elif case.lapsed:
            yield from self._after_lapse(case)
        else:
            yield from self._settlements(case)
            yield from self._repairs(case)
        yield from self._mark(case)

    def _after_lapse(self, case: Case) -> Iterator[Offer | Rejection]:
        """Yield the end of an auction that asked less than any pool pays and found nobody, or its redo."""
        asked = case.asked_last if self._settings.housekeeping else None
        if self._snapshot.breaker_level >= NO_REDO:
            yield Rejection(Kind.REDO, Reason.HALTED, None, None, {})
            return
        if asked is None:
            yield from self._starts(case, Kind.REDO)
            return
        numbers = {"asked": asked, "spot": self._best_spot(case)}
        if numbers["spot"] < asked:
            yield self._upkeep(Action(Kind.END, case.account, writes_off=True))
            yield Rejection(Kind.REDO, Reason.MARKET_GONE, None, None, numbers)
        else:
            yield from self._starts(case, Kind.REDO)
            yield Rejection(Kind.END, Reason.MARKET_PAYS, None, None, numbers)

    def _best_spot(self, case: Case) -> int:
        """Return the best marginal price after fees over the oracle's, for any pair of an account, WAD."""
        spots = [pair.spot() for ids in case.pairs() for pair in self._singles(case, *ids)]
        return max(spots, default=0)

    def _mark(self, case: Case) -> Iterator[Offer]:
        """Yield the mark of a deficit that has grown by what the operator has marked."""
        least = self._settings.mark_from
        if least and not case.healthy and case.feared - case.marked >= least:
            yield self._upkeep(Action(Kind.MARK, case.account))

    def _kick(self, case: Case) -> Iterator[Offer | Rejection]:
        if self._snapshot.breaker_level >= NO_KICK:
            yield Rejection(Kind.KICK, Reason.HALTED, None, None, {})
        elif case.cooling_off:
            yield Rejection(Kind.KICK, Reason.COOLING_OFF, None, None, {"block": self._snapshot.block})
        else:
            yield from self._starts(case, Kind.KICK)

    def _starts(self, case: Case, kind: Kind) -> Iterator[Offer | Rejection]:
        """Yield the start of an auction by itself, and with each first sale that clears at once."""
        yield self._start(case, kind)
        begun = opened(case) if self._snapshot.swap_open else None
        if begun is None or self._poked & begun.terms.keys():
            return
        both = _WITH_SALE[kind]
        for ids in begun.pairs():
            for found in swaps(self._singles(begun, *ids)):
                if isinstance(found, Rejection):
                    yield replace(found, kind=both)
                else:
                    yield self._together(found, both, case.collateral_ids)

    def _together(self, sale: Offer, kind: Kind, started: tuple[int, ...]) -> Offer:
        """Return a sale with the start of its auction before it, in one call."""
        candidate, pools = sale.candidate, sale.pair.route.pools if sale.pair else 1
        action = replace(candidate.action, kind=kind, started=started)
        cost = self._gas_price * self._settings.gas.of(kind, pools)
        return replace(sale, candidate=replace(candidate, action=action, gas_cost=cost))

    def _start(self, case: Case, kind: Kind) -> Offer | Rejection:
        """Return the start of an auction, worth its tip and the chip of the slice that follows."""
        revenue = self._expected(case)
        gas = self._settings.gas
        cost = self._gas_price * (gas.of(kind) + gas.swap)
        if revenue - cost < self._settings.minimum_profit and not self._settings.kick_unprofitable:
            numbers = {"revenue": revenue, "gas_cost": cost, "minimum": self._settings.minimum_profit}
            return Rejection(kind, Reason.UNPROFITABLE, None, None, numbers)
        action = Action(kind, case.account, case.collateral_ids, writes_off=case.spent)
        return Offer(Candidate(action, revenue, cost))

    def _expected(self, case: Case) -> int:
        """Return tip and chip of the best pair's largest slice at the oracle price, WAD quote units."""
        rules, holdings = self._snapshot.engine, engine.netted(case.holdings)
        best = 0
        for collateral_id, debt_id in case.pairs():
            position = engine.position_of(holdings, case.terms, {}, collateral_id, debt_id, rules.dust)
            if not position.collateral or not position.debt or not position.balance.weighted_collateral:
                continue
            offer = engine.terms_at(position, WAD, rules.penalty)
            sale = engine.largest_take(position, offer, rules.target, rules.dust)
            market = self._snapshot.assets[debt_id].market
            paid = incentives(position, rules, offer, sale, rules.tip_value * TIP_STEPS, market)
            best = max(best, position.owed.value_down(paid.tip + paid.chip))
        return best

    def _settlements(self, case: Case) -> Iterator[Offer | Rejection]:
        running = case.auction.legs if case.auction else {}
        for collateral_id, debt_id in case.pairs():
            if collateral_id not in running:
                yield Rejection(Kind.SWAP, Reason.LEG_MISSING, collateral_id, debt_id, {})
                continue
            yield from self._routes(case, collateral_id, debt_id)
        for quote in self._snapshot.quotes.get(case.account, ()):
            found = fill(case, quote, self._settings, self._gas_price)
            yield Offer(found) if isinstance(found, Candidate) else found

    def _routes(self, case: Case, collateral_id: int, debt_id: int) -> Iterator[Offer | Rejection]:
        """Yield each way of selling a pair by itself, and the best split over those that serve."""
        position = case.position(collateral_id, debt_id)
        if not position.sold.value_down(position.collateral) or not position.balance.weighted_collateral:
            yield Rejection(Kind.SWAP, Reason.EMPTY, collateral_id, debt_id, {"held": position.collateral})
            return
        pairs = self._singles(case, collateral_id, debt_id)
        if not pairs:
            yield Rejection(Kind.SWAP, Reason.NO_POOL, collateral_id, debt_id, {})
        if self._snapshot.swap_open:
            yield from swaps(pairs)
        elif pairs:
            yield Rejection(Kind.SWAP, Reason.ROUTE_CLOSED, collateral_id, debt_id, {})
        direct = [pair for pair in pairs if pair.route.parts[0].path.direct]
        if self._snapshot.take_open:
            yield from (pair.take() for pair in direct)
        elif direct:
            yield Rejection(Kind.TAKE, Reason.ROUTE_CLOSED, collateral_id, debt_id, {})

    def _swaps(
        self, case: Case, collateral_id: int, debt_id: int, board: Board
    ) -> Iterator[Offer | Rejection]:
        return swaps(self._singles(case, collateral_id, debt_id, board))

    def _singles(
        self, case: Case, collateral_id: int, debt_id: int, board: Board | None = None
    ) -> list[Pair]:
        """Return a pair along each path by itself; none where the collateral rounds to nothing."""
        position = case.position(collateral_id, debt_id)
        if not position.sold.value_down(position.collateral) or not position.balance.weighted_collateral:
            return []
        assets = range(len(self._snapshot.assets))
        ways = paths(board or self.board, collateral_id, debt_id, assets, position.collateral)
        return [self._pair(case, collateral_id, debt_id, Route.along(path), position) for path in ways]

    def _pair(self, case: Case, collateral_id: int, debt_id: int, route: Route, position: Position) -> Pair:
        penalty = self._snapshot.engine.penalty
        reserve = engine.terms_at(position, case.multiplier(collateral_id), penalty)
        settings, stake = self._settings, self._stake(case)
        return Pair(case, collateral_id, debt_id, position, reserve, route, settings, self._gas_price, stake)

    def _stake(self, case: Case) -> int:
        """Return what leaving an account for a block costs the lenders; 0 where nothing is estimated."""
        outlook = self._outlook
        if outlook is None:
            return 0
        loss = outlook.account(case.row).loss_of_waiting
        return cost_of_a_block(loss, outlook.horizon_s, self._settings.timing)

    def _repairs(self, case: Case) -> Iterator[Offer]:
        if not self._settings.housekeeping:
            return
        if case.spent:
            yield self._upkeep(Action(Kind.KICK, case.account, case.collateral_ids, writes_off=True))
        for asset_id in case.doubled:
            yield self._upkeep(Action(Kind.NET, case.account, (asset_id,)))
        if case.missing_legs:
            yield self._upkeep(Action(Kind.KICK, case.account, case.missing_legs))

    def _upkeep(self, action: Action) -> Offer:
        return Offer(Candidate(action, 0, self._gas_price * self._settings.gas.of(action.kind)))

    # ------------------------------------------------------------------------- the choice

    def _choice(self, case: Case, offers: list[Offer], rejected: list[Rejection]) -> Candidate | None:
        """Return the settlement that brings most after gas, or else the first thing to be kept in order."""
        chosen = self._best_settlement(offers, rejected)
        if chosen is not None and (waiting := self._waiting(case, chosen)) is not None:
            rejected.append(waiting)
            chosen = None
        if chosen is not None and chosen.candidate.action.started:
            alone = (offer for offer in offers if offer.candidate.action.kind in _WITH_SALE)
            rejected.extend(_lost(offer, Reason.OUTBID, {}) for offer in alone)
        if chosen is None:
            chosen = next((offer for offer in offers if not _settles(offer)), None)
        if chosen is None:
            return None
        if self.left == 0:
            rejected.append(_lost(chosen, Reason.BLOCK_FULL, {"max_actions": self._settings.max_actions}))
            return None
        self.left -= 1
        self._book(case, chosen)
        return chosen.candidate

    def _book(self, case: Case, chosen: Offer) -> None:
        """Leave pools and budgets as a settlement will leave them."""
        for part in chosen.parts:
            for market, quote in part.sold.moves if part.sold else ():
                self.board.sell(market, quote)
        for booking in chosen.candidate.bookings:
            pair = booking.collateral_id, booking.debt_id
            value = case.terms[booking.collateral_id].value_up(booking.seized)
            # a fill that pays for the measured depth draws on nothing; to count it is the safe side
            self._markets = self._markets.drawn(pair, value, self._snapshot.timestamp)

    def _best_settlement(self, offers: list[Offer], rejected: list[Rejection]) -> Offer | None:
        settlements = [offer for offer in offers if _settles(offer)]
        several = self._several(settlements)
        first = several.sales[0] if several else None
        choices = [several if offer is first and several else offer for offer in settlements]
        best = max(choices, key=self._above_least, default=None)
        if best is not None and self._above_least(best) < 0:
            best = None
        for offer in settlements:
            if best is not None and offer is first and best is several:
                rejected.append(_lost(offer, Reason.CONTAINED, {}))
            elif offer is not best:
                reason = Reason.UNPROFITABLE if best is None else Reason.OUTBID
                rejected.append(_lost(offer, reason, {}))
        return best

    def _above_least(self, offer: Offer) -> int:
        """Return by how much a settlement brings more than the operator wants, WAD quote units."""
        return offer.candidate.net - self._settings.least(len(offer.parts))

    def _several(self, settlements: Sequence[Offer]) -> SeveralOffer | None:
        """Return the best swap with what follows it in the same call; None where nothing does."""
        selling = (offer for offer in settlements if offer.candidate.action.kind in SELLING)
        first = max(selling, key=lambda offer: offer.candidate.net, default=None)
        if first is None:
            return None
        return extended(first, self._swaps, self.board, self._settings, self._gas_price)

    def _waiting(self, case: Case, best: Offer) -> Rejection | None:
        """Return why the best settlement is left for the next block, or None if it is not."""
        if best.candidate.action.started:
            return self._starting_alone(case, best)
        later = self._a_block_later(case, best)
        if later is None or later.candidate.net <= best.candidate.net:
            return None
        least = self._settings.minimum_profit
        value = least + self._value_of_waiting(case, later.candidate.net - least)
        if value <= best.candidate.net:
            return None
        return _lost(best, Reason.WAITING_PAYS, {"net_later": later.candidate.net, "value_of_waiting": value})

    def _starting_alone(self, case: Case, best: Offer) -> Rejection | None:
        """Return why an auction is only started, and settled in the next block, or None if it is not.

        The tip is the keeper's whoever settles; the rest of what the best settlement will bring then it may
        lose to others.
        """
        begun = opened(case)
        if begun is None:
            return None
        offers = [found for found in self._settlements(self._later(begun)) if isinstance(found, Offer)]
        if len(best.parts) > 1 and (several := self._several(offers)) is not None:
            offers.append(several)
        later = max((offer.candidate.net - offer.candidate.tip for offer in offers), default=0)
        kind = Kind.KICK if best.candidate.action.kind is Kind.KICK_SWAP else Kind.REDO
        least = self._settings.minimum_profit
        value = least + best.candidate.tip - self._gas_price * self._settings.gas.of(kind)
        value += self._value_of_waiting(case, later - least)
        if value <= best.candidate.net:
            return None
        return _lost(best, Reason.WAITING_PAYS, {"net_later": later, "value_of_waiting": value})

    def _value_of_waiting(self, case: Case, net_later: int) -> int:
        loss, horizon = 0.0, 1
        if self._outlook is not None:
            loss, horizon = self._outlook.account(case.row).loss_of_waiting, self._outlook.horizon_s
        return value_of_waiting(net_later, loss, horizon, self._settings.timing)

    def _later(self, case: Case) -> Case:
        """Return an account as it will stand a block later, prices and pools unchanged."""
        timestamp = self._snapshot.timestamp + self._settings.timing.block_time_s
        return replace(case, snapshot=replace(case.snapshot, timestamp=timestamp))

    def _a_block_later(self, case: Case, best: Offer) -> Offer | None:
        """Return the same settlement as it would stand a block later, prices and pools unchanged."""
        pair, kind = best.parts[0].pair, best.candidate.action.kind
        if pair is None:
            return None
        later = self._later(case)
        if later.lapsed:
            return None
        ids = pair.collateral_id, pair.debt_id
        again = self._pair(later, *ids, pair.route, later.position(*ids))
        found = again.swap() if kind is Kind.SWAP else again.take()
        if isinstance(found, Rejection):
            return None
        return self._several([found]) or found if len(best.parts) > 1 else found


def _settles(offer: Offer) -> bool:
    return offer.candidate.action.kind in (Kind.TAKE, Kind.FILL, *SELLING)


def _lost(offer: Offer, reason: Reason, numbers: dict[str, int]) -> Rejection:
    candidate, action = offer.candidate, offer.candidate.action
    known = {"revenue": candidate.revenue, "gas_cost": candidate.gas_cost, "seized": candidate.seized}
    collateral_id = action.collateral_ids[0] if action.debt_id is not None else None
    return Rejection(action.kind, reason, collateral_id, action.debt_id, known | numbers, action.route)


def gas_price(snapshot: Snapshot, settings: StrategySettings) -> int:
    """Return what a unit of gas costs on this head, WAD quote units; zero if the gas asset has no price."""
    wei = snapshot.base_fee + settings.priority_fee
    price = next((asset.price for asset in snapshot.assets if asset.symbol == settings.gas_asset), None)
    return wei * (price or 0) // WAD
