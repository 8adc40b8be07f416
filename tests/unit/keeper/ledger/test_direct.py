"""Statements run on SQLite directly: they read and write what SQLAlchemy's engine reads and writes."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from bot.errors import DuplicateTransactionError, LedgerError
from bot.ledger import landing, store
from bot.ledger.direct import Change, Question
from bot.ledger.faults import told
from bot.ledger.landing import halts
from bot.ledger.sqlite import SqliteConnection, connected
from bot.ledger.store import SqlLedger
from bot.ports import Hash32, Settlement
from tests.support.keeper import KEEPER, a_head, a_receipt, a_signature, an_intent

GENESIS = Hash32("0x" + "00" * 32)
QUESTIONS: tuple[tuple[Question, Mapping[str, Any]], ...] = (
    (store._OPEN_ROWS, {}),
    (store._OPEN_ROWS_OF, {"signer": KEEPER}),
    (store._TAKEN_KEYS, {"keys": ["key 1", "key 2", "key 9"]}),
    (store._TAKEN_KEYS, {"keys": ["key 3"]}),
    (store._TAKEN_KEYS, {"keys": []}),
    (landing._SPENT, {"since": 0}),
    (landing._SETTLED_LAST, {"most": 5}),
    (landing._GIVEN_UP_ROWS, {"signer": KEEPER, "since": 0}),
    (landing._HIGHEST_NONCE, {"signer": KEEPER}),
    (landing._LAST_HALT, {}),
)
ROW = {"halted": True, "source": "test", "reason": "NUL \0, half \ud800", "block_number": 2**62}


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    """Open a ledger with a row of each kind."""
    path = tmp_path / "ledger.sqlite"
    async with await SqlLedger.open(path, chain_id=31337, genesis_hash=GENESIS) as opened:
        intents = [an_intent(f"key {number}", f"account {number}") for number in range(4)]
        rows = await opened.plan(intents, KEEPER, a_head(1))
        await opened.journal({row.id: a_signature(nonce) for nonce, row in enumerate(rows[:3])})
        receipt = a_receipt(a_signature(0).hash, 2, succeeded=True)
        await opened.conclude([], [Settlement(rows[0].id, receipt, 10**40)])
        await opened.landing.note_halt(halted=True, source="operator", reason="a test")
        yield opened


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[SqliteConnection]:
    opened = await connected(tmp_path / "ledger.sqlite", ())
    yield opened
    await opened.close()


@pytest.mark.parametrize(("question", "values"), QUESTIONS)
async def test_an_answer_is_what_the_engine_answers(
    ledger: SqlLedger, question: Question, values: Mapping[str, Any]
) -> None:
    asked = await ledger._database.ask(question, **values)
    async with ledger._database.transaction() as through_engine:
        rows = (await through_engine.execute(question.statement, values)).mappings().all()
        within = await ledger._database.ask_within(through_engine, question, **values)
    assert [dict(row) for row in asked] == [dict(row) for row in within] == [dict(row) for row in rows]


async def test_every_question_but_that_of_nothing_has_an_answer_here(ledger: SqlLedger) -> None:
    silent = [values for question, values in QUESTIONS if not await ledger._database.ask(question, **values)]
    assert silent == [{"keys": []}, {"signer": KEEPER, "since": 0}]


async def test_a_change_writes_what_the_engine_writes(ledger: SqlLedger) -> None:
    async with ledger._database.writing() as through_engine:
        await through_engine.execute(insert(halts), [ROW])
        driver = store.driver_of(through_engine.sync_connection)
        first, second = Change(insert(halts), halts, tuple(ROW)).on(driver, [ROW, ROW])
        assert second == first + 1
    async with ledger._database.transaction() as through_engine:
        query = select(*(halts.c[name] for name in ROW)).order_by(halts.c.id.desc()).limit(3)
        written = (await through_engine.execute(query)).all()
    assert written[0] == written[1] == written[2]


async def test_amounts_of_any_size_are_changed_by_id_and_read_back(ledger: SqlLedger) -> None:
    before = {row.id: row for row in await ledger.open_transactions()}
    dear = replace(a_signature(77), max_fee_per_gas=10**60)
    await ledger.journal({min(before): dear})
    (row,) = [row for row in await ledger.open_transactions() if row.id == min(before)]
    assert row.signed == dear
    assert {kept.id: kept for kept in await ledger.open_transactions() if kept.id != row.id} == {
        kept.id: kept for kept in before.values() if kept.id != row.id
    }


async def test_what_is_planned_is_what_the_ledger_reads_back(ledger: SqlLedger) -> None:
    planned = await ledger.plan([an_intent("key 7", "someone"), an_intent("key 8", "else")], None, a_head(5))
    assert [row for row in await ledger.open_transactions() if row.signer is None] == planned


async def test_a_question_sees_what_another_connection_has_committed(
    ledger: SqlLedger, connection: SqliteConnection
) -> None:
    assert connection.fetch("SELECT count(*) FROM halts") == [(1,)]
    await ledger.landing.note_halt(halted=False, source="operator", reason="over")
    assert connection.fetch("SELECT count(*) FROM halts") == [(2,)]
    latest = await ledger.landing.last_halt()
    assert latest is not None
    assert not latest.halted


async def test_faults_of_the_driver_are_told_in_the_words_of_the_ledger(connection: SqliteConnection) -> None:
    with pytest.raises(LedgerError, match="no such table"), told("ledger"):
        connection.fetch("SELECT 1 FROM nowhere")
    with pytest.raises(DuplicateTransactionError), told("ledger"):
        raise sqlite3.IntegrityError("UNIQUE constraint failed")
