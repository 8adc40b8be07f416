"""Models that the shipped ones have to beat, besides a plain EWMA: GARCH volatilities, and Kou's jumps."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from benchmarks.calibration.data import DAY, FloatArray
from bot.domain.risk import first_passage_jumps

YEAR = 365.0 * DAY
JUMP = 4.0
"""Standardised return from which a bar counts as a jump."""

LONGEST = 8_760
FEWEST = 500


class GarchFit(NamedTuple):
    """Parameters of a GARCH(1, 1)."""

    omega: float
    alpha: float
    beta: float

    def mean_ahead(self, squares: FloatArray, ahead: int) -> FloatArray:
        """Forecast the mean variance of the next bars after each squared return of one stretch."""
        last = np.array([self.beta * squares[0]])
        following = lfilter([self.alpha], [1.0, -self.beta], squares, zi=last)[0]
        following += self.omega / (1.0 - self.beta) * (1.0 - self.beta ** np.arange(1, squares.size + 1))
        persistence = min(self.alpha + self.beta, 0.99999)
        level = self.omega / (1.0 - persistence)
        share = (1.0 - persistence**ahead) / (ahead * (1.0 - persistence))
        return np.asarray(level + (following - level) * share)


def fit_garch(returns: FloatArray) -> GarchFit:
    """Fit by maximum likelihood on the last year or so of returns."""
    from arch.univariate import GARCH, ZeroMean

    recent = returns[-LONGEST:]
    scale = float(np.sqrt(np.mean(np.square(recent))))
    model = ZeroMean(recent / scale, volatility=GARCH(1, 0, 1), rescale=False)
    omega, alpha, beta = model.fit(disp="off", show_warning=False).params
    return GarchFit(float(omega) * scale**2, float(alpha), float(beta))


def garch_variances(
    stretches: list[FloatArray], times: list[npt.NDArray[np.int64]], ahead: int, refit: int
) -> list[FloatArray]:
    """Walk a GARCH forward over an asset's stretches; NaN until there are enough returns to fit one.

    Returns
    -------
    list of arrays
        Mean variance per bar forecast for the next ``ahead`` bars at each bar's close, one array per stretch.
    """
    result = [np.full(stretch.size, np.nan) for stretch in stretches]
    everything, when = np.concatenate(stretches), np.concatenate(times)
    for now in np.arange(when[0] + refit, when[-1], refit):
        known = everything[when <= now]
        affected = [np.flatnonzero((t > now) & (t <= now + refit)) for t in times]
        if known.size < FEWEST or not any(index.size for index in affected):
            continue
        fit = fit_garch(known)
        for forecast, stretch, index in zip(result, stretches, affected, strict=True):
            if index.size:
                forecast[index] = fit.mean_ahead(np.square(stretch[: index[-1] + 1]), ahead)[index]
    return result


def kou_tail(
    standardised: FloatArray, bar: int, ahead: int
) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """Fit jumps to past returns, each over the deviation forecast for it, and tabulate the chance of a fall.

    Jumps scale with volatility, so that one table in units of the forecast deviation serves every origin.
    """
    size = np.abs(standardised)
    jumps = size > JUMP
    calm = float(np.mean(np.square(standardised[~jumps])))
    reference = 0.8 * np.sqrt(bar / YEAR)
    up, down = size[jumps & (standardised > 0.0)], size[jumps & (standardised < 0.0)]
    units = np.geomspace(1e-4, 80.0, 160)
    depth = units * reference * np.sqrt(ahead)
    tail = first_passage_jumps(
        np.exp(depth),
        0.8 * np.sqrt(calm),
        float(bar * ahead),
        jump_intensity=float(jumps.mean()) * YEAR / bar,
        probability_up=up.size / max(up.size + down.size, 1),
        mean_up=(float(up.mean()) if up.size else JUMP) * reference,
        mean_down=(float(down.mean()) if down.size else JUMP) * reference,
    )
    logs = np.log(np.maximum(tail, 1e-12))

    def chance(fall: FloatArray, deviation: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.exp(np.interp(np.log(fall / deviation), np.log(units), logs))

    return chance
