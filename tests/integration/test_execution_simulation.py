"""Calls are tried in the block that comes next, by nodes with and without ``eth_simulateV1``."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.chain.client import RpcClient
from bot.chain.endpoint import Endpoint
from bot.errors import RpcError
from bot.execution.simulation import Simulator, Trial
from bot.ports import Call, Head, Json, RpcCall
from tests.support.anvil import Client
from tests.support.hardhat import hardhat
from tests.support.landing import CHAIN_ID, KEEPER, OPTIONS, deploy, head_of, mine, port_of, running

pytestmark = pytest.mark.node

TELLING = bytes.fromhex("435f524260205260405ff3")
"""Returns the number and the time of its block."""

YOUNG = bytes.fromhex("5f354311600a575f5ffd5b00")
"""``if number <= calldata: revert()``: what cools off in the block of the head goes through in the next."""

BLOCK_TIME_S = 7


class Seen:
    """A node that tells what it was asked, and may be older than ``eth_simulateV1``."""

    def __init__(self, rpc: RpcClient, *, old: bool) -> None:
        self._rpc, self._old = rpc, old
        self.asked: Counter[str] = Counter()

    @property
    def label(self) -> str:
        return self._rpc.label

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        self.asked[method] += 1
        if self._old and method == "eth_simulateV1":
            raise RpcError(method, -32601, "the method eth_simulateV1 does not exist/is not available")
        return await self._rpc.request(method, params)

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        self.asked.update(call.method for call in calls)
        return await self._rpc.batch(calls)


@asynccontextmanager
async def seen(node: Client, *, old: bool = False) -> AsyncIterator[Seen]:
    async with RpcClient(Endpoint.parse(f"http://127.0.0.1:{port_of(node)}"), CHAIN_ID) as rpc:
        yield Seen(rpc, old=old)


AGES = pytest.mark.parametrize("old", [False, True], ids=["together", "singly"])


@AGES
async def test_a_call_sees_number_and_time_of_the_block_after_the_head(node: Client, *, old: bool) -> None:
    telling = Call(deploy(node, TELLING), b"")
    head = head_of(node)
    mine(node, 3)
    async with seen(node, old=old) as rpc:
        assert await told(rpc, head, telling) == (head.number + 1, head.timestamp + BLOCK_TIME_S)
        assert rpc.asked["eth_call"] == old


async def told(rpc: Seen, head: Head, call: Call) -> tuple[int, int]:
    """Return the block of a trial, as the contract saw it."""
    (trial,) = await Simulator(rpc, BLOCK_TIME_S).run([Trial(KEEPER, call)], head)
    assert trial.succeeded, trial.reason
    assert trial.gas_used >= 21_000
    return int.from_bytes(trial.data[:32]), int.from_bytes(trial.data[32:])


@AGES
async def test_what_only_the_block_of_the_head_forbids_goes_through(node: Client, *, old: bool) -> None:
    young, head = deploy(node, YOUNG), mine(node)
    async with seen(node, old=old) as rpc:
        for forbidden, succeeds in ((head.number, True), (head.number + 1, False)):
            trial = Trial(KEEPER, Call(young, forbidden.to_bytes(32)))
            (result,) = await Simulator(rpc).run([trial], head)
            assert result.succeeded is succeeds


@AGES
async def test_no_override_hides_that_the_money_is_not_there(node: Client, *, old: bool) -> None:
    telling = deploy(node, TELLING)
    node.call("anvil_setBalance", KEEPER, hex(10**18))
    head = mine(node)
    async with seen(node, old=old) as rpc:
        simulator = Simulator(rpc)
        enough = Trial(KEEPER, Call(telling, b"", value=10**18))
        assert (await simulator.run([enough], head))[0].succeeded
        short = enough._replace(call=replace(enough.call, value=10**18 + 1))
        with pytest.raises(RpcError, match=r"(?i)insufficient funds"):  # of the account, not of the call
            await simulator.run([short], head)


async def test_the_executor_tries_in_a_block_as_late_as_it_is_told(node: Client, ledger_path: Path) -> None:
    telling, head = Call(deploy(node, TELLING), b""), head_of(node)
    options = replace(OPTIONS, block_time_s=BLOCK_TIME_S)
    async with running(port_of(node), ledger_path, options=options) as keeper:
        (trial,) = await keeper.executor.simulate([telling], head)
        assert int.from_bytes(trial.data[32:]) == head.timestamp + BLOCK_TIME_S


@pytest.mark.slow
async def test_hardhat_which_takes_no_overrides_is_asked_for_the_block_of_the_head() -> None:
    with hardhat() as chain:
        chain.call("evm_setAutomine", False)
        telling, head = Call(deploy(chain, TELLING), b""), head_of(chain)
        async with seen(chain) as rpc:
            simulator = Simulator(rpc, BLOCK_TIME_S)
            for times in (2, 1):
                rpc.asked.clear()
                (trial,) = await simulator.run([Trial(KEEPER, telling)], head)
                assert int.from_bytes(trial.data[:32]) == head.number
                assert int.from_bytes(trial.data[32:]) == head.timestamp
                assert trial.gas_used >= 21_000
                assert (rpc.asked["eth_call"], rpc.asked["eth_estimateGas"]) == (times, times)
