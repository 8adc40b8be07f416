"""Real prices, read from the folder beside the project and never copied into it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[2]
PRICES = ROOT.parent / "shared" / "data" / "prices"

ASSETS = ("ETH", "BTC", "LINK")
DAY = 86_400

FILES: dict[tuple[str, int], Sequence[str]] = {
    ("ETH", 300): (
        "2020-03_black_thursday/ETHUSDT_5m_binance.csv",
        "long/ETHUSDT_5m_2020-12_2022-05.csv.gz",
        "2022-11_ftx/ETHUSDT_5m_binance.csv",
    ),
    ("BTC", 300): (
        "2020-03_black_thursday/BTCUSDT_5m_binance_partial.csv",
        "long/BTCUSDT_5m_2020-12_2022-05.csv.gz",
        "2022-11_ftx/BTCUSDT_5m_binance.csv",
    ),
    ("LINK", 300): (
        "2021-05_may19/LINKUSDT_5m_binance.csv",
        "2022-05_luna/LINKUSDT_5m_binance.csv",
        "2022-11_ftx/LINKUSDT_5m_binance.csv",
    ),
    **{(asset, 3600): (f"long/{asset}USDT_1h_to_2022-05.csv.gz",) for asset in ASSETS},
}
"""Files by asset and seconds per bar, in order of time."""

BAD_PRINT = 0.5
"""A low below this share of open and close is a bad print: LINK once shows 0.0001 for 3 dollars."""


class Bars(NamedTuple):
    """Consecutive bars without a gap of a day; logarithms of prices, times of the close."""

    time: npt.NDArray[np.int64]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray


def available() -> bool:
    """Tell whether the data folder is there."""
    return all((PRICES / name).exists() for names in FILES.values() for name in names)


def load(asset: str, seconds: int) -> list[Bars]:
    """Read an asset's bars, bad prints mended from the bar itself, split where a day is missing."""
    frames = [pd.read_csv(PRICES / name) for name in FILES[asset, seconds]]
    table = pd.concat(frames).drop_duplicates("ts").sort_values("ts")
    body = table[["open", "close"]].min(axis=1)
    table["low"] = table["low"].where(table["low"] >= BAD_PRINT * body, body)
    time = table["ts"].to_numpy(dtype=np.int64)
    logs = [np.log(table[name].to_numpy(dtype=np.float64)) for name in ("open", "high", "low", "close")]
    cuts = np.flatnonzero(np.diff(time) > DAY) + 1
    pieces = zip(*(np.split(column, cuts) for column in (time + seconds, *logs)), strict=True)
    return [Bars(*piece) for piece in pieces if piece[0].size * seconds >= 2 * DAY]
