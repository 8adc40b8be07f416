"""Measured numbers in 32 bits: the twin of the contracts' ``BinaryFloat``.

``mantissa * 2^exponent``, the mantissa in the upper 25 bits and the exponent in the lower 7: numbers below
``2^25`` exactly, larger ones to one part in ``2^24``.
"""

from typing import Final

from bot.errors import InvalidInputError

_MANTISSA_BITS: Final = 25
_EXPONENT_BITS: Final = 7
_EXPONENT_MASK: Final = (1 << _EXPONENT_BITS) - 1
_END: Final = 1 << (_MANTISSA_BITS + _EXPONENT_MASK)


def pack_down(x: int) -> int:
    """Return a number in 32 bits. Rounding: DOWN.

    Raises
    ------
    InvalidInputError
        If it is negative, or does not fit.
    """
    if not 0 <= x < _END:
        raise InvalidInputError("x", x, f"non-negative and below 2**{_END.bit_length() - 1}")
    exponent = _exponent(x)
    return x >> exponent << _EXPONENT_BITS | exponent


def pack_up(x: int) -> int:
    """Return a number in 32 bits. Rounding: UP.

    Raises
    ------
    InvalidInputError
        If it is negative, or does not fit.
    """
    return pack_down(x + (1 << _exponent(x)) - 1)


def unpack(packed: int) -> int:
    """Return the number that was packed."""
    return (packed >> _EXPONENT_BITS) << (packed & _EXPONENT_MASK)


def _exponent(x: int) -> int:
    """Return the bits that a mantissa loses."""
    return max(x.bit_length() - _MANTISSA_BITS, 0)
