"""The proxy between real sockets: a made-up node behind it, clients before it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import ClientError, ClientSession, WSMsgType, web

from bot.chain.endpoint import Endpoint
from bot.errors import ChaosAddressError, EndpointUnreachableError
from bot.sim.chaos.proxy import ChaosProxy
from bot.sim.chaos.script import Script

SECRET = "k3y"


class StandInNode:
    """Serves HTTP and WebSocket; announces a head when told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.height = 10
        self.sockets: list[web.WebSocketResponse] = []
        self.port = 0

    def answer(self, message: Any) -> Any:
        if isinstance(message, list):
            return [self.answer(entry) for entry in message]
        self.asked.append(message["method"])
        result: Any = hex(self.height) if message["method"] == "eth_blockNumber" else "0x1234"
        return {"jsonrpc": "2.0", "id": message["id"], "result": result}

    async def post(self, request: web.Request) -> web.Response:
        return web.json_response(self.answer(await request.json()))

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse()
        await client.prepare(request)
        self.sockets.append(client)
        async for frame in client:
            await client.send_str(orjson.dumps(self.answer(orjson.loads(frame.data))).decode())
        return client

    async def announce(self) -> None:
        head = {"jsonrpc": "2.0", "method": "eth_subscription", "params": {"result": {"number": "0xb"}}}
        for client in self.sockets:
            await client.send_str(orjson.dumps(head).decode())


@pytest.fixture
async def node() -> AsyncIterator[StandInNode]:
    stand_in = StandInNode()
    application = web.Application()
    application.router.add_post(f"/{SECRET}", stand_in.post)
    application.router.add_get(f"/{SECRET}", stand_in.socket)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand_in.port = int(runner.addresses[0][1])
    yield stand_in
    for client in stand_in.sockets:
        await client.close()
    await runner.cleanup()


def script(*faults: dict[str, Any]) -> Script:
    phases = [{"name": "storm", "faults": faults}, {"name": "calm"}]
    return Script.model_validate({"phase": phases})


@asynccontextmanager
async def proxied(node: StandInNode, *faults: dict[str, Any]) -> AsyncIterator[tuple[ChaosProxy, Any]]:
    """Run the proxy with these faults, and a session whose base it is."""
    upstream = Endpoint.parse(f"http://127.0.0.1:{node.port}/{SECRET}")
    async with (
        ChaosProxy(script(*faults), upstream) as proxy,
        ClientSession(f"http://127.0.0.1:{proxy.port}") as session,
    ):
        yield proxy, session


def ask(method: str = "eth_call", id_: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": []}


async def posted(session: ClientSession, method: str = "eth_call") -> Any:
    async with session.post("/", json=ask(method)) as response:
        return orjson.loads(await response.read())


async def test_calm_weather_passes_calls_over_both_transports(node: StandInNode) -> None:
    async with proxied(node) as (_, session):
        assert (await posted(session))["result"] == "0x1234"
        async with session.ws_connect("/") as socket:
            for id_ in (1, 2):
                await socket.send_json(ask(id_=id_))
            got = [await socket.receive_json(timeout=5) for _ in range(2)]
            assert {entry["id"] for entry in got} == {1, 2}
            await socket.send_json([ask(id_=3), ask(id_=4)])
            assert [entry["id"] for entry in await socket.receive_json(timeout=5)] == [3, 4]
            await node.announce()
            assert (await socket.receive_json(timeout=5))["method"] == "eth_subscription"


@pytest.mark.parametrize("status", [429, 503])
async def test_a_status_is_answered_and_the_node_not_asked(node: StandInNode, status: int) -> None:
    fault = {"kind": "status", "status": status, "methods": ["eth_call"]}
    async with proxied(node, fault) as (proxy, session):
        node.asked.clear()
        async with session.post("/", json=ask()) as response:
            assert response.status == status
        async with session.ws_connect("/") as socket:
            await socket.send_json(ask())
            assert "error" in await socket.receive_json(timeout=5)
        assert node.asked == []
        assert proxy.struck["status"] == 2


async def test_a_cut_ends_the_connection(node: StandInNode) -> None:
    async with proxied(node, {"kind": "cut"}) as (_, session):
        with pytest.raises((ClientError, OSError)):
            await posted(session)
        async with session.ws_connect("/") as socket:
            await socket.send_json(ask())
            assert (await socket.receive(timeout=5)).type in (WSMsgType.CLOSED, WSMsgType.ERROR)


async def test_a_dropped_call_is_never_answered_and_the_next_one_is(node: StandInNode) -> None:
    async with (
        proxied(node, {"kind": "drop", "methods": ["eth_call"]}) as (_, session),
        session.ws_connect("/") as socket,
    ):
        await socket.send_json(ask("eth_call", 1))
        await socket.send_json(ask("eth_gasPrice", 2))
        assert (await socket.receive_json(timeout=5))["id"] == 2
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.2)


async def test_a_delayed_answer_does_not_hold_up_the_others(node: StandInNode) -> None:
    fault = {"kind": "delay", "seconds": 0.4, "methods": ["eth_call"]}
    async with proxied(node, fault) as (_, session), session.ws_connect("/") as socket:
        started = time.monotonic()
        await socket.send_json(ask("eth_call", 1))
        await socket.send_json(ask("eth_gasPrice", 2))
        assert (await socket.receive_json(timeout=5))["id"] == 2
        assert (await socket.receive_json(timeout=5))["id"] == 1
        assert time.monotonic() - started >= 0.4


async def test_a_slow_socket_brings_the_whole_answer_in_the_end(node: StandInNode) -> None:
    async with proxied(node, {"kind": "slow", "bytes_per_second": 100}) as (_, session):
        started = time.monotonic()
        assert (await posted(session))["result"] == "0x1234"
        assert time.monotonic() - started >= 0.3


async def test_who_does_not_wait_for_a_slow_answer_is_no_error(
    node: StandInNode, caplog: pytest.LogCaptureFixture
) -> None:
    async with proxied(node, {"kind": "slow", "bytes_per_second": 20}) as (_, session):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await posted(session)
        await asyncio.sleep(0.3)
        assert (await posted(session))["result"] == "0x1234"
    assert not caplog.records


async def test_a_frozen_node_announces_nothing_until_the_phase_ends(node: StandInNode) -> None:
    async with proxied(node, {"kind": "freeze"}) as (proxy, session), session.ws_connect("/") as socket:
        await socket.send_json(ask("eth_gasPrice"))
        await socket.receive_json(timeout=5)
        node.height = 11
        await node.announce()
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=0.2)
    async with proxied(node, {"kind": "freeze"}) as (proxy, session):
        node.height = 12
        assert (await posted(session, "eth_blockNumber"))["result"] == "0xb"
        await proxy.enter("calm")
        assert (await posted(session, "eth_blockNumber"))["result"] == "0xc"


async def test_phases_follow_each_other_by_the_clock(node: StandInNode) -> None:
    phases = [{"name": "a", "seconds": 0.05}, {"name": "b", "seconds": 0.05}, {"name": "c"}]
    upstream = Endpoint.parse(f"ws://127.0.0.1:{node.port}/{SECRET}")
    async with ChaosProxy(Script.model_validate({"phase": phases}), upstream) as proxy:
        assert proxy.phase == "a"
        seen = set()
        for _ in range(500):
            seen.add(proxy.phase)
            await asyncio.sleep(0.01)
            if proxy.phase == "c":
                break
        assert (proxy.phase, seen) == ("c", {"a", "b"})


async def test_a_node_that_is_not_there_is_named_without_its_key(unused_tcp_port: int) -> None:
    upstream = Endpoint.parse(f"http://127.0.0.1:{unused_tcp_port}/{SECRET}")
    with pytest.raises(EndpointUnreachableError) as refusal:
        async with ChaosProxy(script(), upstream):
            pass
    assert SECRET not in str(refusal.value)


async def test_an_address_that_is_taken_is_refused_with_the_fix(node: StandInNode) -> None:
    upstream = Endpoint.parse(f"http://127.0.0.1:{node.port}/{SECRET}")
    with pytest.raises(ChaosAddressError, match="--listen"):
        async with ChaosProxy(script(), upstream, port=node.port):
            pass
