"""Scenarios: the crashes that the project carries, and the window that is played."""

from pathlib import Path

import numpy as np
import pytest

from bot.errors import PriceFileError, ReplayOptionError
from bot.sim.prices import Bars
from bot.sim.scenario import ScenarioName, bundled, from_files, make_scenario, parse_time, show_time

HOUR = 3600


def bars(begin: int = 0, count: int = 4, step: int = HOUR) -> Bars:
    prices = np.full(count, 100.0)
    return Bars("test", begin + step * np.arange(count), prices, prices + 1, prices - 1, prices, step)


@pytest.mark.parametrize(
    ("name", "hours", "first", "lowest"),
    [
        (ScenarioName.BLACK_THURSDAY, 30, "2020-03-12T06:00:00Z", 86.0),
        (ScenarioName.MAY_19, 24, "2021-05-19T00:00:00Z", 1888.0),
        (ScenarioName.FTX, 36, "2022-11-08T12:00:00Z", 1073.53),
    ],
)
def test_a_crash_that_is_carried_covers_its_hours(
    name: ScenarioName, hours: int, first: str, lowest: float
) -> None:
    eth, btc = bundled(name)
    assert (len(eth.ts), len(btc.ts), eth.step) == (hours, hours, HOUR)
    assert show_time(eth.start) == first
    assert eth.low.min() == lowest


def test_a_persistent_crash_falls_by_a_quarter_and_stays_there() -> None:
    for bars_ in bundled(ScenarioName.PERSISTENT_CRASH):
        assert bars_.close[-1] == pytest.approx(0.75 * bars_.open[0])
        assert bars_.high[24:].max() < 0.76 * bars_.open[0]
        assert (bars_.low <= np.minimum(bars_.open, bars_.close)).all()
        assert np.array_equal(bars_.open[1:], bars_.close[:-1])


def test_a_gap_crash_loses_a_fifth_in_two_minutes_and_35_per_cent_in_ten() -> None:
    for bars_ in bundled(ScenarioName.GAP_CRASH):
        first = bars_.open[0]
        assert bars_.step == 60
        assert bars_.close[29] == pytest.approx(first)
        assert bars_.close[31] == pytest.approx(0.8 * first)
        assert bars_.close[39] == pytest.approx(0.65 * first)
        assert bars_.close[-1] == pytest.approx(0.65 * first)
        assert np.array_equal(bars_.open[1:], bars_.close[:-1])


def test_btc_moves_with_eth_where_it_has_no_file(tmp_path: Path) -> None:
    path = tmp_path / "eth.csv"
    path.write_text("ts,open,high,low,close\n0,100,110,90,105\n3600,105,106,100,101\n")
    eth, btc = from_files({"ETH": path})
    assert np.allclose(btc.close / eth.close, btc.open[0] / eth.open[0])


def test_files_of_bars_of_different_length_are_refused(tmp_path: Path) -> None:
    for name, step in (("eth", 3600), ("btc", 60)):
        rows = "".join(f"{step * i},100,110,90,105\n" for i in range(3))
        (tmp_path / f"{name}.csv").write_text(f"ts,open,high,low,close\n{rows}")
    with pytest.raises(PriceFileError, match="not as long as those of ETH"):
        from_files({"ETH": tmp_path / "eth.csv", "BTC": tmp_path / "btc.csv"})


def test_a_window_defaults_to_all_that_both_assets_cover() -> None:
    scenario = make_scenario("x", bars(0, 4), bars(HOUR, 4), None, None)
    assert (scenario.start, scenario.end) == (HOUR, 4 * HOUR - 12)
    assert scenario.eth.ts.tolist() == scenario.btc.ts.tolist() == [HOUR, 2 * HOUR, 3 * HOUR]


def test_a_window_begins_and_ends_on_slots() -> None:
    scenario = make_scenario("x", bars(), bars(), 13, 3605)
    assert (scenario.start, scenario.end) == (12, 3600)


@pytest.mark.parametrize(
    ("start", "end"), [(-1, None), (4 * HOUR, None), (0, 5 * HOUR), (7200, 7200), (7200, 60)]
)
def test_a_window_outside_the_prices_or_empty_is_refused(start: int, end: int | None) -> None:
    with pytest.raises(ReplayOptionError, match=r"--(start|end)"):
        make_scenario("x", bars(), bars(), start, end)


def test_prices_that_do_not_overlap_are_refused() -> None:
    with pytest.raises(ReplayOptionError, match="overlap"):
        make_scenario("x", bars(0, 2), bars(10 * HOUR, 2), None, None)


@pytest.mark.parametrize(
    "text", ["1584043200", "2020-03-12T20:00", "2020-03-12T20:00:00Z", "2020-03-12T21:00+01:00"]
)
def test_a_time_is_unix_seconds_or_utc_unless_it_says_otherwise(text: str) -> None:
    assert parse_time("--start", text) == 1584043200


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ReplayOptionError, match="--start must be a time"):
        parse_time("--start", "yesterday")
