"""What several feeds published, as bars of equal length: the past that forecasts are fitted to.

Bar k covers the seconds ``[k bar, (k + 1) bar)`` for all assets alike. Its low and high hold the price that
was in force when it began, so that a feed that publishes only on moves has no empty bars, and a bar in which
it was silent has no range. Prices are logarithms in single precision, a tenth of a basis point at most: what
is written to a checkpoint and read back is then the same to the bit.
"""

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bot.domain import _validation as valid
from bot.domain._validation import FloatArray
from bot.errors import InvalidInputError

GAP_S: Final = 86_400
"""Silence after which a feed's price is unknown; no feed's heartbeat is longer."""

LARGEST_RANGE: Final = 0.5
"""Most that the range of one bar counts, log price: one wrong print must not outweigh years."""

MOST_ASSETS: Final = 1_024
"""More feeds than any market lists: a wrong number, not a market."""

_UNSEEN: Final = -1
_BLOCK: Final = 256
_LOW, _HIGH, _CLOSE = range(3)

Logs = npt.NDArray[np.float32]
"""(bars, 3, assets): log low, high and close; NaN where the price was unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Complete bars, oldest first; hashed by identity, so that what is fitted to them can be kept.

    Parameters
    ----------
    bar : int
        Seconds of each.
    end : int
        Number of the bar after the last.
    blocks : tuple of arrays
        Full blocks of bars.
    rest : array
        The bars after them.
    """

    bar: int
    end: int
    blocks: tuple[Logs, ...]
    rest: Logs

    def __len__(self) -> int:
        return len(self.blocks) * _BLOCK + len(self.rest)

    def logs(self, last: int | None = None) -> Logs:
        """Return log low, high and close, (bars, 3, assets): of all bars, or at least of the last ones."""
        blocks = self.blocks if last is None else self.blocks[len(self.blocks) - -(-last // _BLOCK) :]
        return np.concatenate([*blocks, self.rest])

    def stretches(self, asset: int) -> list[FloatArray]:
        """Return an asset's log low, high and close, one array (bars, 3) per stretch without a gap."""
        own = np.asarray(self.logs()[:, :, asset], dtype=np.float64)
        known = np.isfinite(own[:, _CLOSE])
        cuts = np.flatnonzero(known[1:] != known[:-1]) + 1
        return [part for part in np.split(own, cuts) if len(part) and np.isfinite(part[0, _CLOSE])]

    def extended(self, rows: Logs, keep: int) -> "Bars":
        """Return the bars with more after them, the oldest block dropped while the rest are ``keep``."""
        blocks, rest = list(self.blocks), np.concatenate([self.rest, rows])
        while len(rest) >= _BLOCK:
            blocks.append(rest[:_BLOCK])
            rest = rest[_BLOCK:]
        spare = max((len(blocks) * _BLOCK + len(rest) - keep) // _BLOCK, 0)
        return Bars(self.bar, self.end + len(rows), tuple(blocks[spare:]), rest)


def range_variance(low: FloatArray, high: FloatArray) -> FloatArray:
    """Return Parkinson's variance of each bar from its log low and high, as far as a range counts."""
    return np.asarray(np.square(np.minimum(high - low, LARGEST_RANGE)) / (4.0 * math.log(2.0)))


@dataclass(frozen=True, slots=True, eq=False)
class FeedHistory:
    """The bars so far, and the one that runs; immutable, so that a reorg goes back by keeping the old one.

    Make one with `fresh`.

    Parameters
    ----------
    keep : int
        Bars that are remembered.
    refit : int
        Bars between two refits: `basis` changes at their multiples alone.
    closed : Bars
        Complete bars.
    basis : Bars
        Those complete at the last refit.
    running : (2, n) array
        Log low and high of the bar that runs.
    levels : (n,) array
        Log of each last price; NaN before the first.
    times : (n,) int array
        When it was published, unix seconds; -1 before the first.
    """

    keep: int
    refit: int
    closed: Bars
    basis: Bars
    running: Logs
    levels: Logs
    times: npt.NDArray[np.int64]

    @classmethod
    def fresh(cls, assets: int, bar: int = 300, keep: int = 17_520, refit: int = 288) -> "FeedHistory":
        """Return a history of nothing.

        Parameters
        ----------
        assets : int
            Feeds.
        bar : int
            Seconds of a bar.
        keep, refit : int
            Bars to remember, and between refits.

        Raises
        ------
        InvalidInputError
            If a number is not a positive whole one, there are too many assets, or refits are further apart
            than what is remembered.
        """
        valid.whole_number("assets", assets, maximum=MOST_ASSETS)
        valid.whole_number("bar", bar)
        valid.whole_number("keep", keep)
        valid.whole_number("refit", refit, maximum=keep)
        nothing = Bars(bar, 0, (), np.empty((0, 3, assets), np.float32))
        unknown = np.full(assets, np.nan, np.float32)
        running = np.full((2, assets), np.nan, np.float32)
        return cls(keep, refit, nothing, nothing, running, unknown, np.full(assets, _UNSEEN, np.int64))

    @property
    def bar(self) -> int:
        """Seconds of a bar."""
        return self.closed.bar

    # ------------------------------------------------------------------------- rounds

    def after(self, asset: int, time: int, price: float) -> "FeedHistory":
        """Return the history once a round has been consumed.

        A round that is not later than the asset's last one changes nothing. One that belongs into a bar which
        another asset's round has completed counts in the bar that runs.

        Parameters
        ----------
        asset : int
            Index of the asset.
        time : int
            The round's own timestamp, unix seconds, not negative.
        price : float
            In any unit that stays the same; positive.

        Raises
        ------
        InvalidInputError
            If the price is not positive and finite, or the time negative.
        """
        level = np.float32(math.log(valid.scalar("price", valid.positive("price", price))))
        if time < 0:
            raise InvalidInputError("time", time, "at least 0")
        last = int(self.times[asset])
        if last != _UNSEEN and time <= last:
            return self
        now = self._begun(time)
        running, levels, times = now.running.copy(), now.levels.copy(), now.times.copy()
        forgotten = last == _UNSEEN or time - last > GAP_S
        running[0, asset] = level if forgotten else min(running[0, asset], level)
        running[1, asset] = level if forgotten else max(running[1, asset], level)
        levels[asset], times[asset] = level, time
        return replace(now, running=running, levels=levels, times=times)

    def _begun(self, time: int) -> "FeedHistory":
        """Return the history with the bar of a time running, and a new basis where a refit is due."""
        moved = self._moved(time)
        due = moved.closed.end // self.refit > self.basis.end // self.refit
        return replace(moved, basis=moved.closed) if due else moved

    def _moved(self, time: int) -> "FeedHistory":
        number, closed = time // self.bar, self.closed
        if not (self.times != _UNSEEN).any():
            return replace(self, closed=replace(closed, end=number))
        missing = number - closed.end
        if missing <= 0:
            return self
        rows = self._complete(min(missing, self.keep + _BLOCK), number)
        if missing > len(rows):
            closed = replace(closed, end=number - len(rows), blocks=(), rest=rows[:0])
        running = np.tile(rows[-1, _CLOSE], (2, 1))
        return replace(self, closed=closed.extended(rows, self.keep), running=running)

    def _complete(self, count: int, until: int) -> Logs:
        """Return the last bars before number ``until``: the one that ran, and those without a round."""
        rows = np.repeat(self.levels[None, None, :], 3, axis=1).repeat(count, axis=0)
        if count == until - self.closed.end:
            rows[0, [_LOW, _HIGH]] = self.running
        begins = (until - count + np.arange(count)) * self.bar
        silent = begins[:, None] - self.times[None, :] > GAP_S
        rows[np.repeat(silent[:, None, :], 3, axis=1)] = np.nan
        return rows

    # ------------------------------------------------------------------------ reading

    def trailing(self, asset: int, time: int, count: int, stale_after: float) -> FloatArray:
        """Return variances of the last windows of a bar's length that end now, oldest first.

        Each takes from the complete bars what it overlaps, and the last one all of the bar that runs. Silence
        counts as calm for ``stale_after`` seconds; from then on the feed may be dead, and nothing is added.

        Parameters
        ----------
        asset : int
            Index of the asset.
        time : int
            Now, unix seconds.
        count : int
            Windows at most.
        stale_after : float
            Seconds of silence that count.

        Returns
        -------
        (m,) array
            Of log price, per window; at most as many as there are since the last gap, none before the first
            round.
        """
        if self.times[asset] == _UNSEEN:
            return np.empty(0)
        until = min(float(time), float(self.times[asset]) + stale_after)
        now = self._moved(int(max(until, self.closed.end * self.bar)))
        logs = np.asarray(now.closed.logs(count + 1)[-(count + 1) :, :, asset], dtype=np.float64)
        unknown = np.flatnonzero(np.isnan(logs[:, _CLOSE]))
        logs = logs[unknown[-1] + 1 :] if unknown.size else logs
        low = np.append(logs[:, _LOW], now.running[0, asset])
        high = np.append(logs[:, _HIGH], now.running[1, asset])
        sums = np.concatenate([[0.0], np.cumsum(range_variance(low, high))])
        begin = now.closed.end * self.bar
        knots = np.append(begin + self.bar * np.arange(-len(logs), 1.0), max(until, begin + 1.0))
        end = until if until < begin else float(knots[-1])
        windows = min(count, max(int((end - knots[0]) // self.bar), 0))
        edges = np.interp(end + self.bar * np.arange(-windows, 1.0), knots, sums)
        return np.asarray(np.maximum(np.diff(edges), 0.0))

    # --------------------------------------------------------------------- persistence

    def plain(self) -> dict[str, Any]:
        """Return the history as plain JSON, exact: the bars are compressed, in single precision."""
        dropped = (self.closed.end - len(self.closed)) - (self.basis.end - len(self.basis))
        bars = np.concatenate([self.basis.logs()[:dropped], self.closed.logs()])
        return {
            "bar": self.bar,
            "keep": self.keep,
            "refit": self.refit,
            "end": self.closed.end,
            "dropped": dropped,
            "basis_end": self.basis.end,
            "times": self.times.tolist(),
            "bars": _packed(bars),
            "running": _packed(self.running),
            "levels": _packed(self.levels),
        }

    @classmethod
    def restored(cls, plain: Mapping[str, Any]) -> "FeedHistory":
        """Return what `plain` wrote.

        Raises
        ------
        InvalidInputError
            If it is not that: a value is missing, or of another shape.
        """
        try:
            times = np.asarray(plain["times"], np.int64)
            assets, bar, end = len(times), int(plain["bar"]), int(plain["end"])
            rows = _unpacked(plain["bars"], (-1, 3, assets))
            basis_end, dropped = int(plain["basis_end"]), int(plain["dropped"])
            running, levels = _unpacked(plain["running"], (2, assets)), _unpacked(plain["levels"], (assets,))
            fresh = cls.fresh(assets, bar, int(plain["keep"]), int(plain["refit"]))
        except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
            raise InvalidInputError("history", str(error), "what FeedHistory.plain wrote") from error
        basis_bars = len(rows) - (end - basis_end)
        if not (0 <= dropped <= len(rows) and 0 <= basis_bars <= len(rows)):
            raise InvalidInputError("history", (len(rows), dropped, basis_bars), "bars of closed and basis")
        basis = _cut(bar, basis_end, rows[:basis_bars])
        closed = _cut(bar, end, rows[dropped:])
        return replace(fresh, closed=closed, basis=basis, running=running, levels=levels, times=times)

    def fits(self, other: "FeedHistory") -> bool:
        """Whether another history is over as many assets, by the same rules."""
        mine, others = ((h.bar, h.keep, h.refit, len(h.times)) for h in (self, other))
        return mine == others


def _cut(bar: int, end: int, rows: Logs) -> Bars:
    """Return rows as bars, in the blocks in which they were gathered."""
    return Bars(bar, end - len(rows), (), rows[:0]).extended(rows, len(rows))


def _packed(array: Logs) -> str:
    return base64.b64encode(zlib.compress(array.astype("<f4").tobytes(), 1)).decode()


def _unpacked(text: str, shape: tuple[int, ...]) -> Logs:
    data = zlib.decompress(base64.b64decode(text, validate=True))
    return np.frombuffer(data, "<f4").astype(np.float32).reshape(shape)
