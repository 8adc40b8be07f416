"""The best split: a branch and bound over which venues are worth their fixed cost."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from bot.domain.amm._checks import moderate
from bot.domain.routing._curves import Curve
from bot.domain.routing._waterfill import Candidate, Fill, can_take, fill
from bot.domain.routing.venues import Venue
from bot.errors import InvalidInputError, LiquidityExhaustedError

EXACT_VENUES = 6
"""Up to this many venues the search runs to its end, whatever it takes (at most 2^7 nodes)."""
NODE_BUDGET = 48
"""Relaxations solved at most for more venues; what is left open then shows in the gap."""

_PRUNE = 1e-13
"""A branch that promises less than this share more than the best split known is not worth entering."""


class Split(NamedTuple):
    """How a trade is divided."""

    amounts: tuple[float, ...]
    """Input of each venue, in the order given; they add up to the amount."""
    total_out: float
    """Output of all venues."""
    net_out: float
    """Output less the fixed cost of each venue used; this is what is maximised."""
    shadow_price: float
    """Output that one more unit of input would bring, at the margin of the venues used."""
    gap: float
    """No split has a net output above ``net_out + gap``; zero where this one is proven best."""


def split(amount: float, venues: Sequence[Venue]) -> Split:
    """Divide ``amount`` over the venues so that output less fixed costs is greatest.

    All of the amount is placed, even where the last of it costs more than it brings. For one set of venues
    the marginal prices of all that are used are equal, and that price is found in closed form between the
    points at which a venue joins; the set is found by branch and bound with the Lagrangian bound
    ``lambda * amount + sum(max(0, surplus_i(lambda) - fixed_cost_i))``.

    Parameters
    ----------
    amount : float
        Input to place, from 1e-90 to 1e90, in the unit of the venues' inputs.
    venues : sequence of ConstantProduct, Concentrated, Chain or Quote
        At least one; all with the same input and output units, and none of them twice: two entries are
        two reserves of liquidity.

    Returns
    -------
    Split
        With ``gap`` zero but for rounding for up to `EXACT_VENUES` venues, for any number without fixed
        costs, and nearly always above that; else the search's own bound.

    Raises
    ------
    InvalidInputError
        If the amount is out of range, or there is no venue, or one is of another type.
    LiquidityExhaustedError
        If the venues together cannot take the amount.

    Notes
    -----
    Float64: it ranks and sizes; what a venue pays for its share is quoted exactly before a transaction.
    """
    amount = moderate("amount", amount)
    curves = [_curve(venue, amount) for venue in venues]
    if not curves:
        raise InvalidInputError("venues", venues, "at least one venue")
    best = min(curve.start for curve in curves)
    for curve in curves:
        curve.offset = curve.start - best
    _check_capacity(amount, curves)
    costs = [float(venue.fixed_cost) for venue in venues]
    search = _Search(amount, best, len(curves))
    search.run([Candidate.of(i, *pair) for i, pair in enumerate(zip(curves, costs, strict=True))])
    return search.result()


def _curve(venue: object, amount: float) -> Curve:
    if not isinstance(venue, Venue):
        raise InvalidInputError("venues", venue, "ConstantProduct, Concentrated, Chain or Quote")
    return venue.curve(amount)


def _check_capacity(amount: float, curves: list[Curve]) -> None:
    if not can_take(amount, curves):
        capacity = math.fsum(curve.capacity() for curve in curves)
        total = math.fsum(curve.output(curve.capacity()) for curve in curves)
        raise LiquidityExhaustedError("amount", amount, capacity, total)


class _Search:
    """Depth first, the likelier branch first; keeps the best split and the highest bound left behind."""

    def __init__(self, amount: float, best_start: float, venues: int) -> None:
        self._amount = amount
        self._best_start = best_start
        self._venues = venues
        self._budget = NODE_BUDGET if venues > EXACT_VENUES else 2 ** (venues + 1)
        self._net = -math.inf
        self._best: tuple[list[float], float, float] = ([], 0.0, 0.0)
        self._ceiling = -math.inf

    def run(self, root: list[Candidate]) -> None:
        stack = [(math.inf, root)]
        while stack:
            promised, node = stack.pop()
            if promised <= self._net + _PRUNE * abs(self._net) or (
                self._budget <= 0 and self._net > -math.inf
            ):
                self._ceiling = max(self._ceiling, promised)
                continue
            self._budget -= 1
            stack.extend(self._expand(node))

    def _expand(self, node: list[Candidate]) -> list[tuple[float, list[Candidate]]]:
        """Solve a node's relaxation; return its branches, the likelier last, or none if it is a split."""
        solution = fill(self._amount, node)
        if solution is None:
            return self._starved(node)
        bound = self._bound(solution.t, node)
        torn = solution.torn
        if torn is None:
            self._offer(solution)
            self._ceiling = max(self._ceiling, bound)
            return []
        taken = solution.inputs[-1][1] > 0.5 * torn.curve.input_at(solution.t)[0]
        return _branches(node, torn, bound, likely_in=taken)

    def _starved(self, node: list[Candidate]) -> list[tuple[float, list[Candidate]]]:
        """Branch where the venues worth their cost cannot take the amount: some must be used at a loss."""
        undecided = [candidate for candidate in node if not candidate.decided]
        if not undecided or not can_take(self._amount, (candidate.curve for candidate in node)):
            return []
        largest = max(undecided, key=lambda candidate: candidate.curve.capacity())
        return _branches(node, largest, self._bound(math.inf, node), likely_in=True)

    def _bound(self, t: float, node: list[Candidate]) -> float:
        mu = self._best_start + t
        total = self._amount / (mu * mu)
        for _, curve, cost, decided, _ in node:
            surplus = curve.surplus(mu) - cost
            if decided or surplus > 0.0:
                total += surplus
        return total

    def _offer(self, solution: Fill) -> None:
        """Keep a split if it is the best so far."""
        amounts = [0.0] * self._venues
        for candidate, amount in solution.inputs:
            amounts[candidate.position] = amount
        _place_rest(self._amount, amounts, solution)
        used = [(c, amounts[c.position]) for c, _ in solution.inputs if amounts[c.position] > 0.0]
        total = math.fsum(candidate.curve.output(amount) for candidate, amount in used)
        net = total - math.fsum(candidate.cost for candidate, _ in used)
        if net > self._net:
            self._net = net
            self._best = amounts, total, (self._best_start + solution.t) ** -2.0

    def result(self) -> Split:
        amounts, total, shadow_price = self._best
        return Split(tuple(amounts), total, self._net, shadow_price, max(0.0, self._ceiling - self._net))


def _branches(
    node: list[Candidate], chosen: Candidate, bound: float, likely_in: bool
) -> list[tuple[float, list[Candidate]]]:
    rest = [candidate for candidate in node if candidate.position != chosen.position]
    inside = (bound, [*rest, chosen.taken_in()])
    outside = (bound, rest)
    return [outside, inside] if likely_in else [inside, outside]


def _place_rest(amount: float, amounts: list[float], solution: Fill) -> None:
    """Give the rounding that is left to the venue whose price it moves least."""
    rest = amount - math.fsum(amounts)
    if rest != 0.0 and solution.inputs:
        candidate = max(solution.inputs, key=lambda pair: pair[0].curve.input_at(solution.t)[1])[0]
        placed = amounts[candidate.position] + rest
        amounts[candidate.position] = min(max(0.0, placed), candidate.curve.capacity())
