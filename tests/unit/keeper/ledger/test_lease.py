"""Of several keepers on one ledger at most one writes; who takes over is told from who was paused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from bot.errors import LeaseLostError, LedgerNewerError
from bot.ledger.address import LedgerPlace
from bot.ledger.lease import SqlLease
from bot.ledger.store import SqlLedger
from bot.ports import DecisionEntry, Hash32, Outcome, Settlement, Verdict
from tests.support.keeper import KEEPER, a_head, a_receipt, a_signature, an_intent
from tests.support.ledgers import Execute

GENESIS = Hash32("0x" + "00" * 32)
NAME = f"31337:sluice:{KEEPER}"
FOREVER_S = 300.0


class Keepers:
    """Processes on one ledger, as far as the ledger can tell."""

    def __init__(self, place: LedgerPlace, stack: AsyncExitStack) -> None:
        self._place = place
        self._stack = stack

    async def start(self, ttl_s: float = FOREVER_S, *names: str) -> tuple[SqlLedger, SqlLease]:
        ledger = await SqlLedger.open(self._place, chain_id=31337, genesis_hash=GENESIS)
        await self._stack.enter_async_context(ledger)
        return ledger, ledger.lease(names or [NAME], ttl_s)


@pytest.fixture
async def keepers(place: LedgerPlace) -> AsyncIterator[Keepers]:
    async with AsyncExitStack() as stack:
        yield Keepers(place, stack)


async def expire(execute: Execute) -> None:
    """Let as much time pass in the database as a lease lasts."""
    await asyncio.to_thread(execute, "UPDATE leases SET expires_at_ms = expires_at_ms - 1000000000")


async def test_one_of_two_holds_it_and_the_other_is_told_who(keepers: Keepers) -> None:
    _, first = await keepers.start()
    _, second = await keepers.start()
    assert await first.hold() == 1
    assert await second.hold() is None
    assert second.rival == first.holder
    assert await first.hold() == 1
    assert (first.token, second.token) == (1, None)


async def test_two_that_ask_at_the_same_moment_do_not_both_get_it(keepers: Keepers) -> None:
    leases = [(await keepers.start())[1] for _ in range(4)]
    tokens = await asyncio.gather(*(lease.hold() for lease in leases))
    assert sorted(token for token in tokens if token is not None) == [1]


async def test_a_lease_that_ran_out_is_taken_over_with_a_higher_token(
    keepers: Keepers, execute: Execute
) -> None:
    _, first = await keepers.start()
    _, second = await keepers.start()
    await first.hold()
    await expire(execute)
    assert await second.hold() == 2
    assert await first.hold() is None
    assert first.token is None


async def test_the_holder_of_a_lease_that_ran_out_and_was_not_taken_goes_on(
    keepers: Keepers, execute: Execute
) -> None:
    ledger, lease = await keepers.start()
    await lease.hold()
    await expire(execute)
    await ledger.plan([an_intent()], KEEPER, a_head(1))
    assert await lease.hold() == 1


async def test_a_lease_lasts_by_the_databases_clock(keepers: Keepers) -> None:
    _, first = await keepers.start(1.0)
    _, second = await keepers.start(1.0)
    await first.hold()
    assert await second.hold() is None
    await asyncio.sleep(1.1)
    assert await second.hold() == 2


async def test_a_clock_that_was_set_back_keeps_nobody_waiting_longer_than_a_lease_may_last(
    keepers: Keepers, execute: Execute
) -> None:
    _, first = await keepers.start()
    _, second = await keepers.start()
    await first.hold()
    aside = "UPDATE leases SET expires_at_ms = expires_at_ms {}"  # as seen by a clock that was set
    await asyncio.to_thread(execute, aside.format("- 1000"))
    assert await second.hold() is None
    await asyncio.to_thread(execute, aside.format("+ 3600000"))
    assert await second.hold() == 2
    assert await first.hold() is None


async def test_a_lease_that_was_let_go_is_free_at_once(keepers: Keepers) -> None:
    _, first = await keepers.start()
    _, second = await keepers.start()
    await first.hold()
    await first.release()
    assert first.token is None
    assert await second.hold() == 2
    await first.release()
    assert await second.confirm() == 2
    assert await first.hold() is None


async def test_a_lease_is_confirmed_without_the_database_until_it_runs_out(
    keepers: Keepers, execute: Execute
) -> None:
    ledger, _ = await keepers.start()
    now = 100.0
    lease = SqlLease(ledger._database, [NAME], 5.0, clock=lambda: now)
    assert await lease.confirm() == 1
    await asyncio.to_thread(execute, "UPDATE leases SET token = 7, holder = 'somebody'")
    now = 104.9
    assert await lease.confirm() == 1
    now = 105.0
    assert await lease.confirm() is None


async def test_leases_of_other_signers_are_other_leases(keepers: Keepers) -> None:
    _, first = await keepers.start(FOREVER_S, "a")
    _, second = await keepers.start(FOREVER_S, "b")
    _, both = await keepers.start(FOREVER_S, "b", "a")
    assert (await first.hold(), await second.hold()) == (1, 1)
    assert await both.hold() is None
    await first.release()
    assert await both.hold() is None
    await second.release()
    assert await both.hold() == 4


async def every_write(ledger: SqlLedger) -> list[str]:
    """Try everything that writes; return what was refused for want of the lease."""
    head, signed = a_head(1), a_signature(0)
    entry = DecisionEntry("sluice", "a", {}, None, [])
    receipt = a_receipt(signed.hash, 2)
    attempts = {
        "plan": lambda: ledger.plan([an_intent("other")], KEEPER, head),
        "journal": lambda: ledger.journal({1: signed}),
        "replace": lambda: ledger.replace(1, a_signature(0)),
        "conclude": lambda: ledger.conclude([Verdict(1, Outcome.REPLACED)], [Settlement(2, receipt, None)]),
        "roll_back": lambda: ledger.roll_back(a_head(0)),
        "record_head": lambda: ledger.record_head(head),
        "record_decisions": lambda: ledger.record_decisions(head, [entry]),
    }
    refused = []
    for name, attempt in attempts.items():
        try:
            await attempt()
        except LeaseLostError:
            refused.append(name)
    return refused


async def test_who_lost_the_lease_writes_nothing(keepers: Keepers, execute: Execute) -> None:
    paused, lease = await keepers.start()
    await lease.hold()
    (row,) = await paused.plan([an_intent()], KEEPER, a_head(1))
    await expire(execute)
    successor, other = await keepers.start()
    await other.hold()
    # The paused process still believes in its lease: only the token in the database tells.
    assert await lease.confirm() == 1
    assert len(await every_write(paused)) == 7
    assert await successor.open_transactions() == [row]
    with pytest.raises(LeaseLostError, match=f"{NAME}.*has token 1, the ledger 2"):
        await paused.journal({row.id: a_signature(0)})


async def test_who_never_held_the_lease_writes_nothing(keepers: Keepers) -> None:
    ledger, lease = await keepers.start()
    assert len(await every_write(ledger)) == 7
    await lease.hold()
    assert await every_write(ledger) == []


async def test_a_takeover_waits_for_a_write_that_is_under_way(keepers: Keepers, execute: Execute) -> None:
    ledger, first = await keepers.start()
    _, second = await keepers.start()
    await first.hold()
    await expire(execute)
    async with ledger._database.writing():
        takeover = asyncio.create_task(second.hold())
        await asyncio.wait([takeover], timeout=0.2)
        assert not takeover.done()
    assert await takeover == 2


async def test_a_newer_program_that_changed_the_tables_meanwhile_stops_every_write(
    keepers: Keepers, execute: Execute
) -> None:
    ledger, lease = await keepers.start()
    await lease.hold()
    await asyncio.to_thread(execute, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerNewerError, match="9999"):
        await ledger.plan([an_intent()], KEEPER, a_head(1))
    assert await ledger.open_transactions() == []
