"""The wire between a keeper and its node: what passes is passed on, counted, and timed where it matters."""

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import perf_counter
from typing import Final, NamedTuple

import aiohttp
import orjson
import uvloop
from aiohttp import ClientSession, WSMsgType, web

_LARGEST: Final = 1 << 30
_SUBSCRIBE: Final = b'{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'


class Arrival(NamedTuple):
    """A signed transaction that a keeper sent.

    Parameters
    ----------
    at : float
        When it was seen, seconds of `perf_counter`.
    raw : bytes
        The transaction.
    """

    at: float
    raw: bytes


@dataclass
class Wire:
    """What passed since it was last cleared, and what is on its way.

    Parameters
    ----------
    http, ws : str
        Where a keeper finds the node.
    calls : Counter
        Requests by method, a batch counted call by call.
    bytes_up, bytes_down : int
        Bytes of messages to the node, and from it.
    heads : dict
        When each block was announced, by its number: seconds of `perf_counter`, by a subscription of the
        wire's own, so that all are measured from the same moment.
    arrivals : SimpleQueue
        Signed transactions, in order.
    """

    http: str = ""
    ws: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    bytes_up: int = 0
    bytes_down: int = 0
    heads: dict[int, float] = field(default_factory=dict)
    arrivals: SimpleQueue[Arrival] = field(default_factory=SimpleQueue)

    def clear(self) -> None:
        """Begin to count anew; forget what arrived."""
        self.calls.clear()
        self.bytes_up = self.bytes_down = 0
        while True:
            try:
                self.arrivals.get_nowait()
            except Empty:
                return

    def seen_up(self, message: bytes) -> None:
        """Count a message to the node, and note the transactions in it."""
        at = perf_counter()
        self.bytes_up += len(message)
        request = orjson.loads(message)
        for call in request if isinstance(request, list) else [request]:
            self.calls[call["method"]] += 1
            if call["method"].startswith("eth_sendRawTransaction"):
                self.arrivals.put(Arrival(at, bytes.fromhex(call["params"][0][2:])))

    def seen_head(self, message: bytes) -> None:
        """Note a block that is announced on the wire's own subscription."""
        at = perf_counter()
        head = orjson.loads(message).get("params", {}).get("result")
        if head is not None:
            self.heads[int(head["number"], 16)] = at


def acknowledge(connection: socket.socket) -> None:
    """Let what was received be acknowledged at once, where the system can be told so.

    Anvil holds a small answer back until the one before was acknowledged (Nagle's algorithm), which a system
    does 40 ms late. A contender that asks for two things at the same time would be charged for that.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class _Proxy:
    """Passes HTTP and WebSocket on, on one port as nodes do."""

    def __init__(self, node_url: str, wire: Wire, session: ClientSession) -> None:
        self._node: Final = node_url
        self._wire: Final = wire
        self._session: Final = session

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._link(request)
        body = await request.read()
        self._wire.seen_up(body)
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._node, data=body, headers=headers) as answer:
            content = await answer.read()
        self._wire.bytes_down += len(content)
        return web.Response(body=content, content_type="application/json")

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        client = web.WebSocketResponse(max_msg_size=_LARGEST, compress=False)
        await client.prepare(request)
        async with self._session.ws_connect(self._node, max_msg_size=_LARGEST) as node:
            down = asyncio.create_task(self._down(node, client))
            async for message in client:
                data = message.data.encode() if message.type is WSMsgType.TEXT else message.data
                self._wire.seen_up(data)
                await node.send_str(data.decode())
            down.cancel()
        return client

    async def _down(self, node: aiohttp.ClientWebSocketResponse, client: web.WebSocketResponse) -> None:
        async for message in node:
            acknowledge(node.get_extra_info("socket"))
            self._wire.bytes_down += len(message.data)
            if client.closed:
                return
            await client.send_str(message.data)

    async def watch(self) -> None:
        """Note when the node announces each block."""
        async with self._session.ws_connect(self._node) as node:
            await node.send_str(_SUBSCRIBE.decode())
            async for message in node:
                self._wire.seen_head(message.data)


async def _serve(node_url: str, wire: Wire, ready: Event, ended: asyncio.Event) -> None:
    async with ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        proxy = _Proxy(node_url, wire, session)
        application = web.Application(client_max_size=_LARGEST)
        application.router.add_route("*", "/{path:.*}", proxy.handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        wire.http, wire.ws = f"http://{host}:{port}", f"ws://{host}:{port}"
        watching = asyncio.create_task(proxy.watch())
        ready.set()
        await ended.wait()
        watching.cancel()
        await runner.cleanup()


@contextmanager
def tapped(node_url: str) -> Iterator[Wire]:
    """Lay a wire to the node at ``node_url`` (http), in a thread of its own, while the context lasts."""
    wire, ready = Wire(), Event()
    loop = uvloop.new_event_loop()
    ended = asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_serve(node_url, wire, ready, ended))
        loop.close()

    thread = Thread(target=run, name="wire")
    thread.start()
    try:
        if not ready.wait(10):
            raise TimeoutError("the wire was not laid within 10 s")
        yield wire
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
