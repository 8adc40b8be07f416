"""Scores of the walk forward, with intervals that respect how days hang together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.calibration.data import ASSETS, DAY, FloatArray
from benchmarks.calibration.walk import (
    BUCKETS,
    CONSTANT,
    DAILY,
    EMPIRICAL,
    GARCH,
    GBM,
    HAR,
    KOU,
    MODELS,
    Forecasts,
    Horizon,
)
from bot.domain.scoring import brier, expected_calibration_error, kupiec, qlike

RESAMPLES = 2_000
BINS = 10
LEVELS = (0.05, 0.01)
CANDIDATES = (EMPIRICAL, HAR, KOU, GARCH, DAILY, CONSTANT)


class Interval(NamedTuple):
    """An estimate with its 95 % block-bootstrap interval."""

    value: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.low > 0.0


class Cell(NamedTuple):
    """One asset, horizon and bucket."""

    asset: str
    horizon: str
    bucket: tuple[float, float]
    origins: int
    hits: int
    brier: dict[str, float]
    skill: dict[str, Interval]
    """Against GBM with EWMA, by model."""
    over_constant: Interval
    """Skill of the candidate against the constant rate."""
    calibration: dict[str, float]
    """Expected calibration error, by model."""


class Book(NamedTuple):
    """One asset and horizon: tests of the whole distribution."""

    asset: str
    horizon: str
    skill: dict[str, Interval]
    """All buckets together, against GBM with EWMA."""
    kupiec: dict[str, dict[float, tuple[int, int, float]]]
    """Observations, exceptions and p-value by model and level, at origins that do not overlap."""
    qlike: dict[str, float]
    qlike_gain: Interval
    """Of the HAR forecast against EWMA."""


def score(horizon: Horizon, forecasts: dict[str, Forecasts]) -> tuple[list[Cell], list[Book]]:
    """Score one horizon, asset by asset and bucket by bucket."""
    cells = [
        _cell(asset, horizon, number, forecasts[asset]) for asset in ASSETS for number in range(len(BUCKETS))
    ]
    return cells, [_book(asset, horizon, forecasts[asset]) for asset in ASSETS]


def pooled_skill(forecasts: Sequence[Forecasts], model: str, rival: str = GBM) -> Interval:
    """Skill over all assets and buckets; the same weeks are drawn for every asset."""
    base = [np.square(f.probability[rival] - f.outcome).sum(axis=0) for f in forecasts]
    other = [np.square(f.probability[model] - f.outcome).sum(axis=0) for f in forecasts]
    times = np.concatenate([f.time for f in forecasts])
    return relative_gain(times, np.concatenate(base), np.concatenate(other))


def relative_gain(time: npt.NDArray[np.int64], base: FloatArray, other: FloatArray) -> Interval:
    """``1 - sum(other) / sum(base)``, with an interval from blocks of a week, of a day where there are few.

    Each draw's difference is over the whole sample's base, so that a draw without the few hits of a high
    bucket does not divide by nothing.
    """
    block = 7 * DAY if np.ptp(time) > 180 * DAY and np.unique(time // DAY).size > 60 else DAY
    _, which = np.unique(time // block, return_inverse=True)
    sums = np.stack([np.bincount(which, weights=values) for values in (base, other)])
    generator = np.random.default_rng(7)
    drawn = generator.integers(0, sums.shape[1], size=(RESAMPLES, sums.shape[1]))
    totals = sums[:, drawn].sum(axis=2)
    whole = max(float(base.sum()), 1e-300)
    low, high = np.quantile((totals[0] - totals[1]) / whole, (0.025, 0.975))
    return Interval(1.0 - float(other.sum()) / whole, float(low), float(high))


class Week(NamedTuple):
    """A week in which prices crashed, all assets and buckets together."""

    name: str
    horizon: str
    forecasts: int
    frequency: float
    """Share of barriers touched."""
    mean: dict[str, float]
    """Mean probability by model."""
    skill: float
    """Of the candidate against GBM with EWMA."""


CRASHES = {
    "2020-03, Black Thursday": ("2020-03-10", "2020-03-17"),
    "2021-05, 19 May": ("2021-05-17", "2021-05-24"),
    "2022-05, Luna": ("2022-05-07", "2022-05-15"),
    "2022-11, FTX": ("2022-11-06", "2022-11-15"),
}


def crash_weeks(horizon: Horizon, forecasts: Sequence[Forecasts]) -> list[Week]:
    """Score the crash weeks that the data hold at this horizon."""
    weeks = []
    for name, dates in CRASHES.items():
        start, end = (int(np.datetime64(date, "s").astype(np.int64)) for date in dates)
        inside = [(f.time > start) & (f.time <= end) for f in forecasts]
        outcome = np.concatenate(
            [f.outcome[:, own].ravel() for f, own in zip(forecasts, inside, strict=True)]
        )
        if outcome.size == 0:
            continue
        given = {
            model: np.concatenate(
                [f.probability[model][:, own].ravel() for f, own in zip(forecasts, inside, strict=True)]
            )
            for model in (GBM, EMPIRICAL)
        }
        skill = 1.0 - brier(given[EMPIRICAL], outcome) / brier(given[GBM], outcome)
        means = {model: float(values.mean()) for model, values in given.items()}
        weeks.append(Week(name, horizon.name, outcome.size, float(outcome.mean()), means, skill))
    return weeks


def _cell(asset: str, horizon: Horizon, number: int, forecasts: Forecasts) -> Cell:
    outcome = forecasts.outcome[number]
    losses = {name: np.square(forecasts.probability[name][number] - outcome) for name in MODELS}
    return Cell(
        asset,
        horizon.name,
        BUCKETS[number],
        outcome.size,
        int(outcome.sum()),
        {name: brier(forecasts.probability[name][number], outcome) for name in MODELS},
        {name: relative_gain(forecasts.time, losses[GBM], losses[name]) for name in CANDIDATES},
        relative_gain(forecasts.time, losses[CONSTANT], losses[EMPIRICAL]),
        {
            name: expected_calibration_error(forecasts.probability[name][number], outcome, BINS)
            for name in MODELS
        },
    )


def _book(asset: str, horizon: Horizon, forecasts: Forecasts) -> Book:
    traded = forecasts.realised > 0.0
    realised = forecasts.realised[traded]
    variances = {name: values[traded] for name, values in forecasts.variance.items()}
    losses = {name: values_loss(values, realised) for name, values in variances.items()}
    return Book(
        asset,
        horizon.name,
        {name: pooled_skill([forecasts], name) for name in CANDIDATES},
        {name: _exceptions(forecasts, name, horizon) for name in (GBM, HAR, KOU, EMPIRICAL)},
        {name: qlike(values, realised) for name, values in variances.items()},
        relative_gain(forecasts.time[traded], losses[GBM], losses[HAR]),
    )


def values_loss(forecast: FloatArray, realised: FloatArray) -> FloatArray:
    """QLIKE of each forecast, whose mean is `bot.domain.scoring.qlike`."""
    ratio = realised / forecast
    return np.asarray(ratio - np.log(ratio) - 1.0)


def _exceptions(forecasts: Forecasts, model: str, horizon: Horizon) -> dict[float, tuple[int, int, float]]:
    """Falls deeper than the model's quantile, at origins one horizon apart."""
    apart = forecasts.time // horizon.seconds
    chosen = np.concatenate([[True], np.diff(apart) > 0])
    chances = forecasts.exceeded[model][chosen]
    result = {}
    for level in LEVELS:
        exceptions = int(np.count_nonzero(chances < level))
        result[level] = (chances.size, exceptions, kupiec(chances.size, exceptions, level).p_value)
    return result
