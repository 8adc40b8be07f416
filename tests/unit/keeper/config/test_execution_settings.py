"""Who sends, how, and within which limits, as the operator writes it down."""

import json
import tomllib
from pathlib import Path

import pytest
from eth_account import Account

from bot.config import load_settings, render
from bot.errors import ConfigValueError, KeystoreMissingError
from bot.execution.settings import lanes
from bot.ports import Lane
from bot.sending import NOBODY, main_account, unlock

URL = "https://user:secret-key@signer.example/path"
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MISTYPED = ADDRESS[:-1] + "9"


def written(folder: Path, text: str) -> Path:
    path = folder / "sluice.toml"
    path.write_text(text)
    return path


def test_limits_are_off_but_for_failures_until_they_are_set() -> None:
    limits = load_settings().limits.limits()
    assert (limits.loss, limits.gas, limits.account_value, limits.asset_value) == (None, None, None, None)
    assert (limits.failures, limits.minimum_balance, limits.window_s) == (20, 0, 3_600)


def test_limits_are_set_in_wholes_and_used_exactly(tmp_path: Path) -> None:
    text = "[limits]\nloss_per_hour = 0.1\ngas_per_hour = 0.000000000000000001\nminimum_balance = 2\n"
    limits = load_settings(written(tmp_path, text)).limits.limits()
    assert (limits.loss, limits.gas, limits.minimum_balance) == (10**17, 1, 2 * 10**18)


def test_execution_settings_reach_the_executor(tmp_path: Path) -> None:
    text = "[execution]\ncancel_after_heads = 7\n[fees]\nbid_bps = 5\nbump_bps = 2000\n"
    options = load_settings(written(tmp_path, text)).executor_options()
    assert (options.cancel_after_heads, options.fees.bid_bps, options.fees.bump_bps) == (7, 5, 2_000)


@pytest.mark.parametrize(("written_s", "used_s"), [(12, 12), (2.9, 2), (0.25, 1)])
def test_calls_are_tried_as_many_whole_seconds_later_as_a_block_takes(
    tmp_path: Path, written_s: float, used_s: int
) -> None:
    settings = load_settings(written(tmp_path, f"[chain]\nblock_time_s = {written_s}\n"))
    assert settings.executor_options().block_time_s == used_s


MORE = """
[signer]
keystore = "main.json"
more = [{ keystore = "a.json", lane = "urgent" }, { keystore = "b.json", password_file = "b" }]
"""


def test_further_accounts_are_anchored_and_shown(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, MORE))
    assert [key.keystore for key in settings.signer.more] == [tmp_path / "a.json", tmp_path / "b.json"]
    assert settings.signer.more[1].password_file == tmp_path / "b"
    assert load_settings(written(tmp_path, render(settings))).signer == settings.signer


def test_an_account_for_housekeeping_takes_it_off_the_main_one(tmp_path: Path) -> None:
    more = load_settings(written(tmp_path, MORE)).signer.more
    assert lanes(more) == (frozenset({Lane.URGENT}), [{Lane.URGENT}, {Lane.HOUSEKEEPING}])
    assert lanes(more[:1]) == (frozenset(Lane), [{Lane.URGENT}])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[fees]\nbump_bps = 1249", "fees.bump_bps"),
        ("[fees]\ntip_gwei = 600", "tip_gwei (600) must be below cap_gwei (500)"),
        ("[fees]\ntip_gwei = 2\ncap_gwei = 2", "below cap_gwei"),
        (f"[signer]\nremote_url = '{URL}'", "belong together"),
        (f"[signer]\nremote_address = '{ADDRESS}'", "belong together"),
        (f"[signer]\nkeystore = 'k'\nremote_url = '{URL}'\nremote_address = '{ADDRESS}'", "keep one"),
        ("[signer]\nremote_url = 'ws://secret-key'\nremote_address = '0x1'", "http://"),
        ("[relay]\nurl = 'ftp://secret-key'", "relay.url"),
        ("[relay]\nblocks = 0", "relay.blocks"),
        ("[inventory]\ncollect_above = 1", "cold_address"),
        ("[inventory]\nsweeps = [{ symbol = 'native', above = 1 }]", "cold_address"),
        (f"[inventory]\ncold_address = '{ADDRESS[:-1]}'", "an address"),
        (f"[inventory]\ncold_address = '{ADDRESS[2:]}'", "0x and 40 hex digits"),
        (f"[inventory]\ncold_address = '{MISTYPED}'", "a digit is wrong"),
        ("[inventory]\ngas_floor = 2\ngas_target = 1", "gas_floor"),
        (
            f"[inventory]\napprovals = [{{ symbol = 'A', spender = '{ADDRESS}', amount = {2**256 - 1} }}]",
            "never",
        ),
        (
            f"[inventory]\ncold_address = '{ADDRESS}'\nsweeps = [{{ symbol = 'A', above = 1, keep = 2 }}]",
            "at most above",
        ),
    ],
)
def test_what_makes_no_sense_is_named_and_no_secret_shown(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigValueError) as caught:
        load_settings(written(tmp_path, text + "\n"))
    assert fault in str(caught.value)
    assert "secret-key" not in str(caught.value)


def test_urls_of_signer_and_relay_are_secrets(tmp_path: Path) -> None:
    text = f"[signer]\nremote_url = '{URL}'\nremote_address = '{ADDRESS.lower()}'\n[relay]\nurl = '{URL}'\n"
    settings = load_settings(written(tmp_path, text))
    assert settings.secrets() == [URL, URL]
    assert "secret-key" not in render(settings) + repr(settings)
    assert tomllib.loads(render(settings))["relay"]["url"] == "https://signer.example/**********"
    assert main_account(settings, None) == ADDRESS, "with its checksum"


def test_a_remote_signer_needs_no_password(tmp_path: Path) -> None:
    text = f"[signer]\nremote_url = '{URL}'\nremote_address = '{ADDRESS}'\n"

    def asked(path: Path) -> str:
        raise AssertionError(f"asked for the password of {path}")

    keys = unlock(load_settings(written(tmp_path, text)), asked)
    assert keys.addresses == [ADDRESS]
    assert "secret-key" not in repr(keys)


def test_without_a_key_only_a_dry_run_goes_on() -> None:
    with pytest.raises(KeystoreMissingError):
        unlock(load_settings(), lambda _: "")
    assert main_account(load_settings(), None) == NOBODY


@pytest.mark.parametrize("named", ["main", "twice", "remote"])
def test_an_account_has_one_key_and_so_one_writer(tmp_path: Path, named: str) -> None:
    for name, key in (("a.json", "11"), ("b.json", "22"), ("c.json", "22")):
        sealed = Account.encrypt(bytes.fromhex(key * 32), "secret", kdf="pbkdf2", iterations=1)
        (tmp_path / name).write_text(json.dumps(sealed))
    more = [f"{{ keystore = '{name}', lane = 'urgent' }}" for name in ("b.json", "c.json")]
    first = "keystore = 'a.json'" if named == "twice" else "keystore = 'b.json'"
    if named == "remote":
        address = Account.from_key("0x" + "22" * 32).address
        first = f"remote_url = '{URL}'\nremote_address = '{address}'"
    given = more if named == "twice" else more[1:]
    settings = load_settings(written(tmp_path, f"[signer]\n{first}\nmore = [{', '.join(given)}]\n"))
    with pytest.raises(ConfigValueError, match=rf"signer\.more\.{len(given) - 1} = 0x.*once"):
        unlock(settings, lambda _: "secret")
