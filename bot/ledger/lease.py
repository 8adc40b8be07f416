"""The lease: of several keepers on one database at most one writes, and a fencing token proves which.

A lease has a row per chain, protocol and signer. Whoever finds it expired, by the database's own clock,
takes it and raises its token by one. Every transaction that plans, journals, replaces or concludes begins by
reading the row and holds it until it ends, so that nobody can take the lease in between; a keeper that was
paused wakes up, finds a higher token and writes nothing. What it had journalled before is in the ledger, so
its successor finds it, and sending those bytes once more does nothing: hash and nonce are the same.
"""

import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

from sqlalchemy import (
    BigInteger,
    RowMapping,
    Select,
    String,
    column,
    literal_column,
    select,
    table,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import LeaseLostError, LedgerNewerError
from bot.ledger import migration
from bot.ledger.database import Database
from bot.ledger.direct import Question
from bot.ledger.schema import insert_into, leases, one_of
from bot.ledger.settings import LONGEST_LEASE_S

_NOW_MS: Final = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}
"""The database's clock, unix milliseconds; not the beginning of the transaction, which may have waited."""

_REVISION: Final = (
    select(column("version_num", String)).select_from(table("alembic_version")).scalar_subquery()
)

_HELD: Final = select(leases.c.name, leases.c.token, _REVISION.label("revision")).with_for_update(
    read=True, of=leases
)
"""What every write looks at first; built once, because building it costs more than running it."""

_RENEWALS: Final = 4
"""Renewals in the time for which a lease runs: three may fail before it is lost."""


def _clock(connection: AsyncConnection) -> Select[int]:
    return select(literal_column(_NOW_MS[connection.dialect.name], BigInteger()))


def new_holder() -> str:
    """Return a name for this process that no other process has, or had."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class SqlLease:
    """See `bot.ports.Lease`; made by `bot.ledger.store.SqlLedger.lease`.

    Parameters
    ----------
    database : Database
        Where the leases are.
    names : sequence of str
        What is leased, all or nothing: chain, protocol and signer of each.
    ttl_s : float
        Seconds after the last renewal at which others may take it.
    holder : str
        Who asks; unique among all processes.
    clock : callable
        Seconds, monotonic; only to know when to ask the database again.
    """

    def __init__(
        self,
        database: Database,
        names: Sequence[str],
        ttl_s: float,
        holder: str | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._database: Final = database
        self._names: Final = sorted(set(names))
        self._held: Final = Question(_HELD.where(one_of(leases.c.name, self._names)))
        self._ttl_s: Final = ttl_s
        self._clock: Final = clock
        self.holder: Final = holder or new_holder()
        self.rival: str | None = None
        self._tokens: Mapping[str, int] = {}
        self._until = clock()

    @property
    def name(self) -> str:
        """What is leased, for people."""
        return ", ".join(self._names)

    @property
    def interval_s(self) -> float:
        """Seconds between two renewals, or two attempts to take it."""
        return self._ttl_s / _RENEWALS

    @property
    def token(self) -> int | None:
        """A number that grows with every change of holder; None while this process does not hold it."""
        return sum(self._tokens.values()) if self._tokens else None

    async def confirm(self) -> int | None:
        """See `bot.ports.Lease.confirm`."""
        if self._tokens and self._clock() < self._until:
            return self.token
        return await self.hold()

    async def hold(self) -> int | None:
        """See `bot.ports.Lease.hold`."""
        asked = self._clock()
        async with self._database.writing(fenced=False) as connection:
            rows = await self._locked(connection)
            now: int = (await connection.execute(_clock(connection))).scalar_one()
            # What ends later than any lease can was taken by a clock that has been set back since.
            last = now + int(LONGEST_LEASE_S * 1_000)
            rivals = [
                row
                for row in rows.values()
                if row["holder"] != self.holder and now < row["expires_at_ms"] <= last
            ]
            self.rival = rivals[0]["holder"] if rivals else None
            if rivals:
                self._tokens = {}
                return None
            tokens = {name: row["token"] + (row["holder"] != self.holder) for name, row in rows.items()}
            await self._write(connection, tokens, now + int(self._ttl_s * 1_000))
        self._tokens, self._until = tokens, asked + self._ttl_s
        return self.token

    async def release(self) -> None:
        """See `bot.ports.Lease.release`."""
        ours = (leases.c.name.in_(self._names)) & (leases.c.holder == self.holder)
        self._tokens = {}
        async with self._database.writing(fenced=False) as connection:
            await connection.execute(update(leases).where(ours).values(expires_at_ms=0))

    async def check(self, connection: AsyncConnection) -> None:
        """Refuse to write without the lease; with it, keep it from being taken until the transaction ends.

        Raises
        ------
        LeaseLostError
            If this process does not hold it.
        LedgerNewerError
            If a newer program has changed the tables since this one opened them.
        """
        rows = await self._database.ask_within(connection, self._held)
        found = {row["name"]: (row["token"], row["revision"]) for row in rows}
        for name in self._names:
            token, revision = found.get(name, (None, migration.newest()))
            if revision != migration.newest():
                raise LedgerNewerError(self._database.address.label, revision, migration.newest())
            if token is None or self._tokens.get(name) != token:
                raise LeaseLostError(name, self._tokens.get(name), token)

    async def _locked(self, connection: AsyncConnection) -> dict[str, RowMapping]:
        """Return the rows, made where they are missing; they stay as they are until the transaction ends."""
        empty = [{"name": name, "holder": "", "token": 0, "expires_at_ms": 0} for name in self._names]
        await connection.execute(insert_into(connection, leases).values(empty).on_conflict_do_nothing())
        query = select(leases).where(leases.c.name.in_(self._names)).order_by(leases.c.name).with_for_update()
        return {row["name"]: row for row in (await connection.execute(query)).mappings()}

    async def _write(
        self, connection: AsyncConnection, tokens: Mapping[str, int], expires_at_ms: int
    ) -> None:
        for name, token in tokens.items():
            await connection.execute(
                update(leases)
                .where(leases.c.name == name)
                .values(holder=self.holder, token=token, expires_at_ms=expires_at_ms)
            )
