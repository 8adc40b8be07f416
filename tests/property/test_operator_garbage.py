"""Whatever an operator's files, variables and arguments hold: it is read, or a typed error refuses it."""

import datetime
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from bot import config
from bot.cli.chaos import _address, _node
from bot.cli.why import checksummed
from bot.config import Settings, load_settings, read_password, render
from bot.errors import (
    ConfigError,
    ConfigValueError,
    InvalidInputError,
    KeystoreInvalidError,
    KeystorePasswordError,
    ManifestError,
    SluiceError,
)
from bot.execution.signer import KeystoreSigner, keystore_address
from bot.protocols.sluice.manifest import load_manifest
from bot.rfq.settings import DealerSettings, load_dealer_settings
from bot.sim.book_file import read_accounts
from bot.sim.chaos.script import load_script
from bot.sim.prices import parse_prices_option, read_bars
from bot.sim.scenario import parse_time
from bot.strategy.shock import parse_change
from scripts.deployment.address_book import AddressBook, AddressBookError
from tests.support.manifests import manifest

SECRET = "v2/c0ffee-5ec2e7"

files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
"""The folder of a test is used by all of its examples, each of which writes the file anew."""

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LEAVES = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.dates(),
    st.sampled_from(
        [
            f"https://node.example/{SECRET}",
            f"postgresql://keeper:{SECRET}@db.example/ledger",
            "0x" + "11" * 20,
            "native",
            "1e999999999",
            "nan",
            "Infinity",
            "\0",
            "/",
            "**********",
        ]
    ),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)


def toml(value: Any) -> str:
    """Return a value as TOML writes it inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(str(key))} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007F")
    return str(value).lower()


def names(model: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every setting and section of a model."""
    for name, field in model.model_fields.items():
        yield (*prefix, name)
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from names(inner, (*prefix, name))


@st.composite
def documents(draw: st.DrawFn, model: type[BaseModel]) -> str:
    """Draw a file in which some settings have odd values, and perhaps one that is none."""
    known = st.sampled_from(sorted(set(names(model))))
    lines = {}
    for path in draw(st.lists(known, min_size=1, max_size=3)):
        lines[path] = draw(VALUES)
    if draw(st.integers(0, 9)) == 0:
        lines[(draw(TEXT),)] = draw(VALUES)
    return "".join(f"{'.'.join(map(toml, path))} = {toml(value)}\n" for path, value in lines.items())


def refused_without_a_secret(read: Callable[[], object], *expected: type[SluiceError]) -> None:
    shown = ""
    try:
        read()
    except expected as error:
        shown = str(error)
    assert SECRET not in shown


@files
@given(text=st.one_of(documents(Settings), st.text(max_size=60), st.binary(max_size=60)))
@example(text=f'[chain]\nendpoints = ["https://node.example/{SECRET}"]\n')
@example(text=f'[chain]\nendpoint = {{ url = "https://node.example/{SECRET}" }}\n')
def test_any_file_is_the_keepers_settings_or_refused_without_a_secret(
    tmp_path: Path, text: str | bytes
) -> None:
    file = tmp_path / "sluice.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))

    def read() -> None:
        found = load_settings(file)
        assert SECRET not in render(found)

    refused_without_a_secret(read, ConfigError)


@files
@given(text=st.one_of(documents(DealerSettings), st.text(max_size=60), st.binary(max_size=60)))
def test_any_file_is_the_dealers_settings_or_refused_without_a_secret(
    tmp_path: Path, text: str | bytes
) -> None:
    file = tmp_path / "dealer.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))

    def read() -> None:
        found = load_dealer_settings(file)
        assert SECRET not in render(found)

    refused_without_a_secret(read, ConfigError)


VARIABLES = sorted(config._variable(name) for name in config._known_names())
HELD = st.one_of(LEAVES.map(str), VALUES.map(toml), VALUES.map(lambda value: json.dumps(value, default=str)))


@settings(max_examples=150)
@given(variable=st.sampled_from(VARIABLES) | st.just("SLUICE_NONE"), value=HELD)
def test_any_variable_is_a_setting_or_refused_without_a_secret(variable: str, value: str) -> None:
    with mock.patch.dict(os.environ, {variable: value.replace("\0", "")}):
        refused_without_a_secret(load_settings, ConfigError)


# ------------------------------------------------------------------------ other files

WHOLE: dict[str, Any] = json.loads(json.dumps(manifest()))


@files
@given(data=st.data())
def test_any_file_is_a_manifest_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "manifest.json"
    if data.draw(st.booleans()):
        whole = json.loads(json.dumps(WHOLE))
        whole[data.draw(st.sampled_from(sorted(whole)))] = data.draw(VALUES)
        file.write_text(json.dumps(whole, default=str))
    else:
        file.write_bytes(data.draw(st.binary(max_size=60)))
    with suppress(ManifestError):
        load_manifest(file)


@files
@given(held=st.one_of(st.binary(max_size=60), st.dictionaries(st.sampled_from(["tokens", "feeds"]), VALUES)))
def test_any_file_is_an_address_book_or_refused(tmp_path: Path, held: bytes | dict[str, Any]) -> None:
    file = tmp_path / "book.json"
    file.write_bytes(held if isinstance(held, bytes) else json.dumps(held, default=str).encode())
    with suppress(AddressBookError):
        AddressBook.read(file)


KDFS = st.fixed_dictionaries(
    {},
    optional={
        "dklen": VALUES | st.integers(0, 64),
        "n": VALUES | st.integers(0, 64),
        "p": VALUES | st.integers(0, 4),
        "r": VALUES | st.integers(0, 8),
        "c": VALUES | st.integers(0, 9),
        "prf": VALUES | st.just("hmac-sha256"),
        "salt": VALUES | st.just("ab" * 16),
    },
)
CRYPTO = st.fixed_dictionaries(
    {},
    optional={
        "cipher": VALUES | st.just("aes-128-ctr"),
        "cipherparams": VALUES | st.fixed_dictionaries({"iv": VALUES | st.just("ab" * 16)}),
        "ciphertext": VALUES | st.just("ab" * 32),
        "kdf": VALUES | st.sampled_from(["scrypt", "pbkdf2"]),
        "kdfparams": VALUES | KDFS,
        "mac": VALUES | st.just("ab" * 32),
    },
)
KEYSTORES = st.fixed_dictionaries(
    {"crypto": VALUES | CRYPTO},
    optional={
        "version": VALUES | st.just(3),
        "address": VALUES | st.just("11" * 20),
        "Crypto": VALUES,
    },
)


@files
@given(held=st.one_of(st.binary(max_size=60), KEYSTORES))
def test_any_file_is_a_keystore_or_refused(tmp_path: Path, held: bytes | dict[str, Any]) -> None:
    file = tmp_path / "keeper.json"
    file.write_bytes(held if isinstance(held, bytes) else json.dumps(held, default=str).encode())
    with suppress(KeystoreInvalidError):
        keystore_address(file)
    with suppress(KeystoreInvalidError, KeystorePasswordError):
        KeystoreSigner.unlock(file, "password")


@files
@given(held=st.binary(max_size=60))
def test_any_file_is_a_password_a_chaos_script_a_book_prices_or_refused(tmp_path: Path, held: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(held)
    for read in (
        lambda: read_password(file),
        lambda: load_script(file),
        lambda: read_accounts(file, {"WETH": 18}),
        lambda: read_bars(file),
    ):
        with suppress(SluiceError):
            read()


@files
@given(phase=st.dictionaries(st.sampled_from(["name", "seconds", "faults"]), VALUES), rest=VALUES)
def test_any_table_is_a_chaos_script_or_refused(tmp_path: Path, phase: dict[str, Any], rest: Any) -> None:
    file = tmp_path / "chaos.toml"
    file.write_text(
        f"seed = {toml(rest)}\n[[phase]]\n" + "".join(f"{k} = {toml(v)}\n" for k, v in phase.items())
    )
    with suppress(ConfigError):
        load_script(file)


# -------------------------------------------------------------------------- arguments

PARSERS: dict[str, tuple[Callable[[str], object], type[SluiceError]]] = {
    "change": (parse_change, InvalidInputError),
    "account": (checksummed, InvalidInputError),
    "listen": (_address, ConfigValueError),
    "upstream": (_node, ConfigValueError),
    "time": (lambda text: parse_time("--start", text), SluiceError),
    "prices": (parse_prices_option, SluiceError),
}
ODD = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["-100%", "1e9%", "+.%", "٣%", "0x" + "a" * 40, ":", "[::]:1", "h:٣", "http://[", "a=b=c"]
    ),
)


@pytest.mark.parametrize("name", PARSERS)
@given(text=ODD)
def test_any_argument_is_read_or_refused(name: str, text: str) -> None:
    parse, refusal = PARSERS[name]
    with suppress(refusal):
        parse(text)
