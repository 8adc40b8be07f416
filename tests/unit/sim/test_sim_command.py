"""``sluice replay`` with bad input: a clear error, a status other than zero, nothing started or written."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner

from bot.cli import replay as command
from bot.cli.main import app

HOURS = "".join(f"{1584043200 + 3600 * i},100,101,99,100\n" for i in range(6))


PROMISED = ("scenario", "prices", "start", "end", "accounts", "seed", "book", "pool-depth", "recovery")
PROMISED += ("gas-price", "json", "out")


@pytest.fixture(autouse=True)
def _starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a replay would begin."""

    def refuse(*_: object) -> None:
        raise AssertionError("the replay was started")

    monkeypatch.setattr(command, "run_replay", refuse)


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """Return a folder for the report, and check that a refused replay does not make it."""
    folder = tmp_path / "out"
    yield folder
    assert not folder.exists()


Refused: TypeAlias = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Return a function that runs the command, which must fail, and returns its error in one line."""

    def run(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            app(["replay", *arguments], prog_name="sluice")
        assert ended.value.code == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert "Traceback" not in said.err
        return " ".join(said.err.split())

    return run


def test_a_bad_price_file_is_refused_with_line_and_fix(tmp_path: Path, out: Path, refused: Refused) -> None:
    path = tmp_path / "eth.csv"
    path.write_text("ts,open,high,low,close\n" + HOURS.replace("99", "0.0001", 1))
    said = refused("--prices", f"ETH={path}", "--out", str(out))
    assert "eth.csv, line 2: low is 1,000,000 times off" in said
    assert "misprint" in said


def test_a_book_with_an_unknown_asset_is_refused_before_anything_starts(
    tmp_path: Path, out: Path, refused: Refused
) -> None:
    path = tmp_path / "book.csv"
    path.write_text("id,collateral_asset,collateral_amount,debt_asset,debt_amount\na,DOGE,1,USDC,600\n")
    said = refused("--book", str(path), "--out", str(out))
    assert "line 2: collateral_asset is not listed, got 'DOGE'; use one of USDC, WBTC, WETH" in said


def test_a_book_with_a_negative_amount_is_refused_before_anything_starts(
    tmp_path: Path, out: Path, refused: Refused
) -> None:
    path = tmp_path / "book.csv"
    path.write_text("id,collateral_asset,collateral_amount,debt_asset,debt_amount\na,WETH,-3,USDC,600\n")
    assert "got '-3'" in refused("--book", str(path), "--out", str(out))


def test_a_port_in_use_is_refused_by_number(out: Path, refused: Refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"port {port} of 127.0.0.1 cannot be used" in refused("--port", str(port), "--out", str(out))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--pool-depth", "0"], "--pool-depth must be from 0.0001 to 100, got 0.0"),
        (["--pool-depth", "nan"], "--pool-depth"),
        (["--recovery", "-1"], "--recovery must be from 1"),
        (["--gas-price", "0"], "--gas-price must be from 0.001"),
        (["--accounts", "0"], "--accounts must be from 1"),
        (["--seed", "-1"], "--seed must be from 0"),
        (["--max-blocks", "3"], "--max-blocks must be from 10"),
        (["--port", "70000"], "--port must be from 1 to 65535"),
        (["--start", "noon"], "--start must be a time"),
        (["--start", "2021-01-01"], "--start must be within the prices"),
        (["--end", "2020-03-12T06:00"], "--end must be within the prices"),
        (["--prices", "ETH=x.csv", "--scenario", "ftx"], "one of the two"),
        (["--prices", "x.csv"], "--prices must be ETH=FILE.csv"),
        (["--book", "b.csv", "--accounts", "20"], "given without --book"),
    ],
)
def test_an_option_outside_what_it_may_be_is_refused_by_name(
    arguments: list[str], named: str, out: Path, refused: Refused
) -> None:
    assert named in refused(*arguments, "--out", str(out))


def test_an_out_that_is_a_file_is_refused(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    assert "--out must be a folder" in refused("--out", str(path))
    assert path.read_text() == "mine"


def test_the_help_names_every_option_that_is_promised() -> None:
    shown = CliRunner().invoke(app, ["replay", "--help"], env={"COLUMNS": "200"}).stdout
    for option in PROMISED:
        assert f"--{option}" in shown
