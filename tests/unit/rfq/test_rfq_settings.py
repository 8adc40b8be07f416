"""The dealer's settings and its command."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from structlog.testing import capture_logs

from bot.cli.main import app
from bot.config import render
from bot.domain.wad import WAD
from bot.errors import ConfigFileError, ConfigValueError, KeystoreMissingError, StartRefusedError
from bot.protocols.sluice.manifest import Manifest
from bot.rfq.run import pairs_of, run_dealer, unlock_dealer
from bot.rfq.settings import DealerSettings, load_dealer_settings
from bot.rfq.signing import DealerKey
from tests.support.manifests import manifest


def written(folder: Path, text: str) -> Path:
    path = folder / "dealer.toml"
    path.write_text(text)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[Any, str, str]:
    with pytest.raises(SystemExit) as ended:
        app([str(argument) for argument in arguments], prog_name="sluice")
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


def test_what_is_printed_is_read_back_as_the_same_settings(tmp_path: Path) -> None:
    defaults = load_dealer_settings(written(tmp_path, ""))
    again = load_dealer_settings(written(tmp_path, render(DealerSettings())))
    assert again == defaults


def test_each_part_gets_its_units(tmp_path: Path) -> None:
    text = "[limits]\nquote_value = 1500.5\n[quotes]\nvalidity_s = 24\n[hedge]\nleast_value = 7\ndepth = 5\n"
    settings = load_dealer_settings(written(tmp_path, text))
    assert settings.dealing_limits().quote_value == 15_005 * WAD // 10
    assert settings.dealing_limits().validity_s == 24
    assert settings.hedge_options().least_value == 7 * WAD
    assert settings.landing_options().depth == 5
    assert settings.landing_options().fees.tip == 10**9
    assert settings.server_options().port == 8600
    assert settings.pricing_rules().base_bps == 10


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    text = 'manifest = "m.json"\nledger = "l.sqlite"\n[signer]\nkeystore = "k.json"\n'
    settings = load_dealer_settings(written(tmp_path, text))
    assert settings.manifest == tmp_path / "m.json"
    assert settings.ledger == tmp_path / "l.sqlite"
    assert settings.signer.keystore == tmp_path / "k.json"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("surprise = 1\n", "surprise"),
        ("[quotes]\nvalidity = 1\n", "quotes.validity"),
        ("[quotes]\nvalidity_s = 11\n", "validity_s"),
        ('[quotes]\npairs = ["WETH"]\n', "COLLATERAL/DEBT"),
        ('[quotes]\npairs = ["WETH/WETH"]\n', "COLLATERAL/DEBT"),
        ("[quotes]\npairs = []\n", "pairs"),
        ('[quotes]\ncontract = "0x12"\n', "contract"),
        ("[limits]\nquote_value = 0\n", "quote_value"),
        ("[limits]\nquote_value = 2000000\n", "at most open_value"),
        ("[pricing]\nbase_bps = nan\n", "base_bps"),
        ("[pricing]\nbase_bps = -1\n", "base_bps"),
        ("[server]\nport = 70000\n", "port"),
        ("[fees]\ntip_gwei = 600\n", "must be below cap_gwei"),
        ("[hedge]\nmax_slippage_bps = 10000\n", "max_slippage_bps"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigValueError, match=words):
        load_dealer_settings(written(tmp_path, text))


def test_a_secret_in_a_bad_endpoint_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigValueError) as error:
        load_dealer_settings(written(tmp_path, '[chain]\nendpoint = "gopher://user:hunter2@x"\n'))
    assert "hunter2" not in str(error.value)


def test_a_file_that_is_missing_or_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError):
        load_dealer_settings(tmp_path / "none.toml")
    with pytest.raises(ConfigFileError, match="not TOML"):
        load_dealer_settings(written(tmp_path, "= ="))


def test_a_pair_of_assets_that_are_not_listed_is_refused(tmp_path: Path) -> None:
    listed = Manifest.model_validate(manifest())
    settings = load_dealer_settings(written(tmp_path, '[quotes]\npairs = ["WETH/DOGE"]\n'))
    with pytest.raises(ConfigValueError, match="DOGE"):
        pairs_of(settings, listed)
    assert pairs_of(DealerSettings(), listed) == [(0, 2), (1, 2)]


def test_a_dealer_without_a_key_says_how_to_make_one() -> None:
    with pytest.raises(KeystoreMissingError, match="keystore new") as error:
        unlock_dealer(DealerSettings(), lambda _: "")
    assert "--dry-run" not in str(error.value), "a dealer has no dry run"


def test_the_command_prints_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = run(capsys, "dealer", "config")
    assert not status
    assert 'pairs = ["WETH/USDC", "WBTC/USDC"]' in out


def test_the_command_tells_a_bad_setting_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, error = run(capsys, "dealer", "run", "--config", written(tmp_path, "[limits]\nopen = 1\n"))
    assert status == 1
    assert error.count("\n") == 1
    assert "limits.open" in error


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[chain]\nendpiont = 'wss://hunter2'\n", "chain.endpiont: is no setting"),
        ("chain = 'wss://hunter2'\n", "chain = **********: must be a section of settings"),
        ("[chain]\nchain_id = 'hunter'\n", "chain.chain_id = 'hunter': must be a valid integer"),
        ("[ledger]\npath = 'd.sqlite'\n", "ledger = {'path': 'd.sqlite'}: must be a path"),
    ],
)
def test_a_refusal_speaks_of_settings_and_shows_no_secret(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigValueError) as error:
        load_dealer_settings(written(tmp_path, text))
    assert says in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_list_whose_only_member_is_refused_is_not_called_empty_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigValueError) as caught:
        load_dealer_settings(written(tmp_path, '[quotes]\npairs = ["WETH"]\n'))
    assert [name for name, _, _ in caught.value.problems] == ["quotes.pairs.0"]
    with pytest.raises(ConfigValueError, match=r"quotes\.pairs = \[\]: must not be empty"):
        load_dealer_settings(written(tmp_path, "[quotes]\npairs = []\n"))


async def test_a_node_that_is_away_delays_the_start_for_as_long_as_the_setting_says(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(manifest()))
    chain = '[chain]\nendpoint = "ws://127.0.0.1:1"\nstart_patience_s = 0.6\n'
    settings = load_dealer_settings(written(tmp_path, f'manifest = "manifest.json"\n{chain}'))
    with capture_logs() as logs, pytest.raises(StartRefusedError, match=r"chain\.start_patience_s"):
        await run_dealer(settings, DealerKey(Account.from_key("0x" + "d1" * 32)))
    assert [log["event"] for log in logs] == ["start_delayed", "start_delayed"]
    assert not (tmp_path / "dealer.sqlite").exists()
