"""One account, exactly: what it holds, how it stands, and how the engine would see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from bot.domain.engine import (
    AssetTerms,
    Balance,
    Dearer,
    Holding,
    Pace,
    Position,
    Rival,
    Terms,
    balance_of,
    dearer,
    highest_sold_out,
    netted,
    pace_of,
    position_of,
    released,
)
from bot.domain.lending import assets_up, burnt
from bot.domain.release import URGENT, Side
from bot.domain.wad import WAD, mul_down
from bot.strategy.snapshot import Auction, Snapshot

_MILLIS: Final = 1_000


@dataclass(frozen=True)
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
    shares : mapping of int to int
        Its debt shares by asset id, where a sale in the making has burnt some.
    """

    snapshot: Snapshot
    row: int
    holdings: tuple[Holding, ...]
    terms: Mapping[int, AssetTerms]
    balance: Balance
    auction: Auction | None
    shares: Mapping[int, int] = field(default_factory=dict)

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

    def debt_shares(self, asset_id: int) -> int:
        """Return its shares of a debt. Where it was netted, what that burns is taken off, rounded DOWN."""
        if asset_id in self.shares:
            return self.shares[asset_id]
        market = self.snapshot.assets[asset_id].market
        held = self.snapshot.positions.debt_shares.row(self.row)[asset_id]
        owed = next(holding.debt for holding in self.holdings if holding.asset_id == asset_id)
        recorded = assets_up(held, market.borrow_assets, market.borrow_shares)
        return held - (burnt(market, held, recorded - owed).shares if recorded > owed else 0)

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
        """Whether only a redo is left; see `Snapshot.has_lapsed`."""
        return self.snapshot.has_lapsed(self.auction)

    @property
    def asked_last(self) -> int | None:
        """The highest reserve over the oracle's price at which the auction lapsed, WAD, if it may be ended.

        That is where it began with less collateral than debt and lapsed at its tail, not by an interruption,
        where all that is worth dust was offered for long enough, and where the collateral covers less than
        the debt, at the reserve and at the oracle's price.
        """
        auction, snapshot = self.auction, self.snapshot
        if auction is None or not self.lapsed or snapshot.interrupted(auction) or not auction.insolvent:
            return None
        overrun = (snapshot.timestamp - auction.kicked_at - snapshot.engine.tail) * _MILLIS
        pace = replace(self.pace, urgency=0, overrun=overrun)
        highest = self._highest(pace)
        covered = mul_down(self.balance.collateral_value, max(highest, WAD))
        ends = covered < self.balance.debt_value and self._were_offered(auction, pace)
        return highest if ends else None

    def _were_offered(self, auction: Auction, pace: Pace) -> bool:
        """Return whether each collateral worth dust came to the floor, or was for sale half of the tail."""
        rules = self.snapshot.engine
        for asset_id, collateral, _ in self.holdings:
            if self.terms[asset_id].value_down(collateral) < rules.dust:
                continue
            leg = auction.legs.get(asset_id)
            if leg is None:
                return False
            at_floor = pace.multiplier(asset_id, leg, rules.floor) <= rules.floor
            if not at_floor and pace.elapsed(asset_id, leg).active < rules.tail * _MILLIS // 2:
                return False
        return True

    @property
    def feared(self) -> int:
        """Value of debt that what is asked for the collateral does not cover.

        Each collateral counts at its own reserve, at the oracle's price at most; so it counts where its leg
        does not run, where it is worth less than dust, and where nobody may buy.
        """
        asked, dust = 0, self.snapshot.engine.dust
        multipliers = {} if self.lapsed else self.multipliers()
        for asset_id, collateral, _ in self.holdings:
            value = self.terms[asset_id].value_down(collateral)
            asked += mul_down(value, min(multipliers.get(asset_id, WAD), WAD)) if value >= dust else value
        return max(self.balance.debt_value - asked, 0)

    def _highest(self, pace: Pace) -> int:
        """Return M at a pace: what does not run counts 1, what is worth less than dust nothing."""
        multipliers, dust = self._multipliers(pace), self.snapshot.engine.dust
        found = [
            multipliers.get(asset_id, WAD)
            for asset_id, collateral, _ in self.holdings
            if collateral and self.terms[asset_id].value_down(collateral) >= dust
        ]
        return max([highest_sold_out(self.holdings, multipliers), *found])

    @property
    def marked(self) -> int:
        """Value of its debt that is marked as a pending deficit."""
        marks = self.snapshot.marks.get(self.row, {})
        return sum(self.terms[asset_id].value_up(mark) for asset_id, mark in marks.items())

    @cached_property
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

    @cached_property
    def urgency(self) -> int:
        """U of this moment, 0 to 255."""
        snapshot = self.snapshot
        return snapshot.markets.urgency(self.holdings, self.terms, self.balance, snapshot.engine.penalty_bps)

    @cached_property
    def pace(self) -> Pace:
        """What the clocks of its legs share now."""
        clocks = self.auction.buy_clocks if self.auction else {}
        rules, now = self.snapshot.engine, self.snapshot.timestamp
        return pace_of(self.snapshot.markets, clocks, self.urgency, now, rules.penalty_bps)

    def multipliers(self) -> Mapping[int, int]:
        """Return the multiplier of every running leg now, WAD, by asset id."""
        return self._running

    @cached_property
    def _running(self) -> Mapping[int, int]:
        return self._multipliers(self.pace)

    def _multipliers(self, pace: Pace) -> dict[int, int]:
        if self.auction is None:
            return {}
        floor = self.snapshot.engine.floor
        return {
            asset_id: pace.multiplier(asset_id, leg, floor) for asset_id, leg in self.auction.legs.items()
        }

    def multiplier(self, asset_id: int) -> int:
        """Return the multiplier of a collateral now, WAD; 1 where its reserve does not run."""
        return self.multipliers().get(asset_id, WAD)

    def position(self, collateral_id: int, debt_id: int) -> Position:
        """Return the account as the sizing sees it from one pair."""
        dust = self.snapshot.engine.dust
        return position_of(self.holdings, self.terms, self.multipliers(), collateral_id, debt_id, dust)

    def rivals(self, collateral_id: int) -> list[Rival]:
        """Return the other collaterals that bind the choice of one.

        They are worth more than dust, above the floor, and their market can take some now.
        """
        rules, budgeted = self.snapshot.engine, self.snapshot.markets.budgeted
        worth = {
            h.asset_id for h in self.holdings if self.terms[h.asset_id].value_down(h.collateral) >= rules.dust
        }
        return [
            Rival(self.terms[asset_id].threshold, multiplier)
            for asset_id, multiplier in self.multipliers().items()
            if asset_id != collateral_id and asset_id in worth and multiplier > rules.floor
            if asset_id not in budgeted or self._is_open(asset_id)
        ]

    def _is_open(self, asset_id: int) -> bool:
        """Return whether the market of a collateral takes sales at the urgency of this moment."""
        snapshot = self.snapshot
        bucket = snapshot.markets.bucket(asset_id, Side.SELL, snapshot.timestamp)
        return bucket.is_open(self.urgency)

    def dearer(self, pair: tuple[int, int], position: Position, offer: Terms) -> Dearer | None:
        """Return why the pair's collateral may not be chosen at an offer, or None if it may."""
        snapshot = self.snapshot
        tolerance = snapshot.markets.speed.choice_tolerance_bps
        return dearer(position, snapshot.engine, offer, self.rivals(pair[0]), tolerance)

    def released(
        self, pair: tuple[int, int], position: Position, reserve: Terms, offer: Terms, seized: int
    ) -> int:
        """Return what a sale at an offer is cut to by the release budgets; zero while one is empty."""
        leg = self.auction.legs.get(pair[0]) if self.auction else None
        urgency = URGENT if reserve.insolvent else max(self.urgency, leg.urgency if leg else 0)
        dust = self.snapshot.engine.dust
        return released(self.pace, position, offer, pair, urgency, seized, dust)
