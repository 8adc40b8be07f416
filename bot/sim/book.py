"""A book of accounts: what each holds and owes when a replay begins.

Amounts are integers in token units; prices are those of the oracle (WAD quote units per whole token), so
that whether the clearing house will lend is known exactly before anything is sent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

BPS = 10_000

Amounts: TypeAlias = tuple[tuple[str, int], ...]
"""Symbols and token units, each symbol once."""


@dataclass(frozen=True, slots=True)
class AssetTerms:
    """What an account can do with an asset, as the clearing house lists it, and its price.

    Parameters
    ----------
    symbol : str
        Name in books and reports.
    asset_id : int
        Index in the clearing house.
    decimals : int
        Of the token.
    price_wad : int
        Oracle price, WAD quote units per whole token.
    max_ltv_bps, liquidation_threshold_bps, debt_weight_bps : int
        Risk parameters.
    """

    symbol: str
    asset_id: int
    decimals: int
    price_wad: int
    max_ltv_bps: int
    liquidation_threshold_bps: int
    debt_weight_bps: int

    @property
    def unit(self) -> int:
        """Token units of a whole token."""
        return int(10**self.decimals)

    def value_down(self, amount: int) -> int:
        """Return the value of an amount, WAD quote units, rounded down as collateral is."""
        return amount * self.price_wad // self.unit

    def value_up(self, amount: int) -> int:
        """Return the value of an amount, WAD quote units, rounded up as debt is."""
        return -(-amount * self.price_wad // self.unit)


Terms: TypeAlias = Mapping[str, AssetTerms]
"""Terms by symbol."""


@dataclass(frozen=True, slots=True)
class Account:
    """What one account holds and owes.

    Parameters
    ----------
    name : str
        Unique in its book; the account's key is derived from it and the seed.
    collateral, debt : Amounts
        Token units by symbol.
    """

    name: str
    collateral: Amounts
    debt: Amounts

    def collateral_value(self, terms: Terms) -> int:
        """Return V, WAD quote units, rounded down."""
        return sum(terms[symbol].value_down(amount) for symbol, amount in self.collateral)

    def debt_value(self, terms: Terms) -> int:
        """Return D, WAD quote units, rounded up."""
        return sum(terms[symbol].value_up(amount) for symbol, amount in self.debt)

    def weighted_debt(self, terms: Terms) -> int:
        """Return D_w, WAD quote units, rounded up."""
        return sum(
            -(-terms[symbol].value_up(amount) * terms[symbol].debt_weight_bps // BPS)
            for symbol, amount in self.debt
        )

    def borrow_limit(self, terms: Terms) -> int:
        """Return the largest D_w that may be borrowed, WAD quote units, rounded down."""
        return sum(
            terms[symbol].value_down(amount) * terms[symbol].max_ltv_bps // BPS
            for symbol, amount in self.collateral
        )

    def health_factor(self, terms: Terms) -> float:
        """Return A / D_w; infinite without debt."""
        adjusted = sum(
            terms[symbol].value_down(amount) * terms[symbol].liquidation_threshold_bps // BPS
            for symbol, amount in self.collateral
        )
        weighted = self.weighted_debt(terms)
        return adjusted / weighted if weighted else float("inf")


@dataclass(frozen=True, slots=True)
class Book:
    """Accounts, and how they came about.

    Parameters
    ----------
    accounts : tuple of Account
        In the order in which they are seeded.
    source : str
        ``"generated"`` or the name of a file.
    raised : int
        Accounts whose debt was raised to the smallest borrow that the clearing house allows.
    """

    accounts: tuple[Account, ...]
    source: str
    raised: int = 0

    def totals(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return all collateral and all debt, token units by symbol."""
        return (
            _sum(account.collateral for account in self.accounts),
            _sum(account.debt for account in self.accounts),
        )

    def debt_value(self, terms: Terms) -> int:
        """Return the debt of the book, WAD quote units."""
        return sum(account.debt_value(terms) for account in self.accounts)


def _sum(parts: Iterable[Amounts]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for amounts in parts:
        for symbol, amount in amounts:
            totals[symbol] = totals.get(symbol, 0) + amount
    return totals
