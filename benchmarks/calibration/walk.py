"""The walk forward: every forecast uses what was known at its moment, and nothing later.

A forecast is made at the close of a bar, from the bars up to it; the models behind it are refitted on a
calendar, on those outcomes of all assets that were complete by then.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import lfilter

from benchmarks.calibration.data import ASSETS, DAY, Bars, FloatArray, load
from benchmarks.calibration.rivals import garch_variances, kou_tail
from bot.domain.risk import fall_distribution, first_passage, first_passage_empirical
from bot.domain.volatility import fit_log_har

YEAR = 365.0 * DAY
DECAY = 0.94
BUCKETS = ((1.0, 1.02), (1.02, 1.05), (1.05, 1.1), (1.1, 1.2))
CONSTANT = "constant rate"
GBM = "GBM, EWMA 0.94"
DAILY = "GBM, EWMA 0.94 of daily returns"
GARCH = "GBM, GARCH(1,1)"
KOU = "Kou jumps, EWMA 0.94"
HAR = "GBM, log HAR"
EMPIRICAL = "empirical falls, log HAR"
RANGES = "EWMA 0.94 of ranges"
"""Of the bars' Parkinson variances: what the regression gains over seeing the ranges alone."""

MODELS = (CONSTANT, GBM, DAILY, GARCH, KOU, HAR, EMPIRICAL)
VARIANCE_FLOOR = 1e-16
"""Per second; a price that stood still must not claim certainty."""


class Horizon(NamedTuple):
    """What is forecast, and from which bars."""

    name: str
    bar: int
    ahead: int
    spans: tuple[int, ...]
    refit: int

    @property
    def seconds(self) -> int:
        """Length of the horizon."""
        return self.bar * self.ahead


HORIZONS = (
    Horizon("10 min", 300, 2, (1, 3, 12, 48, 288, 2016), 7 * DAY),
    Horizon("1 h", 3600, 1, (1, 2, 6, 24, 168, 720), 30 * DAY),
    Horizon("1 day", 3600, 24, (1, 2, 6, 24, 168, 720), 30 * DAY),
)


class Track(NamedTuple):
    """One asset's bars end to end, with what was known at each close and what came of it."""

    stretches: list[Bars]
    time: npt.NDArray[np.int64]
    fall: FloatArray
    """Deepest fall of the log price within the horizon; NaN where that is cut short."""
    realised: FloatArray
    """Mean Parkinson variance per bar over the horizon; NaN likewise."""
    parkinson: list[FloatArray]
    """Variance of each bar, by stretch."""
    standardised: FloatArray
    """Each return over the deviation that the EWMA had forecast for it."""
    deviation: dict[str, FloatArray]
    """Standard deviation of the log price over the horizon, for the models without a refit."""
    warm: npt.NDArray[np.bool_]
    """At least a day into a stretch, so that no model is judged on its start."""


class Forecasts(NamedTuple):
    """An asset's evaluated origins, n of them."""

    time: npt.NDArray[np.int64]
    outcome: FloatArray
    """(buckets, n): 1 where the fall reached the barrier."""
    probability: dict[str, FloatArray]
    """(buckets, n) by model."""
    exceeded: dict[str, FloatArray]
    """(n,) by model: the chance given to a fall as deep as that which came."""
    variance: dict[str, FloatArray]
    """(n,) forecast mean variance per bar, scaled by the past's ratio to the realised."""
    realised: FloatArray


Tail = Callable[[FloatArray, FloatArray], FloatArray]


def walk(horizon: Horizon) -> dict[str, Forecasts]:
    """Forecast every origin of every asset at one horizon."""
    tracks = {asset: _track(load(asset, horizon.bar), horizon) for asset in ASSETS}
    generator = np.random.default_rng(20_200_312)
    barriers = {
        asset: np.log([generator.uniform(*bucket, track.time.size) for bucket in BUCKETS])
        for asset, track in tracks.items()
    }
    parts: dict[str, list[Forecasts]] = {asset: [] for asset in ASSETS}
    for now in _calendar(tracks, horizon):
        known = {asset: _known(track, horizon, now) for asset, track in tracks.items()}
        prior = _pooled_rates(tracks, barriers, known)
        forecast = _fitted_har(tracks, horizon, now)
        tails = _tails(tracks, forecast, known, horizon, now)
        for asset, track in tracks.items():
            chosen = (track.time > now) & (track.time <= now + horizon.refit) & track.warm
            chosen &= np.isfinite(track.fall)
            if chosen.any():
                deviations = track.deviation | {HAR: forecast[asset], EMPIRICAL: forecast[asset]}
                piece = _forecasts(track, barriers[asset], deviations, tails, known[asset], chosen, horizon)
                hits = track.fall[known[asset]] >= barriers[asset][:, known[asset]]
                piece.probability[CONSTANT] = _past_rates(hits, prior, piece.time.size)
                parts[asset].append(piece)
    return {asset: _joined(pieces) for asset, pieces in parts.items()}


def _calendar(tracks: dict[str, Track], horizon: Horizon) -> Iterator[int]:
    """Yield the times of refit, from a month after the first bar on, for short bars a week."""
    times = np.sort(np.concatenate([track.time for track in tracks.values()]))
    now = int(times[0]) + (7 if horizon.bar < 3600 else 30) * DAY
    while now < times[-1]:
        if np.searchsorted(times, now + horizon.refit) > np.searchsorted(times, now):
            yield now
        now += horizon.refit


def _track(stretches: list[Bars], horizon: Horizon) -> Track:
    parkinson = [np.square(bars.high - bars.low) / (4.0 * np.log(2.0)) for bars in stretches]
    parts = [_stretch(bars, variance, horizon) for bars, variance in zip(stretches, parkinson, strict=True)]
    falls, realised, ewma, before, daily, warm = zip(*parts, strict=True)
    returns = [_returns(bars, horizon.bar) for bars in stretches]
    garch = garch_variances(returns, [bars.time for bars in stretches], horizon.ahead, 4 * horizon.refit)
    fallback = np.concatenate(ewma)
    walked = np.concatenate(garch) / horizon.bar
    per_second = {
        GBM: fallback,
        KOU: fallback,
        DAILY: np.concatenate(daily),
        GARCH: np.where(np.isnan(walked), fallback, walked),
        RANGES: np.concatenate([_ewma(variance, DECAY) for variance in parkinson]) / horizon.bar,
    }
    deviation = {
        name: np.sqrt(np.maximum(variance, VARIANCE_FLOOR) * horizon.seconds)
        for name, variance in per_second.items()
    }
    bar_deviation = np.sqrt(np.maximum(np.concatenate(before), VARIANCE_FLOOR) * horizon.bar)
    return Track(
        stretches,
        np.concatenate([bars.time for bars in stretches]),
        np.concatenate(falls),
        np.concatenate(realised),
        parkinson,
        np.concatenate(returns) / bar_deviation,
        deviation,
        np.concatenate(warm),
    )


def _returns(bars: Bars, seconds: int) -> FloatArray:
    """Log returns from close to close, from the open where the bar before is missing."""
    returns = bars.close - bars.open
    follows = np.flatnonzero(np.diff(bars.time) == seconds) + 1
    returns[follows] = bars.close[follows] - bars.close[follows - 1]
    return returns


def _stretch(bars: Bars, parkinson: FloatArray, horizon: Horizon) -> tuple[FloatArray, ...]:
    count, ahead = bars.close.size, horizon.ahead
    whole = np.zeros(count, dtype=np.bool_)
    whole[:-ahead] = bars.time[ahead:] - bars.time[:-ahead] == horizon.seconds
    fall, realised = np.full(count, np.nan), np.full(count, np.nan)
    fall[:-ahead] = np.maximum(
        bars.close[:-ahead] - sliding_window_view(bars.low[1:], ahead).min(axis=1), 0.0
    )
    realised[:-ahead] = sliding_window_view(parkinson[1:], ahead).mean(axis=1)
    fall[~whole] = realised[~whole] = np.nan
    squares = np.square(_returns(bars, horizon.bar))
    ewma = _ewma(squares, DECAY) / horizon.bar
    before = np.concatenate([ewma[:1], ewma[:-1]])
    return fall, realised, ewma, before, _daily(bars, horizon.bar, ewma), bars.time >= bars.time[0] + DAY


def _ewma(squares: FloatArray, decay: float) -> FloatArray:
    """Run `bot.domain.volatility.ewma` along, started at the first square."""
    return np.asarray(lfilter([1.0 - decay], [1.0, -decay], squares, zi=[decay * squares[0]])[0])


def _daily(bars: Bars, seconds: int, fallback: FloatArray) -> FloatArray:
    """Variance per second by an EWMA of daily returns, each time of day by itself; of bars on day one."""
    per_day = DAY // seconds
    variance = fallback.copy()
    moves = np.square(bars.close[per_day:] - bars.close[:-per_day])
    for phase in range(min(per_day, moves.size)):
        variance[per_day + phase :: per_day] = _ewma(moves[phase::per_day], DECAY) / DAY
    return variance


def _known(track: Track, horizon: Horizon, now: int) -> npt.NDArray[np.bool_]:
    """Origins whose outcome was complete."""
    return np.asarray((track.time + horizon.seconds <= now) & np.isfinite(track.fall))


def _fitted_har(tracks: dict[str, Track], horizon: Horizon, now: int) -> dict[str, FloatArray]:
    """Fit the regression on all bars so far; its deviations at every bar of every asset."""
    past = [
        variance[bars.time <= now]
        for track in tracks.values()
        for bars, variance in zip(track.stretches, track.parkinson, strict=True)
    ]
    model = fit_log_har(past, horizon.spans, horizon.ahead)
    return {
        asset: np.sqrt(np.concatenate([model.forecast(v) for v in track.parkinson]) * horizon.ahead)
        for asset, track in tracks.items()
    }


def _tails(
    tracks: dict[str, Track],
    forecast: dict[str, FloatArray],
    known: dict[str, npt.NDArray[np.bool_]],
    horizon: Horizon,
    now: int,
) -> dict[str, Tail]:
    """Build each model's chance of a fall, from its depth and the deviation forecast."""
    falls = np.concatenate([(tracks[a].fall / forecast[a])[known[a]] for a in ASSETS])
    past = fall_distribution(falls)
    standardised = np.concatenate([t.standardised[t.time <= now] for t in tracks.values()])

    def brownian(depth: FloatArray, deviation: FloatArray) -> FloatArray:
        return np.asarray(first_passage(np.exp(depth), deviation, YEAR))

    def empirical(depth: FloatArray, deviation: FloatArray) -> FloatArray:
        return np.asarray(first_passage_empirical(np.exp(depth), deviation, YEAR, past))

    return {
        GBM: brownian,
        DAILY: brownian,
        GARCH: brownian,
        HAR: brownian,
        KOU: kou_tail(standardised, horizon.bar, horizon.ahead),
        EMPIRICAL: empirical,
    }


def _forecasts(
    track: Track,
    barriers: FloatArray,
    deviations: dict[str, FloatArray],
    tails: dict[str, Tail],
    known: npt.NDArray[np.bool_],
    chosen: npt.NDArray[np.bool_],
    horizon: Horizon,
) -> Forecasts:
    fall, barrier = track.fall[chosen], barriers[:, chosen]
    probability = {
        name: np.stack([tail(row, deviations[name][chosen]) for row in barrier])
        for name, tail in tails.items()
    }
    exceeded = {name: tail(fall, deviations[name][chosen]) for name, tail in tails.items()}
    variance = {}
    for name in (GBM, HAR, GARCH, RANGES):
        forecast = np.square(deviations[name]) / horizon.ahead
        ratio = track.realised[known].mean() / forecast[known].mean() if known.any() else 1.0
        variance[name] = forecast[chosen] * ratio
    outcome = (fall >= barrier).astype(np.float64)
    return Forecasts(track.time[chosen], outcome, probability, exceeded, variance, track.realised[chosen])


def _pooled_rates(
    tracks: dict[str, Track], barriers: dict[str, FloatArray], known: dict[str, npt.NDArray[np.bool_]]
) -> FloatArray:
    """Share of all assets' past origins that fell through, by bucket."""
    hits = [tracks[a].fall[known[a]] >= barriers[a][:, known[a]] for a in ASSETS]
    return np.asarray(np.concatenate(hits, axis=1).mean(axis=1))


def _past_rates(hits: npt.NDArray[np.bool_], prior: FloatArray, count: int) -> FloatArray:
    """Share of the asset's own past origins that fell through, and a hundred more at all assets' share."""
    rates = (hits.sum(axis=1) + 100.0 * prior) / (hits.shape[1] + 100.0)
    return np.repeat(rates[:, None], count, axis=1)


def _joined(pieces: list[Forecasts]) -> Forecasts:
    def by_name(field: str) -> dict[str, FloatArray]:
        dicts = [getattr(piece, field) for piece in pieces]
        return {name: np.concatenate([d[name] for d in dicts], axis=-1) for name in dicts[0]}

    return Forecasts(
        np.concatenate([piece.time for piece in pieces]),
        np.concatenate([piece.outcome for piece in pieces], axis=1),
        by_name("probability"),
        by_name("exceeded"),
        by_name("variance"),
        np.concatenate([piece.realised for piece in pieces]),
    )
