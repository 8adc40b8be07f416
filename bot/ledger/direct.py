"""Statements that are built once and run on SQLite directly.

SQLAlchemy writes them, for either database, and knows how values are kept. Its engine takes twenty times as
long to run one as SQLite does, and some ten of them lie between a head and what is sent on it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import Insert, RowMapping, Select, Table, Update
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

from bot.ledger.sqlite import SqliteConnection

_DIALECT: Final = SQLiteDialect_aiosqlite()


class Question:
    """A statement that only reads.

    Parameters
    ----------
    statement : Select
        What is asked; its values are bound by name, and an expanding one takes a list.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self.statement: Final = statement
        columns = statement.selected_columns
        self._names: Final = tuple(str(column.key) for column in columns)
        self._readers: Final = tuple(
            column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None) for column in columns
        )
        self._compiled: Final = statement.compile(dialect=_DIALECT)
        self._expands: Final = bool(self._compiled.post_compile_params)
        self._sql: Final = str(self._compiled)
        self._order: Final = tuple(self._compiled.positiontup or ())
        self._constants: Final = self._compiled.params

    def of(self, connection: SqliteConnection, values: Mapping[str, Any]) -> list[RowMapping]:
        """Return the rows as a connection to SQLite sees them now, each by the names of its columns.

        Raises
        ------
        sqlite3.Error
            If the database fails.
        """
        rows = [self._read(row) for row in connection.fetch(*self._written(values))]
        return cast("list[RowMapping]", rows)

    def _written(self, values: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
        """Return the statement in SQLite's words, and its parameters in order."""
        if self._expands:
            expanded = self._compiled.construct_expanded_state(dict(values))
            return expanded.statement, expanded.positional_parameters
        given = {**self._constants, **values}
        return self._sql, [given[name] for name in self._order]

    def _read(self, row: Sequence[Any]) -> dict[str, Any]:
        return {
            name: value if read is None else read(value)
            for name, read, value in zip(self._names, self._readers, row, strict=True)
        }


class Change:
    """An insert or update that is run for one row after the other.

    Parameters
    ----------
    statement : Insert or Update
        What is done; the values of a row are bound by name.
    table : Table
        To which.
    names : tuple of str
        Columns that every row names.
    """

    def __init__(self, statement: Insert | Update, table: Table, names: tuple[str, ...]) -> None:
        compiled = statement.compile(dialect=_DIALECT, column_keys=list(names))
        self._sql: Final = str(compiled)
        self._order: Final = tuple(compiled.positiontup or ())
        self._writers: Final = tuple(_writer(table, name) for name in self._order)

    def on(self, connection: SqliteConnection, rows: Iterable[Mapping[str, Any]]) -> list[int]:
        """Run it in the transaction of a connection; return the id of each row that was inserted.

        Raises
        ------
        sqlite3.Error
            If the database fails, or refuses a row.
        """
        return [connection.run(self._sql, self._written(row)) for row in rows]

    def _written(self, row: Mapping[str, Any]) -> list[Any]:
        return [
            row[name] if write is None else write(row[name])
            for name, write in zip(self._order, self._writers, strict=True)
        ]


def _writer(table: Table, name: str) -> Callable[[Any], Any] | None:
    """Return how a column's values are written, or None if as they are."""
    column = table.columns.get(name)
    return None if column is None else column.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
