"""The best speed of an auction, against searches by other means."""

import math

import mpmath
import numpy as np
import pytest

from bot.domain import auction

DAY = 86_400.0
CASES = [
    (start, volatility, block_time, cost)
    for start in (-0.01, -1e-4, 0.0, 1e-4, 0.007, 0.05)
    for volatility in (0.005, 0.04, 0.2)
    for block_time, cost in ((12.0, 1e-6), (12.0, 1e-4), (0.25, 1e-5), (2.0, 1e-9), (60.0, 3e-3))
]


def total_cost(decay: float, start: float, volatility: float, block_time: float, cost: float) -> float:
    waiting = auction.expected_fill_time(decay, volatility, block_time, start)
    return auction.expected_loss(decay, volatility, block_time, start) + cost * waiting


@pytest.mark.parametrize(("start", "volatility", "block_time", "cost"), CASES)
def test_no_other_decay_costs_less(start: float, volatility: float, block_time: float, cost: float) -> None:
    best = auction.optimal_decay(start, volatility, block_time, cost)
    least = total_cost(best, start, volatility, block_time, cost)
    still = volatility**2 / DAY / 2.0
    others = still + np.logspace(-14.0, 3.0, 4_000)
    assert least <= total_cost(others, start, volatility, block_time, cost).min() + 1e-15


@pytest.mark.parametrize(("start", "volatility", "block_time", "cost"), CASES[15::4])
def test_it_is_where_the_slope_of_the_cost_vanishes(
    start: float, volatility: float, block_time: float, cost: float
) -> None:
    mpmath.mp.dps = 60
    variance = mpmath.mpf(volatility) ** 2 / 86_400
    nu = 1 / mpmath.mpf(block_time)
    z = mpmath.mpf(start)

    def exact_cost(log_delta: mpmath.mpf) -> mpmath.mpf:
        delta = mpmath.exp(log_delta)
        root = mpmath.sqrt(delta**2 + 2 * variance * nu)
        r, zeta = (delta + root) / variance, (root - delta) / variance
        if start >= 0:
            return 1 / (1 + zeta) + cost * (z / delta + block_time + 1 / (delta * r))
        kept = zeta / (1 + zeta) * (r * mpmath.exp(z) - mpmath.exp(r * z)) / (r - 1)
        return 1 - kept + cost * (block_time + mpmath.exp(r * z) / (delta * r))

    best = auction.optimal_decay(start, volatility, block_time, cost)
    found = mpmath.log(mpmath.mpf(best) - variance / 2)
    step = mpmath.mpf("1e-10")
    slopes = [mpmath.diff(exact_cost, found + side * step) for side in (-1, 1)]
    assert slopes[0] < 0 < slopes[1]


def test_far_below_fair_the_decay_is_the_least_that_ends() -> None:
    still = 0.005**2 / DAY / 2.0
    best = auction.optimal_decay(-0.01, 0.005, 12.0, 1e-6)
    assert best == math.nextafter(still, 1.0)
    assert auction.expected_fill_time(best, 0.005, 12.0, -0.01) == pytest.approx(12.0)


def test_without_volatility_the_formula_is_elementary() -> None:
    best = auction.optimal_decay(0.01, 0.0, 12.0, 1e-5)
    share = math.sqrt(0.01 * 12.0 * 1e-5)
    assert best == pytest.approx(share / (1.0 - share) / 12.0, rel=1e-14)
    assert auction.optimal_decay(0.01, 1e-7, 12.0, 1e-5) == pytest.approx(best, rel=1e-6)
    assert auction.optimal_decay(0.0, 0.0, 12.0, 1e-5) == 0.0
    assert auction.optimal_decay(-0.01, 0.0, 12.0, 1e-5) == 0.0


def test_free_delay_stops_where_the_walk_barely_falls() -> None:
    assert auction.optimal_decay(0.01, 0.04, 12.0, 0.0) == 0.04**2 / DAY / 2.0
    nearly = auction.optimal_decay(0.01, 0.04, 12.0, 1e-30)
    assert nearly == pytest.approx(0.04**2 / DAY / 2.0, rel=1e-6)


@pytest.mark.parametrize("yearly", [0.4, 0.8, 1.6])
@pytest.mark.parametrize("discount", [0.005, 0.01, 0.02])
@pytest.mark.parametrize("block_time", [2.0, 12.0])
def test_the_closed_form_of_the_contract_is_near_the_best(
    yearly: float, discount: float, block_time: float
) -> None:
    # Takers come at a discount: the way there is the start, the risk of waiting prices the delay.
    sigma = yearly / math.sqrt(365.0 * DAY)
    closed = (sigma * math.sqrt(discount) / block_time) ** (2.0 / 3.0)
    cost = sigma / math.sqrt(discount / closed)
    daily = yearly / math.sqrt(365.0)
    best = auction.optimal_decay(discount, daily, block_time, cost)
    assert 0.9 * best < closed < best
    least = total_cost(best, discount, daily, block_time, cost)
    assert total_cost(closed, discount, daily, block_time, cost) < 1.004 * least


def test_when_waiting_costs_more_than_all_no_decay_is_fast_enough() -> None:
    assert auction.optimal_decay(0.5, 0.04, 2.0, 1.0) == math.inf
    assert auction.optimal_decay(0.5, 0.0, 2.0, 1.0) == math.inf
    assert 1e3 < auction.optimal_decay(0.5, 0.04, 2.0, 0.999999) < math.inf
    assert auction.optimal_decay(-0.5, 0.04, 2.0, 1e6) < math.inf


def test_dearer_delay_and_a_higher_start_run_faster() -> None:
    costs = auction.optimal_decay(0.01, 0.04, 12.0, np.logspace(-12, -2, 30))
    assert np.all(np.diff(costs) > 0.0)
    starts = auction.optimal_decay(np.linspace(0.0, 0.1, 30), 0.04, 12.0, 1e-5)
    assert np.all(np.diff(starts) > 0.0)
