"""A keeper without the lease, or without a ledger, goes on watching and does nothing else."""

import asyncio
from typing import Any

import pytest

from bot.errors import (
    DuplicateTransactionError,
    LeaseLostError,
    LedgerError,
    LedgerFullError,
    LedgerHalfMigratedError,
    LedgerLockedError,
    LedgerNewerError,
)
from bot.leadership import Leadership
from bot.ledger.opening import open_patiently
from bot.ports import Hash32, Head, NewHead, Reorg
from bot.service import KeeperService
from tests.support.clock import leaping
from tests.support.keeper import a_head
from tests.unit.keeper.service.test_service import Stage, heads, unhealthy

GENESIS = Hash32("0x" + "00" * 32)


class Lease:
    """A lease of which the test says who has it."""

    name = "31337:sluice:0xkeeper"
    rival = "somebody"
    interval_s = 0.01

    def __init__(self, token: int | None = 1) -> None:
        self.token = token
        self.failing: LedgerError | None = None
        self.released = False

    async def hold(self) -> int | None:
        if self.failing is not None:
            raise self.failing
        return self.token

    async def confirm(self) -> int | None:
        return await self.hold()

    async def release(self) -> None:
        if self.failing is not None:
            raise self.failing
        self.released = True


class Shared(Stage):
    """A stage whose ledger is shared, and may fail."""

    lease: Lease
    ledger_fails: dict[int, list[LedgerError]]

    def service(self, options: Any = None) -> KeeperService:
        return KeeperService(
            feed=self,
            protocol=self,
            decide=self.decide,
            executor=self,  # type: ignore[arg-type]
            ledger=self,  # type: ignore[arg-type]
            acknowledger=self,
            leadership=Leadership(self.lease),
            options=options,
        )

    async def record_head(self, head: Head) -> None:
        if self.ledger_fails.get(head.number):
            raise self.ledger_fails[head.number].pop()
        await super().record_head(head)


def shared(events: Any, lease: Lease, **failing: Any) -> Shared:
    stage = Shared(events, unhealthy())
    stage.lease, stage.ledger_fails = lease, failing.get("fails", {})
    return stage


def steps(stage: Stage, *names: str) -> list[tuple[Any, ...]]:
    return [step for step in stage.script if step[0] in names]


@leaping
async def test_a_standby_syncs_and_does_nothing_else() -> None:
    stage = shared([*heads(7, 8), Reorg(a_head(7), (a_head(8),)), NewHead(a_head(8, 1), 0)], Lease(None))
    await stage.play()
    assert {step[0] for step in stage.script} == {"sync", "roll_back"}
    # Only the book is rolled back: what was settled is for the leader to undo.
    assert len(steps(stage, "roll_back")) == 1


@leaping
async def test_a_takeover_acts_on_the_head_it_has_after_reconciling() -> None:
    lease = Lease(None)
    stage = shared(heads(7, 8), lease)
    task = asyncio.ensure_future(stage.service().run())
    await asyncio.sleep(0.1)
    assert stage.acted_on() == []
    lease.token = 5
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait([task])
    assert stage.acted_on() == [8]
    assert steps(stage, "reconcile", "track") == [("reconcile", 8)]


@leaping
async def test_who_lost_the_lease_and_gets_it_back_reconciles_again() -> None:
    lease = Lease(1)
    stage = shared(heads(7), lease)
    task = asyncio.ensure_future(stage.service().run())
    await asyncio.sleep(0.1)
    lease.token = 3
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait([task])
    assert steps(stage, "reconcile") == [("reconcile", 7), ("reconcile", 7)]


@pytest.mark.parametrize(
    "fault",
    [
        LedgerLockedError("ledger", "database is locked"),
        LedgerFullError("ledger", "database or disk is full"),
        LedgerNewerError("ledger", "9999", "0001"),
        LedgerHalfMigratedError("ledger", "0001", ["table x"]),
        LeaseLostError("lease", 1, 2),
    ],
)
@leaping
async def test_a_ledger_that_cannot_be_used_costs_the_head_and_not_the_process(
    fault: LedgerError, capsys: pytest.CaptureFixture[str]
) -> None:
    lease = Lease()
    lease.interval_s = 60.0
    stage = shared(heads(7, 8, 9), lease, fails={7: [fault] * 9, 8: [fault] * 9})
    await stage.play()
    assert stage.acted_on() == [9]
    assert {("reconcile", 7), ("reconcile", 8), ("reconcile", 9)} == set(steps(stage, "reconcile", "track"))
    said = "lease_lost" if isinstance(fault, LeaseLostError) else "ledger_unusable"
    assert capsys.readouterr().out.count(said) >= 2


@leaping
async def test_forty_heads_without_a_ledger_do_not_end_the_process() -> None:
    fault = LedgerLockedError("ledger", "database is locked")
    lease = Lease()
    lease.interval_s = 60.0
    stage = shared(heads(*range(41)), lease, fails={number: [fault] * 9 for number in range(40)})
    await stage.play()
    assert stage.acted_on() == [40]


@leaping
async def test_a_head_that_a_ledger_cost_is_tried_again_before_the_next_one_comes() -> None:
    fault = LedgerLockedError("ledger", "database is locked")
    stage = shared(heads(7), Lease(), fails={7: [fault, fault]})
    await stage.play()
    assert stage.acted_on() == [7]


@leaping
async def test_a_ledger_that_contradicts_the_process_ends_it() -> None:
    stage = shared(heads(7), Lease(), fails={7: [DuplicateTransactionError("nonce 1")]})
    with pytest.raises(DuplicateTransactionError):
        await stage.play()


@leaping
async def test_a_database_that_cannot_renew_the_lease_is_asked_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lease = Lease()
    stage = shared(heads(7), lease)
    task = asyncio.ensure_future(stage.service().run())
    await asyncio.sleep(0.05)
    lease.failing = LedgerLockedError("ledger", "database is locked")
    await asyncio.sleep(0.05)
    assert not task.done()
    assert "lease_not_renewed" in capsys.readouterr().out
    task.cancel()
    await asyncio.wait([task])


@leaping
async def test_resigning_releases_and_survives_a_database_that_is_gone() -> None:
    lease = Lease()
    await Leadership(lease).resign()
    assert lease.released
    lease.failing = LedgerLockedError("ledger", "database is locked")
    await Leadership(lease).resign()
    await Leadership().resign()


async def test_a_daemon_waits_for_a_ledger_that_cannot_be_opened(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is no database " * 100)
    opening = asyncio.ensure_future(
        open_patiently(path, chain_id=1, genesis_hash=GENESIS, patient=True, retry_s=0.02)
    )
    await asyncio.sleep(0.2)
    assert not opening.done()
    path.unlink()
    ledger = await opening
    await ledger.close()
    assert "ledger_unusable" in capsys.readouterr().out
