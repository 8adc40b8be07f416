"""A ledger that somebody edited, or a disk that forgot: the row is named, and nothing is guessed."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bot.errors import LedgerCorruptError, LedgerFullError, LedgerUnavailableError
from bot.ledger.book import books
from bot.ledger.dealers import dealers
from bot.ledger.landing import halts
from bot.ledger.opening import open_patiently
from bot.ledger.risk import checkpoints, predictions
from bot.ledger.schema import decisions, heads, transactions
from bot.ledger.store import SqlLedger
from bot.ports import BookCheckpoint, Checkpoint, DecisionEntry, Hash32, Settlement
from bot.ports.rfq import DealerScore
from bot.strategy.predictions import Prediction
from tests.support.keeper import KEEPER, a_head, a_receipt, a_signature, an_intent

GENESIS = Hash32("0x" + "00" * 32)


DEALER = "0x" + "d1" * 20
FORECAST = Prediction(b"\xa1" * 20, 1, 12, 3_600, 1.5, 1.2, 0.1, 0.01, "long WETH")


async def a_full_ledger(path: Path) -> None:
    """Make a ledger with a row in each table."""
    async with await SqlLedger.open(path, chain_id=1, genesis_hash=GENESIS) as ledger:
        await ledger.record_head(a_head(1))
        await ledger.record_decisions(a_head(1), [DecisionEntry("sluice", "a", {"x": 1}, {}, [{}])])
        (row, other) = await ledger.plan([an_intent(), an_intent("b")], KEEPER, a_head(1))
        await ledger.journal({row.id: a_signature(1), other.id: a_signature(2)})
        await ledger.conclude(settlements=[Settlement(other.id, a_receipt(a_signature(2).hash, 1), 7)])
        await ledger.landing.note_halt(halted=True, source="operator", reason="a look")
        await ledger.books.save_book("sluice", BookCheckpoint(1, a_head(1).hash, b"columns"))
        await ledger.dealers.save([DealerScore(DEALER)])
        await ledger.risk.save_checkpoint("sluice", Checkpoint(1, a_head(1).hash, {"half_life": 1.0}))
        await ledger.risk.record_predictions("sluice", a_head(1), [FORECAST], 9)


async def everything(path: Path) -> None:
    """Read all that can be read."""
    async with await SqlLedger.open(path, chain_id=1, genesis_hash=GENESIS) as ledger:
        await ledger.recent_heads(9)
        await ledger.recent_decisions(9)
        await ledger.recent_transactions(9)
        await ledger.open_transactions()
        await ledger.landing.rivals(KEEPER, [1, 2])
        await ledger.landing.spent_since(0)
        await ledger.landing.failures_in_a_row()
        await ledger.landing.last_halt()
        await what_can_be_spared(ledger)


async def what_can_be_spared(ledger: SqlLedger) -> list[Any]:
    """Read what the keeper can do without."""
    return [
        *await ledger.books.books("sluice"),
        *(await ledger.dealers.load()).values(),
        *await ledger.risk.checkpoints("sluice"),
        *await ledger.risk.open_predictions("sluice"),
    ]


def overwrite(path: Path, table: str, column: str, value: Any) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("table", "column", "value", "problem"),
    [
        ("heads", "base_fee_per_gas", "many", "no whole number"),
        ("heads", "parent_hash", "0x12", "not 0x and 64 hex digits"),
        ("heads", "number", "x", "not of type int"),
        ("decisions", "inputs", "{", "row 1 of decisions"),
        ("decisions", "inputs", "[]", "a JSON object belongs"),
        ("decisions", "rejected", "[1]", "a JSON object belongs"),
        ("transactions", "outcome", "landed", "'landed', no word of its own"),
        ("transactions", "nonce", None, "signed, without nonce"),
        ("transactions", "raw", "text", "not of type bytes"),
        ("transactions", "call_to", "0x" + "zz" * 20, "not 0x and 40 hex digits"),
        ("transactions", "gas_used", -1, "gas_used is -1, below zero"),
        ("transactions", "moves", "{}", "a JSON array belongs"),
        ("transactions", "moves", '[["WETH", 5, "USDC"]]', "asset, value and debt of a settlement belong"),
        ("transactions", "moves", '[["WETH", "-5", "USDC"]]', "asset, value and debt of a settlement belong"),
        ("transactions", "moves", "[", "of transactions"),
        ("transactions", "lane", "fast", "'fast', no word of its own"),
        ("transactions", "planned_block", -1, "planned_block is -1, below zero"),
        ("halts", "source", b"\x00", "not of type str"),
        ("halts", "reason", b"\x00", "not of type str"),
        ("halts", "block_number", "x", "not of type int"),
        ("halts", "block_number", -1, "below zero"),
        ("predictions", "insolvency_fate", "maybe", "'maybe', no word of its own"),
    ],
)
async def test_a_damaged_row_is_named_with_what_is_wrong(
    path: Path, table: str, column: str, value: Any, problem: str
) -> None:
    await a_full_ledger(path)
    overwrite(path, table, column, value)
    with pytest.raises(LedgerCorruptError, match=problem):
        await everything(path)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("books", "block_number", "x"),
        ("books", "block_number", -1),
        ("books", "block_hash", "0x12"),
        ("books", "blob", "text"),
        ("dealers", "dealer", "0x" + "zz" * 20),
        ("dealers", "asked", -1),
        ("dealers", "strikes", "two"),
        ("dealers", "response_bps", 10_001),
        ("dealers", "fill_bps", 10_001),
        ("dealers", "benched_until", 1.5),
        ("checkpoints", "state", "{"),
        ("checkpoints", "block_hash", "0x12"),
        ("predictions", "account", "0xzz"),
        ("predictions", "horizon_s", -1),
        ("predictions", "health", "well"),
    ],
)
async def test_a_damaged_row_that_can_be_spared_is_told_and_passed_over(
    path: Path, table: str, column: str, value: Any
) -> None:
    await a_full_ledger(path)
    overwrite(path, table, column, value)
    async with await SqlLedger.open(path, chain_id=1, genesis_hash=GENESIS) as ledger:
        with capture_logs() as logs:
            assert len(await what_can_be_spared(ledger)) == 3
    assert [(entry["event"], entry["table"]) for entry in logs] == [("row_refused", table)]


async def test_what_is_not_damaged_is_read(path: Path) -> None:
    await a_full_ledger(path)
    with capture_logs() as logs:
        await everything(path)
    assert logs == []


async def test_a_damaged_ledger_is_told_and_tried_again_until_it_is_mended(path: Path) -> None:
    await a_full_ledger(path)
    overwrite(path, "transactions", "outcome", "landed")
    with capture_logs() as logs:
        opening = asyncio.create_task(
            open_patiently(path, chain_id=1, genesis_hash=GENESIS, patient=True, retry_s=0.01)
        )
        while len(logs) < 3:  # noqa: ASYNC110 -- what is waited for is a log line
            await asyncio.sleep(0.01)
        assert not opening.done()
        overwrite(path, "transactions", "outcome", "abandoned")
        await (await opening).close()
    assert {entry["event"] for entry in logs} == {"ledger_unusable"}
    assert "outcome is 'landed'" in logs[0]["reason"]
    overwrite(path, "transactions", "outcome", "landed")
    with pytest.raises(LedgerCorruptError):
        await open_patiently(path, chain_id=1, genesis_hash=GENESIS, patient=False)


TABLES = (heads, decisions, transactions, halts, books, dealers, checkpoints, predictions)
COLUMNS = [(table.name, column.name) for table in TABLES for column in table.columns]
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=80),
    st.binary(max_size=70),
    st.floats(),
)


@pytest.fixture
async def intact(path: Path) -> bytes:
    await a_full_ledger(path)
    return path.read_bytes()  # noqa: ASYNC240


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(COLUMNS), VALUES)
async def test_garbage_in_any_column_is_read_or_refused_and_nothing_else(
    tmp_path: Path, intact: bytes, column: tuple[str, str], value: Any
) -> None:
    path = tmp_path / f"{uuid4()}.sqlite"
    path.write_bytes(intact)
    try:
        overwrite(path, *column, value)
    except (sqlite3.Error, UnicodeEncodeError):
        return  # the database itself does not take it
    try:
        await everything(path)
    except (LedgerCorruptError, LedgerUnavailableError):
        return


async def test_a_full_disk_is_told_as_such_and_leaves_what_was_there(path: Path) -> None:
    await a_full_ledger(path)
    async with await SqlLedger.open(path, chain_id=1, genesis_hash=GENESIS) as ledger:
        async with ledger._database.transaction() as connection:
            pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar()
            await connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LedgerFullError, match="free space"):
            await fill(
                lambda n: ledger.record_decisions(a_head(n), [DecisionEntry("s", "a" * 9999, {}, None, [])])
            )
        before = len(await ledger.recent_decisions(10**4))
        async with ledger._database.transaction() as connection:
            await connection.exec_driver_sql("PRAGMA max_page_count = 100000")
        await ledger.record_decisions(a_head(1), [DecisionEntry("s", "b", {}, None, [])])
        assert len(await ledger.recent_decisions(10**4)) == before + 1


LARGE = DecisionEntry("sluice", "a" * 9_999, {}, None, [])


async def fill(write: Callable[[int], Any]) -> None:
    for number in range(1_000):
        await write(number)
