"""What an operator asks beside a running keeper, on the real contracts: why, what if, and at which price."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import keeper, sluice, write_settings
from tests.support.world import World, world

pytestmark = [pytest.mark.node]

BLOCK_S = 12


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world() as deployed:
        yield deployed


def test_a_shock_and_a_ladder_are_read_from_the_chain(here: World, tmp_path: Path) -> None:
    with here.scratch():
        here.open({"WETH": 100}, {"USDC": 15_800})
        settings = write_settings(tmp_path, here)
        asked = sluice("what-if", "--config", settings, "--shock", "ETH=-15%", "--json")
        assert asked.returncode == 0, asked.stderr
        report = json.loads(asked.stdout)
        assert report["below_before"]["accounts"] == 0
        assert report["below_after"]["accounts"] == 1
        (sale,) = report["sales"]
        assert 0 < sale["times_depth"] < 1
        assert 0 < sale["lost_to_slippage"] < 0.02
        drawn = sluice("ladder", "--config", settings, "--out", tmp_path / "ladder.png")
        assert drawn.returncode == 0, drawn.stderr
        assert (tmp_path / "ladder.png").stat().st_size > 10_000


def test_the_shock_forecasts_what_the_contracts_say_after_it(here: World, tmp_path: Path) -> None:
    with here.scratch():
        borrowers = [here.open({"WETH": 100}, {"USDC": debt}) for debt in (12_000, 14_500, 15_800)]
        settings = write_settings(tmp_path, here)
        report = json.loads(sluice("what-if", "-c", settings, "--shock", "ETH=-15%", "--json").stdout)
        here.publish("WETH", 170)
        expected = {found["account"]: found["health"] for found in report["fallen"]}
        assert set(expected) == {account for account in borrowers if here.health(account) < 1}
        for account, health in expected.items():
            assert here.health(account) == pytest.approx(health, rel=1e-5)


def test_why_tells_what_the_keeper_did(here: World, tmp_path: Path) -> None:
    with here.scratch():
        borrower = here.open({"WETH": 100}, {"USDC": 15_800})
        with keeper(tmp_path, here, minimum_profit=-5) as daemon:
            daemon.acknowledged(int(here.node.call("eth_blockNumber"), 16))
            here.trade("WETH", "USDC", 18_000)
            here.publish("WETH", 170)
            for _ in range(15):
                here.advance(BLOCK_S)
                daemon.acknowledged(int(here.node.call("eth_blockNumber"), 16))
            daemon.stop()
        told = sluice("why", borrower, "--config", tmp_path / "sluice.toml")
        assert told.returncode == 0, told.stderr
        for part in (borrower, "health factor", "WETH", "chosen:", "included", "gwei"):
            assert part in told.stdout
