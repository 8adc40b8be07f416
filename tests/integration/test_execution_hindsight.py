"""What was settled or given up is not believed for ever: the chain may think otherwise later."""

from pathlib import Path
from typing import Any

import pytest

from bot.errors import ChainError, MalformedAnswerError, RpcError
from bot.ports import Outcome
from tests.support.anvil import Client
from tests.support.landing import (
    COUNTER,
    KEY,
    Crash,
    CrashAfter,
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


class RefusesWhatItTook(Wrapper):
    """Answers the first broadcast as an endpoint does that was asked second and lags behind."""

    spent = False

    async def through(self, name: str, attribute: Any, arguments: Any, options: Any) -> Any:
        answers = await attribute(*arguments, **options)
        broadcast = name == "batch" and any(call.method == "eth_sendRawTransaction" for call in arguments[0])
        if broadcast and not self.spent:
            self.spent = True
            return [RpcError("eth_sendRawTransaction", -32000, "nonce too high")] * len(answers)
        return answers


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
