"""Uniswap V3's swap, one bitmap word at a time: slow, and as the contract does it.

It shares one function with the pool that it tests, the price of a tick, which is handed in; every step is its
own division, and there are no sums.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Q96 = 2**96
MIN_TICK, MAX_TICK = -887_272, 887_272
MIN_PRICE, MAX_PRICE = 4295128739, 1461446703485210103287273052203988822378723970342


def ceil_div(numerator: int, denominator: int) -> int:
    return (numerator + denominator - 1) // denominator


@dataclass
class Result:
    """A swap's totals."""

    amount_in: int
    amount_out: int
    fee: int
    price: int
    tick: int


class Model:
    """A pool by its ticks; ``price_at`` is the contract's tick to price function."""

    def __init__(
        self,
        price: int,
        tick: int,
        liquidity: int,
        fee: int,
        spacing: int,
        nets: Mapping[int, int],
        price_at: Callable[[int], int],
    ) -> None:
        self.state = price, tick, liquidity
        self.fee, self.spacing, self.nets, self.price_at = fee, spacing, nets, price_at

    def next_stop(self, tick: int, down: bool) -> tuple[int, bool]:
        """Return the next initialised tick within the bitmap word, or the word's edge."""
        compressed = tick // self.spacing
        if down:
            word = range(compressed, compressed // 256 * 256 - 1, -1)
        else:
            word = range(compressed + 1, (compressed + 1) // 256 * 256 + 256)
        for candidate in word:
            if candidate * self.spacing in self.nets:
                return candidate * self.spacing, True
        return word[-1] * self.spacing, False

    def swap(self, amount: int, down: bool) -> Result:
        """Swap an exact input without a price limit, as far as the axis goes."""
        price, tick, liquidity = self.state
        limit = MIN_PRICE + 1 if down else MAX_PRICE - 1
        left, paid, fees = amount, 0, 0
        while left and price != limit:
            stop, initialised = self.next_stop(tick, down)
            stop = max(MIN_TICK, min(MAX_TICK, stop))
            stop_price = self.price_at(stop)
            target = max(stop_price, limit) if down else min(stop_price, limit)
            start = price
            price, used, out, fee = self.step(price, target, liquidity, left, down)
            left, paid, fees = left - used - fee, paid + out, fees + fee
            if price == stop_price:
                if initialised:
                    liquidity += -self.nets[stop] if down else self.nets[stop]
                tick = stop - 1 if down else stop
            elif price != start:
                tick = self.tick_of(price)
        return Result(amount - left, paid, fees, price, tick)

    def step(
        self, price: int, target: int, liquidity: int, left: int, down: bool
    ) -> tuple[int, int, int, int]:
        net = left * (10**6 - self.fee) // 10**6
        needed = self.input_between(price, target, liquidity, down)
        after = target if net >= needed else self.price_after(price, liquidity, net, down)
        used = needed if after == target else self.input_between(price, after, liquidity, down)
        fee = ceil_div(used * self.fee, 10**6 - self.fee) if after == target else left - used
        low, high = min(price, after), max(price, after)
        out = liquidity * (high - low) // Q96 if down else liquidity * Q96 * (high - low) // high // low
        return after, used, out, fee

    @staticmethod
    def input_between(price: int, after: int, liquidity: int, down: bool) -> int:
        low, high = min(price, after), max(price, after)
        if down:
            return ceil_div(ceil_div(liquidity * Q96 * (high - low), high), low)
        return ceil_div(liquidity * (high - low), Q96)

    @staticmethod
    def price_after(price: int, liquidity: int, net: int, down: bool) -> int:
        if not down:
            return price + net * Q96 // liquidity
        scaled = liquidity * Q96
        if net * price < 2**256 and scaled + net * price < 2**256:
            return ceil_div(scaled * price, scaled + net * price)
        return ceil_div(scaled, scaled // price + net)

    def tick_of(self, price: int) -> int:
        low, high = MIN_TICK, MAX_TICK
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.price_at(middle) <= price else (low, middle)
        return low
