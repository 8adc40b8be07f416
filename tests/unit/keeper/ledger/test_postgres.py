"""What only PostgreSQL does: sessions that end, and a pause inside a transaction."""

import asyncio

import pytest

from bot.errors import LeaseLostError, LedgerError, LedgerUnavailableError
from bot.ledger import engines
from bot.ledger.address import LedgerPlace
from bot.ledger.lease import SqlLease
from bot.ledger.store import SqlLedger
from bot.ports import Hash32
from tests.support.keeper import KEEPER, a_head, an_intent
from tests.support.ledgers import Execute

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)

GENESIS = Hash32("0x" + "00" * 32)
END_SESSIONS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def test_sessions_that_were_ended_cost_one_transaction(place: LedgerPlace, execute: Execute) -> None:
    async with await SqlLedger.open(place, chain_id=1, genesis_hash=GENESIS) as ledger:
        await asyncio.gather(*(ledger.recent_heads(1) for _ in range(4)))
        await asyncio.to_thread(execute, END_SESSIONS)
        with pytest.raises(LedgerUnavailableError):
            await ledger.record_head(a_head(1))
        await asyncio.gather(*(ledger.record_head(a_head(number)) for number in range(2, 8)))
        assert len(await ledger.recent_heads(9)) == 6


async def write_while(ledger: SqlLedger, other: SqlLease) -> None:
    """Begin to write, and go on when another process has taken the lease."""
    async with ledger._database.writing() as connection:
        assert await other.hold() == 2
        await connection.exec_driver_sql("SELECT 1")


async def test_who_is_paused_inside_a_transaction_does_not_hold_the_standby_back(
    place: LedgerPlace, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engines._POSTGRES, "idle_in_transaction_session_timeout", "1500")
    async with (
        await SqlLedger.open(place, chain_id=1, genesis_hash=GENESIS) as paused,
        await SqlLedger.open(place, chain_id=1, genesis_hash=GENESIS) as successor,
    ):
        lease, other = paused.lease(["signer"], 300.0), successor.lease(["signer"], 300.0)
        await lease.hold()
        await asyncio.to_thread(execute, "UPDATE leases SET expires_at_ms = 0")
        with pytest.raises(LedgerUnavailableError):
            await write_while(paused, other)
        with pytest.raises(LeaseLostError):
            await paused.plan([an_intent()], KEEPER, a_head(1))


async def test_a_lock_that_somebody_keeps_is_not_waited_for_without_end(
    place: LedgerPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engines._POSTGRES, "lock_timeout", "100")
    async with (
        await SqlLedger.open(place, chain_id=1, genesis_hash=GENESIS) as first,
        await SqlLedger.open(place, chain_id=1, genesis_hash=GENESIS) as second,
    ):
        async with first._database.writing() as connection:
            await connection.exec_driver_sql("LOCK TABLE heads")
            with pytest.raises(LedgerError, match=r"lock timeout.*keeps a transaction open"):
                await second.record_head(a_head(1))
        await second.record_head(a_head(1))
