"""The live estimator: what a round does, what silence does, and what comes back from the ledger."""

import json
import math

import numpy as np
import pytest

from bot.domain.volatility import Limits, LiveCovariance, ewma_irregular
from bot.domain.volatility.live import HIGHEST_CORRELATION, YEAR
from bot.errors import InvalidInputError

HOUR = 3_600
START = 1_600_000_000


def limits(assets: int, *, floor: float = 0.0, prior: float = 0.0, cap: float = 100.0) -> Limits:
    return Limits(np.full(assets, floor), np.full(assets, prior), cap, 4_200.0)


def walk(rounds: list[tuple[int, int, float]], assets: int = 2, jump: float = 1e6) -> LiveCovariance:
    state = LiveCovariance.fresh(assets, 2 * HOUR, jump)
    for asset, time, price in rounds:
        state = state.after(asset, START + time, price)
    return state


def volatility(state: LiveCovariance, time: int, asset: int = 0, **given: float) -> float:
    return float(state.estimate(START + time, limits(len(state.times), **given)).volatilities[asset])


def test_a_long_history_gives_the_ewma_of_the_library() -> None:
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.integers(12, 3_600, 400))
    prices = 200.0 * np.exp(np.cumsum(rng.normal(0.0, 0.004, 400)))
    state = walk([(0, int(t), float(p)) for t, p in zip(times, prices, strict=True)], 1)
    expected = math.sqrt(ewma_irregular(times, prices, 2 * HOUR))
    assert volatility(state, int(times[-1])) == pytest.approx(expected, rel=1e-9)


def test_feeds_that_publish_together_give_the_sum_of_outer_products() -> None:
    rng = np.random.default_rng(2)
    moves = rng.multivariate_normal([0.0, 0.0], [[4e-6, 3e-6], [3e-6, 9e-6]], 300)
    levels = np.exp(np.cumsum(moves, axis=0))
    state = walk([(a, 60 * k, float(levels[k, a])) for k in range(300) for a in (0, 1)])
    weights = 2.0 ** (-60 * np.arange(298, -1, -1) / (2 * HOUR)) * -math.expm1(-math.log(2) / 120) / 60
    expected = (moves[1:].T * weights) @ moves[1:]
    assert state.sums == pytest.approx(expected, rel=1e-9)


def test_feeds_that_never_publish_together_keep_their_correlation() -> None:
    rng = np.random.default_rng(3)
    path = np.cumsum(rng.normal(0.0, 0.001, 40_000))
    rounds = [(0, 12 * k, math.exp(path[k])) for k in range(0, 40_000, 7)]
    rounds += [(1, 12 * k, math.exp(2.0 * path[k])) for k in range(3, 40_000, 11)]
    rounds.sort(key=lambda item: item[1])
    state = walk(rounds)
    found = state.estimate(START + rounds[-1][1], limits(2)).correlation[0, 1]
    # the overlaps lose nothing on average; pairing last prices would lose about a third
    assert found > 0.85


def test_a_round_counts_once_and_only_forward() -> None:
    state = walk([(0, 0, 100.0), (0, 60, 101.0)])
    assert state.after(0, START + 60, 105.0) is state
    assert state.after(0, START + 30, 105.0) is state
    assert state.after(0, START + 61, 105.0) != state


def test_a_jump_raises_the_volatility_at_once_up_to_its_bound() -> None:
    for fall in (0.95, 0.5, 0.001):
        state = walk([(0, 0, 100.0), (0, 12, 100.0 * fall)], 1, jump=2.5)
        assert volatility(state, 12) == pytest.approx(2.5, rel=1e-9)
    small = walk([(0, 0, 100.0), (0, 12, 99.0)], 1, jump=2.5)
    assert 0.3 < volatility(small, 12) < 0.6


def test_a_crash_of_many_rounds_passes_the_bound_of_one() -> None:
    rounds = [(0, 12 * k, 100.0 * 0.97**k) for k in range(12)]
    assert volatility(walk(rounds, 1, jump=2.5), 132) > 4.0


def test_a_jump_is_forgotten_by_the_half_life() -> None:
    jumped = [(0, 0, 100.0), (0, 12, 95.0)]
    calm = [(0, 12 + 600 * k, 95.0) for k in range(1, 13)]
    before, after = volatility(walk(jumped, 1), 12), volatility(walk(jumped + calm, 1), 12 + 7_200)
    assert after == pytest.approx(before / math.sqrt(2.0), rel=1e-9)


def test_silence_fades_the_variance_until_the_feed_counts_as_stale() -> None:
    state = walk([(0, 0, 100.0), (0, 60, 101.0)], 1)
    now = volatility(state, 60)
    assert volatility(state, 60 + 4_200) == pytest.approx(now * 2.0 ** (-4_200 / 14_400), rel=1e-9)
    assert volatility(state, 60 + 86_400) == volatility(state, 60 + 4_200)
    # a round before its own timestamp's second does not see into the future
    assert volatility(state, 0) == now


def test_floor_and_cap_hold_what_is_read_and_not_what_is_known() -> None:
    calm = walk([(0, 0, 100.0), (0, 60, 100.0)], 1)
    assert volatility(calm, 60, floor=0.2) == 0.2
    wild = walk([(0, 0, 100.0), (0, 60, 200.0)], 1)
    assert volatility(wild, 60, cap=5.0) == 5.0
    assert volatility(wild, 60) > 5.0


def test_the_prior_fades_by_the_half_life_from_the_first_round() -> None:
    unseen = LiveCovariance.fresh(1)
    assert volatility(unseen, 0, prior=0.8) == 0.8
    seen = walk([(0, 0, 100.0), (0, 7_200, 100.0)], 1)
    assert volatility(seen, 7_200, prior=0.8) == pytest.approx(0.8 / math.sqrt(2.0))


def test_assets_that_were_not_heard_are_uncorrelated() -> None:
    found = walk([(0, 0, 100.0), (0, 60, 101.0)], 3).estimate(START + 60, limits(3, prior=0.5))
    assert np.array_equal(found.correlation, np.eye(3))


def test_perfect_correlation_is_held_below_one() -> None:
    rounds = [(a, 60 * k, 100.0 * 1.001 ** (k % 7)) for k in range(50) for a in (0, 1)]
    assert walk(rounds).estimate(START + 2_940, limits(2)).correlation[0, 1] == HIGHEST_CORRELATION


def test_an_asset_silent_for_months_does_not_spoil_the_others() -> None:
    rounds = [(0, 0, 100.0), (1, 0, 50.0), (0, 60, 101.0), (1, 60, 51.0)]
    rounds += [(0, 86_400 * 365 + 60 * k, 100.0 + k % 2) for k in range(10)]
    found = walk(rounds).estimate(START + 86_400 * 365 + 540, limits(2))
    assert np.isfinite(found.correlation).all()
    assert np.isfinite(found.volatilities).all()


def test_volatilities_and_correlations_make_the_covariance() -> None:
    found = walk([(a, 60 * k, 100.0 + (k * (a + 1)) % 5) for k in range(30) for a in (0, 1)]).estimate(
        START + 1_740, limits(2)
    )
    assert found.covariance[0, 0] == pytest.approx(found.volatilities[0] ** 2)
    rho = found.correlation[0, 1]
    assert found.covariance[0, 1] == pytest.approx(rho * found.volatilities[0] * found.volatilities[1])


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_price_is_refused(price: float) -> None:
    with pytest.raises(InvalidInputError, match="price must be positive"):
        LiveCovariance.fresh(1).after(0, START, price)


@pytest.mark.parametrize("given", [{"assets": 0}, {"half_life": 0.0}, {"jump": -1.0}])
def test_rules_that_make_no_sense_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        LiveCovariance.fresh(**{"assets": 1, **given})  # type: ignore[arg-type]


def test_a_checkpoint_comes_back_to_the_bit() -> None:
    state = walk([(k % 3, 37 * k, 100.0 * math.exp(math.sin(k))) for k in range(60)], 3)
    plain = json.loads(json.dumps(state.plain()))
    restored = LiveCovariance.restored(plain)
    assert restored == state
    assert restored.fits(state)
    assert restored.after(0, START + 9_999, 123.0) == state.after(0, START + 9_999, 123.0)


@pytest.mark.parametrize(
    "broken", [{"times": None}, {"sums": [[1.0]]}, {"levels": [math.nan] * 3}, {"since": [1]}, {"jump": None}]
)
def test_a_checkpoint_that_is_none_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        LiveCovariance.restored(LiveCovariance.fresh(3).plain() | broken)


def test_a_checkpoint_by_other_rules_does_not_fit() -> None:
    fresh = LiveCovariance.fresh(3)
    assert not fresh.fits(LiveCovariance.fresh(2))
    assert not fresh.fits(LiveCovariance.fresh(3, half_life=60.0))
    assert not fresh.fits(LiveCovariance.fresh(3, jump=1.0))


def test_a_year_has_365_days() -> None:
    assert YEAR == 365 * 24 * HOUR
