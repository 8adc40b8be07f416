"""Budgets and auctions as a replay sees them: the engine's own figures, held against the twin."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from eth_abi.abi import encode
from matplotlib.lines import Line2D

from bot.domain.engine.clocks import Leg
from bot.errors import MeasurementError
from bot.protocols.sluice.calls import Function
from bot.sim.book_view import AccountView, MarketView
from bot.sim.measure import AuctionFrame, BudgetFrame
from bot.sim.observation import BlockFacts, Observer
from bot.sim.plots import draw
from bot.sim.release import ReleaseWatch
from bot.sim.report import Report, make_report
from bot.sim.world import World
from tests.support.replays import BORROWER, ENGINE, KEEPER, ORACLE, TERMS, WAD, log, manifest, receipt
from tests.unit.sim.test_sim_page import context, recorded

MICROS, NOW = 10**6, 1_584_043_200
LEG = (BORROWER, 0)
PARAMETERS = (10_500, 50, 10, 6_000, 8_000, 5, 100, 7_200)
SPEED = (120, 200, 30, 5_000, 30_000, 600, 10_000, 5_000_000, 3_600, 100)
START, DECAY = WAD, 4 * WAD // 10_000
STARTED = NOW - 60
CLOCK_AT = STARTED * 1_000

MARKETS = [MarketView(0, 0, 100 * WAD), MarketView(0, 0, 6_000 * WAD), MarketView(10**12, 10**18, WAD)]
HEALTHY_ENOUGH = {BORROWER: AccountView((10 * WAD, 0, 0), (0, 0, 500 * 10**12))}
"""1,000 of collateral against 500 of debt: insolvency is remote."""
NEARLY_INSOLVENT = {BORROWER: AccountView((10 * WAD, 0, 0), (0, 0, 960 * 10**12))}


class Engine:
    """Answers for the engine: the sell side of one asset was active for half of the leg's minute."""

    def __init__(self) -> None:
        self.multiplier = (True, 0)
        self.urgency = 0

    def batch(self, requests: list[tuple[str, Any]]) -> list[str]:
        return ["0x" + self._answer(bytes.fromhex(params[0]["data"][2:])).hex() for _, params in requests]

    def _answer(self, data: bytes) -> bytes:
        name = next(n for n in ANSWERS if data[:4] == Function("liquidation_engine", n).data(*ANSWERS[n])[:4])
        words = [int.from_bytes(data[at : at + 32]) for at in range(4, len(data), 32)]
        match name:
            case "parameters":
                return encode(["uint256"] * 8, PARAMETERS)
            case "speedParameters":
                return encode(["uint256"] * 10, SPEED)
            case "budgeted":
                return encode(["uint64"], [1])
            case "curveInputs":
                return encode(["uint256"] * 3, (8_000, 50, 500))
            case "bucketNow":
                clock = CLOCK_AT + 30_000 if words[1] == 0 else NOW * 1_000
                level = -2_500 if words[1] == 0 else 10_000
                return encode(["int256"] * 6, (level * MICROS, 10_000 * MICROS, NOW, clock, 0, 0))
            case "buyClock":
                return encode(["uint48", "uint32"], (0, 0))
            case "auctionLeg":
                return encode(["uint256"] * 6, (START, DECAY, STARTED, 1, CLOCK_AT, self.urgency))
        return encode(["bool", "uint256"], self.multiplier)


ANSWERS: dict[str, tuple[Any, ...]] = {
    "parameters": (),
    "speedParameters": (),
    "budgeted": (),
    "curveInputs": (0,),
    "bucketNow": (0, 0),
    "buyClock": (BORROWER, 0),
    "auctionLeg": LEG,
    "multiplier": LEG,
}


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def watch(engine: Engine) -> ReleaseWatch:
    world = SimpleNamespace(
        terms=list(TERMS.values()), manifest=manifest(), anvil=SimpleNamespace(rpc=engine)
    )
    return ReleaseWatch(cast("World", world))


def fallen(seconds: float) -> tuple[bool, int]:
    """Return what the engine shows once a leg's clock has run for so long."""
    return True, Leg(START, DECAY, STARTED).multiplier(8 * WAD // 10, round(1_000 * seconds))


def test_an_active_clock_runs_behind_the_wall_while_the_market_is_loaded(
    engine: Engine, watch: ReleaseWatch
) -> None:
    engine.multiplier = fallen(30)
    budgets, (auction,) = watch.watch(NOW, BlockFacts(legs=[LEG]), HEALTHY_ENOUGH, MARKETS)
    assert budgets == (BudgetFrame(0, True, -2_500.0, 10_000.0), BudgetFrame(0, False, 10_000.0, 10_000.0))
    assert (auction.wall, auction.active, auction.elapsed, auction.urgency) == (60.0, 30.0, 30.0, 0.0)
    assert auction.multiplier == pytest.approx(0.9881, abs=1e-4)


def test_urgency_pulls_the_clock_toward_the_wall(engine: Engine, watch: ReleaseWatch) -> None:
    engine.multiplier = fallen(0)
    with pytest.raises(MeasurementError, match="clocks and urgency lead to"):
        watch.watch(NOW, BlockFacts(legs=[LEG]), NEARLY_INSOLVENT, MARKETS)
    engine.urgency, engine.multiplier = 255, fallen(60)
    _, (auction,) = watch.watch(NOW, BlockFacts(touched={BORROWER}), NEARLY_INSOLVENT, MARKETS)
    assert (auction.active, auction.elapsed, auction.urgency) == (30.0, 60.0, 1.0)


def test_a_multiplier_that_the_clocks_do_not_explain_is_refused(engine: Engine, watch: ReleaseWatch) -> None:
    running, exact = fallen(30)
    engine.multiplier = running, exact + 1
    with pytest.raises(MeasurementError, match=f"{exact + 1}, clocks and urgency lead to {exact}"):
        watch.watch(NOW, BlockFacts(legs=[LEG]), HEALTHY_ENOUGH, MARKETS)


def test_a_leg_that_no_longer_runs_is_forgotten(engine: Engine, watch: ReleaseWatch) -> None:
    engine.multiplier = (False, WAD)
    assert watch.watch(NOW, BlockFacts(legs=[LEG]), HEALTHY_ENOUGH, MARKETS)[1] == ()
    engine.multiplier = fallen(30)
    assert watch.watch(NOW, BlockFacts(), HEALTHY_ENOUGH, MARKETS)[1] == ()


def test_no_auction_is_shown_while_the_oracle_refuses_a_price(engine: Engine, watch: ReleaseWatch) -> None:
    refused = [replace(MARKETS[0], price_wad=0), *MARKETS[1:]]
    assert watch.watch(NOW, BlockFacts(legs=[LEG]), HEALTHY_ENOUGH, refused)[1] == ()
    engine.multiplier = fallen(30)
    assert len(watch.watch(NOW, BlockFacts(), HEALTHY_ENOUGH, MARKETS)[1]) == 1


def test_a_leg_is_known_from_the_event_that_starts_it() -> None:
    values = {"account": BORROWER, "epoch": 1, "assetId": 1, "curve": (START, DECAY), "clockAt": CLOCK_AT}
    logs = [log("liquidation_engine", ENGINE, "LegStarted", values)]
    facts = Observer(manifest(), KEEPER, ORACLE).observe([receipt(KEEPER, logs)])
    assert facts.legs == [(BORROWER, 1)]
    assert facts.touched == {BORROWER}


def leg(started: int, wall: float) -> AuctionFrame:
    return AuctionFrame(BORROWER, 0, started, wall, wall / 2, wall / 2, 0.25, 0.99)


def with_release() -> Report:
    """Return a report in which one leg runs for two blocks, lapses, and runs again for one."""
    recorder = recorded()
    frames = recorder.frames
    budgets = (BudgetFrame(0, True, 7_000.0, 10_000.0), BudgetFrame(0, False, 10_000.0, 10_000.0))
    running = {3: leg(100, 0.0), 4: leg(100, 12.0), 9: leg(160, 0.0)}
    recorder.frames = [
        replace(frame, budgets=budgets, auctions=(running[index],) if index in running else ())
        for index, frame in enumerate(frames)
    ]
    return make_report(context(), recorder, list(TERMS.values()))


def test_a_leg_that_is_started_again_is_another_row() -> None:
    made = with_release()
    assert [(row.started_ts, row.wall_s) for row in made.auctions] == [(100, [0.0, 12.0]), (160, [0.0])]
    assert {row.collateral for row in made.auctions} == {"WETH"}
    assert made.auctions[0].ts == [made.series.ts[3], made.series.ts[4]]


def test_every_budget_has_a_figure_for_every_block() -> None:
    series = with_release().series
    assert list(series.budgets) == ["WETH sell", "WETH buy"]
    assert series.budgets["WETH sell"].level_usd == [7_000.0] * len(series.ts)


def test_only_budgets_that_were_drawn_on_are_drawn() -> None:
    figures = draw(with_release())
    assert [axis.get_title(loc="left") for axis in figures["budget"].axes] == [
        "WETH: release budget of what auctions sell"
    ]
    clocks, urgency, reserve = figures["auctions"].axes
    assert values(clocks.lines[1]) == [50.0]
    assert [values(line) for line in urgency.lines] == [[0.25, 0.25], [0.25]]
    legend = reserve.get_legend()
    assert legend is not None
    assert legend.get_texts()[0].get_text() == "WETH, 2 auctions"


def values(line: Line2D) -> list[float]:
    """Return what a line shows, without its gaps."""
    shown = np.asarray(line.get_ydata(), dtype=float)
    return [float(value) for value in shown if not np.isnan(value)]


def test_a_mechanism_without_budgets_says_so() -> None:
    figures = draw(make_report(context(), recorded(), list(TERMS.values())))
    assert [text.get_text() for text in figures["budget"].axes[0].texts] == ["this mechanism has none"]
