"""A rehearsal on a fork of a real deployment: what it settles, what it reports, and what it leaves alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import sluice, write_settings
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world() as deployed:
        yield deployed


def test_every_account_is_settled_on_the_fork_and_the_chain_is_left_as_it_was(
    here: World, tmp_path: Path
) -> None:
    with here.scratch():
        borrowers = [here.open({"WETH": 100}, {"USDC": debt}) for debt in (9_000, 15_000, 12_000)]
        height = here.node.call("eth_blockNumber")
        health = [here.health(account) for account in borrowers]
        settings = write_settings(tmp_path, here, minimum_profit=-100)
        played = sluice("keeper", "rehearse", "--config", settings, "--json", timeout=120)
        assert played.returncode == 0, played.stderr + played.stdout
        found = json.loads(played.stdout)
        assert [entry["account"] for entry in found["accounts"]] == [borrowers[n] for n in (1, 2, 0)]
        for entry in found["accounts"]:
            assert entry["verdict"] == "settled"
            assert entry["actions"][0] == "kick"
            assert {"swap", "take"} & set(entry["actions"])
            assert entry["gas"] > 200_000
        assert found["sender"] == KEEPER
        assert here.node.call("eth_blockNumber") == height
        assert [here.health(account) for account in borrowers] == health


def test_what_fails_is_listed_with_its_reason(here: World, tmp_path: Path) -> None:
    with here.scratch():
        fine = here.open({"WETH": 100}, {"USDC": 12_000})
        # sold over USDC by the engine alone, which wants three minutes of history of pools as young as these
        refused = here.open({"WBTC": 2}, {"WETH": 30})
        settings = write_settings(tmp_path, here, minimum_profit=-100)
        played = sluice("keeper", "rehearse", "--config", settings, timeout=120)
        assert played.returncode == 1
        assert refused in played.stdout
        assert "HistoryMissing" in played.stdout
        assert fine not in played.stdout
        assert "1 settled" in played.stdout.replace("\n", "")


def test_a_keeper_without_money_or_rights_is_told_so(here: World, tmp_path: Path) -> None:
    with here.scratch():
        here.open({"WETH": 100}, {"USDC": 12_000})
        here.node.call("anvil_setBalance", KEEPER, "0x0")
        settings = write_settings(tmp_path, here, minimum_profit=-100)
        played = sluice("keeper", "rehearse", "--config", settings, "--accounts", "1", timeout=120)
        assert played.returncode == 1
        assert "holds 0 coins" in played.stdout
