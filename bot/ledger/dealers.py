"""Scores of dealers in the ledger: `bot.ports.rfq.DealerMemory` over the same database."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

from sqlalchemy import BigInteger, Column, RowMapping, String, Table, select

from bot.ledger.database import Database
from bot.ledger.rows import readable, reads
from bot.ledger.schema import insert_into, metadata
from bot.ports.rfq import DealerScore

_WHOLE_BPS: Final = 10_000

dealers = Table(
    "dealers",
    metadata,
    Column("dealer", String(42), primary_key=True),
    Column("asked", BigInteger, nullable=False),
    Column("answered", BigInteger, nullable=False),
    Column("declined", BigInteger, nullable=False),
    Column("faults", BigInteger, nullable=False),
    Column("fills", BigInteger, nullable=False),
    Column("failed_fills", BigInteger, nullable=False),
    Column("response_bps", BigInteger, nullable=False),
    Column("fill_bps", BigInteger, nullable=False),
    Column("edge_bps", BigInteger, nullable=False),
    Column("strikes", BigInteger, nullable=False),
    Column("good_in_a_row", BigInteger, nullable=False),
    Column("benched_until", BigInteger, nullable=False),
)


class SqlDealerMemory:
    """See `bot.ports.rfq.DealerMemory`; reached as `bot.ledger.store.SqlLedger.dealers`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Mapping[str, DealerScore]:
        """See `bot.ports.rfq.DealerMemory.load`."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(select(dealers))).mappings().all()
        return {score.dealer: score for score in readable(_score, rows)}  # else a dealer begins anew

    async def save(self, scores: Sequence[DealerScore]) -> None:
        """See `bot.ports.rfq.DealerMemory.save`."""
        async with self._database.writing() as connection:
            for score in scores:
                row = asdict(score)
                statement = insert_into(connection, dealers).values(row)
                await connection.execute(statement.on_conflict_do_update(index_elements=["dealer"], set_=row))


@reads(dealers)
def _score(row: RowMapping) -> DealerScore:
    score = DealerScore(**row)
    for name in ("response_bps", "fill_bps"):
        if getattr(score, name) > _WHOLE_BPS:
            raise ValueError(f"{name} is {getattr(score, name)}, more than {_WHOLE_BPS}")
    return score
