"""A ledger that somebody edited, or a disk that forgot: the row is named, and nothing is guessed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import LedgerCorruptError, LedgerFullError, LedgerUnavailableError
from bot.ledger.schema import decisions, heads, transactions
from bot.ledger.store import SqlLedger
from bot.ports import DecisionEntry, Hash32
from tests.support.keeper import KEEPER, a_head, a_signature, an_intent

GENESIS = Hash32("0x" + "00" * 32)


async def a_full_ledger(path: Path) -> None:
    """Make a ledger with a row in each table."""
    async with await SqlLedger.open(path, chain_id=1, genesis_hash=GENESIS) as ledger:
        await ledger.record_head(a_head(1))
        await ledger.record_decisions(a_head(1), [DecisionEntry("sluice", "a", {"x": 1}, {}, [{}])])
        (row,) = await ledger.plan([an_intent()], KEEPER, a_head(1))
        await ledger.journal({row.id: a_signature(1)})


async def everything(path: Path) -> None:
    """Read all that can be read."""
    async with await SqlLedger.open_to_read(path) as ledger:
        await ledger.recent_heads(9)
        await ledger.recent_decisions(9)
        await ledger.recent_transactions(9)
        await ledger.open_transactions()


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
        ("transactions", "outcome", "landed", "'landed' is not a valid Outcome"),
        ("transactions", "nonce", None, "signed, without nonce"),
        ("transactions", "raw", "text", "not of type bytes"),
        ("transactions", "call_to", "0x" + "zz" * 20, "not 0x and 40 hex digits"),
    ],
)
async def test_a_damaged_row_is_named_with_what_is_wrong(
    path: Path, table: str, column: str, value: Any, problem: str
) -> None:
    await a_full_ledger(path)
    overwrite(path, table, column, value)
    with pytest.raises(LedgerCorruptError, match=problem):
        await everything(path)


TABLES = (heads, decisions, transactions)
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
