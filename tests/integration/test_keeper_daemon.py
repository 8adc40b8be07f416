"""The keeper as a process of its own, on the real contracts and real pools of a development node."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, keeper, sluice, write_settings
from tests.support.world import KEEPER, World

pytestmark = [pytest.mark.node]

BLOCK_S = 12


def block_number(here: World) -> int:
    return int(here.node.call("eth_blockNumber"), 16)


def play(here: World, daemon: Daemon, blocks: int) -> int:
    """Mine blocks in lockstep with the keeper; return how many transactions it sent."""
    sent = 0
    for _ in range(blocks):
        here.advance(BLOCK_S)
        sent += daemon.acknowledged(block_number(here))["sent"]
    return sent


def sent_by_the_keeper(here: World) -> int:
    return int(here.node.call("eth_getTransactionCount", KEEPER, "latest"), 16)


def crash(here: World) -> None:
    """Let the market and then the feed fall by 15 %."""
    here.trade("WETH", "USDC", 18_000)
    here.publish("WETH", 170)


def test_the_keeper_kicks_and_settles_until_the_account_is_healthy(here: World, tmp_path: Path) -> None:
    borrower = here.open({"WETH": 100}, {"USDC": 15_800})
    with keeper(tmp_path, here, minimum_profit=-5) as daemon:
        daemon.acknowledged(block_number(here))
        crash(here)
        assert here.health(borrower) < 1
        play(here, daemon, 25)
        assert here.health(borrower) >= 1
        assert here.health(borrower) <= 1.0501
        assert sent_by_the_keeper(here) >= 2
        assert daemon.stop() == 0
    assert not here.read("clearing_house", "accountInfo", borrower)[3]
    shown = sluice("status", "--config", tmp_path / "sluice.toml")
    assert shown.returncode == 0, shown.stderr
    assert "included" in shown.stdout
    assert daemon.events("stopping")


def test_the_keeper_earns_what_it_expected(here: World, tmp_path: Path) -> None:
    here.open({"WETH": 1_000}, {"USDC": 158_000})
    with keeper(tmp_path, here) as daemon:
        daemon.acknowledged(block_number(here))
        crash(here)
        play(here, daemon, 25)
        daemon.stop()
    with closing(sqlite3.connect(tmp_path / "sluice.sqlite")) as ledger:
        query = "select outcome, key, expected_profit, realised_profit, gas_used, effective_gas_price from "
        rows = ledger.execute(query + "transactions order by id").fetchall()
    assert [row[0] for row in rows] == ["included"] * len(rows)
    kinds = [row[1].rpartition(":")[2] for row in rows]
    assert kinds[:2] == ["poke", "kick"]  # the kick starts from what the poke reads
    assert set(kinds[2:]) == {"take"}
    takes = [[int(value) for value in row[2:]] for row in rows[2:]]
    expected = sum(profit for profit, *_ in takes)
    earned = sum(realised - gas * price * 170 for _, realised, gas, price in takes)
    assert earned == pytest.approx(expected, rel=0.05)


def test_a_dry_run_signs_nothing(here: World, tmp_path: Path) -> None:
    borrower = here.open({"WETH": 100}, {"USDC": 15_800})
    before = sent_by_the_keeper(here)
    with keeper(tmp_path, here, "--dry-run") as daemon:
        daemon.acknowledged(block_number(here))
        crash(here)
        assert play(here, daemon, 3) == 0
        assert daemon.stop(signal.SIGINT) == 0
        intents = daemon.events("intent")
    assert {intent["outcome"] for intent in intents} == {"dry_run"}
    assert here.health(borrower) < 1
    assert sent_by_the_keeper(here) == before


def test_once_ends_after_one_head(here: World, tmp_path: Path) -> None:
    here.open({"WETH": 100}, {"USDC": 15_800})
    crash(here)
    settings = write_settings(tmp_path, here)
    done = sluice("keeper", "run", "--config", settings, "--once")
    assert done.returncode == 0, done.stderr
    assert '"event": "head"' in done.stderr
    assert '"sent": 2' in done.stderr
