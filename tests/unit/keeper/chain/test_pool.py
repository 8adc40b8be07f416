"""Several endpoints as one: who is asked, who rests, who takes over."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from bot.chain.client import ClientOptions, RpcClient
from bot.chain.endpoint import Endpoint
from bot.chain.feed import ChainHeadFeed, FeedOptions
from bot.chain.pool import EndpointPool, PoolOptions
from bot.errors import EndpointUnreachableError, RpcError, WrongChainError
from bot.ports import NewHead, RpcCall
from tests.support.fake_node import chain, http_node, websocket_node
from tests.support.keeper import a_head

CLIENT = ClientOptions(request_timeout_s=10, connect_timeout_s=10, silence_s=0.01)
POOL = PoolOptions(hedge_after_s=0.05, cooldown_start_s=0.2, cooldown_limit_s=0.4)
BUSY = {"code": -32000, "message": "header not found"}


@dataclass
class Node:
    """One endpoint: how long it takes, what it says, and what it was asked."""

    name: str
    delay_s: float = 0.0
    error: dict[str, object] | None = None
    chain_id: int = 31337
    height: int = 7
    asked: list[str] = field(default_factory=list)
    dead: bool = False

    async def answer(self, text: str) -> str | None:
        request = json.loads(text)
        calls = request if isinstance(request, list) else [request]
        methods = [call["method"] for call in calls]
        if methods != ["eth_chainId"]:
            self.asked += methods
            await asyncio.sleep(self.delay_s)
            if self.dead:
                raise ConnectionAbortedError
            if self.error is not None:
                said = [{"id": call["id"], "error": self.error} for call in calls]
                return json.dumps(said if isinstance(request, list) else said[0])
        if "eth_getBlockByNumber" in methods:
            said = [{"id": call["id"], "result": self._block(call["params"][0])} for call in calls]
            return json.dumps(said if isinstance(request, list) else said[0])
        return chain(self.chain_id, x=self.name, eth_subscribe="0x1", eth_sendRawTransaction=self.name)(text)

    def _block(self, tag: str) -> dict[str, object]:
        head = a_head(self.height if tag == "latest" else int(tag, 16))
        return {
            "number": hex(head.number),
            "hash": head.hash,
            "parentHash": head.parent_hash,
            "timestamp": "0x1",
            "baseFeePerGas": "0x1",
        }


@asynccontextmanager
async def pool_of(*nodes: Node, options: PoolOptions = POOL) -> AsyncIterator[EndpointPool]:
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(websocket_node(node.answer)) for node in nodes]
        clients = [RpcClient(Endpoint.parse(url), 31337, CLIENT) for url in urls]
        yield await stack.enter_async_context(EndpointPool(clients, options))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # a flag of the feed, which is no event
            await asyncio.sleep(0.005)


async def test_the_first_endpoint_answers_as_long_as_it_is_quick() -> None:
    first, second = Node("first"), Node("second")
    async with pool_of(first, second) as pool:
        assert [await pool.request("x") for _ in range(3)] == ["first"] * 3
    assert not second.asked


async def test_a_slow_read_is_asked_of_a_second_endpoint_and_the_first_answer_counts() -> None:
    slow, quick = Node("slow", delay_s=0.3), Node("quick")
    async with pool_of(slow, quick) as pool:
        assert await pool.request("x") == "quick"
        assert await pool.batch([RpcCall("x"), RpcCall("x")]) == ["quick", "quick"]
    assert slow.asked[0] == quick.asked[0] == "x"


async def test_a_transaction_is_never_raced() -> None:
    slow, quick = Node("slow", delay_s=0.2), Node("quick")
    async with pool_of(slow, quick) as pool:
        assert await pool.request("eth_sendRawTransaction") == "slow"
        assert await pool.batch([RpcCall("x"), RpcCall("eth_sendRawTransaction")]) == ["slow", "slow"]
    assert not quick.asked


async def test_a_transaction_goes_to_the_next_endpoint_when_the_first_is_gone() -> None:
    async with pool_of(Node("gone", dead=True), Node("next")) as pool:
        assert await pool.request("eth_sendRawTransaction") == "next"


async def test_an_endpoint_that_fails_rests_and_comes_back() -> None:
    bad, good = Node("bad", dead=True), Node("good")
    async with pool_of(bad, good) as pool:
        assert await pool.request("x") == "good"
        bad.dead, good.dead = False, True
        asked = len(bad.asked)
        good.dead = False
        assert await pool.request("x") == "good"
        assert len(bad.asked) == asked
        good.dead = True
        assert await pool.request("x") == "bad"


async def test_a_refusal_that_any_node_would_give_is_final() -> None:
    reverts, other = Node("a", error={"code": 3, "message": "execution reverted"}), Node("b")
    async with pool_of(reverts, other) as pool:
        with pytest.raises(RpcError, match="execution reverted"):
            await pool.request("x")
    assert not other.asked


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (3, "execution reverted: too many requests"),
        (-32000, "execution reverted: header not found"),
        (-32603, "VM Exception while processing transaction: reverted with reason string 'limit exceeded'"),
        (3, "limit exceeded"),
    ],
)
async def test_a_contracts_own_words_are_not_taken_for_a_nodes(code: int, message: str) -> None:
    first, other = Node("a", error={"code": code, "message": message}), Node("b")
    async with pool_of(first, other) as pool:
        (answer,) = await pool.batch([RpcCall("eth_call")])
        assert isinstance(answer, RpcError)
        with pytest.raises(RpcError):
            await pool.request("eth_call")
    assert not other.asked


async def test_a_node_that_lags_behind_is_answered_for_by_another() -> None:
    async with pool_of(Node("a", error=BUSY), Node("b")) as pool:
        assert await pool.request("x") == "b"
        assert await pool.batch([RpcCall("x")] * 2) == ["b", "b"]


async def test_a_node_that_is_asked_too_much_is_answered_for_by_another() -> None:
    refusal = {"code": -32005, "message": "Too many requests"}
    async with pool_of(Node("a", error=refusal), Node("b")) as pool:
        assert await pool.request("x") == "b"


async def test_when_all_fail_the_first_failure_is_told() -> None:
    async with pool_of(Node("a", error=BUSY), Node("b", dead=True)) as pool:
        with pytest.raises(RpcError, match="header not found"):
            await pool.request("x")


async def test_a_start_at_endpoints_of_another_chain_alone_is_refused() -> None:
    with pytest.raises(WrongChainError, match="serves chain 5"):
        async with pool_of(Node("a", chain_id=5), Node("b", chain_id=5)):
            pass


async def test_a_start_leaves_an_endpoint_of_another_chain_aside_and_says_so() -> None:
    lying, honest = Node("a", chain_id=5), Node("b")
    with capture_logs() as logs:
        async with pool_of(lying, honest) as pool:
            assert await pool.request("x") == "b"
            assert pool.label != _label_of(logs)
    assert not lying.asked


def _label_of(logs: Sequence[Mapping[str, object]]) -> object:
    """Return the endpoint that was said to serve another chain, chain 5, once."""
    (told,) = [entry for entry in logs if entry["event"] == "endpoint_of_another_chain"]
    assert (told["log_level"], told["chain_id"]) == ("error", 5)
    return told["endpoint"]


async def test_an_endpoint_that_turns_to_another_chain_is_left_until_it_is_right_again() -> None:
    fickle, steady = Node("fickle"), Node("steady")
    options = PoolOptions(hedge_after_s=5.0, cooldown_start_s=0.01, wrong_chain_rest_s=0.2)
    async with pool_of(fickle, steady, options=options) as pool:
        assert await pool.request("x") == "fickle"
        fickle.chain_id, fickle.dead = 5, True
        assert (
            await pool.request("x") == "steady"
        )  # the connection is gone, and the next one is another chain's
        await asyncio.sleep(0.02)
        fickle.dead, steady.dead = False, True
        with capture_logs() as logs, pytest.raises((WrongChainError, EndpointUnreachableError)):
            await pool.request("x")
        assert _label_of(logs) == pool._members[0].client.label
        steady.dead = False
        asked = len(fickle.asked)
        assert [await pool.request("x") for _ in range(3)] == ["steady"] * 3
        assert len(fickle.asked) == asked
        fickle.chain_id, steady.dead = 31337, True
        assert await pool.request("x") == "fickle"


async def test_a_preferred_endpoint_is_returned_to_once_it_has_caught_up() -> None:
    first, second = Node("first"), Node("second")
    options = PoolOptions(cooldown_start_s=0.05, look_back_s=0.05)
    feed_options = FeedOptions(backoff_start_s=0.01, give_up_after_s=30)
    async with pool_of(first, second, options=options) as pool:
        preferred = pool.label
        events = aiter(ChainHeadFeed(pool, feed_options))
        await anext(events)
        second.height, first.dead = 8, True
        assert await anext(events)
        following = asyncio.ensure_future(anext(events))
        assert pool.label != preferred
        first.dead, asked = False, len(first.asked)
        await until(lambda: len(first.asked) > asked + 1)
        assert pool.label != preferred  # it is a head behind
        first.height = 8
        await until(lambda: pool.label == preferred)
        first.height = 9
        event = await asyncio.wait_for(following, 10)
        assert isinstance(event, NewHead)
        assert event.head.number == 9


async def test_a_preferred_endpoint_is_asked_now_and_then_and_not_at_each_head() -> None:
    first, second = Node("first"), Node("second", height=8)
    options = PoolOptions(cooldown_start_s=0.01, look_back_s=30.0)
    async with pool_of(first, second, options=options) as pool:
        first.dead = True
        assert await pool.request("x") == "second"
        first.dead, asked = False, len(first.asked)
        await asyncio.sleep(0.05)  # longer than it rests
        heads = pool.announced_heads()
        for _ in range(20):
            await anext(heads)
        await heads.aclose()
        assert first.asked[asked:] == ["eth_getBlockByNumber"]


async def test_an_http_endpoint_that_turns_to_another_chain_while_it_announces_heads_is_benched() -> None:
    fickle, steady = Node("fickle"), Node("steady")
    options = replace(CLIENT, poll_interval_s=0.01, recheck_s=0.05)
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(http_node(node.answer)) for node in (fickle, steady)]
        clients = [RpcClient(Endpoint.parse(url), 31337, options) for url in urls]
        pool = await stack.enter_async_context(EndpointPool(clients, POOL))
        events = aiter(ChainHeadFeed(pool, FeedOptions(backoff_start_s=0.01, give_up_after_s=5)))
        await anext(events)
        assert pool.label == clients[0].label
        with capture_logs() as logs:
            fickle.chain_id, steady.height = 5, 8
            waiting = asyncio.ensure_future(anext(events))
            await until(lambda: pool.label == clients[1].label)
            await asyncio.wait_for(waiting, 20)
            assert await pool.request("eth_sendRawTransaction") == "steady"
        assert _label_of(logs) == clients[0].label
    assert "eth_sendRawTransaction" not in fickle.asked


async def test_with_one_endpoint_there_is_nothing_to_rotate_to_and_nothing_says_so() -> None:
    async with pool_of(Node("only")) as pool:
        with capture_logs() as logs:
            assert not await pool.rotate("no head for 60 s")
        events = {str(entry["event"]): entry for entry in logs}
        assert events["endpoint_dropped"]["endpoint"] == pool.label
        assert "endpoint_rotated" not in events
    async with pool_of(Node("first"), Node("second")) as pool:
        with capture_logs() as logs:
            assert await pool.rotate("no head for 60 s")
        assert "endpoint_rotated" in {entry["event"] for entry in logs}


async def test_nothing_is_sent_while_every_endpoint_is_of_another_chain() -> None:
    nodes = [Node("a"), Node("b")]
    async with pool_of(*nodes) as pool:
        for node in nodes:
            node.chain_id, node.dead = 5, True
        with pytest.raises(EndpointUnreachableError):
            await pool.request("eth_sendRawTransaction")
        for node in nodes:
            node.dead = False
            node.asked.clear()
        with pytest.raises(WrongChainError, match="serves chain 5"):
            await pool.request("eth_sendRawTransaction")
        assert [node.asked for node in nodes] == [[], []]
        nodes[1].chain_id = 31337
        assert await pool.request("eth_sendRawTransaction") == "b"


async def test_the_head_feed_outlives_a_time_in_which_no_endpoint_is_right() -> None:
    nodes = [Node("a"), Node("b")]
    options = FeedOptions(backoff_start_s=0.01, backoff_limit_s=0.02, give_up_after_s=30, block_time_s=0.02)
    async with pool_of(*nodes, options=PoolOptions(wrong_chain_rest_s=0.05)) as pool:
        feed = ChainHeadFeed(pool, options)
        events = aiter(feed)
        await anext(events)
        for node in nodes:
            node.chain_id, node.dead = 5, True
        waiting = asyncio.ensure_future(anext(events))
        await until(lambda: feed.stale)
        for node in nodes:
            node.chain_id, node.dead, node.height = 31337, False, 8
        event = await asyncio.wait_for(waiting, 10)
        assert isinstance(event, NewHead)
        assert event.head.number == 8
        assert not feed.stale


async def test_one_endpoint_that_can_be_reached_is_enough_to_start() -> None:
    async with websocket_node(Node("up").answer) as url:
        gone = RpcClient(Endpoint.parse("ws://127.0.0.1:1"), 31337, CLIENT)
        up = RpcClient(Endpoint.parse(url), 31337, CLIENT)
        async with EndpointPool([gone, up], POOL) as pool:
            assert pool.label == up.label
            assert await pool.request("x") == "up"
        with pytest.raises(EndpointUnreachableError):
            async with EndpointPool([RpcClient(Endpoint.parse("ws://127.0.0.1:1"), 31337, CLIENT)]):
                pass


async def test_the_head_feed_moves_on_to_the_endpoint_that_has_new_heads() -> None:
    frozen, alive = Node("frozen"), Node("alive")
    options = FeedOptions(backoff_start_s=0.01, give_up_after_s=2, block_time_s=0.02)
    async with pool_of(frozen, alive) as pool:
        feed = ChainHeadFeed(pool, options)
        events = aiter(feed)
        first = await anext(events)
        assert isinstance(first, NewHead)
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.02)
        alive.height = 8
        event = await asyncio.wait_for(waiting, 20)
        assert isinstance(event, NewHead)
        assert event.head.number == 8
        assert not feed.stale
        assert await pool.request("x") == "alive"


async def test_the_head_feed_is_stale_once_no_endpoint_has_new_heads() -> None:
    nodes = [Node("a"), Node("b"), Node("c")]
    options = FeedOptions(backoff_start_s=0.01, give_up_after_s=2, block_time_s=0.01)
    async with pool_of(*nodes, options=PoolOptions(cooldown_start_s=0.05)) as pool:
        feed = ChainHeadFeed(pool, options)
        events = aiter(feed)
        await anext(events)
        waiting = asyncio.ensure_future(anext(events))
        await until(lambda: feed.stale)
        assert all("eth_subscribe" in node.asked for node in nodes)
        nodes[1].height = 8
        await asyncio.wait_for(waiting, 20)
        assert not feed.stale


async def test_a_lost_announcer_is_replaced_without_missing_a_head() -> None:
    first, second = Node("first"), Node("second")
    options = FeedOptions(backoff_start_s=0.01, give_up_after_s=2)
    async with pool_of(first, second) as pool:
        events = aiter(ChainHeadFeed(pool, options))
        await anext(events)
        second.height, first.dead = 8, True
        event = await asyncio.wait_for(anext(events), 3)
        assert isinstance(event, NewHead)
        assert event.head.number == 8
