"""One step of a swap: within a range of constant liquidity, to its end or to where the amount runs out.

A step that reaches the end of its range costs the same whatever is left afterwards, so `full_step` takes no
amount; that is what lets a ladder keep running sums. Source: "Uniswap v3 Core" (2021), section 6.2.3.
"""

from typing import NamedTuple

from bot.domain.amm._checks import PIPS
from bot.domain.amm.uniswap_v3.sqrt_price_math import (
    amount0_down,
    amount0_up,
    amount1_down,
    amount1_up,
    price_after_token0_in,
    price_after_token0_out,
    price_after_token1_in,
    price_after_token1_out,
)


class FullStep(NamedTuple):
    """What it takes to move the price to the end of a range."""

    cost: int
    """Input, fee included, token units."""
    amount_out: int
    """Output, token units."""
    fee: int
    """The part of the cost that is fee, token units."""


class PartialStep(NamedTuple):
    """Where a swap ends within a range."""

    sqrt_price_x96: int
    """Square-root price reached, Q64.96."""
    cost: int
    """Input, fee included, token units."""
    amount_out: int
    """Output, token units."""
    fee: int
    """The part of the cost that is fee, token units."""


def full_step(price: int, target: int, liquidity: int, fee_pips: int, zero_for_one: bool) -> FullStep:
    """Return the cost and yield of moving the price from ``price`` to ``target``.

    The fee is ``ceil(x f / (1 - f))`` of the net input ``x``. The contract takes this step exactly when
    ``floor(remaining (1 - f)) >= x``, and that is the same as ``remaining >= cost``: both sides are integers.
    """
    if zero_for_one:
        net, amount_out = amount0_up(target, price, liquidity), amount1_down(target, price, liquidity)
    else:
        net, amount_out = amount1_up(price, target, liquidity), amount0_down(price, target, liquidity)
    fee = fee_on_net(net, fee_pips)
    return FullStep(net + fee, amount_out, fee)


def fee_on_net(net: int, fee_pips: int) -> int:
    """Return the fee on a net input, ``x f / (1 - f)``. Rounding: UP, in favour of the pool."""
    return -(-net * fee_pips // (PIPS - fee_pips))


def partial_step_in(
    price: int, liquidity: int, remaining: int, fee_pips: int, zero_for_one: bool
) -> PartialStep:
    """Return where ``remaining`` of input, too little for a `full_step`, leaves the price.

    All of it is taken: what the price move does not need is fee.
    """
    net = remaining * (PIPS - fee_pips) // PIPS
    if zero_for_one:
        after = price_after_token0_in(price, liquidity, net)
        used, amount_out = amount0_up(after, price, liquidity), amount1_down(after, price, liquidity)
    else:
        after = price_after_token1_in(price, liquidity, net)
        used, amount_out = amount1_up(price, after, liquidity), amount0_down(price, after, liquidity)
    return PartialStep(after, remaining, amount_out, remaining - used)


def partial_step_out(
    price: int, liquidity: int, remaining: int, fee_pips: int, zero_for_one: bool
) -> PartialStep:
    """Return where paying ``remaining`` of output, less than the range holds, leaves the price, and its cost.

    The price is rounded past the amount, so the pool may hold a little more between the two prices than it
    pays out; the output is the amount asked.
    """
    if zero_for_one:
        after = price_after_token1_out(price, liquidity, remaining)
        net = amount0_up(after, price, liquidity)
    else:
        after = price_after_token0_out(price, liquidity, remaining)
        net = amount1_up(price, after, liquidity)
    fee = fee_on_net(net, fee_pips)
    return PartialStep(after, net + fee, remaining, fee)
