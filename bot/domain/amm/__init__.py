"""Automated market makers: exact swaps in integers, and the closed forms that size a trade.

`constant_product` is Uniswap V2's pool, `uniswap_v3` the concentrated one. What a pool pays is
computed in its contract's own integers; what a trade should be is computed from the price alone.
"""

from bot.domain.amm import constant_product, uniswap_v3

__all__ = ["constant_product", "uniswap_v3"]
