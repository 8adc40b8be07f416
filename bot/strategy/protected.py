"""What the strategy sees of protection: who asked for it, on which terms, and what has been used of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.protection import DAY, ProtectionRules, ProtectionTerms
from bot.domain.wad import WAD


@dataclass(frozen=True, slots=True)
class Protected:
    """An account whose owner stated terms.

    Parameters
    ----------
    terms : ProtectionTerms
        The owner's.
    operated : bool
        Whether the contract is the account's operator, without which nothing can be done.
    sold, since : int
        Value repaid, WAD quote units, in the day that began then, unix seconds.
    """

    terms: ProtectionTerms
    operated: bool
    sold: int = 0
    since: int = 0

    def most_value(self, now: int) -> int:
        """Return what the owner's bounds leave to a call now, WAD quote units."""
        sold = self.sold if now < self.since + DAY else 0
        return min(max(self.terms.max_daily_value * WAD - sold, 0), self.terms.max_value * WAD)


@dataclass(frozen=True, slots=True)
class Protections:
    """Protection at a head.

    Parameters
    ----------
    accounts : mapping of bytes to Protected
        By address, 20 bytes.
    rules : ProtectionRules
        Governance's.
    scenarios : tuple of mapping of int to int
        By number: move of each asset's price, basis points.
    paused : bool
        Whether sales are paused.
    """

    accounts: Mapping[bytes, Protected] = field(default_factory=dict)
    rules: ProtectionRules = field(default_factory=ProtectionRules)
    scenarios: tuple[Mapping[int, int], ...] = ()
    paused: bool = False
