"""Unpacking what the position lens packs."""

import pytest

from bot.domain.lending import Market
from bot.protocols.sluice.lens import LensMarket, LensPosition, unpack_markets, unpack_positions


def packed(collaterals: int, debts: int, epoch: int, flagged: int, *amounts: int) -> bytes:
    head = collaterals.to_bytes(8) + debts.to_bytes(8) + epoch.to_bytes(4) + flagged.to_bytes(1)
    return head + b"".join(amount.to_bytes(16) for amount in amounts)


def test_amounts_belong_to_the_set_bits_lowest_first() -> None:
    data = packed(0b101, 0b10, 7, 1, 11, 22, 33) + packed(0, 0, 0, 0)
    assert unpack_positions(data, 2) == [
        LensPosition(7, True, {0: 11, 2: 22}, {1: 33}),
        LensPosition(0, False, {}, {}),
    ]


def test_the_highest_asset_id_is_read() -> None:
    assert unpack_positions(packed(1 << 63, 0, 0, 0, 5), 1)[0].collateral == {63: 5}


def test_data_that_is_too_short_or_too_long_is_refused() -> None:
    data = packed(1, 0, 0, 0, 5)
    with pytest.raises(ValueError, match="ends at byte"):
        unpack_positions(data[:-1], 1)
    with pytest.raises(ValueError, match="longer than 1"):
        unpack_positions(data + b"\0", 1)
    with pytest.raises(ValueError, match="ends at byte"):
        unpack_markets(bytes(9 * 16 - 1))


def test_totals_come_in_the_order_of_the_contract() -> None:
    data = b"".join(number.to_bytes(16) for number in range(1, 10))
    assert unpack_markets(data) == [LensMarket(Market(1, 2, 3, 4, 5, 6, 7, 8), 9)]
