"""A keeper that starts while its only endpoint turns it away."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.chain.endpoint import Endpoint
from bot.sim.chaos.proxy import ChaosProxy
from bot.sim.chaos.script import Script
from tests.support.daemon import SLUICE, write_settings
from tests.support.world import World, world

pytestmark = [pytest.mark.node]

RUN = (str(SLUICE), "keeper", "run", "--config")
PATIENCE_S = 60.0
WEATHER = Script.model_validate(
    {"seed": 1, "phase": [{"name": "busy", "faults": [{"kind": "status", "status": 429}]}, {"name": "calm"}]}
)


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world() as deployed:
        yield deployed


class Start:
    """A keeper behind a proxy that turns every call away until told otherwise."""

    def __init__(self, proxy: ChaosProxy, process: subprocess.Popen[bytes], log: Path) -> None:
        self.proxy, self.process, self.log = proxy, process, log

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    async def until(self, happened: Callable[[], object]) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < ends, self.log.read_text()[-2_000:]
            await asyncio.sleep(0.05)


@asynccontextmanager
async def starting(
    folder: Path, here: World, transport: str = "http", patience_s: float = PATIENCE_S
) -> AsyncIterator[Start]:
    """Start a keeper that is turned away."""
    settings, log = write_settings(folder, here), folder / "keeper.log"
    async with ChaosProxy(WEATHER, Endpoint.parse(here.node.url)) as proxy:
        environment = {
            **os.environ,
            "SLUICE_CHAIN__ENDPOINT": f"{transport}://127.0.0.1:{proxy.port}",
            "SLUICE_CHAIN__START_PATIENCE_S": str(patience_s),
        }
        process = _popen([*RUN, str(settings)], environment, log)
        try:
            yield Start(proxy, process, log)
        finally:
            process.kill()
            await asyncio.to_thread(process.wait, 10)


def _popen(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=environment)


@pytest.mark.parametrize("transport", ["http", "ws"])
async def test_a_busy_endpoint_delays_the_start(here: World, tmp_path: Path, transport: str) -> None:
    async with starting(tmp_path, here, transport) as start:
        await start.until(lambda: len(start.events("start_delayed")) >= 2)
        delays = start.events("start_delayed")
        assert all("429" in event["reason"] or "too many requests" in event["reason"] for event in delays)
        await start.proxy.enter("calm")
        await start.until(lambda: start.events("head"))
        assert start.process.poll() is None


async def test_an_endpoint_that_stays_busy_ends_the_start_with_the_fix(here: World, tmp_path: Path) -> None:
    async with starting(tmp_path, here, patience_s=1.5) as start:
        await start.until(lambda: start.process.poll() is not None)
        assert start.process.returncode == 1
        (error,) = [line for line in start.log.read_text().splitlines() if line.startswith("error: ")]
    assert "could not start within 1.5 s: connecting failed" in error
    assert "429" in error
    assert "chain.start_patience_s" in error
