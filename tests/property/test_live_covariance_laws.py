"""Laws of the live estimator, over any rounds."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.volatility import Limits, LiveCovariance

ASSETS = 3
HALF_LIFE = 7_200.0
Round = tuple[int, int, float]

rounds = st.lists(
    st.tuples(st.integers(0, ASSETS - 1), st.integers(0, 50_000), st.floats(0.5, 2.0)),
    min_size=1,
    max_size=60,
)


def consumed(given_: list[Round], jump: float = 1e9) -> LiveCovariance:
    state = LiveCovariance.fresh(ASSETS, HALF_LIFE, jump)
    for asset, time, price in given_:
        state = state.after(asset, time, price)
    return state


def kept(given_: list[Round], asset: int) -> list[tuple[int, float]]:
    """Return the rounds of an asset that count: each later than the one before."""
    found: list[tuple[int, float]] = []
    for which, time, price in given_:
        if which == asset and (not found or time > found[-1][0]):
            found.append((time, math.log(price)))
    return found


def weight(begin: int, end: int, now: int) -> float:
    """Return the share of an exponential window that an interval has, per second."""
    return (2.0 ** ((end - now) / HALF_LIFE) - 2.0 ** ((begin - now) / HALF_LIFE)) / (end - begin)


@given(rounds)
def test_variances_are_brute_force_weighted_sums(given_: list[Round]) -> None:
    state = consumed(given_)
    for asset in range(ASSETS):
        own = kept(given_, asset)
        expected = sum(weight(a[0], b[0], own[-1][0]) * (b[1] - a[1]) ** 2 for a, b in pairwise(own))
        assert state.sums[asset, asset] == pytest.approx(expected, rel=1e-6, abs=1e-18)


@given(rounds)
def test_covariances_are_brute_force_sums_over_overlapping_intervals(given_: list[Round]) -> None:
    ordered = sorted(given_, key=lambda item: item[1])
    state = consumed(ordered)
    for i in range(ASSETS):
        for j in range(i):
            first, second = kept(ordered, i), kept(ordered, j)
            if not first or not second:
                assert state.sums[i, j] == 0.0
                continue
            now, expected = max(first[-1][0], second[-1][0]), 0.0
            for a, b in pairwise(first):
                for c, d in pairwise(second):
                    if max(a[0], c[0]) < min(b[0], d[0]):
                        later = (a[0], b[0]) if b[0] >= d[0] else (c[0], d[0])
                        # of two that end together the one consumed last has its interval weighed
                        if b[0] == d[0]:
                            at = [x for x, t, _ in ordered if t == b[0] and x in (i, j)]
                            seen = [x for n, x in enumerate(at) if x not in at[:n]]
                            later = (a[0], b[0]) if seen[-1] == i else (c[0], d[0])
                        expected += weight(*later, now) * (b[1] - a[1]) * (d[1] - c[1])
            assert state.sums[i, j] == pytest.approx(expected, rel=1e-6, abs=1e-15)


@given(rounds, st.floats(0.0, 2.0))
def test_every_estimate_is_a_bounded_covariance(given_: list[Round], prior: float) -> None:
    state = consumed(given_)
    limits = Limits(np.full(ASSETS, 0.2), np.full(ASSETS, prior), 5.0, 4_200.0)
    found = state.estimate(60_000, limits)
    assert ((found.volatilities >= 0.2) & (found.volatilities <= 5.0)).all()
    assert np.array_equal(found.correlation, found.correlation.T)
    assert np.array_equal(np.diagonal(found.correlation), np.ones(ASSETS))
    assert (np.abs(found.correlation) <= 1.0).all()
    assert np.linalg.eigvalsh(found.correlation)[0] >= -1e-12


@given(rounds, st.integers(0, 60))
def test_rounds_that_come_again_change_nothing(given_: list[Round], again: int) -> None:
    state = consumed(given_)
    assert consumed(given_[:again], 1e9) == consumed(given_[:again] + given_[:again], 1e9)
    for asset, time, price in given_:
        if time <= int(state.times[asset]):
            assert state.after(asset, time, price) is state


@given(rounds, st.integers(0, 60))
def test_a_checkpoint_anywhere_ends_where_the_whole_does(given_: list[Round], cut: int) -> None:
    resumed = LiveCovariance.restored(consumed(given_[:cut]).plain())
    # a restart reads all logs again; those that the checkpoint has seen count once
    for asset, time, price in given_[:cut] + given_[cut:]:
        resumed = resumed.after(asset, time, price)
    assert resumed == consumed(given_)


@given(rounds)
def test_no_round_changes_the_state_it_came_to(given_: list[Round]) -> None:
    state = consumed(given_)
    before = state.plain()
    state.after(0, 99_999, 1.7)
    assert state.plain() == before


@given(rounds, st.floats(0.1, 10.0))
def test_no_single_round_adds_more_than_the_jump(given_: list[Round], jump: float) -> None:
    state = LiveCovariance.fresh(ASSETS, HALF_LIFE, jump)
    for asset, time, price in given_:
        after = state.after(asset, time, price)
        if after is not state:
            added = (after.sums - np.minimum(state.sums, after.sums))[asset, asset] * 365 * 86_400
            assert added <= jump**2 * (1.0 + 1e-9)
        state = after
