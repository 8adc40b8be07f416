"""Inverse marginal prices in closed form, all in one variable.

Let ``lambda`` be the marginal price, output per unit of input after the fee, and ``mu = 1 / sqrt(lambda)``.
Within a range of constant liquidity (a constant product pool is one such range) the input that brings the
marginal price down to ``lambda`` is linear in ``mu``: ``x = a (mu - mu_start)``, and its output is
``y = (x / mu_start^2) / (1 + x / (a mu_start))``. Over several ranges ``x(mu)`` is piecewise linear; a quote
at a fixed price is a jump. So the total input of a set of venues is piecewise linear in ``mu`` and can be
inverted exactly.

``mu`` is measured from the best venue's start, so that small trades in deep pools keep their digits: callers
set each curve's ``offset`` and pass ``t = mu - mu_best``.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from bot.domain.amm._checks import PIPS
from bot.domain.amm.uniswap_v3 import Pool, sqrt_price_at_tick
from bot.domain.amm.uniswap_v3.sqrt_price_math import Q96


class Curve(Protocol):
    """A venue's output as a concave function of its input, seen through its marginal price."""

    start: float
    """``mu`` of the first unit of input."""
    offset: float
    """``start`` less that of the best venue."""

    def capacity(self) -> float:
        """Return the largest input, or any number that no trade reaches."""

    def input_at(self, t: float) -> tuple[float, float]:
        """Return the input whose marginal price is that at ``t >= offset``, and its slope in ``t``."""

    def output(self, amount: float) -> float:
        """Return the output of an input in ``[0, capacity]``."""

    def surplus(self, mu: float) -> float:
        """Return the greatest output less input times ``1 / mu^2``: the conjugate that bounds need."""

    def activation(self, cost: float) -> float:
        """Return the ``t`` at which the surplus reaches ``cost > 0``; infinity if it never does."""


class Hyperbola:
    """A constant product pool: one range without end.

    Parameters
    ----------
    reserve_in, reserve_out : float
        Reserves.
    keep : float
        One less the fee.
    """

    __slots__ = ("offset", "slope", "start")

    def __init__(self, reserve_in: float, reserve_out: float, keep: float) -> None:
        self.start = math.sqrt(reserve_in / reserve_out / keep)
        self.slope = math.sqrt(reserve_in) * math.sqrt(reserve_out) / math.sqrt(keep)
        self.offset = 0.0

    def capacity(self) -> float:
        return math.inf

    def input_at(self, t: float) -> tuple[float, float]:
        return self.slope * (t - self.offset), self.slope

    def output(self, amount: float) -> float:
        return range_output(amount, self.slope, self.start)

    def surplus(self, mu: float) -> float:
        excess = max(0.0, 1.0 - self.start / mu)
        return self.slope / self.start * excess * excess

    def activation(self, cost: float) -> float:
        share = math.sqrt(cost * self.start / self.slope)  # of ``1 / mu_start``, given up until then
        return math.inf if share >= 1.0 else self.offset + self.start * share / (1.0 - share)


class Step:
    """A quote: one price up to a capacity."""

    __slots__ = ("_capacity", "offset", "price", "start")

    def __init__(self, price: float, capacity: float) -> None:
        self.start = 1.0 / math.sqrt(price)
        self.price = price
        self._capacity = capacity
        self.offset = 0.0

    def capacity(self) -> float:
        return self._capacity

    def input_at(self, t: float) -> tuple[float, float]:
        return self._capacity, 0.0

    def output(self, amount: float) -> float:
        return self.price * amount

    def surplus(self, mu: float) -> float:
        return self._capacity * max(0.0, self.price - 1.0 / (mu * mu))

    def activation(self, cost: float) -> float:
        price = self.price - cost / self._capacity
        return math.inf if price <= 0.0 else 1.0 / math.sqrt(price) - self.start + self.offset


class Range(NamedTuple):
    """A stretch of constant liquidity on a curve."""

    slope: float
    """Input per unit of ``mu``; zero where there is no liquidity."""
    end: float
    """``mu`` at its end."""


class Stretch(NamedTuple):
    """Ranges one after the other, and the ``mu`` at which the first one starts."""

    start: float
    ranges: Iterator[Range]


def pool_stretch(pool: Pool, zero_for_one: bool) -> Stretch:
    """Return a concentrated pool's ranges from its price on, in one direction."""
    scale = 1.0 / math.sqrt(1.0 - pool.fee_pips / PIPS)

    def mu(sqrt_price_x96: int) -> float:
        return scale * (Q96 / sqrt_price_x96 if zero_for_one else sqrt_price_x96 / Q96)

    ranges = (
        Range(liquidity * scale, mu(sqrt_price_at_tick(tick)))
        for liquidity, tick in pool.liquidity_ahead(zero_for_one)
    )
    return Stretch(mu(pool.sqrt_price_x96), ranges)


def in_turn(first: Stretch, second: Stretch) -> Stretch:
    """Return two stretches as one whose input is the first's and whose output is the second's.

    Within one range of each, ``y = (x / mu1^2) / (1 + x / (a1 mu1))`` put into the same of the second is a
    range again, with ``mu = mu1 mu2`` and ``1 / a = mu2 / a1 + 1 / (mu1 a2)``. It ends where either does.
    """
    return Stretch(first.start * second.start, _composed(first, second))


def _composed(first: Stretch, second: Stretch) -> Iterator[Range]:
    (mu1, ranges1), (mu2, ranges2) = first, second
    range1, range2 = next(ranges1, None), next(ranges2, None)
    while range1 is not None and range2 is not None:
        (a1, end1), (a2, end2) = range1, range2
        brought, wanted = a1 * (end1 - mu1) / (mu1 * end1), a2 * (end2 - mu2)
        slope = 1.0 / (mu2 / a1 + 1.0 / (mu1 * a2)) if a1 > 0.0 and a2 > 0.0 else 0.0
        if brought <= wanted:
            mu1, mu2 = end1, mu2 if a2 == 0.0 else mu2 + brought / a2
            range1 = next(ranges1, None)
        else:
            mu1, mu2 = mu1 / (1.0 - wanted * mu1 / a1), end2
            range2 = next(ranges2, None)
        yield Range(slope, mu1 * mu2)


class Ranges:
    """A stretch of ranges, summed as far as anybody has looked.

    Parameters
    ----------
    stretch : Stretch
        The ranges, in the order in which a trade meets them.
    limit : float
        The most that will ever be put in; ranges beyond it are left out.
    """

    __slots__ = ("_ahead", "_gaps", "_limit", "_received", "_slopes", "_spent", "offset", "start")

    def __init__(self, stretch: Stretch, limit: float) -> None:
        self.start, self._ahead = stretch
        self._limit = limit
        self.offset = 0.0
        # by range: where it starts, less the first one's start; its slope; input and output up to there
        self._gaps = [0.0]
        self._slopes: list[float] = []
        self._spent = [0.0]
        self._received = [0.0]

    def _extend(self) -> bool:
        """Add one range; return False if there is none left, or none that could be needed.

        Each list but the slopes then has the end of the last range too.
        """
        if self._spent[-1] >= self._limit:
            return False
        following = next(self._ahead, None)
        if following is None:
            return False
        slope, end = following
        start, gap = self.start + self._gaps[-1], end - self.start
        moved = slope * (gap - self._gaps[-1])
        self._gaps.append(gap)
        self._slopes.append(slope)
        self._spent.append(self._spent[-1] + moved)
        self._received.append(self._received[-1] + moved / (start * (self.start + gap)))
        return True

    def _range_at(self, gap: float) -> int:
        """Return the range that holds ``mu = start + gap``; beyond the last one, the number of ranges."""
        while self._gaps[-1] < gap and self._extend():
            pass
        return max(0, bisect_left(self._gaps, gap) - 1) if gap <= self._gaps[-1] else len(self._slopes)

    def capacity(self) -> float:
        while self._extend():
            pass
        return self._spent[-1]

    def input_at(self, t: float) -> tuple[float, float]:
        gap = t - self.offset
        index = self._range_at(gap)
        if index == len(self._slopes):
            return self._spent[-1], 0.0
        slope = self._slopes[index]
        return self._spent[index] + slope * (gap - self._gaps[index]), slope

    def output(self, amount: float) -> float:
        while self._spent[-1] < amount and self._extend():
            pass
        index = min(max(0, bisect_left(self._spent, amount) - 1), len(self._slopes) - 1)
        rest, slope = amount - self._spent[index], self._slopes[index]
        start = self.start + self._gaps[index]
        return self._received[index] + (range_output(rest, slope, start) if slope > 0.0 else 0.0)

    def surplus(self, mu: float) -> float:
        gap = mu - self.start
        if gap <= 0.0:
            return 0.0
        index = self._range_at(gap)
        spent, received = self._spent[index], self._received[index]
        if index < len(self._slopes):
            moved = self._slopes[index] * (gap - self._gaps[index])
            spent, received = spent + moved, received + moved / ((self.start + self._gaps[index]) * mu)
        return received - spent / (mu * mu)

    def activation(self, cost: float) -> float:
        while self._surplus_at_end(len(self._slopes) - 1) < cost and self._extend():
            pass
        index = bisect_left(range(len(self._slopes)), cost, key=self._surplus_at_end)
        if index < len(self._slopes):
            return self._gaps[index] + self._gap_within(index, cost) + self.offset
        spent = self._spent[-1]  # beyond the last range all of it is in, and only the price falls
        price = (self._received[-1] - cost) / spent if spent > 0.0 else 0.0
        return 1.0 / math.sqrt(price) - self.start + self.offset if price > 0.0 else math.inf

    def _surplus_at_end(self, index: int) -> float:
        """Return the surplus where a range ends; with -1, where the first one starts."""
        return self._received[index + 1] - self._spent[index + 1] / (self.start + self._gaps[index + 1]) ** 2

    def _gap_within(self, index: int, cost: float) -> float:
        """Return how far into a range the surplus reaches ``cost``: a quadratic in ``1 / mu``."""
        start, spent = self.start + self._gaps[index], self._spent[index]
        root = 1.0 / start
        missing = max(0.0, cost - self._surplus_at_end(index - 1))
        curvature = self._slopes[index] * start - spent
        linear = spent * root
        fall = missing / (linear + math.sqrt(max(0.0, linear * linear + curvature * missing)))
        return start * fall / (root - fall)


def range_output(amount: float, slope: float, start: float) -> float:
    """Return what ``amount`` brings within one range: ``(x / mu^2) / (1 + x / (a mu))``."""
    return amount / (start * start * (1.0 + amount / (slope * start)))
