"""The dealer's own ledger: quotes, fills, what is still to be hedged, and the dealer's transactions.

A quote is on disk before it leaves the process, with its nonce; a transaction before it is broadcast. So a
crash neither loses a quote that a keeper holds, nor gives its nonce to another, nor hedges twice.
"""

import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, Final, Self

from sqlalchemy import RowMapping, event, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.errors import DealerLedgerError
from bot.ports import Call, Head, Signed
from bot.rfq.records import Fill, IssuedQuote, QuoteState, Work, WorkKind, WorkState
from bot.rfq.tables import SCHEMA_VERSION, exposures, fills, meta, metadata, quotes, works
from bot.strategy.quotes import FirmQuote

_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit is on disk before the quote leaves, even if the power fails
    "PRAGMA busy_timeout=5000",
)
_COUNTER_BITS: Final = 64
_QUOTE_FIELDS: Final = tuple(entry.name for entry in fields(FirmQuote))


class DealerLedger:
    """The ledger of one dealer on one chain. Open it with `open`."""

    def __init__(self, path: Path, engine: AsyncEngine, lock: IO[bytes]) -> None:
        self._path: Final = path
        self._engine: Final = engine
        self._lock: Final = lock

    @classmethod
    async def open(cls, path: Path, identity: str) -> Self:
        """Open for writing, alone; a new file is created.

        Parameters
        ----------
        path : Path
            The file.
        identity : str
            Chain, engine and dealer that it belongs to.

        Raises
        ------
        DealerLedgerError
            If another dealer has it open, it belongs to another identity, or it cannot be used.
        """
        lock = _locked(path)
        ledger = cls(path, _engine(path), lock)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(ledger.close)
            async with ledger._transaction() as connection:
                await connection.run_sync(metadata.create_all)
                await ledger._claim(connection, "version", str(SCHEMA_VERSION))
                await ledger._claim(connection, "identity", identity)
                # Random, so that a ledger that was lost is not followed by one that begins at the same nonce.
                start = secrets.randbits(256 - _COUNTER_BITS) << _COUNTER_BITS
                await connection.execute(
                    upsert(meta).values(name="next_nonce", value=str(start)).on_conflict_do_nothing()
                )
            undo.pop_all()
        return ledger

    async def close(self) -> None:
        """Close the file and let another process write."""
        await self._engine.dispose()
        self._lock.close()

    # -------------------------------------------------------------------------- quotes

    async def issue(self, make: Callable[[int], IssuedQuote]) -> IssuedQuote:
        """Take the next nonce, make a quote with it, and have both on disk when this returns.

        Parameters
        ----------
        make : callable
            Makes and signs the quote for a nonce.
        """
        async with self._transaction() as connection:
            query = select(meta.c.value).where(meta.c.name == "next_nonce")
            nonce = int((await connection.execute(query)).scalar_one())
            await connection.execute(
                update(meta).where(meta.c.name == "next_nonce").values(value=str(nonce + 1))
            )
            issued = make(nonce)
            await connection.execute(insert(quotes).values(_quote_row(issued)))
        return issued

    async def open_quotes(self) -> list[IssuedQuote]:
        """Return the quotes that may still be filled, oldest first."""
        query = select(quotes).where(quotes.c.state == QuoteState.OPEN).order_by(quotes.c.id)
        return [_issued(row) for row in await self._rows(query)]

    async def settle(self, filled: Mapping[bytes, int], head: Head) -> list[Fill]:
        """Write how far quotes are filled at a head; return the fills that are new.

        What was filled and not yet hedged grows with them. A reorg may take a fill back: the amount shrinks
        again, and with it what is to be hedged.

        Parameters
        ----------
        filled : mapping of bytes to int
            Collateral units by digest, of open quotes.
        head : Head
            Where they were read.
        """
        found = []
        async with self._transaction() as connection:
            for digest, amount in filled.items():
                query = select(quotes).where(quotes.c.digest == digest)
                issued = _issued((await connection.execute(query)).mappings().one())
                change = amount - issued.filled
                if change:
                    fill = Fill(digest, change, issued.quote.payment(abs(change)), head.number)
                    found.append(fill)
                    await self._book(connection, issued, fill, amount)
        return found

    async def _book(self, connection: AsyncConnection, issued: IssuedQuote, fill: Fill, amount: int) -> None:
        same = quotes.c.digest == fill.digest
        await connection.execute(update(quotes).where(same).values(filled=amount))
        await connection.execute(
            insert(fills).values(
                digest=fill.digest, amount=fill.amount, payment=fill.payment, block_number=fill.block
            )
        )
        pair = (issued.quote.collateral_id, issued.quote.debt_id)
        await _expose(connection, pair, fill.amount)

    async def end(self, digests: Sequence[bytes], state: QuoteState) -> None:
        """Write that quotes are open no longer."""
        async with self._transaction() as connection:
            for digest in digests:
                await connection.execute(update(quotes).where(quotes.c.digest == digest).values(state=state))

    async def fills(self, limit: int) -> list[Fill]:
        """Return the last fills, newest first."""
        rows = await self._rows(select(fills).order_by(fills.c.id.desc()).limit(limit))
        return [Fill(row["digest"], row["amount"], row["payment"], row["block_number"]) for row in rows]

    # ------------------------------------------------------------------------- hedging

    async def exposure(self) -> dict[tuple[int, int], int]:
        """Return what was bought and not yet hedged, collateral units by (collateral id, debt id)."""
        rows = await self._rows(select(exposures))
        return {(row["collateral_id"], row["debt_id"]): row["amount"] for row in rows}

    async def plan(self, work: Work) -> Work:
        """Write a signed transaction, before it is sent; return it with its row.

        Raises
        ------
        DealerLedgerError
            If one with the same nonce may still land.
        """
        async with self._transaction() as connection:
            result = await connection.execute(insert(works).values(_work_row(work)).returning(works.c.id))
            row = (
                await connection.execute(select(works).where(works.c.id == result.scalar_one()))
            ).mappings()
            return _work(row.one())

    async def open_works(self) -> list[Work]:
        """Return the transactions that may still land, by nonce."""
        query = select(works).where(works.c.state == WorkState.SIGNED).order_by(works.c.nonce)
        return [_work(row) for row in await self._rows(query)]

    async def works(self, limit: int) -> list[Work]:
        """Return the last transactions, newest first."""
        return [
            _work(row) for row in await self._rows(select(works).order_by(works.c.id.desc()).limit(limit))
        ]

    async def conclude(self, work: Work, state: WorkState, head: Head, bought: int = 0) -> None:
        """Write what became of a transaction; a hedge that went through lowers what is to be hedged."""
        values = {"state": state, "bought": bought, "block_number": head.number}
        async with self._transaction() as connection:
            done = await connection.execute(
                update(works).where(works.c.id == work.id, works.c.state == WorkState.SIGNED).values(values)
            )
            if done.rowcount and state is WorkState.INCLUDED and work.kind is WorkKind.HEDGE:
                await _expose(connection, (work.collateral_id, work.debt_id), -work.sold)

    # ---------------------------------------------------------------------------- rows

    async def _rows(self, query: Any) -> Sequence[RowMapping]:
        async with self._transaction() as connection:
            return (await connection.execute(query)).mappings().all()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise DealerLedgerError(str(self._path), str(error.orig)) from error

    async def _claim(self, connection: AsyncConnection, name: str, wanted: str) -> None:
        found = (await connection.execute(select(meta.c.value).where(meta.c.name == name))).scalar()
        if found is None:
            await connection.execute(insert(meta).values(name=name, value=wanted))
        elif found != wanted:
            raise DealerLedgerError(str(self._path), f"its {name} is {found}, and {wanted} is wanted")


async def _expose(connection: AsyncConnection, pair: tuple[int, int], change: int) -> None:
    collateral_id, debt_id = pair
    same = (exposures.c.collateral_id == collateral_id) & (exposures.c.debt_id == debt_id)
    before = (await connection.execute(select(exposures.c.amount).where(same))).scalar()
    row = {"collateral_id": collateral_id, "debt_id": debt_id, "amount": (before or 0) + change}
    await connection.execute(
        upsert(exposures)
        .values(row)
        .on_conflict_do_update(index_elements=["collateral_id", "debt_id"], set_={"amount": row["amount"]})
    )


def _quote_row(issued: IssuedQuote) -> dict[str, Any]:
    row = {name: getattr(issued.quote, name) for name in _QUOTE_FIELDS}
    extra = {"digest": issued.digest, "signature": issued.signature, "filled": issued.filled}
    return row | extra | {"issued_block": issued.block, "state": QuoteState.OPEN}


def _issued(row: RowMapping) -> IssuedQuote:
    quote = FirmQuote(**{name: row[name] for name in _QUOTE_FIELDS})
    return IssuedQuote(quote, row["digest"], row["signature"], row["issued_block"], row["filled"])


def _work_row(work: Work) -> dict[str, Any]:
    return {
        "kind": work.kind,
        "collateral_id": work.collateral_id,
        "debt_id": work.debt_id,
        "sold": work.sold,
        "call_to": work.call.to,
        "call_data": work.call.data,
        "raw": work.signed.raw,
        "hash": work.signed.hash,
        "nonce": work.signed.nonce,
        "gas_limit": work.signed.gas_limit,
        "max_fee_per_gas": work.signed.max_fee_per_gas,
        "max_priority_fee_per_gas": work.signed.max_priority_fee_per_gas,
        "planned_block": work.planned_block,
        "state": WorkState.SIGNED,
        "bought": 0,
    }


def _work(row: RowMapping) -> Work:
    signed = Signed(
        row["raw"],
        row["hash"],
        row["nonce"],
        row["gas_limit"],
        row["max_fee_per_gas"],
        row["max_priority_fee_per_gas"],
    )
    return Work(
        kind=WorkKind(row["kind"]),
        call=Call(row["call_to"], row["call_data"]),
        signed=signed,
        planned_block=row["planned_block"],
        collateral_id=row["collateral_id"],
        debt_id=row["debt_id"],
        sold=row["sold"],
        id=row["id"],
        state=WorkState(row["state"]),
        bought=row["bought"],
    )


def _locked(path: Path) -> IO[bytes]:
    """Hold a lock file for as long as it is open; the kernel frees it however the process ends."""
    with _as_unusable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    lock = os.fdopen(descriptor, "r+b")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise DealerLedgerError(str(path), "another dealer has it open") from None
    return lock


@contextmanager
def _as_unusable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DealerLedgerError(str(path), error.strerror or str(error)) from error


def _engine(path: Path) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=1, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def _set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    return engine
