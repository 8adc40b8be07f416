"""Forecasts learnt from what the feeds published: how fast prices will move, and how deep they then fell.

Fitted to the bars of a `bot.domain.volatility.FeedHistory`, which are the feeds' own prices, so that the
event that is forecast is the one that makes an account liquidatable: an oracle's price beyond a barrier, not
a trade that no oracle saw.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, FloatArray
from bot.domain.risk.empirical import FallDistribution, fall_distribution, first_passage_empirical
from bot.domain.volatility.history import Bars, FeedHistory, range_variance
from bot.domain.volatility.live import YEAR
from bot.domain.volatility.log_har import LogHar, fit_log_har

SPANS: Final = (1, 3, 12, 48, 192, 768)
"""Bars of the trailing means."""

FLOOR_SHARE: Final = 0.03
"""Of the mean variance: every few bars of a feed that publishes on half a per cent hold no move."""

FEWEST_HORIZONS: Final = 100
"""Horizons end to end, of all assets together, below which nothing is learnt."""

REGIMES: Final = (0.5, 0.8, 0.95, 0.99)
"""Shares of the past, by the deviation forecast, at which regimes meet. A calm feed skips most moves of less
than its own deviation, a wild one hardly any, so what small falls are worth differs. A regime too wild to
have been seen for `FEWEST_HORIZONS` counts to the one below."""

LEARNING_S: Final = 86_400
"""Seconds of its own bars that an asset needs before it is forecast, or learnt from."""


class LearntModel(NamedTuple):
    """A fitted model; made by `learn`."""

    horizon_s: float
    """Seconds ahead."""
    bar: int
    """Seconds of a bar."""
    har: LogHar
    """Mean variance per bar over the horizon."""
    edges: FloatArray
    """Deviations over the horizon at which calm ends and the next regime begins, rising."""
    falls: tuple[FallDistribution, ...]
    """By regime: how deep prices fell within a horizon, in deviations forecast."""
    rises: tuple[FallDistribution, ...]
    """How far they rose, likewise: what fails an account that is short."""

    def touch(self, ratio: ArrayLike, volatility: ArrayLike, short: ArrayLike) -> float | FloatArray:
        """Probability that a ratio touches 1 within the horizon.

        Parameters
        ----------
        ratio : float or array
            Assets over the barrier, at least 0.
        volatility : float or array
            Of the logarithm of the ratio over the horizon, a year, by this model.
        short : bool or array
            Whether the ratio falls where prices rise.

        Returns
        -------
        float or array
            In [0, 1]; 1 where ``ratio <= 1``.

        Raises
        ------
        InvalidInputError
            As `first_passage_empirical`.
        """
        start, sigma, down = np.broadcast_arrays(
            np.asarray(ratio, np.float64), np.asarray(volatility, np.float64), ~np.asarray(short, np.bool_)
        )
        regime = np.searchsorted(self.edges, sigma * np.sqrt(self.horizon_s / YEAR), side="right")
        found = np.empty(start.shape)
        for number, sides in enumerate(zip(self.rises, self.falls, strict=True)):
            for past, side in zip(sides, (~down, down), strict=True):
                own = side & (regime == number)
                if own.any():
                    found[own] = first_passage_empirical(start[own], sigma[own], self.horizon_s, past)
        return valid.unwrap(found)

    def volatility(self, history: FeedHistory, asset: int, time: int, stale_after: float) -> float | None:
        """Forecast an asset's volatility over the horizon, a year.

        Parameters
        ----------
        history : FeedHistory
            Of the same length of bar.
        asset : int
            Index of the asset.
        time : int
            Now, unix seconds.
        stale_after : float
            Seconds of a feed's silence that count as calm.

        Returns
        -------
        float or None
            None where less than a day of the asset is known.
        """
        variances = history.trailing(asset, time, SPANS[-1], stale_after)
        if len(variances) < _learning(self.bar):
            return None
        return float(np.sqrt(self.har.forecast(variances)[-1] * YEAR / self.bar))


@lru_cache(maxsize=8)
def learn(bars: Bars, horizon_s: float, assets: tuple[int, ...]) -> LearntModel | None:
    """Fit a model to bars; the same bars are fitted once.

    Parameters
    ----------
    bars : Bars
        The past.
    horizon_s : float
        Seconds ahead; taken to the nearest whole number of bars.
    assets : tuple of int
        Those to learn from. They share what is learnt, so they should move alike: no stable ones.

    Returns
    -------
    LearntModel or None
        None where the past is too short, or a bar is longer than the horizon.

    Raises
    ------
    InvalidInputError
        If the horizon is not positive.
    """
    valid.positive("horizon_s", horizon_s)
    ahead = round(horizon_s / bars.bar)
    least = _learning(bars.bar) + ahead
    stretches = [part for asset in assets for part in bars.stretches(asset) if len(part) > least]
    if horizon_s < bars.bar or sum(map(len, stretches)) < FEWEST_HORIZONS * ahead:
        return None
    variances = [range_variance(part[:, 0], part[:, 1]) for part in stretches]
    har = fit_log_har(variances, SPANS, ahead, FLOOR_SHARE)
    first = _learning(bars.bar)
    moves = [_moves(part, own, har, first) for part, own in zip(stretches, variances, strict=True)]
    deviation, falls, rises = (np.concatenate(side) for side in zip(*moves, strict=True))
    if deviation.size < FEWEST_HORIZONS:
        return None
    shares = [share for share in REGIMES if deviation.size * (1.0 - share) >= FEWEST_HORIZONS * ahead]
    order = np.argsort(deviation, kind="stable")
    cuts = [int(share * deviation.size) for share in shares]
    own = np.split(order, cuts)
    return LearntModel(
        horizon_s,
        bars.bar,
        har,
        deviation[order[cuts]],
        tuple(fall_distribution(falls[part]) for part in own),
        tuple(fall_distribution(rises[part]) for part in own),
    )


def _learning(bar: int) -> int:
    """Bars in the time that an asset needs."""
    return max(LEARNING_S // bar, 1)


def _moves(
    part: FloatArray, variances: FloatArray, har: LogHar, first: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return deviations forecast at the ends of bars, and the deepest fall and highest rise in them."""
    ahead = har.ahead
    deviation = np.sqrt(har.forecast(variances)[first:-ahead] * ahead)
    low = sliding_window_view(part[1:, 0], ahead).min(axis=1)[first:]
    high = sliding_window_view(part[1:, 1], ahead).max(axis=1)[first:]
    close = part[first:-ahead, 2]
    return deviation, np.maximum(close - low, 0.0) / deviation, np.maximum(high - close, 0.0) / deviation
