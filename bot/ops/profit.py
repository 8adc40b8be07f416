"""Why a transaction earned another amount than was expected of it.

All in quote units, WAD, and exact: the parts add up to the difference.
"""

from collections.abc import Mapping
from typing import NamedTuple

from bot.domain.wad import WAD
from bot.ports import Outcome, Transaction
from bot.strategy.decision import Booking, Candidate


class Plan(NamedTuple):
    """What was known of a transaction when it was decided on.

    Parameters
    ----------
    candidate : Candidate
        What was chosen.
    prices : mapping of int to int
        Oracle price of each collateral sold, WAD, by asset id; empty for an action that sells none.
    gas_price : int
        Wei per gas that it was planned with.
    """

    candidate: Candidate
    prices: Mapping[int, int]
    gas_price: int


class Difference(NamedTuple):
    """What was expected and realised after gas, and the difference by what made it.

    Parameters
    ----------
    expected, realised : int
        After gas.
    price : int
        Oracle prices moved until it settled: at the same multipliers the revenue of each sale moves with the
        price of its collateral.
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


def split(row: Transaction, plan: Plan, native_price: int, prices: Mapping[int, int | None]) -> Difference:
    """Split the difference between the profit realised and expected.

    Parameters
    ----------
    row : Transaction
        Settled, with its receipt.
    plan : Plan
        What was known before.
    native_price : int
        Of 10**18 wei, WAD quote units.
    prices : mapping of int to int or None
        Oracle price of each collateral when it settled; None where it is not known.
    """
    used, paid = row.gas_used or 0, row.effective_gas_price or 0
    planned = used * plan.gas_price * native_price // WAD
    cost = used * paid * native_price // WAD
    succeeded = row.outcome is Outcome.INCLUDED and not row.cancels
    revenue = (row.realised_profit or 0) if succeeded else 0
    expected = plan.candidate.revenue
    moved = sum(_moved(booking, plan.prices, prices) for booking in plan.candidate.bookings if succeeded)
    return Difference(
        expected=plan.candidate.net,
        realised=revenue - cost,
        price=moved,
        slippage=revenue - expected - moved,
        gas=plan.candidate.gas_cost - planned,
        bump=planned - cost,
    )


def _moved(booking: Booking, before: Mapping[int, int], now: Mapping[int, int | None]) -> int:
    """Return by what the price of its collateral moved what a settlement earns."""
    planned, found = before.get(booking.collateral_id), now.get(booking.collateral_id)
    if not planned or found is None:
        return 0
    return booking.revenue * (found - planned) // planned
