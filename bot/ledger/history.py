"""What the ledger tells people afterwards: one decision, with what became of it."""

from sqlalchemy import ColumnElement, func, select

from bot.errors import DecisionNotFoundError
from bot.ledger import schema
from bot.ledger.database import Database
from bot.ledger.schema import decisions, heads, transactions
from bot.ports import DecisionRecord, ExplainedDecision, Hash32, Transaction


class SqlHistory:
    """Reads decisions; reached as `bot.ledger.store.SqlLedger.history`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def decision(self, account: str, block: int | None = None) -> ExplainedDecision:
        """Return the last decision on an account, or the last one on a block.

        Where a reorg made the keeper decide twice on one height, the later one is the one that counted.

        Parameters
        ----------
        account : str
            As the keeper wrote it: an address with its checksum.
        block : int or None
            Height; None for any.

        Raises
        ------
        DecisionNotFoundError
            If there is none.
        """
        record = await self._last(account, block)
        if record is None:
            raise DecisionNotFoundError(account, block, await self._nearest(account, block))
        return ExplainedDecision(
            record, await self._canonical(record.block_hash), await self._transactions(record.id)
        )

    async def _last(self, account: str, block: int | None) -> DecisionRecord | None:
        query = select(decisions).where(decisions.c.account == account)
        if block is not None:
            query = query.where(decisions.c.block_number == block)
        async with self._database.transaction() as connection:
            row = (
                (await connection.execute(query.order_by(decisions.c.id.desc()).limit(1))).mappings().first()
            )
        return None if row is None else schema.decision_of(row)

    async def _nearest(self, account: str, block: int | None) -> list[int]:
        """Return the blocks below and above at which something was decided on the account."""
        if block is None:
            return []
        number = decisions.c.block_number

        async def extreme(value: ColumnElement[int], side: ColumnElement[bool]) -> int | None:
            query = select(value).where(decisions.c.account == account, side)
            async with self._database.transaction() as connection:
                return (await connection.execute(query)).scalar()

        found = [
            await extreme(func.max(number), number < block),
            await extreme(func.min(number), number > block),
        ]
        return [height for height in found if height is not None]

    async def _canonical(self, block_hash: Hash32) -> bool | None:
        query = select(heads.c.canonical).where(heads.c.hash == block_hash)
        async with self._database.transaction() as connection:
            return (await connection.execute(query)).scalar()

    async def _transactions(self, decision_id: int) -> tuple[Transaction, ...]:
        query = (
            select(transactions).where(transactions.c.decision_id == decision_id).order_by(transactions.c.id)
        )
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return tuple(schema.transaction_of(row) for row in rows)
