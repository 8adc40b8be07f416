"""A Uniswap V3 pool kept from its logs: price from ``Swap``, liquidity by tick from ``Mint`` and ``Burn``."""

from collections.abc import Iterable
from typing import Any, Final

from bot import abi
from bot.domain.amm.uniswap_v3 import Pool
from bot.errors import BookDivergedError
from bot.protocols.events import Event, EventDecoder

_TRAIL_S: Final = 600
"""Seconds over which a mean price can be told."""

POOL_EVENTS: Final = EventDecoder(abi.load("uniswap_v3_pool"), ["Initialize", "Swap", "Mint", "Burn"])


class PoolBook:
    """A pool's state after every log so far.

    Parameters
    ----------
    address : bytes
        Of the pool, 20 bytes.
    token0, token1 : int
        Asset ids of its tokens.
    fee_pips, tick_spacing : int
        As in the pool.
    """

    __slots__ = (
        "_gross",
        "_liquidity",
        "_net",
        "_pool",
        "_sqrt_price",
        "_stale_ticks",
        "_tick",
        "_trail",
        "address",
        "fee_pips",
        "tick_spacing",
        "token0",
        "token1",
    )

    def __init__(self, address: bytes, token0: int, token1: int, fee_pips: int, tick_spacing: int) -> None:
        self.address: Final = address
        self.token0: Final = token0
        self.token1: Final = token1
        self.fee_pips: Final = fee_pips
        self.tick_spacing: Final = tick_spacing
        self._sqrt_price = 0
        self._tick = 0
        self._liquidity = 0
        self._trail: tuple[tuple[int, int], ...] = ()
        self._gross: dict[int, int] = {}
        self._net: dict[int, int] = {}
        self._stale_ticks = True
        self._pool: Pool | None = None

    def copy(self) -> "PoolBook":
        """Return a copy that changes on its own."""
        twin = PoolBook(self.address, self.token0, self.token1, self.fee_pips, self.tick_spacing)
        twin._sqrt_price, twin._tick, twin._liquidity = self._sqrt_price, self._tick, self._liquidity
        twin._trail = self._trail
        twin._gross, twin._net = dict(self._gross), dict(self._net)
        twin._stale_ticks, twin._pool = self._stale_ticks, self._pool
        return twin

    def parts(self) -> dict[str, Any]:
        """Return what `restored` takes."""
        return {
            "address": self.address,
            "token0": self.token0,
            "token1": self.token1,
            "fee_pips": self.fee_pips,
            "tick_spacing": self.tick_spacing,
            "sqrt_price": self._sqrt_price,
            "tick": self._tick,
            "liquidity": self._liquidity,
            "trail": self._trail,
            "ticks": [(tick, gross, self._net[tick]) for tick, gross in self._gross.items()],
        }

    @classmethod
    def restored(
        cls,
        address: bytes,
        token0: int,
        token1: int,
        fee_pips: int,
        tick_spacing: int,
        sqrt_price: int,
        tick: int,
        liquidity: int,
        ticks: Iterable[tuple[int, int, int]],
        trail: Iterable[tuple[int, int]],
    ) -> "PoolBook":
        """Return a pool from its `parts`."""
        pool = cls(address, token0, token1, fee_pips, tick_spacing)
        pool.place(sqrt_price, tick, liquidity, ticks)
        pool._trail = tuple((since, was) for since, was in trail)
        return pool

    def place(
        self, sqrt_price: int, tick: int, liquidity: int, ticks: Iterable[tuple[int, int, int]]
    ) -> None:
        """Take price and liquidity as read from the pool, and more of its initialised ticks.

        Parameters
        ----------
        sqrt_price, tick, liquidity : int
            As in the pool.
        ticks : iterable of (tick, gross, net)
            Liquidity that refers to each tick, and that begins at it.
        """
        self._sqrt_price, self._tick, self._liquidity = sqrt_price, tick, liquidity
        for place, gross, net in ticks:
            self._gross[place], self._net[place] = gross, net
        self._stale_ticks = True

    def apply(self, event: Event, timestamp: int) -> None:
        """Bring the state forward by one log, in the order of the chain.

        Parameters
        ----------
        event : Event
            Of the pool.
        timestamp : int
            Of its block, unix seconds; zero where it is long past.

        Raises
        ------
        BookDivergedError
            If liquidity is taken from where none was placed: logs are missing.
        """
        fields = event.fields
        if event.name in ("Initialize", "Swap"):
            self._sqrt_price = fields["sqrtPriceX96"]
            self._tick = fields["tick"]
            self._liquidity = fields.get("liquidity", 0)
            self._tread(timestamp)
            if self._pool is not None and not self._stale_ticks:
                self._pool = self._pool.with_price(self._sqrt_price, self._tick, self._liquidity)
            return
        amount = fields["amount"]
        if amount:
            signed = amount if event.name == "Mint" else -amount
            self._change(fields["tickLower"], fields["tickUpper"], signed)

    def _change(self, lower: int, upper: int, amount: int) -> None:
        for tick, net in ((lower, amount), (upper, -amount)):
            gross = self._gross.get(tick, 0) + amount
            if gross < 0:
                raise BookDivergedError(
                    f"liquidity of pool 0x{self.address.hex()} at tick {tick}", gross, "at least 0"
                )
            if gross:
                self._gross[tick] = gross
                self._net[tick] = self._net.get(tick, 0) + net
            else:
                del self._gross[tick], self._net[tick]
        if lower <= self._tick < upper:
            self._liquidity += amount
        self._stale_ticks = True

    def _tread(self, timestamp: int) -> None:
        """Note the tick from ``timestamp`` on, and forget all but the last of those before the trail."""
        before = [entry for entry in self._trail if entry[0] != timestamp]
        recent = [entry for entry in before if entry[0] > timestamp - _TRAIL_S]
        self._trail = (*before[-len(recent) - 1 :], (timestamp, self._tick))

    def mean_tick(self, timestamp: int, window: int) -> int:
        """Return the pool's time-weighted mean tick up to ``timestamp``, rounded down.

        What is not known of the window, as after a start from the chain, counts as the first that is known.

        Parameters
        ----------
        timestamp : int
            Unix seconds, at or after the last log.
        window : int
            Seconds, above zero and at most ten minutes.
        """
        weighted, until = 0, timestamp
        for since, tick in reversed(self._trail):
            start = max(since, timestamp - window)
            weighted += tick * max(until - start, 0)
            until = min(until, start)
        earliest = self._trail[0][1] if self._trail else self._tick
        return (weighted + earliest * (until - (timestamp - window))) // window

    @property
    def started(self) -> bool:
        """Whether the pool has a price."""
        return self._sqrt_price != 0

    def pool(self) -> Pool:
        """Return the pool for quoting; built anew only after positions changed.

        Raises
        ------
        InvalidInputError
            If the pool was never initialised, or logs are missing.
        """
        if self._pool is None or self._stale_ticks:
            self._pool = Pool(
                self._sqrt_price, self._tick, self._liquidity, self.fee_pips, self.tick_spacing, self._net
            )
            self._stale_ticks = False
        return self._pool
