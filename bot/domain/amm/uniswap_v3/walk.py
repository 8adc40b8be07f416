"""Swaps from one price in one direction: the last range by bisection, the first and last step exactly."""

from bisect import bisect_left
from typing import NamedTuple

from bot.domain.amm.uniswap_v3.path import Path, Sums
from bot.domain.amm.uniswap_v3.swap_math import full_step, partial_step_in, partial_step_out
from bot.domain.amm.uniswap_v3.tick_math import tick_at_sqrt_price
from bot.errors import LiquidityExhaustedError


class InputQuote(NamedTuple):
    """What an exact input brings, and where it leaves the pool."""

    amount_out: int
    """Output, token units, rounded down."""
    fee_paid: int
    """The part of the input that is fee, token units of the input."""
    sqrt_price_x96_after: int
    """Square-root price after the swap, Q64.96."""
    tick_after: int
    """The pool's tick after the swap: one below the price's own where it fell just to a tick it crossed."""


class OutputQuote(NamedTuple):
    """What an exact output costs, and where it leaves the pool."""

    amount_in: int
    """Input, fee included, token units, rounded up."""
    fee_paid: int
    """The part of the input that is fee, token units of the input."""
    sqrt_price_x96_after: int
    """Square-root price after the swap, Q64.96."""
    tick_after: int
    """The pool's tick after the swap."""


class PriceMove(NamedTuple):
    """What it takes to bring the pool exactly to a price."""

    amount_in: int
    """Input, fee included, token units, rounded up."""
    amount_out: int
    """Output, token units, rounded down."""
    fee_paid: int
    """The part of the input that is fee, token units of the input."""
    tick_after: int
    """The pool's tick after the swap."""


class _Sums(NamedTuple):
    cost: int
    amount_out: int
    fee: int


class Walk:
    """A swap's way from a pool's price in one direction; immutable.

    Parameters
    ----------
    path : Path
        The ladder's ranges in that direction.
    sqrt_price_x96, tick : int
        The pool's state, consistent with each other and with the path.

    Notes
    -----
    ``before`` holds the path's running sums at the pool's price, so that the sums from the price to the end
    of range ``i`` are ``costs[i] - before.cost`` and so on, for ``i >= first``.
    """

    __slots__ = ("_before", "_first", "_path", "_sqrt_price_x96", "_tick")

    def __init__(self, path: Path, sqrt_price_x96: int, tick: int) -> None:
        self._path = path
        self._sqrt_price_x96 = sqrt_price_x96
        self._tick = tick
        down = path.zero_for_one
        key = -tick if down else tick + 1  # the first stop at or below the tick, or above it
        sums = path.reaching("tick_keys", key)
        self._first = first = bisect_left(sums.tick_keys, key)
        end = path.end_price(sums, first)
        if (end > sqrt_price_x96) if down else (end < sqrt_price_x96):
            end = sqrt_price_x96  # the price lies beyond the last one a swap may reach: nothing left to move
        step = full_step(sqrt_price_x96, end, sums.liquidity[first], path.fee_pips, down)
        self._before = _Sums(
            sums.costs[first] - step.cost, sums.outputs[first] - step.amount_out, sums.fees[first] - step.fee
        )

    def quote_input(self, amount: int) -> InputQuote:
        """Return what ``amount`` of input brings; see `Pool.quote_exact_input`."""
        path, before = self._path, self._before
        reached = amount + before.cost
        sums = path.reaching("costs", reached)
        index = bisect_left(sums.costs, reached, self._first)
        if index == len(sums.costs):
            raise self._exhausted(sums, "amount_in", amount)
        if sums.costs[index] == reached:
            price, tick = path.end_price(sums, index), path.tick_beyond(sums, index)
            return InputQuote(
                sums.outputs[index] - before.amount_out, sums.fees[index] - before.fee, price, tick
            )
        price, tick, (cost, amount_out, fee) = self._entry(sums, index)
        step = partial_step_in(price, sums.liquidity[index], amount - cost, path.fee_pips, path.zero_for_one)
        after = step.sqrt_price_x96
        tick_after = tick if after == price else tick_at_sqrt_price(after)
        return InputQuote(amount_out + step.amount_out, fee + step.fee, after, tick_after)

    def quote_output(self, amount: int) -> OutputQuote:
        """Return what ``amount`` of output costs; see `Pool.quote_exact_output`."""
        path, before = self._path, self._before
        reached = amount + before.amount_out
        sums = path.reaching("outputs", reached)
        index = bisect_left(sums.outputs, reached, self._first)
        if index == len(sums.outputs):
            raise self._exhausted(sums, "amount_out", amount)
        if sums.outputs[index] == reached:
            price, tick = path.end_price(sums, index), path.tick_beyond(sums, index)
            return OutputQuote(sums.costs[index] - before.cost, sums.fees[index] - before.fee, price, tick)
        price, _, (cost, amount_out, fee) = self._entry(sums, index)
        step = partial_step_out(
            price, sums.liquidity[index], amount - amount_out, path.fee_pips, path.zero_for_one
        )
        after = step.sqrt_price_x96
        return OutputQuote(cost + step.cost, fee + step.fee, after, self._tick_after(sums, index, after))

    def move_to(self, sqrt_price_x96: int) -> PriceMove:
        """Return what brings the pool to a price at or ahead of its own; see `Pool.amount_to_price`."""
        if sqrt_price_x96 == self._sqrt_price_x96:
            return PriceMove(0, 0, 0, self._tick)
        path = self._path
        key = -sqrt_price_x96 if path.zero_for_one else sqrt_price_x96
        sums = path.reaching("price_keys", key)
        index = bisect_left(sums.price_keys, key)
        price, _, (cost, amount_out, fee) = self._entry(sums, index)
        step = full_step(price, sqrt_price_x96, sums.liquidity[index], path.fee_pips, path.zero_for_one)
        tick = self._tick_after(sums, index, sqrt_price_x96)
        return PriceMove(cost + step.cost, amount_out + step.amount_out, fee + step.fee, tick)

    def _entry(self, sums: Sums, index: int) -> tuple[int, int, _Sums]:
        """Return the price and tick at which the walk enters a range, and its sums up to there."""
        if index == self._first:
            return self._sqrt_price_x96, self._tick, _Sums(0, 0, 0)
        path, before, last = self._path, self._before, index - 1
        spent = _Sums(
            sums.costs[last] - before.cost,
            sums.outputs[last] - before.amount_out,
            sums.fees[last] - before.fee,
        )
        return path.end_price(sums, last), path.tick_beyond(sums, last), spent

    def _tick_after(self, sums: Sums, index: int, sqrt_price_x96: int) -> int:
        if sqrt_price_x96 == self._path.end_price(sums, index):
            return self._path.tick_beyond(sums, index)
        return tick_at_sqrt_price(sqrt_price_x96)

    def _exhausted(self, sums: Sums, name: str, requested: int) -> LiquidityExhaustedError:
        cost, amount_out, fee = self._before
        return LiquidityExhaustedError(
            name, requested, sums.costs[-1] - cost, sums.outputs[-1] - amount_out, sums.fees[-1] - fee
        )
