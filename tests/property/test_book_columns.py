"""Columns of 128-bit integers, and the book on them, against plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.uint128 import UInt128Array
from bot.errors import InvalidInputError
from bot.protocols.sluice.book import Book

amounts = st.one_of(
    st.integers(0, 2**128 - 1),
    st.sampled_from([0, 1, 2**64 - 1, 2**64, 2**64 + 1, 2**127, 2**128 - 1]),
)
cells = st.tuples(st.integers(0, 4), st.integers(0, 2))


@given(st.lists(st.tuples(cells, amounts), max_size=30))
def test_cells_hold_what_was_written(writes: list[tuple[tuple[int, int], int]]) -> None:
    array, model = UInt128Array.zeros(5, 3), dict.fromkeys(((r, c) for r in range(5) for c in range(3)), 0)
    for cell, amount in writes:
        array[cell] = amount
        model[cell] = amount
    assert all(array[cell] == amount for cell, amount in model.items())
    assert [array.row(r) for r in range(5)] == [[model[r, c] for c in range(3)] for r in range(5)]
    floats = array.floats()
    assert all(floats[cell] == pytest.approx(amount, rel=2**-51) for cell, amount in model.items())


@given(cells, st.one_of(st.integers(max_value=-1), st.integers(min_value=2**128)))
def test_what_does_not_fit_is_refused(cell: tuple[int, int], amount: int) -> None:
    array = UInt128Array.zeros(5, 3)
    with pytest.raises(InvalidInputError, match=str(amount)):
        array[cell] = amount
    assert array[cell] == 0


@given(cells, amounts, amounts)
def test_copies_change_on_their_own(cell: tuple[int, int], first: int, second: int) -> None:
    array = UInt128Array.zeros(5, 3)
    array[cell] = first
    copy, frozen, grown = array.copy(), array.frozen(5), array.resized(9, 4)
    array[cell] = second
    assert (copy[cell], frozen[cell], grown[cell]) == (first, first, first)
    assert copy == frozen
    assert (copy == array) == (first == second)
    with pytest.raises(ValueError, match="read-only"):
        frozen[cell] = second


accounts = st.integers(0, 600).map(lambda n: n.to_bytes(20))


@given(
    st.lists(st.tuples(accounts, st.integers(0, 1), st.integers(0, 10**30)), max_size=60), st.integers(0, 60)
)
@settings(max_examples=60, deadline=None)
def test_a_book_adds_up_across_growth_and_copies(
    deposits: list[tuple[bytes, int, int]], copied_at: int
) -> None:
    book, model = Book(2), dict[tuple[bytes, int], int]()
    for filler in range(300):  # past the rows that a book starts with
        book.row((10_000 + filler).to_bytes(20))
    earlier = before = None
    for step, (account, asset_id, amount) in enumerate(deposits):
        if step == copied_at:
            earlier, before = book.copy(), dict(model)
        book.add_collateral(account, asset_id, amount)
        book.add_debt(account, asset_id, 2 * amount)
        model[account, asset_id] = model.get((account, asset_id), 0) + amount
    for (account, asset_id), amount in model.items():
        assert book.collateral[book.row(account), asset_id] == amount
        assert book.debt_shares[book.row(account), asset_id] == 2 * amount
    if earlier is not None and before is not None:
        for account, asset_id in model:
            row = earlier.row(account)
            assert row == book.row(account)
            assert earlier.collateral[row, asset_id] == before.get((account, asset_id), 0)


def test_more_accounts_than_the_first_rows_are_kept() -> None:
    book = Book(1)
    for number in range(1_000):
        book.add_collateral(number.to_bytes(20), 0, number)
    positions = book.frozen()
    assert len(positions.accounts) == 1_000
    assert np.array_equal(positions.collateral.floats()[:, 0], np.arange(1_000))


def test_a_balance_below_zero_is_refused() -> None:
    book = Book(1)
    book.add_collateral(b"\1" * 20, 0, 5)
    with pytest.raises(InvalidInputError, match="-1"):
        book.add_collateral(b"\1" * 20, 0, -6)
    assert book.collateral[0, 0] == 5


def test_listing_widens_the_book_and_keeps_what_is_there() -> None:
    book = Book(1)
    book.add_debt(b"\1" * 20, 0, 7)
    book.widen(3)
    assert book.debt_shares.row(0) == [7, 0, 0]
