"""What a log line shows, and what none ever does."""

import errno
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.ops.logs import configure_logs
from bot.ops.redaction import HIDDEN, Redactor

URL = "wss://user:pass@node.example:444/v2/secret-key?token=abc"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield io.StringIO()
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def lines(output: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_an_event_is_one_line_of_json(output: io.StringIO) -> None:
    configure_logs("json", "info", stream=output)
    structlog.get_logger().info("landed", account="0xabc", profit=10**30)
    (line,) = lines(output)
    assert line["event"] == "landed"
    assert line["profit"] == 10**30
    assert line["level"] == "info"
    assert str(line["timestamp"]).endswith("Z")


def test_events_below_the_level_are_not_written(output: io.StringIO) -> None:
    configure_logs("json", "warning", stream=output)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines(output)] == ["loud"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_form_of_a_secret_reaches_the_output(output: io.StringIO, form: str) -> None:
    configure_logs("json" if form == "json" else "console", "debug", secrets=["hunter22"], stream=output)
    log = structlog.get_logger().bind(private_key="0x" + "ab" * 32)
    log.info("connected", endpoint=URL, password="swordfish", nested={"api_key": "k-123", "urls": [URL]})
    event = f"at {URL} with hunter22"
    log.info(event, typed=SecretStr("typed-secret"))
    try:
        raise ValueError(f"no answer from {URL} for hunter22")
    except ValueError:
        log.exception("failed")
    logging.getLogger("web3").warning("Connecting to: %s with %s", URL, "hunter22")
    text = output.getvalue()
    for secret in ("swordfish", "k-123", "secret-key", "user:", "pass@", "token=abc", "hunter22", "abab"):
        assert secret not in text
    assert "typed-secret" not in text
    assert "node.example:444" in text
    assert text.count("\n") >= 4


def test_libraries_are_silent_below_warnings(output: io.StringIO) -> None:
    configure_logs("json", "debug", stream=output)
    logging.getLogger("web3.providers").info("Connecting to: %s", URL)
    logging.getLogger("aiohttp").debug("payload")
    assert output.getvalue() == ""


def test_library_warnings_have_the_same_form(output: io.StringIO) -> None:
    configure_logs("json", "info", stream=output)
    logging.getLogger("web3").warning("odd %s", "thing")
    (line,) = lines(output)
    assert (line["event"], line["level"]) == ("odd thing", "warning")


SECRET_NAMES = (
    "password PASSWORD keystore_password secret privateKey private_key api-key mnemonic access_token key "
    "authorization passphrase"
)
HARMLESS_NAMES = "token_address account hash keystore tokens monkey keeper"


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_fields_with_secret_names_are_hidden(name: str) -> None:
    assert Redactor()(None, "info", {name: "x"}) == {name: HIDDEN}


@pytest.mark.parametrize("name", HARMLESS_NAMES.split())
def test_fields_with_harmless_names_are_shown(name: str) -> None:
    assert Redactor()(None, "info", {name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ws://127.0.0.1:8545", "ws://127.0.0.1:8545"),
        ("ws://127.0.0.1:8545/", "ws://127.0.0.1:8545"),
        ("see https://a.b/c and http://d:1?e", f"see https://a.b/{HIDDEN} and http://d:1/{HIDDEN}"),
        ("'wss://u:p@h:4/k'", f"'wss://h:4/{HIDDEN}'"),
        ("http://p@ss@h/k", f"http://h/{HIDDEN}"),
    ],
)
def test_of_an_url_only_scheme_host_and_port_are_shown(text: str, shown: str) -> None:
    assert Redactor().text(text) == shown


def test_a_secret_that_contains_another_is_hidden_whole() -> None:
    assert Redactor(["abcd", "abcdef"]).text("x abcdef abcd y") == f"x {HIDDEN} {HIDDEN} y"


@pytest.mark.parametrize(
    "said",
    [
        "0123456789abcdef",
        "invalid key 0123456789abcdef",
        "no such user alice-of-the-node",
        "t0ken t0ken-of-mine",
    ],
)
def test_what_makes_an_url_a_secret_is_hidden_where_it_stands_alone(said: str) -> None:
    secret = "wss://alice-of-the-node:p%40ssword-of-hers@node.example/v2/0123456789abcdef?key=t0ken-of-mine"
    shown = Redactor([secret]).text(f"{said} and p@ssword-of-hers, p%40ssword-of-hers on node.example at v2")
    for piece in ("0123456789abcdef", "alice", "p@ss", "p%40", "t0ken-of"):
        assert piece not in shown
    assert shown.endswith("on node.example at v2")


def test_a_secret_too_short_to_be_one_hides_nothing() -> None:
    assert Redactor(["a", ""]).text("a banana") == "a banana"


PLAIN = st.none() | st.text() | st.integers() | st.binary()
NESTED = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(NESTED)
def test_a_known_secret_is_hidden_at_any_depth(value: object) -> None:
    event = Redactor(["hunter22"])(None, "info", {"event": [value, {"x": ["hunter22", value]}]})
    assert "hunter22" not in repr(event)


class FullDisk(io.StringIO):
    """A stream on a disk that is full for a while."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_log_that_cannot_be_written_ends_nothing(output: io.StringIO) -> None:
    disk = FullDisk()
    configure_logs("json", "info", stream=disk)
    structlog.get_logger().info("lost")
    disk.full = False
    structlog.get_logger().info("kept")
    assert [line["event"] for line in lines(disk)] == ["kept"]
