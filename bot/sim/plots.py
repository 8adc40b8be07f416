"""The report's pictures, each drawn from the report alone."""

import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bot.sim.prices import FloatArray
from bot.sim.report import BAND_NAMES, AuctionRow, Report, SaleRow

MARKET, ORACLE, POOL = "#9aa3ad", "#1d5fae", "#d9730d"
SWAP, TAKE = "#2f7f86", "#8a5aa8"
ALARM = "#b3261e"
BAND_COLOURS = ("#b3261e", "#e07a3f", "#efbf5a", "#a9c88f", "#5c9770")
LEG_COLOURS = ("#d9730d", "#1d5fae", "#2f7f86", "#8a5aa8")
INK, QUIET = "#24292f", "#8b939c"

BUCKET_S = 300
"""Sales are summed over five minutes."""

STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.edgecolor": "#c9ced4",
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8ebee",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": "#57606a",
    "ytick.color": "#57606a",
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "sluice",
}
TICK_STEPS_S = (60, 300, 600, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 604_800)
MOST_TICKS = 13

WIDTH = 10.0
PANEL = 2.9


def draw(report: Report) -> dict[str, Figure]:
    """Return every picture by name."""
    with mpl.rc_context(STYLE):
        return {
            "prices": _figure(
                report,
                [_price_panel("WETH", "ETH"), _gap_panel("WETH", "ETH"), _price_panel("WBTC", "BTC")],
            ),
            "health": _figure(report, [_health]),
            "sales": _figure(report, [_sales_panel(name) for name in report.series.pools]),
            "budget": _figure(report, [_budget_panel(name) for name in _loaded(report)] or [_no_budget]),
            "auctions": _figure(report, [_clocks, _urgency, _multiplier]),
            "cost": _figure(report, [_cost]),
            "unhealthy": _figure(report, [_unhealthy, _bad_debt]),
            "overview": _overview(report),
        }


def to_svg(figure: Figure) -> str:
    """Return a picture as an SVG element, the same for the same report."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def to_png(figure: Figure, dpi: int = 150) -> bytes:
    """Return a picture as PNG."""
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


Panel = Callable[[Axes, Report], None]


def _figure(report: Report, panels: Sequence[Panel]) -> Figure:
    """Draw panels below each other over one time axis."""
    figure = Figure(figsize=(WIDTH, PANEL * len(panels)), layout="constrained")
    axes = np.atleast_1d(np.asarray(figure.subplots(len(panels), 1, sharex=True)))
    for axis, panel in zip(axes, panels, strict=True):
        panel(axis, report)
        _time_axis(axis, report)
    axes[-1].set_xlabel("time (UTC)")
    return figure


def _overview(report: Report) -> Figure:
    """Draw everything that matters on one sheet."""
    panels: list[Panel] = [
        _price_panel("WETH", "ETH"),
        _health,
        _sales_panel(next(iter(report.series.pools))),
    ]
    panels += [_cost, _unhealthy, _bad_debt]
    figure = Figure(figsize=(2 * WIDTH * 0.8, 3 * PANEL * 1.05), layout="constrained")
    axes = np.asarray(figure.subplots(3, 2, sharex=True)).T.ravel()
    for axis, panel in zip(axes, panels, strict=True):
        panel(axis, report)
        _time_axis(axis, report)
    for axis in (axes[2], axes[5]):
        axis.set_xlabel("time (UTC)")
    return figure


# ------------------------------------------------------------------------------------------ panels


def _price_panel(symbol: str, name: str) -> Panel:
    def panel(axis: Axes, report: Report) -> None:
        times = _times(report.series.ts)
        axis.plot(times, report.series.market[symbol], color=MARKET, linewidth=2.6, label="market")
        for pool, prices in _pools_of(report, symbol):
            axis.plot(times, prices, color=POOL, linewidth=0.9, label=f"pool {pool}")
        oracle = report.series.oracle[symbol]
        axis.step(times, oracle, where="post", color=ORACLE, linewidth=0.9, label="oracle")
        axis.set_title(f"{name} at market, oracle and pool")
        axis.set_ylabel("US dollars")
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        _headroom(axis)
        axis.legend(loc="upper right", ncols=3)

    return panel


def _gap_panel(symbol: str, name: str) -> Panel:
    """Return a panel of how far oracle and pool are off the market, which the price's own scale hides."""

    def panel(axis: Axes, report: Report) -> None:
        times, market = _times(report.series.ts), np.array(report.series.market[symbol])
        for pool, prices in _pools_of(report, symbol):
            gap = 100 * (np.array(prices) / market - 1)
            axis.plot(times, gap, color=POOL, linewidth=0.9, label=f"pool {pool}")
        gap = 100 * (np.array(report.series.oracle[symbol]) / market - 1)
        axis.plot(times, gap, color=ORACLE, linewidth=0.9, label="oracle")
        axis.set_title(f"Oracle and pool, distance from the {name} market")
        axis.set_ylabel("per cent")
        _headroom(axis)
        axis.legend(loc="upper right", ncols=2)

    return panel


def _pools_of(report: Report, symbol: str) -> list[tuple[str, list[float]]]:
    """Return name and prices of the pools whose base is ``symbol``."""
    pools = report.series.pools.items()
    return [(name, series.price) for name, series in pools if name.startswith(f"{symbol}/")]


def _health(axis: Axes, report: Report) -> None:
    series = report.series
    layers = [np.array(series.debt_by_band_usd[name]) for name in BAND_NAMES]
    axis.stackplot(
        _times(series.ts), *layers, labels=BAND_NAMES, colors=BAND_COLOURS, linewidth=0, rasterized=True
    )
    axis.set_title("Debt of the book by health factor")
    _dollars(axis)
    axis.set_ylim(0, 1.22 * max(np.sum(layers, axis=0)))
    axis.legend(loc="upper right", ncols=5, fontsize=8.5, handlelength=1.2, columnspacing=1.2)


def _sales_panel(pool: str) -> Panel:
    """Return a panel of what settlements sold into a pool, and bought out of it below zero."""
    base, quote = pool.split("/", maxsplit=1)

    def panel(axis: Axes, report: Report) -> None:
        times, series = _times(report.series.ts), report.series.pools[pool]
        sold = [sale for sale in report.sales if sale.collateral == base]
        bought = [sale for sale in report.sales if sale.collateral == quote and sale.debt == base]
        axis.plot(times, series.depth_selling_usd, color=INK, linewidth=1.1, label=f"2 % depth of {pool}")
        highest = max(*series.depth_selling_usd, *_bars(axis, report, sold, f"{base} sold", 1.0))
        lowest = 0.0
        if bought:
            axis.plot(times, -np.array(series.depth_buying_usd), color=INK, linewidth=1.1)
            lowest = -max(*series.depth_buying_usd, *_bars(axis, report, bought, f"{base} bought", -1.0))
        axis.set_title(f"{base} {'sold and bought' if bought else 'sold'} per five minutes, against depth")
        _dollars(axis)
        axis.set_ylim(1.1 * lowest, 1.25 * highest)
        axis.legend(loc="upper right", ncols=3)

    return panel


def _bars(axis: Axes, report: Report, rows: Sequence[SaleRow], label: str, sign: float) -> FloatArray:
    """Stack five-minute bars of each route; return their heights."""
    starts, heights = _buckets(report, [])
    for route, colour in _routes(report):
        _, sold = _buckets(report, [sale for sale in rows if sale.route == route])
        axis.bar(
            starts,
            sign * sold,
            BUCKET_S / 3_600,
            bottom=sign * heights,
            align="edge",
            color=colour,
            alpha=1.0 if sign > 0 else 0.6,
            label=f"{label}, {route}",
        )
        heights = heights + sold
    return heights


def _cost(axis: Axes, report: Report) -> None:
    """Draw each settlement's cost; the area of a dot is the debt that it repaid."""
    largest = max((sale.repaid_usd for sale in report.sales), default=1.0)
    for route, colour in _routes(report):
        rows = [sale for sale in report.sales if sale.route == route]
        sizes = [8 + 160 * sale.repaid_usd / largest for sale in rows]
        costs = [sale.cost_bps for sale in rows]
        axis.scatter(
            _times([sale.ts for sale in rows]),
            costs,
            s=sizes,
            color=colour,
            alpha=0.55,
            linewidth=0,
            label=route,
        )
    if report.borrower_cost_bps is not None:
        mean = report.borrower_cost_bps
        axis.axhline(mean, color=INK, linewidth=1.1, linestyle="--", label=f"mean by debt, {mean:,.0f}")
    axis.axhline(0.0, color="#c9ced4", linewidth=1.0)
    axis.set_title("Cost to borrowers at the market's price, each settlement")
    axis.set_ylabel("basis points of debt repaid")
    _headroom(axis)
    if report.sales:
        axis.legend(loc="upper right", ncols=3)
    else:
        _say(axis, "no settlement")


def _unhealthy(axis: Axes, report: Report) -> None:
    series = report.series
    axis.fill_between(
        _times(series.ts),
        series.debt_by_band_usd[BAND_NAMES[0]],
        step="post",
        color=ALARM,
        alpha=0.75,
        linewidth=0,
    )
    axis.set_title("Debt still unhealthy after each block")
    _dollars(axis)
    axis.set_ylim(bottom=0)


def _bad_debt(axis: Axes, report: Report) -> None:
    series, times = report.series, _times(report.series.ts)
    axis.step(times, series.bad_debt_usd, where="post", color=ALARM, linewidth=1.6, label="booked so far")
    axis.step(
        times,
        series.unbooked_shortfall_usd,
        where="post",
        color=QUIET,
        linewidth=1.2,
        label="shortfall not yet booked",
    )
    axis.set_title("Bad debt")
    _dollars(axis)
    largest = max(*series.bad_debt_usd, *series.unbooked_shortfall_usd)
    axis.set_ylim(0, 1.2 * largest or 1_000)
    axis.legend(loc="upper left", ncols=2)
    if not largest:
        _say(axis, "none")


def _budget_panel(name: str) -> Panel:
    """Return a panel of what a budget lets go at once, and of its overdraft below zero."""
    symbol, side = name.split(" ")

    def panel(axis: Axes, report: Report) -> None:
        times, series = _times(report.series.ts), report.series.budgets[name]
        level, capacity = np.array(series.level_usd), np.array(series.capacity_usd)
        axis.fill_between(
            times, level.clip(min=0), step="post", color=SWAP, alpha=0.45, linewidth=0, label="left"
        )
        axis.fill_between(
            times,
            level.clip(min=0),
            capacity,
            step="post",
            color=POOL,
            alpha=0.6,
            linewidth=0,
            label="sold and not yet digested" if side == "sell" else "bought and not yet digested",
        )
        axis.fill_between(
            times, level.clip(max=0), step="post", color=ALARM, alpha=0.8, linewidth=0, label="overdrawn"
        )
        axis.step(times, capacity, where="post", color=INK, linewidth=1.1, label="capacity")
        axis.axhline(0.0, color="#c9ced4", linewidth=1.0)
        axis.set_title(f"{symbol}: release budget of what auctions {side}")
        _dollars(axis)
        _headroom(axis)
        axis.legend(loc="upper right", ncols=4)

    return panel


def _loaded(report: Report) -> list[str]:
    """Return the budgets that anything was drawn on."""
    return [
        name
        for name, series in report.series.budgets.items()
        if any(
            level < capacity for level, capacity in zip(series.level_usd, series.capacity_usd, strict=True)
        )
    ]


def _no_budget(axis: Axes, report: Report) -> None:
    axis.set_title("Release budgets")
    _say(axis, "nothing was drawn" if report.series.budgets else "this mechanism has none")


def _clocks(axis: Axes, report: Report) -> None:
    """Draw the part of the seconds since their start that the running clocks counted, all legs together."""
    times, wall = _times(report.series.ts), _over_blocks(report, lambda row: row.wall_s)
    wall[wall == 0] = np.nan
    active = 100 * _over_blocks(report, lambda row: row.active_s) / wall
    elapsed = 100 * _over_blocks(report, lambda row: row.elapsed_s) / wall
    axis.axhline(100.0, color=MARKET, linewidth=1.2, linestyle="--", label="wall clock")
    axis.plot(
        times, active, color=POOL, alpha=0.6, linewidth=3.2, marker=".", label="active: what budgets allow"
    )
    axis.plot(
        times, elapsed, color=ORACLE, linewidth=1.1, marker=".", markersize=2.5, label="elapsed: with urgency"
    )
    axis.set_title("Clocks of the running auctions")
    axis.set_ylabel("per cent of wall time since start")
    axis.set_ylim(0, 125)
    axis.legend(loc="upper right", ncols=3)
    if not report.auctions:
        _say(axis, "no auction")


def _urgency(axis: Axes, report: Report) -> None:
    _leg_lines(axis, report, lambda row: row.urgency)
    axis.set_title("Urgency of each running auction")
    axis.set_ylabel("u: 0 remote, 1 insolvent")
    axis.set_ylim(-0.03, 1.2)
    if report.auctions and not any(map(any, (row.urgency for row in report.auctions))):
        _say(axis, "zero throughout")


def _multiplier(axis: Axes, report: Report) -> None:
    _leg_lines(axis, report, lambda row: row.multiplier)
    axis.axhline(1.0, color="#c9ced4", linewidth=1.0)
    axis.set_title("Reserve of each running auction")
    axis.set_ylabel("multiple of the oracle's price")
    _headroom(axis)


def _leg_lines(axis: Axes, report: Report, values: Callable[[AuctionRow], list[float]]) -> None:
    """Draw a thin line for each leg in the colour of its collateral; dots show those that ran one block."""
    for symbol, colour in zip(sorted({row.collateral for row in report.auctions}), LEG_COLOURS, strict=False):
        rows = [row for row in report.auctions if row.collateral == symbol]
        for index, row in enumerate(rows):
            label = f"{symbol}, {len(rows)} auctions" if index == 0 else None
            axis.plot(
                _times(row.ts),
                values(row),
                color=colour,
                alpha=0.6,
                linewidth=0.9,
                marker=".",
                markersize=2.5,
                label=label,
            )
    if report.auctions:
        axis.legend(loc="upper right", ncols=3)
    else:
        _say(axis, "no auction")


def _over_blocks(report: Report, values: Callable[[AuctionRow], list[float]]) -> FloatArray:
    """Return the sum over the legs that ran after each block; NaN where none did."""
    place = {ts: index for index, ts in enumerate(report.series.ts)}
    total = np.full(len(place), np.nan)
    for row in report.auctions:
        at = [place[ts] for ts in row.ts]
        total[at] = np.nan_to_num(total[at]) + values(row)
    return total


# ------------------------------------------------------------------------------------------- parts


def _routes(report: Report) -> list[tuple[str, str]]:
    """Return the routes that were used, with their colours."""
    colours = {"swap": SWAP, "take": TAKE}
    return [
        (route, colour) for route, colour in colours.items() if any(s.route == route for s in report.sales)
    ]


def _times(ts: Sequence[int]) -> FloatArray:
    """Return unix seconds as hours, the unit of the time axis."""
    return np.asarray(ts, dtype=np.float64) / 3_600


def _buckets(report: Report, rows: Sequence[SaleRow]) -> tuple[FloatArray, FloatArray]:
    """Return the beginnings of all five-minute buckets and what was sold in each."""
    start, end = report.window.start, report.window.end
    starts = np.arange(start, end + 1, BUCKET_S)
    sold = np.zeros(len(starts))
    for row in rows:
        sold[(row.ts - start) // BUCKET_S] += row.sold_usd
    return _times([int(t) for t in starts]), sold


def _time_axis(axis: Axes, report: Report) -> None:
    """Label the time axis: hours and minutes, and the date where a day begins."""
    start, end = report.window.start, report.window.end
    step = next((step for step in TICK_STEPS_S if (end - start) / step <= MOST_TICKS), TICK_STEPS_S[-1])
    ticks = list(range(-(-start // step) * step, end + 1, step))
    axis.set_xlim(start / 3_600, end / 3_600)
    axis.set_xticks(
        [tick / 3_600 for tick in ticks], [_tick_label(tick, first=tick == ticks[0]) for tick in ticks]
    )


def _tick_label(ts: int, *, first: bool) -> str:
    moment = datetime.fromtimestamp(ts, UTC)
    dated = first or (moment.hour == 0 and moment.minute == 0)
    return moment.strftime("%H:%M\n%d %b %Y" if dated else "%H:%M")


def _say(axis: Axes, text: str) -> None:
    """Write into an empty panel that it is empty."""
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=QUIET, size=14)


def _headroom(axis: Axes) -> None:
    """Leave room for the legend above the data."""
    low, high = axis.get_ylim()
    axis.set_ylim(low, high + 0.16 * (high - low))


def _dollars(axis: Axes) -> None:
    axis.set_ylabel("US dollars")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_dollars(value)))


def short_dollars(value: float) -> str:
    """Return an amount in three figures: ``1.2m``, ``340k``, ``12``."""
    for limit, suffix in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{suffix}"
    return f"{value:.3g}"
