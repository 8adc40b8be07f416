"""The keeper's forecast as the keeper makes it: Brownian motions, and what is learnt from the feeds' past.

``python -m benchmarks.live_forecast`` plays prices through the code that the keeper runs on every head: the
feeds publish by the replay's rule, `LiveCovariance` and its history take each round, `outlook_of` forecasts a
book of accounts. Then it looks. First three crashes, whose minutes are known from 5-minute bars, forecast
every five minutes; then seventeen months, forecast every six hours, because a forecast that is right in a
crash alone is merely always high. Nothing is known of what comes later: the past ends where a crash begins,
and refits take what is complete.

Each asset is held against a stable debt, and owed against a stable collateral; health factors are drawn
evenly from four buckets. An account fails if the feed's price, within the horizon, takes its health to 1.
Prices are read from the folder beside the project; without it the benchmark says so and ends.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.calibration.data import BAD_PRINT, PRICES
from bot.domain.scoring import brier
from bot.domain.volatility import FeedHistory, LiveCovariance
from bot.sim.feed import DECIMALS, Round, rounds_of, to_answer
from bot.sim.path import build_path
from bot.sim.prices import Bars
from bot.sim.scenario import make_scenario, parse_time
from bot.strategy.outlook import OutlookSettings, outlook_of
from tests.support.snapshots import SYMBOLS, THRESHOLDS, WEIGHTS, Scene

FloatArray = npt.NDArray[np.float64]
Rounds = list[tuple[int, float]]
"""Time and price of what a feed published."""

BUCKETS: Final = ((1.0, 1.02), (1.02, 1.05), (1.05, 1.1), (1.1, 1.2))
PER_BUCKET: Final = 8
"""Accounts of each asset, side and bucket, drawn anew at each origin."""
ASSETS: Final = ("ETH", "BTC")
DAY: Final = 86_400
HOUR: Final = 3_600
STABLE_THRESHOLD: Final = 0.9
REMEMBERED: Final = 800 * DAY


class Past(NamedTuple):
    """Price files by asset, and the seconds of a bar in which they are learnt."""

    files: tuple[str, str]
    bar: int


class Crash(NamedTuple):
    """A window of prices, 5-minute bars where there are any."""

    name: str
    files: tuple[str, str]
    start: str
    end: str


HOURS: Final = Past(("long/ETHUSDT_1h_to_2022-05.csv.gz", "long/BTCUSDT_1h_to_2022-05.csv.gz"), HOUR)
MINUTES: Final = Past(
    ("long/ETHUSDT_5m_2020-12_2022-05.csv.gz", "long/BTCUSDT_5m_2020-12_2022-05.csv.gz"), 300
)
THURSDAY: Final = Crash(
    "Black Thursday",
    ("2020-03_black_thursday/ETHUSDT_5m_binance.csv", "2020-03_black_thursday/BTCUSDT_30m_binance.csv"),
    "2020-03-12T06:00",
    "2020-03-13T12:00",
)
MAY: Final = Crash(
    "19 May 2021",
    ("2021-05_may19/ETHUSDT_5m_binance.csv", "2021-05_may19/BTCUSDT_5m_binance.csv"),
    "2021-05-19T00:00",
    "2021-05-20T00:00",
)
LUNA: Final = Crash(
    "Luna, May 2022",
    ("2022-05_luna/ETHUSDT_5m_binance.csv", "2022-05_luna/BTCUSDT_5m_binance.csv"),
    "2022-05-11T00:00",
    "2022-05-13T00:00",
)
RUNS: Final = (
    (THURSDAY, HOURS, HOUR),
    (THURSDAY, HOURS, DAY),
    (MAY, MINUTES, 600),
    (MAY, MINUTES, HOUR),
    (MAY, HOURS, DAY),
    (LUNA, MINUTES, 600),
    (LUNA, MINUTES, HOUR),
    (LUNA, HOURS, DAY),
)
MONTHS: Final = ((MINUTES, 600, "2021-01-01"), (MINUTES, HOUR, "2021-01-01"), (HOURS, DAY, "2021-01-01"))
MONTHS_END: Final = "2022-05-25"


class Scores(NamedTuple):
    """Forecasts and outcomes, (n,) each."""

    bucket: npt.NDArray[np.int64]
    happened: FloatArray
    brownian: FloatArray
    learnt: FloatArray


def main() -> None:
    """Play the crashes and the months, and print what was forecast and what happened."""
    if not (PRICES / HOURS.files[0]).exists():
        print("Skipped: no price data in ../shared/data/prices.")
        sys.exit(0)
    for crash, past, horizon in RUNS:
        start, end = parse_time("start", crash.start), parse_time("end", crash.end)
        feeds = [_minutely(_bars(name, end).between(start, end), start, end) for name in crash.files]
        # The last origins of a day's horizon see the end of the prices, and not the day.
        last = end - min(horizon, (end - start) // 2)
        print(f"{crash.name}, {_time(horizon)} ahead, learnt from bars of {_time(past.bar)}:")
        print(table(play(_warm(past, start), feeds, range(start + 300, last, 300), horizon)), flush=True)
    for past, horizon, begin in MONTHS:
        start, end = parse_time("start", begin), parse_time("end", MONTHS_END)
        feeds = [
            list(rounds_of(_bars(name, end + 2 * DAY).between(start, end + 2 * DAY))) for name in past.files
        ]
        print(f"January 2021 to May 2022, {_time(horizon)} ahead, learnt from bars of {_time(past.bar)}:")
        print(table(play(_warm(past, start), feeds, range(start + DAY, end, 6 * HOUR), horizon)), flush=True)


def table(scores: Scores) -> str:
    """Write forecasts and outcomes by bucket of health, and for all."""
    lines = ["  health         forecasts happened  Brownian  learnt   Brier Brownian  learnt  skill"]
    for number, (low, high) in [*enumerate(BUCKETS), (-1, (BUCKETS[0][0], BUCKETS[-1][1]))]:
        own = scores.bucket == number if number >= 0 else scores.bucket >= 0
        happened, first, second = scores.happened[own], scores.brownian[own], scores.learnt[own]
        one, two = brier(first, happened), brier(second, happened)
        skill = f"{1.0 - two / one:6.1%}" if happened.any() else "     -"
        lines.append(
            f"  [{low:.2f}, {high:.2f}) {own.sum():9d} {happened.mean():8.1%} {first.mean():9.1%} "
            f"{second.mean():7.1%}         {one:.4f}  {two:.4f} {skill}"
        )
    return "\n".join(lines)


def _time(seconds: int) -> str:
    for unit, length in (("day", DAY), ("h", HOUR)):
        if seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds // 60} min"


# ------------------------------------------------------------------------------------ prices


def _bars(file: str, until: int) -> Bars:
    """Read the bars of a file that end by a time, bad prints mended from the bar itself."""
    frame = pd.read_csv(PRICES / file).drop_duplicates("ts").sort_values("ts")
    step = int(frame["ts"].diff().min())
    frame = frame[(frame["ts"] + step <= until) & (frame["ts"] > until - REMEMBERED)]
    body = frame[["open", "close"]].min(axis=1)
    frame["low"] = frame["low"].where(frame["low"] >= BAD_PRINT * body, body)
    first, high, low, last = (frame[name].to_numpy(np.float64) for name in ("open", "high", "low", "close"))
    return Bars(file, frame["ts"].to_numpy(np.int64), first, high, low, last, step)


def _minutely(bars: Bars, start: int, end: int) -> Rounds:
    """Return what a feed publishes over bars with a block every 12 seconds."""
    path = build_path(make_scenario(bars.source, bars, bars, start, end), seed=1)
    return list(_published(path.ts.tolist(), path.eth.tolist()))


def _published(times: Sequence[int], prices: Sequence[float]) -> Iterator[tuple[int, float]]:
    last = Round(0, 0)
    for time, price in zip(times, prices, strict=True):
        answer = to_answer(price)
        if last.is_due(answer, time):
            last = Round(answer, time)
            yield time, answer / 10**DECIMALS


def _merged(feeds: Sequence[Rounds]) -> list[tuple[int, int, float]]:
    return sorted((time, index, price) for index, own in enumerate(feeds) for time, price in own)


def _warm(past: Past, until: int) -> LiveCovariance:
    """Return what the keeper knows at a moment, had it been started with the files of the past."""
    history = FeedHistory.fresh(len(SYMBOLS), past.bar, refit=DAY // past.bar)
    state = LiveCovariance.fresh(len(SYMBOLS), history=history)
    for time, index, price in _merged([list(rounds_of(_bars(name, until))) for name in past.files]):
        state = state.after(index, time, price)
    return state


# ---------------------------------------------------------------------------------- forecasts


def play(state: LiveCovariance, feeds: Sequence[Rounds], origins: Sequence[int], horizon_s: int) -> Scores:
    """Forecast at every origin by what the feeds have published, and look at what they publish next."""
    due, used = _merged(feeds), 0
    columns = [(np.array([t for t, _ in own]), np.array([p for _, p in own])) for own in feeds]
    generator = np.random.default_rng(20_200_312)
    found = []
    for now in origins:
        while used < len(due) and due[used][0] <= now:
            time, index, price = due[used]
            state, used = state.after(index, time, price), used + 1
        if all(now - times[times <= now][-1] < DAY for times, _ in columns):
            found.append(_origin(columns, state, now, horizon_s, generator))
    return Scores(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _origin(
    feeds: Sequence[tuple[npt.NDArray[np.int64], FloatArray]],
    state: LiveCovariance,
    now: int,
    horizon_s: int,
    generator: np.random.Generator,
) -> Scores:
    scene = Scene()
    buckets: list[int] = []
    happened: list[bool] = []
    for index, (times, prices) in enumerate(feeds):
        symbol, price = SYMBOLS[index], float(prices[times <= now][-1])
        ahead = prices[(times > now) & (times <= now + horizon_s)]
        deepest, highest = float(np.min(ahead, initial=price)), float(np.max(ahead, initial=price))
        threshold, weight = THRESHOLDS[index] / 10**4, WEIGHTS[index] / 10**4
        scene.prices[symbol] = price
        for bucket, bounds in enumerate(BUCKETS):
            for health in generator.uniform(*bounds, PER_BUCKET):
                scene.account({symbol: 1.0}, {"USDC": price * threshold / health})
                scene.account({"USDC": price * weight / STABLE_THRESHOLD * health}, {symbol: 1.0})
                buckets += [bucket, bucket]
                happened += [deepest * health <= price, highest >= price * health]
    snapshot = replace(scene.shoot(), timestamp=now, covariance=state)
    brownian, learnt = (
        outlook_of(snapshot, OutlookSettings(horizon_s=horizon_s, learn=learn), slippage=0.02)
        for learn in (False, True)
    )
    assert brownian is not None
    assert learnt is not None
    # Where the past is too short both are the same, and nothing is compared.
    count = len(buckets) if learnt.learnt else 0
    return Scores(
        np.array(buckets[:count], np.int64),
        np.array(happened[:count], np.float64),
        brownian.liquidatable[:count],
        learnt.liquidatable[:count],
    )


if __name__ == "__main__":
    main()
