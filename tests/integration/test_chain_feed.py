"""The head feed and the client against a real node."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.chain.client import ClientOptions, RpcClient
from bot.chain.endpoint import Endpoint
from bot.chain.feed import ChainHeadFeed, FeedOptions
from bot.chain.pool import EndpointPool
from bot.errors import EndpointUnreachableError, RpcError, WrongChainError
from bot.ports import HeadEvent, NewHead, Reorg, RpcCall
from tests.support.anvil import Client, anvil
from tests.support.relay import relay

pytestmark = pytest.mark.node

CHAIN_ID = 31337
QUICK = FeedOptions(backoff_start_s=0.02, backoff_limit_s=0.1, give_up_after_s=0.5)


@pytest.fixture
def node() -> Iterator[Client]:
    with anvil("--no-mining", "--hardfork", "prague", "--chain-id", str(CHAIN_ID)) as client:
        yield client


def port_of(node: Client) -> int:
    return int(node.url.rsplit(":", 1)[1])


def mine(node: Client, blocks: int = 1) -> None:
    for _ in range(blocks):
        node.call("evm_mine")


async def new_heads(events: AsyncIterator[HeadEvent], count: int) -> list[NewHead]:
    found: list[NewHead] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            event = await anext(events)
            assert isinstance(event, NewHead)
            found.append(event)
    return found


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_heads_follow_the_chain_over_either_transport(node: Client, scheme: str) -> None:
    endpoint = Endpoint.parse(f"{scheme}://127.0.0.1:{port_of(node)}")
    async with RpcClient(endpoint, CHAIN_ID, ClientOptions(poll_interval_s=0.01)) as client:
        events = aiter(ChainHeadFeed(client))
        (first,) = await new_heads(events, 1)
        mine(node, 3)
        heads = [first.head, *(event.head for event in await new_heads(events, 3))]
        assert [head.number for head in heads] == [0, 1, 2, 3]
        assert all(child.parent_hash == head.hash for head, child in itertools.pairwise(heads))


async def test_a_dropped_socket_loses_no_head(node: Client) -> None:
    async with relay(port_of(node)) as wire:
        endpoint = Endpoint.parse(f"ws://127.0.0.1:{wire.port}")
        async with RpcClient(endpoint, CHAIN_ID) as client:
            events = aiter(ChainHeadFeed(client, QUICK))
            await new_heads(events, 1)
            waiting = asyncio.ensure_future(new_heads(events, 101))
            await asyncio.sleep(0.05)
            await wire.cut(refuse=True)
            mine(node, 100)
            wire.mend()
            await asyncio.sleep(0.2)
            mine(node)
            heads = await waiting
    assert [event.head.number for event in heads] == list(range(1, 102))
    assert [event.behind for event in heads[:100]] == list(range(99, -1, -1))
    assert heads[100].behind == 0


async def test_a_node_that_stays_away_ends_the_feed_with_a_typed_error(node: Client) -> None:
    async with relay(port_of(node)) as wire:
        endpoint = Endpoint.parse(f"ws://127.0.0.1:{wire.port}")
        async with RpcClient(endpoint, CHAIN_ID) as client:
            events = aiter(ChainHeadFeed(client, QUICK))
            await new_heads(events, 1)
            await wire.cut(refuse=True)
            with pytest.raises(EndpointUnreachableError, match=endpoint.label):
                await new_heads(events, 1)


async def test_requests_work_again_after_the_socket_dropped(node: Client) -> None:
    async with (
        relay(port_of(node)) as wire,
        RpcClient(Endpoint.parse(f"ws://127.0.0.1:{wire.port}"), CHAIN_ID) as client,
    ):
        assert await client.request("eth_blockNumber") == "0x0"
        await wire.cut()
        await asyncio.sleep(0.05)
        assert await client.request("eth_blockNumber") == "0x0"
        assert wire.connections == 2


@pytest.mark.parametrize("depth", [1, 5, 20])
async def test_a_reorg_is_told_before_the_heads_of_the_new_branch(node: Client, depth: int) -> None:
    mine(node, 30)
    endpoint = Endpoint.parse(f"ws://127.0.0.1:{port_of(node)}")
    async with RpcClient(endpoint, CHAIN_ID) as client:
        events = aiter(ChainHeadFeed(client))
        (start,) = await new_heads(events, 1)
        mine(node, 2)
        known = [start, *await new_heads(events, 2)]
        node.call("anvil_reorg", depth, [])
        mine(node)
        seen: list[HeadEvent] = []
        async with asyncio.timeout(10):
            while not seen or not isinstance(seen[-1], NewHead) or seen[-1].head.number < 33:
                seen.append(await anext(events))
    assert isinstance(seen[0], Reorg)
    assert seen[0].ancestor.number == 32 - depth
    assert seen[0].dropped[-1] == known[-1].head
    assert len(seen[0].dropped) == depth
    tip = seen[0].ancestor
    for event in seen[1:]:
        if isinstance(event, Reorg):  # the node announces its new branch head by head
            tip = event.ancestor
        else:
            assert event.head.parent_hash == tip.hash
            tip = event.head
    assert tip.number == 33


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_wrong_chain_is_refused_at_the_start(node: Client, scheme: str) -> None:
    endpoint = Endpoint.parse(f"{scheme}://127.0.0.1:{port_of(node)}/?key=secret-key")
    with pytest.raises(
        WrongChainError, match="serves chain 31337, the configuration wants chain 1"
    ) as caught:
        async with RpcClient(endpoint, 1):
            pass
    assert "secret-key" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_node_that_is_down_is_named_by_its_label_alone(scheme: str) -> None:
    with pytest.raises(EndpointUnreachableError) as caught:
        async with RpcClient(Endpoint.parse(f"{scheme}://user:pass@127.0.0.1:9/secret-key"), CHAIN_ID):
            pass
    assert f"{scheme}://127.0.0.1:9" in str(caught.value)
    assert "refused" in str(caught.value)
    assert not {"secret-key", "pass"} & set(str(caught.value).replace("/", " ").split())
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_a_batch_keeps_order_and_puts_errors_in_their_place(node: Client, scheme: str) -> None:
    async with RpcClient(Endpoint.parse(f"{scheme}://127.0.0.1:{port_of(node)}"), CHAIN_ID) as client:
        calls = [RpcCall("eth_chainId"), RpcCall("eth_nonsense"), RpcCall("eth_blockNumber")]
        first, second, third = await client.batch(calls)
        assert first == hex(CHAIN_ID)
        assert isinstance(second, RpcError)
        assert second.code in (-32601, -32602)  # Anvil's WebSocket says bad parameters
        assert third == "0x0"
        many = await asyncio.gather(*(client.batch(calls[:1] * 7) for _ in range(20)))
        assert many == [[hex(CHAIN_ID)] * 7] * 20


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_an_error_answer_is_typed_with_its_code_and_message(node: Client, scheme: str) -> None:
    async with RpcClient(Endpoint.parse(f"{scheme}://127.0.0.1:{port_of(node)}"), CHAIN_ID) as client:
        with pytest.raises(RpcError, match="eth_call was refused with code -32602"):
            await client.request("eth_call", ["nonsense"])


async def test_heads_follow_the_chain_over_a_local_socket(tmp_path: Path) -> None:
    path = tmp_path / "node.ipc"
    with anvil("--no-mining", "--hardfork", "prague", "--ipc", str(path)) as node:
        async with RpcClient(Endpoint.parse(f"ipc://{path}"), CHAIN_ID) as client:
            events = aiter(ChainHeadFeed(client))
            await new_heads(events, 1)
            mine(node, 3)
            assert [event.head.number for event in await new_heads(events, 3)] == [1, 2, 3]
            calls = [RpcCall("eth_getBlockByNumber", [hex(n), True]) for n in range(4)] * 50
            assert len(await client.batch(calls)) == 200


async def test_another_endpoint_takes_over_and_no_head_is_lost(node: Client, tmp_path: Path) -> None:
    mine(node, 5)
    async with relay(port_of(node)) as wire:
        urls = [f"ws://127.0.0.1:{wire.port}", f"http://127.0.0.1:{port_of(node)}"]
        options = ClientOptions(poll_interval_s=0.02)
        clients = [RpcClient(Endpoint.parse(url), CHAIN_ID, options) for url in urls]
        async with EndpointPool(clients) as pool:
            events = aiter(ChainHeadFeed(pool, QUICK))
            await new_heads(events, 1)
            mine(node)
            await new_heads(events, 1)
            await wire.cut(refuse=True)
            mine(node, 40)
            heads = await new_heads(events, 40)
            assert [event.head.number for event in heads] == list(range(7, 47))
            assert pool.label == clients[1].label
            assert await pool.request("eth_blockNumber") == hex(46)
