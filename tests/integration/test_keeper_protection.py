"""Protection from the opt-in to the sale: the keeper as a process, and what it knows of who asked."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.domain.protection import ProtectionTerms
from bot.domain.wad import WAD
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.strategy.protected import Protections
from scripts.deployment.config import DeploymentConfig, ProtectionConfig
from tests.support.daemon import Daemon, keeper, sluice
from tests.support.node_rpc import NodeRpc, latest
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]

TERMS = ProtectionTerms(7, 3 * WAD, 14_400, 11_000, 80, 0, 2**40 - 1, 100, 1_000_000, 2_000_000)
ALL = 2**256 - 1


@pytest.fixture(scope="module")
def deployed() -> Iterator[World]:
    with world(DeploymentConfig(protection=ProtectionConfig())) as here:
        yield here


def opt_in(here: World, account: str, terms: ProtectionTerms = TERMS) -> None:
    here.act(account, "clearing_house", "setOperator", here.manifest.protection, True)
    here.act(account, "protection", "protect", tuple(terms))


def come_near(here: World) -> None:
    """Let ether fall from 200 to 193, in the feed and in the pool."""
    here.publish("WETH", 193)
    here.follow_oracle("WETH")


def block_number(here: World) -> int:
    return int(here.node.call("eth_blockNumber"), 16)


def play(here: World, daemon: Daemon, blocks: int) -> None:
    for _ in range(blocks):
        here.advance(12)
        daemon.acknowledged(block_number(here))


def test_the_keeper_deleverages_once_to_the_target_and_says_why_not_again(
    here: World, tmp_path: Path
) -> None:
    borrower = here.open({"WETH": 100}, {"USDC": 15_500})
    bystander = here.open({"WETH": 100}, {"USDC": 15_500})
    opt_in(here, borrower)
    come_near(here)
    assert 1 < here.health(borrower) < 1.04
    with keeper(tmp_path, here) as daemon:
        daemon.acknowledged(block_number(here))
        play(here, daemon, 6)
        assert here.health(borrower) == pytest.approx(1.1, abs=1e-5)
        assert here.health(bystander) < 1.04
        assert daemon.stop() == 0
    with closing(sqlite3.connect(tmp_path / "sluice.sqlite")) as ledger:
        query = "select key, outcome, expected_profit, realised_profit from transactions"
        ((key, outcome, expected, realised),) = ledger.execute(query).fetchall()
    assert (key.rpartition(":")[2], outcome) == ("deleverage", "included")
    assert int(realised) >= int(expected) > 20 * WAD
    usdc = here.manifest.asset("USDC").token
    assert int.from_bytes(here.view(usdc, bytes.fromhex("70a08231") + bytes(12) + bytes.fromhex(KEEPER[2:])))
    shown = sluice("why", borrower, "--config", tmp_path / "sluice.toml", timeout=120)
    assert shown.returncode == 0, shown.stderr
    assert "the distance to default, and every scenario that the owner counts, is above" in shown.stdout
    status = sluice("status", "--config", tmp_path / "sluice.toml", timeout=120)
    assert status.returncode == 0, status.stderr
    assert "Protected on request (1)" in status.stdout
    assert "1.1000" in status.stdout
    assert "deleverage" in status.stdout


async def known(here: World, protocol: SluiceProtocol) -> Protections:
    head = latest(here.node)
    await protocol.sync(head)
    protections = protocol.snapshot(head).protections
    assert protections is not None
    return protections


async def test_who_asked_is_known_from_logs_by_a_start_and_head_by_head(here: World) -> None:
    followed = SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER)
    await followed.check()
    await known(here, followed)
    borrower = here.open({"WETH": 100}, {"USDC": 15_500})
    account = bytes.fromhex(borrower[2:])
    opt_in(here, borrower)
    come_near(here)
    here.act(here.owner, "protection", "setPaused", True)
    here.act(here.owner, "protection", "setPaused", False)
    here.act(borrower, "flash_protector", "deleverageAndSell", borrower, 0, 2, ALL, 500, 0, borrower)
    protections = await known(here, followed)
    assert protections == await known(here, SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER))
    entry = protections.accounts[account]
    assert (entry.terms, entry.operated) == (TERMS, True)
    assert (entry.sold, entry.since) == here.read("protection", "usageOf", borrower)
    assert protections.scenarios == ({0: -2_000, 1: -1_500},)
    assert tuple(protections.rules) == here.read("protection", "parameters")[0]
    here.act(borrower, "clearing_house", "setOperator", here.manifest.protection, False)
    assert not (await known(here, followed)).accounts[account].operated
    here.act(borrower, "protection", "unprotect")
    assert (await known(here, followed)).accounts == {}


async def test_a_branch_that_ended_is_forgotten(here: World) -> None:
    borrower = here.open({"WETH": 100}, {"USDC": 15_500})
    followed = SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER)
    ancestor = latest(here.node)
    await followed.sync(ancestor)
    with here.scratch():
        opt_in(here, borrower)
        assert len((await known(here, followed)).accounts) == 1
    here.advance(24)
    await followed.roll_back(ancestor)
    assert (await known(here, followed)).accounts == {}
