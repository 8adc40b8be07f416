"""The report as files: whole, self-contained, and the same for the same replay."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.errors import ReplayOptionError
from bot.sim import summary
from bot.sim.book_view import BookHealth
from bot.sim.measure import Frame, PoolFrame, Recorder
from bot.sim.observation import Observer
from bot.sim.page import check_writable, render_html, to_json, write_report, write_whole
from bot.sim.plots import draw, short_dollars, to_svg
from bot.sim.report import (
    AuctionRow,
    BudgetSeries,
    Context,
    Options,
    PoolSeries,
    PoolStart,
    Report,
    SaleRow,
    Series,
    WallTimes,
    Window,
    make_report,
)
from tests.support.replays import BORROWER, KEEPER, ORACLE, TERMS, manifest, receipt, settlement_logs

MARKET = (110.0, 6_000.0, 1.0)
BLOCKS = 40
PICTURES = ("prices", "health", "sales", "budget", "auctions", "cost", "unhealthy", "overview")
PROMISED = (
    "scenario",
    "seed",
    "blocks",
    "accounts",
    "debt_usd_start",
    "debt_repaid_usd",
    "collateral_sold_usd",
    "borrower_cost_bps",
    "borrower_cost_oracle_bps",
    "slippage_bps",
    "bad_debt_usd",
    "residual_unhealthy_debt_usd",
    "borrower_equity_end_usd",
    "settlements",
    "keeper",
)


def context() -> Context:
    return Context(
        scenario="black-thursday",
        window=Window(start=1_584_043_200, end=1_584_043_200 + 12 * (BLOCKS - 1)),
        seed=1,
        options=Options(
            prices="x.csv",
            book="<generated>",
            pool_depth=0.1,
            recovery_s=60,
            gas_price_gwei=30,
            max_blocks=10,
        ),
        rules={"blocks": "every 12 s"},
        pools=[PoolStart(name="WETH/USDC", price=110.0, depth_usd=1_000.0)],
        accounts=1,
        accounts_raised=0,
        debt_usd_start=1_000.0,
        borrower_equity_start_usd=500.0,
        borrower_equity_end_usd=400.0,
        tx_sent=1,
        acknowledgement_timeouts=0,
        wall=WallTimes(setup_s=1.0, replay_s=2.0),
    )


def recorded(*, sold: bool = True) -> Recorder:
    import numpy as np

    recorder = Recorder(list(TERMS.values()), [BORROWER], KEEPER, eth_id=0)
    for index in range(BLOCKS):
        ts = 1_584_043_200 + 12 * index
        if sold and index == 7:
            logs = settlement_logs(deficit=2 * 10**6, chip=10**5)
            recorder.acted(
                index, ts, Observer(manifest(), KEEPER, ORACLE).observe([receipt(KEEPER, logs)]), MARKET
            )
        pool = PoolFrame(109.0, 1_000.0, 900.0)
        frame = Frame(index, ts, MARKET, MARKET, (pool,), 2_000.0, 1_000.0, (10.0, 0, 0, 0, 990.0), 1, 3.0)
        health = BookHealth(np.ones(1), np.ones(1), np.ones(1), np.array([False]))
        recorder.stands(frame, health)
    return recorder


def report(*, sold: bool = True) -> Report:
    return make_report(context(), recorded(sold=sold), list(TERMS.values()))


class Sources(HTMLParser):
    """Collects what a page would fetch, and checks that its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.svgs = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.svgs += tag == "svg"
        for name, value in attrs:
            if name in {"src", "href", "xlink:href"} and value and not value.startswith(("#", "data:")):
                self.fetched.append(value)


def test_the_figures_follow_from_what_was_recorded() -> None:
    made = report()
    assert made.blocks == BLOCKS
    assert (made.debt_repaid_usd, made.collateral_sold_usd) == (98.0, 110.0)
    assert made.bad_debt_usd == 2.0
    assert made.residual_unhealthy_debt_usd == 10.0
    assert made.settlements["swap"].model_dump() == {"count": 1, "usd": 98.0}
    assert made.settlements["take"].model_dump() == {"count": 0, "usd": 0.0}
    assert made.series.bad_debt_usd == [0.0] * 7 + [2.0] * (BLOCKS - 7)
    assert made.borrower_cost_bps == pytest.approx(10_000 * 12 / 98, abs=1e-6)


def test_the_json_holds_every_figure_that_is_promised_and_reads_back() -> None:
    data = json.loads(to_json(report()))
    assert set(PROMISED) <= set(data)
    assert set(data["slippage_bps"]) == {"p50", "p95", "max"}
    assert {"pnl_usd", "gas_used", "tx_sent", "tx_reverted", "reaction_blocks"} <= set(data["keeper"])
    assert data["schema_version"] == 1
    assert Report.model_validate(data) == report()


def test_every_figure_of_the_schema_is_documented() -> None:
    documented = Path("docs/report-schema.md").read_text()
    parts: tuple[type[BaseModel], ...] = (Report, Series, PoolSeries, BudgetSeries, AuctionRow, SaleRow)
    for part in parts:
        for name in part.model_fields:
            assert f"`{name}`" in documented, f"{part.__name__}.{name}"


@pytest.mark.parametrize("sold", [True, False])
def test_the_page_needs_nothing_else_and_shows_every_plot(sold: bool) -> None:
    made = report(sold=sold)
    page = Sources()
    page.feed(render_html(made, draw(made)))
    assert page.fetched == []
    assert page.svgs == 7


def test_what_a_short_bought_is_drawn_below_zero() -> None:
    made = report()
    (sale,) = made.sales
    short = sale.model_copy(update={"collateral": "USDC", "debt": "WETH"})
    (panel,) = draw(made.model_copy(update={"sales": [short]}))["sales"].axes
    lowest = min(patch.get_y() + min(patch.get_height(), 0) for patch in panel.patches)
    assert lowest == pytest.approx(-sale.sold_usd)
    assert "bought" in panel.get_title(loc="left")


def test_the_page_escapes_what_came_from_outside() -> None:
    html = render_html(report(), draw(report()))
    assert "&lt;generated&gt;" in html
    assert "<generated>" not in html


def test_the_same_report_is_drawn_the_same() -> None:
    assert to_svg(draw(report())["cost"]) == to_svg(draw(report())["cost"])


def test_everything_is_written_and_no_temporary_file_left(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    page = write_report(report(), "log", folder, tmp_path / "copy.json")
    assert page == folder / "report.html"
    assert {path.name for path in folder.iterdir()} == {
        "report.html",
        "report.json",
        "keeper.log",
        *(f"{name}.png" for name in PICTURES),
    }
    assert (tmp_path / "copy.json").read_bytes() == (folder / "report.json").read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_whole(path, "no bytes")  # type: ignore[arg-type]
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
    assert path.read_text() == "old"


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReplayOptionError, match="--out"):
        check_writable(tmp_path / "file" / "out", None)


def test_a_json_file_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayOptionError, match="--json"):
        check_writable(tmp_path, tmp_path / "nowhere" / "report.json")


def test_bad_debt_and_a_loss_are_marked_on_the_page() -> None:
    alarms = {figure.name for figure in summary.key_figures(report()) if figure.alarm}
    assert {"bad debt", "debt unhealthy at the end"} <= alarms


def test_figures_that_were_not_measured_are_dashes() -> None:
    shown = dict(summary.figures(report(sold=False)))
    assert shown["borrowers' cost at market"] == "–"
    assert shown["keeper's reaction, median / 95 % / longest"] == "– / – / – blocks"


@pytest.mark.parametrize(
    ("value", "text"), [(1234567, "1.23m"), (340000, "340k"), (12, "12"), (2.5e9, "2.5bn")]
)
def test_axis_labels_are_short(value: float, text: str) -> None:
    assert short_dollars(value) == text


@pytest.mark.parametrize(("value", "text"), [(1234.5, "$1,234"), (-1234.5, "−$1,234"), (-0.2, "$0")])
def test_amounts_are_whole_dollars(value: float, text: str) -> None:
    assert re.sub(r"\$-0", "$0", summary.usd(value)) == text
