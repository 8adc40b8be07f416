"""Totals of each asset, as the logs of the clearing house move them."""

from dataclasses import dataclass, replace
from typing import Any, Final

from bot.domain.lending import Burnt, Market, RateModel, accrued, booked, less_deficit
from bot.domain.wad import WAD_PER_BPS
from bot.protocols.events import Event

_NO_RATE = RateModel(0, 0, 0, 1)
_NO_TOTALS = Market()
ROUTE_TAKE: Final = 0
"""`ILiquidationEngine.Route.TAKE`: whoever settles pays, and keeps the chip."""


@dataclass(frozen=True, slots=True)
class AssetBook:
    """A listed asset: its token, its parameters and its totals as of the last accrual.

    Parameters
    ----------
    token : bytes
        20 bytes.
    decimals : int
        Of the token.
    threshold, weight : int
        Liquidation threshold and debt weight, WAD.
    reserve_factor_bps : int
        Share of interest set aside.
    rates : RateModel
        Borrow rate.
    market : Market
        Totals.
    """

    token: bytes
    decimals: int
    threshold: int = 0
    weight: int = 0
    reserve_factor_bps: int = 0
    rates: RateModel = _NO_RATE
    market: Market = _NO_TOTALS

    def market_at(self, timestamp: int) -> Market:
        """Return the totals with interest up to ``timestamp``, as the contract shows them in that block."""
        return accrued(self.market, self.rates, self.reserve_factor_bps, timestamp)

    def moved(self, event: Event) -> "AssetBook":
        """Return the asset after one of its events; an event that moves no total leaves it as it is."""
        fields = event.fields
        if event.name == "AssetParametersSet":
            return replace(
                self,
                threshold=fields["liquidationThresholdBps"] * WAD_PER_BPS,
                weight=fields["debtWeightBps"] * WAD_PER_BPS,
                reserve_factor_bps=fields["reserveFactorBps"],
            )
        if event.name == "RateModelSet":
            rates = RateModel(
                fields["baseRateBps"], fields["kinkRateBps"], fields["fullRateBps"], fields["kinkBps"]
            )
            return replace(self, rates=rates)
        change = _CHANGES.get(event.name)
        return replace(self, market=change(self.market, fields)) if change else self


def _accrue(market: Market, fields: Any) -> Market:
    interest, reserve = fields["interest"], fields["reserve"]
    return replace(
        market,
        borrow_assets=market.borrow_assets + interest,
        supply_assets=market.supply_assets + interest - reserve,
        reserve_assets=market.reserve_assets + reserve,
        last_accrual=fields["timestamp"],
    )


def _supply(market: Market, fields: Any) -> Market:
    return replace(
        market,
        supply_assets=market.supply_assets + fields["assets"],
        supply_shares=market.supply_shares + fields["shares"],
        cash=market.cash + fields["assets"],
    )


def _withdraw(market: Market, fields: Any) -> Market:
    return replace(
        market,
        supply_assets=market.supply_assets - fields["assets"],
        supply_shares=market.supply_shares - fields["shares"],
        cash=market.cash - fields["assets"],
    )


def _deposit(market: Market, fields: Any) -> Market:
    amount = fields["amount"]
    return replace(market, collateral_assets=market.collateral_assets + amount, cash=market.cash + amount)


def _release(market: Market, fields: Any) -> Market:
    amount = fields["amount"]
    return replace(market, collateral_assets=market.collateral_assets - amount, cash=market.cash - amount)


def _borrow(market: Market, fields: Any) -> Market:
    return replace(
        market,
        borrow_assets=market.borrow_assets + fields["assets"],
        borrow_shares=market.borrow_shares + fields["shares"],
        cash=market.cash - fields["assets"],
    )


def _repay(market: Market, fields: Any) -> Market:
    assets, excess = fields["assets"], fields["excess"]
    return replace(
        market,
        borrow_assets=market.borrow_assets - (assets - excess),
        borrow_shares=market.borrow_shares - fields["shares"],
        reserve_assets=market.reserve_assets + excess,
        cash=market.cash + assets,
    )


def _net(market: Market, fields: Any) -> Market:
    amount, excess = fields["amount"], fields["excess"]
    return replace(
        market,
        borrow_assets=market.borrow_assets - (amount - excess),
        borrow_shares=market.borrow_shares - fields["shares"],
        reserve_assets=market.reserve_assets + excess,
        collateral_assets=market.collateral_assets - amount,
    )


def _write_off(market: Market, fields: Any) -> Market:
    reduced = replace(
        market,
        borrow_assets=market.borrow_assets - fields["deficit"],
        borrow_shares=market.borrow_shares - fields["shares"],
    )
    return less_deficit(reduced, fields["deficit"])


def _forfeit(market: Market, fields: Any) -> Market:
    return replace(
        market,
        collateral_assets=market.collateral_assets - fields["amount"],
        reserve_assets=market.reserve_assets + fields["amount"],
    )


def _collect(market: Market, fields: Any) -> Market:
    amount = fields["amount"]
    return replace(market, credit_assets=market.credit_assets - amount, cash=market.cash - amount)


def _withdraw_reserve(market: Market, fields: Any) -> Market:
    amount = fields["amount"]
    return replace(market, reserve_assets=market.reserve_assets - amount, cash=market.cash - amount)


def sold(market: Market, fields: Any) -> Market:
    """Return the collateral's totals after a settlement."""
    return _release(market, {"amount": fields["seized"]})


def settled(market: Market, fields: Any) -> Market:
    """Return the debt's totals after a settlement."""
    return booked(
        market,
        Burnt(fields["shares"], fields["cancelled"]),
        payment=fields["payment"],
        repaid=fields["repaid"],
        surplus=fields["surplus"],
        incentives=fields["tip"] + fields["chip"],
        kept=fields["chip"] if fields["route"] == ROUTE_TAKE else 0,
    )


def _cover(market: Market, fields: Any) -> Market:
    """Add what the insurance fund pays ahead of the deficit that it covers."""
    to_suppliers, to_reserve = fields["toSuppliers"], fields["toReserve"]
    return replace(
        market,
        supply_assets=market.supply_assets + to_suppliers,
        reserve_assets=market.reserve_assets + to_reserve,
        cash=market.cash + to_suppliers + to_reserve,
    )


_CHANGES = {
    "InterestAccrued": _accrue,
    "Supplied": _supply,
    "Withdrawn": _withdraw,
    "CollateralDeposited": _deposit,
    "CollateralWithdrawn": _release,
    "Borrowed": _borrow,
    "Repaid": _repay,
    "Netted": _net,
    "DebtWrittenOff": _write_off,
    "CollateralForfeited": _forfeit,
    "CreditCollected": _collect,
    "ReserveWithdrawn": _withdraw_reserve,
    "DeficitCovered": _cover,
}
