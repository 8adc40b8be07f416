"""Words of the ledger that decide what becomes of a row, looked through when it is opened.

A row with a word that nobody knows would not be refused where it is read, but never be read: it is neither
open nor settled.
"""

from typing import Final

from sqlalchemy import Column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import LedgerCorruptError
from bot.ledger.risk import predictions
from bot.ledger.schema import transactions
from bot.ports import Lane, Outcome
from bot.strategy.predictions import Fate

_WORDS: Final[tuple[tuple[Column[str], frozenset[str]], ...]] = (
    (transactions.c.outcome, frozenset(outcome.value for outcome in Outcome)),
    (transactions.c.lane, frozenset(lane.value for lane in Lane)),
    (predictions.c.liquidatable_fate, frozenset(fate.value for fate in Fate)),
    (predictions.c.insolvency_fate, frozenset(fate.value for fate in Fate)),
)


async def check_words(connection: AsyncConnection) -> None:
    """Check that every word is a known one.

    Raises
    ------
    LedgerCorruptError
        If one is not; it names the first row that has it.
    """
    for column, known in _WORDS:
        found = (await connection.execute(select(column).distinct())).scalars().all()
        strange = [word for word in found if word not in known]
        if strange:
            table = column.table
            row = (await connection.execute(select(table.c.id).where(column == strange[0]).limit(1))).scalar()
            raise LedgerCorruptError(table.name, row, f"{column.name} is {strange[0]!r}, no word of its own")
