"""The price curve of an auction and where it starts."""

from typing import overload

import numpy as np
from scipy.special import ndtri

from bot.domain._validation import (
    ArrayLike,
    FloatArray,
    broadcast,
    non_negative,
    open_fraction,
    positive,
    unwrap,
)
from bot.domain.auction._units import SECONDS_PER_DAY


@overload
def multiplier(elapsed: float, start: float, decay: float, floor: float) -> float: ...  # type: ignore[overload-overlap]
@overload
def multiplier(elapsed: ArrayLike, start: ArrayLike, decay: ArrayLike, floor: ArrayLike) -> FloatArray: ...
def multiplier(
    elapsed: ArrayLike, start: ArrayLike, decay: ArrayLike, floor: ArrayLike
) -> float | FloatArray:
    """Reserve multiplier after some time: ``max(floor, start * exp(-decay * elapsed))``.

    Parameters
    ----------
    elapsed : float or array
        Seconds since the auction began; at least 0.
    start : float or array
        Multiplier at the beginning; above 0.
    decay : float or array
        Rate of decay per second; at least 0.
    floor : float or array
        Lowest multiplier; at least 0.

    Returns
    -------
    float or array
        Reserve price over oracle price. The exact twin of the contract rounds up.

    Raises
    ------
    InvalidInputError
        If a value is NaN, infinite or outside its range, or the shapes do not broadcast.
    """
    time, first, rate, least = broadcast(
        elapsed=non_negative("elapsed", elapsed),
        start=positive("start", start),
        decay=non_negative("decay", decay),
        floor=non_negative("floor", floor),
    )
    with np.errstate(all="ignore"):
        return unwrap(np.maximum(least, first * np.exp(-rate * time)))


@overload
def start_multiplier(volatility_daily: float, staleness: float, probability: float) -> float: ...  # type: ignore[overload-overlap]
@overload
def start_multiplier(
    volatility_daily: ArrayLike, staleness: ArrayLike, probability: ArrayLike
) -> FloatArray: ...
def start_multiplier(
    volatility_daily: ArrayLike, staleness: ArrayLike, probability: ArrayLike
) -> float | FloatArray:
    """Start high enough that a stale price hides a fair value above it with the given probability only.

    ``exp(q * volatility_daily * sqrt(staleness / 86400))`` with ``q`` the normal quantile of
    ``1 - probability``.

    Parameters
    ----------
    volatility_daily : float or array
        Volatility per square root of a day; at least 0.
    staleness : float or array
        Age of the oracle's price, seconds; at least 0.
    probability : float or array
        Accepted probability that fair value lies above the start, in (0, 1).

    Returns
    -------
    float or array
        Multiplier of the oracle's price; 1 for a fresh price or no volatility, below 1 for a probability
        above a half.

    Raises
    ------
    InvalidInputError
        If a value is NaN, infinite or outside its range, or the shapes do not broadcast.
    """
    volatility, age, tail = broadcast(
        volatility_daily=non_negative("volatility_daily", volatility_daily),
        staleness=non_negative("staleness", staleness),
        probability=open_fraction("probability", probability),
    )
    with np.errstate(all="ignore"):
        # The quantile of 1 - p is minus that of p, which keeps its digits where p is tiny.
        deviations = -ndtri(tail) * np.sqrt(age / SECONDS_PER_DAY)
        return unwrap(np.exp(deviations * volatility))
