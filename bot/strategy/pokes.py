"""When it pays to have the depth of a market read again.

A release budget whose last reading is too old counts as the least there is. Where unhealthy accounts have
more to sell than that, a poke lets sales be as large as the market takes; and beside a kick it lets the
reserves of small lots start at what the pools pay. Nobody is paid for it, so it is housekeeping.
"""

from collections.abc import Sequence

from bot.domain.engine import UNBOUNDED
from bot.domain.release import MEAN_PRICE_MAX_AGE, MICROS, WAD_PER_MICRO, Bucket, Side
from bot.strategy.case import Case
from bot.strategy.decision import Action, Candidate, Decision, Kind
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot


def pokes(
    snapshot: Snapshot, cases: Sequence[Case], settings: StrategySettings, gas_price: int
) -> list[Decision]:
    """Return a decision for each asset whose depth is worth reading on this head.

    The decision stands under an address that nobody has: the asset's id.

    Parameters
    ----------
    snapshot : Snapshot
        The head.
    cases : sequence of Case
        Accounts that are unhealthy or flagged.
    settings : StrategySettings
        Whether to keep house, and what gas it takes.
    gas_price : int
        WAD quote units per gas.
    """
    if not settings.housekeeping or not snapshot.poke_open or snapshot.halted:
        return []
    cost = gas_price * settings.gas.of(Kind.POKE)
    return [
        _decision(snapshot, asset_id, cost)
        for asset_id in sorted(snapshot.markets.budgeted)
        if _is_old(snapshot, cases, asset_id) and _binds(snapshot, cases, asset_id)
    ]


def _is_old(snapshot: Snapshot, cases: Sequence[Case], asset_id: int) -> bool:
    """Return whether half of the time for which a reading counts is over: that of prices beside a start."""
    markets = snapshot.markets
    bucket = markets.buckets.get((asset_id, Side.SELL), Bucket())
    starts = any(_starts(case) and asset_id in case.terms for case in cases)
    longest = MEAN_PRICE_MAX_AGE if starts else markets.speed.depth_max_age
    return not bucket.is_fresh(longest // 2, snapshot.timestamp)


def _starts(case: Case) -> bool:
    """Return whether an account's auction is to start now."""
    return not case.healthy and not case.cooling_off and (not case.flagged or case.lapsed)


def _binds(snapshot: Snapshot, cases: Sequence[Case], asset_id: int) -> bool:
    """Return whether unhealthy accounts have more to sell or to buy of an asset than the least capacity."""
    wanted = sum(_wanted(case, asset_id) for case in cases if not case.healthy)
    return wanted > snapshot.markets.speed.min_capacity * MICROS * WAD_PER_MICRO


def _wanted(case: Case, asset_id: int) -> int:
    """Return the most of an asset's value that liquidating an account may move, on either side."""
    balance, terms = case.balance, case.terms.get(asset_id)
    if terms is None:
        return 0
    (holding,) = (held for held in case.holdings if held.asset_id == asset_id)
    sold = min(terms.value_down(holding.collateral), balance.debt_value)
    bought = min(terms.value_up(holding.debt), balance.collateral_value)
    return max(sold, bought)


def _decision(snapshot: Snapshot, asset_id: int, cost: int) -> Decision:
    account = asset_id.to_bytes(20)
    action = Action(Kind.POKE, account, (asset_id,))
    price = snapshot.assets[asset_id].price
    prices = {} if price is None else {asset_id: price}
    return Decision(account, UNBOUNDED, 0, 0, (), prices, {}, Candidate(action, 0, cost), (), None)
