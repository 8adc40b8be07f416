"""Variances and correlations kept up to date by the rounds of several price feeds, one round at a time.

Feeds publish when a price has moved or a heartbeat is due, each on its own times. Two things follow.

*Variance.* A log return ``r`` over an interval of ``dt`` seconds is taken as spread evenly over it, so it
enters with the weight that the interval has in an exponential window: ``v = q v + (1 - q) r² / dt``, ``q =
2^(-dt / half_life)``, the recursion of `ewma_irregular`.

*Covariance.* Pairing the last known prices at common dates would push every correlation towards zero (Epps,
Journal of the American Statistical Association 74, 1979). Instead the products of all pairs of returns whose
intervals overlap are summed, each pair once, as soon as the later of the two is known: the estimator of
Hayashi and Yoshida (Bernoulli 11, 2005), in an exponential window. Feeds that publish together give the
ordinary sum of outer products.

The state is a plain weighted sum: it holds no prior, floor or cap, so that where it came from can be checked
by adding up. `LiveCovariance.estimate` applies those when it is read.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from bot.domain import _validation as valid
from bot.domain._validation import FloatArray
from bot.domain.volatility.history import MOST_ASSETS, FeedHistory
from bot.errors import InvalidInputError

YEAR: Final = 365.0 * 86_400.0
"""Seconds in the 365-day year of every annualised quantity."""

HIGHEST_CORRELATION: Final = 0.99
"""Bound of every off-diagonal entry: two assets that are told apart can part."""

_UNSEEN: Final = -1
_LN_2: Final = math.log(2.0)


class Estimate(NamedTuple):
    """How prices move now.

    Parameters
    ----------
    volatilities : (n,) array
        Of log prices, a 365-day year.
    correlation : (n, n) array
        Positive semi-definite, with a unit diagonal.
    """

    volatilities: FloatArray
    correlation: FloatArray

    @property
    def covariance(self) -> FloatArray:
        """Covariances of log prices a year, (n, n)."""
        return np.asarray(self.correlation * np.outer(self.volatilities, self.volatilities))


class Limits(NamedTuple):
    """What an estimate is held within when it is read.

    Parameters
    ----------
    floors : (n,) array
        Lowest volatility of each asset, a year.
    priors : (n,) array
        Volatility believed of each before its first round, a year; it fades by the half-life.
    cap : float
        Highest volatility, a year.
    stale_after : float
        Seconds of silence that count.
    """

    floors: FloatArray
    priors: FloatArray
    cap: float
    stale_after: float


@dataclass(frozen=True, slots=True, eq=False)
class LiveCovariance:
    """Running sums over the rounds so far; immutable, so that a reorg goes back by keeping the old one.

    Make one with `fresh`.

    Parameters
    ----------
    half_life : float
        Seconds in which the weight of a return halves.
    jump : float
        Volatility, a year, that one round alone can raise a calm asset to.
    since, times : (n,) int array
        Time of the first and last round of each asset, unix seconds; -1 before the first.
    levels : (n,) array
        Log of each last price, in the feed's units.
    sums : (n, n) array
        Weighted squares and products of returns, per second; entry (i, j) as of the later of ``times[i]`` and
        ``times[j]``.
    overlapping : (n, n) array
        Entry (i, j): returns of j since the last round of i; their products with its next return are due.
    history : FeedHistory or None
        The same rounds as bars, to learn from; None keeps none.
    """

    half_life: float
    jump: float
    since: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    levels: FloatArray
    sums: FloatArray
    overlapping: FloatArray
    history: FeedHistory | None = None

    @classmethod
    def fresh(
        cls, assets: int, half_life: float = 7_200.0, jump: float = 2.5, history: FeedHistory | None = None
    ) -> "LiveCovariance":
        """Return a state that has seen nothing, but what a history holds.

        Raises
        ------
        InvalidInputError
            If a number is not positive and finite, or there are too many assets.
        """
        valid.whole_number("assets", assets, maximum=MOST_ASSETS)
        valid.positive("half_life", half_life)
        valid.positive("jump", jump)
        unseen = np.full(assets, _UNSEEN, np.int64)
        square = np.zeros((assets, assets))
        return cls(half_life, jump, unseen, unseen, np.zeros(assets), square, square, history)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LiveCovariance):
            return NotImplemented
        return self.plain() == other.plain()

    __hash__ = None  # type: ignore[assignment] # arrays have none

    # ------------------------------------------------------------------------- rounds

    def after(self, asset: int, time: int, price: float) -> "LiveCovariance":
        """Return the state once a round has been consumed.

        A round that is not later than the asset's last one changes nothing: each counts once, in order.

        Parameters
        ----------
        asset : int
            Index of the asset.
        time : int
            The round's own timestamp, unix seconds.
        price : float
            In any unit that stays the same; positive.

        Raises
        ------
        InvalidInputError
            If the price is not positive and finite.

        Notes
        -----
        A jump acts at once, but not without limit: a return counts at most for what would raise the
        volatility of a calm asset to `jump` (winsorised, like every larger one). A crash is many rounds, and
        each counts; a single wrong print is one or two.
        """
        level = math.log(valid.scalar("price", valid.positive("price", price)))
        last = int(self.times[asset])
        if last != _UNSEEN and time <= last:
            return self
        history = None if self.history is None else self.history.after(asset, time, price)
        times, levels = self.times.copy(), self.levels.copy()
        times[asset], levels[asset] = time, level
        if last == _UNSEEN:
            since = self.since.copy()
            since[asset] = time
            return LiveCovariance(
                self.half_life, self.jump, since, times, levels, self.sums, self.overlapping, history
            )
        weight = -math.expm1(-_LN_2 * (time - last) / self.half_life) / (time - last)
        largest = self.jump / math.sqrt(weight * YEAR)
        move = min(max(level - float(self.levels[asset]), -largest), largest)
        sums = self._summed(asset, time, weight * move, move)
        owed = self._owed(asset, time, move)
        return LiveCovariance(self.half_life, self.jump, self.since, times, levels, sums, owed, history)

    def _summed(self, asset: int, time: int, weighted: float, move: float) -> FloatArray:
        """Return the sums with the products of a return and all that it overlaps."""
        others = np.where(self.times == _UNSEEN, time, self.times)
        others[asset] = time
        before = np.maximum(self.times[asset], others)
        before[asset] = self.times[asset]
        now = np.maximum(time, others)
        row = self.sums[asset] * np.exp2((before - now) / self.half_life)
        products = self.overlapping[asset].copy()
        products[asset] = move
        row += weighted * products * np.exp2((time - now) / self.half_life)
        sums = self.sums.copy()
        sums[asset, :] = sums[:, asset] = row
        return sums

    def _owed(self, asset: int, time: int, move: float) -> FloatArray:
        """Return the overlapping returns: none for the asset, one more where it ends later."""
        owed = self.overlapping.copy()
        reached = (self.times != _UNSEEN) & (self.times < time)
        owed[reached, asset] += move
        owed[asset] = 0.0
        return owed

    # ------------------------------------------------------------------------ reading

    def estimate(self, time: int, limits: Limits) -> Estimate:
        """Return volatilities and correlations as of a time.

        Silence is news: a feed that works would have published a larger move, so variance goes on fading
        while no round comes, but for `stale_after` seconds at most. From then on the feed may be dead, which
        says nothing of the price, and the variance is held until the next round.

        Correlations come from what was seen alone, over variances that hold the fading prior: with little
        evidence they are small. Where noise makes the matrix indefinite, it is mixed with the identity, just
        so far that its smallest eigenvalue is zero.

        Parameters
        ----------
        time : int
            Unix seconds.
        limits : Limits
            Floors, priors, cap and the silence that counts.
        """
        seen = self.times != _UNSEEN
        last = np.where(seen, self.times, time)
        held = np.where(seen, last - self.since, 0)
        variances = np.diagonal(self.sums) * YEAR
        variances = variances + np.square(limits.priors) * np.exp2(-held / self.half_life)
        silence = np.clip(time - last, 0, limits.stale_after)
        now = np.sqrt(variances * np.exp2(-silence / self.half_life))
        volatilities = np.minimum(np.maximum(now, limits.floors), limits.cap)
        return Estimate(volatilities, self._correlation(variances, last))

    def _correlation(self, variances: FloatArray, last: npt.NDArray[np.int64]) -> FloatArray:
        """Return correlations; each pair is compared at the later of its two last rounds."""
        later = np.maximum.outer(last, last)
        scale = np.sqrt(variances)[:, None] * np.exp2((last[:, None] - later) / (2.0 * self.half_life))
        scale = scale * scale.T
        matrix = np.zeros_like(self.sums)
        np.divide(self.sums * YEAR, scale, out=matrix, where=scale > 0.0)
        matrix = np.clip(matrix, -HIGHEST_CORRELATION, HIGHEST_CORRELATION)
        np.fill_diagonal(matrix, 1.0)
        return _positive(matrix)

    # --------------------------------------------------------------------- persistence

    def plain(self) -> dict[str, Any]:
        """Return the state as plain JSON, exact: floats are written so that they read back the same."""
        return {
            "half_life": self.half_life,
            "jump": self.jump,
            "since": self.since.tolist(),
            "times": self.times.tolist(),
            "levels": self.levels.tolist(),
            "sums": self.sums.tolist(),
            "overlapping": self.overlapping.tolist(),
            "history": None if self.history is None else self.history.plain(),
        }

    @classmethod
    def restored(cls, plain: Mapping[str, Any]) -> "LiveCovariance":
        """Return what `plain` wrote.

        Raises
        ------
        InvalidInputError
            If it is not that: a value is missing, not finite, or of another shape.
        """
        try:
            times = np.asarray(plain["times"], np.int64)
            count = len(times)
            history = plain.get("history")
            state = cls(
                float(plain["half_life"]),
                float(plain["jump"]),
                np.asarray(plain["since"], np.int64),
                times,
                valid.vector("levels", valid.finite("levels", plain["levels"]), count),
                _square("sums", plain["sums"], count),
                _square("overlapping", plain["overlapping"], count),
                None if history is None else FeedHistory.restored(history),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError("checkpoint", str(error), "what LiveCovariance.plain wrote") from error
        if state.since.shape != times.shape:
            raise InvalidInputError("since", state.since.shape, f"{count} times")
        return state

    def fits(self, other: "LiveCovariance") -> bool:
        """Whether another state is over as many assets, by the same rules."""
        return (
            len(self.times) == len(other.times)
            and self.half_life == other.half_life
            and self.jump == other.jump
            and _same_bars(self.history, other.history)
        )


def _same_bars(one: FeedHistory | None, other: FeedHistory | None) -> bool:
    return one is other if one is None or other is None else one.fits(other)


def _square(name: str, rows: Sequence[Sequence[float]], size: int) -> FloatArray:
    matrix = valid.finite(name, rows)
    if matrix.shape != (size, size):
        raise InvalidInputError(name, matrix.shape, f"a {size} by {size} matrix, by its shape")
    return matrix


def _positive(matrix: FloatArray) -> FloatArray:
    """Mix a symmetric matrix of unit diagonal with the identity until no eigenvalue is negative."""
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest >= 0.0:
        return matrix
    # A hair more than the exact share, for the rounding of the eigenvalue itself.
    share = min(-smallest / (1.0 - smallest) + 1e-12, 1.0)
    return np.asarray((1.0 - share) * matrix + share * np.eye(len(matrix)))
