"""What an auction is expected to lose to fair value, and how long it is expected to take."""

from typing import NamedTuple, overload

import numpy as np

from bot.domain._validation import (
    ArrayLike,
    FloatArray,
    broadcast,
    elementwise,
    non_negative,
    positive,
    unwrap,
)
from bot.domain.auction import _poisson, _slots
from bot.domain.auction._units import log_ratio, variance_per_second
from bot.errors import InvalidInputError


class _Auction(NamedTuple):
    """Checked inputs at their common shape, per second."""

    delta: FloatArray
    variance: FloatArray
    block_time: FloatArray
    start_log: FloatArray


@overload
def expected_loss(  # type: ignore[overload-overlap]
    decay_per_second: float,
    volatility_daily: float,
    block_time: float,
    start_log: float = 0.0,
    slots: bool = False,
) -> float: ...
@overload
def expected_loss(
    decay_per_second: ArrayLike,
    volatility_daily: ArrayLike,
    block_time: ArrayLike,
    start_log: ArrayLike = 0.0,
    slots: bool = False,
) -> FloatArray: ...
def expected_loss(
    decay_per_second: ArrayLike,
    volatility_daily: ArrayLike,
    block_time: ArrayLike,
    start_log: ArrayLike = 0.0,
    slots: bool = False,
) -> float | FloatArray:
    """Share of fair value that the auction gives away: ``1 - E[exp(z at the fill)]``.

    Parameters
    ----------
    decay_per_second : float or array
        Rate at which the ask decays; at least 0.
    volatility_daily : float or array
        Volatility of fair value per square root of a day; at least 0.
    block_time : float or array
        Mean time between blocks (Poisson), or the exact one (slots), seconds; above 0.
    start_log : float or array
        ``z`` at time 0, the logarithm of ask over fair; of either sign, at most 700 in size.
    slots : bool
        Whether blocks come exactly one ``block_time`` apart.

    Returns
    -------
    float or array
        The loss, in [0, 1). With Poisson blocks and a start at or above fair it is ``1 / (1 + zeta)``,
        ``zeta = (sqrt(delta^2 + 2 sigma^2 / block_time) - delta) / sigma^2``, whatever the start; with zero
        volatility the exact limit.

    Raises
    ------
    InvalidInputError
        If the ask may never meet fair, so that no expectation at the fill exists: ``decay_per_second``
        below ``sigma^2 / 2``, or zero decay and volatility with a start above fair. Also if a value is NaN,
        infinite or outside its range, or the shapes do not broadcast.

    Notes
    -----
    Poisson blocks: `bot.domain.auction._poisson`, exact. Slots: `bot.domain.auction._slots`, numerical,
    to about 1e-12.
    """
    auction = _checked(decay_per_second, volatility_daily, block_time, start_log)
    never = (auction.delta < 0.0) | (
        (auction.delta == 0.0) & (auction.variance == 0.0) & (auction.start_log > 0.0)
    )
    if np.any(never):
        first = np.unravel_index(int(np.argmax(never)), never.shape)
        decay = np.broadcast_to(np.asarray(decay_per_second, dtype=np.float64), never.shape)[first]
        bound = float(auction.variance[first]) / 2.0
        requirement = (
            f"at least volatility^2 / 2 = {bound!r} per second and above 0, or the ask may never meet fair"
        )
        raise InvalidInputError("decay_per_second", float(decay), requirement)
    with np.errstate(all="ignore"):
        return unwrap(elementwise(_slots.loss, *auction) if slots else _poisson.loss(*auction))


@overload
def expected_fill_time(  # type: ignore[overload-overlap]
    decay_per_second: float,
    volatility_daily: float,
    block_time: float,
    start_log: float = 0.0,
    slots: bool = False,
) -> float: ...
@overload
def expected_fill_time(
    decay_per_second: ArrayLike,
    volatility_daily: ArrayLike,
    block_time: ArrayLike,
    start_log: ArrayLike = 0.0,
    slots: bool = False,
) -> FloatArray: ...
def expected_fill_time(
    decay_per_second: ArrayLike,
    volatility_daily: ArrayLike,
    block_time: ArrayLike,
    start_log: ArrayLike = 0.0,
    slots: bool = False,
) -> float | FloatArray:
    """Mean time until the auction fills, in seconds.

    Parameters
    ----------
    decay_per_second, volatility_daily, block_time, start_log, slots
        As for `expected_loss`.

    Returns
    -------
    float or array
        The mean, at least ``block_time``. From a start at or above fair it is, with Poisson blocks,
        ``block_time + start_log / delta + sigma^2 / (delta (delta + sqrt(delta^2 + 2 sigma^2 / dt)))``.
        Infinite where ``decay_per_second <= sigma^2 / 2``: then ``z`` does not drift down, and either the
        mean diverges or some auctions never fill.

    Raises
    ------
    InvalidInputError
        If a value is NaN, infinite or outside its range, or the shapes do not broadcast.
    """
    auction = _checked(decay_per_second, volatility_daily, block_time, start_log)
    with np.errstate(all="ignore"):
        return unwrap(elementwise(_slots.fill_time, *auction) if slots else _poisson.fill_time(*auction))


def _checked(
    decay_per_second: ArrayLike, volatility_daily: ArrayLike, block_time: ArrayLike, start_log: ArrayLike
) -> _Auction:
    decay, variance, interval, start = broadcast(
        decay_per_second=non_negative("decay_per_second", decay_per_second),
        volatility_daily=variance_per_second(volatility_daily),
        block_time=positive("block_time", block_time),
        start_log=log_ratio("start_log", start_log),
    )
    with np.errstate(all="ignore"):
        return _Auction(decay - 0.5 * variance, variance, interval, start)
