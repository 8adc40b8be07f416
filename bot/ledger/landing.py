"""What execution asks about the past: `bot.ports.LandingMemory` over the same database."""

from collections.abc import Collection

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    RowMapping,
    String,
    Table,
    and_,
    bindparam,
    exists,
    func,
    insert,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ledger import schema
from bot.ledger.columns import Words
from bot.ledger.database import Database
from bot.ledger.direct import Question
from bot.ledger.rows import reads
from bot.ledger.schema import Identity, heads, metadata, one_of, transactions, unsearched
from bot.ports import Address, HaltNote, Hash32, Outcome, Spent, Transaction

halts = Table(
    "halts",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("halted", Boolean, nullable=False),
    Column("source", String, nullable=False),
    Column("reason", Words, nullable=False),
    Column("block_number", BigInteger),
)

_OPEN = [outcome.value for outcome in Outcome if outcome.is_open]
_PAID_FOR = [Outcome.INCLUDED.value, Outcome.REVERTED.value]
_GIVEN_UP = [Outcome.REJECTED.value, Outcome.ABANDONED.value]

_COSTS = (
    "id",
    "block_number",
    "account",
    "moves",
    "gas_used",
    "effective_gas_price",
    "realised_profit",
    "outcome",
)
"""Columns that tell what a settled transaction cost."""

_FAILURES_READ = 1_000
"""Settled transactions looked through for failures in a row: as many as a limit may allow."""
_FEW = 32
"""Those looked through first: seldom do so many fail in a row."""

_IS_PAID_FOR = one_of(unsearched(transactions.c.outcome), _PAID_FOR)

# Statements of every head are built once: building costs more than running them.
# By order and not by maximum: the index then ends the search at the first head.
_BEFORE = (
    select(heads.c.number)
    .where(heads.c.timestamp <= bindparam("since"), heads.c.canonical)
    .order_by(heads.c.timestamp.desc())
    .limit(1)
).scalar_subquery()
_SPENT = Question(
    select(*(transactions.c[name] for name in _COSTS))
    .where(_IS_PAID_FOR)
    .where(transactions.c.block_number > func.coalesce(_BEFORE, -1))
    .order_by(transactions.c.block_number, transactions.c.id)
)
_RESUMED = select(func.max(halts.c.block_number)).where(halts.c.halted.is_(False)).scalar_subquery()
_CANCELS = and_(transactions.c.call_to == transactions.c.signer, transactions.c.call_data == b"")
"""Of a row: it does nothing but use its nonce, so its success tells nothing."""
_SETTLED_LAST = Question(
    select(transactions.c.outcome)
    .where(
        and_(
            _IS_PAID_FOR,
            ~_CANCELS,
            transactions.c.block_number > func.coalesce(_RESUMED, -1),
        )
    )
    .order_by(transactions.c.block_number.desc(), transactions.c.nonce.desc())
    .limit(bindparam("most"))
)
_holder = transactions.alias("holder")
_NONCE_HELD = exists().where(
    _holder.c.signer == transactions.c.signer,
    _holder.c.nonce == transactions.c.nonce,
    one_of(unsearched(_holder.c.outcome), [outcome.value for outcome in schema.OCCUPIES_NONCE]),
)
_GIVEN_UP_ROWS = Question(
    select(transactions)
    .where(
        transactions.c.signer == bindparam("signer"),
        one_of(unsearched(transactions.c.outcome), _GIVEN_UP),
        transactions.c.raw.is_not(None),
        transactions.c.planned_block >= bindparam("since"),
        ~_NONCE_HELD,
    )
    .order_by(transactions.c.planned_block, transactions.c.id)
)
_SETTLED_BLOCKS = (
    select(transactions.c.block_number, transactions.c.block_hash)
    .where(_IS_PAID_FOR, transactions.c.block_number > bindparam("above"))
    .distinct()
)
_HIGHEST_NONCE = Question(
    select(transactions.c.nonce)
    .where(transactions.c.signer == bindparam("signer"), _IS_PAID_FOR)
    .order_by(transactions.c.nonce.desc())
    .limit(1)
)
_KNOWN_HEIGHTS = union_all(
    select(func.max(heads.c.number).label("number")).where(heads.c.canonical),
    # A process may have ended before it recorded the head on which something settled.
    select(func.max(transactions.c.block_number).label("number")).where(_IS_PAID_FOR),
).subquery()
_NEWEST = select(func.max(_KNOWN_HEIGHTS.c.number)).scalar_subquery()
_LAST_HALT = Question(select(halts).order_by(halts.c.id.desc()).limit(1))


class SqlLandingMemory:
    """See `bot.ports.LandingMemory`; reached as `bot.ledger.store.SqlLedger.landing`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rivals(self, signer: Address, nonces: Collection[int]) -> list[Transaction]:
        """See `bot.ports.LandingMemory.rivals`."""
        query = (
            select(transactions)
            .where(
                transactions.c.signer == signer,
                transactions.c.nonce.in_(nonces),
                unsearched(transactions.c.outcome).not_in(_OPEN),
            )
            .order_by(transactions.c.id)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [schema.transaction_of(row) for row in rows]

    async def given_up(self, signer: Address, since: int) -> list[Transaction]:
        """See `bot.ports.LandingMemory.given_up`."""
        rows = await self._database.ask(_GIVEN_UP_ROWS, signer=signer, since=since)
        return [schema.transaction_of(row) for row in rows]

    async def settled_blocks(self, above: int) -> list[tuple[int, Hash32]]:
        """See `bot.ports.LandingMemory.settled_blocks`."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_SETTLED_BLOCKS, {"above": above})).all()
        return [(number, Hash32(hash_)) for number, hash_ in rows]

    async def next_nonce(self, signer: Address) -> int:
        """See `bot.ports.LandingMemory.next_nonce`."""
        rows = await self._database.ask(_HIGHEST_NONCE, signer=signer)
        return next((int(row["nonce"]) + 1 for row in rows), 0)

    async def spent_since(self, timestamp: int) -> list[Spent]:
        """See `bot.ports.LandingMemory.spent_since`."""
        return [_spent(row) for row in await self._database.ask(_SPENT, since=timestamp)]

    async def failures_in_a_row(self) -> int:
        """See `bot.ports.LandingMemory.failures_in_a_row`."""
        failed = 0
        for most in (_FEW, _FAILURES_READ):
            rows = await self._database.ask(_SETTLED_LAST, most=most)
            outcomes = (row["outcome"] == Outcome.REVERTED.value for row in rows)
            failed = next((row for row, is_failed in enumerate(outcomes) if not is_failed), len(rows))
            if failed < most:
                break
        return failed

    async def last_halt(self) -> HaltNote | None:
        """See `bot.ports.LandingMemory.last_halt`."""
        rows = await self._database.ask(_LAST_HALT)
        return _note(rows[0]) if rows else None

    async def note_halt(self, *, halted: bool, source: str, reason: str) -> HaltNote:
        """See `bot.ports.LandingMemory.note_halt`."""
        row = {"halted": halted, "source": source, "reason": reason, "block_number": _NEWEST}
        async with self._database.writing(fenced=False) as connection:
            await connection.execute(insert(halts).values(row))
            noted = await _last(connection)
        if noted is None:
            raise LookupError("the halt that was just written is not there")
        return noted


async def _last(connection: AsyncConnection) -> HaltNote | None:
    row = (await connection.execute(_LAST_HALT.statement)).mappings().first()
    if row is None:
        return None
    return _note(row)


@reads(halts)
def _note(row: RowMapping) -> HaltNote:
    return HaltNote(row["id"], row["halted"], row["source"], row["reason"], row["block_number"])


@reads(transactions, *_COSTS)
def _spent(row: RowMapping) -> Spent:
    succeeded = row["outcome"] == Outcome.INCLUDED.value
    return Spent(
        block_number=row["block_number"],
        account=row["account"],
        moves=schema.moves_of(row["moves"]) if succeeded else (),
        gas_cost=(row["gas_used"] or 0) * (row["effective_gas_price"] or 0),
        realised_profit=row["realised_profit"] or 0,
        succeeded=succeeded,
    )
