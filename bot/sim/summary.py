"""The report's figures in words, for the terminal and the page alike."""

from typing import NamedTuple

from bot.sim.report import Quantiles, Report
from bot.sim.scenario import show_time


class Figure(NamedTuple):
    """A figure as people read it; ``alarm`` marks one that should be zero and is not."""

    name: str
    value: str
    alarm: bool = False


def usd(value: float) -> str:
    """Return an amount in whole US dollars."""
    return f"−${-value:,.0f}" if round(value) < 0 else f"${value:,.0f}"


def bps(value: float | None) -> str:
    """Return basis points, or a dash where nothing was measured."""
    return "–" if value is None else f"{value:,.1f} bp".replace("-", "−")


def title(report: Report) -> str:
    """Return what was played."""
    return f"{report.scenario.replace('-', ' ').capitalize()}, replayed"


def subtitle(report: Report) -> str:
    """Return when, how long and with whom."""
    start, end = show_time(report.window.start), show_time(report.window.end)
    return (
        f"{start} to {end} in {report.blocks:,} blocks; {report.accounts:,} accounts with "
        f"{usd(report.debt_usd_start)} of debt; seed {report.seed}."
    )


def key_figures(report: Report) -> list[Figure]:
    """Return the figures that answer whether it went well."""
    cost = report.borrower_cost_bps
    return [
        Figure("debt repaid", usd(report.debt_repaid_usd)),
        Figure("collateral sold", usd(report.collateral_sold_usd)),
        Figure("cost to borrowers, at market", bps(cost)),
        Figure("cost to borrowers, at oracle", bps(report.borrower_cost_oracle_bps)),
        Figure("bad debt", usd(report.bad_debt_usd), report.bad_debt_usd > 0),
        Figure(
            "debt unhealthy at the end",
            usd(report.residual_unhealthy_debt_usd),
            report.residual_unhealthy_debt_usd > 0,
        ),
        Figure("keeper's profit after gas", usd(report.keeper.pnl_usd), report.keeper.pnl_usd < 0),
        Figure("blocks until the keeper reacted, 95 %", _whole(report.keeper.reaction_blocks.p95)),
    ]


def figures(report: Report) -> list[tuple[str, str]]:
    """Return all figures of the report."""
    keeper = report.keeper
    return [
        ("debt at the start", usd(report.debt_usd_start)),
        ("debt repaid", usd(report.debt_repaid_usd)),
        ("collateral sold", usd(report.collateral_sold_usd)),
        ("borrowers' cost at market", bps(report.borrower_cost_bps)),
        ("borrowers' cost at oracle", bps(report.borrower_cost_oracle_bps)),
        ("slippage against the oracle, median / 95 % / largest", _spread(report.slippage_bps)),
        ("bad debt", usd(report.bad_debt_usd)),
        ("shortfall not yet booked", usd(report.unbooked_shortfall_usd)),
        ("debt unhealthy at the end", usd(report.residual_unhealthy_debt_usd)),
        ("borrowers' equity, start to end", _change(report)),
        *(
            (f"settlements by {route}", f"{figures.count:,}, repaying {usd(figures.usd)}")
            for route, figures in report.settlements.items()
        ),
        ("keeper's profit", f"{usd(keeper.pnl_usd)} = {_earned(report)}"),
        ("keeper's gas", f"{keeper.gas_used:,}"),
        ("keeper's transactions", f"{keeper.tx_sent:,} sent, {keeper.tx_reverted:,} reverted"),
        ("keeper's reaction, median / 95 % / longest", _blocks(keeper.reaction_blocks)),
        ("unhealthy spells that ended by themselves", f"{keeper.unanswered:,}"),
        ("heads the keeper did not acknowledge in time", f"{keeper.acknowledgement_timeouts:,}"),
    ]


def rules(report: Report) -> list[tuple[str, str]]:
    """Return the rules of the replay and what it was asked for."""
    options = report.options
    raised = report.accounts_raised
    book = options.book + (f"; {raised} debts raised to the smallest borrow" if raised else "")
    return [("prices", options.prices), ("book", book), *report.rules.items()]


def _earned(report: Report) -> str:
    keeper = report.keeper
    return (
        f"tips {usd(keeper.tips_usd)} + chips {usd(keeper.chips_usd)} + trades {usd(keeper.profits_usd)} "
        f"− gas {usd(keeper.gas_usd)}"
    )


def _change(report: Report) -> str:
    return f"{usd(report.borrower_equity_start_usd)} to {usd(report.borrower_equity_end_usd)}"


def _spread(values: Quantiles) -> str:
    return " / ".join(bps(value) for value in (values.p50, values.p95, values.max))


def _blocks(values: Quantiles) -> str:
    return " / ".join(_whole(value) for value in (values.p50, values.p95, values.max)) + " blocks"


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
