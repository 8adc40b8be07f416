"""What it is worth that an action lands, and what it puts at stake."""

from typing import Final, NamedTuple

from bot.domain.wad import WAD
from bot.strategy.decision import Candidate, Kind
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Asset, Snapshot

_WRITES_OFF: Final = (Kind.END, Kind.MARK)
_STARTS: Final = (Kind.KICK, Kind.REDO)
_UPKEEP: Final = (Kind.CLEAR, Kind.NET)


class Inclusion(NamedTuple):
    """What an action is worth to the keeper, and what it moves.

    Attributes
    ----------
    urgent : bool
        Whether it is worth less with every block: settlements, starts that pay, and pokes, which tell the
        starts behind them what the market pays. A deleveraging is not: it must never delay a settlement.
    worth : int or None
        Wei that its gas may cost before it brings less than the operator wants; None for what earns nothing
        by itself, or where the gas asset has no price.
    value : int
        Oracle value of the collateral it moves, WAD quote units, rounded up; 0 for what moves none.
    asset : str
        Symbol of that collateral; empty for what moves none.
    """

    urgent: bool
    worth: int | None
    value: int
    asset: str


class Inclusions:
    """Appraises the candidates of a head.

    Parameters
    ----------
    settings : StrategySettings
        The least that the operator wants, and the asset in which gas is paid.
    """

    def __init__(self, settings: StrategySettings) -> None:
        self._settings: Final = settings
        self.native_price: int | None = None
        """Price of 10**18 wei on the head last seen, WAD quote units; None where the oracle refuses it."""

    def see(self, snapshot: Snapshot) -> None:
        """Take prices from a snapshot."""
        symbol = self._settings.gas_asset
        self.native_price = next((asset.price for asset in snapshot.assets if asset.symbol == symbol), None)

    def of(self, snapshot: Snapshot, candidate: Candidate) -> Inclusion:
        """Return what a candidate is worth; the snapshot is the one it was chosen on."""
        self.see(snapshot)
        kind = candidate.action.kind
        if kind is Kind.POKE:
            return Inclusion(True, None, 0, "")
        if kind in _UPKEEP or kind in _STARTS:
            return Inclusion(kind in _STARTS and candidate.net >= 0, None, 0, "")
        if kind in _WRITES_OFF:
            return Inclusion(False, None, 0, "")
        asset = snapshot.assets[candidate.action.collateral_ids[0]]
        # all that is sold counts as the first collateral: rather too much of it than too little
        value = sum(_value(snapshot.assets[sold.collateral_id], sold.seized) for sold in candidate.bookings)
        urgent = kind is not Kind.DELEVERAGE
        return Inclusion(urgent, self._worth(candidate), value, asset.symbol)

    def _worth(self, candidate: Candidate) -> int | None:
        """Return the wei whose price is what the revenue exceeds the least profit by. Rounding: DOWN."""
        if not self.native_price:
            return None
        least = self._settings.least(len(candidate.action.further) + 1)
        return max(candidate.revenue - least, 0) * WAD // self.native_price


def _value(asset: Asset, amount: int) -> int:
    """Return the oracle value of an amount, WAD quote units, rounded up; 0 where there is no price."""
    return 0 if asset.price is None else -(-amount * asset.price // asset.unit)
