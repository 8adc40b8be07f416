"""Monte Carlo reference for baskets of lognormals: slow, seeded, with no approximation but its paths."""

import math

import numpy as np

from bot.domain._validation import FloatArray
from bot.domain.risk._basket import Basket

STEPS = 64
"""Steps of a path; between them a Brownian bridge gives the probability of having been below."""

_BATCH = 1 << 14


@np.errstate(all="ignore")
def ends_below(assets: Basket, paths: int, seed: int) -> FloatArray:
    """Share of antithetic samples that end below the debt, (m,)."""
    generator = np.random.default_rng(seed)
    below = np.zeros(len(assets.logs))
    done = 0
    while done < paths:
        size = min(_BATCH, paths - done + (paths - done) % 2)
        half = generator.standard_normal((size // 2, assets.rank))
        moves = np.concatenate([half, -half]) @ assets.loadings.T
        for account in range(len(below)):
            below[account] += np.count_nonzero(_height(assets, account, moves) < 0.0)
        done += size
    return below / done


@np.errstate(all="ignore")
def falls_below(assets: Basket, paths: int, seed: int) -> FloatArray:
    """Mean probability that a path is below the debt at some time, (m,).

    Between two steps the log basket is taken as a Brownian bridge of the mean of the variances at its ends;
    with 64 steps the bias is below a tenth of a per cent, the sampling error ``sqrt(p (1 - p) / paths)``
    above it.
    """
    generator = np.random.default_rng(seed)
    survived = np.zeros(len(assets.logs))
    done = 0
    while done < paths:
        size = min(_BATCH, paths - done + (paths - done) % 2)
        half = generator.standard_normal((STEPS, size // 2, assets.rank))
        steps = np.concatenate([half, -half], axis=1) @ assets.loadings.T / math.sqrt(STEPS)
        for account in range(len(survived)):
            survived[account] += _survival(assets, account, steps).sum()
        done += size
    return np.asarray(1.0 - survived / done, dtype=np.float64)


def _height(assets: Basket, account: int, moves: FloatArray) -> FloatArray:
    """Log of the basket over the debt for each sample of log moves, whose drift is in the median already."""
    exponents = assets.logs[account] + moves
    top = exponents.max(axis=-1)
    total = np.exp(exponents - top[..., None]).sum(axis=-1)
    return np.asarray(top + np.log(total) - assets.log_debt[account], dtype=np.float64)


def _survival(assets: Basket, account: int, steps: FloatArray) -> FloatArray:
    drift = 0.5 * np.square(assets.loadings).sum(axis=1)
    moves = np.zeros(steps.shape[1:])
    height, variance = _state(assets, account, moves + drift)
    survival = (height > 0.0).astype(np.float64)
    for number, step in enumerate(steps, start=1):
        moves += step
        after, variance_after = _state(assets, account, moves + drift * (1.0 - number / STEPS))
        spread = 0.5 * (variance + variance_after) / STEPS
        touched = np.exp(-2.0 * height * after / spread)
        survival *= np.where((height > 0.0) & (after > 0.0), 1.0 - touched, 0.0)
        height, variance = after, variance_after
    return survival


def _state(assets: Basket, account: int, moves: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log of the basket over the debt, and the variance of its increments over the horizon."""
    exponents = assets.logs[account] + moves
    top = exponents.max(axis=-1, keepdims=True)
    shares = np.exp(exponents - top)
    total = shares.sum(axis=-1, keepdims=True)
    gradient = (shares / total) @ assets.loadings
    height = (top + np.log(total))[..., 0] - assets.log_debt[account]
    return height, np.square(gradient).sum(axis=-1)
