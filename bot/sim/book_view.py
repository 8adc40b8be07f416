"""The book as the chain holds it, read through the position lens, and its health.

This is the replay's own judge of the keeper, so it shares nothing with the keeper's book: balances come
packed from the lens, and health is computed in floats for all and again in the contract's integers for those
near 1, where a float could be wrong about which side they are on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from bot.domain.lending import VIRTUAL_ASSETS, VIRTUAL_SHARES, assets_up
from bot.errors import MeasurementError
from bot.sim.book import BPS, AssetTerms
from bot.sim.prices import FloatArray

WAD = 10**18
NEAR = 1e-6
"""Distance of a float health factor from 1 within which the integers decide: a debt is rounded up to a whole
token unit, which is 1e-7 of a small debt in a token of eight decimals."""

BAND_EDGES = (1.0, 1.1, 1.25, 1.5)
"""Health factors that divide the book into bands."""

BoolArray: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MarketView:
    """One asset at one block.

    Parameters
    ----------
    total_borrow_assets, total_borrow_shares : int
        Interest included.
    price_wad : int
        Oracle price, WAD quote units per whole token; zero where the oracle refuses it.
    """

    total_borrow_assets: int
    total_borrow_shares: int
    price_wad: int


@dataclass(frozen=True, slots=True)
class AccountView:
    """Balances of one account, token units and shares by asset id."""

    collateral: tuple[int, ...]
    debt_shares: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BookHealth:
    """The book at one block, US dollars.

    Parameters
    ----------
    collateral, debt : (n,) float array
        Value by account.
    health : (n,) float array
        Health factor; infinite without debt.
    unhealthy : (n,) bool array
        Whether the health factor is below 1, by the contract's rounding.
    """

    collateral: FloatArray
    debt: FloatArray
    health: FloatArray
    unhealthy: BoolArray

    def debt_by_band(self) -> tuple[float, ...]:
        """Return the debt between `BAND_EDGES`: first the unhealthy, last what is above all edges."""
        band = np.maximum(np.searchsorted(BAND_EDGES, self.health, side="right"), 1)
        band[self.unhealthy] = 0
        return tuple(float(self.debt[band == index].sum()) for index in range(len(BAND_EDGES) + 1))

    def shortfall(self) -> float:
        """Return the debt beyond the collateral of its own account."""
        return float(np.maximum(self.debt - self.collateral, 0.0).sum())


class BookView:
    """Balances of every account of a replay.

    Parameters
    ----------
    terms : sequence of AssetTerms
        By rising asset id.
    count : int
        Number of accounts.
    """

    def __init__(self, terms: Sequence[AssetTerms], count: int) -> None:
        self._terms = terms
        empty = AccountView((0,) * len(terms), (0,) * len(terms))
        self._accounts = [empty] * count
        self._collateral = np.zeros((count, len(terms)))
        self._shares = np.zeros((count, len(terms)))

    def update(self, index: int, account: AccountView) -> None:
        """Set what an account holds and owes."""
        self._accounts[index] = account
        self._collateral[index] = account.collateral
        self._shares[index] = account.debt_shares

    def account(self, index: int) -> AccountView:
        """Return what an account holds and owes."""
        return self._accounts[index]

    def value(
        self, markets: Sequence[MarketView], prices_usd: Sequence[float]
    ) -> tuple[FloatArray, FloatArray]:
        """Return collateral and debt of each account at given prices, US dollars."""
        units = np.array([10.0**terms.decimals for terms in self._terms])
        per_unit = np.array(prices_usd) / units
        collateral: FloatArray = self._collateral @ per_unit
        debt: FloatArray = (self._shares * _assets_per_share(markets)) @ per_unit
        return collateral, debt

    def health(self, markets: Sequence[MarketView]) -> BookHealth:
        """Return the book at oracle prices."""
        prices = np.array([market.price_wad / WAD for market in markets])
        per_unit = prices / np.array([10.0**terms.decimals for terms in self._terms])
        held = self._collateral * per_unit
        owed = self._shares * _assets_per_share(markets) * per_unit
        adjusted = held @ np.array([terms.liquidation_threshold_bps / BPS for terms in self._terms])
        weighted = owed @ np.array([terms.debt_weight_bps / BPS for terms in self._terms])
        with np.errstate(divide="ignore", invalid="ignore"):
            health = np.where(weighted > 0.0, adjusted / weighted, np.inf)
        unhealthy = health < 1.0
        for index in np.flatnonzero(np.abs(health - 1.0) < NEAR):
            unhealthy[index] = self.is_unhealthy(int(index), markets)
        return BookHealth(held.sum(axis=1), owed.sum(axis=1), health, unhealthy)

    def is_unhealthy(self, index: int, markets: Sequence[MarketView]) -> bool:
        """Whether A / D_w, rounded down, is below 1, in the contract's integers."""
        adjusted = weighted = 0
        account = self._accounts[index]
        for terms, market, held, shares in zip(
            self._terms, markets, account.collateral, account.debt_shares, strict=True
        ):
            unit = terms.unit
            adjusted += held * market.price_wad // unit * terms.liquidation_threshold_bps // BPS
            debt = assets_up(shares, market.total_borrow_assets, market.total_borrow_shares)
            value = -(-debt * market.price_wad // unit)
            weighted += -(-value * terms.debt_weight_bps // BPS)
        return adjusted < weighted


def _assets_per_share(markets: Sequence[MarketView]) -> FloatArray:
    """Return the debt that one share stands for, with the virtual share and asset of the contract."""
    return np.array(
        [
            (market.total_borrow_assets + VIRTUAL_ASSETS) / (market.total_borrow_shares + VIRTUAL_SHARES)
            for market in markets
        ]
    )


# --------------------------------------------------------------------------------------- the lens


_ACCOUNT_HEADER: Final = 26
"""Bytes of bitmaps, epoch, flag and block."""


def parse_markets(data: bytes, count: int) -> list[MarketView]:
    """Read what ``PositionLens.markets`` packs: nine 16-byte words for each asset.

    Raises
    ------
    MeasurementError
        If the length is another.
    """
    if len(data) != count * 9 * 16:
        raise MeasurementError(f"the lens packed {len(data)} bytes for {count} assets, not {count * 9 * 16}")
    words = [int.from_bytes(data[offset : offset + 16]) for offset in range(0, len(data), 16)]
    return [MarketView(words[9 * i + 2], words[9 * i + 3], words[9 * i + 8]) for i in range(count)]


def parse_positions(data: bytes, accounts: int, assets: int) -> list[AccountView]:
    """Read what ``PositionLens.positions`` packs for each account, in the order asked.

    Raises
    ------
    MeasurementError
        If the data does not end with the last account.
    """
    views = []
    offset = 0
    for _ in range(accounts):
        header = data[offset : offset + _ACCOUNT_HEADER]
        bitmaps = (int.from_bytes(header[:8]), int.from_bytes(header[8:16]))
        offset += _ACCOUNT_HEADER
        sides = []
        for bitmap in bitmaps:
            amounts = [0] * assets
            for asset in range(assets):
                if bitmap >> asset & 1:
                    amounts[asset] = int.from_bytes(data[offset : offset + 16])
                    offset += 16
            sides.append(tuple(amounts))
        views.append(AccountView(*sides))
    if offset != len(data):
        raise MeasurementError(
            f"the lens packed {len(data)} bytes for {accounts} accounts, {offset} were read"
        )
    return views
