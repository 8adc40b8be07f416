"""Auctions to be told of a refused price: nobody can buy, so their reserves must not go on falling.

Nobody is paid for it, so it is housekeeping. It costs lenders nothing to be told late, but a reserve that
fell meanwhile sells the account for less than quick takers would have paid.
"""

from collections.abc import Iterable

from bot.domain.engine import UNBOUNDED
from bot.strategy.decision import Action, Candidate, Decision, Kind
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot


def lapses(
    snapshot: Snapshot, rows: Iterable[int], settings: StrategySettings, gas_price: int, most: int
) -> list[Decision]:
    """Return a decision for each running auction of an account that cannot be priced.

    Parameters
    ----------
    snapshot : Snapshot
        The head.
    rows : iterable of int
        Accounts that are flagged and use an asset whose price the oracle refuses.
    settings : StrategySettings
        Whether to keep house, and what gas it takes.
    gas_price : int
        WAD quote units per gas.
    most : int
        How many actions the head leaves.
    """
    if not settings.housekeeping:
        return []
    cost = gas_price * settings.gas.of(Kind.LAPSE)
    running = [row for row in rows if not snapshot.has_lapsed(snapshot.auctions.get(row))]
    return [_decision(snapshot, row, cost) for row in running[:most]]


def _decision(snapshot: Snapshot, row: int, cost: int) -> Decision:
    account, holdings = snapshot.positions.accounts[row], snapshot.holdings(row)
    used = tuple(holding.asset_id for holding in holdings)
    prices = {asset_id: price for asset_id in used if (price := snapshot.assets[asset_id].price) is not None}
    action = Action(Kind.LAPSE, account, used)
    return Decision(account, UNBOUNDED, 0, 0, holdings, prices, {}, Candidate(action, 0, cost), (), None)
