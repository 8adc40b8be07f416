"""Rows as they come out of the database, checked: somebody may have edited it, or a disk may have."""

from collections.abc import Callable, Iterable
from functools import cache, wraps
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import RowMapping, String, Table

from bot.errors import LedgerCorruptError

_log = structlog.get_logger(__name__)

_T = TypeVar("_T")

_HEX: Final = frozenset("0123456789abcdefABCDEF")
_HEX_LENGTHS: Final = frozenset({42, 66})
"""Text of these lengths holds addresses and hashes."""

_SIGNED: Final = frozenset({"expected_profit", "realised_profit", "worth", "edge_bps"})
"""Whole numbers that may be below zero."""


def reads(table: Table, *names: str) -> Callable[[Callable[[RowMapping], _T]], Callable[[RowMapping], _T]]:
    """Check the rows of a table before a value is made of them, and tell which it was if that fails.

    The function that is decorated raises `bot.errors.LedgerCorruptError` if a column holds what its type does
    not, or if it refuses what a column holds.

    Parameters
    ----------
    table : Table
        Whose rows.
    names : str
        The columns that are read, its key among them; all where none is named.
    """

    def with_checks(build: Callable[[RowMapping], _T]) -> Callable[[RowMapping], _T]:
        @wraps(build)
        def checked(row: RowMapping) -> _T:
            for name, kind, nullable, length in _columns(table):
                if names and name not in names:
                    continue
                if not (row[name] is None and nullable):
                    _check(table, row, name, kind, length)
            try:
                return build(row)
            except (TypeError, ValueError, KeyError) as error:
                raise LedgerCorruptError(table.name, _key(table, row), str(error)) from error

        return checked

    return with_checks


def readable(build: Callable[[RowMapping], _T], rows: Iterable[RowMapping]) -> list[_T]:
    """Return what the rows hold, without those that are damaged: each of them is told, and passed over.

    For what can be done without, such as a book that can be read from the chain again.
    """
    found: list[_T] = []
    for row in rows:
        try:
            found.append(build(row))
        except LedgerCorruptError as error:
            _log.error("row_refused", table=error.table, row=error.row, reason=error.detail)
    return found


def _check(table: Table, row: RowMapping, name: str, kind: type[Any], length: int) -> None:
    value = row[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        problem = f"{name} is {value!r}, not of type {kind.__name__}"
    elif kind is int and value < 0 and name not in _SIGNED:
        problem = f"{name} is {value}, below zero"
    elif length and not _is_hex(value, length):
        problem = f"{name} is {value!r}, not 0x and {length - 2} hex digits"
    else:
        return
    raise LedgerCorruptError(table.name, _key(table, row), problem)


def _key(table: Table, row: RowMapping) -> str:
    return "/".join(str(row[column.name]) for column in table.primary_key)


@cache
def _columns(table: Table) -> tuple[tuple[str, type[Any], bool, int], ...]:
    """Return name, type, whether it may be empty, and the length of hex data, of each column."""
    return tuple(
        (column.name, column.type.python_type, bool(column.nullable), _hex_length(column.type))
        for column in table.columns
    )


def _hex_length(kind: Any) -> int:
    return kind.length if isinstance(kind, String) and kind.length in _HEX_LENGTHS else 0


def _is_hex(value: str, length: int) -> bool:
    return len(value) == length and value.startswith("0x") and _HEX.issuperset(value[2:])
