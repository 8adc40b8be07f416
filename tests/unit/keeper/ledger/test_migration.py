"""A ledger's tables: built by revisions, brought up from an earlier one, refused where that cannot be."""

import errno
import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, event

import bot.ledger
from bot.errors import (
    LedgerHalfMigratedError,
    LedgerLockedError,
    LedgerMismatchError,
    LedgerNewerError,
    LedgerOutdatedError,
    LedgerUnavailableError,
)
from bot.ledger import migration, schema
from bot.ledger.address import LedgerAddress, LedgerPlace
from bot.ledger.database import Database
from bot.ledger.engines import engine_for
from bot.ledger.store import SqlLedger
from bot.ports import Hash32, Moved
from tests.support.keeper import ENGINE, KEEPER, a_head, an_intent
from tests.support.ledgers import Execute

GENESIS = Hash32("0x" + "00" * 32)


async def opened(place: LedgerPlace) -> SqlLedger:
    return await SqlLedger.open(place, chain_id=31337, genesis_hash=GENESIS)


async def made(place: LedgerPlace) -> None:
    """Make a ledger with a transaction in it, and close it."""
    async with await opened(place) as ledger:
        await ledger.plan([an_intent()], KEEPER, a_head(10))


async def made_at(place: LedgerPlace, revision: str, execute: Execute, backend: str) -> None:
    """Make a ledger as a program of that revision left it, with a transaction in it."""
    address = LedgerAddress.of(place)
    database = Database(address, engine_for(address, writable=True))
    async with database.writing() as connection:
        await connection.run_sync(lambda sync: command.upgrade(migration._config(sync), revision))
    await database.close()
    data = {"sqlite": "X'01020304'", "postgresql": "'\\x01020304'"}[backend]
    execute(
        "INSERT INTO transactions (key, protocol, account, call_to, call_data, call_value, expected_profit,"
        " signer, planned_block, outcome, reason) VALUES ('key', 'sluice', '0xborrower',"
        f" '{ENGINE}', {data}, '0', '{10**18}', '{KEEPER}', 10, 'planned', '')"
    )


async def test_the_revisions_build_what_is_declared(place: LedgerPlace) -> None:
    for module in pkgutil.iter_modules(bot.ledger.__path__, "bot.ledger."):
        importlib.import_module(module.name)

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), schema.metadata))

    database = await Database.write(place, chain_id=1, genesis_hash=GENESIS)
    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_the_revisions_form_one_line() -> None:
    scripts = migration._scripts()
    assert len(scripts.get_heads()) == 1
    assert [script.revision for script in scripts.walk_revisions()] == [
        f"{number:04}" for number in range(int(migration.newest()), 0, -1)
    ]


@pytest.mark.parametrize("revision", ["0001", "0002", "0004", "0007", "0008"])
async def test_an_older_ledger_is_brought_up_and_keeps_what_it_holds(
    place: LedgerPlace, execute: Execute, backend: str, revision: str
) -> None:
    await made_at(place, revision, execute, backend)
    with pytest.raises(LedgerOutdatedError, match=rf"revision {revision}.*sluice keeper run"):
        await SqlLedger.open_to_read(place)
    async with await opened(place) as ledger:
        assert [row.intent for row in await ledger.open_transactions()] == [an_intent()]
    assert execute("SELECT version_num FROM alembic_version") == [migration.newest()]
    async with await SqlLedger.open_to_read(place) as reader:
        assert len(await reader.recent_transactions(5)) == 1


async def test_what_an_older_ledger_says_was_moved_is_kept(
    place: LedgerPlace, execute: Execute, backend: str
) -> None:
    await made_at(place, "0007", execute, backend)
    execute(f"UPDATE transactions SET stake = '{10**30}', stake_asset = 'a \"symbol\"'")
    async with await opened(place) as ledger:
        (row,) = await ledger.open_transactions()
        assert row.intent.terms.moves == (Moved('a "symbol"', 10**30),)


async def test_a_ledger_half_way_to_the_moves_is_refused(
    place: LedgerPlace, execute: Execute, backend: str
) -> None:
    await made_at(place, "0007", execute, backend)
    execute(f"UPDATE alembic_version SET version_num = '{migration.newest()}'")
    with pytest.raises(LedgerHalfMigratedError, match=r"column transactions\.moves"):
        await opened(place)


@pytest.mark.parametrize(("version", "revision"), [("1", "0001"), ("2", "0002")])
async def test_a_ledger_from_before_there_were_revisions_is_brought_up(
    place: LedgerPlace, execute: Execute, backend: str, version: str, revision: str
) -> None:
    await made_at(place, revision, execute, backend)
    execute("DROP TABLE alembic_version")
    execute(f"INSERT INTO meta (name, value) VALUES ('version', '{version}')")
    async with await opened(place) as ledger:
        assert [row.intent for row in await ledger.open_transactions()] == [an_intent()]
    # A program from before there were revisions compares this with its own version, and ends.
    assert execute("SELECT value FROM meta WHERE name = 'version'")[0] not in ("1", "2")


async def test_a_ledger_of_a_version_that_never_was_is_refused(place: LedgerPlace, execute: Execute) -> None:
    await made(place)
    execute("DROP TABLE alembic_version")
    execute("UPDATE meta SET value = '99' WHERE name = 'version'")
    with pytest.raises(LedgerMismatchError, match="version 99"):
        await opened(place)


async def test_a_ledger_of_a_newer_program_is_refused_by_writers_and_readers(
    place: LedgerPlace, execute: Execute
) -> None:
    await made(place)
    execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerNewerError, match=r"revision 9999.*run the newer program"):
        await opened(place)
    with pytest.raises(LedgerNewerError, match="9999"):
        await SqlLedger.open_to_read(place)


@pytest.mark.parametrize(
    ("damage", "missing"),
    [
        ("DROP TABLE leases", "table leases"),
        ("ALTER TABLE transactions DROP COLUMN gas_used", "column transactions.gas_used"),
        ("DROP INDEX one_transaction_per_nonce", "index one_transaction_per_nonce"),
    ],
)
async def test_a_half_migrated_ledger_is_refused_and_what_it_lacks_is_named(
    place: LedgerPlace, execute: Execute, damage: str, missing: str
) -> None:
    await made(place)
    execute(damage)
    with pytest.raises(LedgerHalfMigratedError, match=f"half migrated.*{missing}"):
        await opened(place)
    with pytest.raises(LedgerHalfMigratedError, match=missing):
        await SqlLedger.open_to_read(place)


async def test_tables_without_any_mark_are_half_a_ledger(place: LedgerPlace, execute: Execute) -> None:
    execute("CREATE TABLE transactions (id INTEGER PRIMARY KEY)")
    with pytest.raises(LedgerHalfMigratedError, match="alembic_version"):
        await opened(place)


async def test_a_revision_that_fails_leaves_the_older_ledger_whole(
    place: LedgerPlace, execute: Execute, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made_at(place, "0001", execute, backend)

    def fail_at_the_end(*arguments: object) -> None:
        upgrade(*arguments)  # type: ignore[arg-type]
        raise OSError(errno.EIO, "the power fails")

    upgrade = command.upgrade
    monkeypatch.setattr(command, "upgrade", fail_at_the_end)
    with pytest.raises(LedgerUnavailableError, match="input/output error"):
        await opened(place)
    assert execute("SELECT version_num FROM alembic_version") == ["0001"]
    monkeypatch.undo()
    async with await opened(place) as ledger:
        assert len(await ledger.open_transactions()) == 1


@contextmanager
def a_foreign_lock(place: LedgerPlace) -> Iterator[None]:
    """Hold the database's lock, as somebody who forgot a transaction does."""
    address = LedgerAddress.of(place)
    assert address.path is not None
    engine = create_engine(f"sqlite:///{address.path}")
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.connect() as connection, connection.begin():
        yield
    engine.dispose()


async def test_a_database_that_somebody_keeps_locked_is_told_as_such(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.ledger.engines.SQLITE_WRITER", ("PRAGMA busy_timeout=50",))
    await made(path)
    async with await opened(path) as ledger:
        with a_foreign_lock(path), pytest.raises(LedgerLockedError, match="keeps a transaction open"):
            await ledger.record_head(a_head(1))
        await ledger.record_head(a_head(1))
    with a_foreign_lock(path), pytest.raises(LedgerLockedError):
        await opened(path)
