"""An executor on a real node, contracts that count, and ways to break off at any step."""

import asyncio
import dataclasses
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from eth_account import Account

from bot.chain.client import RpcClient
from bot.chain.endpoint import Endpoint
from bot.errors import EndpointUnreachableError, RpcError
from bot.execution.broadcast import Route
from bot.execution.executor import TransactionExecutor
from bot.execution.fees import FeePolicy
from bot.execution.guard import Guard
from bot.execution.options import ExecutorOptions
from bot.execution.signer import KeystoreSigner
from bot.execution.writer import Account as SendingAccount
from bot.ledger.store import SqlLedger
from bot.ports import (
    Address,
    Call,
    Execution,
    Hash32,
    Head,
    Intent,
    LandingMemory,
    Lane,
    Outcome,
    Receipt,
    Terms,
    Transaction,
)
from tests.support.anvil import Client

CHAIN_ID = 31337
GWEI = 10**9
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # Anvil's first account
KEEPER = Address(Account.from_key(KEY).address)
GENESIS = Hash32("0x" + "00" * 32)
POLICY = FeePolicy(tip=GWEI, cap=200 * GWEI, headroom_blocks=2)

OPTIONS = ExecutorOptions(chain_id=CHAIN_ID, fees=POLICY)
ANY_TERMS = Terms()

COUNTER = bytes.fromhex("5f546001015f5500")
"""``slot0 += 1``: called twice, it counts twice."""

GUARDED = bytes.fromhex("5f54805f35146011575f355f5260205ffd5b6001015f5500")
"""``if slot0 != calldata: revert(calldata); slot0 += 1``: an action that is stale once it was done."""


def deploy(node: Client, runtime: bytes) -> Address:
    """Create a contract that runs ``runtime``; mines a block."""
    creation = bytes([0x60, len(runtime), 0x80, 0x60, 0x09, 0x5F, 0x39, 0x5F, 0xF3]) + runtime
    deployer = node.call("eth_accounts")[9]
    sent = node.call("eth_sendTransaction", {"from": deployer, "data": "0x" + creation.hex()})
    node.call("evm_mine")
    return Address(node.call("eth_getTransactionReceipt", sent)["contractAddress"])


def count(node: Client, counter: Address) -> int:
    """Return slot 0, which the contracts count in."""
    return int(node.call("eth_getStorageAt", counter, "0x0", "latest"), 16)


def head_of(node: Client) -> Head:
    """Return the newest head."""
    block = node.call("eth_getBlockByNumber", "latest", False)
    return Head(
        number=int(block["number"], 16),
        hash=Hash32(block["hash"]),
        parent_hash=Hash32(block["parentHash"]),
        timestamp=int(block["timestamp"], 16),
        base_fee_per_gas=int(block["baseFeePerGas"], 16),
    )


def mine(node: Client, blocks: int = 1) -> Head:
    """Mine blocks; return the newest head."""
    for _ in range(blocks):
        node.call("evm_mine")
    return head_of(node)


def spike(node: Client, gwei: int = 50, blocks: int = 1) -> Head:
    """Mine blocks whose base fee shuts the keeper's transactions out."""
    for _ in range(blocks):
        node.call("anvil_setNextBlockBaseFeePerGas", hex(gwei * GWEI))
        head = mine(node)
    return head


def intent(
    to: Address, account: str, data: bytes = b"", key: str | None = None, terms: Terms = ANY_TERMS
) -> Intent:
    """Return an intent to call ``to`` for an account."""
    return Intent(
        key or f"{account}:{data.hex()}",
        "sluice",
        account,
        Call(to, data),
        expected_profit=10**18,
        terms=terms,
    )


def word(value: int) -> bytes:
    """Return a number as calldata."""
    return value.to_bytes(32, "big")


def appraise(protocol: str, receipt: Receipt) -> int | None:
    """Read a profit from a receipt, by a rule that tests can check."""
    return receipt.gas_used * 10**18


@dataclasses.dataclass
class Keeper:
    """An executor with its ledger and its connection."""

    executor: TransactionExecutor
    ledger: SqlLedger


@asynccontextmanager
async def running(
    port: int,
    path: Path,
    *,
    signs: bool = True,
    policy: FeePolicy = POLICY,
    options: ExecutorOptions = OPTIONS,
    wrap: Callable[[Any], Any] = lambda x: x,
    accounts: Sequence[SendingAccount] = (),
    guard: Callable[[LandingMemory], Guard] | None = None,
) -> AsyncIterator[Keeper]:
    """Run an executor against a node; ``wrap`` stands before its ledger and endpoint."""
    endpoint = Endpoint.parse(f"ws://127.0.0.1:{port}")
    async with (
        RpcClient(endpoint, CHAIN_ID) as rpc,
        await SqlLedger.open(path, chain_id=CHAIN_ID, genesis_hash=GENESIS) as ledger,
    ):
        executor = TransactionExecutor(
            wrap(rpc),
            wrap(ledger),
            wrap(ledger.landing),
            accounts=accounts or [account(KEY, signs=signs)],
            appraise=appraise,
            options=replace(options, fees=policy),
            guard=guard(ledger.landing) if guard else None,
        )
        yield Keeper(executor, ledger)


def account(key: str, *lanes: Lane, signs: bool = True, route: Route | None = None) -> SendingAccount:
    """Return an account that sends; for every lane unless told otherwise."""
    signer = KeystoreSigner(Account.from_key(key))
    served = frozenset(lanes or Lane)
    return SendingAccount(signer.address, signer if signs else None, served, route)


def port_of(node: Client) -> int:
    """Return the port of a node."""
    return int(node.url.rsplit(":", 1)[1])


def outcomes(rows: list[Execution] | list[Transaction]) -> list[Outcome]:
    """Return the outcomes of executions or transactions."""
    return [row.outcome for row in rows]


class Crash(BaseException):
    """The process ends here."""


class Wrapper:
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
                    result = await wrapper.through(name, attribute, arguments, options)
                    await wrapper.after(name, arguments)
                    return result

                return call

        return Proxy()

    async def before(self, name: str, arguments: Any) -> None:
        """Act before a call."""

    async def through(self, name: str, attribute: Any, arguments: Any, options: Any) -> Any:
        """Make the call; return what the caller is to get."""
        return await attribute(*arguments, **options)

    async def after(self, name: str, arguments: Any) -> None:
        """Act after a call."""


class Refusing(Wrapper):
    """Refuses broadcasts, as a full pool does; the node never sees them.

    Parameters
    ----------
    times : int
        How many.
    after : int
        How many are let through before.
    """

    def __init__(self, times: int, after: int = 0) -> None:
        self._left = times
        self._passing = after

    async def through(self, name: str, attribute: Any, arguments: Any, options: Any) -> Any:
        if name != "batch":
            return await attribute(*arguments, **options)
        refused = [position for position, call in enumerate(arguments[0]) if self._refuses(call)]
        passed = [call for position, call in enumerate(arguments[0]) if position not in refused]
        answers = await attribute(passed)
        for position in refused:
            answers.insert(position, RpcError("eth_sendRawTransaction", -32000, "txpool is full"))
        return answers

    def _refuses(self, call: Any) -> bool:
        if call.method != "eth_sendRawTransaction":
            return False
        passes = self._passing > 0 or self._left == 0
        self._passing -= self._passing > 0
        self._left -= not passes
        return not passes


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


def crash() -> None:
    """End by an error, as a cancelled task does: what is open is closed."""
    raise Crash


def kill() -> None:
    """End as by power failure: nothing is closed, released or written any more."""
    os.kill(os.getpid(), signal.SIGKILL)


class CrashAt(Wrapper):
    """Ends at one of the steps: before and after every call to ledger and endpoint.

    Parameters
    ----------
    point : int
        Which, from 1.
    end : callable
        How.
    """

    def __init__(self, point: int, end: Callable[[], None] = crash) -> None:
        self._left = point
        self._end = end

    async def before(self, name: str, arguments: Any) -> None:
        self._step()

    async def after(self, name: str, arguments: Any) -> None:
        self._step()

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._end()


class Cutter(Wrapper):
    """Cuts the wire once, before the first broadcast."""

    def __init__(self, cut: Callable[..., Any]) -> None:
        self._cut = cut
        self._journalled = False
        self._spent = False

    async def after(self, name: str, arguments: Any) -> None:
        self._journalled = self._journalled or name == "journal"

    async def before(self, name: str, arguments: Any) -> None:
        if self._journalled and not self._spent:
            self._spent = True
            await self._cut()
            raise EndpointUnreachableError("ws://relay", "the connection was lost")


class Signal(Wrapper):
    def __init__(self, name: str) -> None:
        self._name = name
        self.reached = asyncio.Event()

    async def before(self, name: str, arguments: Any) -> None:
        if name == self._name:
            self.reached.set()
            await asyncio.sleep(0.05)


class Stuck(Wrapper):
    """Never answers a call, until it is mended."""

    def __init__(self, name: str) -> None:
        self._name: str | None = name
        self.reached = asyncio.Event()
        self.planned = asyncio.Event()

    def mend(self) -> None:
        """Answer from now on."""
        self._name = None

    async def before(self, name: str, arguments: Any) -> None:
        if name == self._name:
            self.reached.set()
            await asyncio.Event().wait()

    async def after(self, name: str, arguments: Any) -> None:
        if name == "plan":
            self.planned.set()


class CrashAfter(Wrapper):
    def __init__(self, name: str, times: int = 1) -> None:
        self._name = name
        self._times = times

    async def after(self, name: str, arguments: Any) -> None:
        self._times -= name == self._name
        if self._times == 0:
            raise Crash
