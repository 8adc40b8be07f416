"""The constant product pool (Uniswap V2): ``(R_in + (1 - fee) x) (R_out - y) = R_in R_out``.

`amount_out` is exact, in token units; the two sizing functions are closed forms in float64, in
whatever unit the reserves are given. Source: Adams, Zinsmeister and Robinson, "Uniswap v2 Core" (2020),
section 3.2.1; the optima below follow by differentiation.
"""

import math

from bot.domain.amm._checks import PIPS, fraction_below_one, non_negative, positive, whole
from bot.errors import InvalidInputError


def amount_out(amount_in: int, reserve_in: int, reserve_out: int, fee_pips: int) -> int:
    """Return what the pool pays for exactly ``amount_in``.

    ``floor(x g R_out / (R_in 10^6 + x g))`` with ``g = 10^6 - fee_pips``.
    Rounding: DOWN, in favour of the pool, as in the contract (whose per-mille fee is the same fraction).

    Parameters
    ----------
    amount_in : int
        Input, token units, positive; any size.
    reserve_in, reserve_out : int
        The pool's reserves, token units, positive.
    fee_pips : int
        Fee in millionths, at least 0 and below 1,000,000 (Uniswap V2: 3,000).

    Returns
    -------
    int
        Output, token units, below ``reserve_out``.

    Raises
    ------
    InvalidInputError
        If an argument is not an integer or lies outside its range.
    """
    after_fee = whole("amount_in", amount_in, 1) * (PIPS - whole("fee_pips", fee_pips, 0, PIPS - 1))
    scaled_reserve = whole("reserve_in", reserve_in, 1) * PIPS
    return after_fee * whole("reserve_out", reserve_out, 1) // (scaled_reserve + after_fee)


def profit_maximising_input(
    reserve_in: float, reserve_out: float, fee: float, unit_cost: float, cap: float | None = None
) -> float:
    """Return the input that maximises output less ``unit_cost`` times input.

    Where the marginal price ``g R_in R_out / (R_in + g x)^2`` falls to the cost:
    ``x = (sqrt(g R_in R_out / unit_cost) - R_in) / g``, ``g = 1 - fee``.

    Parameters
    ----------
    reserve_in, reserve_out : float
        The pool's reserves, positive.
    fee : float
        Fee as a fraction, in [0, 1).
    unit_cost : float
        What one unit of input costs, in units of output. Zero is allowed only with a cap.
    cap : float, optional
        The most that may be put in, at least 0.

    Returns
    -------
    float
        The input, fee included: zero where even the first unit costs more than it brings.

    Raises
    ------
    InvalidInputError
        If an argument is not finite or lies outside its range.

    Notes
    -----
    Evaluated as ``R_in / g * e / (sqrt(1 + e) + 1)`` with ``e = g R_out / (R_in unit_cost) - 1``, so that no
    digits are lost beyond those of ``e`` itself.
    """
    given_in, given_out = positive("reserve_in", reserve_in), positive("reserve_out", reserve_out)
    keep = 1.0 - fraction_below_one("fee", fee)
    cost = non_negative("unit_cost", unit_cost)
    limit = math.inf if cap is None else non_negative("cap", cap)
    if cost == 0.0:
        if cap is None:
            raise InvalidInputError(
                "unit_cost", unit_cost, "positive, or given with a cap: free input has no optimum"
            )
        return limit
    excess = keep * (given_out / given_in) / cost - 1.0
    if excess <= 0.0:
        return 0.0
    return min(limit, given_in / keep * excess / (math.sqrt(1.0 + excess) + 1.0))


def input_for_slippage(reserve_in: float, reserve_out: float, fee: float, max_slippage: float) -> float:
    """Return the largest input whose average price, fee included, is within ``max_slippage`` of spot.

    Average price ``g R_out / (R_in + g x)`` against spot ``R_out / R_in``:
    ``x = R_in (max_slippage - fee) / ((1 - fee) (1 - max_slippage))``.

    Parameters
    ----------
    reserve_in, reserve_out : float
        The pool's reserves, positive. The answer does not depend on ``reserve_out``.
    fee : float
        Fee as a fraction, in [0, 1).
    max_slippage : float
        The most the average price may fall short of spot, a fraction in [0, 1).

    Returns
    -------
    float
        The input, fee included: zero where the fee alone is as much as the slippage allowed.

    Raises
    ------
    InvalidInputError
        If an argument is not finite or lies outside its range.
    """
    given_in = positive("reserve_in", reserve_in)
    positive("reserve_out", reserve_out)
    cost, slippage = fraction_below_one("fee", fee), fraction_below_one("max_slippage", max_slippage)
    return given_in * max(0.0, slippage - cost) / ((1.0 - cost) * (1.0 - slippage))
