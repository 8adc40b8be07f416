"""Price bars: reading them from files, and refusing what cannot be a price.

A file has the columns ``ts,open,high,low,close[,volume]``, one row per bar, by rising ``ts`` (unix seconds
of the bar's beginning), all bars of one length, without a gap. Nothing is repaired silently: whatever is
wrong is refused with its line, its value and what to do, because a replay of a mended file would be a replay
of nothing.
"""

import csv
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bot.errors import PriceFileError, ReplayOptionError

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

SLOT = 12
"""Seconds between two blocks of a proof-of-stake chain; every time in a replay is a multiple of it apart."""

SHORTEST_BAR = 5 * SLOT
"""A bar needs room for its open, both extremes and its close."""

SPIKE = 10.0
"""A price this many times above or below its neighbours is taken for a fault of the source."""

NEIGHBOURS = 2
"""Bars on each side that a price is compared with."""

MILLISECONDS = 10**11
"""No unix time in seconds is that large before the year 5138."""

COLUMNS = ("open", "high", "low", "close")


class _Row(NamedTuple):
    line: int
    ts: int
    prices: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Bars:
    """Prices of one asset, bar by bar.

    Parameters
    ----------
    source : str
        Where they come from, for messages.
    ts : (n,) int array
        Beginning of each bar, unix seconds, evenly spaced.
    open, high, low, close : (n,) float array
        US dollars, positive; open and close within low and high.
    step : int
        Length of a bar, seconds.
    """

    source: str
    ts: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    step: int

    @property
    def start(self) -> int:
        """Beginning of the first bar, unix seconds."""
        return int(self.ts[0])

    @property
    def end(self) -> int:
        """End of the last bar, unix seconds."""
        return int(self.ts[-1]) + self.step

    def between(self, start: int, end: int) -> "Bars":
        """Return the bars that overlap ``[start, end)``."""
        return self._kept((self.ts + self.step > start) & (self.ts < end))

    def _kept(self, keep: npt.NDArray[np.bool_]) -> "Bars":
        return replace(
            self,
            ts=self.ts[keep],
            open=self.open[keep],
            high=self.high[keep],
            low=self.low[keep],
            close=self.close[keep],
        )

    def until(self, end: int) -> "Bars":
        """Return the bars that end by a time."""
        return self._kept(self.ts + self.step <= end)

    def scaled(self, factor: float, source: str) -> "Bars":
        """Return an asset whose price is always ``factor`` times this one's."""
        return replace(
            self,
            source=source,
            open=self.open * factor,
            high=self.high * factor,
            low=self.low * factor,
            close=self.close * factor,
        )


def read_bars(path: Path, prefix: str = "") -> Bars:
    """Read and check a price file.

    Parameters
    ----------
    path : Path
        A CSV file.
    prefix : str
        What the price columns' names begin with (``"eth_"`` in the scenarios, which hold two assets).

    Raises
    ------
    PriceFileError
        If the file cannot be read, or any row of it cannot be used; names the line, the value and the fix.
    """
    rows = list(_rows(path, prefix))
    if len(rows) < 2:
        raise PriceFileError(path, None, len(rows), "at least two bars are needed", "give a longer file")
    step = _check_times(path, rows)
    for index, row in enumerate(rows):
        _check_bar(path, row)
        _check_spike(path, rows, index)
    opening, high, low, close = np.array([row.prices for row in rows], dtype=np.float64).T
    return Bars(
        path.name, np.array([row.ts for row in rows], dtype=np.int64), opening, high, low, close, step
    )


def _rows(path: Path, prefix: str) -> Iterator[_Row]:
    """Parse the rows of a file, its header checked."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            indices = _columns(path, next(reader, []), prefix)
            for line, fields in enumerate(reader, start=2):
                if fields:
                    yield _parse(path, line, fields, indices)
    except OSError as error:
        fix = "check the path and its permissions"
        raise PriceFileError(path, None, error.strerror, "the file cannot be read", fix) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise PriceFileError(path, None, str(error), "the file is no CSV text", "save it as UTF-8") from error


def _columns(path: Path, header: Sequence[str], prefix: str) -> list[int]:
    """Return where ts, open, high, low and close stand in the header."""
    names = [name.strip().lower() for name in header]
    wanted = ["ts", *(prefix + name for name in COLUMNS)]
    for name in wanted:
        if names.count(name) != 1:
            fix = f"the header must be {','.join(wanted)} (volume may follow)"
            raise PriceFileError(path, 1, ",".join(header), f"column {name!r} is needed exactly once", fix)
    return [names.index(name) for name in wanted]


def _parse(path: Path, line: int, fields: Sequence[str], indices: Sequence[int]) -> _Row:
    """Turn the fields of a line into numbers."""
    if len(fields) <= max(indices):
        raise PriceFileError(path, line, ",".join(fields), "the row is short", "give every column a value")
    ts_text, *texts = (fields[index].strip() for index in indices)
    prices = [_number(path, line, name, text) for name, text in zip(COLUMNS, texts, strict=True)]
    return _Row(line, _time(path, line, ts_text), (prices[0], prices[1], prices[2], prices[3]))


def _number(path: Path, line: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise PriceFileError(path, line, text, f"{name} is no number", "give a price in US dollars") from None
    if not math.isfinite(value):
        raise PriceFileError(path, line, text, f"{name} is not finite", "give the real price")
    if value <= 0:
        fix = "a zero is a fault of the source: give the real price"
        raise PriceFileError(path, line, text, f"{name} must be above zero", fix)
    return value


def _time(path: Path, line: int, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        fix = "give whole unix seconds"
        raise PriceFileError(path, line, text, "ts is no whole number", fix) from None
    if not 0 <= value < MILLISECONDS:
        fix = "give unix seconds (divide milliseconds by 1,000)"
        raise PriceFileError(path, line, text, "ts is no time in unix seconds", fix)
    return value


def _check_times(path: Path, rows: Sequence[_Row]) -> int:
    """Return the length of a bar, having checked that the rows are evenly spaced by it."""
    for before, row in pairwise(rows):
        if row.ts == before.ts:
            raise PriceFileError(path, row.line, row.ts, "ts is a duplicate", "keep one row for each bar")
        if row.ts < before.ts:
            fix = "sort the file by ts"
            raise PriceFileError(path, row.line, row.ts, f"ts is before the row above ({before.ts})", fix)
    steps = Counter(row.ts - before.ts for before, row in pairwise(rows))
    step = min(steps, key=lambda seconds: (-steps[seconds], seconds))
    for before, row in pairwise(rows):
        if row.ts - before.ts != step:
            problem = f"bars are {step} s apart, this one begins {row.ts - before.ts} s after the one above"
            fix = "fill the gap with real bars, or cut the file there"
            raise PriceFileError(path, row.line, row.ts, problem, fix)
    if step % SLOT or step < SHORTEST_BAR:
        fix = f"give bars of a multiple of {SLOT} s, at least {SHORTEST_BAR} s (one minute, one hour)"
        raise PriceFileError(path, None, step, "the length of a bar cannot be played", fix)
    return step


def _check_bar(path: Path, row: _Row) -> None:
    """Check that a bar's extremes enclose it."""
    opening, high, low, close = row.prices
    if high < low:
        raise PriceFileError(path, row.line, high, f"high is below low ({low})", "correct the row")
    for name, value in (("open", opening), ("close", close)):
        if not low <= value <= high:
            problem = f"{name} is outside low and high ({low} to {high})"
            raise PriceFileError(path, row.line, value, problem, "correct the row")


def _check_spike(path: Path, rows: Sequence[_Row], index: int) -> None:
    """Refuse prices that no neighbour comes near: on real exchanges such prints are errors, not prices."""
    near = rows[max(0, index - NEIGHBOURS) : index + NEIGHBOURS + 1]
    level = statistics.median(row.prices[3] for row in near)
    for name, value in zip(COLUMNS, rows[index].prices, strict=True):
        ratio = max(value / level, level / value)
        if ratio > SPIKE:
            problem = f"{name} is {ratio:,.0f} times off its neighbours (about {level:g})"
            fix = "a spike like this is a misprint: give the price that could be traded"
            raise PriceFileError(path, rows[index].line, value, problem, fix)


def parse_prices_option(text: str) -> dict[str, Path]:
    """Split ``ETH=FILE.csv,BTC=FILE.csv`` into files by asset.

    Raises
    ------
    ReplayOptionError
        If a part is not ``ETH=FILE`` or ``BTC=FILE``, comes twice, or ETH is missing.
    """
    files: dict[str, Path] = {}
    for part in text.split(","):
        name, separator, file = part.partition("=")
        asset = name.strip().upper()
        if not separator or not file.strip() or asset not in {"ETH", "BTC"}:
            raise ReplayOptionError("--prices", part, "ETH=FILE.csv[,BTC=FILE.csv]")
        if asset in files:
            raise ReplayOptionError("--prices", text, f"given once for each asset ({asset} comes twice)")
        files[asset] = Path(file.strip())
    if "ETH" not in files:
        raise ReplayOptionError("--prices", text, "ETH=FILE.csv[,BTC=FILE.csv]: ETH is needed")
    return files
