"""Exponentially weighted variances, over returns or over times."""

import numpy as np

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike
from bot.errors import InvalidInputError

_YEAR = 365.0 * 86_400.0


def ewma(returns: ArrayLike, decay: float) -> float:
    """Exponentially weighted variance: ``v = decay v + (1 - decay) r²``, started at the first squared return.

    Parameters
    ----------
    returns : (n,) array
        Log returns over equal periods, oldest first, at least one.
    decay : float
        Weight of the past in [0, 1); 0.94 is RiskMetrics' for days, a half-life of 11 periods.

    Returns
    -------
    float
        Variance per period, after the last return.

    Raises
    ------
    InvalidInputError
        If a return is not finite, there is none, or ``decay`` leaves its bounds.

    Notes
    -----
    Source: RiskMetrics, Technical Document, 4th edition, 1996, section 5.2.
    """
    moves = valid.vector("returns", valid.finite("returns", returns))
    past = valid.scalar("decay", valid.fraction_below_one("decay", decay))
    with np.errstate(over="ignore", under="ignore"):
        weights = (1.0 - past) * past ** np.arange(moves.size - 1.0, -1.0, -1.0)
        weights[0] = past ** (moves.size - 1.0)
        return float(weights @ np.square(moves))


def ewma_irregular(times: ArrayLike, prices: ArrayLike, half_life: float) -> float:
    """Exponentially weighted variance a year from prices at irregular times.

    Each interval dt contributes its own rate, ``r² / dt``, with the weight that passes in it: ``v = q v + (1
    - q) r² / dt`` with ``q = 2^(-dt / half_life)``, started at the first rate. At equal intervals it is
    `ewma` with decay q, per year.

    Parameters
    ----------
    times : (n,) array
        Seconds, strictly increasing, at least two.
    prices : (n,) array
        Positive.
    half_life : float
        Seconds in which a weight halves.

    Returns
    -------
    float
        Variance per 365-day year at the last time; its root is an annualised volatility.

    Raises
    ------
    InvalidInputError
        If a value is not finite, a price or ``half_life`` not positive, times do not increase, or shapes
        differ.

    Notes
    -----
    The rate over a long interval counts in full at its end, and not as if it had been spread over it: the
    reading of an oracle that publishes on moves, as on-chain.
    """
    seconds = valid.vector("times", valid.finite("times", times), minimum=2)
    values = valid.vector("prices", valid.positive("prices", prices), seconds.size)
    life = valid.scalar("half_life", valid.positive("half_life", half_life))
    elapsed = np.diff(seconds)
    if not (elapsed > 0.0).all():
        at = int(np.argmin(elapsed > 0.0)) + 1
        raise InvalidInputError("times", float(seconds[at]), f"above the one before (element {at})")
    rates = np.square(np.diff(np.log(values))) / elapsed
    with np.errstate(over="ignore", under="ignore"):
        remaining = np.exp2((seconds[1:] - seconds[-1]) / life)
        weights = remaining * -np.expm1(-np.log(2.0) * elapsed / life)
        weights[0] = remaining[0]
        return float(weights @ rates) * _YEAR
