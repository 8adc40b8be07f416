"""Statements that run where they are called, and the one that may wait for another process."""

import asyncio
import sqlite3
from pathlib import Path
from threading import Timer

import pytest

from bot.ledger import engines
from bot.ledger.sqlite import SqliteConnection, connected
from bot.ledger.store import SqlLedger
from bot.ports import Hash32

PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA busy_timeout=5000")
BEGIN = "BEGIN IMMEDIATE"


async def begun(connection: SqliteConnection) -> None:
    async with connection.cursor() as cursor:
        await cursor.execute(BEGIN)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


async def test_a_free_lock_is_taken_and_given_back(path: Path) -> None:
    first, second = [await connected(path, PRAGMAS) for _ in range(2)]
    for connection in (first, second):
        await begun(connection)
        assert connection.writes
        await connection.rollback()
        assert not connection.writes
        await connection.close()


async def test_who_gives_up_waiting_for_the_lock_does_not_keep_it_when_it_comes(path: Path) -> None:
    connection = await connected(path, PRAGMAS)
    rival = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
    rival.execute(BEGIN)
    waiter = asyncio.create_task(begun(connection))
    await asyncio.sleep(0.05)
    Timer(0.1, rival.rollback).start()
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await begun(connection)
    assert connection.writes
    await connection.rollback()
    rival.execute(BEGIN)
    rival.close()
    await connection.close()


async def test_questions_that_come_together_share_one_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[SqliteConnection] = []

    async def counted(path: Path) -> SqliteConnection:
        made.append(await engines.reader_of(path))
        return made[-1]

    monkeypatch.setattr("bot.ledger.database.reader_of", counted)
    place = tmp_path / "ledger.sqlite"
    async with await SqlLedger.open(place, chain_id=1, genesis_hash=Hash32("0x" + "00" * 32)) as ledger:
        await asyncio.gather(*(ledger.open_transactions() for _ in range(3)))
    assert len(made) == 1
