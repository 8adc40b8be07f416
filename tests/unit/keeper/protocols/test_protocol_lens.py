"""Unpacking what the position lens packs."""

from collections.abc import Callable
from random import Random

import pytest

from bot.domain.lending import Market
from bot.protocols.sluice.lens import (
    POSITIONS,
    LensMarket,
    LensPool,
    LensPosition,
    LensTick,
    positions_data,
    unpack_columns,
    unpack_markets,
    unpack_positions,
    unpack_ticks,
)


def packed(collaterals: int, debts: int, epoch: int, flagged: int, *amounts: int) -> bytes:
    head = collaterals.to_bytes(8) + debts.to_bytes(8) + epoch.to_bytes(4) + flagged.to_bytes(1)
    return head + (900 + epoch).to_bytes(5) + b"".join(amount.to_bytes(16) for amount in amounts)


def test_calldata_is_that_of_the_abi() -> None:
    for count in (0, 1, 5):
        accounts = [bytes([index] * 20) for index in range(count)]
        assert positions_data(accounts) == POSITIONS.data([f"0x{account.hex()}" for account in accounts])


def test_amounts_belong_to_the_set_bits_lowest_first() -> None:
    data = packed(0b101, 0b10, 7, 1, 11, 22, 33) + packed(0, 0, 0, 0)
    assert unpack_positions(data, 2) == [
        LensPosition(7, True, 907, {0: 11, 2: 22}, {1: 33}),
        LensPosition(0, False, 900, {}, {}),
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


def test_columns_hold_what_single_accounts_do() -> None:
    random = Random(3)
    data, count, assets = b"", 200, 5
    for _ in range(count):
        sides = [random.getrandbits(assets) & random.getrandbits(assets) for _ in range(2)]
        used = sum(side.bit_count() for side in sides)
        amounts = [random.getrandbits(random.choice((1, 64, 128))) for _ in range(used)]
        data += packed(*sides, random.getrandbits(32), random.getrandbits(1), *amounts)
    columns, singles = unpack_columns(data, count, assets), unpack_positions(data, count)
    for row, single in enumerate(singles):
        held, owed = columns.collateral.row(row), columns.debt_shares.row(row)
        assert [single.collateral.get(i, 0) for i in range(assets)] == held
        assert [single.debt_shares.get(i, 0) for i in range(assets)] == owed
        found = (columns.epoch[row], columns.flagged[row], columns.risk_block[row])
        assert found == (single.epoch, single.flagged, single.risk_block)
    for asset_id in range(assets):
        assert columns.collateral.total(asset_id) == sum(s.collateral.get(asset_id, 0) for s in singles)
    assert list(columns.damaged) == []


def test_an_account_with_an_asset_that_is_not_listed_is_damaged_and_the_rest_is_not() -> None:
    data = packed(0b1, 0, 1, 0, 5) + packed(0b1001, 0, 2, 0, 6, 7) + packed(0b10, 0b1, 3, 0, 8, 9)
    columns = unpack_columns(data, 3, 3)
    assert list(columns.damaged) == [1]
    assert (columns.collateral.row(0), columns.collateral.row(2)) == ([5, 0, 0], [0, 8, 0])
    assert columns.debt_shares.row(2) == [9, 0, 0]


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b""])
def test_columns_of_another_length_are_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match="accounts need"):
        unpack_columns(change(packed(1, 0, 0, 0, 5)), 1, 3)


def test_a_pool_is_unpacked_with_the_signs_of_its_ticks() -> None:
    head = (7).to_bytes(20) + (-3).to_bytes(3, signed=True) + (9).to_bytes(16)
    ticks = [(-887_220, 5, 5), (60, 2**127, -(2**127))]
    data = head + b"".join(
        tick.to_bytes(3, signed=True) + gross.to_bytes(16) + net.to_bytes(16, signed=True)
        for tick, gross, net in ticks
    )
    assert unpack_ticks(data) == LensPool(7, -3, 9, [LensTick(*tick) for tick in ticks])
    with pytest.raises(ValueError, match="ends at byte"):
        unpack_ticks(data[:-1])
