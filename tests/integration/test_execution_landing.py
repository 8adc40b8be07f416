"""Transactions landed on a real node: once each, through refusals, silence, reorgs and fee spikes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.errors import EndpointUnreachableError, RpcError
from bot.ports import Call, Outcome
from tests.support.anvil import Client
from tests.support.landing import (
    COUNTER,
    GUARDED,
    GWEI,
    KEEPER,
    Cutter,
    Signal,
    Stuck,
    Wrapper,
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
from tests.support.relay import relay

pytestmark = pytest.mark.node


async def test_intents_land_in_order_and_their_receipts_are_kept(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        head = head_of(node)
        sent = await keeper.executor.execute([intent(counter, name) for name in "abc"], head)
        assert outcomes(sent) == [Outcome.SUBMITTED] * 3
        first = int(node.call("eth_getTransactionCount", KEEPER, "latest"), 16)
        assert [execution.nonce for execution in sent] == [first, first + 1, first + 2]
        assert await keeper.executor.track(head) == []
        settled = await keeper.executor.track(mine(node))
        assert outcomes(list(settled)) == [Outcome.INCLUDED] * 3
        assert [row.signed.hash for row in settled if row.signed] == [execution.hash for execution in sent]
        assert all(row.block_number == head.number + 1 for row in settled)
        assert all(row.realised_profit == (row.gas_used or 0) * 10**18 > 0 for row in settled)
        assert await keeper.ledger.open_transactions() == []
    assert count(node, counter) == 3


async def test_a_call_that_would_revert_is_not_signed_and_its_reason_is_kept(
    node: Client, ledger_path: Path
) -> None:
    guarded = deploy(node, GUARDED)
    async with running(port_of(node), ledger_path) as keeper:
        intents = [intent(guarded, "a", word(7)), intent(guarded, "b", word(0))]
        refused, sent = await keeper.executor.execute(intents, head_of(node))
        assert (refused.outcome, sent.outcome) == (Outcome.SIMULATION_REVERTED, Outcome.SUBMITTED)
        assert refused.hash is None
        assert refused.simulation is not None
        assert refused.simulation.data == word(7)
        assert "revert" in refused.reason
        (row, _) = reversed(await keeper.ledger.recent_transactions(2))
        assert (row.outcome, row.reason, row.signed) == (Outcome.SIMULATION_REVERTED, refused.reason, None)


async def test_a_simulation_is_pinned_to_its_head(node: Client, ledger_path: Path) -> None:
    guarded = deploy(node, GUARDED)
    async with running(port_of(node), ledger_path) as keeper:
        before = head_of(node)
        await keeper.executor.execute([intent(guarded, "a", word(0))], before)
        after = mine(node)
        for head, value in ((before, 0), (after, 1)):
            (trial,) = await keeper.executor.simulate([Call(guarded, word(value))], head)
            assert trial.succeeded
            (trial,) = await keeper.executor.simulate([Call(guarded, word(1 - value))], head)
            assert not trial.succeeded


async def test_a_dry_run_simulates_records_and_sends_nothing(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path, signs=False) as keeper:
        for _ in range(2):  # what was not sent is offered again
            (execution,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
            assert execution.outcome is Outcome.DRY_RUN
            assert execution.simulation is not None
            assert execution.simulation.succeeded
        assert node.call("txpool_status")["pending"] == "0x0"
        assert outcomes(await keeper.ledger.recent_transactions(5)) == [Outcome.DRY_RUN] * 2


async def test_an_account_is_acted_on_once_at_a_time_and_a_key_once_at_all(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        one, two = intent(counter, "a", key="one"), intent(counter, "a", key="two")
        assert outcomes(await keeper.executor.execute([one, two, one], head_of(node))) == [
            Outcome.SUBMITTED,
            Outcome.IN_FLIGHT,
            Outcome.IN_FLIGHT,
        ]
        assert outcomes(await keeper.executor.execute([two], head_of(node))) == [Outcome.IN_FLIGHT]
        head = mine(node)
        await keeper.executor.track(head)
        assert outcomes(await keeper.executor.execute([one, two], head)) == [
            Outcome.IN_FLIGHT,
            Outcome.SUBMITTED,
        ]
    mine(node)
    assert count(node, counter) == 2


async def test_a_base_fee_above_the_cap_is_not_paid(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    node.call("anvil_setNextBlockBaseFeePerGas", hex(300 * GWEI))
    head = mine(node)
    async with running(port_of(node), ledger_path) as keeper:
        (execution,) = await keeper.executor.execute([intent(counter, "a")], head)
        assert execution.outcome is Outcome.FEE_ABOVE_CAP
        assert str(200 * GWEI) in execution.reason
        assert execution.hash is None


async def test_a_transaction_that_the_base_fee_outgrew_is_replaced_by_a_dearer_one(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        (sent,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
        for _ in range(3):
            node.call("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
            head = mine(node)
        assert count(node, counter) == 0
        assert await keeper.executor.track(head)
        cheap, dear = await keeper.ledger.transactions_with_nonce(KEEPER, sent.nonce or 0)
        assert (cheap.outcome, dear.outcome) == (Outcome.REPLACED, Outcome.SUBMITTED)
        (settled,) = await keeper.executor.track(mine(node))
        assert (settled.id, settled.outcome) == (dear.id, Outcome.INCLUDED)
    assert count(node, counter) == 1


async def test_the_cheaper_of_two_transactions_may_land_after_all(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        (sent,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
        for _ in range(3):
            node.call("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
            head = mine(node)
        await keeper.executor.track(head)
        cheap, dear = await keeper.ledger.transactions_with_nonce(KEEPER, sent.nonce or 0)
        assert cheap.signed is not None
        assert dear.signed is not None
        node.call("anvil_dropTransaction", dear.signed.hash)
        node.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        mine(node)
        node.call("eth_sendRawTransaction", "0x" + cheap.signed.raw.hex())
        for _ in range(4):
            node.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
            head = mine(node)
        await keeper.executor.track(head)
        rows = await keeper.ledger.transactions_with_nonce(KEEPER, sent.nonce or 0)
        assert outcomes(rows) == [Outcome.INCLUDED, Outcome.DROPPED]
        assert rows[0].realised_profit
    assert count(node, counter) == 1


async def test_a_nonce_used_from_elsewhere_drops_ours_and_the_next_one_fits(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        (sent,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
        node.call("anvil_dropTransaction", sent.hash)
        node.call("eth_sendTransaction", {"from": KEEPER, "to": KEEPER, "nonce": hex(sent.nonce or 0)})
        assert await keeper.executor.track(mine(node)) == []  # a receipt may be late: not yet
        (dropped,) = await keeper.executor.track(mine(node, 2))
        assert dropped.outcome is Outcome.DROPPED
        (again,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
        assert (again.outcome, again.nonce) == (Outcome.SUBMITTED, (sent.nonce or 0) + 1)
        (landed,) = await keeper.executor.track(mine(node))
        assert landed.outcome is Outcome.INCLUDED
    assert count(node, counter) == 1


class Reticent(Wrapper):
    """A node that has blocks but no receipts, and no state of the past if told so."""

    def __init__(self, *, forgets: bool = False) -> None:
        self.late = True
        self.forgets = forgets

    async def through(self, name: str, attribute: Any, arguments: Any, options: Any) -> Any:
        if name == "batch" and self.late:
            return [
                None if call.method == "eth_getTransactionReceipt" else answer
                for call, answer in zip(arguments[0], await attribute(*arguments), strict=True)
            ]
        if name == "request" and self.forgets and arguments[0] == "eth_getTransactionCount":
            raise RpcError(arguments[0], -32000, "the state of that block is gone")
        return await attribute(*arguments, **options)


@pytest.mark.parametrize("forgets", [False, True])
async def test_a_transaction_in_a_block_is_ours_however_late_its_receipt(
    node: Client, ledger_path: Path, forgets: bool
) -> None:
    counter = deploy(node, COUNTER)
    mine(node, 9)
    reticent = Reticent(forgets=forgets)
    async with running(port_of(node), ledger_path, wrap=reticent.wrap) as keeper:
        (sent,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
        for blocks in (1, 3, 20):
            assert await keeper.executor.track(mine(node, blocks)) == []
        (waits,) = await keeper.ledger.open_transactions()
        assert (waits.signed.hash if waits.signed else None, waits.outcome) == (sent.hash, Outcome.SUBMITTED)
        assert node.call("txpool_status") == {"pending": "0x0", "queued": "0x0"}, "nothing is pressed"
        reticent.late = False
        (landed,) = await keeper.executor.track(mine(node))
        assert landed.outcome is Outcome.INCLUDED
    assert count(node, counter) == 1


@pytest.mark.parametrize("forgets", [False, True])
async def test_who_used_a_nonce_is_named_where_the_node_can_tell(
    node: Client, ledger_path: Path, forgets: bool
) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path, wrap=Reticent(forgets=forgets).wrap) as keeper:
        (sent,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
        node.call("anvil_dropTransaction", sent.hash)
        foreign = {"from": KEEPER, "to": KEEPER, "nonce": hex(sent.nonce or 0)}
        usurper = node.call("eth_sendTransaction", foreign)
        (dropped,) = await keeper.executor.track(mine(node, 20))
        named = "another transaction" if forgets else usurper
        assert (dropped.outcome, dropped.reason) == (Outcome.DROPPED, f"{named} used its nonce")


async def test_a_transaction_that_the_pool_forgot_is_sent_again(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        (sent,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
        node.call("anvil_dropTransaction", sent.hash)
        for _ in range(4):
            settled = await keeper.executor.track(mine(node))
        assert outcomes(list(settled)) == [Outcome.INCLUDED]
    assert count(node, counter) == 1


async def test_a_reorg_that_undoes_a_transaction_lands_it_again(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    mine(node, 5)
    async with running(port_of(node), ledger_path) as keeper:
        ancestor = head_of(node)
        await keeper.executor.execute([intent(counter, "a")], ancestor)
        (settled,) = await keeper.executor.track(mine(node))
        assert settled.outcome is Outcome.INCLUDED
        node.call("anvil_reorg", 1, [])
        assert count(node, counter) == 0
        await keeper.executor.roll_back(ancestor)
        for _ in range(5):
            await keeper.executor.track(mine(node))
        assert outcomes(await keeper.ledger.recent_transactions(5)) == [Outcome.INCLUDED]
    assert count(node, counter) == 1


async def test_a_refusal_gives_its_nonce_back(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        node.call("anvil_setBalance", KEEPER, hex(10**12))
        head = head_of(node)
        intents = [intent(counter, "a"), intent(counter, "b")]
        first, second = await keeper.executor.execute(intents, head)
        assert (first.outcome, second.outcome) == (Outcome.REJECTED, Outcome.REJECTED)
        assert "funds" in first.reason.lower()
        node.call("anvil_setBalance", KEEPER, hex(10**20))
        sent = await keeper.executor.execute(intents, head)
        assert [execution.nonce for execution in sent] == [first.nonce, second.nonce]
        assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED] * 2
    assert count(node, counter) == 2


async def test_silence_at_the_broadcast_is_settled_at_the_next_head(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with relay(port_of(node)) as wire:
        cutter = Cutter(wire.cut)
        async with running(wire.port, ledger_path, wrap=cutter.wrap) as keeper:
            sent = await keeper.executor.execute([intent(counter, "a"), intent(counter, "b")], head_of(node))
            assert outcomes(sent) == [Outcome.SIGNED] * 2
            assert await keeper.executor.track(head_of(node))
            assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED] * 2
    assert count(node, counter) == 2


async def test_a_nonce_of_which_nobody_knows_is_not_given_to_another(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with relay(port_of(node)) as wire:
        cutter = Cutter(wire.cut)
        async with running(wire.port, ledger_path, wrap=cutter.wrap) as keeper:
            (unknown,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
            (sent,) = await keeper.executor.execute([intent(counter, "b")], head_of(node))
            assert (unknown.outcome, sent.outcome) == (Outcome.SIGNED, Outcome.SUBMITTED)
            assert sent.nonce == (unknown.nonce or 0) + 1
            await keeper.executor.track(head_of(node))
            assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED] * 2
    assert count(node, counter) == 2


async def test_an_unreachable_node_during_simulation_leaves_nothing_behind(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    async with relay(port_of(node)) as wire, running(wire.port, ledger_path) as keeper:
        head = head_of(node)
        await wire.cut(refuse=True)
        with pytest.raises(EndpointUnreachableError):
            await keeper.executor.execute([intent(counter, "a")], head)
        assert await keeper.ledger.recent_transactions(5) == []
        wire.mend()
        (sent,) = await keeper.executor.execute([intent(counter, "a")], head)
        assert sent.outcome is Outcome.SUBMITTED


@pytest.mark.parametrize("unanswered", ["request", "batch"])
async def test_a_caller_that_is_cancelled_before_the_node_has_answered_leaves_nothing_behind(
    node: Client, ledger_path: Path, unanswered: str
) -> None:
    counter = deploy(node, COUNTER)
    stuck = Stuck(unanswered)
    async with running(port_of(node), ledger_path, wrap=stuck.wrap) as keeper:
        task = asyncio.ensure_future(keeper.executor.execute([intent(counter, "a")], head_of(node)))
        await stuck.reached.wait()
        await stuck.planned.wait()
        assert outcomes(await keeper.ledger.recent_transactions(5)) == [Outcome.PLANNED]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await keeper.ledger.recent_transactions(5) == []
        stuck.mend()
        (sent,) = await keeper.executor.execute([intent(counter, "a")], head_of(node))
        assert sent.outcome is Outcome.SUBMITTED


async def test_a_cancelled_caller_waits_until_the_step_is_whole(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    signal_ = Signal("journal")
    async with running(port_of(node), ledger_path, wrap=signal_.wrap) as keeper:
        task = asyncio.ensure_future(keeper.executor.execute([intent(counter, "a")], head_of(node)))
        await signal_.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert outcomes(await keeper.ledger.recent_transactions(5)) == [Outcome.SUBMITTED]
