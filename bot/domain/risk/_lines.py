"""The probability that a basket of lognormals ends below its debt, one line at a time.

Failure is ``G(z) = ln sum_i exp(logs_i + loadings_i · z) - ln debt < 0``, and G is convex. Along a line ``z =
t a + u`` with unit direction ``a`` and ``u`` orthogonal to it, failure is therefore an interval of t, whose
normal probability is exact; what is left is its average over u. With ``a`` towards the nearest failure the
interval's end hardly depends on u, so that few u suffice (line sampling: Koutsourelakis, Pradlwarter and
Schuëller, Probabilistic Engineering Mechanics 19, 2004).

u is nothing for one factor, a trapezoid sum refined until it stands still for two (exponential convergence,
as the integrand is analytic), and a scrambled Sobol sequence with its mirror image for more.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from bot.domain._validation import FloatArray
from bot.domain.risk._basket import Basket
from bot.domain.risk._normal import normal_density

SOBOL_LOG2 = (8, 11, 14)
"""Two to so many points, and their mirror images; the later ones for accounts that are not settled."""

SETTLED = 0.003
"""Relative change from half the points to all of them at which a result stands; its error is far less."""

_EDGE = 40.0
"""No normal variable ever is so large."""

_ITERATIONS = 60
_TOLERANCE = 1e-13
_TRAPEZOID = 8.5
_FINEST = 1 << 13
_CELLS = 1 << 20
"""Values held at a time: accounts times assets times lines."""


class Lines(NamedTuple):
    """Probability of failure, and its derivative in each log value."""

    probability: FloatArray
    """(m,)."""
    slopes: FloatArray
    """(m, n), of the probability in the logarithm of each weighted value."""
    unsettled: FloatArray
    """(m,) difference between the first half of the lines and the whole."""


class Design(NamedTuple):
    """The point of failure nearest to the median."""

    distance: FloatArray
    """(m,): negative where the median itself fails, infinite where nothing fails."""
    direction: FloatArray
    """(m, r) unit vectors along which the basket loses value fastest there."""


@np.errstate(all="ignore")
def design(assets: Basket) -> Design:
    """Find the design point by the iteration of Hasofer, Lind, Rackwitz and Fiessler.

    It is damped after a while, for the few accounts where it would go round in circles.
    """
    z = np.zeros((assets.logs.shape[0], assets.rank))
    level, gradient = _level(assets, z)
    median = level
    for step in range(_ITERATIONS):
        norm = np.maximum(np.einsum("mr,mr->m", gradient, gradient), 1e-300)
        target = ((np.einsum("mr,mr->m", gradient, z) - level) / norm)[:, None] * gradient
        moved = (target - z) * (1.0 if step < _ITERATIONS // 3 else 0.5)
        # Volatilities near the largest float leave no slope to divide by.
        z = z + np.clip(np.nan_to_num(moved), -_EDGE, _EDGE)
        level, gradient = _level(assets, z)
        if np.abs(moved).max() < _TOLERANCE:
            break
    length = np.linalg.norm(gradient, axis=1, keepdims=True)
    distance = np.copysign(np.linalg.norm(z, axis=1), median)
    scale = np.abs(assets.loadings).max()
    distance[np.abs(level) > 1e-6 * scale] = np.copysign(np.inf, median)[np.abs(level) > 1e-6 * scale]
    return Design(distance, -gradient / np.maximum(length, 1e-300))


def _level(assets: Basket, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """G and its gradient at one point per account."""
    exponents = assets.logs + z @ assets.loadings.T
    top = exponents.max(axis=1, keepdims=True)
    shares = np.exp(exponents - top)
    total = shares.sum(axis=1, keepdims=True)
    level = (top + np.log(total))[:, 0] - assets.log_debt
    return level, (shares / total) @ assets.loadings


@np.errstate(all="ignore")
def lines(assets: Basket) -> Lines:
    """Probability that each account ends below its debt, with its derivatives."""
    nearest = design(assets)
    directions = _directions(assets, nearest.direction)
    if assets.rank == 1:
        return _in_chunks(assets, directions, nearest.distance, np.zeros((1, 0)), np.ones(1))
    if assets.rank == 2:
        return _by_trapezoid(assets, directions, nearest.distance)
    return _by_sobol(assets, directions, nearest.distance)


def _directions(assets: Basket, nearest: FloatArray) -> FloatArray:
    """Choose the nearest failure's direction, or with two factors one along which every asset falls.

    Lines that some asset climbs may miss failure altogether, and the integrand has a kink where they begin
    to.
    """
    if assets.rank != 2:
        return nearest
    together = -np.linalg.lstsq(_unit_rows(assets.loadings), np.ones(len(assets.loadings)), rcond=None)[0]
    together /= np.linalg.norm(together)
    climbing = (nearest @ assets.loadings.T > 0.0).any(axis=1)
    return np.where(climbing[:, None], together, nearest)


def _unit_rows(loadings: FloatArray) -> FloatArray:
    return np.asarray(loadings / np.linalg.norm(loadings, axis=1, keepdims=True), dtype=np.float64)


def _by_sobol(assets: Basket, directions: FloatArray, distance: FloatArray) -> Lines:
    result = Lines(np.zeros(len(distance)), np.zeros(assets.logs.shape), np.full(len(distance), np.inf))
    for log2 in SOBOL_LOG2:
        again = result.unsettled > SETTLED * result.probability
        if not again.any():
            break
        nodes = _sobol(assets.rank - 1, log2)
        weights = np.full(len(nodes), 1.0 / len(nodes))
        part = Basket(assets.logs[again], assets.loadings, assets.log_debt[again])
        finer = _in_chunks(part, directions[again], distance[again], nodes, weights)
        for whole, piece in zip(result, finer, strict=True):
            whole[again] = piece
    return result


@functools.cache
def _sobol(dimensions: int, log2: int) -> FloatArray:
    """Draw normal points, mirrored in each half, so that the first half is a smaller set of the same kind."""
    # Imported here: scipy.stats takes half a second, and most callers never need it.
    from scipy.stats import qmc

    uniform = qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(1)).random_base2(log2)
    first, second = np.split(ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12)), 2)
    return np.concatenate([first, -first, second, -second])


def _by_trapezoid(assets: Basket, directions: FloatArray, distance: FloatArray) -> Lines:
    count = 64
    result = _trapezoid(assets, directions, distance, count)
    while count < _FINEST:
        count *= 2
        finer = _trapezoid(assets, directions, distance, count)
        change = np.abs(finer.probability - result.probability)
        result = finer
        if (change <= _TOLERANCE + 1e-11 * result.probability).all():
            break
    return result


def _trapezoid(assets: Basket, directions: FloatArray, distance: FloatArray, count: int) -> Lines:
    nodes = np.linspace(-_TRAPEZOID, _TRAPEZOID, count + 1)
    weights = normal_density(nodes) * (nodes[1] - nodes[0])
    return _in_chunks(assets, directions, distance, nodes[:, None], weights)


def _in_chunks(
    assets: Basket, directions: FloatArray, distance: FloatArray, nodes: FloatArray, weights: FloatArray
) -> Lines:
    size = max(1, _CELLS // (assets.loadings.shape[0] * len(nodes)))
    parts = [
        _average(
            Basket(assets.logs[part], assets.loadings, assets.log_debt[part]),
            directions[part],
            distance[part],
            nodes,
            weights,
        )
        for part in _slices(len(assets.logs), size)
    ]
    return Lines(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _slices(total: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, total, size))


def _average(
    assets: Basket, directions: FloatArray, distance: FloatArray, nodes: FloatArray, weights: FloatArray
) -> Lines:
    slope, across = _rotate(assets.loadings, directions)
    offsets = assets.logs.T[:, :, None] + across @ nodes.T
    level = assets.log_debt[:, None]
    falling = (slope <= 0.0).all(axis=0)
    guess = np.where(falling, np.clip(distance, -_EDGE, _EDGE), -_EDGE)
    probability, slopes = _tail(offsets, slope, level, guess)
    if not falling.all():
        # The far end of the interval is the near end seen from the other side.
        beyond, change = _tail(offsets[:, ~falling], -slope[:, ~falling], level[~falling], guess[~falling])
        missed = probability[~falling] == 0.0
        probability[~falling] -= np.where(missed, 0.0, 1.0 - beyond)
        slopes[:, ~falling] += np.where(missed, 0.0, change)
    half = len(weights) // 2
    total = probability @ weights
    return Lines(total, (slopes @ weights).T, np.abs(2.0 * (probability[:, :half] @ weights[:half]) - total))


def _rotate(loadings: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split the loadings along each direction, (n, m), and across, (n, m, r - 1), by a reflection."""
    sign = np.where(directions[:, :1] > 0.0, -1.0, 1.0)
    mirror = directions.copy()
    mirror[:, :1] -= sign
    norm = np.einsum("mr,mr->m", mirror, mirror)
    along = np.einsum("nr,mr->nm", loadings, mirror) * (2.0 / norm)
    rotated = loadings[:, None, :] - along[:, :, None] * mirror
    return rotated[:, :, 0] * sign[:, 0], rotated[:, :, 1:]


def _tail(
    offsets: FloatArray, slope: FloatArray, level: FloatArray, guess: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Probability beyond the first point of failure on each line, (m, p), and its derivatives, (n, m, p)."""
    t = np.repeat(guess[:, None], offsets.shape[2], axis=1)
    missed = np.zeros(t.shape, dtype=bool)
    for _ in range(_ITERATIONS):
        height, incline, shares = _along(offsets, slope, level, t)
        step = -height / incline
        # From a point that still holds, a convex function that no longer falls never reaches zero.
        missed |= (incline >= 0.0) & (height > 0.0)
        step[(incline >= 0.0) | ~np.isfinite(step)] = 0.0
        moved = np.clip(t + step, -_EDGE, _EDGE)
        step, t = moved - t, moved
        if np.abs(step).max(initial=0.0) < _TOLERANCE * _EDGE:
            break
    missed |= t >= _EDGE
    probability = np.where(missed, 0.0, ndtr(-t))
    rate = np.where(missed | (incline >= 0.0), 0.0, normal_density(t) / incline)
    return probability, shares * rate


def _along(
    offsets: FloatArray, slope: FloatArray, level: FloatArray, t: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """G, its derivative in t, and each asset's share of the basket at t."""
    shares = offsets + slope[:, :, None] * t
    top = shares.max(axis=0)
    shares -= top
    np.exp(shares, out=shares)
    total = shares.sum(axis=0)
    shares /= total
    return top + np.log(total) - level, np.einsum("nm,nmp->mp", slope, shares), shares
