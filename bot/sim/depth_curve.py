"""What a sale into a pool brings, from the liquidity that is there: for actors that size their trades.

Floats; who trades on it states a limit that holds exactly. Along `s`, the square root of quote per base in
raw units, a pool at liquidity ``L`` takes ``L ds`` of the quote and ``L d(-1/s)`` of the base, so both
amounts are piecewise linear, each in its own coordinate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.domain.amm.uniswap_v3.tick_math import sqrt_price_at_tick
from bot.sim.liquidity import Geometry, Range
from bot.sim.prices import FloatArray

REACH = 4.0
"""The curve ends where `s` is this factor away, a price factor of 16: beyond, floats would cancel."""

PIPS = 1e6


@dataclass(frozen=True, slots=True)
class DepthCurve:
    """One pool around its price.

    Parameters
    ----------
    s : float
        Where the pool stands.
    edges : (n,) float array
        Values of `s` between which liquidity is constant, rising.
    base, quote : (n,) float array
        Raw units that move the pool from the first edge to each; base flows out as `s` rises, quote in.
    fee_pips : int
        Taken from what is paid in.
    """

    s: float
    edges: FloatArray
    base: FloatArray
    quote: FloatArray
    fee_pips: int

    def sold(self, amount: float, *, base: bool) -> tuple[float, "DepthCurve"]:
        """Return what selling brings, raw units, and the pool afterwards.

        Parameters
        ----------
        amount : float
            Paid in, raw units; what the curve cannot take brings nothing.
        base : bool
            Whether the base token is sold, for the quote token.
        """
        paid = amount * (1.0 - self.fee_pips / PIPS)
        if base:
            held = np.interp(-1.0 / self.s, -1.0 / self.edges, self.base)
            after = -1.0 / float(np.interp(held - paid, self.base, -1.0 / self.edges))
            bought = np.interp(self.s, self.edges, self.quote) - np.interp(after, self.edges, self.quote)
        else:
            held = np.interp(self.s, self.edges, self.quote)
            after = float(np.interp(held + paid, self.quote, self.edges))
            inverse = np.interp([-1.0 / after, -1.0 / self.s], -1.0 / self.edges, self.base)
            bought = inverse[0] - inverse[1]
        return float(bought), DepthCurve(after, self.edges, self.base, self.quote, self.fee_pips)


def depth_curve(geometry: Geometry, ranges: Sequence[Range], sqrt_price_x96: int) -> DepthCurve:
    """Return the curve of a pool at a price.

    Parameters
    ----------
    geometry : Geometry
        Of the pool.
    ranges : sequence of Range
        All its liquidity.
    sqrt_price_x96 : int
        Its price.
    """
    s = geometry.s(sqrt_price_x96)
    low, high = s / REACH, s * REACH
    ends = [
        sorted(geometry.s(sqrt_price_at_tick(tick)) for tick in (band.lower, band.upper)) for band in ranges
    ]
    inner = [edge for pair in ends for edge in pair if low < edge < high]
    edges = np.array(sorted({low, high, *inner}))
    middle = (edges[:-1] + edges[1:]) / 2.0
    liquidity = np.zeros(len(middle))
    for band, (lower, upper) in zip(ranges, ends, strict=True):
        liquidity += float(band.liquidity) * ((middle > lower) & (middle < upper))
    quote = np.concatenate([[0.0], np.cumsum(liquidity * np.diff(edges))])
    base = np.concatenate([[0.0], np.cumsum(liquidity * np.diff(-1.0 / edges))])
    return DepthCurve(s, edges, base, quote, geometry.fee_pips)
