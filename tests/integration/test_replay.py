"""Replays on a node of their own: what they measure, and that they leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bot.errors import BookFileError, KeeperProcessError
from bot.protocols.decoding import decode
from bot.protocols.sluice.manifest import Manifest, load_manifest
from bot.sim import world as world_module
from bot.sim.abi import call_data
from bot.sim.anvil import Anvil
from bot.sim.keeper import CLEAN_ENVIRONMENT, SluiceKeeper
from bot.sim.replay import Outcome, Progress, Stage, run_replay
from bot.sim.report import Report
from bot.sim.scenario import ScenarioName, bundled, make_scenario, parse_time
from bot.sim.sender import NodeSender
from bot.sim.settings import Settings
from bot.sim.variants import SPEED_TYPES, TAU_CLEAR, URGENCY_Z, Variant
from bot.sim.world import World
from scripts.deployment.config import DeploymentConfig
from scripts.deployment.plan import deploy_everything
from tests.support.deployment import Web3Deployer

pytestmark = pytest.mark.node

STAND_IN = Path(__file__).with_name("stand_in_keeper.py")
ACCOUNTS, BLOCKS, SEED = 40, 90, 1


@dataclass(frozen=True)
class StandIn:
    """Runs the keeper of few lines."""

    arguments: Sequence[str] = ()
    address: str = "0x000000000000000000000000000000000000bEEF"
    worlds: list[World] = field(default_factory=list)

    def start(self, world: World, acknowledge_to: str, folder: Path) -> tuple[Sequence[str], dict[str, str]]:
        self.worlds.append(world)
        command = [sys.executable, str(STAND_IN), "--port", str(world.anvil.port)]
        command += ["--manifest", str(world.manifest_path), "--address", self.address]
        return [*command, "--acknowledge-to", acknowledge_to, *self.arguments], dict(CLEAN_ENVIRONMENT)


def settings(**changes: object) -> Settings:
    """Half an hour in which ETH falls from 127 to 101."""
    window = parse_time("--start", "2020-03-12T23:10"), parse_time("--end", "2020-03-12T23:45")
    scenario = make_scenario("black-thursday", *bundled(ScenarioName.BLACK_THURSDAY), *window)
    chosen = Settings(
        scenario=scenario,
        seed=SEED,
        accounts=ACCOUNTS,
        book=None,
        pool_depth=0.1,
        recovery_s=60.0,
        gas_price_gwei=30.0,
        max_blocks=BLOCKS,
    )
    return replace(chosen, **changes)  # type: ignore[arg-type]


def descendants(pid: int, besides: AbstractSet[int] = frozenset()) -> set[int]:
    """Return the ids of all processes below one that run, but for some and those below them."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            state, parent = stat.rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(entry.name)] = int(parent)
    found: set[int] = set()
    frontier = {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - found - besides
        found |= frontier
    return found


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Check that no process outlives a replay; a database that tests share may start workers meanwhile."""
    before = descendants(os.getpid())
    yield
    assert not descendants(os.getpid(), before)


def deploy_directly(
    anvil: Anvil, prices: Mapping[str, float], keeper: str, folder: Path
) -> tuple[Manifest, Path]:
    """Deploy by the same plan as ``ape run deploy``, without ape's start, which takes most of its time."""
    config = DeploymentConfig(taker_operators=(keeper,))
    assets = tuple(replace(asset, price=prices[asset.symbol]) for asset in config.assets)
    manifest = deploy_everything(Web3Deployer(anvil.http_url), replace(config, assets=assets))
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    return load_manifest(path), path


@pytest.fixture(autouse=True, scope="module")
def _quick_deployment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world_module, "deploy", deploy_directly)
        yield


PROGRESS: list[Progress] = []
"""What the module's own replay told while it ran."""


@pytest.fixture(scope="module")
def liquidated() -> Outcome:
    """Play once while the stand-in liquidates."""
    return run_replay(settings(), StandIn(["--liquidate"]), PROGRESS.append)


def without_wall(report: Report) -> dict[str, object]:
    return report.model_dump(exclude={"wall"})


def test_the_schedule_is_played_to_its_end(liquidated: Outcome) -> None:
    report = liquidated.report
    assert report.blocks == len(report.series.ts) <= BLOCKS
    assert (report.series.ts[0], report.series.ts[-1]) == (report.window.start, report.window.end)
    assert report.series.block == list(range(report.series.block[0], report.series.block[0] + report.blocks))
    assert report.accounts == ACCOUNTS


def test_progress_tells_every_stage_and_every_block(liquidated: Outcome) -> None:
    assert list(dict.fromkeys(progress.stage for progress in PROGRESS)) == list(Stage)
    played = [progress for progress in PROGRESS if progress.stage is Stage.PLAYING]
    assert [progress.done for progress in played] == list(range(1, liquidated.report.blocks + 1))
    assert played[-1].sold == pytest.approx(liquidated.report.collateral_sold_usd)


def test_the_oracle_follows_the_market_within_its_deviation(liquidated: Outcome) -> None:
    series = liquidated.report.series
    for symbol in ("WETH", "WBTC", "USDC"):
        for market, oracle in zip(series.market[symbol], series.oracle[symbol], strict=True):
            assert abs(oracle / market - 1) < 0.0051


def test_pools_start_with_the_depth_asked_for_and_are_pulled_to_the_market(liquidated: Outcome) -> None:
    report = liquidated.report
    for pool in report.pools:
        assert pool.depth_usd == pytest.approx(0.1 * report.debt_usd_start, rel=0.01)
    market, pool_price = report.series.market["WETH"], report.series.pools["WETH/USDC"].price
    assert market[-1] < 0.9 * market[0]
    assert pool_price[-1] == pytest.approx(market[-1], rel=0.03)


def test_what_the_stand_in_settles_is_measured(liquidated: Outcome) -> None:
    report = liquidated.report
    assert report.settlements["swap"].count == len(report.sales) > 0
    assert report.debt_repaid_usd == pytest.approx(sum(sale.repaid_usd for sale in report.sales))
    assert report.collateral_sold_usd == pytest.approx(sum(sale.sold_usd for sale in report.sales))
    assert report.keeper.tx_sent >= 2 * len({sale.account for sale in report.sales})
    assert report.keeper.reaction_blocks.p50 == 1
    assert report.keeper.chips_usd > 0
    assert report.keeper.gas_usd > 0


def test_budgets_and_clocks_of_the_auctions_are_seen(liquidated: Outcome) -> None:
    report = liquidated.report
    drawn = report.series.budgets["WETH sell"]
    assert any(level < most for level, most in zip(drawn.level_usd, drawn.capacity_usd, strict=True))
    assert {sale.account for sale in report.sales} >= {row.account for row in report.auctions}
    for row in report.auctions:
        clocks = zip(row.active_s, row.elapsed_s, row.wall_s, strict=True)
        assert all(0 <= active <= elapsed <= wall for active, elapsed, wall in clocks)
        assert row.multiplier == sorted(row.multiplier, reverse=True)


def test_a_keeper_that_only_watches_leaves_the_debt_unhealthy(liquidated: Outcome) -> None:
    idle = run_replay(settings(), StandIn()).report
    assert idle.sales == []
    assert idle.keeper.tx_sent == 0
    assert idle.residual_unhealthy_debt_usd > liquidated.report.residual_unhealthy_debt_usd
    assert idle.keeper.acknowledgement_timeouts == 0


@pytest.fixture(scope="module")
def daemon() -> Report:
    """Play once against the daemon."""
    return run_replay(settings(), SluiceKeeper(SEED, 30.0)).report


def test_the_daemon_liquidates_in_the_block_after_and_loses_nothing(daemon: Report) -> None:
    assert daemon.sales
    assert daemon.residual_unhealthy_debt_usd == 0
    assert daemon.bad_debt_usd == 0
    assert daemon.keeper.reaction_blocks.max == 1
    assert daemon.keeper.tx_reverted == 0
    assert daemon.keeper.acknowledgement_timeouts == 0
    assert daemon.keeper.pnl_usd > 0


@pytest.mark.slow
def test_one_seed_gives_one_report(daemon: Report) -> None:
    again = run_replay(settings(), SluiceKeeper(SEED, 30.0)).report
    assert without_wall(again) == without_wall(daemon)


def test_a_keeper_that_dies_ends_the_replay_with_the_end_of_its_log() -> None:
    with pytest.raises(KeeperProcessError, match=r"ended with status 3(?s:.*)the stand-in gives up"):
        run_replay(settings(), StandIn(["--die-after", "5"]))


def test_a_keeper_that_falls_silent_is_waited_for_and_counted() -> None:
    report = run_replay(
        settings(max_blocks=12, acknowledge_timeout_s=0.1), StandIn(["--silent-after", "3"])
    ).report
    assert report.keeper.acknowledgement_timeouts == report.blocks - 2


def test_a_book_beyond_its_borrow_limit_is_refused_once_prices_are_known(tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    book.write_text("id,collateral_asset,collateral_amount,debt_asset,debt_amount\na,WETH,10,USDC,5000\n")
    with pytest.raises(BookFileError, match="borrow limit"):
        run_replay(settings(book=book), StandIn())


def test_a_book_from_a_file_is_opened_and_played(tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    rows = ["a,WETH,10,USDC,950", "b,WBTC,1,USDC,2000", "b,WETH,1,,", "c,USDC,4000,WETH,10"]
    book.write_text("\n".join(["id,collateral_asset,collateral_amount,debt_asset,debt_amount", *rows]) + "\n")
    report = run_replay(settings(book=book, max_blocks=20), StandIn(["--liquidate"])).report
    assert (report.accounts, report.options.book) == (3, "book.csv")
    assert report.debt_usd_start == pytest.approx(950 + 2000 + 10 * report.series.market["WETH"][0], rel=1e-3)


def command(out: Path) -> list[str]:
    """Return a small replay as it is typed."""
    sluice = str(Path(sys.executable).with_name("sluice"))
    window = ["--start", "2020-03-12T23:10", "--end", "2020-03-12T23:30"]
    return [sluice, "replay", *window, "--accounts", "20", "--max-blocks", "20", "--out", str(out)]


@pytest.mark.slow
def test_the_command_deploys_with_ape_plays_and_leaves_its_report(tmp_path: Path) -> None:
    out, copy = tmp_path / "out", tmp_path / "copy.json"
    done = subprocess.run([*command(out), "--json", str(copy)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(f"report: {out / 'report.html'}")
    report = Report.model_validate_json((out / "report.json").read_text())
    assert 10 <= report.blocks <= 20
    assert copy.read_bytes() == (out / "report.json").read_bytes()
    assert "<svg" in (out / "report.html").read_text()


def test_an_interrupt_ends_every_process_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while len(children := descendants(process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert "no report was written" in said
    assert not out.exists()
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_a_fixed_bonus_costs_borrowers_five_percent_and_its_liquidator_never_reverts() -> None:
    report = run_replay(settings(variant=Variant.FIXED_BONUS), StandIn()).report
    assert report.sales
    assert report.borrower_cost_oracle_bps == pytest.approx(500.0, abs=0.01)
    assert report.auctions == []
    assert report.series.budgets == {}
    assert report.keeper.chips_usd > 0
    assert report.keeper.tx_reverted == 0
    assert report.keeper.reaction_blocks.max == 1


@dataclass(frozen=True)
class Reading(StandIn):
    """A stand-in that notes what governance set before it starts."""

    read: list[bytes] = field(default_factory=list)

    def start(self, world: World, acknowledge_to: str, folder: Path) -> tuple[Sequence[str], dict[str, str]]:
        sender = NodeSender(world.anvil.rpc, world.roles.seeder)
        for view in ("budgeted()", "speedParameters()"):
            self.read.append(sender.call(world.manifest.liquidation_engine, call_data(view)))
        return super().start(world, acknowledge_to, folder)


@pytest.mark.parametrize(
    ("variant", "has_budgets", "urgency"),
    [(Variant.DUTCH, False, (30_000, 600)), (Variant.BUDGET, True, (10_000, 60))],
)
def test_parts_of_sluice_are_switched_off_by_governance(
    variant: Variant, has_budgets: bool, urgency: tuple[int, int]
) -> None:
    keeper = Reading()
    run_replay(settings(variant=variant, accounts=20, max_blocks=30), keeper)
    budgeted, speed = keeper.read
    assert (int.from_bytes(budgeted) != 0) is has_budgets
    assert decode(SPEED_TYPES, speed)[URGENCY_Z : TAU_CLEAR + 1] == urgency
