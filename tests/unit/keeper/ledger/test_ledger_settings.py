"""Where the ledger is, as the operator says it; and the password that nobody sees."""

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import load_settings, render
from bot.errors import ConfigValueError
from bot.ledger.address import LedgerAddress
from bot.ops.redaction import Redactor

URL = "postgresql://keeper:sword%2Ffish@db.example:5433/ledger?password=herring"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLUICE_CONFIG", raising=False)


def test_a_file_is_the_default_and_a_url_outranks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().ledger.place() == Path("sluice.sqlite")
    monkeypatch.setenv("SLUICE_LEDGER__URL", URL)
    place = load_settings().ledger.place()
    assert isinstance(place, LedgerAddress)
    assert str(place) == "postgresql://db.example:5433/ledger"
    assert place.url.drivername == "postgresql+asyncpg"
    assert place.url.password == "sword/fish"


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("postgres://h/d", "postgresql://h/d"),
        ("postgresql://u@/d?host=/run/pg", "postgresql:///run/pg/d"),
        ("postgresql+asyncpg://u:p@h:1/d", "postgresql://h:1/d"),
    ],
)
def test_a_url_is_shown_without_user_and_password(url: str, label: str) -> None:
    address = LedgerAddress.parse(url)
    assert address.label == label
    assert "p@" not in repr(address)


def test_encryption_is_asked_for_as_postgresqls_own_programs_do() -> None:
    address = LedgerAddress.parse("postgresql://h/d?sslmode=verify-full&host=x")
    assert dict(address.url.query) == {"ssl": "verify-full", "host": "x"}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite:///x", "ledger.path"),
        ("mysql://keeper:swordfish@h/d", "postgresql://"),
        ("postgresql://keeper:swordfish@h", "names no database"),
        ("postgresql://keeper:swordfish@h:port/d", "not a database URL"),
        ("postgresql://keeper:swordfish@h/d?sslmoed=require", "an option sslmoed; known are host"),
        ("swordfish", "not a database URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, url: str, problem: str
) -> None:
    monkeypatch.setenv("SLUICE_LEDGER__URL", url)
    with pytest.raises(ConfigValueError, match=problem) as refusal:
        load_settings()
    assert "swordfish" not in str(refusal.value)


@given(st.text() | st.text().map("postgresql://u:{}@h/d".format))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        assert LedgerAddress.parse(text).label
    except ValueError:
        return


def test_the_password_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LEDGER__URL", URL)
    settings = load_settings()
    shown = render(settings)
    assert tomllib.loads(shown)["ledger"]["url"].startswith("postgresql://db.example:5433/ledger")
    known = Redactor(settings.secrets())
    unknown = Redactor()
    lines = [known.text(f"{URL} sword/fish herring"), unknown.text(URL), shown, repr(settings)]
    lines.append(json.dumps(settings.model_dump(mode="json")))
    for line in lines:
        assert "fish" not in line
        assert "herring" not in line


@pytest.mark.parametrize("blocks", [-1, 1, 999])
def test_too_short_a_memory_is_refused(monkeypatch: pytest.MonkeyPatch, blocks: int) -> None:
    monkeypatch.setenv("SLUICE_LEDGER__KEEP_BLOCKS", str(blocks))
    with pytest.raises(ConfigValueError, match=r"ledger\.keep_blocks.*0, for all, or at least 1000"):
        load_settings()


def test_keeping_everything_is_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LEDGER__KEEP_BLOCKS", "0")
    assert load_settings().ledger.keep_blocks == 0
