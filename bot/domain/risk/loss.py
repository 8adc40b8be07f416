"""What waiting costs: the debt that collateral is expected not to cover."""

import numpy as np
from scipy.special import ndtr

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, FloatArray
from bot.domain.risk import _units as units
from bot.domain.risk._barrier import SMALLEST_DEVIATION


def expected_bad_debt(
    collateral_value: ArrayLike,
    debt_value: ArrayLike,
    bonus: ArrayLike,
    slippage: ArrayLike,
    volatility: ArrayLike,
    lag: ArrayLike,
) -> float | FloatArray:
    """Expect so much debt left uncovered if an account is liquidated in full after a lag.

    ``E[max(0, debt - C (1 - slippage) / (1 + bonus))]``, C the collateral's driftless lognormal value after
    ``lag``: a put on the collateral, ``D Phi(-d2) - F Phi(-d1)`` with ``F = C0 (1 - slippage) / (1 + bonus)``
    and ``d1,2 = ln(F / D) / s ± s / 2``.

    Parameters
    ----------
    collateral_value : float or array
        Value today, unweighted, at least 0.
    debt_value : float or array
        Debt, at least 0; it does not move.
    bonus : float or array
        The liquidator's excess, such as 0.05, at least 0.
    slippage : float or array
        Fraction of the value lost in selling, in [0, 1].
    volatility : float or array
        Of the log price of the collateral, annualised.
    lag : float or array
        Seconds until the collateral is sold.

    Returns
    -------
    float or array
        In the unit of account, between ``max(0, debt - F)`` and ``debt``.

    Raises
    ------
    InvalidInputError
        If an argument leaves its bounds, is not finite, or the shapes do not broadcast.

    Notes
    -----
    Source: Black, Journal of Financial Economics 3, 1976. Of put and call the one out of the money is
    computed, so that small losses keep their digits. No volatility or no lag gives ``max(0, debt - F)``
    exactly.
    """
    collateral, debt, excess, lost, sigma, seconds = valid.broadcast(
        collateral_value=valid.non_negative("collateral_value", collateral_value),
        debt_value=valid.non_negative("debt_value", debt_value),
        bonus=valid.non_negative("bonus", bonus),
        slippage=valid.fraction("slippage", slippage),
        volatility=valid.non_negative("volatility", volatility),
        lag=valid.non_negative("lag", lag),
    )
    proceeds = collateral * (1.0 - lost) / (1.0 + excess)
    s = units.deviation(sigma, units.years(seconds))
    moving = (s >= SMALLEST_DEVIATION) & (proceeds > 0.0) & (debt > 0.0)
    intrinsic = np.maximum(debt - proceeds, 0.0)
    with np.errstate(all="ignore"):
        return valid.unwrap(np.where(moving, intrinsic + _time_value(proceeds, debt, s), intrinsic))


def _time_value(proceeds: FloatArray, debt: FloatArray, s: FloatArray) -> FloatArray:
    """Value of the put or the call, whichever is out of the money; the other is that and the difference."""
    low, high = np.minimum(proceeds, debt), np.maximum(proceeds, debt)
    distance = np.log(high / low) / s
    value = low * ndtr(0.5 * s - distance) - high * ndtr(-0.5 * s - distance)
    return np.asarray(np.maximum(value, 0.0), dtype=np.float64)
