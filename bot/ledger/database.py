"""Opening a ledger, and transactions on it: durable, and of the right chain and schema."""

from asyncio import Lock
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol, Self

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.errors import LedgerMismatchError, LedgerUnavailableError
from bot.ledger import migration, schema
from bot.ledger.address import LedgerAddress, LedgerPlace
from bot.ledger.direct import Question
from bot.ledger.engines import driver_of, engine_for, for_notes, for_writing, reader_of, unhurried
from bot.ledger.faults import told
from bot.ledger.sqlite import SqliteConnection

_PLANNING = 0x51A1CF
"""Key of PostgreSQL's lock that keeps two transactions from planning one action both."""


class Fence(Protocol):
    """Stands before every write of a process that needs a lease for it."""

    async def check(self, connection: AsyncConnection) -> None:
        """Raise `bot.errors.LeaseLostError` unless this process may write, until the transaction ends."""
        ...


class Database:
    """A database with the ledger's tables. Open it with `write` or `read`."""

    def __init__(self, address: LedgerAddress, engine: AsyncEngine) -> None:
        self.address = address
        self.fence: Fence | None = None
        self._engine = engine
        self._writing = for_writing(engine)
        self._noting = for_notes(engine)
        self._reader: SqliteConnection | None = None
        self._opening = Lock()

    @classmethod
    async def write(cls, place: LedgerPlace, *, chain_id: int, genesis_hash: str) -> Self:
        """Open for writing; a new database gets its tables, an older one the revisions that it lacks.

        Raises
        ------
        LedgerMismatchError
            If it is of another chain: a development node that was started anew is another chain though
            its id is the same, which the genesis hash tells.
        LedgerNewerError
            If a newer program has changed its tables.
        LedgerHalfMigratedError
            If its tables are not those of the revision that it names.
        LedgerUnavailableError
            If it cannot be opened, is locked or full, or is no ledger.
        """
        address = LedgerAddress.of(place)
        with told(address.label):
            if address.path is not None:
                address.path.parent.mkdir(parents=True, exist_ok=True)
        database = cls(address, engine_for(address, writable=True))
        async with AsyncExitStack() as undo:
            undo.push_async_callback(database.close)
            async with database.writing() as connection:
                await connection.run_sync(migration.bring_up, address.label)
                await database._claim(connection, f"{chain_id}, genesis {genesis_hash}")
            undo.pop_all()
        return database

    @classmethod
    async def amend(cls, place: LedgerPlace) -> Self:
        """Open a ledger that is there, to add an operator's word beside a keeper that writes.

        Raises
        ------
        LedgerNewerError, LedgerOutdatedError, LedgerHalfMigratedError, LedgerUnavailableError
            As `read`.
        """
        return await cls._existing(place, writable=True)

    @classmethod
    async def read(cls, place: LedgerPlace) -> Self:
        """Open for reading, beside a keeper that writes.

        Raises
        ------
        LedgerNewerError, LedgerOutdatedError
            If its tables are those of another program.
        LedgerHalfMigratedError
            If its tables are not those of the revision that it names.
        LedgerUnavailableError
            If there is no such database or it is no ledger.
        """
        return await cls._existing(place, writable=False)

    @classmethod
    async def _existing(cls, place: LedgerPlace, *, writable: bool) -> Self:
        address = LedgerAddress.of(place)
        if address.path is not None and not address.path.is_file():
            raise LedgerUnavailableError(address.label, "there is no such file")
        database = cls(address, engine_for(address, writable=writable))
        async with AsyncExitStack() as undo:
            undo.push_async_callback(database.close)
            async with database.transaction() as connection:
                await connection.run_sync(migration.check, address.label)
            undo.pop_all()
        return database

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Run statements that read as one transaction.

        Raises
        ------
        LedgerUnavailableError
            If the database fails.
        """
        with told(self.address.label):
            async with self._engine.begin() as connection:
                yield connection

    async def ask(self, question: Question, **values: Any) -> Sequence[RowMapping]:
        """Return the rows that answer a question.

        Raises
        ------
        LedgerUnavailableError
            If the database fails.
        """
        reader = await self._own_reader()
        if reader is not None:
            with told(self.address.label):
                return question.of(reader, values)
        async with self.transaction() as connection:
            found: Sequence[RowMapping] = (
                (await connection.execute(question.statement, values)).mappings().all()
            )
        return found

    async def ask_within(
        self, connection: AsyncConnection, question: Question, **values: Any
    ) -> Sequence[RowMapping]:
        """Return the rows that answer a question as a transaction sees them."""
        if self.address.path is not None:
            return question.of(driver_of(connection.sync_connection), values)
        found: Sequence[RowMapping] = (await connection.execute(question.statement, values)).mappings().all()
        return found

    async def _own_reader(self) -> SqliteConnection | None:
        """Return the connection that questions have to themselves in SQLite, whose readers never wait."""
        if self._reader is None and self.address.path is not None:
            async with self._opening:
                if self._reader is None:
                    with told(self.address.label):
                        self._reader = await reader_of(self.address.path)
        return self._reader

    @asynccontextmanager
    async def writing(self, *, fenced: bool = True) -> AsyncIterator[AsyncConnection]:
        """Run statements that write as one transaction: on disk when the block ends, undone if it raises.

        Parameters
        ----------
        fenced : bool
            Whether the lease, if there is one, must be held; only the lease itself is kept without.

        Raises
        ------
        DuplicateTransactionError
            If a nonce or key would be used twice.
        LeaseLostError
            If another process may write by now.
        LedgerUnavailableError
            If the database fails.
        """
        with told(self.address.label):
            async with self._writing.begin() as connection:
                if fenced and self.fence is not None:
                    await self.fence.check(connection)
                yield connection

    @asynccontextmanager
    async def noting(self) -> AsyncIterator[AsyncConnection]:
        """Write as `writing` does, but be on disk no sooner than the next transaction of `writing` is.

        A power failure before that may take it away, as if the process had ended a little earlier: for what
        nothing outside the database rests on.

        Raises
        ------
        LeaseLostError, LedgerUnavailableError
            As `writing`.
        """
        with told(self.address.label):
            async with self._noting.begin() as connection:
                await unhurried(connection)
                if self.fence is not None:
                    await self.fence.check(connection)
                yield connection

    async def alone(self, connection: AsyncConnection) -> None:
        """Let no other transaction past this point until this one ends: what is looked at stays as it is.

        SQLite has one writer at a time anyway.
        """
        if connection.dialect.name == "postgresql":
            await connection.execute(select(func.pg_advisory_xact_lock(_PLANNING)))

    async def close(self) -> None:
        """Close every connection."""
        if self._reader is not None:
            await self._reader.close()
        await self._engine.dispose()

    async def _claim(self, connection: AsyncConnection, chain: str) -> None:
        """Compare what the ledger says of its chain; a new ledger is told."""
        query = select(schema.meta.c.value).where(schema.meta.c.name == "chain")
        found = (await connection.execute(query)).scalar()
        if found is None:
            await connection.execute(insert(schema.meta).values(name="chain", value=chain))
        elif found != chain:
            raise LedgerMismatchError(self.address.label, "chain", str(found), chain)
