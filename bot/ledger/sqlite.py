"""SQLite for SQLAlchemy's asyncio, with a thread only for what may wait.

A statement in SQLite takes microseconds; handing each to a thread and its answer back takes many times as
long, and a transaction has a dozen such steps. Here statements run where they are called. Only what can wait
goes to a thread of the connection's own: opening it, taking the write lock while another process holds it,
and a commit that waits for the disk. Readers never wait in WAL mode, and a statement inside a
transaction that writes has the lock already.

What is given out is what SQLAlchemy's dialect for aiosqlite expects of a driver's connection
(``async_creator`` of its engines).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self, TypeVar

ResultT = TypeVar("ResultT")

_WAITS: Final = "BEGIN IMMEDIATE"
"""The one statement that may wait, for the lock that writes need."""
_FULL: Final = 2
"""SQLite's ``synchronous`` from which a commit waits for the disk, in WAL mode."""


async def connected(path: Path, pragmas: Sequence[str]) -> "SqliteConnection":
    """Return a connection to a file, on which some pragmas were run.

    Raises
    ------
    sqlite3.Error
        If it cannot be opened or prepared.
    """

    def prepared() -> sqlite3.Connection:
        # The driver would begin transactions by itself, and not before DDL.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in pragmas:
                connection.execute(pragma)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
    with ExitStack() as undo:
        undo.callback(thread.shutdown, wait=False)
        opened = await asyncio.get_running_loop().run_in_executor(thread, prepared)
        undo.pop_all()
    return SqliteConnection(opened, thread)


class SqliteConnection:
    """One connection; of its coroutines only those suspend that may wait for a lock or for the disk.

    Parameters
    ----------
    connection : sqlite3.Connection
        Usable in any thread, in autocommit.
    thread : ThreadPoolExecutor
        Its own, with one worker: what waits there stays in order, and `close` comes last.

    Attributes
    ----------
    writes : bool
        Whether the transaction has the lock that writes need.
    """

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection: sqlite3.Connection | None = connection
        self._thread: Final = thread
        self.writes = False

    def cursor(self) -> "SqliteCursor":
        """Return a cursor."""
        return SqliteCursor(self, self._open().cursor())

    async def create_function(self, *arguments: Any, **options: Any) -> None:
        """Make a function known to SQL; the dialect brings one for regular expressions."""
        self._open().create_function(*arguments, **options)

    def begin_at_once(self, level: str | None) -> bool:
        """Begin a transaction without a statement of SQLAlchemy's, which cost more than the transaction.

        Parameters
        ----------
        level : str or None
            None to read; to write, SQLite's ``synchronous``.

        Returns
        -------
        bool
            Whether it began. If not, because the lock that writes need is held or something is wrong, whoever
            asks begins it by statements: those wait, or tell what is wrong.
        """
        try:
            if level is None:
                self._open().execute("BEGIN")
            else:
                self._open().execute(f"PRAGMA synchronous={level}")  # may not change inside
                self._take_lock(self._open().cursor(), _WAITS)
        except sqlite3.Error:
            return False
        return True

    def _take_lock(self, cursor: sqlite3.Cursor, statement: str) -> None:
        """Take the lock that writes need if it is free."""
        (patience,) = cursor.execute("PRAGMA busy_timeout").fetchone()
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            cursor.execute(statement)
        finally:
            cursor.execute(f"PRAGMA busy_timeout={patience}")
        self.writes = True

    async def begin(self, cursor: sqlite3.Cursor, statement: str) -> None:
        """Take the lock that writes need: at once if it is free, else in the thread as long as it takes."""
        try:
            self._take_lock(cursor, statement)
        except sqlite3.OperationalError:
            await self._wait_for_lock(statement)
            self.writes = True

    async def _wait_for_lock(self, statement: str) -> None:
        """Wait in the thread; who gives up meanwhile leaves behind what gives the lock back if it comes."""
        connection = self._open()
        try:
            await self.waiting(connection.execute, statement)
        except asyncio.CancelledError:
            self._thread.submit(connection.rollback)
            raise

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Run a statement that only reads; return all rows."""
        return self._open().execute(sql, parameters).fetchall()

    def run(self, sql: str, parameters: Sequence[Any]) -> int:
        """Run a statement that writes, in the transaction that runs; return the id of the row it inserted."""
        return self._open().execute(sql, parameters).lastrowid or 0

    async def commit(self) -> None:
        """Commit. What only read, or need not be on disk yet, has nothing to wait for."""
        connection, wrote, self.writes = self._open(), self.writes, False
        if wrote and connection.execute("PRAGMA synchronous").fetchone()[0] >= _FULL:
            await self.waiting(connection.commit)
        else:
            connection.commit()

    async def rollback(self) -> None:
        """Undo what was not committed."""
        self.writes = False
        self._open().rollback()

    async def close(self) -> None:
        """Close, after whatever still waits in the thread."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self.waiting(connection.close)
            self._thread.shutdown(wait=False)

    def stop(self) -> None:
        """Close without waiting: for connections that nobody refers to any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._thread.submit(connection.close)
            self._thread.shutdown(wait=False)

    async def waiting(self, act: Callable[..., ResultT], *arguments: Any) -> ResultT:
        """Do in the thread what may wait."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, *arguments)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("connection closed")
        return self._connection


class SqliteCursor:
    """A cursor of a `SqliteConnection`."""

    def __init__(self, connection: SqliteConnection, cursor: sqlite3.Cursor) -> None:
        self._connection: Final = connection
        self._cursor: Final = cursor
        self.arraysize = cursor.arraysize

    @property
    def description(self) -> Any:
        """Columns of the answer, or None."""
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        """Rows that the last statement changed."""
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """Id of the row that the last statement inserted."""
        return self._cursor.lastrowid

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement."""
        if statement.startswith(_WAITS):
            await self._connection.begin(self._cursor, statement)
        else:
            self._cursor.execute(statement, parameters)

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for each set of parameters."""
        self._cursor.executemany(statement, parameters)

    async def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        return self._cursor.fetchall()

    async def close(self) -> None:
        """Close the cursor."""
        self._cursor.close()
