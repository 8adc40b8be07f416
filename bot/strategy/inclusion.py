"""What it is worth that an action lands, and what it puts at stake."""

from typing import Final, NamedTuple

from bot.domain.wad import WAD
from bot.strategy.decision import Booking, Candidate, Kind
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot

_WRITES_OFF: Final = (Kind.END, Kind.MARK)
_STARTS: Final = (Kind.KICK, Kind.REDO)
_UPKEEP: Final = (Kind.CLEAR, Kind.LAPSE, Kind.NET)


class Moved(NamedTuple):
    """Collateral that a settlement sells or buys.

    Attributes
    ----------
    asset : str
        Its symbol.
    value : int
        What it is worth by the oracle, WAD quote units, rounded up.
    debt : str
        Symbol of the debt that it repays; empty where none is known.
    """

    asset: str
    value: int
    debt: str = ""


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
    moves : tuple of Moved
        What each of its settlements moves, in order; empty for what moves nothing.
    """

    urgent: bool
    worth: int | None
    moves: tuple[Moved, ...] = ()


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
            return Inclusion(True, None)
        if kind in _UPKEEP or kind in _STARTS:
            return Inclusion(kind in _STARTS and candidate.net >= 0, None)
        if kind in _WRITES_OFF:
            return Inclusion(False, None)
        moves = tuple(_moved(snapshot, booking) for booking in candidate.bookings)
        return Inclusion(kind is not Kind.DELEVERAGE, self._worth(candidate), moves)

    def _worth(self, candidate: Candidate) -> int | None:
        """Return the wei whose price is what the revenue exceeds the least profit by. Rounding: DOWN."""
        if not self.native_price:
            return None
        least = self._settings.least(len(candidate.action.further) + 1)
        return max(candidate.revenue - least, 0) * WAD // self.native_price


def _moved(snapshot: Snapshot, booking: Booking) -> Moved:
    """Return what a settlement moves; worth nothing where the oracle has no price."""
    sold, owed = snapshot.assets[booking.collateral_id], snapshot.assets[booking.debt_id]
    value = 0 if sold.price is None else -(-booking.seized * sold.price // sold.unit)
    return Moved(sold.symbol, value, owed.symbol)
