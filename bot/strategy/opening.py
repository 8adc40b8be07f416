"""An account as a kick or a redo would leave it, so that its first sale can be weighed in the same call.

Both net first, and start each leg at the curve of that moment; what follows in their block meets every
reserve at its start.
"""

from dataclasses import replace
from typing import Final

from bot.domain import engine
from bot.domain.engine import CurveInputs, Leg, Opening
from bot.domain.engine.clocks import VOLATILITY_BPS
from bot.domain.incentives import TIP_STEPS
from bot.domain.release import Side
from bot.strategy.case import Case
from bot.strategy.snapshot import Auction, Snapshot

DEFAULT_CURVE: Final = CurveInputs(VOLATILITY_BPS, deviation_bps=50, venue_fee_pips=500)
"""What the curves of an asset follow from until governance sets it."""


def opened(case: Case) -> Case | None:
    """Return an unhealthy account right after the keeper has started its auction; None where none would run.

    Netting may cure it, and an account without enough left to auction is written off instead. What is netted
    moves the totals by a unit of rounding at most, which is left out.

    Parameters
    ----------
    case : Case
        Unflagged, or lapsed; not cooling off.
    """
    holdings = engine.netted(case.holdings)
    balance = engine.balance_of(holdings, case.terms)
    fresh = replace(case, holdings=holdings, balance=balance, auction=None)
    if fresh.healthy or fresh.spent or case.snapshot.keeper is None:
        return None
    return replace(fresh, auction=_auction(fresh, case.snapshot.keeper))


def _auction(case: Case, keeper: bytes) -> Auction:
    snapshot, now = case.snapshot, case.snapshot.timestamp
    owed = [holding.asset_id for holding in case.holdings if holding.debt]
    legs = {asset_id: _leg(case, asset_id) for asset_id in case.collateral_ids}
    clocks = {asset_id: clock for asset_id in owed if (clock := _clock(snapshot, asset_id, Side.BUY))}
    epoch = case.auction.epoch + 1 if case.auction else 0
    return Auction(epoch, keeper, now, snapshot.engine.tip_value * TIP_STEPS, legs, clocks)


def _leg(case: Case, asset_id: int) -> Leg:
    snapshot, inputs = case.snapshot, case.snapshot.curves.get(asset_id, DEFAULT_CURVE)
    now = snapshot.timestamp
    start = Opening(snapshot.markets, snapshot.engine, case.holdings, case.terms, case.balance, now)
    return Leg(
        *start.curve(asset_id, inputs),
        started_at=now,
        clock_at=_clock(snapshot, asset_id, Side.SELL),
        urgency=case.urgency,
    )


def _clock(snapshot: Snapshot, asset_id: int, side: Side) -> int:
    """Return the clock of a side of an asset's market now; zero where it has no bucket."""
    markets = snapshot.markets
    return markets.bucket(asset_id, side, snapshot.timestamp).clock if asset_id in markets.budgeted else 0
