"""Auctions played block by block: the means must be those of the theory, within their own errors."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import chi2

from bot.domain import auction

DAY = 86_400.0
SETS = 20
PATHS = 40_000


class Auction(NamedTuple):
    """One set of parameters."""

    decay_per_second: float
    volatility_daily: float
    block_time: float
    start_log: float


def draw_sets() -> list[Auction]:
    """Spread the sets over what is met in practice, from half a deviation below fair to fifty above."""
    rng = np.random.default_rng(2_024)
    sets = []
    for _ in range(SETS):
        volatility, block_time = float(rng.uniform(0.01, 0.12)), float(rng.choice([0.25, 2.0, 12.0, 60.0]))
        deviation = volatility * math.sqrt(block_time / DAY)
        drift = float(rng.uniform(0.15, 5.0)) * deviation
        decay = drift / block_time + volatility**2 / DAY / 2.0
        sets.append(Auction(decay, volatility, block_time, float(rng.uniform(-0.5, 10.0)) * drift))
    return sets


def play(case: Auction, slots: bool, paths: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Loss to fair and time to the fill of every path: the ask decays, fair walks, blocks look."""
    sigma = case.volatility_daily / math.sqrt(DAY)
    gap = np.full(paths, case.start_log)
    time = np.zeros(paths)
    losses, times = [], []
    while gap.size:
        wait = case.block_time * (np.ones(gap.size) if slots else rng.standard_exponential(gap.size))
        fair = sigma * np.sqrt(wait) * rng.standard_normal(gap.size) - 0.5 * sigma**2 * wait
        gap = gap - case.decay_per_second * wait - fair
        time = time + wait
        filled = gap <= 0.0
        losses.append(-np.expm1(gap[filled]))
        times.append(time[filled])
        gap, time = gap[~filled], time[~filled]
    return np.concatenate(losses), np.concatenate(times)


def deviations(slots: bool, paths: int, seed: int) -> np.ndarray:
    """Distance of simulated from expected loss and time, in standard errors; one row per set."""
    rng = np.random.default_rng(seed)
    rows = []
    for case in draw_sets():
        rows.append([])
        for sample, expected in zip(
            play(case, slots, paths, rng),
            (auction.expected_loss(*case, slots=slots), auction.expected_fill_time(*case, slots=slots)),
            strict=True,
        ):
            error = float(sample.std(ddof=1)) / math.sqrt(paths)
            rows[-1].append((float(sample.mean()) - expected) / error)
    return np.array(rows)


@pytest.mark.parametrize("slots", [False, True], ids=["poisson", "slots"])
def test_twenty_auctions_lose_and_last_what_theory_says(slots: bool) -> None:
    scores = deviations(slots, PATHS, seed=5 + slots)
    assert np.abs(scores).max() < 3.0
    # All together they must not be off either: as many squares as scores, within one in a thousand.
    assert chi2.sf(float((scores**2).sum()), scores.size) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("slots", [False, True], ids=["poisson", "slots"])
def test_ten_times_as_many_paths_agree_as_well(slots: bool) -> None:
    scores = deviations(slots, 10 * PATHS, seed=15 + slots)
    assert np.abs(scores).max() < 3.0
    assert chi2.sf(float((scores**2).sum()), scores.size) > 1e-3


def test_the_simulation_tells_poisson_blocks_from_slots() -> None:
    case = Auction(1e-4, 0.04, 12.0, 0.02)
    losses, _ = play(case, True, PATHS, np.random.default_rng(1))
    error = float(losses.std(ddof=1)) / math.sqrt(PATHS)
    assert abs(float(losses.mean()) - auction.expected_loss(*case)) > 20.0 * error
