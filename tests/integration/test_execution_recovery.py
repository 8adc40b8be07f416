"""Start-up is the recovery path: what a crash, a kill or a reorg left behind is made good."""

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.ports import Intent, Moved, Outcome, Terms
from tests.support.anvil import Client
from tests.support.landing import (
    COUNTER,
    GUARDED,
    Crash,
    CrashAfter,
    CrashAt,
    Keeper,
    count,
    deploy,
    head_of,
    intent,
    mine,
    outcomes,
    port_of,
    running,
    word,
)

pytestmark = pytest.mark.node


async def test_a_reorg_while_the_keeper_was_down_is_found_at_the_next_start(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    mine(node, 5)
    async with running(port_of(node), ledger_path) as keeper:
        await keeper.ledger.record_head(head_of(node))
        await keeper.executor.execute([intent(counter, "a")], head_of(node))
        head = mine(node)
        await keeper.executor.track(head)
        await keeper.ledger.record_head(head)
    node.call("anvil_reorg", 1, [])
    assert count(node, counter) == 0
    async with running(port_of(node), ledger_path) as keeper:
        await keeper.executor.reconcile(mine(node))
        assert head not in await keeper.ledger.recent_heads(5)
        for _ in range(4):
            await keeper.executor.track(mine(node))
        assert outcomes(await keeper.ledger.recent_transactions(5)) == [Outcome.INCLUDED]
    assert count(node, counter) == 1


@pytest.mark.slow
async def test_a_crash_at_any_step_neither_loses_nor_doubles_an_action(node: Client, tmp_path: Path) -> None:
    counter = deploy(node, COUNTER)
    intents = [intent(counter, "a"), intent(counter, "b")]
    blank = tmp_path / "blank.sqlite"
    async with running(port_of(node), blank):
        pass
    point, crashed = 0, True
    while crashed:
        point += 1
        snapshot = node.call("evm_snapshot")
        path = shutil.copy(blank, tmp_path / f"{point}.sqlite")
        crashed = await _crash_and_recover(node, path, intents, point)
        assert count(node, counter) == 2, f"crash at point {point}"
        node.call("evm_revert", snapshot)
    assert point > 25


async def _crash_and_recover(node: Client, path: Path, intents: list[Intent], point: int) -> bool:
    """Return whether the run got as far as the crash."""
    crashed = False
    try:
        async with running(port_of(node), path, wrap=CrashAt(point).wrap) as keeper:
            await keeper.executor.execute(intents, head_of(node))
            await keeper.executor.track(mine(node))
    except Crash:
        crashed = True
    await _recover(node, path, intents)
    return crashed


async def _recover(node: Client, path: Path, intents: list[Intent]) -> None:
    """Start again, and see that each action ends in a block, once."""
    async with running(port_of(node), path) as keeper:
        await keeper.executor.reconcile(head_of(node))
        for _ in range(2):  # what is still liquidatable is offered again
            await keeper.executor.execute(intents, head_of(node))
            await keeper.executor.track(mine(node))
        rows = await keeper.ledger.recent_transactions(10)
        assert sorted(row.intent.account for row in rows if row.outcome is Outcome.INCLUDED) == ["a", "b"]
        assert not [row for row in rows if row.outcome.is_open]


async def test_a_crash_between_a_refusal_together_and_the_first_sale_alone_loses_nothing(
    node: Client, tmp_path: Path
) -> None:
    guarded = deploy(node, GUARDED)
    sold, more = Moved("WETH", 10**30, "USDC"), Moved("WBTC", 5, "DAI")
    together = intent(guarded, "a", word(7), key="a:swap_2", terms=Terms(moves=(sold, more)))
    alone = intent(guarded, "a", word(0), key="a:swap", terms=Terms(moves=(sold,)))
    blank = tmp_path / "blank.sqlite"
    async with running(port_of(node), blank):
        pass
    point, crashed = 0, True
    while crashed:
        point += 1
        snapshot = node.call("evm_snapshot")
        path, crashed = shutil.copy(blank, tmp_path / f"{point}.sqlite"), False
        try:
            async with running(port_of(node), path, wrap=CrashAt(point).wrap) as keeper:
                await _refused_and_alone(keeper, together, alone, node)
        except Crash:
            crashed = True
        async with running(port_of(node), path) as keeper:
            await keeper.executor.reconcile(head_of(node))
            await _refused_and_alone(keeper, together, alone, node)
            rows = await keeper.ledger.recent_transactions(10)
        assert [row.intent for row in rows if row.outcome is Outcome.INCLUDED] == [alone]
        assert not [row for row in rows if row.outcome.is_open]
        assert count(node, guarded) == 1, f"crash at point {point}"
        node.call("evm_revert", snapshot)
    assert point > 25


async def _refused_and_alone(keeper: Keeper, together: Intent, alone: Intent, node: Client) -> None:
    """Offer what reverts, and the part of it that does not, as the service does on one head."""
    head = head_of(node)
    (refused,) = await keeper.executor.execute([together], head)
    assert refused.outcome in (Outcome.SIMULATION_REVERTED, Outcome.IN_FLIGHT)
    await keeper.executor.execute([alone], head)
    await keeper.executor.track(mine(node))


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.support import landing

class KillAfterJournal(landing.Wrapper):
    async def after(self, name, arguments):
        if name == "journal":
            os.kill(os.getpid(), signal.SIGKILL)

async def main(url, path, counter):
    node = landing.Client(int(url))
    async with landing.running(int(url), Path(path), wrap=KillAfterJournal().wrap) as keeper:
        await keeper.executor.execute([landing.intent(counter, "a")], landing.head_of(node))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_kill_between_journal_and_broadcast_is_made_good_at_the_next_start(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    command = [sys.executable, "-c", KILLED, str(port_of(node)), str(ledger_path), counter]
    root = Path(__file__).parents[2]
    killed = await asyncio.to_thread(subprocess.run, command, cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert node.call("txpool_status")["pending"] == "0x0"
    async with running(port_of(node), ledger_path) as keeper:
        (signed,) = await keeper.ledger.open_transactions()
        assert signed.outcome is Outcome.SIGNED
        (resumed,) = await keeper.executor.reconcile(head_of(node))
        assert (resumed.id, resumed.outcome) == (signed.id, Outcome.SUBMITTED)
        (landed,) = await keeper.executor.track(mine(node))
        assert landed.outcome is Outcome.INCLUDED
        assert landed.signed == signed.signed
    assert count(node, counter) == 1


KILLED_WHILE_REPLACING = """
import asyncio, os, signal, sys
from pathlib import Path
from bot.ports import Terms
from tests.support import landing

class KillAfterReplace(landing.Wrapper):
    async def after(self, name, arguments):
        if name == "replace":
            os.kill(os.getpid(), signal.SIGKILL)

async def main(url, path, counter, deadline):
    node = landing.Client(int(url))
    terms = Terms(worth=10**18, deadline=int(deadline) or None)
    async with landing.running(int(url), Path(path), wrap=KillAfterReplace().wrap) as keeper:
        await keeper.executor.execute([landing.intent(counter, "a", terms=terms)], landing.head_of(node))
        node.call("anvil_setNextBlockBaseFeePerGas", hex(50 * landing.GWEI))
        await keeper.executor.track(landing.mine(node))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(("deadline", "done"), [(0, 1), (1, 0)], ids=["bumping", "cancelling"])
async def test_a_kill_between_replacement_and_broadcast_is_made_good_at_the_next_start(
    node: Client, ledger_path: Path, deadline: int, done: int
) -> None:
    counter = deploy(node, COUNTER)
    arguments = [str(port_of(node)), str(ledger_path), counter, str(deadline)]
    command = [sys.executable, "-c", KILLED_WHILE_REPLACING, *arguments]
    root = Path(__file__).parents[2]
    killed = await asyncio.to_thread(subprocess.run, command, cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    async with running(port_of(node), ledger_path) as keeper:
        (signed,) = await keeper.ledger.open_transactions()
        assert (signed.outcome, signed.cancels) == (Outcome.SIGNED, not done)
        await keeper.executor.reconcile(head_of(node))
        (landed,) = await keeper.executor.track(mine(node))
        assert (landed.id, landed.outcome, landed.cancels) == (signed.id, Outcome.INCLUDED, not done)
    assert count(node, counter) == done


async def test_a_signed_action_that_became_stale_is_given_up_at_the_next_start(
    node: Client, ledger_path: Path
) -> None:
    guarded = deploy(node, GUARDED)
    stale = intent(guarded, "a", word(0))
    with pytest.raises(Crash):
        async with running(port_of(node), ledger_path, wrap=CrashAfter("journal").wrap) as keeper:
            await keeper.executor.execute([stale], head_of(node))
    other = node.call("eth_accounts")[1]
    node.call("eth_sendTransaction", {"from": other, "to": guarded, "data": "0x" + word(0).hex()})
    head = mine(node)
    assert count(node, guarded) == 1
    async with running(port_of(node), ledger_path) as keeper:
        (given_up,) = await keeper.executor.reconcile(head)
        assert given_up.outcome is Outcome.ABANDONED
        (sent,) = await keeper.executor.execute([intent(guarded, "a", word(1))], head)
        assert given_up.signed is not None
        assert sent.nonce == given_up.signed.nonce
        assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED]


async def test_what_stands_behind_a_stale_action_is_given_up_with_it(node: Client, ledger_path: Path) -> None:
    guarded, counter = deploy(node, GUARDED), deploy(node, COUNTER)
    both = [intent(guarded, "a", word(0)), intent(counter, "b")]
    with pytest.raises(Crash):
        async with running(port_of(node), ledger_path, wrap=CrashAfter("journal").wrap) as keeper:
            await keeper.executor.execute(both, head_of(node))
    other = node.call("eth_accounts")[1]
    node.call("eth_sendTransaction", {"from": other, "to": guarded, "data": "0x" + word(0).hex()})
    head = mine(node)
    async with running(port_of(node), ledger_path) as keeper:
        assert outcomes(list(await keeper.executor.reconcile(head))) == [Outcome.ABANDONED] * 2
        await keeper.executor.execute([both[1]], head)
        assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED]
    assert count(node, counter) == 1


async def test_a_stale_action_that_the_node_has_is_cancelled_at_the_next_start(
    node: Client, ledger_path: Path
) -> None:
    guarded = deploy(node, GUARDED)
    with pytest.raises(Crash):
        async with running(port_of(node), ledger_path, wrap=CrashAfter("batch", 2).wrap) as keeper:
            await keeper.executor.execute([intent(guarded, "a", word(0))], head_of(node))
    assert node.call("txpool_status")["pending"] == "0x1"
    node.call("anvil_setStorageAt", guarded, "0x0", "0x" + word(1).hex())  # as if another came first
    async with running(port_of(node), ledger_path) as keeper:
        (cancel,) = await keeper.executor.reconcile(head_of(node))
        assert cancel.cancels
        assert cancel.outcome is Outcome.SUBMITTED
        (settled,) = await keeper.executor.track(mine(node))
        assert (settled.id, settled.outcome) == (cancel.id, Outcome.INCLUDED)
        assert settled.gas_used == 21_000
    assert count(node, guarded) == 1
