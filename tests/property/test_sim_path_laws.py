"""Laws of the price path, for any bars and any seed."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sim.path import bridge, build_path, fold
from bot.sim.prices import SLOT, Bars
from bot.sim.scenario import Scenario

EXAMPLES = settings(max_examples=60, deadline=None)
prices = st.floats(1e-3, 1e6)
widths = st.floats(0.0, 0.7)
shares = st.floats(0.0, 1.0)


@st.composite
def bars(draw: st.DrawFn, count: int, step: int) -> Bars:
    """Bars of any shape: flat ones, and ones that open or close at an extreme."""
    rows = []
    for _ in range(count):
        low = draw(prices)
        high = low * (1 + draw(widths))
        opening, close = (min(max(low + draw(shares) * (high - low), low), high) for _ in range(2))
        rows.append((opening, high, low, close))
    columns = np.array(rows).T
    return Bars("drawn", step * np.arange(count), *columns, step=step)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    count, step = draw(st.integers(1, 4)), draw(st.sampled_from([60, 300, 3600]))
    eth, btc = draw(bars(count, step)), draw(bars(count, step))
    return Scenario("drawn", eth, btc, 0, count * step - SLOT)


@EXAMPLES
@given(scenarios(), st.integers(0, 2**32))
def test_a_path_stays_inside_its_bars_and_visits_open_extremes_and_close(
    scenario: Scenario, seed: int
) -> None:
    path = build_path(scenario, seed)
    slots = scenario.eth.step // SLOT
    for bar, taken in ((scenario.eth, path.eth), (scenario.btc, path.btc)):
        for index, inside in enumerate(taken.reshape(-1, slots)):
            assert (inside >= bar.low[index]).all()
            assert (inside <= bar.high[index]).all()
            assert inside[0] == bar.open[index]
            assert inside[-1] == bar.close[index]
            assert inside.max() == bar.high[index]
            assert inside.min() == bar.low[index]


@EXAMPLES
@given(scenarios(), st.integers(0, 2**32))
def test_the_nearer_extreme_comes_first(scenario: Scenario, seed: int) -> None:
    path = build_path(scenario, seed)
    slots = scenario.eth.step // SLOT
    for index, inside in enumerate(path.eth.reshape(-1, slots)):
        opening, high, low = (
            float(column[index]) for column in (scenario.eth.open, scenario.eth.high, scenario.eth.low)
        )
        visited = inside[path.waypoint.reshape(-1, slots)[index]]
        nearer = high if math.log(high / opening) <= math.log(opening / low) else low
        assert math.isclose(visited[1], nearer, rel_tol=1e-12)


@EXAMPLES
@given(scenarios(), st.integers(0, 2**32))
def test_one_seed_gives_one_path(scenario: Scenario, seed: int) -> None:
    assert (build_path(scenario, seed).eth == build_path(scenario, seed).eth).all()


@EXAMPLES
@given(scenarios(), st.integers(0, 2**32), shares)
def test_a_window_plays_the_same_prices_as_the_whole(scenario: Scenario, seed: int, share: float) -> None:
    whole = build_path(scenario, seed)
    start = int(share * scenario.end) // SLOT * SLOT
    eth, btc = (bar.between(start, scenario.end + SLOT) for bar in (scenario.eth, scenario.btc))
    part = build_path(Scenario("part", eth, btc, start, scenario.end), seed)
    assert (part.eth == whole.eth[whole.ts >= start]).all()
    assert (part.btc == whole.btc[whole.ts >= start]).all()


@EXAMPLES
@given(scenarios(), st.integers(0, 2**32), shares)
def test_a_price_between_two_slots_lies_between_theirs(scenario: Scenario, seed: int, share: float) -> None:
    path = build_path(scenario, seed)
    ts = share * float(path.ts[-1])
    index = min(int(ts // SLOT), len(path.ts) - 2)
    low, high = sorted((path.eth[index], path.eth[index + 1]))
    assert low * (1 - 1e-12) <= path.at(ts)[0] <= high * (1 + 1e-12)


@given(st.floats(-5, 5), st.floats(-5, 5), st.lists(st.floats(-1, 1), min_size=1, max_size=50))
def test_a_bridge_ends_where_it_should_whatever_its_steps(
    begin: float, end: float, steps: list[float]
) -> None:
    walk = bridge(begin, end, np.array(steps))
    assert math.isclose(walk[0], begin, abs_tol=1e-9)
    assert math.isclose(walk[-1], end, abs_tol=1e-9)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=20), st.floats(-10, 10), st.floats(0, 10))
def test_folding_keeps_within_bounds_and_leaves_alone_what_is(
    values: list[float], low: float, width: float
) -> None:
    folded = fold(np.array(values), low, low + width)
    assert (folded >= low - 1e-9).all()
    assert (folded <= low + width + 1e-9).all()
    for value, result in zip(values, folded, strict=True):
        if low <= value <= low + width:
            assert math.isclose(value, result, abs_tol=1e-9) or width == 0
