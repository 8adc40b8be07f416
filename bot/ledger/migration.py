"""Bringing a ledger's tables up to this program's, and finding out where that cannot be done.

All revisions that are missing run in one transaction, so that a crash leaves the old tables. What is found is
compared with what is declared all the same: a ledger that was restored in part, or touched by hand, is found
at the start and not at the first transaction that misses its index.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Inspector, inspect, select, text

from bot.errors import LedgerHalfMigratedError, LedgerMismatchError, LedgerNewerError, LedgerOutdatedError
from bot.ledger import schema

_FOLDER: Final = Path(__file__).parent / "migrations"

_LEGACY: Final = {"1": "0001", "2": "0002"}
"""Versions of ledgers from before there were revisions, and the revision with the same tables."""

_MIGRATING: Final = 0x51A1CE
"""Key of PostgreSQL's lock that makes two programs that start together migrate one after the other."""


def bring_up(connection: Connection, label: str) -> None:
    """Apply the revisions that a ledger lacks, within the caller's transaction, and check the result.

    Parameters
    ----------
    connection : Connection
        In a transaction that writes.
    label : str
        The ledger, as it may be shown.

    Raises
    ------
    LedgerNewerError, LedgerMismatchError, LedgerHalfMigratedError
        If it is not a ledger that this program can bring up; nothing is changed.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATING})
    current = _revision(connection, label)
    if current is None and (current := _legacy(connection, label)) is not None:
        command.stamp(_config(connection), current)
    if current != newest():
        command.upgrade(_config(connection), "head")
    _compare(connection, label)


def check(connection: Connection, label: str) -> None:
    """Refuse a ledger whose tables are not this program's; nothing is changed.

    Raises
    ------
    LedgerNewerError, LedgerOutdatedError, LedgerMismatchError, LedgerHalfMigratedError
        By how they differ.
    """
    current = _revision(connection, label) or _legacy(connection, label)
    if current != newest():
        raise LedgerOutdatedError(label, current or "none", newest())
    _compare(connection, label)


@cache
def newest() -> str:
    """Return the revision that this program writes."""
    head = _scripts().get_current_head()
    if head is None:
        raise LookupError(f"{_FOLDER} holds no revision")
    return head


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_FOLDER))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection, label: str) -> str | None:
    """Return the revision that a ledger names, if this program knows it."""
    found = MigrationContext.configure(connection).get_current_heads()
    known = {script.revision for script in _scripts().walk_revisions()}
    if strange := sorted(set(found) - known):
        raise LedgerNewerError(label, ", ".join(strange), newest())
    if len(found) > 1:
        raise LedgerHalfMigratedError(label, ", ".join(found), ["one revision"])
    return found[0] if found else None


def _legacy(connection: Connection, label: str) -> str | None:
    """Return the revision that a ledger from before there were any equals; None for an empty database."""
    present = set(inspect(connection).get_table_names())
    if not present & set(schema.metadata.tables):
        return None
    version = None
    if schema.meta.name in present:
        query = select(schema.meta.c.value).where(schema.meta.c.name == "version")
        version = connection.execute(query).scalar()
    if version is None:
        raise LedgerHalfMigratedError(label, "none", ["table alembic_version"])
    if version not in _LEGACY:
        raise LedgerMismatchError(label, "version", version, newest())
    return _LEGACY[version]


def _compare(connection: Connection, label: str) -> None:
    missing = list(_missing(inspect(connection)))
    if missing:
        raise LedgerHalfMigratedError(label, newest(), missing)


def _missing(found: Inspector) -> Iterator[str]:
    """Yield what is declared and not there."""
    tables = set(found.get_table_names())
    for table in schema.metadata.sorted_tables:
        if table.name not in tables:
            yield f"table {table.name}"
            continue
        columns = {column["name"] for column in found.get_columns(table.name)}
        yield from (
            f"column {table.name}.{column.name}" for column in table.columns if column.name not in columns
        )
        indexes = {index["name"] for index in found.get_indexes(table.name)}
        yield from (f"index {index.name}" for index in table.indexes if index.name not in indexes)
