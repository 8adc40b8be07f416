"""Transactions that wait on a real node: made dearer, cancelled, healed; no crash doubles or loses one."""

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from bot.execution.guard import Unlimited
from bot.ports import Address, Intent, Outcome, Terms, Transaction
from tests.support.anvil import Client
from tests.support.landing import (
    COUNTER,
    GUARDED,
    GWEI,
    Crash,
    Keeper,
    Refusing,
    count,
    deploy,
    head_of,
    intent,
    mine,
    outcomes,
    port_of,
    running,
    spike,
    word,
)

pytestmark = pytest.mark.node

WORTH = Terms(worth=10**18)


async def all_rows(keeper: Keeper) -> list[Transaction]:
    return (await keeper.ledger.recent_transactions(50))[::-1]


async def test_what_waits_is_made_dearer_up_to_what_it_is_worth(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        gas = 60_000
        wanted = intent(counter, "a", terms=Terms(worth=40 * GWEI * gas))
        wanted = replace(wanted, call=replace(wanted.call, gas_limit=gas))
        await keeper.executor.execute([wanted], head_of(node))
        for gwei in (20, 30, 60):
            await keeper.executor.track(spike(node, gwei))
        rows = await all_rows(keeper)
        fees = [row.signed.max_fee_per_gas for row in rows if row.signed]
        assert len(fees) == 3, "60 gwei is more than its inclusion is worth"
        assert max(fees) <= 40 * GWEI
        for before, after in pairwise(rows):
            assert before.signed is not None
            assert after.signed is not None
            assert after.signed.max_fee_per_gas * 8 >= before.signed.max_fee_per_gas * 9
            assert after.signed.max_priority_fee_per_gas * 8 >= before.signed.max_priority_fee_per_gas * 9
        assert outcomes(rows) == [Outcome.REPLACED, Outcome.REPLACED, Outcome.SUBMITTED]
        node.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        assert await keeper.executor.track(mine(node)) == [], "the node forgot it, and is told again"
        (landed,) = await keeper.executor.track(mine(node))
        assert (landed.id, landed.outcome) == (rows[-1].id, Outcome.INCLUDED)
    assert count(node, counter) == 1


async def test_what_would_revert_by_now_is_cancelled(node: Client, ledger_path: Path) -> None:
    guarded = deploy(node, GUARDED)
    async with running(port_of(node), ledger_path) as keeper:
        (sent,) = await keeper.executor.execute([intent(guarded, "a", word(0))], head_of(node))
        node.call("anvil_setStorageAt", guarded, "0x0", "0x" + word(7).hex())
        (cancel,) = await keeper.executor.track(spike(node))
        assert (cancel.cancels, cancel.outcome) == (True, Outcome.SUBMITTED)
        assert cancel.signed is not None
        assert cancel.signed.nonce == sent.nonce
        again = intent(guarded, "a", word(7))
        (busy,) = await keeper.executor.execute([again], head_of(node))
        assert busy.outcome is Outcome.IN_FLIGHT, "the action or its cancel may land, and nobody knows which"
        (landed,) = await keeper.executor.track(mine(node))
        assert (landed.id, landed.gas_used, landed.realised_profit) == (cancel.id, 21_000, None)
        (sent,) = await keeper.executor.execute([again], head_of(node))
        assert sent.outcome is Outcome.SUBMITTED
        await keeper.executor.track(mine(node))
        assert outcomes(await all_rows(keeper)) == [Outcome.REPLACED, Outcome.INCLUDED, Outcome.INCLUDED]
    assert count(node, guarded) == 8


async def test_what_passed_its_deadline_is_cancelled_and_may_be_wanted_again(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        head = head_of(node)
        wanted = intent(counter, "a", terms=Terms(deadline=head.timestamp))
        await keeper.executor.execute([wanted], head)
        (cancel,) = await keeper.executor.track(spike(node))
        assert cancel.cancels
        await keeper.executor.track(mine(node))
        (again,) = await keeper.executor.execute([replace(wanted, terms=Terms())], head_of(node))
        assert again.outcome is Outcome.SUBMITTED, "its key was never used"


async def test_the_action_may_land_although_it_was_cancelled(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        head = head_of(node)
        await keeper.executor.execute([intent(counter, "a", terms=Terms(deadline=head.timestamp))], head)
        (cancel,) = await keeper.executor.track(spike(node))
        action, _ = await all_rows(keeper)
        assert action.signed is not None
        assert cancel.signed is not None
        node.call("anvil_dropTransaction", cancel.signed.hash)
        node.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        mine(node)
        node.call("eth_sendRawTransaction", "0x" + action.signed.raw.hex())
        node.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        await keeper.executor.track(mine(node))
        rows = await all_rows(keeper)
        assert outcomes(rows) == [Outcome.INCLUDED, Outcome.DROPPED], "told by the block it is in, at once"
        assert rows[0].realised_profit
        (again,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
        assert again.outcome is Outcome.IN_FLIGHT, "its key landed"
    assert count(node, counter) == 1


async def test_a_refused_replacement_frees_neither_its_account_nor_its_nonce(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    refusing = Refusing(1, after=1)
    async with running(port_of(node), ledger_path, wrap=refusing.wrap) as keeper:
        (sent,) = await keeper.executor.execute([intent(counter, "a", terms=WORTH)], head_of(node))
        (open_,) = await keeper.executor.track(spike(node))
        assert open_.outcome is Outcome.SIGNED, "the pool may hold the one that it was to replace"
        again = [intent(counter, "a", key="again"), intent(counter, "b")]
        busy, other = await keeper.executor.execute(again, head_of(node))
        assert (busy.outcome, other.nonce) == (Outcome.IN_FLIGHT, (sent.nonce or 0) + 1)
        await keeper.executor.track(mine(node))
        assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED] * 2
    assert count(node, counter) == 2


async def test_what_others_wait_behind_may_cost_what_they_are_worth(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        cheap = intent(counter, "a", terms=Terms(worth=500_000 * GWEI))  # 10 gwei for 50,000 gas
        await keeper.executor.execute([cheap, intent(counter, "b", terms=WORTH)], head_of(node))
        await keeper.executor.track(spike(node, 45))
        assert len(await keeper.executor.track(mine(node))) == 2
    assert count(node, counter) == 2


async def test_a_missing_nonce_is_filled_so_that_those_behind_it_land(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path, wrap=Refusing(1).wrap) as keeper:
        sent = await keeper.executor.execute([intent(counter, name) for name in "abc"], head_of(node))
        assert outcomes(sent) == [Outcome.REJECTED, Outcome.SUBMITTED, Outcome.SUBMITTED]
        for _ in range(4):
            await keeper.executor.track(mine(node))
        filler, *_ = [row for row in await all_rows(keeper) if row.cancels]
        assert (filler.outcome, filler.intent.protocol) == (Outcome.INCLUDED, "nonce")
        assert await keeper.ledger.open_transactions() == []
    assert count(node, counter) == 2


async def test_a_halt_cancels_all_that_is_pending_and_sends_nothing(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    switch = Switch()
    async with running(port_of(node), ledger_path, guard=lambda memory: switch) as keeper:
        await keeper.executor.execute([intent(counter, name) for name in "ab"], head_of(node))
        spike(node)
        switch.reason = "by hand"
        cancels = await keeper.executor.track(head_of(node))
        assert [row.cancels for row in cancels] == [True, True]
        (refused,) = await keeper.executor.execute([intent(counter, "c")], head_of(node))
        assert (refused.outcome, refused.reason) == (Outcome.LIMITED, "by hand")
        assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED] * 2
    assert count(node, counter) == 0


# ------------------------------------------------------------------------------- crashes


Scene = Callable[[Client, Keeper], Awaitable[None]]


async def bumped(node: Client, keeper: Keeper) -> None:
    """Two transactions that a spike shuts out, and that are made dearer twice."""
    await keeper.executor.execute(wanted(node), head_of(node))
    for gwei in (20, 40):
        await keeper.executor.track(spike(node, gwei))
    await keeper.executor.track(mine(node))


async def cancelled(node: Client, keeper: Keeper) -> None:
    """Two transactions past their deadline, which a spike shuts out."""
    late = Terms(deadline=head_of(node).timestamp)
    await keeper.executor.execute([replace(one, terms=late) for one in wanted(node)], head_of(node))
    await keeper.executor.track(spike(node, 20))
    await keeper.executor.track(mine(node))


async def filled(node: Client, keeper: Keeper) -> None:
    """Two transactions, of which the first is refused, so that its nonce is filled."""
    await keeper.executor.execute(wanted(node), head_of(node))
    for _ in range(3):
        await keeper.executor.track(mine(node))


async def halted(node: Client, keeper: Keeper) -> None:
    """Two transactions that a spike shuts out, and then a halt."""
    await keeper.executor.execute(wanted(node), head_of(node))
    spike(node, 20)
    SWITCH.reason = "by hand"
    await keeper.executor.track(head_of(node))
    await keeper.executor.track(mine(node))


def wanted(node: Client) -> list[Intent]:
    return [intent(COUNTED[node.url], name, terms=WORTH) for name in "ab"]


COUNTED: dict[str, Address] = {}


class Switch(Unlimited):
    """A halt that tests throw."""

    reason: str | None = None

    async def halted(self) -> str | None:
        return self.reason


SWITCH = Switch()


SLOW = pytest.mark.slow


@SLOW
@pytest.mark.parametrize(("scene", "points"), [(bumped, 38), (cancelled, 25), (filled, 33), (halted, 25)])
async def test_a_crash_at_any_step_of_pressing_neither_loses_nor_doubles_an_action(
    node: Client, tmp_path: Path, scene: Scene, points: int
) -> None:
    counter = COUNTED[node.url] = deploy(node, COUNTER)
    blank = tmp_path / "blank.sqlite"
    async with running(port_of(node), blank):
        pass
    point, crashed = 0, True
    while crashed:
        point += 1
        SWITCH.reason = None
        snapshot = node.call("evm_snapshot")
        ledger = shutil.copy(blank, tmp_path / f"{point}.sqlite")
        crashed = await _crash_and_recover(node, ledger, scene, point)
        assert count(node, counter) == 2, f"crash at point {point}"
        node.call("evm_revert", snapshot)
    assert point > points


class Breaking(Refusing):
    """Refuses the first broadcasts, and crashes after a call: which is before the next one."""

    def __init__(self, point: int, refusals: int) -> None:
        super().__init__(refusals)
        self._calls_left = point

    async def after(self, name: str, arguments: object) -> None:
        self._calls_left -= 1
        if self._calls_left == 0:
            raise Crash


async def _crash_and_recover(node: Client, path: Path, scene: Scene, point: int) -> bool:
    """Return whether the run got as far as the crash."""
    crashed = False
    wrapper = Breaking(point, refusals=scene is filled)
    try:
        async with running(port_of(node), path, wrap=wrapper.wrap, guard=lambda memory: SWITCH) as keeper:
            await scene(node, keeper)
    except Crash:
        crashed = True
    SWITCH.reason = None
    node.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    async with running(port_of(node), path) as keeper:
        await keeper.executor.reconcile(mine(node))
        for _ in range(5):  # what is still liquidatable is offered again
            await keeper.executor.execute(wanted(node), head_of(node))
            await keeper.executor.track(mine(node))
        rows = [row for row in await all_rows(keeper) if not row.cancels]
        landed = [row.intent.account for row in rows if row.outcome is Outcome.INCLUDED]
        assert sorted(landed) == ["a", "b"], f"crash at point {point}"
        assert not [row for row in rows if row.outcome.is_open]
    return crashed
