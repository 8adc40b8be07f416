"""Splits over venues of any scale: no other split is better, and the bound holds."""

import math

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.domain.routing import ConstantProduct, Quote, Venue, split
from bot.errors import LiquidityExhaustedError
from tests.support.networks import output

exponents = st.floats(-12, 30)


def scaled(draw: st.DrawFn) -> float:
    return float(10 ** draw(exponents))


@st.composite
def venues(draw: st.DrawFn, *, costs: bool) -> list[Venue]:
    made: list[Venue] = []
    for _ in range(draw(st.integers(1, 6))):
        cost = scaled(draw) if costs and draw(st.booleans()) else 0.0
        if draw(st.booleans()):
            fee = draw(st.sampled_from((0.0, 0.003, 0.5, 0.999)))
            made.append(ConstantProduct(scaled(draw), scaled(draw), fee, cost))
        else:
            made.append(Quote(scaled(draw), scaled(draw), cost))
    return made


def placed(amount: float, chosen: list[Venue]) -> tuple[float, list[float], float]:
    try:
        result = split(amount, chosen)
    except LiquidityExhaustedError:
        assume(False)
    assert math.isfinite(result.net_out)
    assert result.gap >= 0
    assert math.isclose(math.fsum(result.amounts), amount, rel_tol=1e-12)
    used = [(venue, part) for venue, part in zip(chosen, result.amounts, strict=True) if part > 0]
    total = math.fsum(output(venue, part) for venue, part in used)
    assert math.isclose(total, result.total_out, rel_tol=1e-12)
    return result.total_out, list(result.amounts), result.gap


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_moving_input_between_two_venues_never_brings_more(data: st.DataObject) -> None:
    chosen = data.draw(venues(costs=False))
    amount = float(10 ** data.draw(exponents))
    total, amounts, gap = placed(amount, chosen)
    assert gap <= 1e-9 * total
    for source in range(len(chosen)):
        for target in range(len(chosen)):
            moved = amounts[source] * data.draw(st.floats(0.0, 1.0))
            room = (
                chosen[target].capacity - amounts[target] if isinstance(chosen[target], Quote) else math.inf
            )
            if source == target or moved > room:
                continue
            other = amounts.copy()
            other[source] -= moved
            other[target] += moved
            assert sum(map(output, chosen, other)) <= total * (1 + 1e-9)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_no_choice_of_equal_or_single_shares_beats_the_bound(data: st.DataObject) -> None:
    chosen = data.draw(venues(costs=True))
    amount = float(10 ** data.draw(exponents))
    total, amounts, gap = placed(amount, chosen)
    costs = math.fsum(venue.fixed_cost for venue, part in zip(chosen, amounts, strict=True) if part > 0)
    net = total - costs
    scale = max(total, costs)
    for count in range(1, len(chosen) + 1):
        members = data.draw(st.permutations(chosen))[:count]
        share = amount / count
        if any(isinstance(venue, Quote) and venue.capacity < share for venue in members):
            continue
        theirs = math.fsum(output(venue, share) - venue.fixed_cost for venue in members)
        assert theirs <= net + gap + 1e-9 * max(scale, abs(theirs))
