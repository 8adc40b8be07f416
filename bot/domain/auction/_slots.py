"""Loss and fill time when blocks come exactly one ``block_time`` apart.

At the blocks ``z`` is a random walk with normal steps of mean ``-m = -delta block_time`` and standard
deviation ``s = sigma sqrt(block_time)``. In units of ``s``, with ``mu = m / s``, the expectation at the
fill of any payoff ``p(z)`` solves the Wiener-Hopf equation

    u(z) = E[p(z + X); z + X <= 0] + integral over y > 0 of density(y - z + mu) u(y) dy.

Solved here for ``p = 1 - exp(s z)``, the loss, and ``p = -z``, the overshoot, which by Wald's identity
gives the mean number of blocks, ``(z + overshoot) / mu``. There are three regimes:

- ``s = 0``: the walk is a line.
- ``mu < 7.5``, or ``mu - s < 7.5`` for the loss: the equation is discretised on Gauss-Legendre panels
  (Nystrom's method; kernel and solution are analytic on this scale, so the error is that of the arithmetic).
  Far from 0 the solution is constant, up to ``exp(-rate z)``, where ``rate`` belongs to the nearest complex
  root of ``E[exp(q X)] = 1``.
- ``mu >= 7.5``: a step up has probability below 1e-13, so the first block at or below 0 is the one before
  which the walk was above, and sums over the few blocks at which that can happen are exact.
"""

import math

import numpy as np
from scipy.linalg import solve_banded
from scipy.special import erfcx, log_ndtr, ndtr, roots_legendre

from bot.domain._validation import FloatArray

_MONOTONE = 7.5
"""Drift over deviation of a step from which the walk is taken to fall at every block."""

_LINE = 1e20
"""Drift over deviation from which the deviation is lost in rounding."""

_DIGITS = 32.0
"""Natural logarithm of what is neglected: exp(-32) is 1e-14."""

_REACH = 9.0
"""Deviations beyond which a normal density is below 1e-17."""

_PANEL = 4.0
_PANEL_NODES = 16
_NODES, _WEIGHTS = roots_legendre(_PANEL_NODES)

_EXACT_COUNT = 2.0**52
"""From this many blocks on, the place of one block is lost to rounding, and only its distribution is left."""


def loss(delta: float, variance: float, block_time: float, start_log: float) -> float:
    """Return ``1 - E[exp(z at the fill)]``, where ``z`` is sure to reach 0."""
    drift, deviation = delta * block_time, math.sqrt(variance) * math.sqrt(block_time)
    if deviation == 0.0 or drift / deviation > _LINE:
        return _line_loss(drift, start_log)
    if start_log - drift + deviation * deviation < -_REACH * deviation:
        # The first block fills for sure, also where start_log / deviation is too large for a float.
        return -math.expm1(start_log - drift + 0.5 * deviation * deviation)
    # Weighting by exp(z) shifts the mean of a step up by the deviation: it must fall surely then too.
    if drift / deviation - deviation < _MONOTONE:
        computed = float(_Panels(drift / deviation, deviation, start_log / deviation).at_start[0])
    else:
        computed = _monotone_loss(drift, deviation, start_log)
    # A loss below the rounding of 1 may come out a digit below zero.
    return max(computed, 0.0)


def fill_time(delta: float, variance: float, block_time: float, start_log: float) -> float:
    """Return the mean time to the fill in seconds, infinite where ``z`` does not drift down."""
    drift, deviation = delta * block_time, math.sqrt(variance) * math.sqrt(block_time)
    if deviation == 0.0 and delta >= 0.0 and start_log <= 0.0:
        return block_time
    if drift <= 0.0:
        return math.inf
    if deviation == 0.0 or drift / deviation > _LINE:
        return block_time * _line_blocks(drift, start_log)
    if drift / deviation >= _MONOTONE:
        return block_time * _monotone_blocks(drift, deviation, start_log)
    panels = _Panels(drift / deviation, deviation, start_log / deviation)
    if start_log < 0.0:
        return block_time * panels.blocks_from_below()
    return (start_log + deviation * float(panels.at_start[1])) / delta


def _line_loss(drift: float, start_log: float) -> float:
    """Loss of a straight line, whose last step is at most one drift long."""
    if start_log <= 0.0:
        return -math.expm1(start_log - drift)
    # A drift per block too small for a float leaves no overshoot.
    last = start_log - drift * _line_blocks(drift, start_log) if drift > 0.0 else 0.0
    return -math.expm1(min(max(last, -drift), 0.0))


def _line_blocks(drift: float, start_log: float) -> float:
    """Blocks until a straight line is at or below 0; one that meets 0 up to rounding fills."""
    if start_log <= 0.0:
        return 1.0
    blocks = start_log / drift
    nearest = float(np.rint(blocks))
    return max(nearest if abs(blocks - nearest) <= 1e-12 * blocks else float(np.ceil(blocks)), 1.0)


def _log_kept(centre: FloatArray, deviation: FloatArray | float) -> FloatArray:
    """Return ``ln E[exp(deviation Y); Y <= 0]`` for ``Y`` normal of mean ``centre`` and unit variance."""
    tilted = centre + deviation
    near = np.log(0.5 * erfcx(tilted / math.sqrt(2.0))) - 0.5 * centre**2
    far = deviation * (centre + 0.5 * deviation) + log_ndtr(-tilted)
    return np.where(tilted > 0.0, near, far)


def _relaxation_rate(mu: float) -> float:
    """Rate, per ``s``, at which the outcome forgets a far start: ``Re sqrt(mu^2 + 4 pi i) - mu``."""
    square = mu * mu
    modulus = math.hypot(square, 4.0 * math.pi)
    # The difference of squares over the sum: mu may be far larger than the rate.
    excess = 8.0 * math.pi**2 / (modulus + square)
    return excess / (math.sqrt(0.5 * (modulus + square)) + mu)


class _Panels:
    """The Wiener-Hopf equation of one auction, solved on panels from 0 up to where its solution is constant.

    Parameters
    ----------
    mu : float
        Mean fall per block over its deviation; at least 0.
    deviation : float
        ``s``, deviation of ``z`` per block.
    start : float
        ``start_log / s``.
    """

    def __init__(self, mu: float, deviation: float, start: float) -> None:
        self._mu, self._deviation, self._start = mu, deviation, start
        top = _DIGITS / _relaxation_rate(mu)
        if mu > 0.0:
            # Up to exp(-2 mu x), the walk never rises x above its start either.
            top = min(top, max(start, 0.0) + _DIGITS / (2.0 * mu))
        panels = math.ceil(top / _PANEL)
        self._top = panels * _PANEL
        middles = _PANEL * (np.arange(panels)[:, None] + 0.5)
        self._nodes = (middles + 0.5 * _PANEL * _NODES).ravel()
        self._weights = np.tile(0.5 * _PANEL * _WEIGHTS, panels)
        self._values = self._solve()
        self.at_start = self._interpolate(min(start, self._top))

    def blocks_from_below(self) -> float:
        """Mean number of blocks from a start below 0: one, and those that follow if it ends above."""
        beyond = (self._nodes + self._values[:, 1]) / self._mu
        return float(1.0 + self._density(self._nodes - self._start) * self._weights @ beyond)

    def _density(self, rise: FloatArray) -> FloatArray:
        return np.asarray(np.exp(-0.5 * (rise + self._mu) ** 2) / math.sqrt(2.0 * math.pi))

    def _payoffs(self, z: FloatArray) -> FloatArray:
        """Return expected loss and overshoot of a fill at the next block, from each ``z``."""
        centre = z - self._mu
        filled = ndtr(-centre)
        lost = filled - np.exp(_log_kept(centre, self._deviation))
        density = np.exp(-0.5 * centre**2) / math.sqrt(2.0 * math.pi)
        return np.stack([lost, density - centre * filled], axis=-1)

    def _solve(self) -> FloatArray:
        """Solve for the loss and the overshoot at the nodes; steps beyond `_REACH` are left out as a band."""
        count = self._nodes.size
        below = min(_band(_REACH + self._mu), count) - 1
        above = min(_band(max(_REACH - self._mu, 0.0)), count) - 1
        rows = np.arange(count) - np.arange(above, -below - 1, -1)[:, None]
        inside = (rows >= 0) & (rows < count)
        rows = np.clip(rows, 0, count - 1)
        band = -self._density(self._nodes - self._nodes[rows]) * self._weights
        band[above] += 1.0
        # Above the last panel the solution stays what it is at the last node.
        band[:, -1] -= ndtr(self._nodes[rows[:, -1]] - self._mu - self._top)
        band[~inside] = 0.0
        return np.asarray(solve_banded((below, above), band, self._payoffs(self._nodes)))

    def _interpolate(self, z: float) -> FloatArray:
        """Return the loss and the overshoot from any ``z`` up to the top, by the equation itself."""
        kernel = self._density(self._nodes - z) * self._weights
        kernel[-1] += ndtr(z - self._mu - self._top)
        return np.asarray(self._payoffs(np.asarray(z)) + kernel @ self._values)


def _band(reach: float) -> int:
    """Return how many nodes lie within a distance, in whole panels."""
    return _PANEL_NODES * (math.ceil(reach / _PANEL) + 1)


def _monotone_loss(drift: float, deviation: float, start_log: float) -> float:
    """Loss of a walk that falls at every block."""
    window = _crossing_blocks(drift, deviation, start_log)
    growth = 0.5 * deviation * deviation - drift
    if window is None:
        # The overshoot of a stationary renewal process: its density is P(step > x) / E[step].
        return 1.0 + math.expm1(growth) / drift
    spread = deviation * np.sqrt(window)
    centre = (start_log - drift * window) / spread
    log_kept = _log_kept(centre, spread)
    # Kept by a fill at any block of the window, less what an earlier fill would have kept one block later.
    kept = np.exp(log_kept)
    kept[1:] -= np.exp(log_kept[:-1] + growth)
    return float(1.0 - kept.sum())


def _monotone_blocks(drift: float, deviation: float, start_log: float) -> float:
    """Mean number of blocks of a walk that falls at every block: the sum of the chances to be still above."""
    window = _crossing_blocks(drift, deviation, start_log)
    if window is None:
        ratio = deviation / drift
        return start_log / drift + 0.5 * (1.0 + ratio * ratio)
    still_above = ndtr((start_log - drift * window) / (deviation * np.sqrt(window)))
    return float(window[0] + still_above.sum())


def _crossing_blocks(drift: float, deviation: float, start_log: float) -> FloatArray | None:
    """Blocks at which the walk may cross 0, or None where it has forgotten its start by then."""
    mu, start = drift / deviation, start_log / deviation
    if start * _relaxation_rate(mu) > _DIGITS or start > mu * _EXACT_COUNT:
        return None
    root = math.sqrt(max(_REACH**2 + 4.0 * mu * start, 0.0))
    first = (2.0 * start / (_REACH + root)) ** 2 if start > 0.0 else 1.0
    last = ((_REACH + root) / (2.0 * mu)) ** 2
    begin = max(math.floor(first), 1)
    return np.arange(begin, max(math.ceil(last), begin) + 2, dtype=np.float64)
