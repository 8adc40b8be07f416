"""Scalar argument checks for the hot paths of the market makers.

They do for one number what the domain's numpy checks do for arrays, at a small part of the time: a
router checks two dozen numbers before each split.
"""

import math
from fractions import Fraction
from numbers import Integral, Real

from bot.errors import InvalidInputError

MAX_AMOUNT = 2**255 - 1
"""Largest amount a pool's signed 256-bit argument can name."""

SMALLEST, LARGEST = 1e-90, 1e90
"""Bounds of a `moderate` scalar; any 256-bit integer is within them."""

PIPS = 1_000_000
"""Pips in one: a fee of 3,000 pips is 0.3 %."""


def number(name: str, value: object) -> float:
    """Return a real scalar as a float; infinities and NaN pass.

    Raises
    ------
    InvalidInputError
        If it is not a real number, or is an integer that no float can hold.
    """
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidInputError(name, value, "a real number")
    try:
        return float(value)
    except OverflowError:
        raise InvalidInputError(name, value, "small enough for a float (below 1.8e308)") from None


def positive(name: str, value: object) -> float:
    """Return a finite scalar above zero as a float."""
    result = number(name, value)
    if 0.0 < result < math.inf:
        return result
    raise InvalidInputError(name, value, "positive and finite")


def moderate(name: str, value: object) -> float:
    """Return a scalar whose square and whose ratio to another such scalar a float can hold."""
    result = number(name, value)
    if SMALLEST <= result <= LARGEST:
        return result
    raise InvalidInputError(name, value, f"in [{SMALLEST}, {LARGEST}]")


def non_negative(name: str, value: object) -> float:
    """Return a finite scalar of zero or more as a float."""
    result = number(name, value)
    if 0.0 <= result < math.inf:
        return result
    raise InvalidInputError(name, value, "non-negative and finite")


def fraction_below_one(name: str, value: object) -> float:
    """Return a scalar in [0, 1) as a float."""
    result = number(name, value)
    if 0.0 <= result < 1.0:
        return result
    raise InvalidInputError(name, value, "a fraction in [0, 1)")


def rational(name: str, value: object) -> Fraction:
    """Return a finite scalar of zero or more as the exact fraction it stands for.

    A float is taken at its binary value; an `int` or a `Fraction` keeps every digit.
    """
    if isinstance(value, int | Fraction) and not isinstance(value, bool) and value >= 0:
        return Fraction(value)
    return Fraction(non_negative(name, value))


def whole(name: str, value: object, low: int, high: int | None = None) -> int:
    """Return an integer in ``[low, high]``; without ``high``, of any size from ``low``.

    Raises
    ------
    InvalidInputError
        If it is not an integer (a float such as 1e18 is refused: it has lost digits), or is outside.
    """
    if type(value) is int:  # nearly always, and twenty times faster than to ask for an Integral
        result = value
    elif isinstance(value, Integral) and not isinstance(value, bool):
        result = int(value)
    else:
        raise InvalidInputError(name, value, "an integer")
    if low <= result and (high is None or result <= high):
        return result
    raise InvalidInputError(name, value, f"at least {low}" if high is None else f"in [{low}, {high}]")


def token_amount(name: str, value: object) -> int:
    """Return a positive amount that a pool's signed 256-bit argument can name."""
    return whole(name, value, 1, MAX_AMOUNT)
