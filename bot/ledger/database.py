"""Opening a SQLite ledger: one writer, durable commits, the right version and the right chain."""

import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, Self

from sqlalchemy import event, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import (
    DuplicateTransactionError,
    LedgerInUseError,
    LedgerMismatchError,
    LedgerUnavailableError,
)
from bot.ledger import schema

_BUSY_TIMEOUT_MS = 5_000

_WRITER_PRAGMAS = (
    "PRAGMA journal_mode=WAL",  # a reader, such as `sluice status`, never blocks the keeper
    "PRAGMA synchronous=FULL",  # a commit is on disk before the next step, even if the power fails
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}",
)


class Database:
    """A SQLite file with the ledger's tables. Open it with `write` or `read`."""

    def __init__(self, path: Path, engine: AsyncEngine, lock: IO[bytes] | None) -> None:
        self._path = path
        self._engine = engine
        self._lock = lock

    @classmethod
    async def write(cls, path: Path, *, chain_id: int, genesis_hash: str) -> Self:
        """Open for writing, alone; a new file is created with its tables.

        Raises
        ------
        LedgerInUseError
            If another process has it open for writing.
        LedgerMismatchError
            If it is of another version, or another chain: a development node that was started anew is
            another chain though its id is the same, which the genesis hash tells.
        LedgerUnavailableError
            If it cannot be opened or is no ledger.
        """
        lock = _lock(path)
        database = cls(path, _engine(path, _WRITER_PRAGMAS), lock)
        try:
            async with database.transaction() as connection:
                await connection.run_sync(schema.metadata.create_all)
                await database._check(connection, "version", str(schema.SCHEMA_VERSION))
                await database._check(connection, "chain", f"{chain_id}, genesis {genesis_hash}")
        except BaseException:
            await database.close()
            raise
        return database

    @classmethod
    async def read(cls, path: Path) -> Self:
        """Open for reading, beside a keeper that writes.

        Raises
        ------
        LedgerMismatchError
            If it is of another version.
        LedgerUnavailableError
            If there is no such file or it is no ledger.
        """
        if not path.is_file():  # noqa: ASYNC240  # one stat at start-up
            raise LedgerUnavailableError(str(path), "there is no such file")
        engine = _engine(path, ("PRAGMA query_only=ON", f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}"))
        database = cls(path, engine, None)
        try:
            async with database.transaction() as connection:
                await database._check(connection, "version", str(schema.SCHEMA_VERSION))
        except BaseException:
            await database.close()
            raise
        return database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Run statements as one transaction: on disk when the block ends, undone if it raises.

        Raises
        ------
        DuplicateTransactionError
            If a nonce or key would be used twice.
        LedgerUnavailableError
            If the database fails.
        """
        try:
            async with self._engine.begin() as connection:
                yield connection
        except IntegrityError as error:
            raise DuplicateTransactionError(str(error.orig)) from error
        except DBAPIError as error:
            raise LedgerUnavailableError(str(self._path), str(error.orig)) from error

    async def close(self) -> None:
        """Close the file and let another process write."""
        await self._engine.dispose()
        if self._lock is not None:
            self._lock.close()

    async def _check(self, connection: AsyncConnection, name: str, wanted: str) -> None:
        """Compare what the ledger says of itself; a new ledger is told."""
        query = select(schema.meta.c.value).where(schema.meta.c.name == name)
        found = (await connection.execute(query)).scalar()
        if found is None:
            await connection.execute(insert(schema.meta).values(name=name, value=wanted))
        elif found != wanted:
            raise LedgerMismatchError(str(self._path), name, str(found), wanted)


def _lock(path: Path) -> IO[bytes]:
    """Hold a lock file for as long as it is open; the kernel frees it however the process ends."""
    with _as_unavailable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    lock = os.fdopen(descriptor, "r+b")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise LedgerInUseError(str(path)) from None
    return lock


@contextmanager
def _as_unavailable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerUnavailableError(str(path), error.strerror or str(error)) from error


def _engine(path: Path, pragmas: tuple[str, ...]) -> AsyncEngine:
    # One connection: statements queue in order, and the process never waits for a lock of its own.
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=1, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def _set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    return engine
