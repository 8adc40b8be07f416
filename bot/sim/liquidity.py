"""The liquidity that a replay's pools start with, and how deep it is.

Bands and their levels are those of the real USDC/WETH 0.05 % pool: the mean active liquidity by distance from
the price. A position over the full range lies under all of them and is part of what is active, so within the
bands the levels are those of the table. All levels are scaled by one factor, so that the depth at 2 % is
what the replay asks for.

Prices here are quote per base, in whole tokens. ``s`` is the square root of the price in raw units, quote per
base, whichever of the two is the pool's token0; moving it from ``a`` to ``b`` at liquidity ``L`` costs
``L |b - a|`` of the quote token.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from bot.domain.amm.uniswap_v3.sqrt_price_math import amount0_up, amount1_up
from bot.domain.amm.uniswap_v3.tick_math import MAX_TICK, sqrt_price_at_tick, tick_at_sqrt_price

BANDS_BELOW = (
    (0.005, 5.5e18),
    (0.01, 1.2e18),
    (0.02, 1.1e18),
    (0.05, 8.7e17),
    (0.10, 2.1e18),
    (0.20, 5.2e17),
    (0.40, 6.1e18),
)
BANDS_ABOVE = ((0.005, 3.2e18), (0.02, 1.3e18), (0.20, 1.8e18))
"""Outer edge of each band as a distance from the price, and its active liquidity before scaling."""

TAIL = 2.6e17
"""Liquidity over the full range: half of the thinnest band, so that beyond the bands little is left."""

DEPTH_DISTANCE = 0.02
"""Distance from the price over which depth is measured."""

SPACINGS = {100: 1, 500: 10, 3_000: 60, 10_000: 200}
"""Tick spacing by fee, as the factory enables them (100 since 2021)."""

_Q96 = 2**96
_LN_TICK = math.log(1.0001)


@dataclass(frozen=True, slots=True)
class Range:
    """Liquidity between two ticks.

    Parameters
    ----------
    lower, upper : int
        Ticks, the pool's own direction.
    liquidity : int
        In raw units.
    """

    lower: int
    upper: int
    liquidity: int


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a pool expresses the price of its base in its quote.

    Parameters
    ----------
    base_decimals, quote_decimals : int
        Of the tokens.
    base_is_token0 : bool
        Whether the base token has the lower address.
    fee_pips : int
        Millionths.
    """

    base_decimals: int
    quote_decimals: int
    base_is_token0: bool
    fee_pips: int

    @property
    def spacing(self) -> int:
        """Distance between usable ticks."""
        return SPACINGS[self.fee_pips]

    def sqrt_price_x96(self, price: float) -> int:
        """Return the pool's ``sqrtPriceX96`` at a price, rounded down."""
        raw = Fraction(price) * Fraction(10**self.quote_decimals, 10**self.base_decimals)
        ratio = raw if self.base_is_token0 else 1 / raw
        return math.isqrt((ratio.numerator << 192) // ratio.denominator)

    def price(self, sqrt_price_x96: int) -> float:
        """Return the price at a ``sqrtPriceX96``."""
        raw = self.s(sqrt_price_x96) ** 2
        return float(raw * 10.0 ** (self.base_decimals - self.quote_decimals))

    def s(self, sqrt_price_x96: int) -> float:
        """Return the square root of quote per base, raw units."""
        root = sqrt_price_x96 / _Q96
        return root if self.base_is_token0 else 1.0 / root

    def tick(self, price: float) -> int:
        """Return the usable tick nearest to a price."""
        exact = tick_at_sqrt_price(self.sqrt_price_x96(price))
        return round(exact / self.spacing) * self.spacing

    def full_range(self) -> tuple[int, int]:
        """Return the lowest and the highest usable tick."""
        highest = MAX_TICK // self.spacing * self.spacing
        return -highest, highest


def shape(geometry: Geometry, price: float, scale: float) -> list[Range]:
    """Return the bands around a price, the full-range tail not among them.

    Parameters
    ----------
    geometry : Geometry
        Of the pool.
    price : float
        Centre, quote per base.
    scale : float
        Factor on the levels of the table.

    Returns
    -------
    list of Range
        By rising tick, without gap or overlap; a band narrower than a tick spacing vanishes.
    """
    edges = [(1.0 - distance, level) for distance, level in BANDS_BELOW]
    ranges = _one_side(geometry, price, edges, scale)
    edges = [(1.0 + distance, level) for distance, level in BANDS_ABOVE]
    return sorted(ranges + _one_side(geometry, price, edges, scale), key=lambda band: band.lower)


def _one_side(
    geometry: Geometry, price: float, edges: Sequence[tuple[float, float]], scale: float
) -> list[Range]:
    """Return the bands on one side of the price, outward."""
    inner = geometry.tick(price)
    ranges = []
    for factor, level in edges:
        outer = geometry.tick(price * factor)
        if outer != inner:
            lower, upper = min(inner, outer), max(inner, outer)
            ranges.append(Range(lower, upper, int((level - TAIL) * scale)))
        inner = outer
    return ranges


def tail(geometry: Geometry, scale: float) -> Range:
    """Return the position over the full range."""
    lower, upper = geometry.full_range()
    return Range(lower, upper, int(TAIL * scale))


def depth(geometry: Geometry, ranges: Sequence[Range], sqrt_price_x96: int, factor: float) -> float:
    """Return what moving the price by a factor costs, whole quote tokens, fees apart.

    Parameters
    ----------
    geometry : Geometry
        Of the pool.
    ranges : sequence of Range
        All its liquidity.
    sqrt_price_x96 : int
        Price now.
    factor : float
        Price afterwards over price now: 0.98 for the quote that sellers get over 2 %.
    """
    now = geometry.s(sqrt_price_x96)
    then = now * math.sqrt(factor)
    low, high = min(now, then), max(now, then)
    raw = 0.0
    for band in ranges:
        ends = (geometry.s(sqrt_price_at_tick(band.lower)), geometry.s(sqrt_price_at_tick(band.upper)))
        raw += band.liquidity * max(0.0, min(high, max(ends)) - max(low, min(ends)))
    return raw / 10.0**geometry.quote_decimals


def scale_for_depth(geometry: Geometry, price: float, depth_quote: float) -> float:
    """Return the factor at which selling over 2 % of the price brings ``depth_quote`` whole quote tokens."""
    resolution = 1e6
    ranges = [*shape(geometry, price, resolution), tail(geometry, resolution)]
    unscaled = depth(geometry, ranges, geometry.sqrt_price_x96(price), 1.0 - DEPTH_DISTANCE)
    return resolution * depth_quote / unscaled


def amounts(band: Range, sqrt_price_x96: int) -> tuple[int, int]:
    """Return token0 and token1 that provide a band at a price, rounded up.

    A band that the price is outside of gets both amounts it could need, so that it has its liquidity even if
    the price crosses it before it is minted.
    """
    low, high = sqrt_price_at_tick(band.lower), sqrt_price_at_tick(band.upper)
    inside = low < sqrt_price_x96 < high
    split = sqrt_price_x96 if inside else low
    token0 = amount0_up(split, high, band.liquidity)
    token1 = amount1_up(low, sqrt_price_x96 if inside else high, band.liquidity)
    return token0, token1


# ------------------------------------------------------------------------------------- providers

LEAVES = 0.02
"""Providers act once the pool's price is this far from the centre of their bands..."""

PATIENCE_S = 300
"""...and has been for this long, in block time. The table is a mean around the price of each moment, so bands
that never follow would not show it; bands that follow at once would hide what a crash leaves behind."""


@dataclass
class Recentring:
    """The providers' rule: move the bands to the pool's price once it has left them for five minutes.

    Each band gets the liquidity it had, whatever tokens that takes: providers top up what the crash took from
    them, so the depth in quote falls with the square root of the price.

    Parameters
    ----------
    centre : float
        Price around which the bands lie.
    outside_since : int or None
        Block time at which the price was first seen away from the centre.
    """

    centre: float
    outside_since: int | None = None

    def is_due(self, price: float, now: int) -> bool:
        """Whether the bands move in the block after this price was seen."""
        if abs(price / self.centre - 1.0) <= LEAVES:
            self.outside_since = None
            return False
        if self.outside_since is None:
            self.outside_since = now
        return now - self.outside_since >= PATIENCE_S

    def moved(self, price: float) -> None:
        """Note that the bands now lie around a price."""
        self.centre = price
        self.outside_since = None


# ------------------------------------------------------------------------------------- arbitrage


def arbitrage_target(pool_price: float, market_price: float, elapsed_s: int, recovery_s: float) -> float:
    """Return the price to which arbitrage moves a pool: half of the log gap is closed per ``recovery_s``."""
    remaining = math.pow(0.5, elapsed_s / recovery_s)
    return market_price * math.pow(pool_price / market_price, remaining)


def worth_trading(pool_price: float, market_price: float, fee_pips: int) -> bool:
    """Whether the gap to the market is wider than the pool's fee."""
    return abs(math.log(pool_price / market_price)) > fee_pips / 1e6
