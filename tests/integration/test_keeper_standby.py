"""Two keepers on one ledger: one acts, the other takes over within seconds, and never do both."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.ledger.address import LedgerPlace
from bot.ledger.store import SqlLedger
from bot.ports import Outcome, Transaction
from tests.support.daemon import Daemon, keeper
from tests.support.ledgers import backend, execute, path, place, postgres_server, url
from tests.support.world import KEEPER, World

__all__ = ["backend", "execute", "path", "place", "postgres_server", "url"]

pytestmark = [pytest.mark.node]

BLOCK_S = 12
LEASE_S = 2.0
A_FEW_SECONDS = 3 * LEASE_S
A_LONG_LEASE_S = 16.0


@pytest.fixture(autouse=True)
def _shared(url: str | None, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every keeper that is started use the same ledger."""
    monkeypatch.setenv("SLUICE_LEDGER__LEASE_S", str(LEASE_S))
    if url is None:
        monkeypatch.setenv("SLUICE_LEDGER__PATH", str(path))
    else:
        monkeypatch.setenv("SLUICE_LEDGER__URL", url)


@contextmanager
def two_keepers(tmp_path: Path, here: World) -> Iterator[tuple[Daemon, Daemon]]:
    """Run a leader and a standby that has synced its book."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with keeper(tmp_path / "a", here) as leader:
        leader.acknowledged(block_number(here))
        with keeper(tmp_path / "b", here) as standby:
            wait_for(standby, "standing_by")
            yield leader, standby


def block_number(here: World) -> int:
    return int(here.node.call("eth_blockNumber"), 16)


def wait_for(daemon: Daemon, event: str, within_s: float = 20.0) -> float:
    """Return the seconds that it took a keeper to log an event."""
    started = time.monotonic()
    while not daemon.events(event):
        assert time.monotonic() - started < within_s, daemon.log.read_text()[-3000:]
        time.sleep(0.05)
    return time.monotonic() - started


def crash(here: World) -> None:
    here.trade("WETH", "USDC", 18_000)
    here.publish("WETH", 170)


def settle(here: World, daemon: Daemon, borrower: str) -> None:
    """Let a keeper work until the account is healthy."""
    for _ in range(60):
        here.advance(BLOCK_S)
        daemon.acknowledged(block_number(here))
        if here.health(borrower) >= 1:
            break
    here.advance(BLOCK_S)  # what was sent last settles
    daemon.acknowledged(block_number(here))
    assert here.health(borrower) >= 1


async def transactions(place: LedgerPlace) -> list[Transaction]:
    async with await SqlLedger.open_to_read(place) as ledger:
        return await ledger.recent_transactions(100)


async def test_a_standby_takes_over_from_a_keeper_that_was_killed(
    here: World, tmp_path: Path, place: LedgerPlace
) -> None:
    borrower = here.open({"WETH": 20}, {"USDC": 3_160})
    with two_keepers(tmp_path, here) as (leader, standby):
        here.advance(BLOCK_S)
        leader.acknowledged(block_number(here))
        assert not standby.events("leading")
        leader.stop(signal.SIGKILL)
        crash(here)
        assert wait_for(standby, "leading") < A_FEW_SECONDS
        settle(here, standby, borrower)
    rows = await transactions(place)
    assert {row.outcome for row in rows} == {Outcome.INCLUDED}
    assert len(rows) == int(here.node.call("eth_getTransactionCount", KEEPER, "latest"), 16)


def test_a_standby_does_not_wait_for_the_lease_of_one_that_was_stopped(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_LEDGER__LEASE_S", str(A_LONG_LEASE_S))
    with two_keepers(tmp_path, here) as (leader, standby):
        assert leader.stop() == 0
        assert wait_for(standby, "leading") < A_LONG_LEASE_S / 2
        # The head that it had synced in vain is acted on without waiting for the next.
        standby.acknowledged(block_number(here))


async def test_a_keeper_that_was_paused_wakes_up_and_stands_by(
    here: World, tmp_path: Path, place: LedgerPlace
) -> None:
    borrower = here.open({"WETH": 20}, {"USDC": 3_160})
    with two_keepers(tmp_path, here) as (leader, standby):
        before = acted_on(leader)
        leader.process.send_signal(signal.SIGSTOP)
        assert wait_for(standby, "leading") < A_FEW_SECONDS
        crash(here)
        here.advance(BLOCK_S)
        standby.acknowledged(block_number(here))
        leader.process.send_signal(signal.SIGCONT)
        settle(here, standby, borrower)
        wait_for(leader, "standing_by")
        assert acted_on(leader) == before
    rows = await transactions(place)
    assert {row.outcome for row in rows} == {Outcome.INCLUDED}
    assert len({row.signed.nonce for row in rows if row.signed}) == len(rows)


def acted_on(daemon: Daemon) -> set[int]:
    return {event["block"] for event in daemon.events("head")}


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_password_is_in_no_log(here: World, tmp_path: Path) -> None:
    with keeper(tmp_path, here) as daemon:
        daemon.acknowledged(block_number(here))
        daemon.stop()
    assert "swordfish" not in daemon.log.read_text()
    assert json.loads(daemon.log.read_text().splitlines()[0])
