"""The scaled complementary error function, as fast as a screen of a million accounts needs it.

``erfcx(x) = exp(x²) erfc(x)`` is smooth and positive on ``x >= 0``, so ``(1 + 2x) erfcx(x)`` is a short
polynomial in ``t = (x - K) / (x + K)`` (the change of variable of Shepherd and Laframboise, Mathematics of
Computation 36, 1981). The coefficients are fitted once, at import, to scipy's own function.

Measured on two cores, per million evaluations of both terms: `scipy.special.erfc` 37 ms, the polynomial in
numpy 20 ms, the same compiled by numba 2 ms, after a second or two for compiling it once. So large batches
are compiled, and nobody else waits for that.
"""

import functools
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.special import erfcx as exact_erfcx

from bot.domain._validation import FloatArray

_SCALE = 3.75
_DEGREE = 18
"""Relative error below 1e-13 for every x >= 0."""


def _scaled(t: FloatArray) -> FloatArray:
    x = _SCALE * (1.0 + t) / (1.0 - t)
    return np.asarray((1.0 + 2.0 * x) * exact_erfcx(x), dtype=np.float64)


_COEFFICIENTS: list[float] = np.polynomial.chebyshev.cheb2poly(  # type: ignore[no-untyped-call]
    np.polynomial.chebyshev.chebinterpolate(_scaled, _DEGREE)  # type: ignore[no-untyped-call]
)[::-1].tolist()


_KERNEL_COEFFICIENTS = np.array(_COEFFICIENTS)
"""A tuple here would keep the compiler from using vector instructions: 28 ms a million instead of 2."""

COMPILED_FROM = 200_000
"""Accounts from which the compiled sum is used."""

PairSum: TypeAlias = Callable[[FloatArray, FloatArray], None]
"""Fills its second argument, (n,), with half the sum of ``sign(x) erfcx(|x|)`` over the rows of its first."""


def pair_sum(accounts: int) -> PairSum:
    """Return the implementation for a batch of so many accounts; relative error below 1e-13 either way."""
    return _compiled() if accounts >= COMPILED_FROM else _vectorised


def _vectorised(x: FloatArray, result: FloatArray) -> None:
    size = np.abs(x)
    t = (size - _SCALE) / (size + _SCALE)
    total = np.full_like(t, _COEFFICIENTS[0])
    for coefficient in _COEFFICIENTS[1:]:
        total *= t
        total += coefficient
    size *= 2.0
    size += 1.0
    total /= size
    np.copysign(total, x, out=total)
    np.add(total[0], total[1], out=result)
    result *= 0.5


def _kernel(x: FloatArray, result: FloatArray) -> None:
    """Compute what `_vectorised` does, as the loop that numba turns into vector instructions."""
    for i in range(result.size):
        first, second = abs(x[0, i]), abs(x[1, i])
        s, t = (first - _SCALE) / (first + _SCALE), (second - _SCALE) / (second + _SCALE)
        p, q = _KERNEL_COEFFICIENTS[0], _KERNEL_COEFFICIENTS[0]
        for k in range(1, _DEGREE + 1):
            p = p * s + _KERNEL_COEFFICIENTS[k]
            q = q * t + _KERNEL_COEFFICIENTS[k]
        p, q = p / (1.0 + 2.0 * first), q / (1.0 + 2.0 * second)
        result[i] = 0.5 * (math.copysign(p, x[0, i]) + math.copysign(q, x[1, i]))


@functools.cache
def _compiled() -> PairSum:
    # Imported here: it takes half a second, and small books never need it.
    from numba import njit

    def build(cache: bool) -> PairSum:
        fast = {"contract", "nsz", "arcp"}
        return njit(cache=cache, nogil=True, error_model="numpy", fastmath=fast)(_kernel)

    try:
        return build(cache=True)
    except RuntimeError:  # nowhere to keep it: a read-only installation without a home
        return build(cache=False)


def normal_density(x: FloatArray) -> FloatArray:
    """Return the standard normal density; it may underflow."""
    return np.asarray(np.exp(-0.5 * np.square(x)) / math.sqrt(2.0 * math.pi), dtype=np.float64)
