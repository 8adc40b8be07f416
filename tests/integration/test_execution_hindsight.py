"""What was settled or given up is not believed for ever: the chain may think otherwise later."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from bot.errors import ChainError, MalformedAnswerError
from bot.ports import Address, Outcome
from tests.support.anvil import Client
from tests.support.landing import (
    COUNTER,
    KEY,
    Crash,
    CrashAfter,
    CrashAt,
    Keeper,
    RefusesWhatItTook,
    Wrapper,
    account,
    count,
    deploy,
    head_of,
    intent,
    mine,
    outcomes,
    port_of,
    running,
)

pytestmark = pytest.mark.node

OTHER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"


async def test_a_settlement_on_a_head_that_was_never_recorded_is_undone_by_a_reorg_while_down(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    mine(node, 3)
    async with running(port_of(node), ledger_path) as keeper:
        await keeper.ledger.record_head(head_of(node))
        await keeper.executor.execute([intent(counter, "a")], head_of(node))
        assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED]
        # The process ends here, before it recorded that head.
    node.call("anvil_reorg", 1, [])
    node.call("anvil_dropAllTransactions")
    assert count(node, counter) == 0
    async with running(port_of(node), ledger_path) as keeper:
        await keeper.executor.reconcile(head_of(node))
        await keeper.executor.execute([intent(counter, "b")], head_of(node))
        for _ in range(4):
            await keeper.executor.track(mine(node))
        assert outcomes(await keeper.ledger.recent_transactions(5)) == [Outcome.INCLUDED] * 2
    assert count(node, counter) == 2


@pytest.mark.parametrize("wrong", [{"blockHash": "0x" + "77" * 32}, {"blockNumber": "0xffff"}])
async def test_a_receipt_of_a_block_that_is_not_below_the_head_settles_nothing(
    node: Client, ledger_path: Path, wrong: dict[str, str]
) -> None:
    class Astray(Wrapper):
        async def through(self, name: str, attribute: Any, arguments: Any, options: Any) -> Any:
            answers = await attribute(*arguments, **options)
            if name == "batch" and arguments[0] and arguments[0][0].method == "eth_getTransactionReceipt":
                return [answer and {**answer, **wrong} for answer in answers]
            return answers

    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path, wrap=Astray().wrap) as keeper:
        await keeper.executor.execute([intent(counter, "a")], head_of(node))
        for _ in range(4):
            assert await keeper.executor.track(mine(node)) == []
    async with running(port_of(node), ledger_path) as keeper:
        assert outcomes(list(await keeper.executor.reconcile(head_of(node)))) == [Outcome.INCLUDED]


async def test_a_receipt_of_another_transaction_is_refused(node: Client, ledger_path: Path) -> None:
    class Mixed(Wrapper):
        async def through(self, name: str, attribute: Any, arguments: Any, options: Any) -> Any:
            answers = await attribute(*arguments, **options)
            if name == "batch" and arguments[0] and arguments[0][0].method == "eth_getTransactionReceipt":
                return [answer and {**answer, "transactionHash": "0x" + "77" * 32} for answer in answers]
            return answers

    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path, wrap=Mixed().wrap) as keeper:
        await keeper.executor.execute([intent(counter, "a")], head_of(node))
        with pytest.raises(MalformedAnswerError, match="eth_getTransactionReceipt"):
            await keeper.executor.track(mine(node))
        assert outcomes(await keeper.ledger.open_transactions()) == [Outcome.SUBMITTED]


async def test_what_was_refused_and_is_in_the_pool_after_all_is_neither_lost_nor_doubled(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path, wrap=RefusesWhatItTook().wrap) as keeper:
        (refused,) = await keeper.executor.execute([intent(counter, "a", b"\1")], head_of(node))
        assert refused.outcome is Outcome.REJECTED
        head = head_of(node)
        await keeper.executor.track(head)
        await keeper.executor.execute([intent(counter, "a", b"\2")], head)  # still liquidatable
        await keeper.executor.track(mine(node))
        await keeper.executor.track(mine(node))
        rows = await keeper.ledger.recent_transactions(5)
    assert count(node, counter) == 1
    assert outcomes(rows) == [Outcome.INCLUDED]


@pytest.mark.parametrize(("pending", "words"), [(0, "behind"), (10**6, "free")])
async def test_a_node_whose_pending_nonce_cannot_be_costs_the_head_and_not_the_process(
    node: Client, ledger_path: Path, pending: int, words: str
) -> None:
    class Wrong(Wrapper):
        answers = False

        async def through(self, name: str, attribute: Any, arguments: Any, options: Any) -> Any:
            answers = await attribute(*arguments, **options)
            for position, call in enumerate(arguments[0]) if name == "batch" and self.answers else ():
                if call.method == "eth_getTransactionCount" and call.params[1] == "pending":
                    answers[position] = hex(pending)
            return answers

    counter, wrong = deploy(node, COUNTER), Wrong()
    async with running(port_of(node), ledger_path, wrap=wrong.wrap) as keeper:
        await keeper.executor.execute([intent(counter, "a")], head_of(node))
        await keeper.executor.track(mine(node))
        wrong.answers = True
        with pytest.raises(ChainError, match=words):
            await keeper.executor.execute([intent(counter, "b")], head_of(node))
        wrong.answers = False
        (sent,) = await keeper.executor.execute([intent(counter, "b")], head_of(node))
        assert (sent.outcome, sent.nonce) == (Outcome.SUBMITTED, 1)


async def test_what_another_signer_left_open_holds_its_account_for_a_while_and_not_for_ever(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)

    with pytest.raises(Crash):
        async with running(
            port_of(node), ledger_path, accounts=[account(OTHER_KEY)], wrap=CrashAfter("plan").wrap
        ) as keeper:
            await keeper.executor.execute([intent(counter, "a")], head_of(node))
    async with running(port_of(node), ledger_path, accounts=[account(KEY)]) as keeper:
        await keeper.executor.reconcile(head_of(node))
        head = mine(node, 30)
        await keeper.executor.track(head)
        (sent,) = await keeper.executor.execute([intent(counter, "a", b"\1")], head)
        assert sent.outcome is Outcome.SUBMITTED


class TakesRefusesAndBreaks(RefusesWhatItTook):
    """Refuses what it took, and crashes after a call."""

    def __init__(self, point: int) -> None:
        self._left = point

    async def after(self, name: str, arguments: Any) -> None:
        self._left -= 1
        if self._left == 0:
            raise Crash


async def _refused_and_found(node: Client, keeper: Keeper, counter: Address) -> None:
    for attempt in range(3):  # still liquidatable until it landed
        head = head_of(node)
        await keeper.executor.track(head)
        if count(node, counter) == 0:
            await keeper.executor.execute([intent(counter, "a", bytes([attempt]))], head)
        if attempt:
            mine(node)


@pytest.mark.slow
async def test_a_crash_at_any_step_around_a_refusal_of_what_was_taken_neither_loses_nor_doubles_it(
    node: Client, tmp_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), tmp_path / "blank.sqlite"):
        pass
    point, crashed = 0, True
    while crashed:
        point += 1
        snapshot, crashed = node.call("evm_snapshot"), False
        path = shutil.copy(tmp_path / "blank.sqlite", tmp_path / f"{point}.sqlite")
        try:
            async with running(port_of(node), path, wrap=TakesRefusesAndBreaks(point).wrap) as keeper:
                await _refused_and_found(node, keeper, counter)
        except Crash:
            crashed = True
        async with running(port_of(node), path) as keeper:
            await keeper.executor.reconcile(head_of(node))
            await _refused_and_found(node, keeper, counter)
            await keeper.executor.track(mine(node))
            rows = await keeper.ledger.recent_transactions(10)
        assert count(node, counter) == 1, f"crash at point {point}"
        assert outcomes(rows).count(Outcome.INCLUDED) == 1
        assert not [row for row in rows if row.outcome.is_open]
        node.call("evm_revert", snapshot)
    assert point > 20


async def test_a_crash_at_any_step_of_the_recovery_itself_neither_loses_nor_doubles_an_action(
    node: Client, tmp_path: Path
) -> None:
    counter, blank = deploy(node, COUNTER), tmp_path / "blank.sqlite"
    wanted = [intent(counter, "a"), intent(counter, "b")]
    mine(node, 2)
    async with running(port_of(node), blank) as keeper:
        await keeper.ledger.record_head(head_of(node))
        await keeper.executor.execute(wanted[:1], head_of(node))
        await keeper.executor.track(mine(node))  # settled on a head that is not recorded
    with pytest.raises(Crash):
        async with running(port_of(node), blank, wrap=CrashAfter("journal").wrap) as keeper:
            await keeper.executor.execute(wanted[1:], head_of(node))
    node.call("anvil_reorg", 1, [])
    node.call("anvil_dropAllTransactions")
    point, crashed = 0, True
    while crashed:
        point += 1
        snapshot, crashed = node.call("evm_snapshot"), False
        path = shutil.copy(blank, tmp_path / f"{point}.sqlite")
        try:
            async with running(port_of(node), path, wrap=CrashAt(point).wrap) as keeper:
                await keeper.executor.reconcile(head_of(node))
        except Crash:
            crashed = True
        async with running(port_of(node), path) as keeper:
            await keeper.executor.reconcile(head_of(node))
            for _ in range(5):
                await keeper.executor.execute(wanted, head_of(node))
                await keeper.executor.track(mine(node))
            rows = await keeper.ledger.recent_transactions(10)
        landed = [row.intent.account for row in rows if row.outcome is Outcome.INCLUDED]
        assert (sorted(landed), count(node, counter)) == (["a", "b"], 2), f"crash at point {point}"
        assert not [row for row in rows if row.outcome.is_open]
        node.call("evm_revert", snapshot)
    assert point > 15


async def test_what_another_signer_has_sent_is_settled_all_the_same(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path, accounts=[account(OTHER_KEY)]) as keeper:
        await keeper.executor.execute([intent(counter, "a")], head_of(node))
    async with running(port_of(node), ledger_path, accounts=[account(KEY)]) as keeper:
        await keeper.executor.reconcile(head_of(node))
        (refused,) = await keeper.executor.execute([intent(counter, "a", b"\1")], head_of(node))
        assert refused.outcome is Outcome.IN_FLIGHT
        (settled,) = await keeper.executor.track(mine(node))
        assert (settled.outcome, settled.signer) == (Outcome.INCLUDED, account(OTHER_KEY).address)
        (sent,) = await keeper.executor.execute([intent(counter, "a", b"\1")], head_of(node))
        assert sent.outcome is Outcome.SUBMITTED
