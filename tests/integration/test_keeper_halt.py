"""``sluice keeper halt`` and ``resume`` beside a running keeper, on the real contracts."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, keeper, sluice
from tests.support.world import World, world

pytestmark = [pytest.mark.node]

BLOCK_S = 12


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world() as deployed:
        yield deployed


def next_block(here: World, daemon: Daemon) -> int:
    """Mine a block; return how many transactions the keeper sent on it."""
    here.advance(BLOCK_S)
    return int(daemon.acknowledged(int(here.node.call("eth_blockNumber"), 16))["sent"])


def test_a_halted_keeper_lives_follows_the_chain_and_sends_nothing(here: World, tmp_path: Path) -> None:
    here.open({"WETH": 100}, {"USDC": 15_800})
    with keeper(tmp_path, here, minimum_profit=-5) as daemon:
        next_block(here, daemon)
        config = ("--config", str(tmp_path / "sluice.toml"))
        nothing = sluice("keeper", "resume", *config, "--reason", "none")
        assert nothing.returncode != 0
        assert "not halted" in nothing.stderr
        halted = sluice("keeper", "halt", *config, "--reason", "a strange price")
        assert halted.returncode == 0, halted.stderr
        assert "halted: a strange price" in halted.stdout
        status = sluice("status", *config)
        assert "the keeper is halted by operator: a strange price" in status.stdout
        here.trade("WETH", "USDC", 18_000)
        here.publish("WETH", 170)
        assert [next_block(here, daemon) for _ in range(3)] == [0, 0, 0]
        (refusal, *_) = daemon.events("not_sent")
        assert "a strange price" in refusal["reason"]
        for reason in ((), ("--reason", " ")):
            refused = sluice("keeper", "resume", *config, *reason)
            assert refused.returncode != 0
            assert "reason" in re.sub(r"\s+", " ", refused.stderr)
        assert next_block(here, daemon) == 0
        resumed = sluice("keeper", "resume", *config, "--reason", "the price is real")
        assert resumed.returncode == 0
        assert "it was halted by operator: a strange price" in resumed.stdout
        assert next_block(here, daemon) == 2  # a kick, and a poke beside it
        assert daemon.process.poll() is None
