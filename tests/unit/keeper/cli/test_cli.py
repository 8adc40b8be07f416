"""The command line: help, versions, keys, and errors in one line."""

import io
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from bot.cli.boundary import Application, LazyGroup
from bot.cli.main import app
from bot.errors import RpcError, SluiceError
from bot.ops.logs import configure_logs
from tests.support.manifests import manifest

KEY = "0x" + "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Run a command in this process; return its status and what it said."""
    with pytest.raises(SystemExit) as ended:
        app([str(argument) for argument in arguments], prog_name="sluice")
    said = capsys.readouterr()
    status = ended.value.code
    return (0 if status is None else int(status)), said.out, said.err


def assert_one_line(error: str, *parts: str) -> None:
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error
    for part in parts:
        assert part in error


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SLUICE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def fast_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encrypt with one round instead of some hundred thousand."""
    encrypt = Account.encrypt

    def quick(key: Any, password: str, **_: Any) -> Any:
        return encrypt(key, password, kdf="pbkdf2", iterations=1)

    monkeypatch.setattr("eth_account.Account.encrypt", staticmethod(quick))
    monkeypatch.setattr(
        "eth_account.signers.local.LocalAccount.encrypt", lambda self, password: quick(self.key, password)
    )


# ------------------------------------------------------------------------------------ help


def test_help_lists_every_command_with_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--help")
    assert status == 0
    for name in ("replay", "keeper", "status", "config", "keystore"):
        assert f"│ {name}" in out


@pytest.mark.parametrize("command", LazyGroup.lazy)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run(capsys, command, "--help")
    assert status == 0
    assert "Usage: sluice " in out
    assert "completion" not in out, "it would complete a program that does not exist"
    assert "\u2026" not in out, "something is cut at 80 columns"


def test_help_breaks_where_the_terminal_does_and_not_where_the_source_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = run(capsys, "keeper", "rehearse", "--help")
    assert " Each account in debt is pushed below health 1 on the fork by lower liquidation" in out
    assert " thresholds. The keeper then decides, simulates and sends, block by block," in out


def test_the_keeper_s_commands_are_listed_in_the_order_of_use(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "keeper", "--help")
    listed = [line.split()[1] for line in out.partition("Commands")[2].splitlines() if line.startswith("│ ")]
    order = ["run", "halt", "resume", "rehearse", "record", "replay-log"]
    assert [name for name in listed if name in order] == order


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version")[1].startswith("sluice 0.")


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "liquidate-everything")
    assert status == 2
    assert "liquidate-everything" in err


# ---------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("error", "said"), [(SluiceError("the fix"), "error: the fix"), (KeyError("x"), "KeyError")]
)
def test_an_error_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    broken = Application()

    @broken.command()
    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        broken([])
    assert ended.value.code == 1
    assert_one_line(capsys.readouterr().err, said)


def test_an_error_shows_no_secret_that_a_node_has_said(capsys: pytest.CaptureFixture[str]) -> None:
    broken, key = Application(), "0123456789abcdef"

    @broken.command()
    def fail() -> None:
        configure_logs("json", "info", [f"https://node.example/v2/{key}"])
        raise RpcError("eth_chainId", -32000, f"invalid key {key}, see https://node.example/v2/{key}")

    with pytest.raises(SystemExit):
        broken([])
    said = capsys.readouterr().err
    assert_one_line(said, "eth_chainId was refused", "invalid key")
    assert key not in said


@pytest.mark.parametrize(
    ("asks", "arguments"),
    [
        ("status.read_status", ["status"]),
        ("what_if.read_snapshot", ["what-if", "--shock", "ETH=-20%"]),
        ("ladder.read_snapshot", ["ladder"]),
        ("why.read_decision", ["why", ADDRESS]),
        ("risk.read_predictions", ["risk", "report"]),
        ("halting.halt_keeper", ["keeper", "halt"]),
        ("halting.resume_keeper", ["keeper", "resume", "--reason", "a look"]),
    ],
)
def test_a_question_shows_no_key_of_the_settings_that_a_node_repeats(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, asks: str, arguments: list[str]
) -> None:
    async def refuse(*_: object) -> None:
        raise RpcError("eth_call", -32000, "invalid key 0123456789abcdef")

    monkeypatch.setenv("SLUICE_CHAIN__ENDPOINT", "https://node.example/v2/0123456789abcdef")
    monkeypatch.setattr(f"bot.cli.{asks}", refuse)
    status, _, error = run(capsys, *arguments)
    assert status == 1
    assert_one_line(error, "invalid key")
    assert "0123456789abcdef" not in error


def test_debug_shows_the_traceback() -> None:
    broken = Application()
    broken.debug = True

    @broken.command()
    def fail() -> None:
        raise SluiceError("the fix")

    with pytest.raises(SluiceError):
        broken([])


# ---------------------------------------------------------------------------------- config


def test_the_settings_are_shown_as_toml(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text('[chain]\nendpoint = "wss://node.example/SECRET"\n')
    status, out, _ = run(capsys, "config", "show")
    assert status == 0
    assert "wss://node.example" in out
    assert "SECRET" not in out


def test_an_unknown_setting_is_told_with_the_likely_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "sluice.toml").write_text("[strategy]\nmax_slipage_bps = 5\n")
    status, _, err = run(capsys, "config", "show")
    assert status == 1
    assert_one_line(err, "max_slipage_bps", "max_slippage_bps")


def test_a_missing_settings_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "config", "show", "--config", "nowhere.toml")
    assert status == 1
    assert_one_line(err, "nowhere.toml")


# ------------------------------------------------------------------------------------ keys


@pytest.mark.usefixtures("fast_keys")
def test_an_imported_key_can_be_used_with_its_password(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    (tmp_path / "password").write_text("secret\n")
    arguments = ("keystore", "import", "k.json", "--key-file", "key", "--password-file", "password")
    status, out, err = run(capsys, *arguments)
    assert status == 0
    assert out.strip() == ADDRESS
    assert "11" * 32 not in out + err
    keystore = tmp_path / "k.json"
    assert Account.decrypt(json.loads(keystore.read_text()), "secret") == bytes.fromhex(KEY[2:])
    assert keystore.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("k.json*")] == ["k.json"]


@pytest.mark.usefixtures("fast_keys")
def test_two_new_keys_differ(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret")
    made = [run(capsys, "keystore", "new", f"{n}.json", "--password-file", "password")[1] for n in "ab"]
    assert made[0] != made[1]


def test_a_keystore_is_never_overwritten(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text("precious")
    status, _, err = run(capsys, "keystore", "new", "k.json", "--password-file", "nowhere")
    assert status == 1
    assert_one_line(err, "k.json exists")
    assert (tmp_path / "k.json").read_text() == "precious"


@pytest.mark.parametrize("key", ["0x12", "zz" * 32, "00" * 32, "ff" * 32])
def test_what_is_no_key_is_refused_and_not_shown(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str
) -> None:
    (tmp_path / "key").write_text(key)
    (tmp_path / "password").write_text("secret")
    arguments = ("keystore", "import", "k.json", "--key-file", "key", "--password-file", "password")
    status, _, err = run(capsys, *arguments)
    assert status == 1
    assert_one_line(err, "no private key", "64 hex digits")
    assert key not in err
    assert not (tmp_path / "k.json").exists()


@pytest.mark.usefixtures("fast_keys")
@pytest.mark.parametrize("place", ["occupied/k.json", "/proc/nowhere/k.json"])
def test_a_keystore_that_cannot_be_written_there_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, place: str
) -> None:
    (tmp_path / "occupied").write_text("a file where a folder should be")
    (tmp_path / "password").write_text("secret")
    status, _, err = run(capsys, "keystore", "new", place, "--password-file", "password")
    assert status == 1
    assert_one_line(err, place, "cannot be written", "choose another file")
    assert "unexpected" not in err


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("new", "k.json"), "--password-file"),
        (("import", "k.json"), "--key-file"),
        (("import", "k.json", "--key-file", "key"), "--password-file"),
    ],
)
def test_without_a_terminal_secrets_come_from_files(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    option: str,
) -> None:
    (tmp_path / "key").write_text(KEY)
    monkeypatch.setattr("sys.stdin", io.StringIO("typed\ntyped\n"))
    status, _, err = run(capsys, "keystore", *arguments)
    assert status == 1
    assert_one_line(err, "no terminal", option)
    assert not (tmp_path / "k.json").exists()


# ---------------------------------------------------------------------------------- keeper


def settings_file(folder: Path, **sections: dict[str, Any]) -> Path:
    (folder / "manifest.json").write_text(json.dumps(manifest()))
    lines = ['manifest = "manifest.json"']
    for section, values in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    path = folder / "sluice.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_without_a_keystore_the_keeper_says_how_to_make_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings_file(tmp_path)
    status, _, err = run(capsys, "keeper", "run")
    assert status == 1
    assert_one_line(err, "sluice keystore new", "--dry-run")


@pytest.mark.usefixtures("fast_keys")
def test_a_wrong_password_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text(json.dumps(Account.encrypt(KEY, "right")))
    (tmp_path / "password").write_text("wrong")
    settings_file(tmp_path, signer={"keystore": "k.json", "password_file": "password"})
    status, _, err = run(capsys, "keeper", "run")
    assert status == 1
    assert_one_line(err, "k.json", "password")
    assert "wrong" not in err


@pytest.mark.parametrize("command", ["keeper", "dealer"])
def test_a_password_that_nobody_can_be_asked_for_is_not_called_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    (tmp_path / "k.json").write_text(
        json.dumps(Account.encrypt(bytes.fromhex(KEY[2:]), "secret", kdf="pbkdf2", iterations=1))
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    file = settings_file(tmp_path, signer={"keystore": "k.json"})
    status, _, err = run(capsys, command, "run", "--config", file)
    assert status == 1
    assert_one_line(err, "no terminal", "k.json", "signer.password_file")
    assert "does not open" not in err


def test_a_manifest_of_another_chain_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings_file(tmp_path, chain={"chain_id": 1})
    status, _, err = run(capsys, "keeper", "run", "--dry-run")
    assert status == 1
    assert_one_line(err, "chain 31337", "chain 1")


@pytest.mark.parametrize("command", [("run", "--dry-run", "--once"), ("rehearse",)])
def test_gas_that_no_listed_asset_prices_is_told_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    file = settings_file(tmp_path, strategy={"gas_asset": "WETG"}, chain={"endpoint": "ws://127.0.0.1:1"})
    status, _, err = run(capsys, "keeper", *command, "--config", file)
    assert status == 1
    assert_one_line(err.lstrip("\n"), "strategy.gas_asset = 'WETG'", "not a listed asset", "WETH")


def test_a_node_that_is_down_is_told_at_the_start(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can answer there
        port = held.getsockname()[1]
        settings_file(tmp_path, chain={"endpoint": f"ws://127.0.0.1:{port}", "start_patience_s": 0})
        status, _, err = run(capsys, "keeper", "run", "--dry-run")
    assert status == 1
    assert_one_line(err, f"127.0.0.1:{port}", "check that the node runs")
    assert not (tmp_path / "sluice.sqlite").exists()


def test_a_rehearsal_of_a_node_that_is_down_names_the_setting(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = settings_file(tmp_path, chain={"endpoint": "ws://127.0.0.1:1"})
    status, _, err = run(capsys, "keeper", "rehearse", "--config", file)
    assert status == 1
    assert_one_line(err.lstrip("\n"), "cannot reach ws://127.0.0.1:1: connection refused", "chain.endpoint")


def test_a_remote_signer_that_is_away_is_told_at_the_start(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    signer = {"remote_url": "http://127.0.0.1:1/s3cret", "remote_address": ADDRESS}
    settings_file(tmp_path, signer=signer, chain={"start_patience_s": 0})
    status, _, err = run(capsys, "keeper", "run")
    assert status == 1
    assert_one_line(err, "http://127.0.0.1:1: connection refused", "signer.remote_url")
    assert "s3cret" not in err
    assert not (tmp_path / "sluice.sqlite").exists()


def test_a_folder_of_prices_that_is_not_there_is_told_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings_file(tmp_path, risk={"warm_start": "prices"}, chain={"endpoint": "ws://127.0.0.1:1"})
    status, _, err = run(capsys, "keeper", "run", "--dry-run")
    assert status == 1
    assert_one_line(err, "risk.warm_start", "prices", "is no folder")
    assert not (tmp_path / "sluice.sqlite").exists()


def test_a_live_view_without_a_terminal_is_refused_and_not_run_for_ever(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    status, _, err = run(capsys, "top", "--config", settings_file(tmp_path))
    assert status == 1
    assert_one_line(err, "needs a terminal", "sluice status")
