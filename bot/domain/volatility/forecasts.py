"""Forecasts of the next period's variance."""

import itertools
import warnings
from collections.abc import Sequence

import numpy as np

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, FloatArray
from bot.errors import InvalidInputError


def har_rv(realised_variances: ArrayLike, lags: Sequence[int] = (1, 7, 30)) -> float:
    """Forecast the next realised variance from its means over several pasts.

    ``RV(t+1) = c + sum over lags of b_k mean(RV over the last lag_k periods)``, by ordinary least squares
    over the whole series: heterogeneous autoregression.

    Parameters
    ----------
    realised_variances : (n,) array
        Realised variances of equal periods, oldest first, at least 0: such as a day's sum of squared 5-minute
        returns, or an estimate of `parkinson` for each period.
    lags : sequence of int
        Periods of each mean, increasing; by default a day, a week and a month of a market that never closes.

    Returns
    -------
    float
        Variance of the next period, held between the smallest and the largest of the series, so that a
        regression never forecasts what nobody has seen.

    Raises
    ------
    InvalidInputError
        If a variance is negative or not finite, the lags do not increase, or the series is shorter than the
        longest lag and twice the number of coefficients.

    Notes
    -----
    Source: Corsi, Journal of Financial Econometrics 7, 2009.
    """
    series = valid.vector("realised_variances", valid.non_negative("realised_variances", realised_variances))
    spans = [valid.whole_number("lags", lag) for lag in lags]
    if not spans or any(later <= earlier for earlier, later in itertools.pairwise(spans)):
        raise InvalidInputError("lags", tuple(lags), "increasing whole numbers")
    needed = spans[-1] + 2 * (len(spans) + 1)
    valid.vector("realised_variances", series, minimum=needed)
    scale = float(series.mean())
    if scale <= 0.0:
        return 0.0
    means = _means(series / scale, spans)
    design = np.column_stack([np.ones(len(means)), means])
    coefficients = np.linalg.lstsq(design[:-1], series[spans[-1] :] / scale, rcond=None)[0]
    forecast = float(design[-1] @ coefficients) * scale
    return float(np.clip(forecast, series.min(), series.max()))


def _means(series: FloatArray, spans: list[int]) -> FloatArray:
    """Trailing means over each span, one row per period from the longest span on."""
    sums = np.concatenate([[0.0], np.cumsum(series)])
    ends = np.arange(spans[-1], series.size + 1)
    return np.column_stack([(sums[ends] - sums[ends - span]) / span for span in spans])


def garch(returns: ArrayLike) -> float:
    """Forecast the next period's variance by a GARCH(1, 1) of mean zero, fitted by maximum likelihood.

    ``v = omega + alpha r² + beta v``, normal innovations.

    Parameters
    ----------
    returns : (n,) array
        Log returns over equal periods, oldest first, at least 50.

    Returns
    -------
    float
        Variance of the next period; 0 for prices that never moved.

    Raises
    ------
    InvalidInputError
        If a return is not finite, or there are too few.

    Notes
    -----
    Source: Bollerslev, Journal of Econometrics 31, 1986; fitted by the arch package, on returns scaled to
    unit variance, as its optimiser wants them. Where the optimiser does not converge its last step counts.
    """
    moves = valid.vector("returns", valid.finite("returns", returns), minimum=50)
    largest = float(np.abs(moves).max())
    if largest == 0.0:
        return 0.0
    scale = largest * float(np.sqrt(np.mean(np.square(moves / largest))))
    # Imported here: the package and its own take seconds, and nobody else needs them.
    from arch.univariate import GARCH, Normal, ZeroMean

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model = ZeroMean(moves / scale, volatility=GARCH(1, 0, 1), distribution=Normal(), rescale=False)
        fitted = model.fit(disp="off", show_warning=False)
        forecast = fitted.forecast(horizon=1, reindex=False).variance.to_numpy()
    return float(forecast[-1, 0]) * scale * scale
