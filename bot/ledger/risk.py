"""Forecasts in the ledger: `bot.ports.RiskMemory` over the same database."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    PrimaryKeyConstraint,
    RowMapping,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from bot.chain.codec import checksummed
from bot.ledger.database import Database
from bot.ledger.encoding import from_json, to_json
from bot.ledger.rows import readable, reads
from bot.ledger.schema import Identity, heads, insert_into, metadata
from bot.ports import Checkpoint, Hash32, Head, PredictionRecord
from bot.strategy.predictions import Fate, Fates, Prediction, Watched

CHECKPOINTS_KEPT = 8

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("protocol", String, nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", String(66), nullable=False),
    Column("state", Text, nullable=False),
    PrimaryKeyConstraint("protocol", "block_hash"),
)

predictions = Table(
    "predictions",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("protocol", String, nullable=False),
    Column("account", String, nullable=False),
    Column("block_number", BigInteger, nullable=False, index=True),
    Column("block_hash", String(66), nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("horizon_s", BigInteger, nullable=False),
    Column("health", Float, nullable=False),
    Column("solvency", Float, nullable=False),
    Column("liquidatable", Float, nullable=False),
    Column("insolvency", Float, nullable=False),
    Column("position", String, nullable=False),
    Column("liquidatable_fate", String, nullable=False, index=True),
    Column("liquidatable_block", BigInteger),
    Column("insolvency_fate", String, nullable=False, index=True),
    Column("insolvency_block", BigInteger),
)

_PARTS = ("liquidatable", "insolvency")


class SqlRiskMemory:
    """See `bot.ports.RiskMemory`; reached as `bot.ledger.store.SqlLedger.risk`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_checkpoint(self, protocol: str, checkpoint: Checkpoint) -> None:
        """See `bot.ports.RiskMemory.save_checkpoint`."""
        row = {
            "protocol": protocol,
            "block_number": checkpoint.block_number,
            "block_hash": checkpoint.block_hash,
            "state": to_json(checkpoint.state),
        }
        ours = checkpoints.c.protocol == protocol
        newest = (
            select(checkpoints.c.block_hash)
            .where(ours)
            .order_by(checkpoints.c.block_number.desc())
            .limit(CHECKPOINTS_KEPT)
        )
        async with self._database.writing() as connection:
            await connection.execute(
                insert_into(connection, checkpoints).values(row).on_conflict_do_nothing()
            )
            await connection.execute(delete(checkpoints).where(ours, checkpoints.c.block_hash.not_in(newest)))

    async def checkpoints(self, protocol: str) -> list[Checkpoint]:
        """See `bot.ports.RiskMemory.checkpoints`."""
        query = select(checkpoints).where(checkpoints.c.protocol == protocol)
        rows = await self._rows(query.order_by(checkpoints.c.block_number.desc()))
        return readable(_checkpoint, rows)  # without any, what the feeds do is learnt anew

    async def record_predictions(
        self, protocol: str, head: Head, predictions_: Sequence[Prediction], keep: int
    ) -> list[int]:
        """See `bot.ports.RiskMemory.record_predictions`."""
        if not predictions_:
            return []
        statement = insert(predictions).returning(predictions.c.id, sort_by_parameter_order=True)
        rows = [_row(protocol, head, prediction) for prediction in predictions_]
        async with self._database.writing() as connection:
            ids = list((await connection.execute(statement, rows)).scalars())
            await connection.execute(delete(predictions).where(predictions.c.id <= max(ids) - keep))
            return ids

    async def settle_predictions(self, head: Head, fates: Mapping[int, Fates]) -> None:
        """See `bot.ports.RiskMemory.settle_predictions`."""
        async with self._database.writing() as connection:
            for part in _PARTS:
                column, block = predictions.c[f"{part}_fate"], f"{part}_block"
                settled = {row: getattr(item, part) for row, item in fates.items()}
                rows = [
                    {"row": row, "fate": fate.value, "block": head.number}
                    for row, fate in settled.items()
                    if fate is not Fate.PENDING
                ]
                if rows:
                    # A part that is known keeps the block at which it became so.
                    statement = (
                        update(predictions)
                        .where(predictions.c.id == bindparam("row"), column == Fate.PENDING.value)
                        .values({column.name: bindparam("fate"), block: bindparam("block")})
                    )
                    await connection.execute(statement, rows)

    async def open_predictions(self, protocol: str) -> list[Watched]:
        """See `bot.ports.RiskMemory.open_predictions`."""
        pending = or_(*(predictions.c[f"{part}_fate"] == Fate.PENDING.value for part in _PARTS))
        query = select(predictions).where(predictions.c.protocol == protocol, pending)
        rows = await self._rows(query.order_by(predictions.c.id))
        return readable(_watched, rows)  # one that is damaged stays unanswered

    async def predictions(self, limit: int) -> list[PredictionRecord]:
        """See `bot.ports.RiskMemory.predictions`."""
        rows = await self._rows(select(predictions).order_by(predictions.c.id.desc()).limit(limit))
        return readable(_record, rows)

    async def last_height(self) -> int | None:
        """See `bot.ports.RiskMemory.last_height`."""
        query = select(func.max(heads.c.number)).where(heads.c.canonical)
        async with self._database.transaction() as connection:
            found: int | None = (await connection.execute(query)).scalar()
        return found

    async def forget_above(self, ancestor: Head) -> None:
        """See `bot.ports.RiskMemory.forget_above`."""
        async with self._database.writing() as connection:
            for table in (predictions, checkpoints):
                await connection.execute(delete(table).where(table.c.block_number > ancestor.number))
            for part in _PARTS:
                fate, block = f"{part}_fate", f"{part}_block"
                await connection.execute(
                    update(predictions)
                    .where(predictions.c[block] > ancestor.number)
                    .values({fate: Fate.PENDING.value, block: None})
                )

    async def _rows(self, query: Any) -> Sequence[RowMapping]:
        async with self._database.transaction() as connection:
            return (await connection.execute(query)).mappings().all()


def _row(protocol: str, head: Head, prediction: Prediction) -> dict[str, Any]:
    return {
        "protocol": protocol,
        "account": checksummed(prediction.account),
        "block_number": head.number,
        "block_hash": head.hash,
        "timestamp": prediction.timestamp,
        "horizon_s": prediction.horizon_s,
        "health": prediction.health,
        "solvency": prediction.solvency,
        "liquidatable": prediction.liquidatable,
        "insolvency": prediction.insolvency,
        "position": prediction.position,
        "liquidatable_fate": Fate.PENDING.value,
        "insolvency_fate": Fate.PENDING.value,
    }


@reads(predictions)
def _prediction(row: RowMapping) -> Prediction:
    return Prediction(
        account=bytes.fromhex(row["account"][2:]),
        block=row["block_number"],
        timestamp=row["timestamp"],
        horizon_s=row["horizon_s"],
        health=row["health"],
        solvency=row["solvency"],
        liquidatable=row["liquidatable"],
        insolvency=row["insolvency"],
        position=row["position"],
    )


@reads(predictions)
def _fates(row: RowMapping) -> Fates:
    return Fates(Fate(row["liquidatable_fate"]), Fate(row["insolvency_fate"]))


def _watched(row: RowMapping) -> Watched:
    return Watched(row["id"], _prediction(row), _fates(row))


def _record(row: RowMapping) -> PredictionRecord:
    return PredictionRecord(row["id"], row["protocol"], _prediction(row), _fates(row))


@reads(checkpoints)
def _checkpoint(row: RowMapping) -> Checkpoint:
    state = from_json(row["state"])
    if not isinstance(state, dict):
        raise TypeError(f"the ledger holds {row['state']!r} where a JSON object belongs")
    return Checkpoint(row["block_number"], Hash32(row["block_hash"]), state)
