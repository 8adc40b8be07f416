"""Shares and interest of a lending pool, wei for wei the contracts' ``SharesMath`` and ``InterestRate``.

A pool's assets belong to its shares pro rata, with virtual offsets; the borrow rate is linear to a kink and
linear above it, and compounds between accruals by the first three terms of the exponential series.
Derivation: docs/mechanism.md, section 1.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from bot.domain.wad import WAD, WAD_PER_BPS, bps_down, div_down, mul_div_down, mul_div_up, mul_up

YEAR: Final = 365 * 86_400
"""Seconds over which a yearly rate is spread."""
VIRTUAL_SHARES: Final = 10**6
"""Shares that nobody holds."""
VIRTUAL_ASSETS: Final = 1
"""Assets that nobody holds."""


def shares_down(assets: int, total_assets: int, total_shares: int) -> int:
    """Return what ``assets`` are in shares. Rounding: DOWN, as a deposit mints and a repayment burns."""
    return mul_div_down(assets, total_shares + VIRTUAL_SHARES, total_assets + VIRTUAL_ASSETS)


def shares_up(assets: int, total_assets: int, total_shares: int) -> int:
    """Return the shares that ``assets`` are worth. Rounding: UP, as a borrow mints and a withdrawal burns."""
    return mul_div_up(assets, total_shares + VIRTUAL_SHARES, total_assets + VIRTUAL_ASSETS)


def assets_down(shares: int, total_assets: int, total_shares: int) -> int:
    """Return the assets that ``shares`` are worth. Rounding: DOWN, as a supplier is paid."""
    return mul_div_down(shares, total_assets + VIRTUAL_ASSETS, total_shares + VIRTUAL_SHARES)


def assets_up(shares: int, total_assets: int, total_shares: int) -> int:
    """Return the assets that ``shares`` are worth. Rounding: UP, as a borrower owes."""
    return mul_div_up(shares, total_assets + VIRTUAL_ASSETS, total_shares + VIRTUAL_SHARES)


@dataclass(frozen=True, slots=True)
class RateModel:
    """Kinked yearly borrow rate, basis points of the debt and of utilisation.

    Parameters
    ----------
    base_rate_bps, kink_rate_bps, full_rate_bps : int
        Rate at no, at the kink's, and at full utilisation.
    kink_bps : int
        Utilisation at the kink.
    """

    base_rate_bps: int
    kink_rate_bps: int
    full_rate_bps: int
    kink_bps: int


@dataclass(frozen=True, slots=True)
class Market:
    """Totals of one asset, token units and shares, as of ``last_accrual``.

    Parameters
    ----------
    supply_assets, supply_shares : int
        What suppliers own.
    borrow_assets, borrow_shares : int
        What borrowers owe.
    cash : int
        Tokens in the pool that are lent to nobody.
    collateral_assets, reserve_assets, credit_assets : int
        Collateral of accounts, set-aside reserve, tips and chips not collected yet.
    last_accrual : int
        Unix seconds.
    """

    supply_assets: int = 0
    supply_shares: int = 0
    borrow_assets: int = 0
    borrow_shares: int = 0
    cash: int = 0
    collateral_assets: int = 0
    reserve_assets: int = 0
    credit_assets: int = 0
    last_accrual: int = 0

    @property
    def imbalance(self) -> int:
        """``cash + debt - (supply + reserve + credit + collateral)``: zero to the wei in a true book."""
        claims = self.supply_assets + self.reserve_assets + self.credit_assets + self.collateral_assets
        return self.cash + self.borrow_assets - claims


def utilisation(supplied: int, borrowed: int) -> int:
    """Return ``borrowed / supplied``, WAD, at most 1. Rounding: DOWN."""
    if borrowed >= supplied:
        return WAD if borrowed else 0
    return div_down(borrowed, supplied)


def borrow_rate(model: RateModel, supplied: int, borrowed: int) -> int:
    """Return the yearly rate, WAD. Rounding: UP, in favour of the pool.

    Linear from base to kink rate up to the kink, linear from there to the full rate at full utilisation.
    """
    used, kink = utilisation(supplied, borrowed), model.kink_bps * WAD_PER_BPS
    if used <= kink:
        return _interpolate_up(model.base_rate_bps, model.kink_rate_bps, used, kink)
    return _interpolate_up(model.kink_rate_bps, model.full_rate_bps, used - kink, WAD - kink)


def _interpolate_up(from_bps: int, to_bps: int, part: int, whole: int) -> int:
    return from_bps * WAD_PER_BPS + mul_div_up((to_bps - from_bps) * WAD_PER_BPS, part, whole)


def growth_up(rate: int, elapsed: int) -> int:
    """Return ``x + x^2/2 + x^3/6`` with ``x = rate * elapsed / YEAR``, WAD. Rounding: each term UP."""
    first = mul_div_up(rate, elapsed, YEAR)
    second = mul_div_up(first, first, 2 * WAD)
    third = mul_div_up(second, first, 3 * WAD)
    return first + second + third


def accrued(market: Market, model: RateModel, reserve_factor_bps: int, timestamp: int) -> Market:
    """Return the market with interest up to ``timestamp``, as every read and action of the contract sees it.

    The reserve's share of interest is rounded down, so that nothing is set aside that was not earned.

    Parameters
    ----------
    market : Market
        As of its last accrual; unchanged if that is not before ``timestamp``.
    model : RateModel
        Of the asset.
    reserve_factor_bps : int
        Share of interest that is set aside.
    timestamp : int
        Unix seconds.
    """
    elapsed = timestamp - market.last_accrual
    if elapsed <= 0:
        return market
    if market.borrow_assets == 0:
        return replace(market, last_accrual=timestamp)
    rate = borrow_rate(model, market.supply_assets, market.borrow_assets)
    interest = mul_up(market.borrow_assets, growth_up(rate, elapsed))
    reserve = bps_down(interest, reserve_factor_bps)
    return replace(
        market,
        borrow_assets=market.borrow_assets + interest,
        supply_assets=market.supply_assets + interest - reserve,
        reserve_assets=market.reserve_assets + reserve,
        last_accrual=timestamp,
    )


class Burnt(NamedTuple):
    """What cancelling a part of a debt takes off the totals: shares, and assets of the recorded total."""

    shares: int
    cancelled: int


def burnt(market: Market, held: int, assets: int) -> Burnt:
    """Return what cancelling ``assets`` of a debt of ``held`` shares burns, as ``ClearingHouse`` does.

    Rounding: the shares DOWN, in favour of the pool, unless all of the debt is cancelled. Each debt is
    rounded up, so the last to be cancelled may pass the recorded total by a unit, which cancels nothing.

    Parameters
    ----------
    market : Market
        Of the debt, interest included.
    held : int
        Debt shares of the account.
    assets : int
        At most the account's debt, token units.
    """
    whole = assets == assets_up(held, market.borrow_assets, market.borrow_shares)
    shares = held if whole else shares_down(assets, market.borrow_assets, market.borrow_shares)
    return Burnt(shares, min(assets, market.borrow_assets))


def booked(
    market: Market, taken: Burnt, *, payment: int, repaid: int, surplus: int, incentives: int, kept: int = 0
) -> Market:
    """Return the totals of a debt after a settlement: cash in, debt cancelled, then the parts of the payment.

    Parameters
    ----------
    market : Market
        Interest included.
    taken : Burnt
        Of the debt that is cancelled.
    payment, repaid, surplus : int
        What was paid, the part that repays debt, and the part credited to the account as collateral.
    incentives : int
        Tip and chip.
    kept : int
        Part of them that the settler keeps instead of a credit.
    """
    excess = max(repaid - taken.cancelled, 0)
    paid = replace(
        market,
        cash=market.cash + payment - kept,
        borrow_assets=market.borrow_assets - taken.cancelled,
        borrow_shares=market.borrow_shares - taken.shares,
        reserve_assets=market.reserve_assets + payment - repaid - surplus - incentives + excess,
        credit_assets=market.credit_assets + incentives - kept,
        collateral_assets=market.collateral_assets + surplus,
    )
    return less_deficit(paid, max(taken.cancelled - repaid, 0))


def less_deficit(market: Market, deficit: int) -> Market:
    """Take a deficit off the suppliers' claims and, beyond those, off the reserve."""
    from_suppliers = min(deficit, market.supply_assets)
    return replace(
        market,
        supply_assets=market.supply_assets - from_suppliers,
        reserve_assets=market.reserve_assets - (deficit - from_suppliers),
    )
