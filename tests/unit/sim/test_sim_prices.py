"""Price files: what is read, and what is refused with its line, its value and the fix."""

from pathlib import Path

import pytest

from bot.errors import PriceFileError, ReplayOptionError
from bot.sim.prices import parse_prices_option, read_bars

HEADER = "ts,open,high,low,close"
HOURS = [f"{3600 * i},100,101,99,100.5" for i in range(6)]


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "eth.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def refusal(folder: Path, *rows: str, header: str = HEADER) -> PriceFileError:
    with pytest.raises(PriceFileError) as caught:
        read_bars(written(folder, *rows, header=header))
    return caught.value


def test_bars_are_read_with_their_length_and_span(tmp_path: Path) -> None:
    bars = read_bars(written(tmp_path, *HOURS))
    assert (bars.step, bars.start, bars.end) == (3600, 0, 6 * 3600)
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0]) == (100, 101, 99, 100.5)


def test_a_volume_column_and_another_order_of_columns_are_accepted(tmp_path: Path) -> None:
    rows = [f"{7 * i},100,99,101,{60 * i},100" for i in range(3)]
    bars = read_bars(written(tmp_path, *rows, header="volume,close,low,high,ts,open"))
    assert bars.step == 60
    assert bars.low[0] == 99


def test_bars_between_two_times_are_those_that_overlap_them(tmp_path: Path) -> None:
    bars = read_bars(written(tmp_path, *HOURS)).between(3700, 2 * 3600 + 1)
    assert bars.ts.tolist() == [3600, 7200]


def test_a_gap_is_refused_with_its_line_and_length(tmp_path: Path) -> None:
    error = refusal(tmp_path, *HOURS[:3], *HOURS[4:])
    assert error.row == 5
    assert error.value == 4 * 3600
    assert "7200 s after" in str(error)
    assert "fill the gap" in str(error)


def test_a_zero_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, *HOURS[:2], "7200,100,101,0,100", *HOURS[3:])
    assert (error.row, error.value) == (4, "0")
    assert "low must be above zero" in str(error)


def test_a_thousandfold_spike_is_refused_though_its_bar_is_consistent(tmp_path: Path) -> None:
    link = [f"{3600 * i},2,2.1,1.9,2" for i in range(6)]
    error = refusal(tmp_path, *link[:3], "10800,2,2.1,0.0001,2", *link[4:])
    assert (error.row, error.value) == (5, 0.0001)
    assert "20,000 times off its neighbours" in str(error)
    assert "misprint" in str(error)


def test_a_spike_upward_in_one_close_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, *HOURS[:3], "10800,100,100000,99,100", *HOURS[4:])
    assert (error.row, error.value) == (5, 100000)


def test_a_halving_within_an_hour_is_a_crash_and_not_a_spike(tmp_path: Path) -> None:
    assert read_bars(written(tmp_path, *HOURS[:3], "10800,100,101,45,50")).low[3] == 45


def test_unsorted_rows_are_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, HOURS[0], HOURS[2], HOURS[1])
    assert (error.row, error.value) == (4, 3600)
    assert "sort the file" in str(error)


def test_duplicate_rows_are_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, *HOURS[:2], HOURS[1])
    assert (error.row, error.value) == (4, 3600)
    assert "duplicate" in str(error)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_price_that_is_not_finite_is_refused(tmp_path: Path, text: str) -> None:
    error = refusal(tmp_path, HOURS[0], f"3600,{text},101,99,100")
    assert (error.row, error.value) == (3, text)


def test_a_negative_price_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, HOURS[0], "3600,100,101,-99,100").value == "-99"


def test_a_price_that_is_no_number_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, HOURS[0], "3600,100,x,99,100").value == "x"


def test_high_below_low_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, HOURS[0], "3600,100,98,99,98.5")
    assert error.row == 3
    assert "high is below low" in str(error)


@pytest.mark.parametrize(("row", "name"), [("3600,102,101,99,100", "open"), ("3600,100,101,99,98", "close")])
def test_a_price_outside_its_bar_is_refused(tmp_path: Path, row: str, name: str) -> None:
    assert f"{name} is outside low and high" in str(refusal(tmp_path, HOURS[0], row))


def test_a_missing_column_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, "0,1,1,1", header="ts,open,high,low")
    assert error.row == 1
    assert "'close' is needed" in str(error)


def test_a_short_row_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, HOURS[0], "3600,100").row == 3


def test_milliseconds_are_refused_with_the_conversion(tmp_path: Path) -> None:
    error = refusal(tmp_path, "1583992800000,100,101,99,100")
    assert "divide milliseconds" in str(error)


def test_a_single_bar_is_refused(tmp_path: Path) -> None:
    assert "at least two bars" in str(refusal(tmp_path, HOURS[0]))


@pytest.mark.parametrize("step", [12, 90])
def test_bars_whose_length_cannot_be_played_are_refused(tmp_path: Path, step: int) -> None:
    error = refusal(tmp_path, *(f"{step * i},100,101,99,100" for i in range(3)))
    assert error.value == step


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PriceFileError, match=r"nowhere\.csv: the file cannot be read"):
        read_bars(tmp_path / "nowhere.csv")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "eth.csv"
    path.write_bytes(b"\xff\xfe\x00ts")
    with pytest.raises(PriceFileError, match="no CSV text"):
        read_bars(path)


def test_the_prices_option_names_a_file_for_each_asset() -> None:
    assert parse_prices_option("ETH=a.csv, btc=b.csv") == {"ETH": Path("a.csv"), "BTC": Path("b.csv")}


@pytest.mark.parametrize(
    "text", ["a.csv", "BTC=b.csv", "ETH=", "DOGE=d.csv,ETH=a.csv", "ETH=a.csv,ETH=b.csv"]
)
def test_a_prices_option_that_names_no_eth_or_another_asset_is_refused(text: str) -> None:
    with pytest.raises(ReplayOptionError, match="--prices"):
        parse_prices_option(text)
