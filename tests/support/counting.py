"""A proxy before a node's WebSocket that counts what passes."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed


@dataclass
class Traffic:
    """What passed since it was last cleared.

    Parameters
    ----------
    url : str
        Where the proxy listens.
    calls : Counter
        Requests by method, a batch counted call by call.
    messages, bytes_up, bytes_down : int
        Messages to the node, and bytes to it and from it.
    """

    url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    bytes_up: int = 0
    bytes_down: int = 0

    def clear(self) -> None:
        """Begin to count anew."""
        self.calls.clear()
        self.messages = self.bytes_up = self.bytes_down = 0

    def count(self, message: str | bytes) -> None:
        """Count a message to the node."""
        self.messages += 1
        self.bytes_up += len(message)
        request = orjson.loads(message)
        self.calls.update(call["method"] for call in (request if isinstance(request, list) else [request]))


async def _up(client: ServerConnection, node: ClientConnection, traffic: Traffic) -> None:
    async for message in client:
        traffic.count(message)
        await node.send(message)


async def _down(client: ServerConnection, node: ClientConnection, traffic: Traffic) -> None:
    async for message in node:
        traffic.bytes_down += len(message)
        await client.send(message)


async def _serve(node_url: str, traffic: Traffic, ready: Event, ended: asyncio.Event) -> None:
    async def link(client: ServerConnection) -> None:
        async with connect(node_url, max_size=None, proxy=None) as node:
            ways = [asyncio.create_task(way(client, node, traffic)) for way in (_up, _down)]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            for error in await asyncio.gather(*ways, return_exceptions=True):
                if isinstance(error, Exception) and not isinstance(error, ConnectionClosed):
                    raise error

    async with serve(link, "127.0.0.1", 0, max_size=None) as server:
        traffic.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        ready.set()
        await ended.wait()


@contextmanager
def counting(node_url: str) -> Iterator[Traffic]:
    """Run the proxy in a thread of its own, before the node at ``node_url`` (ws), while the context lasts."""
    traffic, ready = Traffic(), Event()
    loop, ended = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_serve(node_url, traffic, ready, ended))
        loop.close()

    thread = Thread(target=run, name="counting proxy")
    thread.start()
    try:
        assert ready.wait(10)
        yield traffic
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
