"""The report of a replay: its schema, and how it follows from what was recorded.

Documented in docs/report-schema.md; a change that a reader could trip over raises `SCHEMA_VERSION`.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from bot.sim.book import AssetTerms
from bot.sim.measure import AuctionFrame, Frame, KeeperLedger, Recorder, Sale

SCHEMA_VERSION: Literal[1] = 1
BPS = 10_000.0
DIGITS = 6
"""Decimals kept of every float, so that two machines write the same report."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Quantiles(_Part):
    """Median, 95 % quantile and largest of what was observed; null if nothing was."""

    p50: float | None
    p95: float | None
    max: float | None


class RouteFigures(_Part):
    """Settlements of one route: how many, and the debt they repaid."""

    count: int = Field(ge=0)
    usd: float


class KeeperFigures(_Part):
    """What the keeper did and earned."""

    pnl_usd: float
    tips_usd: float
    chips_usd: float
    profits_usd: float
    gas_usd: float
    gas_used: int
    tx_sent: int
    tx_reverted: int
    reaction_blocks: Quantiles
    unanswered: int
    acknowledgement_timeouts: int


class Window(_Part):
    """What was played: the first and the last block's time, unix seconds."""

    start: int
    end: int


class Options(_Part):
    """What the replay was asked for."""

    prices: str
    book: str
    pool_depth: float
    recovery_s: float
    gas_price_gwei: float
    max_blocks: int


class PoolStart(_Part):
    """A pool at the start: price and what selling over 2 % of it brings."""

    name: str
    price: float
    depth_usd: float


class SaleRow(_Part):
    """One settlement."""

    block: int
    ts: int
    account: str
    route: Literal["take", "swap"]
    collateral: str
    debt: str
    sold_usd: float
    repaid_usd: float
    cost_bps: float
    cost_oracle_bps: float
    slippage_bps: float
    deficit_usd: float


class PoolSeries(_Part):
    """One pool, block by block."""

    price: list[float]
    depth_selling_usd: list[float]
    depth_buying_usd: list[float]


class BudgetSeries(_Part):
    """One release budget, block by block, quote units."""

    level_usd: list[float]
    capacity_usd: list[float]


class AuctionRow(_Part):
    """One leg of an auction, with one entry in each list for each block after which it ran."""

    account: str
    collateral: str
    started_ts: int
    ts: list[int]
    wall_s: list[float]
    active_s: list[float]
    elapsed_s: list[float]
    urgency: list[float]
    multiplier: list[float]


class Series(_Part):
    """The replay block by block; all lists have one entry for each block."""

    block: list[int]
    ts: list[int]
    market: dict[str, list[float]]
    oracle: dict[str, list[float]]
    pools: dict[str, PoolSeries]
    budgets: dict[str, BudgetSeries]
    collateral_usd: list[float]
    debt_usd: list[float]
    debt_by_band_usd: dict[str, list[float]]
    unhealthy_accounts: list[int]
    bad_debt_usd: list[float]
    unbooked_shortfall_usd: list[float]


class WallTimes(_Part):
    """Seconds on this machine: the only part that differs between two runs of one seed."""

    setup_s: float
    replay_s: float


class Report(_Part):
    """All that a replay found; docs/report-schema.md defines every figure."""

    schema_version: Literal[1] = SCHEMA_VERSION
    scenario: str
    window: Window
    seed: int
    blocks: int
    accounts: int
    options: Options
    rules: dict[str, str]
    pools: list[PoolStart]
    accounts_raised: int
    debt_usd_start: float
    debt_repaid_usd: float
    collateral_sold_usd: float
    borrower_cost_bps: float | None
    borrower_cost_oracle_bps: float | None
    slippage_bps: Quantiles
    bad_debt_usd: float
    unbooked_shortfall_usd: float
    residual_unhealthy_debt_usd: float
    borrower_equity_start_usd: float
    borrower_equity_end_usd: float
    settlements: dict[Literal["take", "swap"], RouteFigures]
    keeper: KeeperFigures
    sales: list[SaleRow]
    auctions: list[AuctionRow]
    series: Series
    wall: WallTimes


BAND_NAMES = ("below 1", "1 to 1.1", "1.1 to 1.25", "1.25 to 1.5", "above 1.5")


class Context(_Part):
    """What the report says of the replay that the recorder does not know."""

    scenario: str
    window: Window
    seed: int
    options: Options
    rules: dict[str, str]
    pools: list[PoolStart]
    accounts: int
    accounts_raised: int
    debt_usd_start: float
    borrower_equity_start_usd: float
    borrower_equity_end_usd: float
    tx_sent: int
    acknowledgement_timeouts: int
    wall: WallTimes


def make_report(context: Context, recorder: Recorder, terms: Sequence[AssetTerms]) -> Report:
    """Return the report.

    Parameters
    ----------
    context : Context
        What was asked for, and what is not measured block by block.
    recorder : Recorder
        What was measured; at least one block.
    terms : sequence of AssetTerms
        By rising asset id.
    """
    sales, last = recorder.sales, recorder.frames[-1]
    return Report(
        scenario=context.scenario,
        window=context.window,
        seed=context.seed,
        blocks=len(recorder.frames),
        accounts=context.accounts,
        options=context.options,
        rules=context.rules,
        pools=context.pools,
        accounts_raised=context.accounts_raised,
        debt_usd_start=_round(context.debt_usd_start),
        debt_repaid_usd=_round(sum(sale.repaid for sale in sales)),
        collateral_sold_usd=_round(sum(sale.sold for sale in sales)),
        borrower_cost_bps=cost_bps([(sale.given, sale.repaid) for sale in sales]),
        borrower_cost_oracle_bps=cost_bps([(sale.given_oracle, sale.repaid_oracle) for sale in sales]),
        slippage_bps=quantiles([sale.slippage_bps for sale in sales]),
        bad_debt_usd=_round(sum(deficit for _, deficit in recorder.bad_debt)),
        unbooked_shortfall_usd=_round(last.shortfall),
        residual_unhealthy_debt_usd=_round(last.debt_by_band[0]),
        borrower_equity_start_usd=_round(context.borrower_equity_start_usd),
        borrower_equity_end_usd=_round(context.borrower_equity_end_usd),
        settlements={"take": _route(sales, "take"), "swap": _route(sales, "swap")},
        keeper=_keeper(context, recorder.keeper),
        sales=[_row(sale, terms) for sale in sales],
        auctions=_auctions(recorder.frames, terms),
        series=_series(recorder, [pool.name for pool in context.pools], terms),
        wall=context.wall,
    )


def quantiles(values: Sequence[float]) -> Quantiles:
    """Return observed values at the median, the 95 % quantile and the top: no interpolation."""
    if not values:
        return Quantiles(p50=None, p95=None, max=None)
    median, high, top = np.quantile(values, [0.5, 0.95, 1.0], method="inverted_cdf")
    return Quantiles(p50=_round(median), p95=_round(high), max=_round(top))


def cost_bps(given_and_repaid: Sequence[tuple[float, float]]) -> float | None:
    """Return value given less debt repaid, over debt repaid, of all settlements together."""
    given = sum(value for value, _ in given_and_repaid)
    repaid = sum(value for _, value in given_and_repaid)
    return _round(BPS * (given - repaid) / repaid) if repaid else None


def _route(sales: Sequence[Sale], route: str) -> RouteFigures:
    chosen = [sale.repaid for sale in sales if sale.settlement.route == route]
    return RouteFigures(count=len(chosen), usd=_round(sum(chosen)))


def _keeper(context: Context, ledger: KeeperLedger) -> KeeperFigures:
    return KeeperFigures(
        pnl_usd=_round(ledger.pnl),
        tips_usd=_round(ledger.tips),
        chips_usd=_round(ledger.chips),
        profits_usd=_round(ledger.profits),
        gas_usd=_round(ledger.gas),
        gas_used=ledger.gas_used,
        tx_sent=context.tx_sent,
        tx_reverted=ledger.reverted,
        reaction_blocks=quantiles([float(blocks) for blocks in ledger.reactions]),
        unanswered=ledger.unanswered,
        acknowledgement_timeouts=context.acknowledgement_timeouts,
    )


def _row(sale: Sale, terms: Sequence[AssetTerms]) -> SaleRow:
    settlement = sale.settlement
    return SaleRow(
        block=settlement.block,
        ts=sale.ts,
        account=settlement.account,
        route="take" if settlement.route == "take" else "swap",
        collateral=terms[settlement.collateral_id].symbol,
        debt=terms[settlement.debt_id].symbol,
        sold_usd=_round(sale.sold),
        repaid_usd=_round(sale.repaid),
        cost_bps=cost_bps([(sale.given, sale.repaid)]) or 0.0,
        cost_oracle_bps=cost_bps([(sale.given_oracle, sale.repaid_oracle)]) or 0.0,
        slippage_bps=_round(sale.slippage_bps),
        deficit_usd=_round(sale.deficit),
    )


def _series(recorder: Recorder, pools: Sequence[str], terms: Sequence[AssetTerms]) -> Series:
    frames = recorder.frames
    return Series(
        block=[frame.block for frame in frames],
        ts=[frame.ts for frame in frames],
        market={asset.symbol: [_round(f.market[i]) for f in frames] for i, asset in enumerate(terms)},
        oracle={asset.symbol: [_round(f.oracle[i]) for f in frames] for i, asset in enumerate(terms)},
        pools={
            name: PoolSeries(
                price=[_round(frame.pools[index].price) for frame in frames],
                depth_selling_usd=[_round(frame.pools[index].depth_selling) for frame in frames],
                depth_buying_usd=[_round(frame.pools[index].depth_buying) for frame in frames],
            )
            for index, name in enumerate(pools)
        },
        budgets=_budgets(frames, terms),
        collateral_usd=[_round(frame.collateral) for frame in frames],
        debt_usd=[_round(frame.debt) for frame in frames],
        debt_by_band_usd={
            name: [_round(frame.debt_by_band[index]) for frame in frames]
            for index, name in enumerate(BAND_NAMES)
        },
        unhealthy_accounts=[frame.unhealthy_accounts for frame in frames],
        bad_debt_usd=_cumulative(recorder),
        unbooked_shortfall_usd=[_round(frame.shortfall) for frame in frames],
    )


def _budgets(frames: Sequence[Frame], terms: Sequence[AssetTerms]) -> dict[str, BudgetSeries]:
    """Return every budget's series, by asset and side."""
    columns = zip(*(frame.budgets for frame in frames), strict=True)
    return {
        f"{terms[column[0].asset_id].symbol} {'sell' if column[0].selling else 'buy'}": BudgetSeries(
            level_usd=[_round(budget.level) for budget in column],
            capacity_usd=[_round(budget.capacity) for budget in column],
        )
        for column in columns
    }


def _auctions(frames: Sequence[Frame], terms: Sequence[AssetTerms]) -> list[AuctionRow]:
    """Return every leg's series, in the order of their starts."""
    legs: dict[tuple[str, int, int], list[tuple[int, AuctionFrame]]] = {}
    for frame in frames:
        for leg in frame.auctions:
            legs.setdefault((leg.account, leg.asset_id, leg.started_at), []).append((frame.ts, leg))
    return [
        AuctionRow(
            account=account,
            collateral=terms[asset_id].symbol,
            started_ts=started_at,
            ts=[ts for ts, _ in seen],
            wall_s=[_round(leg.wall) for _, leg in seen],
            active_s=[_round(leg.active) for _, leg in seen],
            elapsed_s=[_round(leg.elapsed) for _, leg in seen],
            urgency=[_round(leg.urgency) for _, leg in seen],
            multiplier=[_round(leg.multiplier) for _, leg in seen],
        )
        for (account, asset_id, started_at), seen in legs.items()
    ]


def _cumulative(recorder: Recorder) -> list[float]:
    """Return the bad debt booked up to each block."""
    booked: dict[int, float] = {}
    for block, deficit in recorder.bad_debt:
        booked[block] = booked.get(block, 0.0) + deficit
    total = 0.0
    totals = []
    for frame in recorder.frames:
        total += booked.get(frame.block, 0.0)
        totals.append(_round(total))
    return totals


def _round(value: float) -> float:
    return round(float(value), DIGITS)
