"""What holds for every probability of failure, extremes included; what numpy would warn of is an error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.risk import (
    distance_to_default,
    expected_bad_debt,
    first_passage,
    first_passage_jumps,
    first_passage_two_assets,
    greeks,
    portfolio_insolvency,
    worst_scenario,
)

ratio = st.one_of(st.sampled_from([0.0, 1.0, math.inf, 1e300]), st.floats(0.5, 2.0), st.floats(0.0, 1e6))
volatility = st.one_of(st.sampled_from([0.0, 1e-300, 1e-9, 1e300]), st.floats(0.01, 5.0))
horizon = st.one_of(st.sampled_from([0.0, 1e-300, 1e300]), st.floats(1.0, 1e8))
drift = st.one_of(st.just(0.0), st.sampled_from([-1e300, 1e300]), st.floats(-5.0, 5.0))
sane_ratio, sane_volatility, sane_horizon = st.floats(1.0001, 3.0), st.floats(0.05, 3.0), st.floats(10.0, 1e7)


@pytest.fixture(autouse=True)
def complain() -> object:
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield


@given(r=ratio, s=volatility, t=horizon, mu=drift)
def test_first_passage_is_a_probability_whatever_the_input(r: float, s: float, t: float, mu: float) -> None:
    found = first_passage(r, s, t, mu)
    assert 0.0 <= found <= 1.0
    if r <= 1.0:
        assert found == 1.0


@given(r=ratio, s=volatility, t=horizon, mu=drift, interval=st.floats(1e-3, 1e9))
def test_looking_at_dates_is_a_probability_whatever_the_input(
    r: float, s: float, t: float, mu: float, interval: float
) -> None:
    assert 0.0 <= first_passage(r, s, t, mu, check_interval=interval) <= 1.0


@given(r=sane_ratio, s=sane_volatility, t=sane_horizon, share=st.floats(0.1, 1.0))
def test_more_distance_helps_and_more_time_hurts(r: float, s: float, t: float, share: float) -> None:
    here = first_passage(r, s, t)
    assert first_passage(1.0 + (r - 1.0) * share, s, t) >= here * (1 - 1e-12)
    assert first_passage(r, s, t * share) <= here * (1 + 1e-12)
    assert first_passage(r, s, t, drift=1.0) <= here * (1 + 1e-12)


@given(r=sane_ratio, s=sane_volatility, dates=st.floats(0.5, 400.0), interval=st.floats(1.0, 1e5))
def test_looking_seldom_sees_less_than_looking_always(
    r: float, s: float, dates: float, interval: float
) -> None:
    seen = first_passage(r, s, dates * interval, check_interval=interval)
    assert seen <= first_passage(r, s, dates * interval) * (1 + 1e-6) + 1e-18


@given(r=ratio, first=volatility, second=volatility, rho=st.floats(-1.0, 1.0), t=horizon)
def test_two_assets_give_a_probability_that_correlation_lowers_where_nothing_drifts(
    r: float, first: float, second: float, rho: float, t: float
) -> None:
    assert 0.0 <= first_passage_two_assets(r, first, second, rho, t) <= 1.0
    alike = first_passage_two_assets(r, first, first, rho, t)
    assert first_passage_two_assets(r, first, first, -1.0, t) >= alike - 1e-12


@given(
    r=st.floats(0.5, 3.0),
    s=sane_volatility,
    t=st.floats(1.0, 1e7),
    jumps=st.floats(0.0, 500.0),
    up=st.floats(0.0, 1.0),
    mean_up=st.floats(0.005, 0.3),
    mean_down=st.floats(0.005, 0.3),
)
def test_jumps_give_a_probability_that_time_raises(
    r: float, s: float, t: float, jumps: float, up: float, mean_up: float, mean_down: float
) -> None:
    now = first_passage_jumps(r, s, t, jumps, up, mean_up, mean_down)
    assert 0.0 <= now <= 1.0
    assert first_passage_jumps(r, s, 2 * t, jumps, up, mean_up, mean_down) >= now - 1e-9


@given(h=ratio, s=volatility, t=horizon)
def test_distance_has_the_sign_of_health_over_one(h: float, s: float, t: float) -> None:
    distance = float(distance_to_default(h, s, t))
    assert distance == 0.0 or (distance > 0.0) == (h > 1.0)


@given(
    collateral=st.one_of(st.sampled_from([0.0, 1e-300, 1e300]), st.floats(0.0, 1e6)),
    debt=st.one_of(st.sampled_from([0.0, 1e-300, 1e300]), st.floats(0.0, 1e6)),
    bonus=st.floats(0.0, 0.5),
    slippage=st.floats(0.0, 1.0),
    s=volatility,
    lag=horizon,
)
def test_bad_debt_lies_between_what_is_missing_today_and_all_of_it(
    collateral: float, debt: float, bonus: float, slippage: float, s: float, lag: float
) -> None:
    found = expected_bad_debt(collateral, debt, bonus, slippage, s, lag)
    missing = max(0.0, debt - collateral * (1 - slippage) / (1 + bonus))
    assert missing * (1 - 1e-12) <= found <= debt * (1 + 1e-12)


values = st.lists(st.one_of(st.just(0.0), st.floats(0.01, 1e6)), min_size=3, max_size=3)


@st.composite
def correlations(draw: st.DrawFn) -> np.ndarray:
    """Positive semi-definite, often singular."""
    rank = draw(st.integers(1, 3))
    entries = st.lists(st.floats(-1.0, 1.0), min_size=3 * rank, max_size=3 * rank)
    factors = np.array(draw(entries)).reshape(3, rank)
    factors[np.linalg.norm(factors, axis=1) < 0.1, 0] = 1.0
    factors /= np.linalg.norm(factors, axis=1, keepdims=True)
    return factors @ factors.T


@given(
    weighted=values,
    debt=st.floats(0.0, 1e6),
    sigma=st.lists(volatility, min_size=3, max_size=3),
    rho=correlations(),
    t=horizon,
    method=st.sampled_from(["auto", "lognormal", "form"]),
    at=st.sampled_from(["horizon", "any"]),
)
def test_insolvency_is_a_probability_whatever_the_input(
    weighted: list[float], debt: float, sigma: list[float], rho: np.ndarray, t: float, method: str, at: str
) -> None:
    found = portfolio_insolvency(weighted, debt, sigma, rho, t, method, at)  # type: ignore[arg-type]
    assert 0.0 <= found <= 1.0


@given(weighted=values, share=st.floats(0.7, 1.1), rho=correlations(), t=st.floats(60.0, 1e6))
def test_insolvency_knows_no_unit_and_any_time_is_at_least_as_likely_as_the_end(
    weighted: list[float], share: float, rho: np.ndarray, t: float
) -> None:
    debt, sigma = share * sum(weighted), [0.6, 0.8, 1.1]
    end = float(portfolio_insolvency(weighted, debt, sigma, rho, t))
    scaled = portfolio_insolvency([1_024.0 * w for w in weighted], 1_024.0 * debt, sigma, rho, t)
    assert scaled == pytest.approx(end, rel=1e-6, abs=1e-12)
    assert portfolio_insolvency(weighted, debt, sigma, rho, t, at="any") >= end * (1 - 1e-9)


@given(weighted=values, share=st.floats(0.7, 1.1), rho=correlations(), t=st.floats(60.0, 1e6))
def test_greeks_of_a_common_factor_vanish(
    weighted: list[float], share: float, rho: np.ndarray, t: float
) -> None:
    debt = share * sum(weighted) or 1.0
    found = greeks(weighted, debt, [0.6, 0.8, 1.1], rho, t)
    scale = np.abs(found.probability_delta).max() + 1.0
    assert abs(found.probability_delta.sum()) <= 1e-9 * scale
    assert abs(found.health_delta.sum()) <= 1e-9 * (np.abs(found.health_delta).max() + 1.0)
    assert (found.probability_delta[:-1] <= 1e-9 * scale).all()
    np.testing.assert_array_equal(found.health_gamma, found.health_gamma.T)


@given(
    exposures=st.lists(st.floats(-2.0, 2.0), min_size=2, max_size=2),
    shocks=st.lists(st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=2), min_size=1, max_size=6),
    health=st.floats(0.0, 10.0),
)
def test_no_scenario_is_worse_than_the_worst(
    exposures: list[float], shocks: list[list[float]], health: float
) -> None:
    found = worst_scenario(exposures, shocks, health)
    others = [
        health * math.exp(sum(x * s for x, s in zip(exposures, shock, strict=True))) for shock in shocks
    ]
    assert found.health == pytest.approx(min(others))
    assert others[int(found.index)] == pytest.approx(min(others))
