"""Where settings come from, which outranks which, and what a slip of the pen says."""

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from bot.chain.feed import ROTATE_AFTER_BLOCKS
from bot.config import Settings, load_settings, read_password, render
from bot.errors import ConfigFileError, ConfigValueError, UnknownSettingError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLUICE_CONFIG", raising=False)


def written(folder: Path, text: str, name: str = "sluice.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_without_a_file_the_defaults_stand() -> None:
    settings = load_settings()
    assert settings.chain.chain_id == 31337
    assert settings.chain.parsed_endpoint().label == "ws://127.0.0.1:8545"
    assert settings.ledger.path == Path("sluice.sqlite")


def test_environment_outranks_file_and_command_line_outranks_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "[chain]\nchain_id = 2\nrequests_per_second = 7\nblock_time_s = 9\n")
    monkeypatch.setenv("SLUICE_CHAIN__CHAIN_ID", "3")
    monkeypatch.setenv("SLUICE_CHAIN__BLOCK_TIME_S", "8")
    settings = load_settings(file, {"chain": {"chain_id": 4}})
    assert settings.chain.chain_id == 4
    assert settings.chain.block_time_s == 8
    assert settings.chain.requests_per_second == 7


def test_the_file_is_named_by_the_environment_or_lies_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "[chain]\nchain_id = 2\n")
    assert load_settings().chain.chain_id == 2
    monkeypatch.setenv("SLUICE_CONFIG", str(written(tmp_path, "[chain]\nchain_id = 3\n", "other.toml")))
    assert load_settings().chain.chain_id == 3


def test_each_endpoint_has_the_budget_that_it_names_or_the_common_one(tmp_path: Path) -> None:
    text = """[chain]
requests_per_second = 7
[[chain.endpoints]]
url = "https://one.example"
requests_per_second = 25
[[chain.endpoints]]
url = "https://two.example"
"""
    clients = load_settings(written(tmp_path, text)).chain.clients()
    assert [client._options.requests_per_second for client in clients] == [7, 25, 7]


def test_silence_and_standstill_are_measured_in_block_times(tmp_path: Path) -> None:
    chain = load_settings(written(tmp_path, "[chain]\nblock_time_s = 8\n")).chain
    assert chain.client_options().silence_s == 2.5 * 8
    assert ROTATE_AFTER_BLOCKS * chain.feed_options().block_time_s == 5 * 8


def test_a_path_may_start_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/keeper")
    text = '[signer]\nkeystore = "~/.ape/accounts/keeper.json"\npassword_file = "~nobody-at-all/password"\n'
    signer = load_settings(written(tmp_path, text)).signer
    assert signer.keystore == Path("/home/keeper/.ape/accounts/keeper.json")
    assert signer.password_file == tmp_path / "~nobody-at-all/password"


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    text = 'manifest = "m.json"\n[ledger]\npath = "/abs/l.sqlite"\n[signer]\nkeystore = "key.json"\n'
    settings = load_settings(written(folder, text))
    assert settings.manifest == folder / "m.json"
    assert settings.ledger.path == Path("/abs/l.sqlite")
    assert settings.signer.keystore == folder / "key.json"
    assert settings.signer.password_file is None


@pytest.mark.parametrize(
    ("text", "name", "closest"),
    [
        ("[chain]\nendpiont = 'ws://h'\n", "chain.endpiont", "chain.endpoint"),
        ("[legder]\npath = 'x'\n", "legder", "ledger"),
        ("[strategy]\nmin_profit = 3\n", "strategy.min_profit", "strategy.minimum_profit"),
        ("[chain]\nzzzz = 1\n", "chain.zzzz", None),
        ("chain_id = 1\n", "chain_id", "chain.chain_id"),
        ("[ledger]\nkeystore = 'x'\n", "ledger.keystore", "signer.keystore"),
    ],
)
def test_an_unknown_key_is_named_with_the_closest_known_one(
    tmp_path: Path, text: str, name: str, closest: str | None
) -> None:
    with pytest.raises(UnknownSettingError) as caught:
        load_settings(written(tmp_path, text))
    assert (caught.value.name, caught.value.closest) == (name, closest)
    assert name in str(caught.value)
    assert "sluice.toml" in str(caught.value)
    assert (closest or "config show") in str(caught.value)


def test_an_unknown_variable_is_named_with_the_closest_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_CHAIN_ENDPOINT", "ws://127.0.0.1:1/secret-key")
    with pytest.raises(UnknownSettingError, match="did you mean SLUICE_CHAIN__ENDPOINT") as caught:
        load_settings()
    assert "secret-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[chain]\nchain_id = 0\n", ["chain.chain_id", "0", "greater than 0"]),
        ("[chain]\nchain_id = 'one'\n", ["chain.chain_id", "'one'", "integer"]),
        ("[fees]\ntip_gwei = -1\n", ["fees.tip_gwei", "-1"]),
        ("[log]\nlevel = 'loud'\n", ["log.level", "'loud'", "warning"]),
        ("[replay]\nacknowledge_to = 'nowhere'\n", ["replay.acknowledge_to", "'nowhere'", "host:port"]),
        ("[replay]\nacknowledge_to = 'h:70000'\n", ["replay.acknowledge_to", "host:port"]),
        ("chain = 3\n", ["chain", "3"]),
    ],
)
def test_a_wrong_value_is_named_with_what_its_setting_takes(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    with pytest.raises(ConfigValueError) as caught:
        load_settings(written(tmp_path, text))
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_every_wrong_value_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigValueError) as caught:
        load_settings(written(tmp_path, "[chain]\nchain_id = 0\nblock_time_s = 0\n[log]\nlevel = 'loud'\n"))
    assert [name for name, _, _ in caught.value.problems] == [
        "chain.chain_id",
        "chain.block_time_s",
        "log.level",
    ]


@pytest.mark.parametrize("url", ["ftp://secret-key.example/x", "secret-key", "ws://", "ws://h:99999999"])
def test_an_unusable_endpoint_is_refused_without_being_shown(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigValueError, match=r"chain\.endpoint") as caught:
        load_settings(written(tmp_path, f"[chain]\nendpoint = '{url}'\n"))
    assert "secret-key" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match=r"nowhere\.toml cannot be used: there is no such file"):
        load_settings(tmp_path / "nowhere.toml")


def test_a_file_that_is_no_toml_is_named_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match=r"sluice\.toml.*not TOML.*line 2"):
        load_settings(written(tmp_path, "\nchain = = 3\n"))


def test_settings_are_shown_as_toml_with_secrets_hidden(tmp_path: Path) -> None:
    text = "[chain]\nendpoint = 'wss://user:pass@node.example:444/v2/secret-key?x=1'\n"
    shown = render(load_settings(written(tmp_path, text)))
    assert tomllib.loads(shown)["chain"]["endpoint"] == "wss://node.example:444/**********"
    assert not any(secret in shown for secret in ("user", "pass@", "secret-key", "x=1"))


def test_what_is_shown_can_be_read_back(tmp_path: Path) -> None:
    settings = load_settings(
        written(tmp_path, "[fees]\ntip_gwei = 0.1\n[signer]\nkeystore = '/a \\\"b/k.json'\n")
    )
    again = load_settings(written(tmp_path, render(settings), "shown.toml"))
    assert again.model_dump(exclude={"chain": {"endpoint"}}) == settings.model_dump(
        exclude={"chain": {"endpoint"}}
    )
    assert set(tomllib.loads(render(settings))) == set(Settings.model_fields)


def test_no_text_of_the_settings_holds_the_endpoint(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, "[chain]\nendpoint = 'wss://node.example/secret-key'\n"))
    assert "secret-key" not in repr(settings) + str(settings) + repr(settings.chain.parsed_endpoint())
    assert settings.secrets() == ["wss://node.example/secret-key"]


TWO_MORE = """
[chain]
endpoint = "ws://127.0.0.1:8545"
requests_per_second = 900
[[chain.endpoints]]
url = "https://node.example/v2/secret-key"
requests_per_second = 20
[[chain.endpoints]]
url = "ipc:///run/node.ipc"
"""


def test_further_endpoints_follow_the_first_each_with_its_budget(tmp_path: Path) -> None:
    chain = load_settings(written(tmp_path, TWO_MORE)).chain
    labels = ["ws://127.0.0.1:8545", "https://node.example", "ipc:///run/node.ipc"]
    assert [client.label for client in chain.clients()] == labels
    assert chain.client_options(chain.endpoints[0].requests_per_second).requests_per_second == 20
    assert chain.client_options(chain.endpoints[1].requests_per_second).requests_per_second == 900


def test_no_text_of_further_endpoints_is_shown(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, TWO_MORE))
    assert settings.secrets() == ["https://node.example/v2/secret-key"]
    assert "secret-key" not in render(settings) + repr(settings)
    shown = tomllib.loads(render(settings))["chain"]["endpoints"]
    assert shown[0] == {"url": "https://node.example/**********", "requests_per_second": 20}
    with pytest.raises(ConfigValueError, match=r"chain\.endpoints\.0\.url") as caught:
        load_settings(written(tmp_path, "[[chain.endpoints]]\nurl = 'ftp://secret-key/x'\n"))
    assert "secret-key" not in str(caught.value)


def test_gas_is_set_in_gwei_and_used_in_exact_wei(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, "[fees]\ntip_gwei = 0.1\ncap_gwei = 12.000000001\n"))
    policy = settings.executor_options().fees
    assert (policy.tip, policy.cap) == (10**8, 12_000_000_001)
    assert settings.fees.tip_gwei == Decimal("0.1")
    with pytest.raises(ConfigValueError, match=r"fees\.tip_gwei"):
        load_settings(written(tmp_path, "[fees]\ntip_gwei = 0.0000000001\n"))


def test_lockstep_address_is_split() -> None:
    settings = load_settings(overrides={"replay": {"acknowledge_to": "127.0.0.1:9000"}})
    assert settings.replay.address() == ("127.0.0.1", 9000)
    assert load_settings().replay.address() is None


@pytest.mark.parametrize("text", ["secret\n", "secret\r\n", "secret"])
def test_a_password_file_may_end_in_a_line_break(tmp_path: Path, text: str) -> None:
    assert read_password(written(tmp_path, text)) == "secret"


def test_a_password_keeps_its_own_spaces(tmp_path: Path) -> None:
    assert read_password(written(tmp_path, " se cret \n")) == " se cret "


def test_a_password_file_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="nowhere"):
        read_password(tmp_path / "nowhere")
    with pytest.raises(ConfigFileError, match="empty"):
        read_password(written(tmp_path, "\n"))


def test_risk_settings_reach_the_outlook_and_the_predictions(tmp_path: Path) -> None:
    text = '[risk]\nhorizon_s = 600\ncap = 8.0\nprediction_interval_blocks = 3\nwarm_start = "prices"\n'
    risk = load_settings(written(tmp_path, text)).risk
    assert (risk.outlook().horizon_s, risk.outlook().cap) == (600, 8.0)
    assert risk.predictions().interval_blocks == 3
    assert risk.warm_start == tmp_path / "prices"
    assert tomllib.loads(render(load_settings(written(tmp_path, text))))["risk"]["horizon_s"] == 600


@pytest.mark.parametrize(
    "line",
    ["horizon_s = 0", "half_life_s = inf", "floor = -0.1", "cap = 0.1", "jump = nan", "prediction_floor = 2"],
)
def test_risk_settings_that_make_no_sense_are_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigValueError, match=r"risk"):
        load_settings(written(tmp_path, f"[risk]\n{line}\n"))


# ------------------------------------------------------------------------------------ what a refusal says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[rfq.dealers]]\nuri = 'https://secret-key'\n", "rfq.dealers.0.uri: is no setting"),
        ("[[rfq.dealers]]\nuri = 'https://secret-key'\n", "rfq.dealers.0.url: must be set"),
        (
            "[signer]\nmore = [{ keystore = 'k', password = 'secret-key' }]\n",
            "signer.more.0.password: is no setting",
        ),
        ("chain = 'wss://node.example/secret-key'\n", "chain = **********: must be a section of settings"),
        ("signer = ['secret-key']\n", "signer = **********: must be a section of settings"),
        (
            "[[rfq.dealers]]\naddress = '0x12'\nurl = 'https://h/secret-key'\n",
            "rfq.dealers.0.address = '0x12'",
        ),
        ("[rfq]\ndeadline_s = 'soon'\n", "rfq.deadline_s = 'soon': must be a valid number"),
        ("manifest = 5\n", "manifest = 5: must be a path"),
    ],
)
def test_a_refusal_speaks_of_settings_and_shows_no_secret(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigValueError) as caught:
        load_settings(written(tmp_path, text))
    assert says in str(caught.value)
    assert "secret-key" not in str(caught.value)
    assert "Settings" not in str(caught.value).replace("the settings are", "")


def test_a_section_in_one_variable_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_CHAIN", "secret-key")
    with pytest.raises(ConfigValueError, match=r"SLUICE_CHAIN: must be JSON.*SLUICE_CHAIN__NAME") as caught:
        load_settings()
    assert "secret-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "before"),
    [
        ("chain.endpoint", "[chain]\nendpoint = 'wss://h/KEY'\n"),
        ("chain.endpoints.0.url", "[[chain.endpoints]]\nurl = 'wss://h/KEY'\n"),
        ("relay.url", "[relay]\nurl = 'https://h/KEY'\n"),
        ("ledger.url", "[ledger]\nurl = 'postgresql://u:KEY@h/d'\n"),
        ("alerts.telegram_token", "[alerts]\ntelegram_token = 'KEY'\ntelegram_chat = '1'\n"),
        ("alerts.slack", "[alerts]\nslack = 'https://h/KEY'\n"),
    ],
)
def test_a_mask_is_not_taken_for_the_secret(tmp_path: Path, setting: str, before: str) -> None:
    shown = render(load_settings(written(tmp_path, before)))
    assert "KEY" not in shown
    with pytest.raises(ConfigValueError, match="the mask that stands for a secret") as caught:
        load_settings(written(tmp_path, shown, "shown.toml"))
    assert [name for name, _, _ in caught.value.problems] == [setting]


def test_the_environment_outranks_a_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = render(load_settings(written(tmp_path, "[chain]\nendpoint = 'wss://h/KEY'\n")))
    monkeypatch.setenv("SLUICE_CHAIN__ENDPOINT", "wss://h/KEY")
    settings = load_settings(written(tmp_path, shown, "shown.toml"))
    assert settings.chain.endpoint.get_secret_value() == "wss://h/KEY"


def test_a_folder_of_prices_that_is_not_there_is_told_with_its_setting(tmp_path: Path) -> None:
    risk = load_settings(written(tmp_path, '[risk]\nwarm_start = "prices"\n')).risk
    with pytest.raises(ConfigValueError, match=r"risk\.warm_start = '.*prices': is no folder; name"):
        risk.require_warm_start()
    (tmp_path / "prices").mkdir()
    risk.require_warm_start()


def test_what_is_printed_can_be_added_to_as_the_guide_says(tmp_path: Path) -> None:
    shown = render(load_settings(written(tmp_path, "")))
    added = """
[[chain.endpoints]]
url = "ws://127.0.0.1:2"

[[rfq.dealers]]
address = "0x00000000000000000000000000000000000000A0"
url = "http://127.0.0.1:8600"
"""
    settings = load_settings(written(tmp_path, shown + added, "added.toml"))
    assert (len(settings.chain.endpoints), len(settings.rfq.dealers)) == (1, 1)


def test_a_list_that_is_written_in_both_ways_is_told_so(tmp_path: Path) -> None:
    text = '[chain]\nendpoints = []\n[[chain.endpoints]]\nurl = "ws://h"\n'
    with pytest.raises(ConfigFileError, match=r"either as \[\.\.\.\] or as tables \[\[\.\.\.\]\]"):
        load_settings(written(tmp_path, text))
