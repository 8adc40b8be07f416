"""Ticks and square-root prices: ``sqrt_price_x96(t)`` stands for ``sqrt(1.0001^t)`` in Q64.96.

The contract multiplies one 128-bit factor for each set bit of the tick. Those factors are
``2^128 / sqrt(1.0001)^(2^i)`` rounded to the nearest integer, so they are computed here rather than listed.
Source: Adams et al., "Uniswap v3 Core" (2021), section 6.1.
"""

import math
from functools import lru_cache

from bot.errors import InvalidInputError

MIN_TICK = -887_272
"""Lowest tick: the greatest whole tick above a price of 2^-128."""
MAX_TICK = 887_272
"""Highest tick, the mirror of the lowest."""

_Q32 = 2**32
_MAX_UINT256 = 2**256 - 1

_TICKS_PER_LOG2 = 2.0 / math.log2(1.0001)
"""Ticks that double the square-root price."""

_BAND = 1e-3
"""Distance from a whole tick, in ticks, within which the float logarithm is not believed.

Its own error is below 1e-9; a stored price is rounded up by at most one part in 4.29e9, or 5e-6 ticks.
"""


def _bit_factors() -> tuple[int, ...]:
    """Return ``round(2^128 / sqrt(1.0001)^(2^i))`` for each bit ``i`` of a tick, by repeated squaring."""
    precision = 512  # each squaring doubles the relative error: after 19 of them 490 bits are left
    factor = math.isqrt((10_000 << 2 * precision) // 10_001)
    factors = []
    for _ in range(MAX_TICK.bit_length()):
        factors.append(((factor >> (precision - 129)) + 1) >> 1)
        factor = factor * factor >> precision
    return tuple(factors)


_BIT_FACTORS = _bit_factors()


@lru_cache(maxsize=2**15)
def sqrt_price_at_tick(tick: int) -> int:
    """Return the square-root price of a tick, Q64.96.

    Rounding: UP to Q64.96 after the contract's truncated products, so that `tick_at_sqrt_price` inverts it.

    Raises
    ------
    InvalidInputError
        If the tick lies outside ``[MIN_TICK, MAX_TICK]``.
    """
    if not MIN_TICK <= tick <= MAX_TICK:
        raise InvalidInputError("tick", tick, f"in [{MIN_TICK}, {MAX_TICK}]")
    ratio = 1 << 128
    remaining, bit = abs(tick), 0
    while remaining:
        if remaining & 1:
            ratio = ratio * _BIT_FACTORS[bit] >> 128
        remaining >>= 1
        bit += 1
    if tick > 0:
        ratio = _MAX_UINT256 // ratio
    return -(-ratio // _Q32)


MIN_SQRT_PRICE = sqrt_price_at_tick(MIN_TICK)
"""Lowest square-root price a pool can hold."""
MAX_SQRT_PRICE = sqrt_price_at_tick(MAX_TICK)
"""Square-root price that no pool reaches: each stays below it."""


def tick_at_sqrt_price(sqrt_price_x96: int) -> int:
    """Return the greatest tick whose square-root price is at most the one given.

    The float logarithm decides, except near a whole tick, where the exact price of that tick does.

    Raises
    ------
    InvalidInputError
        If the price lies outside ``[MIN_SQRT_PRICE, MAX_SQRT_PRICE)``.
    """
    if not MIN_SQRT_PRICE <= sqrt_price_x96 < MAX_SQRT_PRICE:
        raise InvalidInputError("sqrt_price_x96", sqrt_price_x96, f"in [{MIN_SQRT_PRICE}, {MAX_SQRT_PRICE})")
    estimate = (math.log2(sqrt_price_x96) - 96.0) * _TICKS_PER_LOG2
    nearest = round(estimate)
    if abs(estimate - nearest) > _BAND:
        return math.floor(estimate)
    return nearest if sqrt_price_at_tick(nearest) <= sqrt_price_x96 else nearest - 1
