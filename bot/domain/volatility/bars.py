"""Variance per bar from opening, highest, lowest and closing prices.

With o, h, l, c the logarithms of the four prices of a bar, and d the one before. All five estimators take the
same arguments: one-dimensional arrays of equal length, oldest first, positive, with each high at least and
each low at most the open and the close. All raise `InvalidInputError` otherwise, or for too few bars, and all
return 0 for prices that never move.
"""

import math
from typing import NamedTuple

import numpy as np

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, BoolArray, FloatArray
from bot.errors import InvalidInputError


class _Logs(NamedTuple):
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray


def close_to_close(open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> float:
    """Sample variance, with one degree of freedom less than returns, of the log returns from close to close.

    Parameters
    ----------
    open_, high, low, close : (n,) arrays
        Prices of at least three bars; only the closes count.

    Returns
    -------
    float
        Variance per bar; the mean return is taken out.

    Raises
    ------
    InvalidInputError
        As the module describes.
    """
    logs = _logs(open_, high, low, close, minimum=3)
    return float(np.var(np.diff(logs.close), ddof=1))


def parkinson(open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> float:
    """Mean over the bars of ``(h - l)² / (4 ln 2)``.

    Parameters
    ----------
    open_, high, low, close : (n,) arrays
        Prices of at least one bar; only the highs and lows count.

    Returns
    -------
    float
        Variance per bar, without drift and without what happens between bars.

    Raises
    ------
    InvalidInputError
        As the module describes.

    Notes
    -----
    Source: Parkinson, Journal of Business 53, 1980. A fifth of the sampling variance of close to close.
    """
    logs = _logs(open_, high, low, close)
    return float(np.mean(np.square(logs.high - logs.low)) / (4.0 * math.log(2.0)))


def garman_klass(open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> float:
    """Mean over the bars of ``(h - l)² / 2 - (2 ln 2 - 1) (c - o)²``.

    Parameters
    ----------
    open_, high, low, close : (n,) arrays
        Prices of at least one bar.

    Returns
    -------
    float
        Variance per bar, without drift and without what happens between bars. Never negative, as
        ``|c - o| <= h - l``.

    Raises
    ------
    InvalidInputError
        As the module describes.

    Notes
    -----
    Source: Garman and Klass, Journal of Business 53, 1980, the practical estimator.
    """
    logs = _logs(open_, high, low, close)
    body = (2.0 * math.log(2.0) - 1.0) * np.square(logs.close - logs.open)
    return float(np.mean(0.5 * np.square(logs.high - logs.low) - body))


def rogers_satchell(open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> float:
    """Mean over the bars of ``(h - c) (h - o) + (l - c) (l - o)``.

    Parameters
    ----------
    open_, high, low, close : (n,) arrays
        Prices of at least one bar.

    Returns
    -------
    float
        Variance per bar, whatever the drift, without what happens between bars. A bar that only rises or
        falls counts as drift alone, 0.

    Raises
    ------
    InvalidInputError
        As the module describes.

    Notes
    -----
    Source: Rogers and Satchell, Annals of Applied Probability 1, 1991.
    """
    return float(np.mean(_rogers_satchell(_logs(open_, high, low, close))))


def yang_zhang(open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> float:
    """Variance of the gaps between bars, plus a weighted mean of that within and of Rogers and Satchell's.

    Over bars 2 to n, m = n - 1 of them: ``Var(o - d) + k Var(c - o) + (1 - k) mean(rogers_satchell)`` with
    ``k = 0.34 / (1.34 + (m + 1) / (m - 1))``, both variances with one degree of freedom less.

    Parameters
    ----------
    open_, high, low, close : (n,) arrays
        Prices of at least three bars.

    Returns
    -------
    float
        Variance per bar, whatever the drift, gaps included.

    Raises
    ------
    InvalidInputError
        As the module describes.

    Notes
    -----
    Source: Yang and Zhang, Journal of Business 73, 2000.
    """
    logs = _logs(open_, high, low, close, minimum=3)
    later = _Logs(*(prices[1:] for prices in logs))
    bars = later.close.size
    gaps = np.var(later.open - logs.close[:-1], ddof=1)
    bodies = np.var(later.close - later.open, ddof=1)
    k = 0.34 / (1.34 + (bars + 1.0) / (bars - 1.0))
    return float(gaps + k * bodies + (1.0 - k) * np.mean(_rogers_satchell(later)))


def _rogers_satchell(logs: _Logs) -> FloatArray:
    above = (logs.high - logs.close) * (logs.high - logs.open)
    return np.asarray(above + (logs.low - logs.close) * (logs.low - logs.open), dtype=np.float64)


def _logs(open_: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, minimum: int = 1) -> _Logs:
    given = {"open_": open_, "high": high, "low": low, "close": close}
    prices = {name: valid.positive(name, value) for name, value in given.items()}
    length = valid.vector("open_", prices["open_"], minimum=minimum).size
    for name, value in prices.items():
        valid.vector(name, value, length)
    top = np.maximum(prices["open_"], prices["close"])
    bottom = np.minimum(prices["open_"], prices["close"])
    _ordered("high", prices["high"], prices["high"] >= top, "at least the open and the close")
    _ordered("low", prices["low"], prices["low"] <= bottom, "at most the open and the close")
    return _Logs(*(np.log(value) for value in prices.values()))


def _ordered(name: str, prices: FloatArray, good: BoolArray, requirement: str) -> None:
    if not good.all():
        bar = int(np.argmin(good))
        raise InvalidInputError(name, float(prices[bar]), f"{requirement} of its bar (element {bar})")
