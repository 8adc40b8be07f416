"""How fast an auction should run: loss to fair value against the cost of waiting."""

import math
from typing import overload

import numpy as np
from scipy.optimize import bisect

from bot.domain._validation import (
    ArrayLike,
    FloatArray,
    broadcast,
    elementwise,
    non_negative,
    positive,
    unwrap,
)
from bot.domain.auction._units import log_ratio, variance_per_second

_WIDEST = 700.0
"""Largest logarithm searched; exp(710) is no float any more."""

_NO_VOLATILITY = 1e-150
"""Deviation per block whose square vanishes beside anything else: as good as no volatility."""


@overload
def optimal_decay(  # type: ignore[overload-overlap]
    start_log: float, volatility_daily: float, block_time: float, cost_of_delay_per_second: float
) -> float: ...
@overload
def optimal_decay(
    start_log: ArrayLike,
    volatility_daily: ArrayLike,
    block_time: ArrayLike,
    cost_of_delay_per_second: ArrayLike,
) -> FloatArray: ...
def optimal_decay(
    start_log: ArrayLike,
    volatility_daily: ArrayLike,
    block_time: ArrayLike,
    cost_of_delay_per_second: ArrayLike,
) -> float | FloatArray:
    """Decay per second that minimises ``expected_loss + cost_of_delay_per_second * expected_fill_time``.

    Blocks are Poisson.

    Parameters
    ----------
    start_log : float or array
        Logarithm of ask over fair at the beginning; of either sign, at most 700 in size.
    volatility_daily : float or array
        Volatility of fair value per square root of a day; at least 0.
    block_time : float or array
        Mean time between blocks, seconds; above 0.
    cost_of_delay_per_second : float or array
        Cost of waiting a second, as a share of the value sold; at least 0.

    Returns
    -------
    float or array
        The decay, to the last digits of a float. Limits: with free delay, ``sigma^2 / 2``, at which the
        loss is least and the wait endless. Infinite where ``cost * start_log * block_time >= 1``: waiting
        for the ask to come down to fair costs more than the whole value, so no finite decay is fast enough.
        Without volatility, zero for a start at or below fair. With some, above ``sigma^2 / 2`` by one digit
        at least, so that the auction ends.

    Raises
    ------
    InvalidInputError
        If a value is NaN, infinite or outside its range, or the shapes do not broadcast.

    Notes
    -----
    Per block, with ``s = sigma sqrt(block_time)`` and ``t`` defined by ``delta = sqrt(2) s sinh(t)``, the
    roots of `_poisson` are ``r = k exp(t)`` and ``zeta = k exp(-t)``. The loss rises in ``t``, the time
    falls, and the ratio of their slopes rises strictly from zero: it is a product of factors that rise,
    such as ``sinh(t) / (1 + coth(t) + r a)`` and the power series of ``(exp(x) - 1 - x) / x^2``. So there
    is exactly one minimum, where that ratio equals the cost, and bisection on it cannot miss.

    On-chain stands a closed form, ``(sigma sqrt(d) / block_time)^(2/3)`` for takers that come at a discount
    ``d``. From a start of ``d``, with delay at ``sigma / sqrt(d / decay)`` per second, it is 1 to 9 % slower
    than the best and costs at most 0.4 % more (volatilities of 40 to 160 % a year, blocks of 2 to 12 s).
    """
    start, variance, interval, cost = broadcast(
        start_log=log_ratio("start_log", start_log),
        volatility_daily=variance_per_second(volatility_daily),
        block_time=positive("block_time", block_time),
        cost_of_delay_per_second=non_negative("cost_of_delay_per_second", cost_of_delay_per_second),
    )
    with np.errstate(all="ignore"):
        return unwrap(elementwise(_optimal, start, variance, interval, cost))


def _optimal(start_log: float, variance: float, block_time: float, cost: float) -> float:
    """Return the best decay for a variance per second."""
    still = 0.5 * variance
    deviation = math.sqrt(variance) * math.sqrt(block_time)
    if cost == 0.0:
        return still
    log_cost = math.log(cost) + math.log(block_time)
    log_whole = log_cost + math.log(start_log) if start_log > 0.0 else -math.inf
    if log_whole >= 0.0:
        return math.inf
    if deviation < _NO_VOLATILITY:
        share = math.exp(0.5 * log_whole)
        return share / (1.0 - share) / block_time
    log_slope_ratio = _above_fair if start_log >= 0.0 else _below_fair

    def surplus(x: float) -> float:
        return log_slope_ratio(x, abs(start_log), deviation) - log_cost

    if surplus(_WIDEST) <= 0.0:
        return math.inf
    least = surplus(-_WIDEST) >= 0.0
    best = -_WIDEST if least else bisect(surplus, -_WIDEST, _WIDEST, xtol=1e-15, maxiter=200)
    # From far below fair the best drift may be lost beside still; without any, the auction might not end.
    return max(
        still + math.sqrt(2.0) * deviation * math.exp(best) / block_time, math.nextafter(still, math.inf)
    )


def _above_fair(x: float, start: float, deviation: float) -> float:
    """Logarithm of slope of loss over slope of time, per block, at ``sinh(t) = exp(x)`` from ``start >= 0``.

    ``delta^2 zeta / ((1 + zeta)^2 (start Q + s^2))`` with ``Q = sqrt(2) s cosh(t)``; in logarithms
    throughout, since the products of extreme inputs leave the range of a float.
    """
    ladder, log_scale, t = math.sqrt(2.0) / deviation, math.log(math.sqrt(2.0) * deviation), _angle(x)
    rise = 2.0 * (log_scale + x) + math.log(ladder) - t - 2.0 * math.log1p(ladder * math.exp(-t))
    log_q = log_scale + t + math.log1p(math.exp(-2.0 * t)) - math.log(2.0)
    log_way = math.log(start) + log_q if start > 0.0 else -math.inf
    return rise - float(np.logaddexp(log_way, 2.0 * math.log(deviation)))


def _below_fair(x: float, depth: float, deviation: float) -> float:
    """Logarithm of slope of loss over slope of time, per block, at ``sinh(t) = exp(x)`` from ``-depth < 0``.

    With ``a = depth`` and ``y = (r - 1) a`` it is
    ``delta k^2 / (1 + zeta) * ((exp(y) + a phi(y)) / (1 + zeta) + r a^2 chi(y)) / (1 + coth(t) + r a)``.
    """
    ladder, log_scale, t = math.sqrt(2.0) / deviation, math.log(math.sqrt(2.0) * deviation), _angle(x)
    zeta, rising = ladder * math.exp(-t), ladder * math.exp(t)
    exponent = (rising - 1.0) * depth
    if math.isinf(exponent):
        return math.inf
    shift, power, phi, chi = _scaled_powers(exponent)
    slope = (power + depth * phi) / (1.0 + zeta) + depth * ((exponent + depth) * chi)
    waiting = 1.0 + 1.0 / math.tanh(t) + rising * depth
    front = log_scale + x + 2.0 * math.log(ladder) - math.log1p(zeta)
    return front + shift + math.log(slope) - math.log(waiting)


def _angle(x: float) -> float:
    """Return ``t`` with ``sinh(t) = exp(x)``."""
    return math.asinh(math.exp(x))


def _scaled_powers(x: float) -> tuple[float, float, float, float]:
    """Return ``m = max(x, 0)``, and times ``exp(-m)`` the functions of `_below_fair`: exp, phi and chi.

    ``phi(x) = (exp(x) - 1) / x`` and ``chi(x) = (exp(x) - 1 - x) / x^2``, by their series near 0.
    """
    shift = max(x, 0.0)
    unit, power = math.exp(-shift), math.exp(x - shift)
    if abs(x) < 1e-2:
        phi = 1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0))))
        chi = 0.5 + x / 6.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0 * (1.0 + x / 6.0 * (1.0 + x / 7.0))))
        return shift, power, phi * unit, chi * unit
    return shift, power, (power - unit) / x, (power - (1.0 + x) * unit) / x / x
