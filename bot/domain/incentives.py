"""What a settlement pays to the kicker and the settler, wei for wei as the liquidation engine books it.

Amounts are token units of the debt asset. Source: docs/mechanism.md, section 5.
"""

from typing import Final, NamedTuple

from bot.domain.engine import AssetTerms, EngineParameters, Position, Sale, Terms
from bot.domain.lending import Market
from bot.domain.wad import WAD, WAD_PER_BPS, bps_down, div_down, mul_div_down, mul_div_up, mul_down

TIP_STEPS: Final = 1_000
"""Steps in a quote unit, in which the engine keeps what is left of a tip."""
_TIP_STEP_VALUE: Final = WAD // TIP_STEPS


class Incentives(NamedTuple):
    """What a settlement pays to the kicker and to the settler, token units of the debt asset."""

    tip: int
    chip: int


def incentives(
    position: Position,
    parameters: EngineParameters,
    paid: Terms,
    sale: Sale,
    tip_owed: int,
    market: Market,
    chip_part: int = WAD,
    coverable: int = 0,
) -> Incentives:
    """Return tip and chip: at most the incentives' share of the penalty really collected, the tip first.

    In insolvency they come out of the reserve, as far as it reaches, capped as if the penalty had been paid.
    Rounding: DOWN, in favour of the reserve.

    Parameters
    ----------
    position : Position
        The account before the sale.
    parameters : EngineParameters
        Of the engine.
    paid : Terms
        What the sale is booked at.
    sale : Sale
        The sale.
    tip_owed : int
        What is left of the tip, in steps of `TIP_STEPS` to a quote unit.
    market : Market
        Totals of the debt asset, interest included.
    chip_part : int
        Part of the chip that the settler earned, WAD; see `chip_part_of`.
    coverable : int
        What the insurance fund would pay for this settlement, token units.
    """
    if paid.insolvent:
        penalty = bps_down(sale.repaid, parameters.penalty_bps)
    else:
        penalty = sale.payment - sale.repaid - sale.surplus
    budget = bps_down(penalty, parameters.incentive_share_bps)
    if paid.insolvent:
        budget = min(budget, _payable(sale, market, coverable))
    tip = min(tip_value(tip_owed, position.owed), budget)
    chip = mul_down(bps_down(sale.repaid, parameters.chip_bps), chip_part)
    return Incentives(tip, min(chip, budget - tip))


def tip_value(tip_owed: int, debt: AssetTerms) -> int:
    """Return what is left of a tip in token units of the debt asset. Rounding: DOWN."""
    return mul_div_down(tip_owed * _TIP_STEP_VALUE, debt.unit, debt.price)


def tip_left(tip_owed: int, tip: int, debt: AssetTerms) -> int:
    """Return what is left of a tip after ``tip`` token units were paid. Rounding: what is taken off, UP."""
    if tip == tip_value(tip_owed, debt):
        return 0
    return max(tip_owed - mul_div_up(tip, debt.price, debt.unit * _TIP_STEP_VALUE), 0)


def chip_part_of(realised_multiplier: int, slippage_limit_bps: int) -> int:
    """Return the part of the chip that a sale through a venue earns, WAD.

    1 at the oracle's price and above, 0 at the slippage limit, linear between. Rounding: DOWN.
    """
    limit = slippage_limit_bps * WAD_PER_BPS
    return div_down(max(limit - max(WAD - realised_multiplier, 0), 0), limit)


def _payable(sale: Sale, market: Market, coverable: int) -> int:
    """Return what reserve and fund can pay in insolvency beside the deficit."""
    deficit = sale.cancelled - sale.repaid
    if deficit == 0:
        return 0
    free = market.supply_assets + market.reserve_assets - market.borrow_assets
    paid = min(market.reserve_assets, free)
    beyond_suppliers = max(deficit - market.supply_assets, 0)
    return max(paid - beyond_suppliers, 0) + max(coverable - deficit, 0)
