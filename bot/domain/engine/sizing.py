"""How much a sale takes and what it is booked as: the contracts' ``Sizing``."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from bot.domain.engine.accounts import AssetTerms, Balance, Holding, balance_of
from bot.domain.wad import WAD, div_down, div_up, mul_div_down, mul_div_up, mul_down, mul_up

_ROUNDING: Final = 1_000
"""More than all roundings of one sale together, wei of value."""
_ROUNDING_WAD: Final = 10
"""The same, in parts in 10^18 of the value."""


class Position(NamedTuple):
    """One account, seen from one collateral that is sold for one debt.

    Parameters
    ----------
    balance : Balance
        All of the account.
    highest_multiplier : int
        M, WAD; at least that of the collateral sold.
    collateral, debt : int
        Token units held and owed.
    sold, owed : AssetTerms
        Of the collateral and of the debt.
    """

    balance: Balance
    highest_multiplier: int
    collateral: int
    debt: int
    sold: AssetTerms
    owed: AssetTerms


class Terms(NamedTuple):
    """What a sale at one multiplier is booked at.

    Parameters
    ----------
    multiplier, penalty : int
        m', or M in insolvency, and p', WAD.
    reserve_value : int
        S.
    insolvent : bool
        Whether S < D.
    """

    multiplier: int
    penalty: int
    reserve_value: int
    insolvent: bool


class Sale(NamedTuple):
    """One sale, token units.

    Parameters
    ----------
    seized, payment : int
        Collateral sold, and what is paid for it.
    repaid : int
        Part of the payment that repays debt.
    cancelled : int
        Debt cancelled: ``repaid``, or more in insolvency.
    surplus : int
        Part of the payment that is credited to the account.
    """

    seized: int
    payment: int
    repaid: int
    cancelled: int
    surplus: int = 0


def terms_at(position: Position, multiplier: int, penalty: int) -> Terms:
    """Return m', p' and S of a sale at ``multiplier``: the curve's, or what the sale really brings.

    While solvent, b is capped by ``B = min(HF w / k, V / D)``: ``m' = max(m, 1 / B)``, ``p' = min(p, m' B
    - 1)``. Where the multiplier is above M, S counts what is sold at it and the rest at M. Rounding: S down,
    so that insolvency is not overlooked; 1 / B up and p' down, so that b stays below its cap.
    """
    balance, highest = position.balance, position.highest_multiplier
    sold, price = position.sold.value_down(position.collateral), max(multiplier, highest)
    reserve_value = mul_down(sold, price) + mul_down(balance.collateral_value - sold, highest)
    if reserve_value < balance.debt_value:
        return Terms(price, 0, reserve_value, insolvent=True)
    numerator = balance.weighted_collateral * position.owed.weight
    divisor = position.sold.threshold * balance.weighted_debt
    paid = max(
        multiplier,
        mul_div_up(WAD, divisor, numerator),
        div_up(balance.debt_value, balance.collateral_value),
    )
    room = min(
        mul_div_down(paid, numerator, divisor),
        mul_div_down(paid, balance.collateral_value, balance.debt_value),
    )
    return Terms(paid, min(max(room - WAD, 0), penalty), reserve_value, insolvent=False)


def payment_up(position: Position, multiplier: int, seized: int) -> int:
    """Return the debt tokens owed for ``seized`` at a multiplier. Rounding: UP at every step."""
    value = mul_up(position.sold.value_up(seized), multiplier)
    return mul_div_up(value, position.owed.unit, position.owed.price)


def multiplier_down(position: Position, seized: int, payment: int) -> int:
    """Return the multiplier that a sale brought, WAD. Rounding: DOWN, because the penalty grows with it."""
    return div_down(position.owed.value_down(payment), position.sold.value_up(seized))


def multiplier_up(position: Position, seized: int, payment: int) -> int:
    """Return the multiplier that a sale would bring, WAD. Rounding: UP, for the smaller slice."""
    return div_up(position.owed.value_up(payment), position.sold.value_down(seized))


def largest_take(position: Position, offer: Terms, target: int, dust: int) -> Sale:
    """Return the largest take: up to the target while solvent, else all that debt or collateral allow."""
    sale = _to_target(position, offer, target, dust)
    return _closing(position, offer) if sale is None else sale


def partial_take(position: Position, offer: Terms, seized: int) -> Sale:
    """Return a take of ``seized``, at most the largest one: whole or in pieces it costs the same.

    Rounding: the payment UP, because of the reserve; the debt repaid by it UP, because health may not fall.
    """
    payment = payment_up(position, offer.multiplier, seized)
    return realised(position, offer, seized, payment)._replace(surplus=0)


def sale_size(position: Position, best: Terms, low: Terms, target: int, dust: int) -> int:
    """Return the collateral that a venue sale may sell where its price will lie between two offers.

    Up to the target the best price sizes, so that the target is not passed; a closing sale is sized by
    the lowest, so that it closes whatever it brings. Rounding: down to the target; a closing sale UP, by
    more than all roundings that follow.
    """
    sale = _to_target(position, best, target, dust)
    if sale is not None:
        return sale.seized
    if low.insolvent:
        payment = mul_div_up(position.debt, low.reserve_value, position.balance.debt_value)
    else:
        payment = position.debt + mul_up(position.debt, low.penalty)
    value = div_up(position.owed.value_up(payment), low.multiplier)
    value += _ROUNDING + mul_up(value, _ROUNDING_WAD)
    return min(mul_div_up(value, position.sold.unit, position.sold.price), position.collateral)


def realised(position: Position, offer: Terms, seized: int, payment: int) -> Sale:
    """Return how a sale of ``seized`` that brought ``payment`` is booked, at the terms of its own price.

    Solvent: ``repaid = payment / (1 + p')``, at most the debt; what is beyond debt and penalty is the
    account's. Insolvent: all of it repays, and cancels D / S of debt, at most the debt. Rounding: repaid
    and penalty UP; what insolvency cancels DOWN, in favour of the lenders.
    """
    if offer.insolvent:
        repaid = min(payment, position.debt)
        cancelled = mul_div_down(repaid, position.balance.debt_value, offer.reserve_value)
        return Sale(seized, payment, repaid, min(cancelled, position.debt), payment - repaid)
    repaid = min(div_up(payment, WAD + offer.penalty), position.debt)
    surplus = 0
    if repaid == position.debt:
        surplus = max(payment - repaid - mul_up(repaid, offer.penalty), 0)
    return Sale(seized, payment, repaid, repaid, surplus)


def leaves_dust(position: Position, seized: int, cancelled: int, dust: int) -> bool:
    """Return whether a sale leaves less than the dust value on a side while something stays on both."""
    if seized >= position.collateral or cancelled >= position.debt:
        return False
    return (
        position.sold.value_down(position.collateral - seized) < dust
        or position.owed.value_down(position.debt - cancelled) < dust
    )


def _to_target(position: Position, offer: Terms, target: int, dust: int) -> Sale | None:
    """Return the slice that ends at the target, or None where a side ends first or dust would stay.

    ``r = (h D_w - A) / (h w - k b)``, defined while ``k b < h w``. Rounding: r UP to a unit of the debt, so
    that the target is reached; the collateral for it DOWN, so that it is not passed.
    """
    if offer.insolvent:
        return None
    factored = mul_div_up(position.sold.threshold, WAD + offer.penalty, offer.multiplier)
    divisor = mul_down(target, position.owed.weight) - factored
    if divisor <= 0:
        return None
    missing = max(mul_up(target, position.balance.weighted_debt) - position.balance.weighted_collateral, 0)
    repaid = mul_div_up(div_up(missing, divisor), position.owed.unit, position.owed.price)
    if repaid >= position.debt:
        return None
    seized = _seized_down(position, offer, repaid)
    if seized >= position.collateral:
        return None
    sale = partial_take(position, offer, seized)
    if sale.cancelled >= position.debt or leaves_dust(position, seized, sale.cancelled, dust):
        return None
    return sale


def _closing(position: Position, offer: Terms) -> Sale:
    """Return the slice that takes the whole debt, or the whole collateral where that does not pay for it.

    Rounding: the payment UP, from the debt and from the collateral, because of the reserve.
    """
    if offer.insolvent:
        repaid = mul_div_up(position.debt, offer.reserve_value, position.balance.debt_value)
    else:
        repaid = position.debt
    seized = _seized_down(position, offer, repaid)
    if seized > position.collateral:
        return partial_take(position, offer, position.collateral)
    payment = max(repaid + mul_up(repaid, offer.penalty), payment_up(position, offer.multiplier, seized))
    return Sale(seized, payment, repaid, position.debt)


def _seized_down(position: Position, offer: Terms, repaid: int) -> int:
    """Return the collateral for ``repaid``: its value times b. Rounding: DOWN: b may not pass its cap."""
    value = mul_div_down(position.owed.value_down(repaid), WAD + offer.penalty, offer.multiplier)
    return mul_div_down(value, position.sold.unit, position.sold.price)


def highest_sold_out(holdings: Sequence[Holding], multipliers: Mapping[int, int]) -> int:
    """Return the highest multiplier among the legs of an auction that were sold out, WAD; zero without one.

    They count in M until the auction ends: else whoever bought a small leg would make the account insolvent
    at the reserve, and lower the price of all that is left.

    Parameters
    ----------
    holdings : sequence of Holding
        All the account holds and owes.
    multipliers : mapping of int to int
        m_i of the legs of its auction, WAD.
    """
    held = {holding.asset_id for holding in holdings if holding.collateral}
    return max((wad for asset_id, wad in multipliers.items() if asset_id not in held), default=0)


def position_of(
    holdings: Sequence[Holding],
    terms: Mapping[int, AssetTerms],
    multipliers: Mapping[int, int],
    collateral_id: int,
    debt_id: int,
    dust: int,
) -> Position:
    """Return an account as the sizing sees it from one collateral and one debt.

    Parameters
    ----------
    holdings : sequence of Holding
        All the account holds and owes.
    terms : mapping of int to AssetTerms
        By asset id.
    multipliers : mapping of int to int
        m_i of the legs of its auction, WAD, those included that were sold out; a collateral without a leg
        counts at 1.
    collateral_id, debt_id : int
        What is sold, and for which debt.
    dust : int
        The engine's dust value: other collaterals below it do not count in M.
    """
    highest = multipliers.get(collateral_id, WAD)
    collateral = debt = 0
    for holding in holdings:
        if holding.asset_id == collateral_id:
            collateral = holding.collateral
        elif holding.collateral and terms[holding.asset_id].value_down(holding.collateral) >= dust:
            highest = max(highest, multipliers.get(holding.asset_id, WAD))
        if holding.asset_id == debt_id:
            debt = holding.debt
    highest = max(highest, highest_sold_out(holdings, multipliers))
    return Position(
        balance_of(holdings, terms),
        highest,
        collateral,
        debt,
        terms[collateral_id],
        terms[debt_id],
    )
