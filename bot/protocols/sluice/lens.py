"""Reads packed positions and totals from the chain, to hold the book against them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from bot.domain.lending import Market
from bot.protocols.sluice.calls import Function

POSITIONS: Final = Function("position_lens", "positions")
MARKETS: Final = Function("position_lens", "markets")

_AMOUNT: Final = 16


class LensPosition(NamedTuple):
    """An account as the lens packs it; amounts by asset id, zeros left out."""

    epoch: int
    flagged: bool
    collateral: dict[int, int]
    debt_shares: dict[int, int]


class LensMarket(NamedTuple):
    """Totals with interest, and the price, zero where the oracle refuses it."""

    market: Market
    price: int


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

    @property
    def ended(self) -> bool:
        return self._offset == len(self._data)


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
        epoch, flagged = cursor.integer(4), cursor.integer(1) != 0
        held = {bit: cursor.integer(_AMOUNT) for bit in _bits(collaterals)}
        owed = {bit: cursor.integer(_AMOUNT) for bit in _bits(debts)}
        found.append(LensPosition(epoch, flagged, held, owed))
    if not cursor.ended:
        raise ValueError(f"packed data is longer than {count} accounts need")
    return found


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
