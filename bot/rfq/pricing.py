"""What the reference dealer bids: a trusted reference, less a spread that grows with volatility and size.

Prices are debt units for 10**18 units of collateral, values WAD quote units.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.domain.amm.uniswap_v3 import Pool
from bot.domain.volatility import ewma_irregular
from bot.domain.wad import BPS, WAD, mul_div_down
from bot.errors import QuoteDeclinedError
from bot.rfq.messages import Code
from bot.strategy.board import Market
from bot.strategy.snapshot import Asset

_YEAR: Final = 365.0 * 86_400.0
_MILLION: Final = 10**6
_Q192: Final = 1 << 192


@dataclass(frozen=True, slots=True)
class PricingRules:
    """How a bid is made.

    Parameters
    ----------
    base_bps : float
        Spread of the smallest quote in a calm market: costs and margin.
    risk_multiple : float
        Standard deviations of the price over ``horizon_s`` that the spread covers.
    horizon_s : float
        Seconds from a quote to the end of its hedge.
    size_bps : float
        Added for each million quote units of size.
    inventory_bps : float
        Added as inventory fills up, in full where it is at its limit.
    widest_bps : float
        Spread beyond which nothing is quoted.
    divergence_bps : int
        Most that a pool may lie off the feed: beyond it one of the two is wrong, and nobody knows which.
    half_life_s : float
        Seconds in which the weight of a price move halves.
    floor_volatility, prior_volatility : float
        Least volatility a year, and the one believed while too little was seen.
    """

    base_bps: float = 10.0
    risk_multiple: float = 1.0
    horizon_s: float = 60.0
    size_bps: float = 30.0
    inventory_bps: float = 30.0
    widest_bps: float = 1_000.0
    divergence_bps: int = 300
    half_life_s: float = 1_800.0
    floor_volatility: float = 0.20
    prior_volatility: float = 0.80


def spread_bps(rules: PricingRules, volatility: float, value: int, inventory: float) -> int:
    """Return the spread below the reference, basis points. Rounding: UP, because the dealer pays.

    ``base + 10**4 z sigma sqrt(horizon) + size * value / 10**6 + inventory * share``.

    Parameters
    ----------
    rules : PricingRules
        The coefficients.
    volatility : float
        A year.
    value : int
        Of the quote, WAD quote units.
    inventory : float
        Share of the inventory limit that would be used, 0 to 1.

    Raises
    ------
    QuoteDeclinedError
        If it is wider than `PricingRules.widest_bps`.
    """
    risk = BPS * rules.risk_multiple * volatility * math.sqrt(rules.horizon_s / _YEAR)
    size = rules.size_bps * (value / WAD) / _MILLION
    spread = math.ceil(rules.base_bps + risk + size + rules.inventory_bps * inventory)
    if spread > rules.widest_bps:
        raise QuoteDeclinedError(Code.NO_PRICE, f"the spread would be {spread} basis points")
    return spread


def bid(reference: int, spread: int) -> int:
    """Return the price after the spread. Rounding: DOWN, because the dealer pays it."""
    return mul_div_down(reference, max(BPS - spread, 0), BPS)


def feed_price(sold: Asset, owed: Asset) -> int:
    """Return the price that the oracle's feeds give. Rounding: DOWN.

    Raises
    ------
    QuoteDeclinedError
        If the oracle refuses either.
    """
    if sold.price is None or owed.price is None:
        missing = sold.symbol if sold.price is None else owed.symbol
        raise QuoteDeclinedError(Code.NO_PRICE, f"the oracle has no price of {missing}")
    return WAD * sold.price * owed.unit // (sold.unit * owed.price)


def pool_price(pool: Pool, *, zero_for_one: bool) -> int:
    """Return the marginal price of a pool before fees. Rounding: DOWN."""
    square = pool.sqrt_price_x96**2
    return WAD * square // _Q192 if zero_for_one else WAD * _Q192 // square


def reference_price(
    sold: Asset, owed: Asset, markets: Sequence[Market], amount: int, rules: PricingRules
) -> int:
    """Return what an amount is worth to a dealer: the lower of the feeds' price and the best pool's.

    The average price of a sale through the pool is what hedging would bring, so size is paid for as the pool
    will charge it. Rounding: DOWN.

    Parameters
    ----------
    sold, owed : Asset
        The pair.
    markets : sequence of Market
        Pools of the pair, seen from the collateral.
    amount : int
        Collateral units; positive.
    rules : PricingRules
        The divergence that is believed.

    Raises
    ------
    QuoteDeclinedError
        If there is no price, no pool that takes the amount, or feeds and pools contradict each other.
    """
    feed = feed_price(sold, owed)
    best = max(
        ((quote.amount_out, market) for market in markets if (quote := market.quote(amount))), default=None
    )
    if best is None:
        raise QuoteDeclinedError(Code.NO_PRICE, f"no pool takes {amount} units of {sold.symbol}")
    brings, market = best
    mid = pool_price(market.pool, zero_for_one=market.zero_for_one)
    if abs(mid - feed) * BPS > rules.divergence_bps * feed:
        raise QuoteDeclinedError(Code.NO_PRICE, f"feed {feed} and pool {mid} are too far apart")
    return min(feed, mul_div_down(brings, WAD, amount))


class SeenPrices:
    """The recent prices of one pair, and how they move.

    Parameters
    ----------
    rules : PricingRules
        Half-life, floor and prior.
    """

    _KEPT: Final = 512
    _ENOUGH: Final = 8

    def __init__(self, rules: PricingRules) -> None:
        self._rules: Final = rules
        self._seen: list[tuple[int, float]] = []

    def see(self, timestamp: int, price: int) -> None:
        """Take note of a price; one that is not later than the last is passed over, as after a reorg."""
        if price > 0 and (not self._seen or timestamp > self._seen[-1][0]):
            self._seen = [*self._seen[-self._KEPT + 1 :], (timestamp, float(price))]

    @property
    def volatility(self) -> float:
        """A year; never below the floor, and the prior where little was seen, if that is more."""
        rules = self._rules
        if len(self._seen) < 2:
            return max(rules.prior_volatility, rules.floor_volatility)
        times, prices = zip(*self._seen, strict=True)
        measured = math.sqrt(ewma_irregular(times, prices, rules.half_life_s))
        least = rules.floor_volatility
        if len(self._seen) < self._ENOUGH:
            least = max(least, rules.prior_volatility)
        return max(measured, least)
