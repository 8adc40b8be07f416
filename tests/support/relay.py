"""A TCP relay in front of a node, whose connections a test can cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Relay:
    """Forwards bytes between clients and a node on the loopback interface.

    Parameters
    ----------
    target_port : int
        The node's port.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._links: set[asyncio.Task[None]] = set()
        self._refusing = False
        self.connections = 0
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until either side ends."""
        if self._refusing:
            writer.close()
            return
        self.connections += 1
        link = asyncio.create_task(self._link(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node_reader, node_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        directions = [
            asyncio.create_task(_pump(reader, node_writer)),
            asyncio.create_task(_pump(node_reader, writer)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            for side in (writer, node_writer):
                side.transport.abort()
            await asyncio.gather(*directions, return_exceptions=True)

    async def cut(self, *, refuse: bool = False) -> None:
        """Drop every connection; ``refuse`` new ones too until `mend`."""
        self._refusing = refuse
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def mend(self) -> None:
        """Accept connections again."""
        self._refusing = False


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()


@asynccontextmanager
async def relay(target_port: int) -> AsyncIterator[Relay]:
    """Run a relay on a free port for as long as the context lasts."""
    forwarder = Relay(target_port)
    server = await asyncio.start_server(forwarder.handle, "127.0.0.1", 0)
    forwarder.port = server.sockets[0].getsockname()[1]
    try:
        yield forwarder
    finally:
        server.close()
        await forwarder.cut(refuse=True)
        await server.wait_closed()
