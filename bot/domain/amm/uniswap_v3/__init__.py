"""Uniswap V3 in exact integers: `Pool` and what its methods return."""

from bot.domain.amm.uniswap_v3.pool import Pool
from bot.domain.amm.uniswap_v3.tick_math import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    sqrt_price_at_tick,
    tick_at_sqrt_price,
)
from bot.domain.amm.uniswap_v3.walk import InputQuote, OutputQuote, PriceMove

__all__ = [
    "MAX_SQRT_PRICE",
    "MAX_TICK",
    "MIN_SQRT_PRICE",
    "MIN_TICK",
    "InputQuote",
    "OutputQuote",
    "Pool",
    "PriceMove",
    "sqrt_price_at_tick",
    "tick_at_sqrt_price",
]
