"""One account at oracle prices, as the clearing house sums it."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from bot.domain.wad import div_down, mul_div_down, mul_div_up, mul_down, mul_up

UNBOUNDED: Final = 2**256 - 1
"""The health factor of an account without debt; the amount that means "all"."""


class AssetTerms(NamedTuple):
    """Price and weights of an asset.

    Parameters
    ----------
    unit : int
        Token units of a whole token.
    price : int
        WAD quote units per whole token; positive.
    threshold, weight : int
        Liquidation threshold and debt weight, WAD.
    """

    unit: int
    price: int
    threshold: int
    weight: int

    def value_down(self, amount: int) -> int:
        """Return the value of an amount. Rounding: DOWN, as collateral is valued."""
        return mul_div_down(amount, self.price, self.unit)

    def value_up(self, amount: int) -> int:
        """Return the value of an amount. Rounding: UP, as debt is valued."""
        return mul_div_up(amount, self.price, self.unit)


class Holding(NamedTuple):
    """One asset of one account, token units; debt with interest, rounded up."""

    asset_id: int
    collateral: int
    debt: int


class Balance(NamedTuple):
    """An account at oracle prices, values rounded against it.

    Parameters
    ----------
    collateral_value, debt_value : int
        V, rounded down, and D, rounded up.
    weighted_collateral, weighted_debt : int
        A, rounded down, and D_w, rounded up.
    """

    collateral_value: int
    debt_value: int
    weighted_collateral: int
    weighted_debt: int

    @property
    def health_factor(self) -> int:
        """A / D_w, WAD, rounded down; `UNBOUNDED` without debt."""
        return div_down(self.weighted_collateral, self.weighted_debt) if self.weighted_debt else UNBOUNDED


def balance_of(holdings: Sequence[Holding], terms: Mapping[int, AssetTerms]) -> Balance:
    """Return an account's values, as ``ClearingHouse.accountState`` sums them.

    Parameters
    ----------
    holdings : sequence of Holding
        All the account holds and owes.
    terms : mapping of int to AssetTerms
        By asset id.
    """
    value = debt = weighted = owed = 0
    for holding in holdings:
        asset = terms[holding.asset_id]
        held, due = asset.value_down(holding.collateral), asset.value_up(holding.debt)
        value += held
        debt += due
        weighted += mul_down(held, asset.threshold)
        owed += mul_up(due, asset.weight)
    return Balance(value, debt, weighted, owed)


def netted(holdings: Sequence[Holding]) -> tuple[Holding, ...]:
    """Return the account after collateral has repaid debt in the same asset, as every kick does first."""
    result = []
    for holding in holdings:
        both = min(holding.collateral, holding.debt)
        result.append(Holding(holding.asset_id, holding.collateral - both, holding.debt - both))
    return tuple(result)
