"""Liquidatable debt as a function of one asset's price, the others held: floats over all accounts at once.

An account is liquidatable where ``A < D_w``. Both are linear in the asset's price ``P``: ``A - D_w = s P +
A_rest - D_rest``, with ``s = k q - w d`` the weighted amount held less that owed. So each account has one
price: below it a long (``s > 0``) is liquidatable, above it a short is.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.domain.health import liquidation_price
from bot.domain.lending import VIRTUAL_ASSETS, VIRTUAL_SHARES
from bot.domain.wad import WAD
from bot.strategy.snapshot import Asset, Snapshot

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


class Side:
    """Accounts that turn liquidatable on one side of their price, with the sums up to each.

    Parameters
    ----------
    triggers : (n,) array
        Price of each account, quote units per whole token.
    fixed, owed : (n,) array
        Its debt: quote units in other assets, and whole tokens of the asset.
    """

    __slots__ = ("_fixed", "_owed", "triggers")

    def __init__(self, triggers: FloatArray, fixed: FloatArray, owed: FloatArray) -> None:
        order = np.argsort(triggers, kind="stable")
        self.triggers: FloatArray = triggers[order]
        self._fixed = np.concatenate([[0.0], np.cumsum(fixed[order])])
        self._owed = np.concatenate([[0.0], np.cumsum(owed[order])])

    def first(self, counts: IntArray, prices: FloatArray) -> FloatArray:
        """Return the debt of the accounts with the lowest triggers, at given prices."""
        return np.asarray(self._fixed[counts] + self._owed[counts] * prices)

    def total(self, prices: FloatArray) -> FloatArray:
        """Return the debt of all, at given prices."""
        return np.asarray(self._fixed[-1] + self._owed[-1] * prices)


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Who is liquidatable at which price of one asset.

    Parameters
    ----------
    asset : Asset
        The asset.
    longs, shorts : Side
        Accounts liquidatable below their price, and above it. One whose health the price does not touch is a
        long with an infinite trigger if it is liquidatable, and left out if not.
    unpriced : int
        Accounts in debt that are left out: the oracle refuses a price.
    """

    asset: Asset
    longs: Side
    shorts: Side
    unpriced: int

    @property
    def price(self) -> float:
        """The price now, quote units per whole token."""
        return (self.asset.price or 0) / WAD

    def accounts(self, prices: FloatArray) -> IntArray:
        """Return how many accounts are liquidatable at each price.

        Parameters
        ----------
        prices : (m,) array
            Quote units per whole token, positive.
        """
        return np.asarray(len(self.longs.triggers) - self._safe_longs(prices) + self._fallen_shorts(prices))

    def debt(self, prices: FloatArray) -> FloatArray:
        """Return the debt of the accounts that are liquidatable at each price, quote units.

        Parameters
        ----------
        prices : (m,) array
            Quote units per whole token, positive. Debt in the asset itself is valued at it.
        """
        safe = self.longs.first(self._safe_longs(prices), prices)
        fallen = self.shorts.first(self._fallen_shorts(prices), prices)
        return np.maximum(self.longs.total(prices) - safe, 0.0) + fallen

    def _safe_longs(self, prices: FloatArray) -> IntArray:
        # At its price an account is at exactly 1, which is healthy: on both sides.
        return np.searchsorted(self.longs.triggers, prices, side="right")

    def _fallen_shorts(self, prices: FloatArray) -> IntArray:
        return np.searchsorted(self.shorts.triggers, prices, side="left")


def ladder_of(snapshot: Snapshot, asset: Asset) -> Ladder:
    """Return the ladder of an asset that has a price.

    Parameters
    ----------
    snapshot : Snapshot
        The protocol at one head.
    asset : Asset
        One of its assets.
    """
    book = _Book(snapshot)
    column = asset.asset_id
    others = np.arange(len(snapshot.assets)) != column
    slope = book.held[:, column] * book.thresholds[column] - book.owed[:, column] * book.weights[column]
    rest = book.held[:, others] @ (book.prices * book.thresholds)[others]
    due = book.owed[:, others] @ (book.prices * book.weights)[others]
    fixed, own = book.owed[:, others] @ book.prices[others], book.owed[:, column]
    short = slope < 0.0
    # A slope of zero and debt beyond the rest gives infinity: liquidatable at every price.
    triggers = np.where(
        short,
        liquidation_price(np.abs(slope), 1.0, due, rest),
        liquidation_price(np.abs(slope), 1.0, rest, due),
    )
    long = ~short & (triggers > 0.0)
    longs, shorts = (Side(triggers[side], fixed[side], own[side]) for side in (long, short))
    return Ladder(asset, longs, shorts, book.unpriced)


class _Book:
    """Accounts in debt whose prices are all known; amounts in whole tokens, (n, assets)."""

    def __init__(self, snapshot: Snapshot) -> None:
        positions, assets = snapshot.positions, snapshot.assets
        held, shares = positions.collateral.floats(), positions.debt_shares.floats()
        refused = np.array([asset.price is None for asset in assets], np.bool_)
        in_debt = (shares > 0.0).any(axis=1)
        blind = in_debt & ((held > 0.0) | (shares > 0.0))[:, refused].any(axis=1)
        kept = in_debt & ~blind
        self.unpriced = int(np.count_nonzero(blind))
        self.held: FloatArray = held[kept] / [float(asset.unit) for asset in assets]
        self.owed: FloatArray = shares[kept] * [_tokens_per_share(asset) for asset in assets]
        self.prices: FloatArray = np.array([(asset.price or 0) / WAD for asset in assets])
        self.thresholds: FloatArray = np.array([asset.threshold / WAD for asset in assets])
        self.weights: FloatArray = np.array([asset.weight / WAD for asset in assets])


def _tokens_per_share(asset: Asset) -> float:
    market = asset.market
    return (market.borrow_assets + VIRTUAL_ASSETS) / (market.borrow_shares + VIRTUAL_SHARES) / asset.unit
