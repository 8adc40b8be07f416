"""How likely a health ratio is to touch its barrier, and how far away it is."""

import numpy as np

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, FloatArray
from bot.domain.risk import _units as units
from bot.domain.risk._barrier import touch_probability
from bot.domain.risk._monitored import monitored_probability
from bot.errors import CorrelationError

_DENSE = 1e12
"""Dates beyond which looking at them and looking always agree to a millionth."""


def first_passage(
    ratio: ArrayLike,
    volatility: ArrayLike,
    horizon: ArrayLike,
    drift: ArrayLike = 0.0,
    check_interval: ArrayLike | None = None,
) -> float | FloatArray:
    """Probability that ``ratio`` touches 1 within the horizon, as a geometric Brownian motion.

    With ``b = ln(ratio)``, ``T`` the horizon in years, ``nu = drift - volatility² / 2`` and ``s = volatility
    sqrt(T)``, ``P = Phi((-b - nu T) / s) + exp(-2 nu b / volatility²) Phi((-b + nu T) / s)``.

    Parameters
    ----------
    ratio : float or array
        Assets over the barrier, such as a health factor; infinite for an account without debt.
    volatility : float or array
        Of the logarithm of the ratio, annualised on a 365-day year.
    horizon : float or array
        Seconds.
    drift : float or array
        Arithmetic drift ``mu`` of the ratio a year; its logarithm drifts at ``nu``.
    check_interval : float or array, optional
        Seconds between looks. The ratio is then seen only at the whole multiples of it up to the horizon, and
        not at 0, so a ratio below 1 may recover before anybody looks. Without it the ratio is seen always.

    Returns
    -------
    float or array
        In [0, 1], of the common shape of the arguments. 1 where ``ratio <= 1``, unless ``check_interval`` is
        given.

    Raises
    ------
    InvalidInputError
        If a ratio is negative or NaN, a volatility or horizon is negative or not finite, a drift is not
        finite, an interval is not positive, or the shapes do not broadcast.

    Notes
    -----
    Source: Harrison, Brownian Motion and Stochastic Flow Systems, 1985, section 1.8. Limits are exact: no
    volatility means a straight path, no horizon means that only ``ratio <= 1`` counts, and a horizon shorter
    than ``check_interval`` means 0. Relative error below 1e-12 down to the smallest floats. With
    ``check_interval`` the error is below 0.5 % (`bot.domain.risk._monitored` gives the method and the
    measurements).
    """
    given = {
        "ratio": units.ratio("ratio", ratio),
        "volatility": valid.non_negative("volatility", volatility),
        "horizon": valid.non_negative("horizon", horizon),
        "drift": valid.finite("drift", drift),
    }
    if check_interval is not None:
        given["check_interval"] = valid.positive("check_interval", check_interval)
        return valid.unwrap(_monitored(*valid.broadcast(**given)))
    shape = valid.broadcast(**given)[0].shape
    return valid.unwrap(_continuous(shape, *given.values()))


def _continuous(
    shape: tuple[int, ...], ratio: FloatArray, volatility: FloatArray, horizon: FloatArray, drift: FloatArray
) -> FloatArray:
    period = units.years(horizon)
    deviation = units.deviation(volatility, period)
    with np.errstate(all="ignore"):
        displacement = drift * period - 0.5 * np.square(deviation)
    return _touch(shape, units.log_ratio(ratio), displacement, deviation)


def _touch(
    shape: tuple[int, ...], distance: FloatArray, drift: FloatArray, deviation: FloatArray
) -> FloatArray:
    flat = [_flat(value, shape) for value in (drift, deviation)]
    full = np.broadcast_to(distance, shape).reshape(-1)
    return touch_probability(full, *flat).reshape(shape)


def _flat(value: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """One axis; a single value stays single, so that the screen does not copy it a million times."""
    return value.reshape(1) if value.size == 1 else np.broadcast_to(value, shape).reshape(-1)


def _monitored(
    ratio: FloatArray, volatility: FloatArray, horizon: FloatArray, drift: FloatArray, interval: FloatArray
) -> FloatArray:
    step = units.years(interval)
    deviation = units.deviation(volatility, step)
    with np.errstate(all="ignore"):
        displacement = drift * step - 0.5 * np.square(deviation)
        # A horizon that is a whole number of intervals but for rounding has that many dates.
        dates = np.floor(horizon / interval * (1.0 + 1e-12))
    flat = [x.reshape(-1) for x in (units.log_ratio(ratio), displacement, deviation, dates)]
    seen = monitored_probability(*flat).reshape(ratio.shape)
    dense = dates > _DENSE
    return (
        np.where(dense, _continuous(ratio.shape, ratio, volatility, horizon, drift), seen)
        if dense.any()
        else seen
    )


def first_passage_two_assets(
    ratio: ArrayLike,
    volatility_collateral: ArrayLike,
    volatility_debt: ArrayLike,
    correlation: ArrayLike,
    horizon: ArrayLike,
) -> float | FloatArray:
    """Probability that collateral over a volatile debt touches 1 within the horizon.

    Both prices are martingales, so the ratio is a geometric Brownian motion of variance ``s1² + s2² - 2 rho
    s1 s2`` a year whose logarithm drifts at ``(s2² - s1²) / 2``: at that, not at minus half its own variance,
    because the ratio of two martingales is not one.

    Parameters
    ----------
    ratio : float or array
        Collateral over debt at the barrier, such as a health factor.
    volatility_collateral, volatility_debt : float or array
        Of the two log prices, annualised.
    correlation : float or array
        Of the two log prices, in [-1, 1].
    horizon : float or array
        Seconds.

    Returns
    -------
    float or array
        In [0, 1]; 1 where ``ratio <= 1``.

    Raises
    ------
    InvalidInputError
        As `first_passage`, or if a correlation is not finite.
    CorrelationError
        If a correlation leaves [-1, 1].
    """
    given = {
        "ratio": units.ratio("ratio", ratio),
        "volatility_collateral": valid.non_negative("volatility_collateral", volatility_collateral),
        "volatility_debt": valid.non_negative("volatility_debt", volatility_debt),
        "correlation": _correlation(correlation),
        "horizon": valid.non_negative("horizon", horizon),
    }
    ratio, first, second, rho, seconds = valid.broadcast(**given)
    period = units.years(seconds)
    s1, s2 = units.deviation(first, period), units.deviation(second, period)
    # The sum of squares, unlike s1² + s2² - 2 rho s1 s2, does not lose the digits of near-equal volatilities.
    variance = np.square(s1 - s2) + 2.0 * (1.0 - rho) * s1 * s2
    displacement = 0.5 * (s2 - s1) * (s2 + s1)
    return valid.unwrap(_touch(ratio.shape, units.log_ratio(ratio), displacement, np.sqrt(variance)))


def _correlation(value: ArrayLike) -> FloatArray:
    rho = valid.finite("correlation", value)
    if rho.size and float(np.abs(rho).max()) > 1.0:
        worst = float(rho.reshape(-1)[np.abs(rho).argmax()])
        raise CorrelationError(f"correlation must lie in [-1, 1], got {worst!r}")
    return rho


def distance_to_default(health: ArrayLike, volatility: ArrayLike, horizon: ArrayLike) -> float | FloatArray:
    """Count the standard deviations from a health factor to 1: ``ln(health) / (volatility sqrt(horizon))``.

    Parameters
    ----------
    health : float or array
        Health factor, at least 0; infinite for an account without debt.
    volatility : float or array
        Of the log health factor, annualised.
    horizon : float or array
        Seconds.

    Returns
    -------
    float or array
        Negative below health 1. Where nothing moves (no volatility or no horizon) it is infinite, with the
        sign of ``health - 1``, and 0 at exactly 1.

    Raises
    ------
    InvalidInputError
        If an argument is NaN or negative, or a volatility or horizon is infinite.

    Notes
    -----
    The distance of Merton's model (Journal of Finance 29, 1974) without its drift term, as the protection
    trigger uses it (docs/mechanism.md).
    """
    given, sigma, seconds = valid.broadcast(
        health=units.ratio("health", health),
        volatility=valid.non_negative("volatility", volatility),
        horizon=valid.non_negative("horizon", horizon),
    )
    distance = units.log_ratio(given)
    with np.errstate(all="ignore"):
        scaled = distance / units.deviation(sigma, units.years(seconds))
    return valid.unwrap(np.where(distance == 0.0, 0.0, scaled))
