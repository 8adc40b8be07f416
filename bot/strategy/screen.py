"""Health of every account at once, in floats, to find the few that deserve exact arithmetic."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.domain.lending import VIRTUAL_ASSETS, VIRTUAL_SHARES
from bot.domain.wad import WAD
from bot.strategy.snapshot import Asset, Snapshot

MARGIN: Final = 1e-9
"""Relative distance above 1 up to which an account is looked at exactly; float error is below 1e-13."""


class Screen:
    """Float health of all accounts.

    Attributes
    ----------
    health : (n,) array
        Health factor; infinite without debt, NaN where the oracle refuses the price of an asset in use.
    suspects : array of int
        Rows that may be unhealthy, or that are flagged, and can be priced.
    interrupted : array of int
        Rows that are flagged and cannot be priced.
    unpriced : int
        Accounts in debt that cannot be priced.
    """

    __slots__ = ("health", "interrupted", "suspects", "unpriced")

    def __init__(self, snapshot: Snapshot) -> None:
        positions = snapshot.positions
        collateral, shares = positions.collateral.floats(), positions.debt_shares.floats()
        weighted = collateral @ np.array([_collateral_weight(asset) for asset in snapshot.assets])
        owed = shares @ np.array([_debt_weight(asset) for asset in snapshot.assets])
        blind = _blind(collateral, shares, snapshot.assets)
        self.health: npt.NDArray[np.float64] = np.full(len(weighted), np.inf)
        np.divide(weighted, owed, out=self.health, where=owed > 0.0)
        self.health[blind] = np.nan
        near = self.health < 1.0 + MARGIN
        self.suspects: npt.NDArray[np.intp] = np.flatnonzero((near | positions.flagged) & ~blind)
        self.interrupted: npt.NDArray[np.intp] = np.flatnonzero(positions.flagged & blind)
        self.unpriced = int(np.count_nonzero(blind))


def _blind(
    collateral: npt.NDArray[np.float64], shares: npt.NDArray[np.float64], assets: Sequence[Asset]
) -> npt.NDArray[np.bool_]:
    """Return which accounts are in debt and use an asset whose price the oracle refuses."""
    blind = np.zeros(len(shares), np.bool_)
    refused = [asset.asset_id for asset in assets if asset.price is None]
    if refused:
        used = (collateral[:, refused] > 0.0) | (shares[:, refused] > 0.0)
        np.logical_and(used.any(axis=1), (shares > 0.0).any(axis=1), out=blind)
    return blind


def _collateral_weight(asset: Asset) -> float:
    """Weighted value of one token unit of collateral; zero without a price."""
    return (asset.price or 0) / WAD / asset.unit * (asset.threshold / WAD)


def _debt_weight(asset: Asset) -> float:
    """Weighted value of one share of debt; zero without a price."""
    market = asset.market
    per_share = (market.borrow_assets + VIRTUAL_ASSETS) / (market.borrow_shares + VIRTUAL_SHARES)
    return (asset.price or 0) / WAD / asset.unit * per_share * (asset.weight / WAD)
