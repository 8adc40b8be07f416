"""Word to whoever drives the chain, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from bot.errors import AcknowledgerUnreachableError
from bot.ops.acknowledger import SilentAcknowledger, TcpAcknowledger
from tests.support.keeper import a_head


class Driver:
    """Listens for acknowledgements."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.connections: list[asyncio.StreamWriter] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        while line := await reader.readline():
            assert line.endswith(b"\n")
            await self.lines.put(json.loads(line))

    async def drop(self) -> None:
        for writer in self.connections:
            writer.transport.abort()
        await asyncio.sleep(0.02)


@pytest.fixture
async def driver() -> AsyncIterator[Driver]:
    driver = Driver()
    server = await asyncio.start_server(driver.serve, "127.0.0.1", 0)
    driver.port = server.sockets[0].getsockname()[1]
    yield driver
    server.close()
    await driver.drop()


async def test_each_head_is_one_line(driver: Driver) -> None:
    async with TcpAcknowledger("127.0.0.1", driver.port) as acknowledger:
        await acknowledger.acknowledge(a_head(7), sent=2)
        await acknowledger.acknowledge(a_head(8), sent=0)
        assert await driver.lines.get() == {"block": 7, "hash": a_head(7).hash, "sent": 2}
        assert await driver.lines.get() == {"block": 8, "hash": a_head(8).hash, "sent": 0}
    assert len(driver.connections) == 1


async def test_a_lost_connection_is_made_again_and_no_later_head_is_lost(driver: Driver) -> None:
    async with TcpAcknowledger("127.0.0.1", driver.port) as acknowledger:
        await acknowledger.acknowledge(a_head(7), sent=0)
        await driver.lines.get()
        await driver.drop()
        await acknowledger.acknowledge(a_head(8), sent=1)
        async with asyncio.timeout(5):
            assert (await driver.lines.get())["block"] == 8
    assert len(driver.connections) == 2


async def test_a_driver_that_does_not_listen_is_told_at_the_start() -> None:
    with pytest.raises(AcknowledgerUnreachableError, match=r"127\.0\.0\.1:9: connection refused"):
        async with TcpAcknowledger("127.0.0.1", 9):
            pass


async def test_a_driver_that_went_away_is_told_with_the_next_head(driver: Driver) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with TcpAcknowledger("127.0.0.1", port) as acknowledger:
        server.close()
        await asyncio.sleep(0.02)
        with pytest.raises(AcknowledgerUnreachableError):
            await acknowledger.acknowledge(a_head(1), sent=0)


async def test_without_a_driver_nothing_happens() -> None:
    await SilentAcknowledger().acknowledge(a_head(1), sent=0)
