"""What settings are made of: strict sections, addresses, URLs, and TOML that is read or refused."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from eth_utils.address import to_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, ValidationError

from bot.chain.endpoint import Endpoint
from bot.errors import ConfigFileError
from bot.ops.redaction import HIDDEN, Redactor


class Section(BaseModel):
    """A section of settings: frozen, and without names that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def checked_address(value: str) -> str:
    """Return an address with its checksum.

    Raises
    ------
    ValueError
        If it is none, or if its letters are of both cases and not those of its checksum: a digit is wrong.
    """
    if re.fullmatch("0x[0-9a-fA-F]{40}", value) is None:
        raise ValueError("must be an address: 0x and 40 hex digits, with its checksum or without any")
    digits, right = value[2:], to_checksum_address(value)
    if value != right and digits not in (digits.lower(), digits.upper()):
        raise ValueError(
            "must be an address; the case of its letters, a checksum, says that a digit is wrong"
        )
    return right


def unmasked(value: SecretStr) -> SecretStr:
    """Return a secret; refuse what stands for one where settings are printed.

    Raises
    ------
    ValueError
        If it holds the mask.
    """
    if HIDDEN in value.get_secret_value():
        raise ValueError(
            "holds the mask that stands for a secret where settings are printed: write the secret itself, or "
            "leave the setting to the environment"
        )
    return value


def _http_url(value: SecretStr) -> SecretStr:
    unmasked(value)
    if Endpoint.parse(value.get_secret_value()).transport != "http":
        raise ValueError("must begin with http:// or https://")
    return value


AddressText: TypeAlias = Annotated[str, AfterValidator(checked_address)]
"""An address, kept with its checksum."""
HttpUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_http_url)]
"""Where requests are sent; secret, because it may hold a key."""


_FAULTS: Final = {
    "extra_forbidden": "is no setting",
    "missing": "must be set",
    "model_type": "must be a section of settings",
    "path_type": "must be a path",
    "too_short": "must not be empty",
}
"""What is said of a fault in place of pydantic's words, which name classes."""
_WITHOUT_VALUE: Final = ("extra_forbidden", "missing")
"""Faults of a name: the value beside it may be a secret that was put in the wrong place."""
_MISPLACED: Final = Redactor()
"""Cuts an URL, which may have been put where something else belongs, to what may be shown of it."""


def refused(entry: Any, *, secret: Callable[[str], bool]) -> tuple[str, str, str]:
    """Return name, value and fault of a value that pydantic refused.

    Parameters
    ----------
    entry : mapping
        One of ``ValidationError.errors()``.
    secret : callable
        Whether the value of a setting, given its full name, is not to be shown.

    Returns
    -------
    tuple of (str, str, str)
        The value is masked if it is secret, and if it is a text or table where a section should be, since any
        of its settings may be meant; it is empty where the fault is the name's. Of an URL anywhere else
        scheme, host and port are left.
    """
    name, value, kind = ".".join(str(part) for part in entry["loc"]), entry["input"], entry["type"]
    if kind == "union_tag_invalid":
        tags = entry["ctx"]["expected_tags"].replace("'", "")
        return f"{name}.kind", _MISPLACED.text(repr(entry["ctx"]["tag"])), f"must be one of {tags}"
    fault = str(entry["msg"]).removeprefix("Value error, ")
    fault = _FAULTS.get(kind) or re.sub("^Input should ", "must ", fault)
    if kind in _WITHOUT_VALUE:
        return name, "", fault
    whole = "." not in name and isinstance(value, str | Mapping | list) and kind == "model_type"
    return name, HIDDEN if whole or secret(name) else _MISPLACED.text(repr(value)), fault


def faults_of(error: ValidationError, *, secret: Callable[[str], bool]) -> list[tuple[str, str, str]]:
    """Return name, value and fault of everything that pydantic refused.

    A list whose only member is refused is called empty, too: that is left out.

    Parameters
    ----------
    error : ValidationError
        All of it.
    secret : callable
        As `refused` takes it.
    """
    faults = [refused(entry, secret=secret) for entry in error.errors()]
    inner = [name for name, _, _ in faults]
    return [fault for fault in faults if not any(name.startswith(f"{fault[0]}.") for name in inner)]


def located(folder: Path, path: Path) -> Path:
    """Return where a path leads: it starts at the folder of the settings, or with ``~`` at home."""
    return folder / os.path.expanduser(path)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises
    ------
    ConfigFileError
        If it is missing, unreadable, or no TOML.
    """
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigFileError(str(path), "there is no such file") from None
    except OSError as error:
        raise ConfigFileError(str(path), (error.strerror or "it cannot be read").lower()) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        twice = "immutable namespace" in str(error)
        hint = "; a list is written either as [...] or as tables [[...]]" if twice else ""
        raise ConfigFileError(str(path), f"it is not TOML: {error}{hint}") from None
