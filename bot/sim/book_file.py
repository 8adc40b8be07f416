"""Books from a CSV file.

Columns ``id,collateral_asset,collateral_amount,debt_asset,debt_amount``; amounts in whole tokens. An account
with several collaterals or debts has several rows of one id; the cells of either side may be empty.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from bot.errors import BookFileError
from bot.sim.book import Account, Book, Terms

COLUMNS = ("id", "collateral_asset", "collateral_amount", "debt_asset", "debt_amount")
MOST_ASSETS = 8
"""Collaterals, and debts, that one account may have."""


@dataclass
class _Draft:
    """An account as its rows are read."""

    line: int
    collateral: dict[str, int] = field(default_factory=dict)
    debt: dict[str, int] = field(default_factory=dict)


def read_book(path: Path, terms: Terms, smallest_borrow_wad: int) -> Book:
    """Read a book and check that the clearing house will open every account of it.

    Parameters
    ----------
    path : Path
        A CSV file.
    terms : Terms
        Of every asset listed, at the prices at which the book is seeded.
    smallest_borrow_wad : int
        Smallest debt per asset, WAD quote units.

    Raises
    ------
    BookFileError
        If a row cannot be an account: names the line, the value and the fix.
    """
    accounts = read_accounts(path, {symbol: asset.decimals for symbol, asset in terms.items()})
    for line, account in accounts:
        _check(path, line, account, terms, smallest_borrow_wad)
    return Book(tuple(account for _, account in accounts), path.name)


def read_accounts(path: Path, decimals: Mapping[str, int]) -> list[tuple[int, Account]]:
    """Read the accounts of a file, each with the line on which it begins.

    Parameters
    ----------
    path : Path
        A CSV file.
    decimals : mapping
        Decimals of every asset listed, by symbol.

    Raises
    ------
    BookFileError
        If the file cannot be read, or names an unknown asset or an amount that no account can have.
    """
    drafts: dict[str, _Draft] = {}
    for line, row in _rows(path):
        _add(path, line, row, drafts, decimals)
    if not drafts:
        raise BookFileError(path, None, 0, "the book has no account", "give at least one row")
    return [
        (draft.line, Account(name, tuple(draft.collateral.items()), tuple(draft.debt.items())))
        for name, draft in drafts.items()
    ]


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the lines of a file as cells by column."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            if tuple(header) != COLUMNS:
                fix = f"the first line must be {','.join(COLUMNS)}"
                raise BookFileError(path, 1, ",".join(header), "the header is another one", fix)
            for line, cells in enumerate(reader, start=2):
                if cells:
                    yield line, _cells(path, line, cells)
    except OSError as error:
        fix = "check the path and its permissions"
        raise BookFileError(path, None, error.strerror, "the file cannot be read", fix) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BookFileError(path, None, str(error), "the file is no CSV text", "save it as UTF-8") from error


def _cells(path: Path, line: int, cells: Sequence[str]) -> Mapping[str, str]:
    if len(cells) != len(COLUMNS):
        fix = f"give {len(COLUMNS)} cells, empty ones where nothing is held or owed"
        raise BookFileError(path, line, ",".join(cells), f"the row has {len(cells)} cells", fix)
    return dict(zip(COLUMNS, (cell.strip() for cell in cells), strict=True))


def _add(
    path: Path, line: int, row: Mapping[str, str], drafts: dict[str, _Draft], decimals: Mapping[str, int]
) -> None:
    """Add a row to its account."""
    if not row["id"]:
        raise BookFileError(path, line, "", "id is empty", "name the account")
    draft = drafts.setdefault(row["id"], _Draft(line))
    for side, amounts in (("collateral", draft.collateral), ("debt", draft.debt)):
        asset, amount = row[f"{side}_asset"].upper(), row[f"{side}_amount"]
        if not asset and not amount:
            continue
        if asset not in decimals:
            fix = f"use one of {', '.join(sorted(decimals))}"
            raise BookFileError(path, line, asset, f"{side}_asset is not listed", fix)
        if asset in amounts:
            fix = "add the amounts up in one row"
            raise BookFileError(path, line, asset, f"{side}_asset comes twice for account {row['id']!r}", fix)
        amounts[asset] = _units(path, line, f"{side}_amount", amount, decimals[asset])


def _units(path: Path, line: int, name: str, text: str, decimals: int) -> int:
    """Return whole tokens as token units."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise BookFileError(path, line, text, f"{name} is no number", "give whole tokens, as 1.5") from None
    if not amount.is_finite() or amount <= 0:
        raise BookFileError(path, line, text, f"{name} must be above zero", "give a positive amount")
    units = amount.scaleb(decimals)
    if units != units.to_integral_value() or units >= 2**128:
        fix = f"give at most {decimals} decimals, and less than 2**128 token units"
        raise BookFileError(path, line, text, f"{name} does not fit the token", fix)
    return int(units)


def _check(path: Path, line: int, account: Account, terms: Terms, smallest_borrow_wad: int) -> None:
    """Check that the clearing house will open the account."""
    if max(len(account.collateral), len(account.debt)) > MOST_ASSETS:
        raise BookFileError(path, line, account.name, f"more than {MOST_ASSETS} assets", "split the account")
    for symbol, amount in account.debt:
        value = terms[symbol].value_up(amount)
        if value < smallest_borrow_wad:
            fix = f"borrow at least {smallest_borrow_wad / 1e18:,.0f} US dollars of each asset"
            raise BookFileError(path, line, f"{value / 1e18:.2f}", f"the debt in {symbol} is too small", fix)
    limit, owed = account.borrow_limit(terms), account.weighted_debt(terms)
    if owed > limit:
        problem = (
            f"account {account.name!r} owes more than its borrow limit of {limit / 1e18:,.2f} US dollars"
        )
        fix = "add collateral or lower the debt"
        raise BookFileError(path, line, f"{owed / 1e18:.2f}", problem, fix)
