"""Running sums over a ladder's ranges, which make a quote cost O(log n).

Between two stops a swap rounds once, and the cost and yield of a range that it crosses whole depend on that
range alone. So they are summed once for each direction, with the contract's own rounding; a quote finds its
last range by bisection and computes only its first and last step anew.
"""

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from bot.domain.amm.uniswap_v3.swap_math import full_step
from bot.domain.amm.uniswap_v3.tick_math import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    sqrt_price_at_tick,
)

if TYPE_CHECKING:
    from bot.domain.amm.uniswap_v3.ladder import Ladder

_FIRST_RANGES = 32


class Sums(NamedTuple):
    """The ranges summed so far, in the order a swap meets them; every list but two rises along the path."""

    costs: list[int]
    """Input, fee included, from the path's beginning to the end of each range, token units."""
    outputs: list[int]
    """Output likewise."""
    fees: list[int]
    """The part of the input that is fee likewise."""
    tick_keys: list[int]
    """The tick that ends each range, negated for a falling price."""
    price_keys: list[int]
    """The square-root price that ends each range, Q64.96, negated for a falling price."""
    liquidity: list[int]
    """Active liquidity of each range."""
    complete: bool
    """Whether the last range ends at the last price a swap can reach."""


Column: TypeAlias = Literal["costs", "outputs", "tick_keys", "price_keys"]


class Path:
    """One direction's ranges from a tick on, summed as far as anybody has asked.

    Parameters
    ----------
    ladder : Ladder
        The liquidity.
    zero_for_one : bool
        True for a falling price.
    begin : int
        The tick at which the first range starts, a stop or not.

    Notes
    -----
    It grows by doubling, so each range is summed once. A grown table replaces the old one whole: readers in
    other threads see either.
    """

    def __init__(self, ladder: "Ladder", zero_for_one: bool, begin: int) -> None:
        self.zero_for_one: Final = zero_for_one
        self.fee_pips: Final = ladder.fee_pips
        self._ladder = ladder
        self._begin = begin
        self._last_price = MIN_SQRT_PRICE + 1 if zero_for_one else MAX_SQRT_PRICE - 1
        self._last_tick = MIN_TICK if zero_for_one else MAX_TICK
        self.sums = Sums([], [], [], [], [], [], complete=False)
        self._grow()

    def covers(self, tick: int) -> bool:
        """Return whether a pool at this tick stands on the path."""
        return tick < self._begin if self.zero_for_one else tick >= self._begin

    def reaching(self, column: Column, value: int) -> Sums:
        """Return the sums, grown until a column reaches a value or the path is complete."""
        sums = self.sums
        while not sums.complete and getattr(sums, column)[-1] < value:
            sums = self._grow()
        return sums

    def end_price(self, sums: Sums, index: int) -> int:
        """Return the square-root price that ends a range, Q64.96."""
        key = sums.price_keys[index]
        return -key if self.zero_for_one else key

    def tick_beyond(self, sums: Sums, index: int) -> int:
        """Return the pool's tick once a range has been crossed whole.

        A falling price leaves it one below the stop. The last price of all is no tick's, so it is its own.
        """
        key = sums.tick_keys[index]
        if sums.complete and index == len(sums.tick_keys) - 1:
            return MIN_TICK if self.zero_for_one else MAX_TICK - 1
        return -key - 1 if self.zero_for_one else key

    def _grow(self) -> Sums:
        old, ladder, down = self.sums, self._ladder, self.zero_for_one
        costs, outputs, fees = list(old.costs), list(old.outputs), list(old.fees)
        tick_keys, price_keys, liquidity = list(old.tick_keys), list(old.price_keys), list(old.liquidity)
        cost, amount_out, fee = (costs[-1], outputs[-1], fees[-1]) if costs else (0, 0, 0)
        sign = -1 if down else 1
        stop: int | None = sign * tick_keys[-1] if tick_keys else self._begin
        price = sign * price_keys[-1] if price_keys else sqrt_price_at_tick(self._begin)
        for _ in range(len(costs) or _FIRST_RANGES):
            if stop is None:
                break
            liquidity.append(ladder.liquidity_from(stop, down))
            stop = ladder.stop_after(stop, down)
            start, price = price, self._last_price if stop is None else sqrt_price_at_tick(stop)
            step = full_step(start, price, liquidity[-1], self.fee_pips, down)
            cost, amount_out, fee = cost + step.cost, amount_out + step.amount_out, fee + step.fee
            costs.append(cost)
            outputs.append(amount_out)
            fees.append(fee)
            tick_keys.append(sign * (self._last_tick if stop is None else stop))
            price_keys.append(sign * price)
        self.sums = Sums(costs, outputs, fees, tick_keys, price_keys, liquidity, stop is None)
        return self.sums
