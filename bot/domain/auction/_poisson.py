"""Loss and fill time when blocks come as a Poisson process.

Write ``nu = 1 / block_time``. The expectation ``u(z) = E_z[exp(z at the fill)]`` solves

    sigma^2/2 u'' - delta u' = nu (u - exp(z))   for z <= 0,       sigma^2/2 u'' - delta u' = 0   for z > 0,

bounded, with ``u`` and ``u'`` continuous at 0. The bounded solution above 0 is a constant, so the slope at
0 is zero; below, it is ``c exp(z) - (c / r) exp(r z)``, where ``r`` and ``-zeta`` are the roots of
``sigma^2/2 x^2 - delta x = nu`` and ``c = r zeta / ((r - 1) (1 + zeta))``. Hence

    u(z) = zeta / (1 + zeta) * exp(z) * (1 - z phi((r - 1) z))   for z <= 0,     phi(x) = (exp(x) - 1) / x,

and ``zeta / (1 + zeta)`` above. The mean time solves the same equation with the source 1 in place of the
payoff: ``block_time + exp(r z) / (delta r)`` below 0 and ``z / delta`` more above.
"""

import numpy as np

from bot.domain._validation import FloatArray


def roots(delta: FloatArray, variance: FloatArray, block_time: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``r`` and ``zeta`` for ``delta >= 0``; without variance ``r`` is infinite."""
    spread = np.hypot(delta, np.sqrt(2.0 * variance / block_time))
    rising = np.where(variance > 0.0, (delta + spread) / variance, np.inf)
    # The product of the roots gives the other one without the cancellation of spread - delta.
    return rising, 2.0 / (block_time * (delta + spread))


def loss(
    delta: FloatArray, variance: FloatArray, block_time: FloatArray, start_log: FloatArray
) -> FloatArray:
    """Return ``1 - u(start_log)``, for ``delta >= 0``."""
    rising, falling = roots(delta, variance, block_time)
    below = np.minimum(start_log, 0.0)
    # Share of fair value kept if the first block at or below zero filled with no further delay there.
    kept = np.exp(below) * (1.0 - below * _phi((rising - 1.0) * below))
    kept = np.where(below < 0.0, kept, 1.0)
    return np.asarray((1.0 - kept) + kept / (1.0 + falling))


def fill_time(
    delta: FloatArray, variance: FloatArray, block_time: FloatArray, start_log: FloatArray
) -> FloatArray:
    """Return the mean time to the fill in seconds, infinite where ``z`` does not drift down."""
    rising, _ = roots(np.maximum(delta, 0.0), variance, block_time)
    below = np.minimum(start_log, 0.0)
    returning = np.where(below < 0.0, np.exp(rising * below), 1.0) / rising
    waiting = np.maximum(start_log, 0.0) + returning
    mean = block_time + waiting / delta
    frozen_below = (variance == 0.0) & (delta == 0.0) & (start_log <= 0.0)
    return np.where(frozen_below, block_time, np.where(delta > 0.0, mean, np.inf))


def _phi(x: FloatArray) -> FloatArray:
    """Return ``(exp(x) - 1) / x``, continued by 1 at 0."""
    return np.where(x == 0.0, 1.0, np.expm1(x) / np.where(x == 0.0, 1.0, x))
