"""First passage seen only at equally spaced dates.

In units of one interval's standard deviation the log ratio is a random walk of unit normal steps with drift
``theta`` per step, started ``x`` above the barrier. ``V_n(x)``, the probability of being at or below it at
one of the first ``n`` dates, solves ``V_n(x) = Phi(-x - theta) + integral over y > 0 of V_{n-1}(y) phi(y - x
- theta) dy``, ``V_0 = 0``.

- Up to `EXACT_DATES` dates the recursion is solved as it stands, by Gauss-Legendre quadrature on panels of
  the step's own width (relative error below 1e-8).
- Beyond, the continuous formula serves with two corrections: the barrier lies ``beta(theta)`` further
  (Broadie, Glasserman and Kou, Mathematical Finance 7, 1997, for ``theta = 0``), and the clock runs a quarter
  of an interval longer. The quarter follows from the walk's exponential martingale: with overshoot mean
  ``beta + c/4`` under drift ``c`` and variance 1/4 the transform of the passage time is that of the
  continuous time plus 1/4, and a time counted in whole dates is half a date late.
- Near the barrier that expansion fails for any number of dates, so there it only starts the recursion, which
  then takes the first `NEAR_STEPS` steps exactly.
- Where the walk falls by more than a quarter of a standard deviation a step, it meets the barrier at the end
  or not at all: one normal step spans all dates but the last `EXACT_DATES`, because whoever was below before
  then is below again (but for a thousandth).

Measured against the recursion over all drifts: error below 0.5 % wherever the probability exceeds 1e-9.
"""

import math

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.special import ndtr, roots_legendre, zeta

from bot.domain._validation import FloatArray
from bot.domain.risk._barrier import SMALLEST_DEVIATION, touch_probability
from bot.domain.risk._normal import normal_density

EXACT_DATES = 64
"""Up to so many dates the recursion runs from the start."""

NEAR_STEPS = 32
"""Exact steps near the barrier where there are more dates."""

NEAR = 10.0
"""Distance, in standard deviations of a step, up to which they are taken."""

FALLING = -0.25
"""Drift per step, in its standard deviations, below which only the last dates matter."""

STEEP = 4.0
"""Drift per step beyond which one date alone decides (error below 0.1 %)."""

_PANEL = 2.0
_NODES, _WEIGHTS = roots_legendre(10)
_REACH = 9.0
"""Standard deviations beyond which a probability is below 1e-18."""

_DIRECT = 256
"""Up to so many accounts are evaluated one by one; more share a spline."""

_TINY = 1e-300


@np.errstate(all="ignore")
def monitored_probability(
    distance: FloatArray, drift: FloatArray, deviation: FloatArray, dates: FloatArray
) -> FloatArray:
    """Probability of being at or below the barrier at one of the dates.

    Parameters
    ----------
    distance : (n,) array
        Log distance to the barrier, of either sign or infinite.
    drift, deviation : (n,) arrays
        Mean and standard deviation of one interval's displacement.
    dates : (n,) array
        Whole numbers of dates, 0 or more.

    Returns
    -------
    (n,) array
    """
    result = np.zeros(distance.size)
    still = deviation < SMALLEST_DEVIATION
    some = (dates >= 1.0) & (distance < np.inf)
    result[some & still] = _straight(distance, drift, dates)[some & still]
    walking = np.flatnonzero(some & ~still)
    x, theta = distance / deviation, drift / deviation
    for count in np.unique(dates[walking]):
        index = walking[dates[walking] == count]
        result[index] = _same_dates(x[index], theta[index], float(count))
    return result


def _straight(distance: FloatArray, drift: FloatArray, dates: FloatArray) -> FloatArray:
    """Without noise the lowest date is the last one where the path falls, the first one where it rises."""
    lowest = distance + np.where(drift < 0.0, drift * dates, drift)
    return np.asarray(lowest <= 0.0, dtype=np.float64)


def _same_dates(x: FloatArray, theta: FloatArray, dates: float) -> FloatArray:
    result = _corrected(x, theta, dates)
    steep = np.abs(theta) > STEEP
    result[steep] = _one_date(x[steep], theta[steep], dates)
    if dates > EXACT_DATES:
        near = (x <= NEAR) | (theta < FALLING)
    else:
        near = x + np.minimum(theta, 0.0) * dates <= _REACH * (math.sqrt(dates) + 1.0)
    near &= ~steep
    result[near] = _by_recursion(x[near], theta[near], dates)
    return np.clip(result, 0.0, 1.0)


def _one_date(x: FloatArray, theta: FloatArray, dates: float) -> FloatArray:
    last = ndtr(-x / math.sqrt(dates) - theta * math.sqrt(dates))
    return np.asarray(np.where(theta < 0.0, last, ndtr(-x - theta)), dtype=np.float64)


def overshoot(theta: FloatArray) -> FloatArray:
    """Mean distance by which the walk passes a far barrier, corrected for the drift: 0.5826 without any.

    Notes
    -----
    ``beta(theta) = -sum over r of zeta(1/2 - r) (-theta² / 2)^r / (r! (2r + 1)) / sqrt(2 pi)``, from the
    ladder height of Chang and Peres, Annals of Probability 25, 1997; four terms, for ``|theta|`` up to about
    2.
    """
    square = -0.5 * np.square(np.clip(theta, -2.0, 2.0))
    total = np.zeros_like(square)
    for r in range(4):
        total += zeta(0.5 - r) * square**r / (math.factorial(r) * (2 * r + 1))
    return np.asarray(-total / math.sqrt(2.0 * math.pi), dtype=np.float64)


def _corrected(x: FloatArray, theta: FloatArray, dates: float) -> FloatArray:
    time = dates + 0.25
    return touch_probability(x + overshoot(theta), theta * time, np.full(1, math.sqrt(time)))


def _by_recursion(x: FloatArray, theta: FloatArray, dates: float) -> FloatArray:
    """Recursion for each drift, or for Chebyshev nodes in the drift where accounts differ in many."""
    result = np.empty_like(x)
    drifts = np.unique(theta)
    if drifts.size <= _DRIFT_NODES.size:
        for drift in drifts:
            index = theta == drift
            result[index] = _solve(x[index], float(drift), dates)
        return result
    width = min(2.0 / math.sqrt(dates), 1.001 * float(drifts[-1] - drifts[0]))
    panel = np.floor((theta - drifts[0]) / width)
    for number in np.unique(panel):
        index = panel == number
        start = drifts[0] + float(number) * width
        result[index] = _between_drifts(x[index], theta[index], dates, start, width)
    return result


_DRIFT_NODES = np.cos(np.pi * (np.arange(9) + 0.5) / 9.0)


def _chebyshev(x: FloatArray) -> FloatArray:
    """Chebyshev polynomials at x in [-1, 1], one row for each."""
    return np.asarray(np.cos(np.arange(9) * np.arccos(np.clip(x, -1.0, 1.0))[:, None]), dtype=np.float64)


_DRIFT_FIT = np.linalg.inv(_chebyshev(_DRIFT_NODES))


def _between_drifts(x: FloatArray, theta: FloatArray, dates: float, start: float, width: float) -> FloatArray:
    """Interpolate the log probability, which is smooth in the drift, over one panel of drifts."""
    nodes = start + 0.5 * width * (1.0 + _DRIFT_NODES)
    logs = np.stack([np.log(np.maximum(_solve(x, float(node), dates), _TINY)) for node in nodes])
    basis = _chebyshev(2.0 * (theta - start) / width - 1.0)
    return np.asarray(np.exp(np.einsum("ij,jk,ki->i", basis, _DRIFT_FIT, logs)), dtype=np.float64)


def _solve(x: FloatArray, theta: float, dates: float) -> FloatArray:
    """``V_n`` at the distances ``x`` for one drift."""
    far = dates > EXACT_DATES
    steps = NEAR_STEPS if far and theta >= FALLING else int(min(dates, EXACT_DATES))
    span = dates - steps + 1.0 if theta < FALLING else 1.0
    points, weights = _panels(float(x.max()) if span == 1.0 else 0.0, theta, steps)
    values = np.zeros_like(points)
    if far and theta >= FALLING:
        values = _corrected(points, np.full(1, theta), dates - steps)
    kernel = weights * normal_density(points - points[:, None] - theta)
    at_once = ndtr(-points - theta)
    for _ in range(steps - 1):
        values = at_once + kernel @ values
    return _first_step(x, theta, span, points, weights * values)


def _panels(highest: float, theta: float, steps: int) -> tuple[FloatArray, FloatArray]:
    """Quadrature up to where a path that starts at ``highest`` cannot matter any more."""
    top = max(highest, 0.0) + abs(theta) * steps + (_REACH + 1.0) * math.sqrt(steps) + _REACH
    edges = np.arange(math.ceil(top / _PANEL)) * _PANEL
    points = (edges[:, None] + 0.5 * _PANEL * (1.0 + _NODES)).reshape(-1)
    return points, np.tile(0.5 * _PANEL * _WEIGHTS, edges.size)


def _first_step(
    x: FloatArray, theta: float, span: float, points: FloatArray, weighted: FloatArray
) -> FloatArray:
    """Take the step from ``x`` to the points, ``span`` dates long; many accounts share a spline."""
    if x.size > _DIRECT:
        return _by_spline(x, theta, span, points, weighted)
    root = math.sqrt(span)
    ahead = (x + theta * span) / root
    return np.asarray(
        ndtr(-ahead) + normal_density(points / root - ahead[:, None]) @ weighted / root, dtype=np.float64
    )


def _by_spline(
    x: FloatArray, theta: float, span: float, points: FloatArray, weighted: FloatArray
) -> FloatArray:
    low, high = max(float(x.min()), -40.0 * math.sqrt(span)), float(x.max())
    knots = np.linspace(low, high, max(int(10.0 * (high - low) / math.sqrt(span)), _DIRECT))
    parts = np.array_split(knots, math.ceil(knots.size / _DIRECT))
    values = np.concatenate([_first_step(part, theta, span, points, weighted) for part in parts])
    spline = make_interp_spline(knots, np.log(np.maximum(values, _TINY)), k=5)
    return np.asarray(np.exp(np.minimum(spline(np.maximum(x, low)), 0.0)), dtype=np.float64)
