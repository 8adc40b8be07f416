"""How much debt to repay, and with which collateral, so that an account is healthy again.

Values are in one unit of account. ``A`` is the weighted collateral of the whole account, ``D_w`` its
weighted debt, ``h`` the target health, ``w`` the weight of the debt repaid; selling collateral ``i``, counted
at its threshold ``k_i``, gives away ``b_i = 1 + bonus_i`` of value per 1 of debt repaid. Repaying ``r_i``
moves health to ``(A - sum(k_i b_i r_i)) / (D_w - w sum(r_i))``. Screening only: what reaches calldata is
computed by the exact integer twins. Derivations: docs/mechanism.md, sections 3 and 4.
"""

from typing import overload

import numpy as np

from bot.domain._validation import (
    ArrayLike,
    BoolArray,
    FloatArray,
    above,
    broadcast,
    fraction,
    non_negative,
    positive,
    scalar,
    unwrap,
    unwrap_bool,
    vector,
    within,
)
from bot.errors import CollateralExhaustedError, TargetHealthUnreachableError

_ROUNDING = 1e-12
"""Share of the need that counts as rounding when every collateral together just reaches the target."""


@overload
def repay_to_target(  # type: ignore[overload-overlap]
    collateral_value: float,
    debt_value: float,
    threshold: float,
    bonus: float,
    target: float,
    weighted_total: float | None = None,
    debt_weight: float = 1.0,
) -> float: ...
@overload
def repay_to_target(
    collateral_value: ArrayLike,
    debt_value: ArrayLike,
    threshold: ArrayLike,
    bonus: ArrayLike,
    target: ArrayLike,
    weighted_total: ArrayLike | None = None,
    debt_weight: ArrayLike = 1.0,
) -> FloatArray: ...
def repay_to_target(
    collateral_value: ArrayLike,
    debt_value: ArrayLike,
    threshold: ArrayLike,
    bonus: ArrayLike,
    target: ArrayLike,
    weighted_total: ArrayLike | None = None,
    debt_weight: ArrayLike = 1.0,
) -> float | FloatArray:
    """Debt to repay against one collateral so that the health factor is at ``target``.

    Solves ``(A - k b r) / (D_w - w r) = h``: ``r = (h D_w - A) / (h w - k b)``, at least 0, capped by the
    debt ``D_w / w`` and by what the collateral pays, ``V / b``. A capped account stays below its target.

    Parameters
    ----------
    collateral_value : float or array
        ``V``, value of the collateral sold; at least 0.
    debt_value : float or array
        ``D_w``, weighted debt of the whole account; at least 0.
    threshold : float or array
        ``k``, liquidation threshold of the collateral sold, in [0, 1].
    bonus : float or array
        ``b - 1``; above -1 (an auction that starts above the oracle price pays less than par).
    target : float or array
        ``h``, the health factor to end at; above 0.
    weighted_total : float or array, optional
        ``A``, value times threshold over all collaterals, this one included; this one alone by default.
    debt_weight : float or array
        ``w``, weight of the debt repaid; above 0.

    Returns
    -------
    float or array
        Debt value to repay, unweighted. Zero where health is at the target already.

    Raises
    ------
    TargetHealthUnreachableError
        If ``h w <= k b`` for any account: repaying would never lift its health to the target.
    InvalidInputError
        If a value is NaN, infinite or outside its range, or the shapes do not broadcast.
    """
    value = non_negative("collateral_value", collateral_value)
    counted = fraction("threshold", threshold)
    total = value * counted if weighted_total is None else non_negative("weighted_total", weighted_total)
    value, debt, counted, excess, goal, total, weight = broadcast(
        collateral_value=value,
        debt_value=non_negative("debt_value", debt_value),
        threshold=counted,
        bonus=above("bonus", bonus, -1.0),
        target=positive("target", target),
        weighted_total=total,
        debt_weight=positive("debt_weight", debt_weight),
    )
    given = 1.0 + excess
    with np.errstate(all="ignore"):
        reachable = goal * weight > counted * given
        if not np.all(reachable):
            first = np.unravel_index(int(np.argmin(reachable)), reachable.shape)
            floor = counted[first] * given[first] / weight[first]
            raise TargetHealthUnreachableError(float(goal[first]), float(floor))
        # Both sides are divided by the target, so that no product of huge inputs overflows.
        repay = np.maximum(debt - total / goal, 0.0) / (weight - counted * given / goal)
        capped = np.minimum(repay, np.minimum(debt / weight, value / given))
    return unwrap(capped)


def cheapest_mix(
    values: ArrayLike,
    thresholds: ArrayLike,
    bonuses: ArrayLike,
    debt_value: float,
    target: float,
    debt_weight: float = 1.0,
) -> FloatArray:
    """Debt to repay against each collateral so that health reaches the target at the least total bonus.

    Minimises ``sum(bonus_i r_i)`` subject to ``sum((h w - k_i b_i) r_i) = h D_w - A`` and
    ``0 <= r_i <= V_i / b_i``: a fractional knapsack, solved exactly by taking collaterals in ascending order
    of bonus paid per unit of health gained, ``(b_i - 1) / (h w - k_i b_i)``, ties in the order given. Selling
    a collateral with ``k_i b_i >= h w`` moves away from the target, and it is never chosen. The debt never
    binds: at the target ``h (D_w - w sum(r)) = A - sum(k_i b_i r_i) >= 0``.

    Parameters
    ----------
    values : (n,) array
        Value of each collateral; at least 0. They are all the collateral that the account has.
    thresholds : (n,) array
        Liquidation threshold of each, in [0, 1].
    bonuses : (n,) array
        ``b_i - 1`` of each; above -1.
    debt_value : float
        ``D_w``, weighted debt of the account; at least 0.
    target : float
        ``h``, the health factor to end at; above 0.
    debt_weight : float
        ``w``, weight of the debt repaid; above 0.

    Returns
    -------
    (n,) array
        Debt value to repay against each collateral, in the order given; all zero if health is at the target.

    Raises
    ------
    TargetHealthUnreachableError
        If ``h w <= k_i b_i`` for every collateral.
    CollateralExhaustedError
        If selling every collateral that lifts health still leaves the account below the target (a subclass
        of the former; it carries the health reached). Repay against all of them, or write off, instead.
    InvalidInputError
        If a value is NaN, infinite or outside its range, the book is empty, or lengths disagree.
    """
    value = vector("values", non_negative("values", values))
    counted = vector("thresholds", fraction("thresholds", thresholds), length=value.size)
    given = 1.0 + vector("bonuses", above("bonuses", bonuses, -1.0), length=value.size)
    debt = scalar("debt_value", non_negative("debt_value", debt_value))
    goal = scalar("target", positive("target", target))
    weight = scalar("debt_weight", positive("debt_weight", debt_weight))
    with np.errstate(all="ignore"):
        # Divided by the target, so that no product of huge inputs overflows.
        need = debt - float(value @ counted) / goal
        gain = weight - counted * given / goal
        if need <= 0.0:
            return np.zeros(value.size)
        if not np.any(gain > 0.0):
            raise TargetHealthUnreachableError(goal, float(np.min(counted * given)) / weight)
        repay = _fill_in_order(need, gain, value / given, (given - 1.0) / gain)
        if need - float(gain @ repay) > _ROUNDING * need:
            weighted_left = float(value @ counted) - float((counted * given) @ repay)
            reached = weighted_left / (debt - weight * float(repay.sum()))
            raise CollateralExhaustedError(goal, float(np.min(counted * given)) / weight, reached)
    return repay


def _fill_in_order(need: float, gain: FloatArray, caps: FloatArray, cost: FloatArray) -> FloatArray:
    """Take from each collateral up to its cap, cheapest first, until the gains add up to the need."""
    eligible = np.flatnonzero(gain > 0.0)
    order = eligible[np.argsort(cost[eligible], kind="stable")]
    reached = np.cumsum(gain[order] * caps[order])
    before = np.concatenate([[0.0], reached[:-1]])
    repay = np.zeros(gain.size)
    repay[order] = np.clip((need - before) / gain[order], 0.0, caps[order])
    return repay


@overload
def raises_health(health: float, threshold: float, bonus: float, debt_weight: float = 1.0) -> bool: ...  # type: ignore[overload-overlap]
@overload
def raises_health(
    health: ArrayLike, threshold: ArrayLike, bonus: ArrayLike, debt_weight: ArrayLike = 1.0
) -> BoolArray: ...
def raises_health(
    health: ArrayLike, threshold: ArrayLike, bonus: ArrayLike, debt_weight: ArrayLike = 1.0
) -> bool | BoolArray:
    """Whether selling a slice of a collateral raises the health factor: ``k b < HF w``.

    Parameters
    ----------
    health : float or array
        Health factor before the sale; at least 0, infinity allowed (no debt).
    threshold : float or array
        ``k``, liquidation threshold of the collateral sold, in [0, 1].
    bonus : float or array
        ``b - 1``; above -1.
    debt_weight : float or array
        ``w``, weight of the debt repaid; above 0.

    Returns
    -------
    bool or array of bool
        False also where the sale leaves health exactly as it is.

    Raises
    ------
    InvalidInputError
        If a value is NaN or outside its range, or the shapes do not broadcast.
    """
    before, counted, excess, weight = broadcast(
        health=within("health", health, 0.0, np.inf, "non-negative, not NaN"),
        threshold=fraction("threshold", threshold),
        bonus=above("bonus", bonus, -1.0),
        debt_weight=positive("debt_weight", debt_weight),
    )
    with np.errstate(all="ignore"):
        return unwrap_bool(counted * (1.0 + excess) < before * weight)


@overload
def largest_safe_bonus(collateral_value: float, debt_value: float) -> float: ...  # type: ignore[overload-overlap]
@overload
def largest_safe_bonus(collateral_value: ArrayLike, debt_value: ArrayLike) -> FloatArray: ...
def largest_safe_bonus(collateral_value: ArrayLike, debt_value: ArrayLike) -> float | FloatArray:
    """Largest bonus whose slices leave the account solvent: ``V / D - 1``.

    Repaying ``r`` leaves ``V - b r`` against ``D - r``: solvent for all ``r`` up to ``D`` iff ``b <= V / D``.

    Parameters
    ----------
    collateral_value : float or array
        ``V``, value of all the account's collateral, unweighted; at least 0.
    debt_value : float or array
        ``D``, value of all its debt, unweighted; at least 0.

    Returns
    -------
    float or array
        The bonus, as the excess over par. Negative for an account that is insolvent already, down to -1
        without collateral; infinite without debt.

    Raises
    ------
    InvalidInputError
        If a value is negative, NaN or infinite, or the shapes do not broadcast.
    """
    value, debt = broadcast(
        collateral_value=non_negative("collateral_value", collateral_value),
        debt_value=non_negative("debt_value", debt_value),
    )
    with np.errstate(all="ignore"):
        # The difference first: near par it is exact, while a quotient less 1 is not.
        excess = (value - debt) / debt
    return unwrap(np.where(debt > 0.0, excess, np.inf))
