"""The client against nodes that answer nonsense, nothing, or for another chain."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from bot.chain.client import ClientOptions, RpcClient
from bot.chain.endpoint import Endpoint
from bot.errors import EndpointUnreachableError, MalformedAnswerError, RpcError, WrongChainError
from bot.ports import RpcCall
from tests.support.fake_node import after_chain_id, chain, http_node, websocket_node
from tests.support.keeper import a_head

QUICK = ClientOptions(request_timeout_s=10, connect_timeout_s=10, silence_s=0.05, poll_interval_s=0.01)
IMPATIENT = replace(QUICK, request_timeout_s=0.3)  # with nodes that never answer what was asked

NODES = pytest.mark.parametrize("serve", [websocket_node, http_node], ids=["ws", "http"])


def client_of(url: str, options: ClientOptions = QUICK) -> RpcClient:
    return RpcClient(Endpoint.parse(url), 31337, options)


@NODES
@pytest.mark.parametrize(
    "bad",
    [
        "not json",
        "",
        "5",
        "null",
        "[]",
        '{"jsonrpc": "2.0", "id": $ID}',
        '{"jsonrpc": "2.0", "id": $ID, "error": "words"}',
        '{"jsonrpc": "2.0", "id": $ID, "error": {"code": "x", "message": "y"}}',
        '{"jsonrpc": "2.0", "id": $ID, "error": {"code": 1}}',
        '{"jsonrpc": "2.0", "id": $ID, "result": "\\ud800"}',
        pytest.param("[" * 100_000, id="nested without end"),
        pytest.param(
            '{"jsonrpc": "2.0", "id": $ID, "result": ' + "[" * 5_000 + "]" * 5_000 + "}", id="nested"
        ),
    ],
)
async def test_an_answer_that_is_no_answer_is_a_typed_error(serve: Any, bad: str) -> None:
    async with serve(after_chain_id(bad)) as url, client_of(url, IMPATIENT) as client:
        with pytest.raises((MalformedAnswerError, EndpointUnreachableError)):
            await client.request("eth_blockNumber")


async def test_an_answer_over_http_is_read_as_far_as_a_message_may_be_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.chain.http.MAX_MESSAGE_BYTES", 100_000)
    async with (
        http_node(chain(short="x" * 99_000, long="x" * 100_000)) as url,
        client_of(url) as client,
    ):
        assert await client.request("short") == "x" * 99_000
        with pytest.raises(MalformedAnswerError, match="at most 100000 bytes"):
            await client.request("long")
        assert await client.request("short") == "x" * 99_000


@NODES
@pytest.mark.parametrize(
    "bad",
    [
        "not json",
        "5",
        "[]",
        '[{"id": $ID, "result": "0x1"}]',
        '[5, {"id": 1}]',
        '{"id": $ID, "result": "0x1"}',  # one answer for all
        '[{"id": 70001, "result": "0x1"}, {"id": 70002, "result": "0x2"}]',  # to questions of nobody
    ],
)
async def test_a_batch_answered_in_part_is_a_typed_error(serve: Any, bad: str) -> None:
    async with serve(after_chain_id(bad)) as url, client_of(url, IMPATIENT) as client:
        with pytest.raises((MalformedAnswerError, EndpointUnreachableError)):
            await client.batch([RpcCall("eth_blockNumber"), RpcCall("eth_gasPrice")])


@NODES
async def test_silence_ends_in_a_typed_error_that_names_the_request(serve: Any) -> None:
    async def silent(text: str) -> str | None:
        if "eth_chainId" not in text:
            await asyncio.sleep(1)
        return chain()(text)

    async with serve(silent) as url, client_of(url, IMPATIENT) as client:
        with pytest.raises(EndpointUnreachableError, match="no answer"):
            await client.request("eth_blockNumber")


async def test_answers_out_of_order_find_their_requests() -> None:
    held: list[str] = []

    def reversed_pairs(text: str) -> str | None:
        request = json.loads(text)
        if request["method"] == "eth_chainId":
            return chain()(text)
        held.append(json.dumps({"id": request["id"], "result": request["params"][0]}))
        return None

    async def pairs(text: str) -> str | None:
        if (answer := reversed_pairs(text)) is not None:
            return answer
        return f"[{held.pop()},{held.pop()}]" if len(held) == 2 else None

    async with websocket_node(pairs) as url, client_of(url) as client:
        assert await asyncio.gather(client.request("x", ["a"]), client.request("x", ["b"])) == ["a", "b"]


async def test_a_batch_answered_in_another_order_is_put_in_ours() -> None:
    def shuffled(text: str) -> str:
        request = json.loads(text)
        if isinstance(request, dict):
            return chain()(text)
        return json.dumps([{"id": r["id"], "result": r["params"][0]} for r in reversed(request)])

    for serve in (websocket_node, http_node):
        async with serve(shuffled) as url, client_of(url) as client:
            assert await client.batch([RpcCall("x", [n]) for n in range(5)]) == list(range(5))


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_an_http_error_names_its_status_and_not_the_url(status: int) -> None:
    async with http_node(chain(), status) as url:
        with pytest.raises(EndpointUnreachableError, match=f"HTTP status {status}") as caught:
            async with client_of(f"{url}/secret-key"):
                pass
    assert "secret-key" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert ("requests_per_second" in str(caught.value)) == (status == 429)


@NODES
async def test_another_chain_behind_the_same_url_is_noticed_at_the_next_connection(serve: Any) -> None:
    chain_id = 31337

    async def balancer(text: str) -> str:
        if "drop" in text:
            await asyncio.sleep(1)
        return chain(chain_id)(text)

    async with serve(balancer) as url, client_of(url) as client:
        assert await client.request("eth_chainId") == "0x7a69"
        chain_id = 5
        if client._connection is not None:
            await client._connection.close()
            client._connection._failed = True  # type: ignore[attr-defined]  # HTTP has no socket to lose
        with pytest.raises(WrongChainError, match="serves chain 5"):
            await client.request("eth_blockNumber")


async def test_another_chain_behind_a_kept_http_session_is_noticed_at_an_interval() -> None:
    chain_id, asked = 31337, []

    def balancer(text: str) -> str:
        asked.append(json.loads(text)["method"])
        return chain(chain_id, x="0x1")(text)

    options = replace(QUICK, recheck_s=0.2)
    async with http_node(balancer) as url, RpcClient(Endpoint.parse(url), 31337, options) as client:
        await client.request("x")
        assert asked == ["eth_chainId", "x"]
        await asyncio.sleep(0.25)
        await asyncio.gather(*(client.request("x") for _ in range(5)))
        assert asked.count("eth_chainId") == 2
        chain_id = 5
        await asyncio.sleep(0.25)
        for _ in range(2):
            with pytest.raises(WrongChainError, match="serves chain 5"):
                await client.request("eth_sendRawTransaction")
        chain_id = 31337
        assert await client.request("x") == "0x1"
    assert "eth_sendRawTransaction" not in asked


async def test_a_kept_socket_is_not_asked_for_its_chain_again() -> None:
    asked = []

    def node(text: str) -> str:
        asked.append(json.loads(text)["method"])
        return chain(x="0x1")(text)

    options = replace(QUICK, recheck_s=0.0)
    async with websocket_node(node) as url, RpcClient(Endpoint.parse(url), 31337, options) as client:
        await client.request("x")
    assert asked == ["eth_chainId", "x"]


@NODES
async def test_an_error_of_the_node_carries_code_message_and_data(serve: Any) -> None:
    bad = (
        '{"jsonrpc": "2.0", "id": $ID, "error": {"code": 3, "message": "execution reverted", "data": "0x01"}}'
    )
    async with serve(after_chain_id(bad)) as url, client_of(url) as client:
        with pytest.raises(RpcError) as caught:
            await client.request("eth_call")
    assert (caught.value.method, caught.value.code, caught.value.message, caught.value.data) == (
        "eth_call",
        3,
        "execution reverted",
        "0x01",
    )


@NODES
async def test_a_node_that_will_not_stop_talking_is_cut_short(serve: Any) -> None:
    error = {"code": -32000, "message": "nonce too low: " + "x" * 1_000_000}
    bad = json.dumps({"jsonrpc": "2.0", "id": "$ID", "error": error}).replace('"$ID"', "$ID")
    async with serve(after_chain_id(bad)) as url, client_of(url) as client:
        with pytest.raises(RpcError, match="nonce too low") as caught:
            await client.request("eth_sendRawTransaction")
    assert len(caught.value.message) == 2_000


async def test_an_empty_batch_asks_nothing() -> None:
    async with websocket_node(chain()) as url, client_of(url) as client:
        assert await client.batch([]) == []


async def test_a_subscription_that_falls_silent_is_asked_for_the_newest_head() -> None:
    block = {
        "number": "0x7",
        "hash": a_head(7).hash,
        "parentHash": a_head(6).hash,
        "timestamp": "0x1",
        "baseFeePerGas": "0x1",
    }
    node = chain(eth_subscribe="0x1", eth_getBlockByNumber=block)
    async with websocket_node(node) as url, client_of(url) as client:
        bunches = client.announced_heads()
        for _ in range(3):
            (head,) = await anext(bunches)
            assert head.number == 7
        await bunches.aclose()


async def test_a_lost_socket_fails_every_request_that_waits() -> None:
    async def hang_up(text: str) -> str | None:
        if "eth_chainId" in text:
            return chain()(text)
        raise ConnectionAbortedError

    async with websocket_node(hang_up) as url, client_of(url) as client:
        results = await asyncio.gather(*(client.request("x") for _ in range(5)), return_exceptions=True)
    for result in results:
        assert isinstance(result, EndpointUnreachableError)
        assert result.detail == "the connection was lost"  # at once, not after a time-out


@NODES
async def test_each_endpoint_keeps_to_its_own_budget(serve: Any) -> None:
    async with serve(chain(eth_gasPrice="0x1")) as url:
        at = Endpoint.parse(url)
        busy = RpcClient(at, 31337, replace(QUICK, requests_per_second=3))
        idle = RpcClient(at, 31337, replace(QUICK, requests_per_second=500))
        async with busy, idle:
            started = time.monotonic()
            waiting = asyncio.ensure_future(busy.batch([RpcCall("eth_gasPrice")] * 4))
            await idle.batch([RpcCall("eth_gasPrice")] * 100)
            assert not waiting.done()
            assert len(await waiting) == 4  # waiting for the budget is no silence of the node
            assert time.monotonic() - started > 0.9
