"""One account, exactly: what it holds, how it stands, and how the engine would see it."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.engine import (
    AssetTerms,
    Balance,
    Holding,
    Pace,
    Position,
    balance_of,
    netted,
    pace_of,
    position_of,
)
from bot.domain.wad import WAD
from bot.strategy.snapshot import Auction, Snapshot


@dataclass(frozen=True, slots=True)
class Case:
    """An account that deserves exact arithmetic.

    Parameters
    ----------
    snapshot : Snapshot
        The head.
    row : int
        Of the account.
    holdings : tuple of Holding
        What it holds and owes.
    terms : mapping of int to AssetTerms
        Of those assets.
    balance : Balance
        Their values.
    auction : Auction or None
        Its auction, if the engine has one.
    """

    snapshot: Snapshot
    row: int
    holdings: tuple[Holding, ...]
    terms: Mapping[int, AssetTerms]
    balance: Balance
    auction: Auction | None

    @classmethod
    def of(cls, snapshot: Snapshot, row: int) -> "Case":
        """Return the case of a row whose assets all have a price."""
        holdings = snapshot.holdings(row)
        terms = {holding.asset_id: snapshot.terms(holding.asset_id) for holding in holdings}
        balance = balance_of(holdings, terms)
        return cls(snapshot, row, holdings, terms, balance, snapshot.auctions.get(row))

    @property
    def account(self) -> bytes:
        """Address, 20 bytes."""
        return self.snapshot.positions.accounts[self.row]

    @property
    def healthy(self) -> bool:
        """HF >= 1, without dividing: as the engine judges."""
        return self.balance.weighted_collateral >= self.balance.weighted_debt

    @property
    def flagged(self) -> bool:
        """Whether an auction runs."""
        return bool(self.snapshot.positions.flagged[self.row])

    @property
    def cooling_off(self) -> bool:
        """Whether the account borrowed or withdrew in the head's block."""
        return int(self.snapshot.positions.risk_block[self.row]) == self.snapshot.block

    @property
    def lapsed(self) -> bool:
        """Whether only a redo is left: the tail is over, a halt has ended, or the engine knows no auction."""
        auction, snapshot = self.auction, self.snapshot
        if auction is None or snapshot.resumed_at > auction.kicked_at:
            return True
        return snapshot.timestamp >= auction.kicked_at + snapshot.engine.tail

    @property
    def collateral_ids(self) -> tuple[int, ...]:
        """Collaterals that are left once debt in the same asset is netted, by rising id."""
        return tuple(holding.asset_id for holding in netted(self.holdings) if holding.collateral)

    @property
    def doubled(self) -> tuple[int, ...]:
        """Assets that the account both holds and owes."""
        return tuple(holding.asset_id for holding in self.holdings if holding.collateral and holding.debt)

    @property
    def spent(self) -> bool:
        """Whether too little is left to auction, so that a kick writes the account off."""
        value = self.balance.collateral_value
        return value < self.balance.debt_value and value < self.snapshot.engine.dust

    @property
    def missing_legs(self) -> tuple[int, ...]:
        """Collaterals worth more than dust whose reserve does not run."""
        running = self.auction.legs if self.auction else {}
        dust = self.snapshot.engine.dust
        return tuple(
            holding.asset_id
            for holding in self.holdings
            if holding.asset_id not in running
            and self.terms[holding.asset_id].value_down(holding.collateral) >= dust
        )

    def pairs(self) -> list[tuple[int, int]]:
        """Return every (collateral, debt) of different assets, by rising ids."""
        return [
            (sold.asset_id, owed.asset_id)
            for sold in self.holdings
            for owed in self.holdings
            if sold.collateral and owed.debt and sold.asset_id != owed.asset_id
        ]

    @property
    def urgency(self) -> int:
        """U of this moment, 0 to 255."""
        snapshot = self.snapshot
        return snapshot.markets.urgency(self.holdings, self.terms, self.balance, snapshot.engine.penalty_bps)

    @property
    def pace(self) -> Pace:
        """What the clocks of its legs share now."""
        clocks = self.auction.buy_clocks if self.auction else {}
        return pace_of(self.snapshot.markets, self.holdings, clocks, self.urgency, self.snapshot.timestamp)

    def multipliers(self) -> dict[int, int]:
        """Return the multiplier of every running leg now, WAD, by asset id."""
        if self.auction is None:
            return {}
        pace, floor = self.pace, self.snapshot.engine.floor
        return {
            asset_id: leg.multiplier(floor, pace.elapsed(asset_id, leg))
            for asset_id, leg in self.auction.legs.items()
        }

    def multiplier(self, asset_id: int) -> int:
        """Return the multiplier of a collateral now, WAD; 1 where its reserve does not run."""
        return self.multipliers().get(asset_id, WAD)

    def position(self, collateral_id: int, debt_id: int) -> Position:
        """Return the account as the sizing sees it from one pair."""
        dust = self.snapshot.engine.dust
        return position_of(self.holdings, self.terms, self.multipliers(), collateral_id, debt_id, dust)
