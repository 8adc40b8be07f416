"""A keeper at work on the real contracts, asked how it is over HTTP."""

import asyncio
import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.config import load_settings
from bot.watching import Seen, watching
from tests.support.daemon import keeper
from tests.support.world import World, world

pytestmark = [pytest.mark.node]

BLOCK_S = 12


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world() as deployed:
        yield deployed


def asked(port: int, page: str) -> tuple[int, str]:
    """Return status and text of a page of the keeper's."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def value(text: str, name: str) -> float:
    """Return the sum of a metric over its labels."""
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


def test_a_keeper_tells_what_it_saw_did_and_earned_and_joins_it_by_one_id(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("SLUICE_OPS__LISTEN", f"127.0.0.1:{port}")
    with here.scratch():
        here.open({"WETH": 100}, {"USDC": 15_800})
        with keeper(tmp_path, here, minimum_profit=-5) as daemon:
            daemon.acknowledged(int(here.node.call("eth_blockNumber"), 16))
            assert asked(port, "/healthz")[0] == 200
            status, ready = asked(port, "/readyz")
            assert (status, json.loads(ready)["ok"]) == (200, True)
            here.trade("WETH", "USDC", 18_000)
            here.publish("WETH", 170)
            for _ in range(15):
                here.advance(BLOCK_S)
                daemon.acknowledged(int(here.node.call("eth_blockNumber"), 16))
            _, text = asked(port, "/metrics")
            daemon.stop()
        assert value(text, "sluice_heads_evaluated_total") >= 10
        assert value(text, "sluice_head_to_decision_seconds_count") >= 10
        assert value(text, "sluice_decision_to_broadcast_seconds_count") >= 2
        assert value(text, "sluice_broadcast_to_inclusion_seconds_count") >= 2
        assert 'sluice_transactions_settled_total{outcome="included"}' in text
        expected = value(text, "sluice_profit_expected_quote")
        realised = value(text, "sluice_profit_realised_quote")
        assert value(text, "sluice_profit_difference_quote") == pytest.approx(realised - expected, abs=1e-6)
        intents = daemon.events("intent")
        settled = daemon.events("transaction_settled")
        heads = {event["trace"] for event in daemon.events("head")}
        assert settled
        assert {event["trace"] for event in settled} <= {event["trace"] for event in intents} <= heads
        seen = asyncio.run(one_look(tmp_path / "sluice.toml"))
        assert len(seen.snapshot.positions.accounts) == 1
        assert seen.head.number == int(here.node.call("eth_blockNumber"), 16)
        assert {row.outcome.value for row in seen.transactions} == {"included"}
        assert [use.name for use in seen.limits] == ["failures in a row"]
        assert seen.halted is None


async def one_look(config: Path) -> Seen:
    """Return what `sluice top` would show."""
    async with watching(load_settings(config), 20) as watch:
        await watch.look()
        return await watch.look()
