"""How likely every account is to fail, and what waiting costs: floats over all accounts at once.

Prices are driftless geometric Brownian motions with the live covariance ``S``. To first order in the moves
the logarithm of a basket moves with its value weights, so ``ln HF`` and ``ln(V / D)`` move with the exposures
``x = collateral weights - debt weights``, with variance ``x' S x`` a year; each weight is the asset's share
of ``A``, ``D_w``, ``V`` or ``D``.

Ranking and forecasting only: whatever is sent rests on the exact twin.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bot.domain import risk
from bot.domain._validation import FloatArray
from bot.domain.lending import VIRTUAL_ASSETS, VIRTUAL_SHARES
from bot.domain.volatility import Estimate, Limits
from bot.domain.wad import WAD
from bot.errors import InvalidInputError
from bot.strategy.snapshot import Asset, Snapshot


@dataclass(frozen=True, slots=True)
class OutlookSettings:
    """How far the outlook looks, and what the covariance is held within.

    Parameters
    ----------
    horizon_s : int
        Seconds ahead of the probabilities and of the cost of waiting.
    distance_horizon_s : int
        Seconds over which the distance to default counts deviations.
    floor, stable_floor : float
        Lowest volatility a year; the second holds for assets whose debt weight is 1, the protocol's own mark
        of a stable asset.
    prior : float
        Volatility a year believed of an asset that is not stable before its feed was heard; of a stable one
        it is its floor.
    cap : float
        Highest volatility a year.
    stale_after_s : int
        Seconds of a feed's silence that let its variance fade.
    """

    horizon_s: int = 3_600
    distance_horizon_s: int = 14_400
    floor: float = 0.20
    stable_floor: float = 0.01
    prior: float = 0.80
    cap: float = 5.00
    stale_after_s: int = 4_200

    def __post_init__(self) -> None:
        for name in ("horizon_s", "distance_horizon_s", "floor", "stable_floor", "prior", "cap"):
            if not getattr(self, name) > 0:
                raise InvalidInputError(name, getattr(self, name), "positive")
        if self.cap < max(self.floor, self.stable_floor):
            raise InvalidInputError("cap", self.cap, f"at least the floor, {self.floor}")
        if self.stale_after_s < 0:
            raise InvalidInputError("stale_after_s", self.stale_after_s, "at least 0")

    def limits(self, assets: tuple[Asset, ...]) -> Limits:
        """Return the limits of an estimate over listed assets."""
        stable = np.array([asset.weight <= WAD for asset in assets], np.bool_)
        floors = np.where(stable, self.stable_floor, self.floor)
        return Limits(floors, np.where(stable, floors, self.prior), self.cap, self.stale_after_s)


class AccountOutlook(NamedTuple):
    """One account of an `Outlook`; the fields mean the same."""

    health: float
    solvency: float
    volatility: float
    liquidatable: float
    insolvency: float
    expected_loss: float
    loss_of_waiting: float
    distance: float


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What is expected of every account over the horizon; arrays by row of the snapshot, read-only.

    An account without debt is safe: infinite health and distance, zero elsewhere. One that cannot be priced
    has NaN throughout.

    Parameters
    ----------
    horizon_s : int
        Seconds.
    estimate : Estimate
        Volatilities and correlations that it rests on.
    health : (n,) array
        Health factor HF.
    solvency : (n,) array
        V / D.
    volatility : (n,) array
        Of ln HF, a year.
    liquidatable : (n,) array
        Probability that HF touches 1; 1 where it is there.
    insolvency : (n,) array
        Probability that V / D touches 1.
    expected_loss : (n,) array
        Debt expected to stay uncovered if the account is sold in full at the end of the horizon within the
        slippage limit, and nothing before, quote units.
    loss_of_waiting : (n,) array
        The part of it that selling now would avoid, quote units.
    distance : (n,) array
        Distance to default DD: deviations of ln HF over the settings' time to HF 1.
    """

    horizon_s: int
    estimate: Estimate
    health: FloatArray
    solvency: FloatArray
    volatility: FloatArray
    liquidatable: FloatArray
    insolvency: FloatArray
    expected_loss: FloatArray
    loss_of_waiting: FloatArray
    distance: FloatArray

    def account(self, row: int) -> AccountOutlook:
        """Return one row."""
        return AccountOutlook(*(float(getattr(self, name)[row]) for name in AccountOutlook._fields))


def outlook_of(snapshot: Snapshot, settings: OutlookSettings, slippage: float) -> Outlook | None:
    """Return the outlook of all accounts, or None where the snapshot has no estimate of covariances.

    Parameters
    ----------
    snapshot : Snapshot
        The protocol at one head.
    settings : OutlookSettings
        Horizons and limits.
    slippage : float
        Fraction of the oracle value lost in a sale.

    Notes
    -----
    The cost of waiting is a put on the ratio V / D (Margrabe, Journal of Finance 33, 1978), so volatile debts
    count as volatile collaterals do. No bonus is taken off: near insolvency the engine lets the penalty
    shrink to nothing.
    """
    live = snapshot.covariance
    if live is None:
        return None
    estimate = live.estimate(snapshot.timestamp, settings.limits(snapshot.assets))
    values = _Values(snapshot)
    rows = np.flatnonzero(values.indebted & ~values.blind)
    found = values.of(rows).forecast(estimate, settings, slippage)
    columns = {"health": np.inf, "solvency": np.inf, "distance": np.inf}
    arrays = {}
    for name, known in found.items():
        column = np.full(len(values.blind), columns.get(name, 0.0))
        column[values.blind] = np.nan
        column[rows] = known
        column.flags.writeable = False
        arrays[name] = column
    return Outlook(settings.horizon_s, estimate, **arrays)


class _Values:
    """Values of what accounts hold and owe, quote units, (assets, n): long rows are what numpy is fast at."""

    def __init__(self, snapshot: Snapshot) -> None:
        positions, assets = snapshot.positions, snapshot.assets
        held = np.ascontiguousarray(positions.collateral.floats().T)
        owed = np.ascontiguousarray(positions.debt_shares.floats().T)
        refused = np.array([asset.price is None for asset in assets], np.bool_)
        used = (held[refused] > 0.0) | (owed[refused] > 0.0)
        self.indebted: npt.NDArray[np.bool_] = (owed > 0.0).any(axis=0)
        self.blind: npt.NDArray[np.bool_] = self.indebted & used.any(axis=0)
        held *= _column([_price(asset) for asset in assets])
        owed *= _column([_price(asset) * _assets_per_share(asset) for asset in assets])
        self._held, self._owed = held, owed
        self._thresholds = _column([asset.threshold / WAD for asset in assets])
        self._weights = _column([asset.weight / WAD for asset in assets])

    def of(self, rows: npt.NDArray[np.intp]) -> "_Baskets":
        """Return the baskets of some accounts."""
        if rows.size == len(self.blind):
            return _Baskets(self._held, self._owed, self._thresholds, self._weights)
        return _Baskets(self._held[:, rows], self._owed[:, rows], self._thresholds, self._weights)


class _Baskets(NamedTuple):
    """Priced accounts in debt: values (assets, n), thresholds and debt weights (assets, 1)."""

    held: FloatArray
    owed: FloatArray
    thresholds: FloatArray
    weights: FloatArray

    def forecast(
        self, estimate: Estimate, settings: OutlookSettings, slippage: float
    ) -> dict[str, npt.NDArray[np.float64]]:
        covariance, horizon = estimate.covariance, settings.horizon_s
        collateral, debt = self.held.sum(axis=0), self.owed.sum(axis=0)
        health, volatility, drift = _ratio(self.held * self.thresholds, self.owed * self.weights, covariance)
        solvency, spread, slope = _ratio(self.held, self.owed, covariance)
        lost = risk.expected_bad_debt(collateral, debt, 0.0, slippage, spread, horizon)
        lost_now = np.maximum(debt - collateral * (1.0 - slippage), 0.0)
        found = {
            "health": health,
            "solvency": solvency,
            "volatility": volatility,
            "liquidatable": risk.first_passage(health, volatility, horizon, drift),
            "insolvency": risk.first_passage(solvency, spread, horizon, slope),
            "expected_loss": lost,
            "loss_of_waiting": np.maximum(lost - lost_now, 0.0),
            "distance": risk.distance_to_default(health, volatility, settings.distance_horizon_s),
        }
        return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}


class _Ratio(NamedTuple):
    ratio: FloatArray
    volatility: FloatArray
    drift: FloatArray


def _ratio(above: FloatArray, below: FloatArray, covariance: FloatArray) -> _Ratio:
    """Return the ratio of two baskets, the volatility of its log, and its arithmetic drift, both a year.

    The baskets are martingales; their ratio drifts by ``d' S (d - c)``, c and d their weights.
    """
    total, owed = above.sum(axis=0), below.sum(axis=0)
    exposures = above / np.where(total > 0.0, total, 1.0)
    debts = below / owed
    exposures -= debts
    moved = covariance @ exposures
    debts *= moved
    drift = -debts.sum(axis=0)
    moved *= exposures
    return _Ratio(total / owed, np.sqrt(np.maximum(moved.sum(axis=0), 0.0)), drift)


def _column(values: list[float]) -> FloatArray:
    return np.array(values)[:, None]


def _price(asset: Asset) -> float:
    """Quote units of one token unit; zero without a price."""
    return (asset.price or 0) / WAD / asset.unit


def _assets_per_share(asset: Asset) -> float:
    market = asset.market
    return (market.borrow_assets + VIRTUAL_ASSETS) / (market.borrow_shares + VIRTUAL_SHARES)
