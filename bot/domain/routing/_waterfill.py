"""Fills a set of venues to one marginal price: the relaxation that the search over subsets rests on.

Each venue joins at its own ``t``: where its first unit is worth its price, or, if its fixed cost is still to
be decided, where what it adds pays for that cost (the Lagrangian of the whole problem, fixed costs included,
then takes it with everything it brings at that price). Between joins the total input is continuous and
piecewise linear; at a join it may jump.
"""

import math
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from bot.domain.routing._curves import Curve

_MAX_NEWTON_STEPS = 200
_TOLERANCE = 1e-15
_JOINS_AT = attrgetter("joins_at")


class Candidate(NamedTuple):
    """A venue as one node of the search sees it."""

    position: int
    """Position among the venues given."""
    curve: Curve
    """Its inverse marginal price."""
    cost: float
    """Its fixed cost."""
    decided: bool
    """Whether it is in for certain, so that its cost counts and no longer decides."""
    joins_at: float
    """The ``t`` at which it joins; infinity if never."""

    @classmethod
    def of(cls, position: int, curve: Curve, cost: float) -> "Candidate":
        """Return a venue whose use is open, or certain where it costs nothing."""
        free = cost == 0.0
        return cls(position, curve, cost, free, curve.offset if free else curve.activation(cost))

    def taken_in(self) -> "Candidate":
        """Return the venue with its use decided."""
        return self._replace(decided=True, joins_at=self.curve.offset)


class Fill(NamedTuple):
    """A relaxation's solution."""

    t: float
    """``mu`` of the shared marginal price, less that of the best venue's first unit."""
    inputs: list[tuple[Candidate, float]]
    """Input of each venue that has joined; they add up to the amount, but for rounding."""
    torn: Candidate | None
    """An undecided venue that is wanted in part only, so that the solution is no split; else None."""


def fill(amount: float, candidates: list[Candidate]) -> Fill | None:
    """Return the marginal price at which the venues take ``amount``; None if they want less at any price."""
    joins = sorted([c for c in candidates if c.joins_at < math.inf], key=_JOINS_AT)
    if not joins:
        return None
    last = _last_reached(amount, joins)
    before, newest, t = joins[:last], joins[last], joins[last].joins_at
    others = _total(before, t)[0]
    if others + newest.curve.input_at(t)[0] > amount:
        torn = None if newest.decided else newest
        return Fill(t, [*_inputs(before, t), (newest, amount - others)], torn)
    members = joins[: last + 1]
    end = joins[last + 1].joins_at if last + 1 < len(joins) else math.inf
    if end == math.inf and not can_take(amount, (member.curve for member in members)):
        return None
    t = _meet(amount, members, t, end)
    return Fill(t, _inputs(members, t), None)


def _last_reached(amount: float, joins: list[Candidate]) -> int:
    """Return the last venue that joins before the others have taken the amount."""
    low, high = 0, len(joins) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if _total(joins[:middle], joins[middle].joins_at)[0] <= amount:
            low = middle
        else:
            high = middle - 1
    return low


def can_take(amount: float, curves: Iterable[Curve]) -> bool:
    """Return whether the venues together have room for the amount; looks no further than it must."""
    total = 0.0
    for curve in curves:
        total += curve.capacity()
        if total >= amount:
            return True
    return False


def _total(members: list[Candidate], t: float) -> tuple[float, float]:
    total = slope = 0.0
    for member in members:
        amount, increase = member.curve.input_at(t)
        total += amount
        slope += increase
    return total, slope


def _inputs(members: list[Candidate], t: float) -> list[tuple[Candidate, float]]:
    return [(member, member.curve.input_at(t)[0]) for member in members]


def _meet(amount: float, members: list[Candidate], low: float, high: float) -> float:
    """Return ``t`` in ``[low, high]`` at which the total, linear between kinks, is ``amount``.

    Newton's step is exact within one linear piece; a bracket guards it across pieces.
    """
    t = low
    for _ in range(_MAX_NEWTON_STEPS):
        total, slope = _total(members, t)
        missing = amount - total
        if abs(missing) <= _TOLERANCE * amount:
            break
        low, high = (t, high) if missing > 0.0 else (low, t)
        following = t + missing / slope if slope > 0.0 else math.inf
        if following == t:
            break
        if not low < following < high:
            following = 0.5 * (low + high) if high < math.inf else 2.0 * low + 1e-9 * members[0].curve.start
        if following in (low, high):
            break
        t = following
    return t
