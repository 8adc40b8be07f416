"""The picture of a book that snapshots share: the same until the book changes, and never an old one."""

from collections.abc import Callable

import numpy as np
import pytest

from bot.protocols.sluice.book import Book

ONE, TWO = bytes([1] * 20), bytes([2] * 20)


def filled() -> Book:
    book = Book(2)
    book.add_collateral(ONE, 0, 100)
    book.add_debt(ONE, 1, 7)
    return book


CHANGES: dict[str, Callable[[Book], object]] = {
    "collateral": lambda book: book.add_collateral(ONE, 0, 5),
    "debt": lambda book: book.add_debt(ONE, 1, 5),
    "a new account": lambda book: book.row(TWO),
    "the flag": lambda book: book.flag(0, flagged=True, epoch=3),
    "risk": lambda book: book.take_risk(0, 99),
    "quarantine": lambda book: book.quarantine(0),
    "an asset": lambda book: book.widen(3),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_of_a_book_is_in_the_next_picture_and_not_in_the_last(
    change: Callable[[Book], object],
) -> None:
    book = filled()
    before = book.frozen()
    change(book)
    after, fresh = book.frozen(), book.copy().frozen()
    assert after is not before
    assert after.accounts == fresh.accounts
    assert (after.collateral, after.debt_shares) == (fresh.collateral, fresh.debt_shares)
    assert np.array_equal(after.flagged, fresh.flagged)
    assert np.array_equal(after.risk_block, fresh.risk_block)
    assert (before.collateral[0, 0], before.debt_shares[0, 1]) == (100, 7)
    assert not before.flagged[0]


def test_a_book_that_did_not_change_is_not_copied_again() -> None:
    book = filled()
    assert book.frozen() is book.frozen()


def test_the_floats_of_a_picture_are_made_once_and_cannot_be_written_to() -> None:
    floats = filled().frozen().collateral.floats()
    book = filled()
    picture = book.frozen()
    assert picture.collateral.floats() is picture.collateral.floats()
    assert floats[0, 0] == 100.0
    with pytest.raises(ValueError, match="read-only"):
        floats[0, 0] = 1.0
    rows = np.array([0])
    assert np.array_equal(book.collateral.floats_of(rows), picture.collateral.floats_of(rows))
