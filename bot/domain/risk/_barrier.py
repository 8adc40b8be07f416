"""The first passage of a Brownian motion with drift, in its own units, over arrays."""

import math

import numpy as np

from bot.domain._validation import FloatArray
from bot.domain.risk._normal import PairSum, pair_sum

CHUNK = 32_768
"""Accounts per pass: their 1 MB or so stays in the cache; measured best of 2,048 to 1,000,000."""

SMALLEST_DEVIATION = 1e-150
"""Below it the path is a straight line: its square is below the smallest float."""

_FURTHEST = 1e150
"""Standard deviations whose square is a float still; the density is zero long before."""

LARGEST_DEVIATION = 1e75
"""Above it the probability is one to the last bit, and its square still fits in a float."""


def touch_probability(distance: FloatArray, drift: FloatArray, deviation: FloatArray) -> FloatArray:
    """Probability that a Brownian motion falls by ``distance`` at some time in the period.

    With ``x = (distance ± drift) / (sqrt(2) deviation)`` it is
    ``exp(-x₊²) (erfcx(x₊) + erfcx(x₋)) / 2``: the reflection formula (Borodin and Salminen, Handbook of
    Brownian Motion, 2.1.2.4) with the factor ``exp(-2 drift distance / deviation²)`` absorbed,
    so that nothing overflows and small probabilities keep their digits.

    Parameters
    ----------
    distance : (n,) array
        Log distance to the barrier; 1 is returned where it is not positive, 0 where it is infinite.
    drift : (n,) or (1,) array
        Mean displacement over the period.
    deviation : (n,) or (1,) array
        Standard deviation of the displacement over the period, at least 0.

    Returns
    -------
    (n,) array
    """
    result = np.empty(distance.size)
    halves = pair_sum(distance.size)
    for start in range(0, distance.size, CHUNK):
        part = slice(start, start + CHUNK)
        m = drift if drift.size == 1 else drift[part]
        s = deviation if deviation.size == 1 else deviation[part]
        result[part] = _chunk(distance[part], m, s, halves)
    return result


@np.errstate(all="ignore")
def _chunk(distance: FloatArray, drift: FloatArray, deviation: FloatArray, halves: PairSum) -> FloatArray:
    x = np.empty((2, distance.size))
    np.add(distance, drift, out=x[0])
    np.subtract(distance, drift, out=x[1])
    x *= math.sqrt(0.5) / deviation
    np.clip(x, -_FURTHEST, _FURTHEST, out=x)
    sums = np.empty(distance.size)
    halves(x, sums)
    result = np.exp(-np.square(x[0]))
    result *= sums
    _add_reflections(result, x, distance, drift, deviation)
    np.clip(result, 0.0, 1.0, out=result)
    result[distance <= 0.0] = 1.0
    result[distance == np.inf] = 0.0
    return _straight_lines(result, distance, drift, deviation)


def _add_reflections(
    result: FloatArray, x: FloatArray, distance: FloatArray, drift: FloatArray, deviation: FloatArray
) -> None:
    """Add what ``erfcx(-a) = 2 exp(a²) - erfcx(a)`` leaves out where an argument is negative."""
    result += x[0] < 0.0
    rising = x[1] < 0.0
    if rising.any():
        exponent = np.broadcast_to(-2.0 * drift / np.square(deviation), distance.shape)[rising]
        result[rising] += np.exp(exponent * distance[rising])


def _straight_lines(
    result: FloatArray, distance: FloatArray, drift: FloatArray, deviation: FloatArray
) -> FloatArray:
    still = deviation < SMALLEST_DEVIATION
    if np.any(still):
        reached = (distance <= 0.0) | (distance + drift <= 0.0)
        return np.where(still, reached.astype(np.float64), result)
    return result
