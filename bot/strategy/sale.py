"""The best swap and the best take of one pair in one pool, by the exact twin and the exact pool."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from bot.domain import engine
from bot.domain.engine import Position, Sale, Terms
from bot.domain.incentives import Incentives, chip_part_of, incentives
from bot.domain.wad import BPS, WAD, bps_down, bps_up, div_down, div_up, mul_down, mul_up
from bot.strategy.board import Market, Quote
from bot.strategy.case import Case
from bot.strategy.decision import Action, Candidate, Kind, Reason, Rejection
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import TWAP_TOLERANCE_BPS

_PRECISION: Final = 10**6
"""The largest sale within a limit is found to one part in this many."""
_ALL: Final = engine.UNBOUNDED
"""Limit that leaves the size to the engine, which knows the account at the moment of the sale."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A candidate and, for a settlement, the pool's quote that it rests on."""

    candidate: Candidate
    market: Market | None = None
    quote: Quote | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """One collateral and one debt of one account, in one pool.

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
    market : Market
        Where the collateral can be sold.
    settings : StrategySettings
        Limits.
    gas_price : int
        WAD quote units per gas.
    """

    case: Case
    collateral_id: int
    debt_id: int
    position: Position
    reserve: Terms
    market: Market
    settings: StrategySettings
    gas_price: int

    # -------------------------------------------------------------------------- swap

    def swap(self) -> Offer | Rejection:
        """Return the swap that pays the keeper most: the largest allowed, as the chip is a share of debt.

        Sized as the engine does, for the pool's marginal price at best and the reserve at worst; cut
        where the average price would fall below the reserve or the slippage limit, or dust would stay.
        """
        rules, spot = self.case.snapshot.engine, self._spot()
        if spot < self.reserve.multiplier:
            return self._above_market(Kind.SWAP)
        if (astray := self._astray()) is not None:
            return astray
        best = engine.terms_at(self.position, spot, rules.penalty)
        whole = engine.sale_size(self.position, best, self.reserve, rules.target, rules.dust)
        budget = self._released(best, whole)
        if budget == 0:
            return self._no(Kind.SWAP, Reason.BUDGET, wanted=whole)
        size = self._within_limits(budget, self.reserve.multiplier)
        if size == 0:
            return self._no(Kind.SWAP, Reason.SLIPPAGE, wanted=whole, spot=spot)
        return self._swap_of(best, size, whole=size == whole)

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
        quote = self.market.quote(seized) if seized else None
        if quote is None:
            return self._no(Kind.SWAP, Reason.DUST, wanted=size, sold=seized)
        realised = max(engine.multiplier_down(position, seized, quote.amount_out), self.reserve.multiplier)
        paid = engine.terms_at(position, realised, rules.penalty)
        sale = engine.realised(position, paid, seized, quote.amount_out)
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
            fee_pips=self.market.pool.fee_pips,
        )
        limit = self.case.snapshot.markets.speed.slippage_limit_bps
        tip, chip = self._incentives(paid, sale, chip_part_of(realised, limit))
        return Offer(self._candidate(action, sale, tip + chip, realised), self.market, quote)

    def _limit_price(self, size: int, spot: int) -> int:
        """Return the realised price less the tolerance, quote units per whole token; at most the spot."""
        quote = self.market.quote(size)
        realised = engine.multiplier_down(self.position, size, quote.amount_out) if quote else 0
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
        optimum = self.market.pool.profit_maximising_input(self._unit_cost(), self.market.zero_for_one)
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
        quote = self.market.quote(sale.seized) if sale.seized else None
        if quote is None or sale.payment == 0 or sale.cancelled == 0:
            return self._no(Kind.TAKE, Reason.EMPTY, seized=sale.seized, payment=sale.payment)
        tip, chip = self._incentives(self.reserve, sale)
        profit = quote.amount_out - (sale.payment - chip)
        if profit < 0:  # the flash taker pays with what it sells, and has nothing else
            return self._no(Kind.TAKE, Reason.UNPROFITABLE, brought=quote.amount_out, payment=sale.payment)
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
            fee_pips=self.market.pool.fee_pips,
            min_profit=max(-(-least * position.owed.unit // position.owed.price), 0),
        )
        realised = engine.multiplier_down(position, sale.seized, quote.amount_out)
        return Offer(self._candidate(action, sale, tip + profit, realised), self.market, quote)

    def _unit_cost(self) -> Fraction:
        """Return the debt tokens that a unit of collateral costs at the reserve, the chip taken off."""
        rules, sold, owed = self.case.snapshot.engine, self.position.sold, self.position.owed
        price = Fraction(sold.price, sold.unit) / Fraction(owed.price, owed.unit)
        repaid = Fraction(WAD, WAD + self.reserve.penalty)
        budget = Fraction(self.reserve.penalty * rules.incentive_share_bps, WAD * BPS)
        chip = min(Fraction(rules.chip_bps, BPS), budget)
        return price * Fraction(self.reserve.multiplier, WAD) * (1 - repaid * chip)

    # ------------------------------------------------------------------------- steps

    def _spot(self) -> int:
        """Return the pool's marginal price after fees over the oracle price, as the engine rounds it."""
        held = self.position.collateral
        return engine.multiplier_up(self.position, held, self.market.at_spot(held))

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
        quote = self.market.quote(amount) if amount else None
        if quote is None:
            return False
        floor = self.market.at_spot(amount)
        if quote.amount_out < floor - bps_down(floor, self.settings.max_slippage_bps):
            return False
        return quote.amount_out >= engine.payment_up(self.position, least_multiplier, amount)

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
        """Return why the engine would not sell here: the pool's mean price is too far from the oracle's."""
        held = self.position.collateral
        mean = self.market.at_mean(held)
        if mean is None:
            return None
        multiplier = engine.multiplier_down(self.position, held, mean)
        if abs(multiplier - WAD) <= TWAP_TOLERANCE_BPS * WAD // BPS:
            return None
        return self._no(Kind.SWAP, Reason.OFF_ORACLE, mean=multiplier)

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
        """Return what the keeper is credited: the chip, and the tip if it kicked."""
        snapshot, auction = self.case.snapshot, self.case.auction
        owed = auction.tip_owed if auction else 0
        market = snapshot.assets[self.debt_id].market
        earned = incentives(self.position, snapshot.engine, paid, sale, owed, market, chip_part)
        ours = auction is not None and auction.kicker == snapshot.keeper
        return earned if ours else earned._replace(tip=0)

    def _candidate(self, action: Action, sale: Sale, earned: int, realised: int) -> Candidate:
        owed = self.position.owed
        return Candidate(
            action,
            revenue=earned * owed.price // owed.unit,
            gas_cost=self.gas_price * self.settings.gas.of(action.kind),
            seized=sale.seized,
            payment=sale.payment,
            repaid=sale.repaid,
            reserve_multiplier=self.reserve.multiplier,
            realised_multiplier=realised,
        )

    def _above_market(self, kind: Kind) -> Rejection:
        return self._no(kind, Reason.RESERVE_ABOVE_MARKET, reserve=self.reserve.multiplier, spot=self._spot())

    def _no(self, kind: Kind, reason: Reason, **numbers: int) -> Rejection:
        return Rejection(kind, reason, self.collateral_id, self.debt_id, numbers)
