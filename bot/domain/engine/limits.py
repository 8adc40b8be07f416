"""What a settler may not do: sell faster than the budgets release, or choose a dear collateral."""

from collections.abc import Iterable
from typing import NamedTuple

from bot.domain.engine.clocks import Pace
from bot.domain.engine.parameters import EngineParameters
from bot.domain.engine.sizing import Position, Terms, leaves_dust, partial_take
from bot.domain.release import URGENT, Side
from bot.domain.wad import WAD, WAD_PER_BPS, div_down, div_up, mul_div_down, mul_down, mul_up


class Rival(NamedTuple):
    """Another collateral of the account whose reserve runs and is above the floor.

    Parameters
    ----------
    threshold : int
        Its liquidation threshold, WAD.
    multiplier : int
        Its reserve multiplier, WAD.
    """

    threshold: int
    multiplier: int


class Dearer(NamedTuple):
    """A choice that costs the account too much, WAD per weighted value restored; None: out of reach."""

    cost: int | None
    cheapest: int


# ------------------------------------------------------------------------------- budget


def released(
    pace: Pace, position: Position, offer: Terms, pair: tuple[int, int], urgency: int, seized: int, dust: int
) -> int:
    """Return what a sale is cut to by the release budgets; zero while one of them is empty.

    It is ``seized``, or what the budgets release at once, unless that alone would leave dust.

    Parameters
    ----------
    pace : Pace
        Of the account.
    position : Position
        The account, seen from the pair.
    offer : Terms
        What the sale is booked at, at best.
    pair : tuple of int
        Asset ids of collateral and debt.
    urgency : int
        0 to `URGENT`; insolvency is as urgent as can be.
    seized : int
        Collateral that would be sold without budgets, token units.
    dust : int
        The engine's dust value.
    """
    draws = [
        _open_draw(pace, asset_id, side, urgency)
        for asset_id, side in zip(pair, (Side.SELL, Side.BUY), strict=True)
        if asset_id in pace.markets.budgeted and urgency != URGENT
    ]
    if not draws:
        return seized
    most = mul_div_down(min(draws), position.sold.unit, position.sold.price)
    if most == 0 or most >= seized:
        return min(most, seized)
    cancelled = partial_take(position, offer, most).cancelled
    return seized if leaves_dust(position, most, cancelled, dust) else most


def _open_draw(pace: Pace, asset_id: int, side: Side, urgency: int) -> int:
    """Return the largest value that one settlement may draw on a side now; zero while it must refill."""
    bucket = pace.markets.bucket(asset_id, side, pace.time)
    return bucket.largest_draw if bucket.is_open(urgency) else 0


# ------------------------------------------------------------------------------- choice


def cost_of(position: Position, rules: EngineParameters, threshold: int, multiplier: int) -> int | None:
    """Return what a collateral costs the account, WAD per weighted value restored; None: out of reach.

    ``(b - 1) / (h w - k b)`` with ``b = min((1 + p) / m, HF w / k, V / D)``; negative where it pays more than
    the oracle. Rounding: b UP to its cap, the divisor DOWN, the quotient toward zero.
    """
    balance, weight = position.balance, position.owed.weight
    factor = min(
        div_up(WAD + rules.penalty, multiplier),
        mul_div_down(balance.weighted_collateral * weight, WAD, threshold * balance.weighted_debt),
        div_down(balance.collateral_value, balance.debt_value),
    )
    divisor = mul_down(rules.target, weight) - mul_up(threshold, factor)
    if divisor <= 0:
        return None
    excess = factor - WAD
    return excess * WAD // divisor if excess >= 0 else -(-excess * WAD // divisor)


def dearer(
    position: Position, rules: EngineParameters, offer: Terms, rivals: Iterable[Rival], tolerance_bps: int
) -> Dearer | None:
    """Return why a collateral may not be chosen at an offer, or None if it may.

    While the account is solvent at the offer, a choice may cost more than the cheapest other running
    collateral by no more than the tolerance.
    """
    if offer.insolvent:
        return None
    costs = [cost_of(position, rules, rival.threshold, rival.multiplier) for rival in rivals]
    cheapest = min((cost for cost in costs if cost is not None), default=None)
    if cheapest is None:
        return None
    cost = cost_of(position, rules, position.sold.threshold, offer.multiplier)
    allowed = cost is not None and cost - cheapest <= tolerance_bps * WAD_PER_BPS
    return None if allowed else Dearer(cost, cheapest)
