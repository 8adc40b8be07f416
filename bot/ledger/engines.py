"""How each kind of database is connected to: a commit is on disk, and nobody waits for ever."""

from pathlib import Path
from typing import Final, cast

from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.ledger.address import LedgerAddress
from bot.ledger.sqlite import SqliteConnection, connected

WAIT_MS: Final = 5_000
"""Longest wait for a lock before the database breaks it off."""

_PAUSE_MS: Final = 3_000

_STATEMENT_MS: Final = 30_000
_CONNECT_S: Final = 5.0
_CONNECTIONS: Final = 4

_WRITES: Final = "ledger_writes"
"""Execution option of connections that are going to write: the level of SQLite's ``synchronous``."""
_FULL, _NORMAL = "FULL", "NORMAL"

_UNHURRIED: Final = text("SET LOCAL synchronous_commit = off")

SQLITE_WRITER: Final = (
    "PRAGMA journal_mode=WAL",  # a reader, such as `sluice status`, never blocks the keeper
    "PRAGMA synchronous=FULL",  # a commit is on disk before the next step, even if the power fails
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={WAIT_MS}",
)
_SQLITE_READER: Final = ("PRAGMA query_only=ON", f"PRAGMA busy_timeout={WAIT_MS}")

_POSTGRES: Final = {
    "application_name": "sluice",
    "synchronous_commit": "on",
    "lock_timeout": str(WAIT_MS),
    "statement_timeout": str(_STATEMENT_MS),
    # A keeper that is stopped inside a transaction would hold its locks, and a standby back, until it wakes.
    "idle_in_transaction_session_timeout": str(_PAUSE_MS),
}


def engine_for(address: LedgerAddress, *, writable: bool) -> AsyncEngine:
    """Return an engine; nothing is connected yet."""
    if address.path is not None:
        return _sqlite(address, address.path, SQLITE_WRITER if writable else _SQLITE_READER)
    settings = _POSTGRES if writable else {**_POSTGRES, "default_transaction_read_only": "on"}
    return create_async_engine(
        address.url,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": _CONNECT_S, "server_settings": settings},
    )


async def reader_of(path: Path) -> SqliteConnection:
    """Return a connection to a file of SQLite that only reads.

    Raises
    ------
    sqlite3.Error
        If it cannot be opened.
    """
    return await connected(path, _SQLITE_READER)


def for_writing(engine: AsyncEngine) -> AsyncEngine:
    """Return the same engine for transactions that write: SQLite must take its lock at their beginning.

    A transaction that reads first and asks for the lock later fails at once where another has written
    meanwhile; one that begins with the lock waits for its turn.
    """
    return engine.execution_options(**{_WRITES: _FULL})


def for_notes(engine: AsyncEngine) -> AsyncEngine:
    """Return the same engine for what need not be on disk before the next commit of `for_writing` is.

    Both databases write one log in order, and a commit that waits for the disk takes along what others have
    written there before it.
    """
    return engine.execution_options(**{_WRITES: _NORMAL})


def driver_of(connection: Connection | None) -> SqliteConnection:
    """Return SQLite's own connection under one of SQLAlchemy's that is open."""
    if connection is None:
        raise ValueError("connection closed")
    return cast("SqliteConnection", connection.connection.driver_connection)


async def unhurried(connection: AsyncConnection) -> None:
    """Let PostgreSQL's commit of this transaction not wait for the disk; see `for_notes`."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_UNHURRIED)


def _sqlite(address: LedgerAddress, path: Path, pragmas: tuple[str, ...]) -> AsyncEngine:
    # One connection: statements queue in order, and the process never waits for a lock of its own.
    engine = create_async_engine(
        address.url,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
        async_creator=lambda: connected(path, pragmas),
    )

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        level = connection.get_execution_options().get(_WRITES)
        driver = driver_of(connection)
        if driver.begin_at_once(level):
            return
        if level is None:
            connection.exec_driver_sql("BEGIN")
            return
        connection.exec_driver_sql(f"PRAGMA synchronous={level}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
