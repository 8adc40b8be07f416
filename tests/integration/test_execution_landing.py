"""Transactions landed on a real node: once each, through crashes, refusals, reorgs and fee spikes."""

import asyncio
import dataclasses
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from bot.chain.client import RpcClient
from bot.chain.endpoint import Endpoint
from bot.errors import EndpointUnreachableError
from bot.execution.executor import TransactionExecutor
from bot.execution.fees import FeePolicy
from bot.execution.options import ExecutorOptions
from bot.execution.signer import KeystoreSigner
from bot.ledger.sqlite import SqliteLedger
from bot.ports import Address, Call, Execution, Hash32, Head, Intent, Outcome, Receipt, Transaction
from tests.support.anvil import Client, anvil
from tests.support.relay import relay

pytestmark = pytest.mark.node

CHAIN_ID = 31337
GWEI = 10**9
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # Anvil's first account
KEEPER = Address(Account.from_key(KEY).address)
GENESIS = Hash32("0x" + "00" * 32)
POLICY = FeePolicy(tip=GWEI, cap=200 * GWEI, headroom_blocks=2)

COUNTER = bytes.fromhex("5f546001015f5500")
"""``slot0 += 1``: called twice, it counts twice."""

GUARDED = bytes.fromhex("5f54805f35146011575f355f5260205ffd5b6001015f5500")
"""``if slot0 != calldata: revert(calldata); slot0 += 1``: an action that is stale once it was done."""


@pytest.fixture
def node() -> Iterator[Client]:
    with anvil("--no-mining", "--hardfork", "prague", "--chain-id", str(CHAIN_ID)) as client:
        yield client


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


def deploy(node: Client, runtime: bytes) -> Address:
    creation = bytes([0x60, len(runtime), 0x80, 0x60, 0x09, 0x5F, 0x39, 0x5F, 0xF3]) + runtime
    deployer = node.call("eth_accounts")[9]
    sent = node.call("eth_sendTransaction", {"from": deployer, "data": "0x" + creation.hex()})
    node.call("evm_mine")
    return Address(
        Account.from_key(KEY).address and node.call("eth_getTransactionReceipt", sent)["contractAddress"]
    )


def count(node: Client, counter: Address) -> int:
    return int(node.call("eth_getStorageAt", counter, "0x0", "latest"), 16)


def head_of(node: Client) -> Head:
    block = node.call("eth_getBlockByNumber", "latest", False)
    return Head(
        number=int(block["number"], 16),
        hash=Hash32(block["hash"]),
        parent_hash=Hash32(block["parentHash"]),
        timestamp=int(block["timestamp"], 16),
        base_fee_per_gas=int(block["baseFeePerGas"], 16),
    )


def mine(node: Client, blocks: int = 1) -> Head:
    for _ in range(blocks):
        node.call("evm_mine")
    return head_of(node)


def intent(to: Address, account: str, data: bytes = b"", key: str | None = None) -> Intent:
    return Intent(key or f"{account}:{data.hex()}", "sluice", account, Call(to, data), expected_profit=10**18)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def appraise(protocol: str, receipt: Receipt) -> int | None:
    return receipt.gas_used * 10**18


@dataclasses.dataclass
class Keeper:
    """An executor with its ledger and its connection."""

    executor: TransactionExecutor
    ledger: SqliteLedger


@asynccontextmanager
async def running(
    port: int,
    path: Path,
    *,
    signs: bool = True,
    policy: FeePolicy = POLICY,
    wrap: Callable[[Any], Any] = lambda x: x,
) -> AsyncIterator[Keeper]:
    endpoint = Endpoint.parse(f"ws://127.0.0.1:{port}")
    async with (
        RpcClient(endpoint, CHAIN_ID) as rpc,
        await SqliteLedger.open(path, chain_id=CHAIN_ID, genesis_hash=GENESIS) as ledger,
    ):
        executor = TransactionExecutor(
            wrap(rpc),
            wrap(ledger),
            sender=KEEPER,
            signer=KeystoreSigner(Account.from_key(KEY)) if signs else None,
            appraise=appraise,
            options=ExecutorOptions(chain_id=CHAIN_ID, fees=POLICY),
        )
        yield Keeper(executor, ledger)


def port_of(node: Client) -> int:
    return int(node.url.rsplit(":", 1)[1])


def outcomes(rows: list[Execution] | list[Transaction]) -> list[Outcome]:
    return [row.outcome for row in rows]


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
        assert await keeper.ledger.last_head() != head
        for _ in range(4):
            await keeper.executor.track(mine(node))
        assert outcomes(await keeper.ledger.recent_transactions(5)) == [Outcome.INCLUDED]
    assert count(node, counter) == 1


async def test_a_refusal_gives_its_nonce_and_those_behind_it_back(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        node.call("anvil_setBalance", KEEPER, hex(10**12))
        head = head_of(node)
        intents = [intent(counter, "a"), intent(counter, "b")]
        rejected, abandoned = await keeper.executor.execute(intents, head)
        assert (rejected.outcome, abandoned.outcome) == (Outcome.REJECTED, Outcome.ABANDONED)
        assert "funds" in rejected.reason.lower()
        node.call("anvil_setBalance", KEEPER, hex(10**20))
        sent = await keeper.executor.execute(intents, head)
        assert [execution.nonce for execution in sent] == [rejected.nonce, abandoned.nonce]
        assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED] * 2
    assert count(node, counter) == 2


async def test_silence_at_the_broadcast_is_settled_at_the_next_head(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with relay(port_of(node)) as wire:
        cutter = _Cutter(wire.cut)
        async with running(wire.port, ledger_path, wrap=cutter.wrap) as keeper:
            sent = await keeper.executor.execute([intent(counter, "a"), intent(counter, "b")], head_of(node))
            assert outcomes(sent) == [Outcome.SIGNED] * 2
            assert await keeper.executor.track(head_of(node))
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


async def test_a_cancelled_caller_waits_until_the_step_is_whole(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    signal_ = _Signal("journal")
    async with running(port_of(node), ledger_path, wrap=signal_.wrap) as keeper:
        task = asyncio.ensure_future(keeper.executor.execute([intent(counter, "a")], head_of(node)))
        await signal_.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert outcomes(await keeper.ledger.recent_transactions(5)) == [Outcome.SUBMITTED]


class Crash(BaseException):
    """The process ends here."""


class _Wrapper:
    """Stands before the ledger and the endpoint, and sees every call to them."""

    def wrap(self, target: Any) -> Any:
        wrapper = self

        class Proxy:
            def __getattr__(self, name: str) -> Any:
                attribute = getattr(target, name)
                if not asyncio.iscoroutinefunction(attribute):
                    return attribute

                async def call(*arguments: Any, **options: Any) -> Any:
                    await wrapper.before(name, arguments)
                    result = await attribute(*arguments, **options)
                    await wrapper.after(name, arguments)
                    return result

                return call

        return Proxy()

    async def before(self, name: str, arguments: Any) -> None:
        """Act before a call."""

    async def after(self, name: str, arguments: Any) -> None:
        """Act after a call."""


class _CrashAt(_Wrapper):
    def __init__(self, point: int) -> None:
        self._left = point

    async def before(self, name: str, arguments: Any) -> None:
        self._step()

    async def after(self, name: str, arguments: Any) -> None:
        self._step()

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Crash


class _Cutter(_Wrapper):
    """Cuts the wire before the first broadcast."""

    def __init__(self, cut: Callable[..., Any]) -> None:
        self._cut = cut
        self._done = False

    async def after(self, name: str, arguments: Any) -> None:
        if name == "journal" and not self._done:
            self._done = True
            await self._cut()

    async def before(self, name: str, arguments: Any) -> None:
        if name == "request" and arguments[0] == "eth_sendRawTransaction" and self._done is True:
            self._done = None  # type: ignore[assignment]
            raise EndpointUnreachableError("ws://relay", "the connection was lost")


class _Signal(_Wrapper):
    def __init__(self, name: str) -> None:
        self._name = name
        self.reached = asyncio.Event()

    async def before(self, name: str, arguments: Any) -> None:
        if name == self._name:
            self.reached.set()
            await asyncio.sleep(0.05)


async def test_a_crash_at_any_step_neither_loses_nor_doubles_an_action(node: Client, tmp_path: Path) -> None:
    counter = deploy(node, COUNTER)
    intents = [intent(counter, "a"), intent(counter, "b")]
    point, crashed = 0, True
    while crashed:
        point += 1
        snapshot = node.call("evm_snapshot")
        path = tmp_path / f"{point}.sqlite"
        crashed = await _crash_and_recover(node, path, intents, point)
        assert count(node, counter) == 2, f"crash at point {point}"
        node.call("evm_revert", snapshot)
    assert point > 25


async def _crash_and_recover(node: Client, path: Path, intents: list[Intent], point: int) -> bool:
    """Return whether the run got as far as the crash."""
    crashed = False
    try:
        async with running(port_of(node), path, wrap=_CrashAt(point).wrap) as keeper:
            await keeper.executor.execute(intents, head_of(node))
            await keeper.executor.track(mine(node))
    except Crash:
        crashed = True
    async with running(port_of(node), path) as keeper:
        await keeper.executor.reconcile(head_of(node))
        for _ in range(2):  # what is still liquidatable is offered again
            await keeper.executor.execute(intents, head_of(node))
            await keeper.executor.track(mine(node))
        rows = await keeper.ledger.recent_transactions(10)
        assert sorted(row.intent.account for row in rows if row.outcome is Outcome.INCLUDED) == ["a", "b"]
        assert not [row for row in rows if row.outcome.is_open]
    return crashed


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
import tests.integration.test_execution_landing as landing

class KillAfterJournal(landing._Wrapper):
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


async def test_a_signed_action_that_became_stale_is_given_up_at_the_next_start(
    node: Client, ledger_path: Path
) -> None:
    guarded = deploy(node, GUARDED)
    stale = intent(guarded, "a", word(0))
    with pytest.raises(Crash):
        async with running(port_of(node), ledger_path, wrap=_CrashAfter("journal").wrap) as keeper:
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


class _CrashAfter(_Wrapper):
    def __init__(self, name: str) -> None:
        self._name = name

    async def after(self, name: str, arguments: Any) -> None:
        if name == self._name:
            raise Crash
