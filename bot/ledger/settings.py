"""The section ``[ledger]`` of the settings."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from bot.ledger.address import LedgerAddress, LedgerPlace
from bot.sections import unmasked

_LEAST_KEPT = 1_000

LONGEST_LEASE_S = 300.0
"""Longest lease that a keeper may ask for."""


def _usable(value: SecretStr) -> SecretStr:
    LedgerAddress.parse(unmasked(value).get_secret_value())
    return value


def _enough(value: int) -> int:
    if value != 0 and value < _LEAST_KEPT:
        raise ValueError(f"must be 0, for all, or at least {_LEAST_KEPT}: reorgs and limits look back")
    return value


class LedgerSettings(BaseModel):
    """The ledger.

    Parameters
    ----------
    path : Path
        SQLite file; made if it is not there.
    url : SecretStr or None
        PostgreSQL database, ``postgresql://user:password@host/name``; where it is set, ``path`` is not used.
        Secret, because it holds a password.
    keep_blocks : int
        Blocks below the newest whose heads and decisions are kept, at least 1,000; 0 keeps all. Signed
        transactions and the decisions that they come from are kept in any case.
    lease_s : float
        Seconds after which a keeper that fell silent is replaced by another one on the same ledger.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    path: Path = Path("sluice.sqlite")
    url: Annotated[SecretStr, AfterValidator(_usable)] | None = None
    keep_blocks: Annotated[int, AfterValidator(_enough)] = 1_000_000
    lease_s: float = Field(default=5.0, ge=1.0, le=LONGEST_LEASE_S)

    def place(self) -> LedgerPlace:
        """Return where the ledger is."""
        return self.path if self.url is None else LedgerAddress.parse(self.url.get_secret_value())

    def exists(self) -> bool:
        """Return whether there can be a ledger: for a file, whether it is there."""
        return self.url is not None or self.path.exists()

    def secrets(self) -> list[str]:
        """Return the password, and the URL as it was written."""
        if self.url is None:
            return []
        passwords = LedgerAddress.parse(self.url.get_secret_value()).secrets
        return [self.url.get_secret_value(), *passwords] if passwords else []
