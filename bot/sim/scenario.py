"""Which prices a replay plays, and in which window."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.resources import as_file, files
from pathlib import Path

from bot.errors import PriceFileError, ReplayOptionError
from bot.sim.prices import SLOT, Bars, read_bars
from bot.sim.synthetic import gap_crash, persistent_crash

ETH_PER_BTC = 30.0
"""Where no BTC prices are given, a BTC is worth this many ETH throughout: it moves with ETH."""


class ScenarioName(StrEnum):
    """The crashes that the project carries: Binance spot against USDT, and two that are made up."""

    BLACK_THURSDAY = "black-thursday"
    MAY_19 = "may-19"
    FTX = "ftx"
    PERSISTENT_CRASH = "persistent-crash"
    GAP_CRASH = "gap-crash"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Prices of ETH and BTC over one window.

    Parameters
    ----------
    name : str
        The crash's name, or the name of the price file.
    eth, btc : Bars
        Bars of one length that begin together and cover the window.
    start, end : int
        First and last block's time, unix seconds; a whole number of slots apart.
    """

    name: str
    eth: Bars
    btc: Bars
    start: int
    end: int


def bundled(name: ScenarioName) -> tuple[Bars, Bars]:
    """Return the ETH and BTC bars of a crash that the project carries."""
    if name is ScenarioName.PERSISTENT_CRASH:
        return persistent_crash()
    if name is ScenarioName.GAP_CRASH:
        return gap_crash()
    with as_file(files("bot.sim").joinpath("scenarios", f"{name.value}.csv")) as path:
        return read_bars(path, "eth_"), read_bars(path, "btc_")


def from_files(paths: Mapping[str, Path]) -> tuple[Bars, Bars]:
    """Return the ETH and BTC bars of price files; BTC moves with ETH where it has no file.

    Raises
    ------
    PriceFileError
        If a file cannot be used, or the two do not fit together.
    """
    eth = read_bars(paths["ETH"])
    if "BTC" not in paths:
        return eth, eth.scaled(ETH_PER_BTC, f"{eth.source} x {ETH_PER_BTC:g}")
    btc = read_bars(paths["BTC"])
    if btc.step != eth.step:
        problem = f"its bars are not as long as those of ETH ({eth.step} s)"
        raise PriceFileError(paths["BTC"], None, btc.step, problem, "give both in bars of one length")
    if (btc.start - eth.start) % eth.step:
        problem = f"its bars do not begin when those of ETH do ({eth.start})"
        raise PriceFileError(paths["BTC"], None, btc.start, problem, "align both files to the same clock")
    return eth, btc


def make_scenario(name: str, eth: Bars, btc: Bars, start: int | None, end: int | None) -> Scenario:
    """Cut both assets to the window that is played.

    Parameters
    ----------
    name : str
        For the report.
    eth, btc : Bars
        Prices.
    start, end : int or None
        Unix seconds; by default all that both assets cover. Moved to slots of 12 s within the bars.

    Raises
    ------
    ReplayOptionError
        If the window is empty or lies outside what the prices cover.
    """
    first, last = max(eth.start, btc.start), min(eth.end, btc.end)
    if first >= last:
        raise ReplayOptionError("--prices", f"{eth.source}, {btc.source}", "files that overlap in time")
    covered = f"within the prices ({show_time(first)} to {show_time(last)})"
    start, end = first if start is None else start, last if end is None else end
    if not first <= start < last:
        raise ReplayOptionError("--start", show_time(start), covered)
    if not first < end <= last:
        raise ReplayOptionError("--end", show_time(end), covered)
    start -= (start - first) % SLOT
    end = min(end, last - SLOT)
    end -= (end - start) % SLOT
    if end - start < SLOT:
        raise ReplayOptionError("--end", show_time(end), f"after --start ({show_time(start)})")
    return Scenario(name, eth.between(start, end + SLOT), btc.between(start, end + SLOT), start, end)


def parse_time(option: str, text: str) -> int:
    """Return unix seconds of ``2020-03-12T20:00`` (UTC unless it names an offset) or of unix seconds.

    Raises
    ------
    ReplayOptionError
        If it is neither.
    """
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        requirement = "a time such as 2020-03-12T20:00 (UTC) or unix seconds"
        raise ReplayOptionError(option, text, requirement) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def show_time(ts: int) -> str:
    """Return a time as people read it, UTC."""
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
