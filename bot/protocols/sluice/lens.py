"""Reads packed positions, totals and ticks from the chain, to fill a book or to hold one against them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.domain.lending import Market
from bot.domain.uint128 import UInt128Array
from bot.protocols.sluice.calls import Function

POSITIONS: Final = Function("position_lens", "positions")
MARKETS: Final = Function("position_lens", "markets")

TICKS: Final = Function("position_lens", "ticks")

_AMOUNT: Final = 16
_HEADER: Final = 26
_MOST_ASSETS: Final = 64
_PADDING: Final = bytes(12)
_POSITIONS_SELECTOR: Final = POSITIONS.data([])[:4]


class LensPosition(NamedTuple):
    """An account as the lens packs it; amounts by asset id, zeros left out."""

    epoch: int
    flagged: bool
    risk_block: int
    collateral: dict[int, int]
    debt_shares: dict[int, int]


class LensMarket(NamedTuple):
    """Totals with interest, and the price, zero where the oracle refuses it."""

    market: Market
    price: int


class LensColumns(NamedTuple):
    """Many accounts as the lens packs them, in columns: row by account, column by asset id.

    Parameters
    ----------
    collateral, debt_shares : UInt128Array
        Token units, and shares of the asset's debt.
    flagged, epoch, risk_block : (n,) array
        As in the clearing house.
    damaged : sequence of int
        Rows that use an asset which is not listed: nothing of them can be trusted.
    """

    collateral: UInt128Array
    debt_shares: UInt128Array
    flagged: npt.NDArray[np.bool_]
    epoch: npt.NDArray[np.int64]
    risk_block: npt.NDArray[np.int64]
    damaged: Sequence[int]


class LensTick(NamedTuple):
    """An initialised tick: liquidity that refers to it, and liquidity that begins at it."""

    tick: int
    gross: int
    net: int


class LensPool(NamedTuple):
    """A pool's price and liquidity, and its initialised ticks."""

    sqrt_price: int
    tick: int
    liquidity: int
    ticks: Sequence[LensTick]


class _Cursor:
    """Reads big-endian integers one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def integer(self, size: int) -> int:
        chunk = self._data[self._offset : self._offset + size]
        if len(chunk) != size:
            raise ValueError(f"packed data ends at byte {len(self._data)}, {size} more are due")
        self._offset += size
        return int.from_bytes(chunk)

    def signed(self, size: int) -> int:
        value = self.integer(size)
        return value - (1 << 8 * size) if value >> 8 * size - 1 else value

    @property
    def ended(self) -> bool:
        return self._offset == len(self._data)


def positions_data(accounts: Sequence[bytes]) -> bytes:
    """Return the calldata of ``positions``, by hand: a general encoder takes a hundred times as long."""
    words = b"".join([_PADDING + account for account in accounts])
    return _POSITIONS_SELECTOR + (32).to_bytes(32) + len(accounts).to_bytes(32) + words


def without_clock(market: Market) -> Market:
    """Return totals as the lens gives them: without the time of the last accrual."""
    return replace(market, last_accrual=0)


def _bits(bitmap: int) -> Iterator[int]:
    return (bit for bit in range(bitmap.bit_length()) if bitmap >> bit & 1)


def unpack_positions(data: bytes, count: int) -> list[LensPosition]:
    """Return ``count`` accounts from the answer of ``positions``.

    Raises
    ------
    ValueError
        If the data is longer or shorter than that.
    """
    cursor = _Cursor(data)
    found = []
    for _ in range(count):
        collaterals, debts = cursor.integer(8), cursor.integer(8)
        epoch, flagged, risk_block = cursor.integer(4), cursor.integer(1) != 0, cursor.integer(5)
        held = {bit: cursor.integer(_AMOUNT) for bit in _bits(collaterals)}
        owed = {bit: cursor.integer(_AMOUNT) for bit in _bits(debts)}
        found.append(LensPosition(epoch, flagged, risk_block, held, owed))
    if not cursor.ended:
        raise ValueError(f"packed data is longer than {count} accounts need")
    return found


def unpack_columns(data: bytes, count: int, assets: int) -> LensColumns:
    """Return ``count`` accounts from the answer of ``positions``, thousands at a time.

    Parameters
    ----------
    data : bytes
        The answer.
    count, assets : int
        Accounts asked for, and listed assets.

    Raises
    ------
    ValueError
        If the data is longer or shorter than its bitmaps say.
    """
    starts = _starts(data, count)
    buffer = np.frombuffer(data + bytes(_AMOUNT), np.uint8)
    headers = buffer[starts[:, None] + np.arange(_HEADER)]
    sides = [_big_endian(headers[:, first : first + 8]) for first in (0, 8)]
    held, owed = UInt128Array.zeros(count, assets), UInt128Array.zeros(count, assets)
    ends = starts + _HEADER
    for table, bitmap in zip((held, owed), sides, strict=True):
        for asset_id in range(_MOST_ASSETS):
            rows = np.flatnonzero(bitmap >> np.uint64(asset_id) & np.uint64(1))
            if len(rows) == 0:
                continue
            if asset_id < assets:
                words = buffer[ends[rows, None] + np.arange(_AMOUNT)]
                table.put(rows, asset_id, _big_endian(words[:, :8]), _big_endian(words[:, 8:]))
            ends[rows] += _AMOUNT
    beyond = (sides[0] | sides[1]) >> np.uint64(assets) if assets < _MOST_ASSETS else np.zeros(count)
    return LensColumns(
        held,
        owed,
        headers[:, 20] != 0,
        _big_endian(headers[:, 16:20]).astype(np.int64),
        _big_endian(headers[:, 21:26]).astype(np.int64),
        np.flatnonzero(beyond).tolist(),
    )


def _starts(data: bytes, count: int) -> npt.NDArray[np.int64]:
    """Return where each account begins; how long one is follows from its bitmaps."""
    starts, offset = np.empty(count, np.int64), 0
    for index in range(count):
        starts[index] = offset
        used = int.from_bytes(data[offset : offset + 16]).bit_count()
        offset += _HEADER + _AMOUNT * used
    if offset != len(data):
        raise ValueError(f"packed data has {len(data)} bytes, {count} accounts need {offset}")
    return starts


def _big_endian(words: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Return the integer of each row of at most 8 bytes."""
    value = np.zeros(len(words), np.uint64)
    for column in range(words.shape[1]):
        value = value << np.uint64(8) | words[:, column]
    return value


def unpack_ticks(data: bytes) -> LensPool:
    """Return a pool from the answer of ``ticks``.

    Raises
    ------
    ValueError
        If the data ends within a tick.
    """
    cursor = _Cursor(data)
    sqrt_price, tick, liquidity = cursor.integer(20), cursor.signed(3), cursor.integer(_AMOUNT)
    found = []
    while not cursor.ended:
        found.append(LensTick(cursor.signed(3), cursor.integer(_AMOUNT), cursor.signed(_AMOUNT)))
    return LensPool(sqrt_price, tick, liquidity, found)


def unpack_markets(data: bytes) -> list[LensMarket]:
    """Return every asset from the answer of ``markets``, by asset id.

    Raises
    ------
    ValueError
        If the data is no whole number of assets.
    """
    cursor = _Cursor(data)
    found = []
    while not cursor.ended:
        totals = [cursor.integer(_AMOUNT) for _ in range(8)]
        found.append(LensMarket(Market(*totals), cursor.integer(_AMOUNT)))
    return found
