"""Bars of what feeds published: what each holds, and what is left of them after a restart."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest

from bot.domain.volatility import FeedHistory, range_variance
from bot.domain.volatility.history import GAP_S, LARGEST_RANGE
from bot.errors import InvalidInputError

BAR = 300
START = 1_600_000_200  # where a bar begins
LOW, HIGH, CLOSE = range(3)
STALE = 4_200.0


def consumed(*rounds: tuple[int, int, float], keep: int = 1_000, refit: int = 12) -> FeedHistory:
    """Return a history of two feeds after rounds at seconds from the start."""
    history = FeedHistory.fresh(2, BAR, keep, refit)
    for asset, seconds, price in rounds:
        history = history.after(asset, START + seconds, price)
    return history


def walked(bars: int, keep: int = 1_000, refit: int = 12) -> FeedHistory:
    """Return a history of both feeds after a seeded walk of several rounds a bar."""
    generator = np.random.default_rng(7)
    history, prices = FeedHistory.fresh(2, BAR, keep, refit), [200.0, 8_000.0]
    for seconds in range(0, bars * BAR, 100):
        asset = (seconds // 100) % 2
        prices[asset] *= math.exp(0.004 * generator.standard_normal())
        history = history.after(asset, START + seconds, prices[asset])
    return history


def prices_of(history: FeedHistory, asset: int = 0) -> list[list[float]]:
    return np.exp(history.closed.logs()[:, :, asset].astype(float)).round(3).tolist()


def test_a_bar_holds_the_extremes_published_in_it_and_the_price_in_force_when_it_began() -> None:
    history = consumed((0, 0, 100.0), (0, 50, 104.0), (0, 200, 98.0), (0, 320, 99.0), (0, 700, 99.5))
    assert prices_of(history) == [[98.0, 104.0, 98.0], [98.0, 99.0, 99.0]]


def test_a_silent_feed_has_bars_without_a_range() -> None:
    history = consumed((0, 0, 100.0), (0, 3 * BAR + 1, 101.0))
    assert prices_of(history) == [[100.0, 100.0, 100.0]] * 3


def test_the_bars_of_all_feeds_end_together() -> None:
    history = consumed((0, 0, 100.0), (1, 10, 50.0), (0, BAR, 101.0))
    assert prices_of(history, 1) == [[50.0, 50.0, 50.0]]
    late = history.after(1, START + BAR - 1, 60.0).after(0, START + 2 * BAR, 101.0)
    assert prices_of(late, 1) == [[50.0, 50.0, 50.0], [50.0, 60.0, 60.0]]


def test_a_round_that_is_not_later_changes_nothing() -> None:
    history = consumed((0, 100, 100.0))
    assert history.after(0, START + 100, 120.0) is history


def test_a_price_is_unknown_before_the_first_round_and_after_a_day_of_silence() -> None:
    silent = GAP_S // BAR + 10
    history = consumed((0, 0, 100.0), (1, 2 * BAR, 50.0), (1, silent * BAR, 51.0))
    known = np.isfinite(history.closed.logs()[:, CLOSE, :])
    day = GAP_S // BAR + 1
    assert known[:, 0].tolist() == [True] * day + [False] * (silent - day)
    assert known[:, 1].tolist() == [False, False] + [True] * day + [False] * (silent - day - 2)
    back = history.after(0, START + silent * BAR + 5, 300.0).after(0, START + (silent + 1) * BAR, 301.0)
    assert back.closed.logs()[-1, :, 0] == pytest.approx([math.log(300.0)] * 3, abs=1e-6)
    assert [len(part) for part in back.closed.stretches(0)] == [GAP_S // BAR + 1, 1]


def test_only_so_many_bars_are_kept_whatever_the_silence() -> None:
    assert 500 <= len(walked(1_500, keep=500).closed) <= 500 + 256
    history = consumed((0, 0, 100.0), (0, 10**9, 101.0), keep=500)
    assert len(history.closed) <= 500 + 256
    assert not history.closed.stretches(0)


def test_the_basis_changes_at_multiples_of_the_refit_alone() -> None:
    bases = []
    history = FeedHistory.fresh(2, BAR, 1_000, 12)
    for bar in range(100):
        history = history.after(0, START + bar * BAR, 100.0 + bar)
        bases.append(history.basis)
    changed = [k for k, (one, other) in enumerate(pairwise(bases)) if one is not other]
    assert all((START // BAR + k + 1) % 12 == 0 for k in changed)
    assert len(changed) == 8


def test_one_wrong_print_counts_no_more_than_the_largest_range() -> None:
    low, high = np.log([100.0, 0.0001]), np.log([100.0, 3.0])
    assert range_variance(low, high) == pytest.approx([0.0, LARGEST_RANGE**2 / (4 * math.log(2))])


# --------------------------------------------------------------------------------- windows


def test_windows_that_end_with_a_bar_are_the_bars() -> None:
    history = walked(400)
    now = (history.closed.end + 1) * BAR
    logs = history.after(1, now, 8_000.0).closed.logs()[-50:, :, 0].astype(float)
    found = history.trailing(0, now, 50, STALE)
    assert found == pytest.approx(range_variance(logs[:, LOW], logs[:, HIGH]), rel=0.02, abs=1e-6)


def test_a_move_counts_in_full_as_soon_as_it_is_published() -> None:
    history = walked(400)
    now = int(history.times[0]) + 10
    calm = history.trailing(0, now, 50, STALE)[-1]
    moved = history.after(0, now, math.exp(float(history.levels[0])) * 0.9)
    found = moved.trailing(0, now, 50, STALE)[-1]
    assert found >= calm + 0.8 * math.log(0.9) ** 2 / (4 * math.log(2))


def test_silence_is_calm_until_it_is_stale_and_then_says_nothing() -> None:
    history = walked(400)
    last = int(history.times[0])
    fresh, calm = (history.trailing(0, last + wait, 12, STALE).sum() for wait in (0, 3_000))
    assert calm < 0.5 * fresh
    held = [history.trailing(0, last + wait, 300, STALE).sum() for wait in (4_200, 40_000)]
    assert held[0] == pytest.approx(held[1])


def test_windows_do_not_reach_across_a_gap_or_before_the_first_round() -> None:
    history = consumed((0, 0, 100.0), (0, 2 * GAP_S, 50.0), (0, 2 * GAP_S + 3 * BAR, 51.0))
    windows = history.trailing(0, START + 2 * GAP_S + 4 * BAR, 50, STALE)
    assert len(windows) == 4
    assert windows.sum() < 2 * range_variance(np.log([50.0]), np.log([51.0]))[0]
    assert history.trailing(1, START + 2 * GAP_S, 50, STALE).size == 0


# ----------------------------------------------------------------------------- persistence


def same(one: FeedHistory, other: FeedHistory) -> bool:
    return one.plain() == other.plain()


@pytest.mark.parametrize("bars", [0, 1, 5, 255, 256, 300, 900, 1_300])
def test_a_history_reads_back_the_same_and_goes_on_the_same(bars: int) -> None:
    history = walked(bars, keep=600, refit=100)
    restored = FeedHistory.restored(json.loads(json.dumps(history.plain())))
    assert same(restored, history)
    assert restored.basis.end == history.basis.end
    assert np.array_equal(restored.basis.logs(), history.basis.logs(), equal_nan=True)
    for k in range(1, 400):
        at, price = START + bars * BAR + 200 * k, 100.0 + k % 7
        history, restored = history.after(k % 2, at, price), restored.after(k % 2, at, price)
    assert same(restored, history)
    assert np.array_equal(restored.basis.logs(), history.basis.logs(), equal_nan=True)


@pytest.mark.parametrize(
    "change",
    [{"bars": "!"}, {"bars": "AAAA"}, {"levels": None}, {"end": "x"}, {"dropped": 10**6}, {"basis_end": 0}],
)
def test_a_checkpoint_that_is_not_one_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        FeedHistory.restored(walked(300).plain() | change)


def test_a_history_by_other_rules_does_not_fit() -> None:
    history = walked(10)
    assert history.fits(walked(20))
    assert not history.fits(FeedHistory.fresh(3, BAR, 1_000, 12))
    assert not history.fits(FeedHistory.fresh(2, 600, 1_000, 12))


@pytest.mark.parametrize(("time", "price"), [(-1, 1.0), (1, 0.0), (1, math.nan), (1, math.inf)])
def test_a_round_that_is_none_is_refused(time: int, price: float) -> None:
    with pytest.raises(InvalidInputError):
        FeedHistory.fresh(1).after(0, time, price)


@pytest.mark.parametrize(
    "wrong", [{"assets": 0}, {"bar": 0}, {"keep": -1}, {"refit": 1.5}, {"refit": 18_000}]
)
def test_a_history_of_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        FeedHistory.fresh(**{"assets": 1, **wrong})  # type: ignore[arg-type]
