"""A heterogeneous autoregression of log variances, fitted once on many series and applied to all."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, FloatArray
from bot.errors import InvalidInputError


class LogHar(NamedTuple):
    """A fitted model; made by `fit_log_har`."""

    spans: tuple[int, ...]
    """Bars of each trailing mean."""
    ahead: int
    """Bars of the forecast."""
    coefficients: FloatArray
    """(1 + spans,), the constant first."""
    smear: float
    """Mean of variances over that of their fits: the exponential of a mean logarithm is too low."""
    floor: float
    """Added to every variance before its logarithm, so that a bar without trades counts."""

    def forecast(self, variances: ArrayLike) -> FloatArray:
        """Forecast the mean variance per bar of the next ``ahead`` bars, at the end of every bar.

        Parameters
        ----------
        variances : (n,) array
            Variances of consecutive bars, oldest first, at least 0. Where fewer bars than a span are past,
            its mean is that of those there are.

        Returns
        -------
        (n,) array
            Positive; entry i uses bars 0 to i alone.

        Raises
        ------
        InvalidInputError
            If a variance is negative or not finite, or there is none.
        """
        given = valid.vector("variances", valid.non_negative("variances", variances))
        with np.errstate(all="ignore"):
            fitted = np.exp(_design(given, self.spans, self.floor) @ self.coefficients)
        return np.asarray(self.smear * fitted, dtype=np.float64)


def fit_log_har(
    series: Sequence[ArrayLike], spans: Sequence[int], ahead: int, floor_share: float = 1e-4
) -> LogHar:
    """Fit ``ln V(t+1..t+ahead) = c + sum over spans of b_k ln(mean V of the last k bars)`` by least squares.

    Parameters
    ----------
    series : sequence of arrays
        Variances of consecutive bars, one array per asset or stretch without gaps, such as each bar's
        Parkinson variance. They share the coefficients, which is right for variances of assets that move
        alike.
    spans : sequence of int
        Bars of each trailing mean, increasing.
    ahead : int
        Bars of the forecast.
    floor_share : float
        Share of the mean variance that is added to every one before its logarithm. More where bars without
        any move are common, as in a feed that publishes on moves: they lie far below all others else.

    Returns
    -------
    LogHar

    Raises
    ------
    InvalidInputError
        If a variance is negative or not finite, spans do not increase, or there are fewer outcomes than twice
        the coefficients, or the share is not positive.

    Notes
    -----
    Source: Corsi, Journal of Financial Econometrics 7, 2009, in logarithms; the mean is restored by Duan's
    smearing, Journal of the American Statistical Association 78, 1983.
    """
    lags = tuple(valid.whole_number("spans", span) for span in spans)
    if not lags or list(lags) != sorted(set(lags)):
        raise InvalidInputError("spans", tuple(spans), "increasing whole numbers")
    valid.whole_number("ahead", ahead)
    share = valid.scalar("floor_share", valid.positive("floor_share", floor_share))
    stretches = [valid.vector("series", valid.non_negative("series", one), minimum=0) for one in series]
    usable = [one for one in stretches if one.size > ahead]
    outcomes = [_next_means(one, ahead) for one in usable]
    count = sum(one.size for one in outcomes)
    if count < 2 * (len(lags) + 1):
        raise InvalidInputError("series", count, f"long enough for {2 * (len(lags) + 1)} outcomes")
    happened = np.concatenate(outcomes)
    floor = share * float(happened.mean()) or 1e-300
    design = np.concatenate([_design(one, lags, floor)[: one.size - ahead] for one in usable])
    coefficients = np.linalg.lstsq(design, np.log(happened + floor), rcond=None)[0]
    smear = float(happened.mean() + floor) / float(np.mean(np.exp(design @ coefficients)))
    return LogHar(lags, int(ahead), coefficients, smear, floor)


def _design(variances: FloatArray, spans: Sequence[int], floor: float) -> FloatArray:
    sums = np.concatenate([[0.0], np.cumsum(variances)])
    ends = np.arange(1, variances.size + 1)
    columns = [np.ones(variances.size)]
    for span in spans:
        starts = np.maximum(ends - span, 0)
        # A running sum may end below an earlier one by a rounding.
        means = np.maximum(sums[ends] - sums[starts], 0.0) / (ends - starts)
        columns.append(np.log(means + floor))
    return np.column_stack(columns)


def _next_means(variances: FloatArray, ahead: int) -> FloatArray:
    sums = np.concatenate([[0.0], np.cumsum(variances)])
    return np.asarray(np.maximum(sums[ahead + 1 :] - sums[1:-ahead], 0.0) / ahead, dtype=np.float64)
