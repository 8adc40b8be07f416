"""The pools during one head's decisions: what earlier ones will sell, later ones find sold."""

from collections.abc import Iterable
from copy import copy
from typing import Final, NamedTuple

from bot.domain.amm.uniswap_v3 import Pool, sqrt_price_at_tick
from bot.domain.wad import mul_div_up
from bot.errors import LiquidityExhaustedError
from bot.strategy.snapshot import PoolView

PIPS: Final = 1_000_000
_Q96: Final = 2**96


class Quote(NamedTuple):
    """What a sale brings, and where it leaves the pool."""

    amount_out: int
    sqrt_price_x96: int
    tick: int


class Market(NamedTuple):
    """One direction of a pool.

    Parameters
    ----------
    address : bytes
        Of the pool.
    pool : Pool
        Its state now.
    zero_for_one : bool
        Whether the collateral is token0.
    mean_tick : int or None
        Time-weighted mean tick that the engine holds against the oracle; None where it is not known.
    found : Pool or None
        Its state where the transaction in the making finds it; None where nothing in it has moved the pool.
    """

    address: bytes
    pool: Pool
    zero_for_one: bool
    mean_tick: int | None = None
    found: Pool | None = None

    def quote(self, amount: int) -> Quote | None:
        """Return what selling exactly ``amount`` brings, wei for wei; None if the pool cannot take it."""
        try:
            quote = self.pool.quote_exact_input(amount, self.zero_for_one)
        except LiquidityExhaustedError:
            return None
        return Quote(quote.amount_out, quote.sqrt_price_x96_after, quote.tick_after)

    def at_spot(self, amount: int) -> int:
        """Return what ``amount`` would bring at the marginal price after fees, as the venue tells the engine.

        Rounding: UP at each step, because it bounds any sale from above.
        """
        net = mul_div_up(amount, PIPS - self.pool.fee_pips, PIPS)
        return self._at(net, self.pool.sqrt_price_x96)

    def at_found(self, amount: int) -> int:
        """Return the same at the price at which the transaction finds the pool. Rounding: UP."""
        pool = self.found or self.pool
        return self._at(mul_div_up(amount, PIPS - pool.fee_pips, PIPS), pool.sqrt_price_x96)

    def at_mean(self, amount: int) -> int | None:
        """Return what ``amount`` is worth at the pool's mean price, before fees; None if not known."""
        return None if self.mean_tick is None else self._at(amount, sqrt_price_at_tick(self.mean_tick))

    def _at(self, amount: int, sqrt_price: int) -> int:
        numerator, divisor = (sqrt_price, _Q96) if self.zero_for_one else (_Q96, sqrt_price)
        return mul_div_up(mul_div_up(amount, numerator, divisor), numerator, divisor)


class Board:
    """Pools by pair, moved by each sale that was decided.

    Parameters
    ----------
    pools : iterable of PoolView
        As of the head.
    """

    def __init__(self, pools: Iterable[PoolView]) -> None:
        self._pools = {view.address: view.pool for view in pools}
        self._means: Final = {view.address: view.mean_tick for view in pools}
        self._found: dict[bytes, Pool] = {}
        self._pairs: Final[dict[tuple[int, int], list[tuple[bytes, bool]]]] = {}
        for view in pools:
            self._pairs.setdefault((view.token0, view.token1), []).append((view.address, True))
            self._pairs.setdefault((view.token1, view.token0), []).append((view.address, False))

    def markets(self, sold: int, bought: int) -> list[Market]:
        """Return the pools in which one asset can be sold for another, by address."""
        found = sorted(self._pairs.get((sold, bought), []))
        return [
            Market(place, self._pools[place], forward, self._means[place], self._found.get(place))
            for place, forward in found
        ]

    def branch(self) -> "Board":
        """Return a copy for one transaction of several sales, which remembers how it found what it moves."""
        other = copy(self)
        other._pools, other._found = dict(self._pools), dict(self._pools)
        return other

    def sell(self, market: Market, quote: Quote) -> None:
        """Move a pool to where a decided sale will leave it."""
        self._pools[market.address] = market.pool.with_price(quote.sqrt_price_x96, quote.tick)
