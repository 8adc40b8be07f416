"""Executors on one ledger: one that was paused at any step finds on waking that it may not go on."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.ledger.address import LedgerPlace
from bot.ledger.lease import SqlLease
from bot.ports import Outcome
from tests.support.anvil import Client
from tests.support.landing import (
    COUNTER,
    KEEPER,
    count,
    deploy,
    head_of,
    intent,
    mine,
    outcomes,
    port_of,
    running,
)
from tests.support.ledgers import backend, execute, path, place, postgres_server, url

__all__ = ["backend", "execute", "path", "place", "postgres_server", "url"]

pytestmark = pytest.mark.node

ROOT = Path(__file__).parents[2]
TTL_S = 1.0
REFUSED = 7

PAUSED = """
import asyncio, os, signal, sys
from pathlib import Path
from bot.errors import LeaseLostError
from bot.ledger.address import LedgerAddress
from tests.support import landing

class Pause(landing.Wrapper):
    async def before(self, name, arguments):
        self._pause("before", name)

    async def after(self, name, arguments):
        self._pause("after", name)

    def _pause(self, side, name):
        if f"{side} {name}" == sys.argv[4]:
            os.kill(os.getpid(), signal.SIGSTOP)

async def main(port, place, counter):
    node = landing.Client(int(port))
    where = LedgerAddress.parse(place) if place.startswith("postgresql") else Path(place)
    async with landing.running(int(port), where, wrap=Pause().wrap) as keeper:
        assert await keeper.ledger.lease(["signer"], float(sys.argv[5])).hold() == 1
        try:
            await keeper.executor.execute([landing.intent(counter, "a")], landing.head_of(node))
        except LeaseLostError:
            sys.exit(7)

asyncio.run(main(*sys.argv[1:4]))
"""


def paused(step: str, node: Client, where: str, counter: str) -> "subprocess.Popen[bytes]":
    """Return an executor with the lease that has stopped before or after a step."""
    command = [sys.executable, "-c", PAUSED, str(port_of(node)), where, counter, step, str(TTL_S)]
    process = subprocess.Popen(command, cwd=ROOT)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), status
    return process


async def until_held(lease: SqlLease) -> None:
    for _ in range(int(5 * TTL_S / 0.1)):
        if await lease.hold() is not None:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{lease.rival} keeps the lease")


@pytest.mark.parametrize("step", ["before plan", "before journal"])
async def test_who_is_paused_before_a_write_and_loses_the_lease_sends_nothing(
    node: Client, url: str | None, path: Path, place: LedgerPlace, step: str
) -> None:
    counter = deploy(node, COUNTER)
    process = await asyncio.to_thread(paused, step, node, url or str(path), counter)
    try:
        async with running(port_of(node), place) as successor:
            lease = successor.ledger.lease(["signer"], TTL_S)
            await until_held(lease)
            await successor.executor.reconcile(head_of(node))
            await successor.executor.execute([intent(counter, "a", b"\1")], head_of(node))
            process.send_signal(signal.SIGCONT)
            assert await asyncio.to_thread(process.wait, 30) == REFUSED
            await lease.hold()
            await successor.executor.track(mine(node))
            rows = await successor.ledger.recent_transactions(5)
    finally:
        process.kill()
        process.wait()
    assert count(node, counter) == 1
    assert outcomes(rows)[0] is Outcome.INCLUDED
    assert set(outcomes(rows)[1:]) <= {Outcome.ABANDONED}
    assert int(node.call("eth_getTransactionCount", KEEPER, "pending"), 16) == 1


async def test_who_is_paused_between_journal_and_broadcast_repeats_what_its_successor_sent(
    node: Client, url: str | None, path: Path, place: LedgerPlace
) -> None:
    counter = deploy(node, COUNTER)
    process = await asyncio.to_thread(paused, "after journal", node, url or str(path), counter)
    try:
        async with running(port_of(node), place) as successor:
            lease = successor.ledger.lease(["signer"], TTL_S)
            await until_held(lease)
            await successor.executor.reconcile(head_of(node))
            head = mine(node)
            assert count(node, counter) == 1
            process.send_signal(signal.SIGCONT)
            assert await asyncio.to_thread(process.wait, 30) == REFUSED
            await lease.hold()
            await successor.executor.track(head)
            await successor.executor.track(mine(node))
            rows = await successor.ledger.recent_transactions(5)
    finally:
        process.kill()
        process.wait()
    assert count(node, counter) == 1
    assert outcomes(rows) == [Outcome.INCLUDED]
