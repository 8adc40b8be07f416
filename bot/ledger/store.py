"""The ledger: `bot.ports.Ledger` over SQLAlchemy, in SQLite or PostgreSQL."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cache
from types import TracebackType
from typing import Any, Self

from sqlalchemy import ColumnElement, Table, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import DuplicateTransactionError
from bot.ledger import schema
from bot.ledger.address import LedgerPlace
from bot.ledger.book import SqlBookMemory
from bot.ledger.database import Database
from bot.ledger.dealers import SqlDealerMemory
from bot.ledger.direct import Change, Question
from bot.ledger.engines import driver_of
from bot.ledger.history import SqlHistory
from bot.ledger.integrity import check_words
from bot.ledger.landing import SqlLandingMemory
from bot.ledger.lease import SqlLease
from bot.ledger.pruning import Pruner
from bot.ledger.risk import SqlRiskMemory
from bot.ledger.schema import decisions, heads, one_of, transactions, unsearched
from bot.ports import (
    Address,
    DecisionEntry,
    DecisionRecord,
    Hash32,
    Head,
    Intent,
    Outcome,
    Settlement,
    Signed,
    Transaction,
    Verdict,
)

_OPEN = [outcome.value for outcome in Outcome if outcome.is_open]
_SETTLED = [Outcome.INCLUDED.value, Outcome.REVERTED.value, Outcome.DROPPED.value]

# Statements of every head are built once: building costs more than running them.
_OPEN_ROWS = Question(
    select(transactions)
    .where(one_of(transactions.c.outcome, _OPEN))
    .order_by(transactions.c.nonce.nulls_first(), transactions.c.id)
)
_OPEN_ROWS_OF = Question(_OPEN_ROWS.statement.where(transactions.c.signer == bindparam("signer")))
_TAKEN_KEYS = Question(
    select(transactions.c.key).where(
        transactions.c.key.in_(bindparam("keys", expanding=True)),
        one_of(unsearched(transactions.c.outcome), [outcome.value for outcome in schema.OCCUPIES_KEY]),
    )
)
_BY_IDS = select(transactions).where(transactions.c.id.in_(bindparam("ids", expanding=True)))
_CHANGED_IN_PLACE = transactions.c.id == bindparam("row")


class SqlLedger:
    """See `bot.ports.Ledger`; open it with `open`, or `open_to_read` beside a running keeper."""

    def __init__(self, database: Database, keep_blocks: int = 0) -> None:
        self._database = database
        self._pruner = Pruner(keep_blocks)

    @classmethod
    async def open(
        cls, place: LedgerPlace, *, chain_id: int, genesis_hash: Hash32, keep_blocks: int = 0
    ) -> Self:
        """Open for writing; see `Database.write`.

        Older heads and decisions than ``keep_blocks`` are forgotten in passing; see `Pruner`.

        Raises
        ------
        LedgerCorruptError
            If a row says something that nobody knows.
        """
        database = await Database.write(place, chain_id=chain_id, genesis_hash=genesis_hash)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            async with database.transaction() as connection:
                await check_words(connection)
            stack.pop_all()
        return cls(database, keep_blocks)

    @classmethod
    async def open_to_read(cls, place: LedgerPlace) -> Self:
        """Open for reading; see `Database.read`."""
        return cls(await Database.read(place))

    @classmethod
    async def open_to_amend(cls, place: LedgerPlace) -> Self:
        """Open for an operator's word; see `Database.amend`."""
        return cls(await Database.amend(place))

    @property
    def risk(self) -> SqlRiskMemory:
        """Forecasts, in the same database."""
        return SqlRiskMemory(self._database)

    @property
    def books(self) -> SqlBookMemory:
        """Books of the protocols, in the same database."""
        return SqlBookMemory(self._database)

    @property
    def landing(self) -> SqlLandingMemory:
        """Rivals for a nonce, what was spent, and halts, in the same database."""
        return SqlLandingMemory(self._database)

    @property
    def dealers(self) -> SqlDealerMemory:
        """Scores of dealers, in the same database."""
        return SqlDealerMemory(self._database)

    @property
    def history(self) -> SqlHistory:
        """What was decided and why, for people."""
        return SqlHistory(self._database)

    def lease(self, names: Sequence[str], ttl_s: float) -> SqlLease:
        """Return a lease on signers; from now on this ledger is written only while it is held."""
        lease = SqlLease(self._database, names, ttl_s)
        self._database.fence = lease
        return lease

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()

    async def record_head(self, head: Head) -> None:
        """See `bot.ports.Ledger.record_head`."""
        async with self._database.writing() as connection:
            statement = schema.insert_into(connection, heads).values(schema.head_row(head))
            # A head that a reorg voided may become canonical again.
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["hash"], set_={"canonical": True})
            )
            await self._pruner.prune(connection, head)

    async def recent_heads(self, limit: int) -> list[Head]:
        """See `bot.ports.Ledger.recent_heads`."""
        query = select(heads).where(heads.c.canonical).order_by(heads.c.number.desc()).limit(limit)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [schema.head_of(row) for row in rows]

    async def record_decisions(self, head: Head, entries: Sequence[DecisionEntry]) -> list[int]:
        """See `bot.ports.Ledger.record_decisions`."""
        rows = [schema.decision_row(head, entry) for entry in entries]
        async with self._database.noting() as connection:  # the plan that rests on it takes it to disk
            return await _insert(connection, decisions, rows)

    async def taken_keys(self, keys: Collection[str]) -> set[str]:
        """See `bot.ports.Ledger.taken_keys`."""
        return {row["key"] for row in await self._database.ask(_TAKEN_KEYS, keys=list(keys))}

    async def plan(self, intents: Sequence[Intent], signer: Address | None, head: Head) -> list[Transaction]:
        """See `bot.ports.Ledger.plan`."""
        rows = [schema.planned_row(intent, signer, head) for intent in intents]
        keys = [intent.key for intent in intents]
        async with self._database.writing() as connection:
            await self._database.alone(connection)
            rows_with = await self._database.ask_within(connection, _TAKEN_KEYS, keys=keys)
            taken = {row["key"] for row in rows_with} | {key for key, n in Counter(keys).items() if n > 1}
            if taken:
                raise DuplicateTransactionError(f"key {min(taken)} is taken")
            ids = await _insert(connection, transactions, rows)
        planned = zip(ids, intents, strict=True)
        return [Transaction(id_, intent, signer, head.number, Outcome.PLANNED, "") for id_, intent in planned]

    async def withdraw(self, ids: Collection[int]) -> None:
        """See `bot.ports.Ledger.withdraw`."""
        planned = transactions.c.outcome == Outcome.PLANNED.value
        async with self._database.writing() as connection:
            await connection.execute(delete(transactions).where(transactions.c.id.in_(ids), planned))

    async def journal(self, signed: Mapping[int, Signed], verdicts: Sequence[Verdict] = ()) -> None:
        """See `bot.ports.Ledger.journal`."""
        async with self._database.writing() as connection:
            await _set(connection, {row: schema.signed_columns(item) for row, item in signed.items()})
            await _judge(connection, verdicts)

    async def replace(self, transaction_id: int, signed: Signed, intent: Intent | None = None) -> Transaction:
        """See `bot.ports.Ledger.replace`."""
        async with self._database.writing() as connection:
            await _judge(
                connection, [Verdict(transaction_id, Outcome.REPLACED, f"replaced by {signed.hash}")]
            )
            query = select(transactions).where(transactions.c.id == transaction_id)
            old = dict((await connection.execute(query)).mappings().one())
            del old["id"]
            wanted = {} if intent is None else schema.intent_columns(intent)
            row = old | wanted | {"reason": ""} | schema.signed_columns(signed)
            ids = await _insert(connection, transactions, [row])
            return (await _transactions(connection, ids))[0]

    async def conclude(
        self, verdicts: Sequence[Verdict] = (), settlements: Sequence[Settlement] = ()
    ) -> list[Transaction]:
        """See `bot.ports.Ledger.conclude`."""
        async with self._database.writing() as connection:
            # Verdicts first: one that gives a nonce up makes room for the settlement that has it.
            await _judge(connection, verdicts)
            settled = {
                item.transaction_id: schema.receipt_columns(item.receipt, item.realised_profit)
                for item in settlements
            }
            await _set(connection, settled)
            concluded = [verdict.transaction_id for verdict in verdicts]
            concluded += [settlement.transaction_id for settlement in settlements]
            return await _transactions(connection, concluded)

    async def open_transactions(self, signer: Address | None = None) -> list[Transaction]:
        """See `bot.ports.Ledger.open_transactions`."""
        if signer is None:
            rows = await self._database.ask(_OPEN_ROWS)
        else:
            rows = await self._database.ask(_OPEN_ROWS_OF, signer=signer)
        return [schema.transaction_of(row) for row in rows]

    async def transactions_with_nonce(self, signer: Address, nonce: int) -> list[Transaction]:
        """See `bot.ports.Ledger.transactions_with_nonce`."""
        condition = (transactions.c.signer == signer) & (transactions.c.nonce == nonce)
        return await self._select(condition, transactions.c.id)

    async def recent_transactions(self, limit: int) -> list[Transaction]:
        """See `bot.ports.Ledger.recent_transactions`."""
        query = select(transactions).order_by(transactions.c.id.desc()).limit(limit)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [schema.transaction_of(row) for row in rows]

    async def recent_decisions(self, limit: int) -> list[DecisionRecord]:
        """See `bot.ports.Ledger.recent_decisions`."""
        query = select(decisions).order_by(decisions.c.id.desc()).limit(limit)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [schema.decision_of(row) for row in rows]

    async def roll_back(self, ancestor: Head) -> list[Transaction]:
        """See `bot.ports.Ledger.roll_back`."""
        settled_above = (transactions.c.block_number > ancestor.number) & transactions.c.outcome.in_(_SETTLED)
        async with self._database.writing() as connection:
            await connection.execute(
                update(heads).where(heads.c.number > ancestor.number).values(canonical=False)
            )
            query = select(transactions).where(settled_above)
            undone = [
                schema.transaction_of(row) for row in (await connection.execute(query)).mappings().all()
            ]
            verdicts = {
                verdict.transaction_id: schema.UNSETTLED
                | {"outcome": verdict.outcome.value, "reason": verdict.reason}
                for verdict in reopened(undone)
            }
            await _set(connection, verdicts)
            return await _transactions(connection, [transaction.id for transaction in undone])

    async def _select(self, condition: ColumnElement[bool], *order: ColumnElement[Any]) -> list[Transaction]:
        query = select(transactions).where(condition).order_by(*order)
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [schema.transaction_of(row) for row in rows]


def reopened(undone: Iterable[Transaction]) -> list[Verdict]:
    """Return the outcomes of transactions whose settlement a reorg undid.

    Of those with one nonce, the one that was in a block is the likeliest to be in the pool again: it
    is SUBMITTED, the others REPLACED. All are looked for by hash.
    """
    by_nonce: dict[tuple[Address | None, int], list[Transaction]] = {}
    for transaction in undone:
        if transaction.signed is not None:
            by_nonce.setdefault((transaction.signer, transaction.signed.nonce), []).append(transaction)
    verdicts: list[Verdict] = []
    for rivals in by_nonce.values():
        rivals.sort(key=lambda rival: (rival.outcome is Outcome.DROPPED, -rival.id))
        verdicts.append(Verdict(rivals[0].id, Outcome.SUBMITTED))
        verdicts += [Verdict(rival.id, Outcome.REPLACED, "a reorg undid it") for rival in rivals[1:]]
    # Those that give their nonce up go first: at no time do two rows hold it.
    return sorted(verdicts, key=lambda verdict: verdict.outcome is Outcome.SUBMITTED)


async def _insert(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows; return their ids in order."""
    if not rows:
        return []
    if connection.dialect.name == "sqlite":
        return _insertion(table, tuple(rows[0])).on(driver_of(connection.sync_connection), rows)
    statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    return list((await connection.execute(statement, rows)).scalars())


async def _set(connection: AsyncConnection, changes: Mapping[int, Mapping[str, Any]]) -> None:
    """Change the same columns of transactions, by id."""
    if not changes:
        return
    rows = [{"row": identifier, **columns} for identifier, columns in changes.items()]
    if connection.dialect.name == "sqlite":
        _change(tuple(rows[0])).on(driver_of(connection.sync_connection), rows)
    else:
        await connection.execute(update(transactions).where(_CHANGED_IN_PLACE), rows)


@cache
def _insertion(table: Table, names: tuple[str, ...]) -> Change:
    return Change(insert(table), table, names)


@cache
def _change(names: tuple[str, ...]) -> Change:
    return Change(update(transactions).where(_CHANGED_IN_PLACE), transactions, names)


async def _judge(connection: AsyncConnection, verdicts: Iterable[Verdict]) -> None:
    """Write outcomes; those without a block leave it as it is."""
    by_place: dict[bool, dict[int, dict[str, Any]]] = {False: {}, True: {}}
    for verdict in verdicts:
        columns: dict[str, Any] = {"outcome": verdict.outcome.value, "reason": verdict.reason}
        if verdict.block_number is not None:
            columns["block_number"] = verdict.block_number
        by_place[verdict.block_number is not None][verdict.transaction_id] = columns
    for changes in by_place.values():
        await _set(connection, changes)


async def _transactions(connection: AsyncConnection, ids: Sequence[int]) -> list[Transaction]:
    rows = (await connection.execute(_BY_IDS, {"ids": list(ids)})).mappings()
    by_id = {row["id"]: schema.transaction_of(row) for row in rows}
    return [by_id[identifier] for identifier in ids]
