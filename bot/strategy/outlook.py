"""How likely every account is to fail, and what waiting costs: floats over all accounts at once.

To first order in the moves the logarithm of a basket moves with its value weights, so ``ln HF`` and
``ln(V / D)`` move with the exposures ``x = collateral weights - debt weights``, with variance ``x' S x`` a
year; each weight is the asset's share of ``A``, ``D_w``, ``V`` or ``D``. ``S`` is the live covariance.

Where the feeds' history is long enough, each asset's variance in ``S`` is the one forecast for the horizon
(`bot.domain.risk.learn`), and the probability of a touch is how often past prices moved as many deviations,
down for an account that moves with the market, up for one that is short of it. Where it is not, prices are
driftless geometric Brownian motions.

Ranking and forecasting only: whatever is sent rests on the exact twin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.domain import risk
from bot.domain._validation import FloatArray
from bot.domain.lending import VIRTUAL_ASSETS, VIRTUAL_SHARES
from bot.domain.uint128 import UInt128Array
from bot.domain.volatility import Estimate, Limits, LiveCovariance
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
    learn : bool
        Whether to forecast by what is learnt from the feeds' history, where it is long enough. The cap does
        not hold such a forecast: what has happened bounds it.
    """

    horizon_s: int = 3_600
    distance_horizon_s: int = 14_400
    floor: float = 0.20
    stable_floor: float = 0.01
    prior: float = 0.80
    cap: float = 5.00
    stale_after_s: int = 4_200
    learn: bool = True

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


class Outlook:
    """What is expected of every account over the horizon; arrays by row of the snapshot, read-only.

    An account without debt is safe: infinite health and distance, zero elsewhere. One that cannot be priced
    has NaN throughout. The arrays are made when one of them is first asked for: a decision needs the few
    accounts that it is about, which `account` tells by themselves.

    Attributes
    ----------
    horizon_s : int
        Seconds.
    estimate : Estimate
        Volatilities and correlations that it rests on.
    learnt : bool
        Whether it rests on what was learnt from the feeds' history, or on Brownian motions.
    """

    def __init__(
        self, snapshot: Snapshot, settings: OutlookSettings, slippage: float, basis: "_Basis"
    ) -> None:
        self.horizon_s: Final = settings.horizon_s
        self.estimate: Final = basis.estimate
        self.learnt: Final = basis.model is not None
        self._snapshot: Final = snapshot
        self._settings: Final = settings
        self._slippage: Final = slippage
        self._model: Final = basis.model
        self._known: dict[int, AccountOutlook] = {}

    @property
    def health(self) -> FloatArray:
        """Health factor HF."""
        return self._columns["health"]

    @property
    def solvency(self) -> FloatArray:
        """V / D."""
        return self._columns["solvency"]

    @property
    def volatility(self) -> FloatArray:
        """Of ln HF, a year."""
        return self._columns["volatility"]

    @property
    def liquidatable(self) -> FloatArray:
        """Probability that HF touches 1; 1 where it is there."""
        return self._columns["liquidatable"]

    @property
    def insolvency(self) -> FloatArray:
        """Probability that V / D touches 1."""
        return self._columns["insolvency"]

    @property
    def expected_loss(self) -> FloatArray:
        """Debt expected to stay uncovered if nothing is done before the end of the horizon, quote units.

        The account is sold in full then, within the slippage limit.
        """
        return self._columns["expected_loss"]

    @property
    def loss_of_waiting(self) -> FloatArray:
        """The part of the expected loss that selling now would avoid, quote units."""
        return self._columns["loss_of_waiting"]

    @property
    def distance(self) -> FloatArray:
        """Distance to default DD: deviations of ln HF over the settings' time to HF 1."""
        return self._columns["distance"]

    def look_at(self, rows: Sequence[int]) -> None:
        """Find out about some accounts, all at once, for `account` to tell."""
        if rows:
            columns = self._forecast(np.array(rows, np.intp))
            parts = zip(*(columns[name].tolist() for name in AccountOutlook._fields), strict=True)
            self._known.update(zip(rows, (AccountOutlook(*part) for part in parts), strict=True))

    def account(self, row: int) -> AccountOutlook:
        """Return one row."""
        if row in self._known:
            return self._known[row]
        if "_columns" in self.__dict__:  # all are known
            return AccountOutlook(*(float(self._columns[name][row]) for name in AccountOutlook._fields))
        self.look_at([row])
        return self._known[row]

    @cached_property
    def _columns(self) -> Mapping[str, FloatArray]:
        columns = self._forecast(None)
        for column in columns.values():
            column.flags.writeable = False
        return columns

    def _forecast(self, wanted: npt.NDArray[np.intp] | None) -> dict[str, FloatArray]:
        """Return the columns of some rows, or of all."""
        values = _Values(self._snapshot, wanted)
        rows = np.flatnonzero(values.indebted & ~values.blind)
        found = values.of(rows).forecast(self.estimate, self._model, self._settings, self._slippage)
        safe = {"health": np.inf, "solvency": np.inf, "distance": np.inf}
        columns = {}
        for name, known in found.items():
            column = columns[name] = np.full(len(values.blind), safe.get(name, 0.0))
            column[values.blind] = np.nan
            column[rows] = known
        return columns


class _Basis(NamedTuple):
    """What a forecast rests on."""

    estimate: Estimate
    model: risk.LearntModel | None


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
    limits = settings.limits(snapshot.assets)
    estimate = live.estimate(snapshot.timestamp, limits)
    model = _learnt(snapshot, live, settings) if settings.learn else None
    if model is not None:
        estimate = _forecast(snapshot, live, model, limits, estimate)
    return Outlook(snapshot, settings, slippage, _Basis(estimate, model))


def _learnt(snapshot: Snapshot, live: LiveCovariance, settings: OutlookSettings) -> risk.LearntModel | None:
    """Return the model of the horizon, if the feeds' history is long enough."""
    volatile = tuple(asset.asset_id for asset in snapshot.assets if asset.weight > WAD)
    if live.history is None:
        return None
    return risk.learn(live.history.basis, settings.horizon_s, volatile)


def _forecast(
    snapshot: Snapshot, live: LiveCovariance, model: risk.LearntModel, limits: Limits, estimate: Estimate
) -> Estimate:
    """Return the estimate with the volatility forecast for each asset that has a history of its own."""
    assert live.history is not None  # it made the model
    volatilities = estimate.volatilities.copy()
    for asset in snapshot.assets:
        index = asset.asset_id
        if asset.weight > WAD:
            known = model.volatility(live.history, index, snapshot.timestamp, limits.stale_after)
            if known is not None:
                volatilities[index] = max(known, float(limits.floors[index]))
    return estimate._replace(volatilities=volatilities)


class _Values:
    """Values of what accounts hold and owe, quote units, (assets, n): long rows are what numpy is fast at."""

    def __init__(self, snapshot: Snapshot, rows: npt.NDArray[np.intp] | None) -> None:
        assets = snapshot.assets
        held = _transposed(snapshot.positions.collateral, rows)
        owed = _transposed(snapshot.positions.debt_shares, rows)
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
        self, estimate: Estimate, model: risk.LearntModel | None, settings: OutlookSettings, slippage: float
    ) -> dict[str, npt.NDArray[np.float64]]:
        covariance, horizon = estimate.covariance, settings.horizon_s
        collateral, debt = self.held.sum(axis=0), self.owed.sum(axis=0)
        health = _ratio(self.held * self.thresholds, self.owed * self.weights, covariance)
        solvency = _ratio(self.held, self.owed, covariance)
        lost = risk.expected_bad_debt(collateral, debt, 0.0, slippage, solvency.volatility, horizon)
        lost_now = np.maximum(debt - collateral * (1.0 - slippage), 0.0)
        found = {
            "health": health.ratio,
            "solvency": solvency.ratio,
            "volatility": health.volatility,
            "liquidatable": health.touch(horizon, model),
            "insolvency": solvency.touch(horizon, model),
            "expected_loss": lost,
            "loss_of_waiting": np.maximum(lost - lost_now, 0.0),
            "distance": risk.distance_to_default(
                health.ratio, health.volatility, settings.distance_horizon_s
            ),
        }
        return {name: np.asarray(values, dtype=np.float64) for name, values in found.items()}


class _Ratio(NamedTuple):
    ratio: FloatArray
    volatility: FloatArray
    drift: FloatArray
    short: npt.NDArray[np.bool_]
    """Whether it moves against all assets together."""

    def touch(self, horizon: float, model: risk.LearntModel | None) -> FloatArray:
        """Return the probability that the ratio touches 1 within the horizon."""
        if model is None:
            return np.asarray(risk.first_passage(self.ratio, self.volatility, horizon, self.drift))
        return np.asarray(model.touch(self.ratio, self.volatility, self.short))


def _ratio(above: FloatArray, below: FloatArray, covariance: FloatArray) -> _Ratio:
    """Return the ratio of two baskets, the volatility of its log and its arithmetic drift a year.

    The baskets are martingales; their ratio drifts by ``d' S (d - c)``, c and d their weights.
    """
    total, owed = above.sum(axis=0), below.sum(axis=0)
    exposures = above / np.where(total > 0.0, total, 1.0)
    debts = below / owed
    exposures -= debts
    moved = covariance @ exposures
    debts *= moved
    drift = -debts.sum(axis=0)
    short = moved.sum(axis=0) < 0.0
    moved *= exposures
    return _Ratio(total / owed, np.sqrt(np.maximum(moved.sum(axis=0), 0.0)), drift, short)


def _transposed(amounts: UInt128Array, rows: npt.NDArray[np.intp] | None) -> FloatArray:
    """Return some rows, or all, as columns of their own."""
    floats = amounts.floats() if rows is None else amounts.floats_of(rows)
    return np.array(floats.T, order="C")


def _column(values: list[float]) -> FloatArray:
    return np.array(values)[:, None]


def _price(asset: Asset) -> float:
    """Quote units of one token unit; zero without a price."""
    return (asset.price or 0) / WAD / asset.unit


def _assets_per_share(asset: Asset) -> float:
    market = asset.market
    return (market.borrow_assets + VIRTUAL_ASSETS) / (market.borrow_shares + VIRTUAL_SHARES)
