"""Argument checks that every module of the domain shares.

Each check takes the argument's name and value, converts the value to float64, and raises
`InvalidInputError` with the first offending element; none of them lets a numpy warning through.
Python integers of any size are accepted as long as a float can hold them (10**77 can, 10**400 cannot).
"""

import math
import sys
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bot.errors import CorrelationError, InvalidInputError

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
ArrayLike: TypeAlias = npt.ArrayLike

_LARGEST = sys.float_info.max
_SMALLEST = math.ulp(0.0)

_PRINTABLE_BITS = 1024
"""Python refuses to print integers of more than some thousand digits; every float is below 2**1024."""

CORRELATION_TOLERANCE = 1e-10
"""Asymmetry, diagonal error and negative eigenvalue that pass as rounding."""


def real(name: str, value: ArrayLike) -> FloatArray:
    """Return ``value`` as float64 of the same shape; infinities and NaN pass.

    Raises
    ------
    InvalidInputError
        If it is not numeric, is ragged, or holds an integer that no float can hold.
    """
    try:
        given = np.asarray(value)
        if given.dtype == np.float64:
            return given
        if given.dtype.kind not in "biufO":
            raise InvalidInputError(name, value, "a real number or an array of them")
        with np.errstate(all="ignore"):
            return given.astype(np.float64, copy=False)
    except OverflowError:
        raise InvalidInputError(name, _magnitude(value), "small enough for a float (below 1.8e308)") from None
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(name, value, "a real number or an array of them") from None


def _magnitude(value: ArrayLike) -> str:
    """Describe the largest integer in ``value``, which may have more digits than Python will print."""
    bits = max(int(x).bit_length() for x in np.asarray(value, dtype=object).flat)
    return f"about 10**{int(bits * math.log10(2.0))}"


def check(
    name: str, value: ArrayLike, accepts: Callable[[FloatArray], BoolArray], requirement: str
) -> FloatArray:
    """Return ``value`` as float64 if ``accepts`` holds for every element; NaN must not pass it.

    Raises
    ------
    InvalidInputError
        With the first element that fails, and its index if ``value`` is an array.
    """
    array = real(name, value)
    good = accepts(array)
    if np.all(good):
        return array
    if array.ndim == 0:
        raise InvalidInputError(name, float(array), requirement)
    index = np.unravel_index(int(np.argmin(good)), array.shape)
    where = ", ".join(str(int(i)) for i in index)
    raise InvalidInputError(name, float(array[index]), f"{requirement} (element {where})")


def within(name: str, value: ArrayLike, low: float, high: float, requirement: str) -> FloatArray:
    """Return ``value`` as float64 if every element lies in the closed interval; NaN never does.

    Raises
    ------
    InvalidInputError
        With the first element outside, and its index if ``value`` is an array.
    """
    array = real(name, value)
    # A minimum and a maximum are the cheapest pass over a large book, and both carry a NaN through.
    if array.size == 0 or (array.min() >= low and (high == math.inf or array.max() <= high)):
        return array
    return check(name, array, lambda x: (x >= low) & (x <= high), requirement)


def finite(name: str, value: ArrayLike) -> FloatArray:
    """Return ``value`` as float64 if every element is finite."""
    return within(name, value, -_LARGEST, _LARGEST, "finite")


def positive(name: str, value: ArrayLike) -> FloatArray:
    """Return ``value`` as float64 if every element is finite and above zero."""
    return within(name, value, _SMALLEST, _LARGEST, "positive and finite")


def non_negative(name: str, value: ArrayLike) -> FloatArray:
    """Return ``value`` as float64 if every element is finite and at least zero."""
    return within(name, value, 0.0, _LARGEST, "non-negative and finite")


def at_least(name: str, value: ArrayLike, bound: float) -> FloatArray:
    """Return ``value`` as float64 if every element is finite and at least ``bound``."""
    return within(name, value, bound, _LARGEST, f"finite and at least {bound}")


def above(name: str, value: ArrayLike, bound: float) -> FloatArray:
    """Return ``value`` as float64 if every element is finite and above ``bound``."""
    return within(name, value, math.nextafter(bound, math.inf), _LARGEST, f"finite and above {bound}")


def fraction(name: str, value: ArrayLike) -> FloatArray:
    """Return ``value`` as float64 if every element lies in [0, 1]."""
    return within(name, value, 0.0, 1.0, "a fraction in [0, 1]")


def fraction_below_one(name: str, value: ArrayLike) -> FloatArray:
    """Return ``value`` as float64 if every element lies in [0, 1)."""
    return within(name, value, 0.0, math.nextafter(1.0, 0.0), "a fraction in [0, 1)")


def open_fraction(name: str, value: ArrayLike) -> FloatArray:
    """Return ``value`` as float64 if every element lies in (0, 1)."""
    return within(name, value, _SMALLEST, math.nextafter(1.0, 0.0), "a fraction in (0, 1)")


def scalar(name: str, array: FloatArray) -> float:
    """Return the one value of an array that passed a check.

    Raises
    ------
    InvalidInputError
        If it holds any number of elements but one without a shape.
    """
    if array.ndim != 0:
        raise InvalidInputError(name, array.shape, "a scalar, not an array of shape")
    return float(array)


def vector(name: str, array: FloatArray, length: int | None = None, minimum: int = 1) -> FloatArray:
    """Return an array that passed a check, if it has one axis of the length wanted.

    Raises
    ------
    InvalidInputError
        With its shape, if it is not one-dimensional, is shorter than ``minimum``, or differs from ``length``.
    """
    wanted = f"of at least {minimum} elements" if length is None else f"of {length} elements"
    fits = array.ndim == 1 and (array.size >= minimum if length is None else array.size == length)
    if not fits:
        raise InvalidInputError(name, array.shape, f"a one-dimensional array {wanted}, by its shape")
    return array


def broadcast(**arrays: FloatArray) -> tuple[FloatArray, ...]:
    """Return the arrays at their common shape, in the order given (read-only views).

    Raises
    ------
    InvalidInputError
        Naming the arguments and their shapes, if numpy's rules find no common shape.
    """
    try:
        return tuple(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise InvalidInputError(", ".join(arrays), shapes, "of shapes that broadcast together") from None


def whole_number(name: str, value: object, minimum: int = 1, maximum: int | None = None) -> int:
    """Return ``value`` as an int, if it is a whole number (not a bool) between the bounds, both included."""
    bounds = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise InvalidInputError(name, value, f"a whole number {bounds}")
    whole = int(value)
    if whole < minimum or (maximum is not None and whole > maximum):
        printable = whole.bit_length() <= _PRINTABLE_BITS
        raise InvalidInputError(name, whole if printable else _magnitude(whole), f"a whole number {bounds}")
    return whole


def correlation_matrix(name: str, value: ArrayLike, size: int | None = None) -> FloatArray:
    """Return ``value`` as an exactly symmetric float64 matrix with a unit diagonal.

    Singular matrices pass: perfectly correlated assets are a legitimate limit.

    Raises
    ------
    InvalidInputError
        If it is not finite, not square, empty, or not ``size`` by ``size``.
    CorrelationError
        If it is not symmetric, its diagonal is not one, an entry leaves [-1, 1], or an eigenvalue is
        negative, each by more than `CORRELATION_TOLERANCE`.
    """
    matrix = finite(name, value)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise InvalidInputError(name, matrix.shape, "a square matrix, by its shape")
    if size is not None and matrix.shape[0] != size:
        raise InvalidInputError(name, matrix.shape, f"a {size} by {size} matrix, by its shape")
    _check_entries(name, matrix)
    symmetric = 0.5 * (matrix + matrix.T)
    np.fill_diagonal(symmetric, 1.0)
    smallest = float(np.linalg.eigvalsh(symmetric)[0])
    if smallest < -CORRELATION_TOLERANCE:
        raise CorrelationError(
            f"{name} must be positive semi-definite, its smallest eigenvalue is {smallest!r}"
        )
    return np.clip(symmetric, -1.0, 1.0)


def _check_entries(name: str, matrix: FloatArray) -> None:
    largest = float(np.abs(matrix).max())
    if largest > 1.0 + CORRELATION_TOLERANCE:
        raise CorrelationError(f"{name} must have entries in [-1, 1], one has size {largest!r}")
    asymmetry = float(np.abs(matrix - matrix.T).max())
    if asymmetry > CORRELATION_TOLERANCE:
        raise CorrelationError(f"{name} must be symmetric, mirrored entries differ by {asymmetry!r}")
    diagonal = np.diag(matrix)
    worst = float(diagonal[np.argmax(np.abs(diagonal - 1.0))])
    if abs(worst - 1.0) > CORRELATION_TOLERANCE:
        raise CorrelationError(f"{name} must have ones on its diagonal, one entry is {worst!r}")


def unwrap(result: npt.NDArray[np.float64] | np.float64) -> float | FloatArray:
    """Return a 0-d result as a float, any other as it is: scalars in, scalars out."""
    return float(result) if np.ndim(result) == 0 else np.asarray(result)


def unwrap_bool(result: npt.NDArray[np.bool_] | np.bool_) -> bool | BoolArray:
    """Return a 0-d truth value as a bool, any other as it is."""
    return bool(result) if np.ndim(result) == 0 else np.asarray(result)


def elementwise(function: Callable[..., float], *arrays: FloatArray) -> FloatArray:
    """Return ``function`` of the floats at each position of arrays of one shape."""
    result = np.empty(arrays[0].shape)
    for index in np.ndindex(result.shape):
        result[index] = function(*(float(array[index]) for array in arrays))
    return result
