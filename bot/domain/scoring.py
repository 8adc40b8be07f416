"""How good forecasts of probabilities and variances turned out. Natural logarithms throughout."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, ndtr, xlog1py, xlogy

from bot.domain._validation import (
    ArrayLike,
    FloatArray,
    check,
    finite,
    fraction,
    non_negative,
    positive,
    scalar,
    vector,
    whole_number,
)
from bot.errors import InvalidInputError

MOST_BINS = 1_000_000
"""Largest number of bins of a calibration error."""


class Significance(NamedTuple):
    """Statistic of a test, and the probability of one as extreme if the hypothesis holds."""

    statistic: float
    p_value: float


def brier(p: ArrayLike, y: ArrayLike) -> float:
    """Brier score: mean of ``(p - y)^2``; 0 is perfect, lower is better.

    Parameters
    ----------
    p : (n,) array
        Forecast probabilities, in [0, 1].
    y : (n,) array
        Outcomes, 0 or 1 (or false and true).

    Raises
    ------
    InvalidInputError
        If a probability leaves [0, 1], an outcome is neither 0 nor 1, or the arrays are empty or differ in
        length.
    """
    forecast, outcome = _forecasts(p, y)
    return float(np.mean((forecast - outcome) ** 2))


def log_loss(p: ArrayLike, y: ArrayLike) -> float:
    """Mean of minus the logarithm of the probability given to what happened; lower is better.

    Parameters
    ----------
    p, y
        As for `brier`.

    Returns
    -------
    float
        Nothing is clipped: infinite if something called impossible happened.

    Raises
    ------
    InvalidInputError
        As for `brier`.
    """
    forecast, outcome = _forecasts(p, y)
    with np.errstate(all="ignore"):
        likelihood = xlogy(outcome, forecast) + xlog1py(1.0 - outcome, -forecast)
    # Adding zero turns the negative zero of a perfect forecast into zero.
    return float(-np.mean(likelihood)) + 0.0


def expected_calibration_error(p: ArrayLike, y: ArrayLike, bins: int) -> float:
    """Mean distance between forecast and frequency, over equal-width bins of the forecast weighted by size.

    Parameters
    ----------
    p, y
        As for `brier`.
    bins : int
        Number of bins on [0, 1], from 1 to `MOST_BINS`. Each holds its lower edge, the last also 1.

    Returns
    -------
    float
        ``sum over bins of |mean p - mean y| * share of forecasts in the bin``; empty bins count nothing.

    Raises
    ------
    InvalidInputError
        As for `brier`, or if ``bins`` is not a whole number in its range.
    """
    forecast, outcome = _forecasts(p, y)
    count = whole_number("bins", bins, maximum=MOST_BINS)
    # Compared with the edges themselves: a product p * bins may round across one.
    index = np.searchsorted(np.arange(1, count) / count, forecast, side="right")
    return float(np.abs(np.bincount(index, weights=forecast - outcome)).sum() / forecast.size)


def qlike(forecast: ArrayLike, realised: ArrayLike) -> float:
    """Quasi-likelihood loss of variance forecasts: mean of ``r/f - ln(r/f) - 1``; 0 is perfect.

    Parameters
    ----------
    forecast : (n,) array
        Forecast variances; above 0.
    realised : (n,) array
        Realised variances; at least 0.

    Returns
    -------
    float
        Infinite if a realised variance is zero, the limit.

    Raises
    ------
    InvalidInputError
        If a value is NaN, infinite or outside its range, or the arrays are empty or differ in length.
    """
    expected = vector("forecast", positive("forecast", forecast))
    happened = vector("realised", non_negative("realised", realised), length=expected.size)
    with np.errstate(all="ignore"):
        # Near 1 the loss is quadratic in the excess; the logarithm of 1 + excess keeps its digits.
        excess = (happened - expected) / expected
        loss = np.where(np.isinf(excess), np.inf, excess - np.log1p(excess))
        return float(np.mean(loss))


def kupiec(observations: int, exceptions: int, probability: float) -> Significance:
    """Kupiec's proportion-of-failures test of whether exceptions come with the probability claimed.

    The statistic is twice the logarithm of the likelihood ratio of the observed frequency over the claimed
    probability, chi-squared with one degree of freedom if the claim holds.

    Parameters
    ----------
    observations : int
        Number of trials; at least 1.
    exceptions : int
        Number of them that failed, from 0 to ``observations``.
    probability : float
        Probability of failure claimed, in [0, 1].

    Returns
    -------
    Significance
        ``statistic, p_value``. Infinite with p-value 0 if the impossible happened.

    Raises
    ------
    InvalidInputError
        If a count is not whole or outside its range, or the probability is not in [0, 1].
    """
    trials = whole_number("observations", observations)
    failures = whole_number("exceptions", exceptions, minimum=0, maximum=trials)
    claimed = scalar("probability", fraction("probability", probability))
    size = scalar("observations", finite("observations", trials))
    share, rest = failures / trials, (trials - failures) / trials
    # One excess for both terms: where it is small they cancel to its square.
    excess = share - claimed
    with np.errstate(all="ignore"):
        divergence = _information(share, claimed, excess) + _information(rest, 1.0 - claimed, -excess)
        statistic = max(float(2.0 * size * divergence), 0.0)
    return Significance(statistic, float(chdtrc(1.0, statistic)))


def _information(share: float, claimed: float, excess: float) -> float:
    """Return ``share ln(share / claimed)``, where ``excess = share - claimed``."""
    if share == 0.0:
        return 0.0
    if abs(excess) < 0.5 * claimed:
        return share * math.log1p(excess / claimed)
    return share * (math.log(share) - float(np.log(claimed)))


def diebold_mariano(first: ArrayLike, second: ArrayLike, lags: int | None = None) -> Significance:
    """Diebold and Mariano's test of whether two forecasts lose the same on average.

    The mean difference of losses over its standard error, which allows for autocorrelation up to ``lags``
    (Newey and West, Bartlett weights) and is normal if the forecasts are equally good.

    Parameters
    ----------
    first, second : (n,) array
        Losses of the two forecasts at the same times, in order; n at least 2.
    lags : int, optional
        Autocovariances counted, from 0 to n - 1; for forecasts ``h`` steps ahead at least ``h - 1``. By
        default ``floor(4 (n / 100)^(2/9))``, at most n - 1.

    Returns
    -------
    Significance
        ``statistic, p_value``, two-sided; a negative statistic favours the first. Where the difference never
        varies: 0 and 1 if it is zero, else infinite and 0.

    Raises
    ------
    InvalidInputError
        If a loss is NaN or infinite, there are fewer than 2, or the lengths differ.
    """
    one = vector("first", finite("first", first), minimum=2)
    other = vector("second", finite("second", second), length=one.size)
    most = one.size - 1
    default = min(int(4.0 * (one.size / 100.0) ** (2.0 / 9.0)), most)
    count = default if lags is None else whole_number("lags", lags, minimum=0, maximum=most)
    with np.errstate(all="ignore"):
        difference = one - other
        scale = float(np.abs(difference).max())
    if not math.isfinite(scale):
        raise InvalidInputError("first", float(np.abs(one).max()), "small enough for a finite difference")
    if scale == 0.0:
        return Significance(0.0, 1.0)
    # Scaled to size 1: the squares of very large or small losses leave the range of a float.
    return _mean_over_error(difference / scale, count)


def _mean_over_error(difference: FloatArray, lags: int) -> Significance:
    """Test whether the mean of a series is zero, with a Newey-West standard error."""
    mean = float(difference.mean())
    if np.ptp(difference) == 0.0:
        return Significance(math.copysign(math.inf, mean), 0.0)
    centred = difference - mean
    variance = float(centred @ centred)
    for lag in range(1, lags + 1):
        weight = 1.0 - lag / (lags + 1.0)
        variance += 2.0 * weight * float(centred[lag:] @ centred[:-lag])
    size = difference.size
    error = math.sqrt(max(variance, 0.0)) / size
    statistic = mean / error if error > 0.0 else math.copysign(math.inf, mean)
    return Significance(statistic, float(2.0 * ndtr(-abs(statistic))))


def _forecasts(p: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    forecast = vector("p", fraction("p", p))
    outcome = check("y", y, lambda x: (x == 0.0) | (x == 1.0), "0 or 1")
    return forecast, vector("y", outcome, length=forecast.size)
