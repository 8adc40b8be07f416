"""``sluice what-if`` and ``sluice ladder``, on a book made by hand."""

import json
import re
from pathlib import Path

import pytest

from bot.cli.main import app
from bot.config import Settings
from bot.ports import Head
from bot.strategy.snapshot import Snapshot
from tests.support.keeper import a_head
from tests.support.snapshots import WBTC, Scene, pool_at

HEAD = a_head(100)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        app(list(arguments), prog_name="sluice")
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


@pytest.fixture(autouse=True)
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    made = Scene(pools=[pool_at(200, 1e6), pool_at(8_000, 1e6, WBTC)])
    made.account({"WETH": 1_000}, {"USDC": 140_000})
    made.account({"WBTC": 10}, {"USDC": 40_000})
    made.account({"USDC": 20_000}, {"WETH": 70})

    async def read(settings: Settings) -> tuple[Head, Snapshot]:
        return HEAD, made.shoot()

    monkeypatch.setattr("bot.bootstrap.read_snapshot", read)
    for module in ("what_if", "ladder"):
        monkeypatch.setattr(f"bot.cli.{module}.read_snapshot", read)
    return made


# -------------------------------------------------------------------------------- what-if


def test_a_fall_tells_who_what_where_and_what_stays_unpaid(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "what-if", "--shock", "ETH=-20%", "--shock", "BTC=-15%")
    assert status == 0, err
    for part in (
        "block 100, WETH 200.00 to 160.00, WBTC 8,000.00 to 6,800.00",
        "1 of 3 accounts",
        "140,000",
        "0x0000000000000000000000000000000000000000",
        "of depth at 2.0%",
        "bad debt 0",
    ):
        assert part in out


def test_on_80_columns_addresses_are_whole_and_nothing_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, scene: Scene
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    scene.account({"WETH": 1_000_000}, {"USDC": 190_000_000})
    _, out, _ = run(capsys, "what-if", "--shock", "ETH=-20%", "--shock", "BTC=-15%")
    assert max(map(len, out.splitlines())) <= 80
    assert "\u2026" not in out
    assert "0x0000000000000000000000000000000000000003" in out.split()
    assert "* below 1 before, too" in out
    assert len(re.findall(r" 0\.\d{4}\* ", out)) == 1


def test_json_says_the_same_in_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "what-if", "--shock", "ETH=0.8", "--json")
    assert status == 0, err
    report = json.loads(out)
    assert report["below_after"] == {"accounts": 1, "debt": 140_000.0}
    assert report["prices"]["WETH"] == {"before": 200.0, "after": 160.0}
    (sale,) = report["sales"]
    assert (sale["collateral"], sale["debt"], sale["accounts"]) == ("WETH", "USDC", 1)
    assert sale["sold"] == sale["to_sell"] == report["fallen"][0]["sells"][0]["amount"]
    assert 0 < sale["lost_to_slippage"] < 1
    assert sale["pool_price_move"] < 0


def test_where_nobody_falls_the_tables_are_empty(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "what-if", "--shock", "ETH=-1%")
    assert status == 0
    assert "0 of 3 accounts" in out


def test_without_a_pool_the_table_says_so(capsys: pytest.CaptureFixture[str], scene: Scene) -> None:
    scene.pools.clear()
    assert "no pool" in run(capsys, "what-if", "--shock", "ETH=-20%")[1]


@pytest.mark.parametrize("shock", ["ETH", "DOGE=-5%", "ETH=-100%", "ETH=lots", "=5%"])
def test_a_shock_that_cannot_be_read_ends_in_one_line(capsys: pytest.CaptureFixture[str], shock: str) -> None:
    status, _, err = run(capsys, "what-if", "--shock", shock)
    assert status == 1
    assert err.startswith("error: shock must be ")
    assert err.count("\n") == 1
    assert repr(shock) in err


def test_a_shock_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "what-if")
    assert status == 2
    assert "--shock" in err


# --------------------------------------------------------------------------------- ladder


def test_the_ladder_is_a_table_and_a_plot(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, err = run(capsys, "ladder")
    assert status == 0, err
    assert "Liquidatable debt by the price of WETH, block 100 (now 200.00)" in out
    assert "100.00 │ -50.0%" in out
    assert "240.00 │ +20.0%" in out
    assert "140,000" in out
    assert (tmp_path / "ladder.png").read_bytes().startswith(b"\x89PNG")


def test_asset_range_and_file_are_the_users(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ("--asset", "btc", "--from", "-80%", "--to", "0.9", "--out", "btc.svg")
    status, out, err = run(capsys, "ladder", *arguments)
    assert status == 0, err
    assert "1,600.00 │ -80.0%" in out
    assert "7,200.00 │ -10.0%" in out
    drawn = (tmp_path / "btc.svg").read_text()
    assert drawn.startswith("<?xml")
    assert not (tmp_path / "ladder.png").exists()


def test_a_price_that_the_oracle_refuses_is_told(capsys: pytest.CaptureFixture[str], scene: Scene) -> None:
    scene.prices["WBTC"] = None
    assert "1 accounts left out" in run(capsys, "ladder")[1]
    status, _, err = run(capsys, "ladder", "--asset", "BTC")
    assert status == 1
    assert "oracle refuses WBTC" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--asset", "DOGE"), "'DOGE'"),
        (("--from", "-100%"), "'-100%'"),
        (("--from", "+30%"), "below --to"),
        (("--to", "much"), "'much'"),
        (("--out", "ladder.docx"), "'ladder.docx'"),
        (("--out", "nowhere/ladder.png"), "nowhere/ladder.png"),
    ],
)
def test_what_cannot_be_drawn_ends_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    status, _, err = run(capsys, "ladder", *arguments)
    assert status == 1
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err
