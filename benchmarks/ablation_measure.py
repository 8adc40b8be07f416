"""What a cell of the ablation measures, from one replay; docs/ablation.md defines each figure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from bot.sim.book_view import MarketView
from bot.sim.liquidity import arbitrage_target, worth_trading
from bot.sim.market import PoolMarket
from bot.sim.measure import Frame
from bot.sim.prices import FloatArray
from bot.sim.replay import Evidence, Outcome
from bot.sim.settings import RECOVERY_S

WAD = 10**18
BPS = 10_000.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One scenario at one depth under one variant.

    Parameters
    ----------
    scenario, variant : str
        Names.
    depth : float
        Of the pools, over the book's debt.
    borrower_cost_bps : float
        Value given less debt repaid, at the oracle's prices in the same block, over debt repaid.
    borrower_equity_end_usd : float
        What borrowers own beyond their debt at the end, at the market's prices.
    price_impact_bps : float
        How much less sales brought than at the prices of pools that nobody had liquidated into.
    bad_debt_usd : float
        Debt booked as a deficit, or beyond its account's collateral at the end.
    residual_unhealthy_debt_usd : float
        Debt of unhealthy accounts after the last block.
    debt_at_risk_usd : float
        Opening debt of the accounts that would have become unhealthy had nobody acted.
    repaid_usd : float
        Debt repaid by settlements.
    """

    scenario: str
    depth: float
    variant: str
    borrower_cost_bps: float
    borrower_equity_end_usd: float
    price_impact_bps: float
    bad_debt_usd: float
    residual_unhealthy_debt_usd: float
    debt_at_risk_usd: float
    repaid_usd: float

    def row(self) -> dict[str, object]:
        """Return it as the benchmark's file has it."""
        return asdict(self)


def measure(depth: float, variant: str, outcome: Outcome) -> Cell:
    """Return the cell of one finished replay."""
    report, evidence = outcome.report, outcome.evidence
    return Cell(
        scenario=report.scenario,
        depth=depth,
        variant=variant,
        borrower_cost_bps=report.borrower_cost_oracle_bps or 0.0,
        borrower_equity_end_usd=report.borrower_equity_end_usd,
        price_impact_bps=round(price_impact_bps(evidence), 3),
        bad_debt_usd=round(report.bad_debt_usd + report.unbooked_shortfall_usd, 2),
        residual_unhealthy_debt_usd=report.residual_unhealthy_debt_usd,
        debt_at_risk_usd=round(debt_at_risk(evidence), 2),
        repaid_usd=report.debt_repaid_usd,
    )


def debt_at_risk(evidence: Evidence) -> float:
    """Return the opening debt of all accounts that the oracle's path alone would make unhealthy, US dollars.

    The path does not depend on who settles, so this is one figure for all variants.
    """
    opening = evidence.opening
    ever = np.zeros_like(opening.health(evidence.markets).unhealthy)
    for prices in {frame.oracle for frame in evidence.frames}:
        markets = [
            MarketView(market.total_borrow_assets, market.total_borrow_shares, round(price * WAD))
            for market, price in zip(evidence.markets, prices, strict=True)
        ]
        ever |= opening.health(markets).unhealthy
    return float(opening.health(evidence.markets).debt[ever].sum())


def price_impact_bps(evidence: Evidence) -> float:
    """Return what sales brought below undisturbed pools, in basis points of what those would have paid.

    Pools trail the market in a crash whoever settles; that part of a sale's slippage is in the undisturbed
    price too and falls out. What remains is fees, the sale's own slippage, and what sales before it left.
    """
    undisturbed = {
        frame.block: prices
        for frame, prices in zip(
            evidence.frames, undisturbed_prices(evidence.frames, evidence.pools), strict=True
        )
    }
    expected = brought = 0.0
    for sale in evidence.sales:
        prices = undisturbed[sale.settlement.block]
        expected += _value(evidence, sale.settlement.collateral_id, sale.settlement.seized, prices)
        brought += _value(evidence, sale.settlement.debt_id, sale.settlement.proceeds, prices)
    return BPS * (1.0 - brought / expected) if expected else 0.0


def undisturbed_prices(frames: Sequence[Frame], pools: Sequence[PoolMarket]) -> list[FloatArray]:
    """Return the pools' prices that each block begins with if arbitrage alone had moved them."""
    current = np.array([pool.price for pool in frames[0].pools])
    prices = [current]
    for before, frame in pairwise(frames):
        prices.append(current)
        current = np.array(
            [
                _after_arbitrage(price, frame.market[pool.base_id], pool, frame.ts - before.ts)
                for price, pool in zip(current, pools, strict=True)
            ]
        )
    return prices


def _after_arbitrage(price: float, market: float, pool: PoolMarket, elapsed_s: int) -> float:
    """Return a pool's price after a block's arbitrage toward the market."""
    if not worth_trading(price, market, pool.geometry.fee_pips):
        return price
    return arbitrage_target(price, market, elapsed_s, RECOVERY_S)


def _value(evidence: Evidence, asset_id: int, amount: int, prices: FloatArray) -> float:
    """Return an amount at the undisturbed pools' prices, in their quote token."""
    per_asset = {pool.base_id: float(price) for pool, price in zip(evidence.pools, prices, strict=True)}
    return amount / evidence.terms[asset_id].unit * per_asset.get(asset_id, 1.0)
