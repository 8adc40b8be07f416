"""How likely a cross-margin account is to owe more than its collateral counts for.

The methods, at the horizon:

- ``auto``: exact up to two risk factors, else line sampling (`bot.domain.risk._lines`); error below 1 % for
  every random portfolio tried with probabilities from 1e-3 to 0.5. Deterministic; some 0.2 ms an account.
- ``exact``: up to two assets, by closed form or quadrature, to 1e-10.
- ``lognormal``: Fenton and Wilkinson's single lognormal; ``cornish_fisher``: four exact moments. Fast, and
  good to a few per cent for short horizons only.
- ``form``: ``Phi(-beta)``, beta the distance of the nearest failure in standard deviations. Never too low for
  an account that the median leaves solvent, as the failure set is convex.
- ``monte_carlo``: antithetic samples; standard error at most ``sqrt(p (1 - p) / paths)``.

At any time up to it: one asset is `first_passage` exactly, and all that ``exact`` takes. Otherwise the
probability at the horizon is divided by that of still being below at the horizon after a touch, both by the
same method; with ``auto`` the error is below 2 % for every random portfolio tried. ``monte_carlo`` simulates
paths.
"""

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from scipy.special import ndtr, ndtri

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, FloatArray
from bot.domain.risk import _basket, _lines, _moments, _simulation
from bot.domain.risk._barrier import touch_probability
from bot.domain.risk._basket import Given
from bot.errors import InvalidInputError

Method = Literal["auto", "exact", "lognormal", "cornish_fisher", "form", "monte_carlo"]
When = Literal["horizon", "any"]


@np.errstate(all="ignore")
def portfolio_insolvency(
    weighted_values: ArrayLike,
    debt: ArrayLike,
    volatilities: ArrayLike,
    correlation: ArrayLike,
    horizon: ArrayLike,
    method: Method = "auto",
    at: When = "horizon",
    *,
    paths: int = 200_000,
    seed: int = 0,
) -> float | FloatArray:
    """Probability that a basket of collateral is worth less than its debt.

    ``P(sum_i weighted_values_i exp(s_i Z_i - s_i² / 2) < debt)`` with ``s_i = volatilities_i sqrt(horizon)``
    and Z jointly normal: every price a martingale. With values weighted by liquidation thresholds this is the
    probability of a health factor below 1, with plain values that of insolvency.

    Parameters
    ----------
    weighted_values : (n,) or (..., n) array
        Values of the collaterals, each at least 0, the leading axes being accounts.
    debt : float or (...) array
        Debt in the unit of account. It does not move: take a volatile debt as the unit, with volatilities and
        correlations of the prices in it, or `first_passage_two_assets` for a single collateral.
    volatilities : (n,) array
        Of the log prices, annualised; 0 for cash.
    correlation : (n, n) array
        Of the log prices; singular is allowed.
    horizon : float
        Seconds.
    method : {"auto", "exact", "lognormal", "cornish_fisher", "form", "monte_carlo"}
    at : {"horizon", "any"}
        Below the debt at the horizon, or at any time up to it.
    paths, seed : int
        Of method ``monte_carlo`` alone.

    Returns
    -------
    float or (...) array
        In [0, 1].

    Raises
    ------
    InvalidInputError
        If a value, debt, volatility or the horizon is negative or not finite, shapes disagree, method or
        ``at`` is unknown, or ``exact`` is asked for more than it can do.
    CorrelationError
        If ``correlation`` is not a correlation matrix.

    Notes
    -----
    The module describes the methods. An empty basket is worth nothing: 1 where there is debt. An account
    without debt never fails. Equality is solvency at the horizon, and a touch at any time.
    """
    _choice("method", method, get_args(Method))
    _choice("at", at, get_args(When))
    valid.whole_number("paths", paths, minimum=2)
    book = _basket.given(weighted_values, debt, volatilities, correlation, horizon)
    if method == "exact":
        _check_exact(book, at)

    def probability(part: Given) -> FloatArray:
        if method == "monte_carlo":
            simulate = _simulation.ends_below if at == "horizon" else _simulation.falls_below
            return simulate(_basket.basket(part), paths, seed)
        return _ends_below(part, method) if at == "horizon" else _falls_below(part, method)

    return valid.unwrap(_solved(book, at, probability).reshape(book.shape))


def _solved(book: Given, at: When, probability: Callable[[Given], FloatArray]) -> FloatArray:
    """Return the probability of each account: by the rule where it is certain, else as computed."""
    netted = _basket.net(book)
    result, uncertain = _basket.certain(netted)
    if at == "any":
        touched = (netted.values.sum(axis=1) <= netted.debt) & (book.debt > 0.0)
        result[touched] = 1.0
        uncertain &= ~touched
    if uncertain.any():
        result[uncertain] = probability(_basket.select(netted, uncertain))
    return result


def _choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise InvalidInputError(name, value, "one of " + ", ".join(allowed))


def _check_exact(book: Given, at: str) -> None:
    most = 2 if at == "horizon" else 1
    assets = book.volatilities.size
    if assets > most:
        raise InvalidInputError(
            "method", "exact", f"another one for {assets} assets (exact takes {most} at {at!r})"
        )


def _ends_below(book: Given, method: Method) -> FloatArray:
    if method == "lognormal":
        return _moments.lognormal(book)
    if method == "cornish_fisher":
        return _moments.cornish_fisher(book)
    assets = _basket.basket(book)
    if method == "form":
        return np.asarray(ndtr(-_lines.design(assets).distance), dtype=np.float64)
    return np.clip(_lines.lines(assets).probability, 0.0, 1.0)


@np.errstate(all="ignore")
def _falls_below(book: Given, method: Method) -> FloatArray:
    """Probability of a touch: that of ending below, over that of ending below after a touch.

    The times of touch are those of the one lognormal that ends below with the same probability; the chance of
    still being below at the end is a quadratic in the root of the time left, through 1/2 at none and two
    times between.
    """
    distance = np.log(book.values.sum(axis=1)) - np.log(book.debt)
    if book.volatilities.size == 1:
        s = np.broadcast_to(book.deviations, distance.shape)
        return touch_probability(distance, -0.5 * np.square(s), s)
    ending = _ends_below(book, method)
    first, second = _root_moments(distance, _implied_deviation(distance, ending))
    late, early = (_stays_below(book, method, left) for left in _TIMES_LEFT)
    y, z = np.sqrt(_TIMES_LEFT)
    curve = ((early - 0.5) / z - (late - 0.5) / y) / (z - y)
    staying = 0.5 + ((late - 0.5) / y - curve * y) * first + curve * second
    return np.clip(np.where(ending > 0.0, ending / staying, 0.0), ending, 1.0)


_TIMES_LEFT = (0.25, 0.75)
"""Shares of the horizon left after a touch at which the chance of staying below is computed."""


def _implied_deviation(distance: FloatArray, ending: FloatArray) -> FloatArray:
    """Deviation s of the lognormal that ends below with the given probability: ``Phi(-b/s + s/2) = p``."""
    q = ndtri(np.clip(ending, 1e-300, 1.0 - 1e-16))
    root = np.sqrt(np.square(q) + 2.0 * distance)
    # The same root without cancellation, for quantiles far below zero.
    return np.asarray(
        np.where(q < 0.0, 2.0 * distance / (root - np.minimum(q, 0.0)), q + root), dtype=np.float64
    )


def _root_moments(distance: FloatArray, deviation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean root of the share of time left after a touch, and mean share, given that there is one."""
    edges = np.linspace(0.0, 1.0, 65)[1:]
    s = deviation[:, None] * np.sqrt(edges)
    b = np.broadcast_to(distance[:, None], s.shape)
    reached = touch_probability(b.reshape(-1), -0.5 * np.square(s).reshape(-1), s.reshape(-1)).reshape(
        s.shape
    )
    share = np.nan_to_num(np.diff(reached, axis=1, prepend=0.0) / reached[:, -1:])
    left = 1.0 - edges + 0.5 * edges[0]
    return share @ np.sqrt(left), share @ left


def _stays_below(book: Given, method: Method, left: float) -> FloatArray:
    """Probability of ending below after a touch with a share of the horizon left.

    The basket is then worth the debt, and made up as at the most likely touch at that time.
    """
    assets = _basket.basket(book._replace(period=book.period * (1.0 - left)))
    nearest = _lines.design(assets)
    reach = np.where(np.isfinite(nearest.distance), nearest.distance, 0.0)
    exponents = assets.logs + (nearest.direction * reach[:, None]) @ assets.loadings.T
    made_up = np.exp(exponents - exponents.max(axis=1, keepdims=True))
    values = made_up * (book.debt / made_up.sum(axis=1))[:, None]
    return _ends_below(book._replace(values=values, period=book.period * left), method)
