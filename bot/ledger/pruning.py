"""Forgetting what is older than the operator wants to keep, a few blocks at a time.

What is kept for good: every transaction that was signed and every one that is open, with its decision and the
head of that decision; the last decision on each account, which says what it waits for; and the heads of the
last day, which the limits per hour are measured by.
"""

from typing import Final

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ledger.schema import decisions, heads, meta, transactions
from bot.ports import Head, Outcome

STRIDE: Final = 16
"""Blocks that are waited for before anything is deleted: one block in so many pays for the others."""

WINDOW: Final = 128
"""Most blocks forgotten at once, so that a shorter memory is reached step by step."""

_RECENT_S: Final = 86_400
_CURSOR: Final = "forgotten_below"
_OPEN: Final = [outcome.value for outcome in Outcome if outcome.is_open]


class Pruner:
    """Deletes what is older than a number of blocks; it takes part in the caller's transaction.

    Parameters
    ----------
    keep_blocks : int
        Blocks below the newest head that are kept; 0 keeps everything.
    """

    def __init__(self, keep_blocks: int) -> None:
        self._keep: Final = keep_blocks
        self._cursor: int | None = None

    async def prune(self, connection: AsyncConnection, head: Head) -> None:
        """Forget at most `WINDOW` blocks, if `STRIDE` of them are due on ``head``."""
        horizon = head.number - self._keep
        if self._keep == 0 or (self._cursor is not None and horizon - self._cursor < STRIDE):
            return
        start = await _cursor(connection, horizon)
        end = min(start + WINDOW, horizon)
        if end > start:
            await _forget(connection, start, end, head.timestamp - _RECENT_S)
            await _move(connection, end)
        self._cursor = max(start, end)


async def _cursor(connection: AsyncConnection, horizon: int) -> int:
    """Return the lowest block that may hold something to forget."""
    known = (await connection.execute(select(meta.c.value).where(meta.c.name == _CURSOR))).scalar()
    if known is not None:
        return int(known)
    lowest = [
        (await connection.execute(select(func.min(column)))).scalar()
        for column in (heads.c.number, decisions.c.block_number, transactions.c.planned_block)
    ]
    return min((number for number in lowest if number is not None), default=horizon)


async def _move(connection: AsyncConnection, cursor: int) -> None:
    moved = await connection.execute(update(meta).where(meta.c.name == _CURSOR).values(value=str(cursor)))
    if moved.rowcount == 0:
        await connection.execute(insert(meta).values(name=_CURSOR, value=str(cursor)))


async def _forget(connection: AsyncConnection, start: int, end: int, recent: int) -> None:
    """Delete in the order of what points to what."""
    attempt = and_(
        _within(transactions.c.planned_block, start, end),
        transactions.c.raw.is_(None),
        transactions.c.outcome.not_in(_OPEN),
    )
    await connection.execute(delete(transactions).where(attempt))
    later = decisions.alias("later")
    superseded = exists().where(later.c.account == decisions.c.account, later.c.id > decisions.c.id)
    acted_on = exists().where(transactions.c.decision_id == decisions.c.id)
    await connection.execute(
        delete(decisions).where(_within(decisions.c.block_number, start, end), superseded, ~acted_on)
    )
    decided_on = exists().where(
        decisions.c.block_number == heads.c.number, decisions.c.block_hash == heads.c.hash
    )
    await connection.execute(
        delete(heads).where(
            _within(heads.c.number, start, end),
            or_(~heads.c.canonical, ~decided_on),
            heads.c.timestamp < recent,
        )
    )


def _within(column: ColumnElement[int], start: int, end: int) -> ColumnElement[bool]:
    return and_(column >= start, column < end)
