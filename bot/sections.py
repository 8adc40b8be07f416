"""What settings are made of: strict sections, addresses, URLs, and TOML that is read or refused."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from eth_utils.address import is_address, to_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from bot.chain.endpoint import Endpoint
from bot.errors import ConfigFileError


class Section(BaseModel):
    """A section of settings: frozen, and without names that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def _address(value: str) -> str:
    if not is_address(value):
        raise ValueError("must be an address: 0x and 40 hex digits, with its checksum or without any")
    return to_checksum_address(value)


def _http_url(value: SecretStr) -> SecretStr:
    if Endpoint.parse(value.get_secret_value()).transport != "http":
        raise ValueError("must begin with http:// or https://")
    return value


AddressText: TypeAlias = Annotated[str, AfterValidator(_address)]
"""An address, kept with its checksum."""
HttpUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_http_url)]
"""Where requests are sent; secret, because it may hold a key."""


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
        raise ConfigFileError(str(path), f"it is not TOML: {error}") from None
