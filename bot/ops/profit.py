"""Why a transaction earned another amount than was expected of it.

All in quote units, WAD, and exact: the parts add up to the difference.
"""

from typing import NamedTuple

from bot.domain.wad import WAD
from bot.ports import Outcome, Transaction
from bot.strategy.decision import Candidate


class Plan(NamedTuple):
    """What was known of a transaction when it was decided on.

    Parameters
    ----------
    candidate : Candidate
        What was chosen.
    price : int or None
        Oracle price of the collateral, WAD; None for an action that sells none.
    gas_price : int
        Wei per gas that it was planned with.
    """

    candidate: Candidate
    price: int | None
    gas_price: int


class Difference(NamedTuple):
    """What was expected and realised after gas, and the difference by what made it.

    Parameters
    ----------
    expected, realised : int
        After gas.
    price : int
        The oracle price moved until it settled: at the same multipliers the revenue moves with it.
    slippage : int
        The rest of the revenue: pool, reserve or rivals gave another multiplier or size than was seen. All of
        the revenue, if it reverted.
    gas : int
        It took another amount of gas than was estimated, at the planned price.
    bump : int
        Its gas was dearer than planned: the base fee rose, or it was made dearer to be included.
    """

    expected: int
    realised: int
    price: int
    slippage: int
    gas: int
    bump: int


def split(row: Transaction, plan: Plan, native_price: int, price: int | None) -> Difference:
    """Split the difference between the profit realised and expected.

    Parameters
    ----------
    row : Transaction
        Settled, with its receipt.
    plan : Plan
        What was known before.
    native_price : int
        Of 10**18 wei, WAD quote units.
    price : int or None
        Oracle price of the collateral when it settled; None where it is not known.
    """
    used, paid = row.gas_used or 0, row.effective_gas_price or 0
    planned = used * plan.gas_price * native_price // WAD
    cost = used * paid * native_price // WAD
    succeeded = row.outcome is Outcome.INCLUDED and not row.cancels
    revenue = (row.realised_profit or 0) if succeeded else 0
    expected = plan.candidate.revenue
    moved = 0
    if succeeded and plan.price and price is not None:
        moved = expected * (price - plan.price) // plan.price
    return Difference(
        expected=plan.candidate.net,
        realised=revenue - cost,
        price=moved,
        slippage=revenue - expected - moved,
        gas=plan.candidate.gas_cost - planned,
        bump=planned - cost,
    )
