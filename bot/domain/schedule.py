"""How to slice a large sale over time: impact against risk, against recovery, against fixed costs.

Amounts, prices and times are in any consistent units; trades carry the sign of the amount.
"""

import math

import numpy as np

from bot.domain._validation import (
    ArrayLike,
    FloatArray,
    finite,
    fraction,
    non_negative,
    positive,
    scalar,
    whole_number,
)
from bot.errors import InvalidInputError

MOST_TRADES = 1_000_000
"""Largest number of trades in a schedule."""

_STEEPEST = 1_000.0
"""Decay of holdings per period beyond which everything trades in the first one: exp(-1000) is 0."""


def almgren_chriss(
    amount: float,
    periods: int,
    period_length: float,
    volatility: float,
    temporary_impact: float,
    permanent_impact: float,
    risk_aversion: float,
) -> FloatArray:
    """Trades that minimise expected cost plus risk aversion times its variance (Almgren and Chriss, 2000).

    With ``eta~ = eta - gamma tau / 2`` and ``cosh(kappa tau) = 1 + risk_aversion sigma^2 tau^2 / (2 eta~)``,
    trade ``j`` of ``N`` is ``amount * 2 sinh(kappa tau / 2) cosh(kappa tau (N - j + 1/2)) / sinh(kappa tau
    N)``.

    Parameters
    ----------
    amount : float
        ``X``, what is to be traded; of either sign.
    periods : int
        ``N``, number of trades, from 1 to `MOST_TRADES`.
    period_length : float
        ``tau``, in any unit of time; above 0.
    volatility : float
        ``sigma``, in price per square root of that unit; at least 0.
    temporary_impact : float
        ``eta``, in price per (amount per that unit); above ``gamma tau / 2``.
    permanent_impact : float
        ``gamma``, in price per amount; at least 0.
    risk_aversion : float
        Per unit of cost; at least 0. At zero, or without volatility, the trades are equal.

    Returns
    -------
    (periods,) array
        Trades in order, which sum to ``amount``. As risk aversion grows, the first takes everything.

    Raises
    ------
    InvalidInputError
        If a value is NaN, infinite or outside its range.
    """
    total = scalar("amount", finite("amount", amount))
    count = whole_number("periods", periods, maximum=MOST_TRADES)
    interval = scalar("period_length", positive("period_length", period_length))
    deviation = scalar("volatility", non_negative("volatility", volatility))
    permanent = scalar("permanent_impact", non_negative("permanent_impact", permanent_impact))
    temporary = scalar("temporary_impact", positive("temporary_impact", temporary_impact))
    aversion = scalar("risk_aversion", non_negative("risk_aversion", risk_aversion))
    impact = temporary - 0.5 * permanent * interval
    if not impact > 0.0:
        requirement = f"above permanent_impact * period_length / 2 = {0.5 * permanent * interval!r}"
        raise InvalidInputError("temporary_impact", temporary, requirement)
    # cosh(a) - 1 = 2 sinh(a / 2)^2: the inverse hyperbolic sine keeps the digits that arccosh(1 + x) loses.
    half = 0.5 * deviation * math.sqrt(aversion) / math.sqrt(impact) * interval
    urgency = min(2.0 * math.asinh(half), _STEEPEST)
    if urgency == 0.0:
        return np.full(count, total / count)
    index = np.arange(count)
    with np.errstate(under="ignore"):
        # The ratio of hyperbolic functions, written with negative exponents so that none overflows.
        falling = np.exp(-urgency * index) + np.exp(-urgency * (2.0 * count - index - 1.0))
        return np.asarray(total * (falling * math.expm1(-urgency) / math.expm1(-2.0 * urgency * count)))


def obizhaeva_wang(amount: float, trades: int, decay: float) -> FloatArray:
    """Trades that minimise the impact paid when each trade's impact fades exponentially (Obizhaeva and Wang).

    The cost is ``q/2 sum_ij decay^|i - j| x_i x_j``. Its minimum solves ``M x = constant`` for the matrix of
    an autoregression, whose inverse has three diagonals: both ends trade ``1 / (1 - decay)`` times what each
    trade between them does.

    Parameters
    ----------
    amount : float
        What is to be traded; of either sign.
    trades : int
        Number of trades, both ends counted, from 1 to `MOST_TRADES`.
    decay : float
        Share of a trade's impact that is left after one interval, in [0, 1]. At 0 the trades are equal; at 1
        (where every schedule costs the same) the limit is half at either end.

    Returns
    -------
    (trades,) array
        Trades in order, which sum to ``amount``.

    Raises
    ------
    InvalidInputError
        If a value is NaN, infinite or outside its range.
    """
    total = scalar("amount", finite("amount", amount))
    count = whole_number("trades", trades, maximum=MOST_TRADES)
    left = scalar("decay", fraction("decay", decay))
    if count == 1:
        return np.array([total])
    end = total / (2.0 + (count - 2) * (1.0 - left))
    result = np.full(count, end * (1.0 - left))
    result[0] = result[-1] = end
    return result


def resilient_cost(amount: float, trades: int, impact: float, horizon: float, recovery_time: float) -> float:
    """Impact cost of the best schedule of a number of trades, evenly spaced over a horizon.

    The market recovers as ``exp(-t / recovery_time)``. The cost of `obizhaeva_wang`'s schedule is ``impact/2
    * amount^2 / (1 + M tanh(horizon / (2 M recovery_time)))`` with ``M = trades - 1`` intervals; it falls
    with every trade added, towards ``impact/2 * amount^2 / (1 + horizon / (2 recovery_time))``.

    Parameters
    ----------
    amount : float
        What is to be traded; of either sign.
    trades : int
        Number of trades, from 1 to `MOST_TRADES`.
    impact : float
        Price moved per amount traded at once; at least 0.
    horizon : float
        Time from the first trade to the last; at least 0.
    recovery_time : float
        Time in which all but 1/e of the impact fades, in the unit of ``horizon``; above 0.

    Returns
    -------
    float
        The cost, in price times amount.

    Raises
    ------
    InvalidInputError
        If a value is NaN, infinite or outside its range, or the cost exceeds what a float can hold.
    """
    count = whole_number("trades", trades, maximum=MOST_TRADES)
    whole, span = _whole_and_span(amount, impact, horizon, recovery_time)
    return whole / _relief(count, span)


def best_slice_count(
    amount: float,
    fixed_cost: float,
    impact: float,
    horizon: float,
    recovery_time: float,
    most: int = MOST_TRADES,
) -> int:
    """Count of trades that minimises fixed costs plus impact, ``n fixed_cost + resilient_cost(n)``.

    Parameters
    ----------
    amount, impact, horizon, recovery_time
        As for `resilient_cost`.
    fixed_cost : float
        Cost of each trade whatever its size, such as gas, in price times amount; at least 0.
    most : int
        Largest number considered, from 1 to `MOST_TRADES`.

    Returns
    -------
    int
        The best count, the smallest of equals; ``most`` if trades are free and each lowers the impact.

    Raises
    ------
    InvalidInputError
        If a value is NaN, infinite or outside its range, or the impact exceeds what a float can hold.

    Notes
    -----
    ``M tanh(c / M)`` is the perspective of a concave function, hence concave in ``M``, and one over a
    positive concave function is convex: the cost is convex in the count, and bisection on its differences is
    exact.
    """
    cost = scalar("fixed_cost", non_negative("fixed_cost", fixed_cost))
    whole, span = _whole_and_span(amount, impact, horizon, recovery_time)
    low, high = 1, whole_number("most", most, maximum=MOST_TRADES)
    if cost == 0.0:
        return high if whole > 0.0 and span > 0.0 else low
    while low < high:
        middle = (low + high) // 2
        before, after = _relief(middle, span), _relief(middle + 1, span)
        if whole * ((after - before) / before / after) > cost:
            low = middle + 1
        else:
            high = middle
    return low


def _whole_and_span(
    amount: ArrayLike, impact: ArrayLike, horizon: ArrayLike, recovery_time: ArrayLike
) -> tuple[float, float]:
    """Return the cost of trading all at once, and half the horizon in recovery times."""
    total = scalar("amount", finite("amount", amount))
    slope = scalar("impact", non_negative("impact", impact))
    span = scalar("horizon", non_negative("horizon", horizon))
    recovery = scalar("recovery_time", positive("recovery_time", recovery_time))
    whole = 0.5 * slope * total * total
    if not math.isfinite(whole):
        raise InvalidInputError("amount", total, f"small enough for a finite cost at an impact of {slope!r}")
    return whole, 0.5 * span / recovery


def _relief(trades: int, span: float) -> float:
    """Factor by which that many trades lower the cost of impact; at least 1."""
    intervals = trades - 1
    return 1.0 + (intervals * math.tanh(span / intervals) if intervals else 0.0)
