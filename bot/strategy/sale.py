"""The best swap and the best take of one pair along one route, by the exact twin and the exact pools."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Final, NamedTuple

from bot.domain import engine
from bot.domain.engine import Position, Sale, Terms
from bot.domain.incentives import Incentives, chip_part_of, incentives
from bot.domain.wad import BPS, WAD, bps_down, bps_up, div_down, div_up, mul_down, mul_up
from bot.strategy.case import Case
from bot.strategy.decision import Action, Candidate, Kind, Reason, Rejection
from bot.strategy.routes import Route, Sold, split
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import TWAP_TOLERANCE_BPS

_PRECISION: Final = 10**6
"""The largest sale within a limit is found to one part in this many."""
_ALL: Final = engine.UNBOUNDED
"""Limit that leaves the size to the engine, which knows the account at the moment of the sale."""


class Booked(NamedTuple):
    """How a sale is booked, at which multiplier, and what kicker and settler are paid for it."""

    sale: Sale
    realised: int
    paid: Incentives


@dataclass(frozen=True, slots=True)
class Offer:
    """A candidate and, for a sale, where it comes from and what it does.

    Parameters
    ----------
    candidate : Candidate
        What would be done.
    pair : Pair or None
        What it sells, along which route.
    sold : Sold or None
        What it does to the pools.
    booked : Booked or None
        How a swap is booked.
    """

    candidate: Candidate
    pair: "Pair | None" = None
    sold: Sold | None = None
    booked: Booked | None = None

    @property
    def parts(self) -> tuple["Offer", ...]:
        """The sales that it makes, in order."""
        return (self,)


@dataclass(frozen=True)
class Pair:
    """One collateral and one debt of one account, along one route.

    Parameters
    ----------
    case : Case
        The account.
    collateral_id, debt_id : int
        The pair.
    position : Position
        The account as the sizing sees it from the pair.
    reserve : Terms
        Terms at the reserve of this moment.
    route : Route
        Where the collateral is sold; for a take a single pool.
    settings : StrategySettings
        Limits.
    gas_price : int
        WAD quote units per gas.
    stake : int
        Lenders' expected loss, weighed, of leaving the account as it is for a block, WAD quote units.
    """

    case: Case
    collateral_id: int
    debt_id: int
    position: Position
    reserve: Terms
    route: Route
    settings: StrategySettings
    gas_price: int
    stake: int = 0

    # -------------------------------------------------------------------------- swap

    def swap(self) -> Offer | Rejection:
        """Return the swap that is worth most: what it earns, and what leaving the rest for a block costs.

        At most as large as the engine allows, for the best marginal price at best and the reserve at worst;
        cut where the average price would fall below the reserve or the slippage limit, or dust would stay.
        As the chip is a share of debt and falls with slippage, the largest need not earn most.
        """
        if (refused := self.refused()) is not None:
            return refused
        best, whole, budget = self._sizes()
        if budget == 0:
            return self._no(Kind.SWAP, Reason.BUDGET, wanted=whole)
        size = self._within_limits(budget, self.reserve.multiplier)
        if size == 0:
            return self._no(Kind.SWAP, Reason.SLIPPAGE, wanted=whole, spot=self.spot())
        found = self._swap_of(best, size, whole=size == whole)
        dearest = self._dearest(size)
        if dearest == size:
            return found
        smaller = self._swap_of(best, dearest, whole=False)
        if isinstance(smaller, Offer) and (
            isinstance(found, Rejection) or self._worth(smaller, size) > self._worth(found, size)
        ):
            return smaller
        return found

    def _worth(self, offer: Offer, largest: int) -> int:
        return offer.candidate.revenue + self._spared(offer.candidate.seized, largest)

    def _spared(self, seized: int, largest: int) -> int:
        """Return the part of the lenders' loss of leaving an account for a block that a sale spares them."""
        return self.stake * min(seized, largest) // largest

    def _dearest(self, largest: int) -> int:
        """Return the sale up to ``largest`` that is worth most, to a hundredth, by golden section.

        What it earns rises with the debt repaid and falls with slippage, so it has one summit.
        """

        def worth(seized: int) -> int:
            sold = self.route.quote(seized) if seized else None
            if sold is None:
                return -1
            booked = self._booked(seized, sold.amount_out)
            return self._value(sum(self._ours(booked.paid))) + self._spared(seized, largest)

        if worth(largest) >= worth(largest * 9 // 10):
            return largest
        low, high, near = 0, largest, largest * 1_000 // 2_618
        far = low + high - near
        at_near, at_far = worth(near), worth(far)
        while high - low > largest // 100 + 3:
            if at_near >= at_far:
                high, far, at_far = far, near, at_near
                near = low + high - far
                at_near = worth(near)
            else:
                low, near, at_near = near, far, at_far
                far = low + high - near
                at_far = worth(far)
        return max(near if at_near >= at_far else far, 1)

    def along(self, pairs: Sequence["Pair"], amount: int) -> Offer | Rejection | None:
        """Return the swap over the paths of several pairs, shared out as is best for an amount.

        None where that is along one of them, or nothing may be sold.
        """
        ways = [pair.route.parts[0].path for pair in pairs]
        owed = self.position.owed
        route = split(ways, amount, self._pool_cost() * owed.unit / owed.price) if amount else None
        return None if route is None or len(route.parts) < 2 else replace(self, route=route).swap()

    def _pool_cost(self) -> int:
        return self.gas_price * self.settings.gas.pool

    def refused(self) -> Rejection | None:
        """Return why the engine would sell nothing along this route, or None if it would."""
        return self._refused

    @cached_property
    def _refused(self) -> Rejection | None:
        if self.spot() < self.reserve.multiplier:
            return self._above_market(Kind.SWAP)
        return self._astray()

    def wanted(self) -> int:
        """Return what the engine would let be sold if the route's marginal price held for all of it."""
        return self._sizes()[2]

    def _sizes(self) -> tuple[Terms, int, int]:
        """Return the terms at the marginal price, the sale that they allow, and what of it is released."""
        rules = self.case.snapshot.engine
        best = engine.terms_at(self.position, self.spot(), rules.penalty)
        whole = engine.sale_size(self.position, best, self.reserve, rules.target, rules.dust)
        return best, whole, self._released(best, whole)

    def _swap_of(self, best: Terms, size: int, whole: bool) -> Offer | Rejection:
        """Return the swap of at most ``size`` at a limit just below what the pool pays for it."""
        rules, position = self.case.snapshot.engine, self.position
        price = self._limit_price(size, best.multiplier)
        least = max(self.reserve.multiplier, div_up(price, position.sold.price))
        low = engine.terms_at(position, least, rules.penalty)
        if (dear := self._dear(Kind.SWAP, low)) is not None:
            return dear
        allowed = engine.sale_size(position, best, low, rules.target, rules.dust)
        planned = min(size, self._released(best, allowed))
        seized = planned if whole else self._without_dust(low, planned)
        sold = self.route.quote(seized) if seized else None
        if sold is None:
            return self._no(Kind.SWAP, Reason.DUST, wanted=size, sold=seized)
        booked = self._booked(seized, sold.amount_out)
        sale, earned = booked.sale, self._ours(booked.paid)
        if sale.payment == 0 or sale.cancelled == 0:
            return self._no(Kind.SWAP, Reason.EMPTY, seized=seized, payment=sale.payment)
        if engine.leaves_dust(position, seized, sale.cancelled, rules.dust):
            return self._no(Kind.SWAP, Reason.DUST, wanted=size, sold=seized)
        action = Action(
            Kind.SWAP,
            self.case.account,
            (self.collateral_id,),
            self.debt_id,
            max_seized=_ALL if whole else seized,
            limit_price=price,
            route=self.route.ways,
            writes_off=writes_off(self.case, position, sale),
        )
        candidate = self._candidate(action, sale, sum(earned), booked.realised, earned.tip)
        return Offer(candidate, self, sold, booked)

    def _booked(self, seized: int, payment: int) -> Booked:
        """Return how the engine books a sale that brought ``payment``."""
        snapshot, position = self.case.snapshot, self.position
        realised = max(engine.multiplier_down(position, seized, payment), self.reserve.multiplier)
        paid = engine.terms_at(position, realised, snapshot.engine.penalty)
        sale = engine.realised(position, paid, seized, payment)
        chip_part = chip_part_of(realised, snapshot.markets.speed.slippage_limit_bps)
        return Booked(sale, realised, self._incentives(paid, sale, chip_part))

    def _limit_price(self, size: int, spot: int) -> int:
        """Return the realised price less the tolerance, quote units per whole token; at most the spot."""
        sold = self.route.quote(size)
        realised = engine.multiplier_down(self.position, size, sold.amount_out) if sold else 0
        price = mul_down(min(realised, spot), self.position.sold.price)
        return price - bps_up(price, self.settings.price_tolerance_bps)

    # -------------------------------------------------------------------------- take

    def take(self) -> Offer | Rejection:
        """Return the take that earns most: the pool's marginal price falls to the reserve, less the chip.

        Cut where the slice ends, the slippage limit is met, or dust would stay; where dust is in the way the
        whole slice is weighed too.
        """
        rules = self.case.snapshot.engine
        if (dear := self._dear(Kind.TAKE, self.reserve)) is not None:
            return dear
        whole = engine.largest_take(self.position, self.reserve, rules.target, rules.dust)
        budget = self._released(self.reserve, whole.seized)
        if budget == 0 and whole.seized:
            return self._no(Kind.TAKE, Reason.BUDGET, wanted=whole.seized)
        largest = whole
        if budget < whole.seized:
            largest = engine.partial_take(self.position, self.reserve, budget)
        (market,) = self.route.parts[0].path.markets
        optimum = market.pool.profit_maximising_input(self._unit_cost(), market.zero_for_one)
        if optimum == 0:
            return self._above_market(Kind.TAKE)
        wanted = self._within_limits(min(largest.seized, optimum), 0)
        offers = []
        if wanted < largest.seized and (part := self._without_dust(self.reserve, wanted)):
            offers.append(self._take_of(engine.partial_take(self.position, self.reserve, part), part))
        if wanted == largest.seized or self._allowed(largest.seized, 0):
            offers.append(self._take_of(largest, _ALL if largest == whole else largest.seized))
        found = [offer for offer in offers if isinstance(offer, Offer)]
        if found:
            return max(found, key=lambda offer: offer.candidate.net)
        return offers[0] if offers else self._no(Kind.TAKE, Reason.DUST, wanted=wanted)

    def _take_of(self, sale: Sale, limit: int) -> Offer | Rejection:
        position = self.position
        sold = self.route.quote(sale.seized) if sale.seized else None
        if sold is None or sale.payment == 0 or sale.cancelled == 0:
            return self._no(Kind.TAKE, Reason.EMPTY, seized=sale.seized, payment=sale.payment)
        tip, chip = self._ours(self._incentives(self.reserve, sale))
        profit = sold.amount_out - (sale.payment - chip)
        if profit < 0:  # the flash taker pays with what it sells, and has nothing else
            return self._no(Kind.TAKE, Reason.UNPROFITABLE, brought=sold.amount_out, payment=sale.payment)
        least = self.settings.minimum_profit + self.gas_price * self.settings.gas.take
        least -= position.owed.value_down(tip)  # is credited in the clearing house, not to the taker
        reserve_price = mul_up(self.reserve.multiplier, position.sold.price)
        action = Action(
            Kind.TAKE,
            self.case.account,
            (self.collateral_id,),
            self.debt_id,
            max_seized=limit,
            limit_price=reserve_price + bps_up(reserve_price, self.settings.price_tolerance_bps),
            route=self.route.ways,
            writes_off=writes_off(self.case, position, sale),
            min_profit=max(-(-least * position.owed.unit // position.owed.price), 0),
        )
        realised = engine.multiplier_down(position, sale.seized, sold.amount_out)
        return Offer(self._candidate(action, sale, tip + profit, realised, tip), self, sold)

    def _unit_cost(self) -> Fraction:
        """Return the debt tokens that a unit of collateral costs at the reserve, the chip taken off."""
        rules, sold, owed = self.case.snapshot.engine, self.position.sold, self.position.owed
        price = Fraction(sold.price, sold.unit) / Fraction(owed.price, owed.unit)
        repaid = Fraction(WAD, WAD + self.reserve.penalty)
        budget = Fraction(self.reserve.penalty * rules.incentive_share_bps, WAD * BPS)
        chip = min(Fraction(rules.chip_bps, BPS), budget)
        return price * Fraction(self.reserve.multiplier, WAD) * (1 - repaid * chip)

    # ------------------------------------------------------------------------- steps

    def spot(self) -> int:
        """Return the best marginal price after fees over the oracle price, as the engine rounds it."""
        return self._spot

    @cached_property
    def _spot(self) -> int:
        held = self.position.collateral
        return engine.multiplier_up(self.position, held, self.route.at_spot(held))

    def _within_limits(self, wanted: int, least_multiplier: int) -> int:
        """Return the largest sale up to ``wanted`` whose average price meets reserve and slippage limit.

        The average price falls with size, so bisection finds it, to one part in `_PRECISION`.
        """
        if self._allowed(wanted, least_multiplier):
            return wanted
        low, high = 0, wanted
        while high - low > 1 + wanted // _PRECISION:
            middle = (low + high) // 2
            if self._allowed(middle, least_multiplier):
                low = middle
            else:
                high = middle
        return low

    def _allowed(self, amount: int, least_multiplier: int) -> bool:
        """Return whether a sale meets the reserve, and the slippage limit in whole and in each part."""
        sold = self.route.quote(amount) if amount else None
        if sold is None or self._slips(sold.amount_out, self.route.at_best(amount)):
            return False
        for part, (taken, brought) in zip(self.route.parts, sold.parts, strict=True):
            if self._slips(brought, part.path.at_best(taken)):
                return False
        return sold.amount_out >= engine.payment_up(self.position, least_multiplier, amount)

    def _slips(self, brought: int, at_spot: int) -> bool:
        return brought < at_spot - bps_down(at_spot, self.settings.max_slippage_bps)

    def _without_dust(self, offer: Terms, seized: int) -> int:
        """Return ``seized``, or less where that leaves dust.

        Less leaves a tenth more than the dust value on both sides; zero where there is no such sale.
        """
        rules, position = self.case.snapshot.engine, self.position
        sale = engine.partial_take(position, offer, seized)
        if not engine.leaves_dust(position, seized, sale.cancelled, rules.dust):
            return seized
        kept = rules.dust * 11 // 10
        spare = position.sold.value_down(position.collateral) - kept
        owed = max(position.owed.value_down(position.debt) - kept, 0)
        value = min(spare, div_down(owed, offer.multiplier) * 10 // 11)
        return max(min(value * position.sold.unit // position.sold.price, seized), 0)

    def _astray(self) -> Rejection | None:
        """Return why the engine would not sell here: a mean price is too far from the oracle's."""
        held = self.position.collateral
        for part in self.route.parts:
            mean = part.path.at_mean(held)
            if mean is None:
                continue
            multiplier = engine.multiplier_down(self.position, held, mean)
            if abs(multiplier - WAD) > TWAP_TOLERANCE_BPS * WAD // BPS:
                return self._no(Kind.SWAP, Reason.OFF_ORACLE, mean=multiplier)
        return None

    def _released(self, offer: Terms, seized: int) -> int:
        pair = self.collateral_id, self.debt_id
        return self.case.released(pair, self.position, self.reserve, offer, seized)

    def _dear(self, kind: Kind, offer: Terms) -> Rejection | None:
        dear = self.case.dearer((self.collateral_id, self.debt_id), self.position, offer)
        if dear is None:
            return None
        numbers = {"cheapest": dear.cheapest} | ({} if dear.cost is None else {"cost": dear.cost})
        return self._no(kind, Reason.DEAR_CHOICE, **numbers)

    def _incentives(self, paid: Terms, sale: Sale, chip_part: int = WAD) -> Incentives:
        """Return what kicker and settler are paid."""
        snapshot, auction = self.case.snapshot, self.case.auction
        owed = auction.tip_owed if auction else 0
        market = snapshot.assets[self.debt_id].market
        return incentives(self.position, snapshot.engine, paid, sale, owed, market, chip_part)

    def _ours(self, paid: Incentives) -> Incentives:
        """Return what of them the keeper is credited: the chip, and the tip if it kicked."""
        auction = self.case.auction
        ours = auction is not None and auction.kicker == self.case.snapshot.keeper
        return paid if ours else paid._replace(tip=0)

    def _candidate(self, action: Action, sale: Sale, earned: int, realised: int, tip: int) -> Candidate:
        return Candidate(
            action,
            revenue=self._value(earned),
            gas_cost=self.gas_price * self.settings.gas.of(action.kind, self.route.pools),
            seized=sale.seized,
            payment=sale.payment,
            repaid=sale.repaid,
            reserve_multiplier=self.reserve.multiplier,
            realised_multiplier=realised,
            tip=self._value(tip),
        )

    def _value(self, earned: int) -> int:
        owed = self.position.owed
        return earned * owed.price // owed.unit

    def _above_market(self, kind: Kind) -> Rejection:
        return self._no(kind, Reason.RESERVE_ABOVE_MARKET, reserve=self.reserve.multiplier, spot=self.spot())

    def _no(self, kind: Kind, reason: Reason, **numbers: int) -> Rejection:
        return Rejection(kind, reason, self.collateral_id, self.debt_id, numbers, self.route.ways)


def writes_off(case: Case, position: Position, sale: Sale) -> bool:
    """Return whether a sale cancels more than it repays, or leaves too little to be sold."""
    left = position.balance.collateral_value - position.sold.value_down(sale.seized)
    return sale.cancelled > sale.repaid or left < case.snapshot.engine.dust


def swaps(pairs: Sequence[Pair]) -> Iterator[Offer | Rejection]:
    """Yield the swap along each route by itself, and the best split over all along which the engine sells.

    Parameters
    ----------
    pairs : sequence of Pair
        The same collateral and debt, each along a single path; no two of them share a pool.
    """
    serving = []
    for pair in pairs:
        yield pair.swap()
        if pair.refused() is None:
            serving.append(pair)
    if len(serving) > 1:
        found = _split(serving)
        if found is not None:
            yield found


def _split(pairs: Sequence[Pair]) -> Offer | Rejection | None:
    """Return the swap split over several paths; None where all of it is best sold along one of them.

    First for the sale that the best marginal price allows; where the limits cut it, again for what is left.
    """
    best = max(pairs, key=lambda pair: pair.spot())
    wanted = best.wanted()
    found = best.along(pairs, wanted)
    if isinstance(found, Offer) and found.candidate.seized < wanted:
        again = best.along(pairs, found.candidate.seized)
        if isinstance(again, Offer) and again.candidate.net > found.candidate.net:
            return again
    return found
