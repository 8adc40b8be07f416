"""A replay from beginning to end: node, deployment, book, keeper, path, report."""

import copy
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from bot.errors import KeeperProcessError
from bot.sim.actors import GWEI, ORDER, Actors
from bot.sim.anvil import AnvilOptions, running_anvil
from bot.sim.book import AssetTerms
from bot.sim.book_view import BookView, MarketView
from bot.sim.feed import DEVIATION_BPS, HEARTBEAT_S
from bot.sim.keeper import LEDGER_FILE
from bot.sim.liquidator import Liquidator
from bot.sim.liquidity import DEPTH_DISTANCE, LEAVES, PATIENCE_S
from bot.sim.lockstep import Acknowledgement, AcknowledgementServer
from bot.sim.market import PoolMarket
from bot.sim.measure import Frame, Recorder, Sale
from bot.sim.path import PricePath, build_path
from bot.sim.player import Player
from bot.sim.process import KeeperProcess, running_keeper
from bot.sim.release import ReleaseWatch
from bot.sim.report import Context, Options, PoolStart, Report, WallTimes, Window, make_report
from bot.sim.schedule import Schedule, plan_blocks
from bot.sim.settings import Settings
from bot.sim.variants import Variant
from bot.sim.watcher import Head, Watcher
from bot.sim.world import World, node_timestamp, set_up

KEEPER_START_TIMEOUT_S = 60.0

PRIORITY_FEE_WEI = GWEI
"""Paid by the replay's own transactions on top of the base fee."""


MECHANISMS = {
    Variant.FIXED_BONUS: "a fixed bonus of 5 % with a close factor of half above a health of 0.95, and a "
    "liquidator that takes what pays best",
    Variant.DUTCH: "Sluice without release budgets, and so without urgency",
    Variant.BUDGET: "Sluice with urgency as narrow as governance may set it",
    Variant.FULL: "Sluice as deployed",
}


class Stage(StrEnum):
    """What a replay is doing."""

    DEPLOYING = "deploying contracts, pools and book"
    STARTING = "starting the keeper"
    PLAYING = "playing"
    REPORTING = "writing the report"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a replay stands.

    Parameters
    ----------
    stage : Stage
        What it is doing.
    done, total : int
        Blocks played, and to play.
    frame : Frame or None
        The last block, once there is one.
    sold : float
        Collateral sold so far, US dollars.
    """

    stage: Stage
    done: int = 0
    total: int = 0
    frame: Frame | None = None
    sold: float = 0.0


class KeeperFactory(Protocol):
    """Prepares the keeper's process."""

    @property
    def address(self) -> str:
        """Address that the keeper sends from."""

    def start(self, world: World, acknowledge_to: str, folder: Path) -> tuple[Sequence[str], dict[str, str]]:
        """Write what the keeper needs into a folder and return its command and environment."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen, for measures that the report does not have.

    Parameters
    ----------
    terms : sequence of AssetTerms
        By rising asset id.
    pools : sequence of PoolMarket
        In the order of each frame's pools.
    opening : BookView
        The book before the first block.
    markets : sequence of MarketView
        Totals and oracle prices then.
    frames : sequence of Frame
        Every block.
    sales : sequence of Sale
        Every settlement.
    """

    terms: Sequence[AssetTerms]
    pools: Sequence[PoolMarket]
    opening: BookView
    markets: Sequence[MarketView]
    frames: Sequence[Frame]
    sales: Sequence[Sale]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished replay.

    Parameters
    ----------
    report : Report
        What was found.
    keeper_log : str
        All that the keeper wrote.
    keeper_ledger : bytes or None
        Its ledger, a SQLite file; None if it kept none.
    evidence : Evidence
        What the report was made from.
    """

    report: Report
    keeper_log: str
    keeper_ledger: bytes | None
    evidence: Evidence


def run_replay(
    settings: Settings, keeper: KeeperFactory, progress: Callable[[Progress], None] = lambda _: None
) -> Outcome:
    """Play a scenario and return its report.

    Every process that is started is ended and every file removed before this returns or raises.

    Parameters
    ----------
    settings : Settings
        What is played.
    keeper : KeeperFactory
        Who plays against it.
    progress : callable
        Told where the replay stands.

    Raises
    ------
    SluiceError
        If an input cannot be used, or a process fails.
    """
    settings.check()
    began = time.monotonic()
    path = build_path(settings.scenario, settings.seed)
    schedule = plan_blocks(path, settings.max_blocks)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="sluice-replay-")))
        options = AnvilOptions(settings.port, node_timestamp(settings), ("--order", "fifo"))
        anvil = stack.enter_context(running_anvil(options))
        progress(Progress(Stage.DEPLOYING))
        world = set_up(anvil, settings, path, keeper.address, folder)
        progress(Progress(Stage.STARTING))
        play = _Play(settings, path, schedule, world, keeper.address)
        log = folder / "keeper.log"
        with _settler(keeper, world, folder, log, settings, play):
            ready = time.monotonic()
            play.run(progress)
        wall = WallTimes(setup_s=round(ready - began, 3), replay_s=round(time.monotonic() - ready, 3))
        progress(Progress(Stage.REPORTING, len(schedule.times), len(schedule.times)))
        return Outcome(
            play.report(wall), log.read_text(errors="replace"), _ledger(folder / LEDGER_FILE), play.evidence()
        )


def _ledger(file: Path) -> bytes | None:
    """Return the ledger of a keeper that has ended, as a file that needs no other beside it."""
    if not file.is_file():
        return None
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    return file.read_bytes()


@contextmanager
def _settler(
    keeper: KeeperFactory, world: World, folder: Path, log: Path, settings: Settings, play: "_Play"
) -> Iterator[None]:
    """Let who settles in this variant act on every block until leaving."""
    if settings.variant is not Variant.FIXED_BONUS:
        with _keeper_in_lockstep(keeper, world, folder, log, settings, play):
            yield
        return
    log.touch()
    play.connect_liquidator(keeper.address)
    yield


@contextmanager
def _keeper_in_lockstep(
    keeper: KeeperFactory, world: World, folder: Path, log: Path, settings: Settings, play: "_Play"
) -> Iterator[None]:
    """Run the keeper until leaving, connected to the play."""
    with AcknowledgementServer() as server:
        command, environment = keeper.start(world, server.address, folder)
        with running_keeper(command, environment, log) as process:
            _await_start(world, server, process)
            play.player.acknowledge = lambda head: server.wait(
                head.number, head.block_hash, settings.acknowledge_timeout_s, process.check
            )
            yield
            process.check()


def _await_start(world: World, server: AcknowledgementServer, process: KeeperProcess) -> None:
    """Wait until the keeper has acted on the head that it starts from."""
    head = world.anvil.rpc.call("eth_getBlockByNumber", "latest", False)
    number = int(head["number"], 16)
    if server.wait(number, str(head["hash"]), KEEPER_START_TIMEOUT_S, process.check) is None:
        problem = f"the keeper did not acknowledge block {number} within {KEEPER_START_TIMEOUT_S:g} s"
        raise KeeperProcessError(problem, process.tail())


def _unconnected(head: Head) -> Acknowledgement | None:
    raise KeeperProcessError(f"block {head.number} was mined before the keeper was started", "")


class _Play:
    """One play of a world, and what it measured."""

    def __init__(
        self, settings: Settings, path: PricePath, schedule: Schedule, world: World, keeper: str
    ) -> None:
        self._settings, self._path, self._schedule, self._world = settings, path, schedule, world
        base_fee = round(settings.gas_price_gwei * GWEI)
        self._gas_price = base_fee + PRIORITY_FEE_WEI
        actors = self._actors = Actors(world, settings.recovery_s, self._gas_price)
        eth_id = world.manifest.asset("WETH").id
        self._recorder = Recorder(world.terms, world.accounts, keeper, eth_id)
        release = None if settings.variant is Variant.FIXED_BONUS else ReleaseWatch(world)
        self._watcher = Watcher(world, self._recorder, keeper, release)
        self.player = Player(world, path, actors, self._watcher, keeper, base_fee, _unconnected)
        self._opening, self._markets = copy.deepcopy(self._watcher.book), self._watcher.markets
        opening = world.market(*path.at(settings.scenario.start))
        self._debt_start = self._watcher.debt(opening)
        self._equity_start = self._watcher.equity(opening)
        self._pools = [
            PoolStart(
                name=pool.name,
                price=round(pool.geometry.price(price), 6),
                depth_usd=round(pool.depth(price), 6),
            )
            for pool, price in zip(world.pools, actors.sqrt_prices, strict=True)
        ]
        self._first_nonce, _ = self.player.keeper_nonces()

    def connect_liquidator(self, address: str) -> None:
        """Let a liquidator of the fixed bonus act in the keeper's place, from its address."""
        liquidator = Liquidator(self._world, self._watcher, address, self._gas_price)
        self.player.acknowledge = lambda head: liquidator.act(head, self._actors.sqrt_prices)

    def evidence(self) -> Evidence:
        """Return what was seen."""
        world, recorder = self._world, self._recorder
        return Evidence(
            world.terms, world.pools, self._opening, self._markets, recorder.frames, recorder.sales
        )

    def run(self, progress: Callable[[Progress], None]) -> None:
        """Play every block."""
        total = len(self._schedule.times)

        def on_block(index: int, frame: Frame) -> None:
            sold = sum(sale.sold for sale in self._recorder.sales)
            progress(Progress(Stage.PLAYING, index + 1, total, frame, sold))

        self.player.play(self._schedule.times, on_block)

    def report(self, wall: WallTimes) -> Report:
        """Return what was measured."""
        settings, world = self._settings, self._world
        closing = world.market(*self._path.at(self._schedule.times[-1]))
        context = Context(
            scenario=settings.scenario.name,
            window=Window(start=settings.scenario.start, end=settings.scenario.end),
            seed=settings.seed,
            options=_options(settings, world),
            rules=_rules(settings, self._schedule),
            pools=self._pools,
            accounts=len(world.accounts),
            accounts_raised=world.book.raised,
            debt_usd_start=self._debt_start,
            borrower_equity_start_usd=self._equity_start,
            borrower_equity_end_usd=self._watcher.equity(closing),
            tx_sent=self.player.keeper_nonces()[1] - self._first_nonce,
            acknowledgement_timeouts=self.player.timeouts,
            wall=wall,
        )
        return make_report(context, self._recorder, world.terms)


def _options(settings: Settings, world: World) -> Options:
    scenario = settings.scenario
    return Options(
        prices=f"ETH {scenario.eth.source}, BTC {scenario.btc.source}",
        book=world.book.source,
        pool_depth=settings.pool_depth,
        recovery_s=settings.recovery_s,
        gas_price_gwei=settings.gas_price_gwei,
        max_blocks=settings.max_blocks,
    )


def _rules(settings: Settings, schedule: Schedule) -> dict[str, str]:
    """Return the rules of the replay, in words and figures."""
    deviation, recovery = f"{DEVIATION_BPS / 100:g} %", f"{settings.recovery_s:g} s"
    return {
        "path": "a bar visits its open, the nearer extreme, the other, and its close; between them runs a "
        "seeded Brownian bridge in log price, one step in 12 s, folded back at the extremes",
        "blocks": schedule.rule,
        "order": ORDER,
        "feeds": f"published when the price is {deviation} off the last answer, or after {HEARTBEAT_S} s",
        "arbitrage": f"closes half of a pool's gap to the market in {recovery}, where it exceeds the fee",
        "providers": f"move their bands to the pool's price once it has been more than {LEAVES:.0%} off "
        f"their centre for {PATIENCE_S} s; each band keeps its liquidity",
        "depth": f"selling over {DEPTH_DISTANCE:.0%} of the price brings {settings.pool_depth:g} times the "
        "debt of the book, in each pool at the start",
        "mechanism": MECHANISMS[settings.variant],
        "gas": f"every block has a base fee of {settings.gas_price_gwei:g} gwei",
    }
