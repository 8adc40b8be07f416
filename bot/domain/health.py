"""Health factors: how far collateral covers debt, for one account or for a whole book.

``A = sum(value_i * liquidationThreshold_i)`` is the weighted collateral, ``D_w = sum(debt_j * debtWeight_j)``
the weighted debt, and ``healthFactor = A / D_w``; an account is liquidatable below 1. All values are in one
unit of account. Source: docs/mechanism.md, section 1.
"""

from typing import overload

import numpy as np
import numpy.typing as npt

from bot.domain._validation import (
    ArrayLike,
    FloatArray,
    broadcast,
    fraction,
    non_negative,
    real,
    unwrap,
    vector,
    whole_number,
    within,
)
from bot.errors import InvalidInputError

IndexArray = npt.NDArray[np.intp]

_SAMPLING_STRIDE = 32
"""One health in this many is looked at to guess where the most urgent ones end."""

_SMALL_BOOK = 4_096
"""Below this many accounts a full sort is as fast as a selection."""


@overload
def health_factor(weighted_collateral: float, debt: float) -> float: ...  # type: ignore[overload-overlap]
@overload
def health_factor(weighted_collateral: ArrayLike, debt: ArrayLike) -> FloatArray: ...
def health_factor(weighted_collateral: ArrayLike, debt: ArrayLike) -> float | FloatArray:
    """Health factor ``A / D_w``.

    Parameters
    ----------
    weighted_collateral : float or array
        ``A``, value times liquidation threshold, summed over the account's collaterals; at least 0.
    debt : float or array
        ``D_w``, the weighted debt; at least 0. Broadcasts with ``weighted_collateral``.

    Returns
    -------
    float or array
        The health factor. Infinite where the debt is zero, whatever the collateral: such an account
        cannot be liquidated. A ratio that no float can hold is infinite too.

    Raises
    ------
    InvalidInputError
        If a value is negative, NaN or infinite, or the shapes do not broadcast.
    """
    collateral, owed = broadcast(
        weighted_collateral=non_negative("weighted_collateral", weighted_collateral),
        debt=non_negative("debt", debt),
    )
    with np.errstate(all="ignore"):
        ratio = collateral / owed
    return unwrap(np.where(owed > 0.0, ratio, np.inf))


@overload
def liquidation_price(  # type: ignore[overload-overlap]
    quantity: float, threshold: float, other_weighted: float, debt: float
) -> float: ...
@overload
def liquidation_price(
    quantity: ArrayLike, threshold: ArrayLike, other_weighted: ArrayLike, debt: ArrayLike
) -> FloatArray: ...
def liquidation_price(
    quantity: ArrayLike, threshold: ArrayLike, other_weighted: ArrayLike, debt: ArrayLike
) -> float | FloatArray:
    """Price of one collateral below which the account is liquidatable.

    Solves ``quantity * threshold * price + other_weighted = debt`` for the price.

    Parameters
    ----------
    quantity : float or array
        Amount held of the collateral, in its units; at least 0.
    threshold : float or array
        Its liquidation threshold, a fraction in [0, 1].
    other_weighted : float or array
        Weighted value of all the other collaterals; at least 0.
    debt : float or array
        Weighted debt ``D_w``; at least 0.

    Returns
    -------
    float or array
        The price, in units of account per unit of collateral. Zero where the other collaterals cover the
        debt by themselves: no price liquidates the account. Infinite where they do not and this one counts
        for nothing (quantity or threshold zero): the account is liquidatable at every price.

    Raises
    ------
    InvalidInputError
        If a value is negative, NaN or infinite, a threshold exceeds 1, or the shapes do not broadcast.
    """
    held, counted, rest, owed = broadcast(
        quantity=non_negative("quantity", quantity),
        threshold=fraction("threshold", threshold),
        other_weighted=non_negative("other_weighted", other_weighted),
        debt=non_negative("debt", debt),
    )
    uncovered = np.maximum(owed - rest, 0.0)
    with np.errstate(all="ignore"):
        # One division after the other: the product of two tiny factors could vanish.
        price = uncovered / held / counted
    return unwrap(np.where(uncovered > 0.0, price, 0.0))


class Holdings:
    """Amounts that every account of a book holds (or owes) of each asset, checked once and then trusted.

    A book is repriced at every block while few of its rows change, and reading the whole matrix again to
    check it would nearly double the cost of the matrix product.

    Parameters
    ----------
    amounts : (n, m) array
        Amount of each of ``m`` assets for each of ``n`` accounts; at least 0. Copied.

    Raises
    ------
    InvalidInputError
        If an amount is negative, NaN or infinite, or ``amounts`` is not a matrix.
    """

    def __init__(self, amounts: ArrayLike) -> None:
        self._amounts = _matrix("amounts", non_negative("amounts", amounts)).copy(order="F")

    @property
    def amounts(self) -> FloatArray:
        """The (n, m) amounts, as a read-only view."""
        view = self._amounts.view()
        view.flags.writeable = False
        return view

    def update(self, rows: npt.ArrayLike, amounts: ArrayLike) -> None:
        """Replace the rows of some accounts, checking only those.

        Parameters
        ----------
        rows : (k,) array of int
            Indices of the accounts.
        amounts : (k, m) array
            Their new amounts; at least 0.

        Raises
        ------
        InvalidInputError
            If an amount is negative, NaN or infinite, a row does not exist, or the shapes disagree; nothing
            is changed then.
        """
        fresh = _matrix("amounts", non_negative("amounts", amounts))
        where = np.asarray(rows)
        if where.dtype.kind not in "iu" or where.ndim != 1:
            raise InvalidInputError("rows", rows, "a one-dimensional array of whole numbers")
        if where.size and not (where.min() >= 0 and where.max() < len(self._amounts)):
            raise InvalidInputError("rows", rows, f"indices from 0 to {len(self._amounts) - 1}")
        if fresh.shape != (where.size, self._amounts.shape[1]):
            wanted = (where.size, self._amounts.shape[1])
            raise InvalidInputError("amounts", fresh.shape, f"of shape {wanted}, by its shape")
        self._amounts[where] = fresh


def health_factors(
    amounts: ArrayLike | Holdings,
    weighted_prices: ArrayLike,
    debts: ArrayLike | Holdings,
    weighted_debt_prices: ArrayLike | None = None,
) -> FloatArray:
    """Health factor of every account of a book, as one matrix product.

    Parameters
    ----------
    amounts : (n, m) array or Holdings
        Amount of each of ``m`` collaterals that each of ``n`` accounts holds; at least 0.
    weighted_prices : (m,) array
        Price times liquidation threshold of each collateral; at least 0.
    debts : (n,) array; or with ``weighted_debt_prices`` an (n, k) array or Holdings
        Weighted debt of each account; or the amount of each of ``k`` assets that it owes. At least 0.
    weighted_debt_prices : (k,) array, optional
        Price times debt weight of each asset owed; at least 0.

    Returns
    -------
    (n,) array
        Health factors, infinite where nothing is owed or the ratio exceeds what a float can hold. An empty
        book gives an empty array.

    Raises
    ------
    InvalidInputError
        If a value is negative, NaN or infinite, a total debt exceeds what a float holds, or shapes disagree.
    """
    with np.errstate(all="ignore"):
        health = _totals("amounts", amounts, "weighted_prices", weighted_prices)
        owed = _owed(debts, weighted_debt_prices)
        if owed.size != health.size:
            raise InvalidInputError("debts", owed.shape, f"given for {health.size} accounts, by its shape")
        # In place: on a large book a fresh array costs more in page faults than the division itself.
        health /= owed
    # Positive and finite health proves that every total is: only the rest is looked at more closely.
    if health.size and not (health.min() > 0.0 and health.max() < np.inf):
        for name, given in (("amounts", amounts), ("debts", debts), ("debts", owed)):
            if not isinstance(given, Holdings):
                non_negative(name, given)
        health[owed == 0.0] = np.inf
    return health


def most_urgent(health: ArrayLike, count: int) -> IndexArray:
    """Index of the ``count`` accounts with the lowest health, most urgent first.

    Parameters
    ----------
    health : (n,) array
        Health factors; infinity allowed (no debt), NaN not.
    count : int
        How many to return, at least 0; all accounts where the book holds fewer.

    Returns
    -------
    (min(count, n),) array of int
        Indices into ``health``, by health ascending; equal health by index, so the order is reproducible.

    Raises
    ------
    InvalidInputError
        If a health is negative or NaN, or ``health`` is not one-dimensional.

    Notes
    -----
    A strided sample guesses a health just above the one wanted, one comparison keeps what is below it, and
    only that is sorted. A misleading sample costs time (an exact partition follows), never the result.
    """
    wanted = whole_number("count", count, minimum=0)
    values = vector("health", _health("health", health), minimum=0)
    if wanted == 0:
        return np.empty(0, dtype=np.intp)
    candidates = _candidates(values, wanted)
    order: IndexArray = np.argsort(values[candidates], kind="stable")
    return np.asarray(candidates[order[:wanted]])


def _health(name: str, health: ArrayLike) -> FloatArray:
    """Return health factors as float64: infinity passes, NaN and negative values do not."""
    return within(name, health, 0.0, np.inf, "non-negative, not NaN")


def _candidates(values: FloatArray, wanted: int) -> IndexArray:
    """Return indices, ascending, that include the ``wanted`` lowest values with the first of any ties."""
    if values.size <= max(_SMALL_BOOK, 4 * wanted):
        return np.arange(values.size)
    sample = values[::_SAMPLING_STRIDE]
    expected = wanted / _SAMPLING_STRIDE
    # Four standard deviations of the sample's count, so that too few are almost never kept.
    rank = min(int(expected + 4.0 * np.sqrt(expected)) + 1, sample.size - 1)
    kept = np.flatnonzero(values <= np.partition(sample, rank)[rank])
    if wanted <= kept.size <= 4 * wanted + _SMALL_BOOK:
        return kept
    last = np.partition(values, wanted - 1)[wanted - 1]
    below = np.flatnonzero(values < last)
    ties = np.flatnonzero(values == last)[: wanted - below.size]
    return np.sort(np.concatenate([below, ties]))


def _matrix(name: str, array: FloatArray) -> FloatArray:
    if array.ndim != 2:
        raise InvalidInputError(name, array.shape, "a matrix of accounts by assets, by its shape")
    return array


def _owed(debts: ArrayLike | Holdings, prices: ArrayLike | None) -> FloatArray:
    """Return each account's weighted debt, not yet checked."""
    if prices is not None:
        return _totals("debts", debts, "weighted_debt_prices", prices)
    if isinstance(debts, Holdings):
        raise InvalidInputError("weighted_debt_prices", None, "given where debts are Holdings")
    return vector("debts", real("debts", debts), minimum=0)


def _totals(name: str, amounts: ArrayLike | Holdings, price_name: str, prices: ArrayLike) -> FloatArray:
    """Return each account's sum of amount times price, which may still be infinite or NaN."""
    held = amounts._amounts if isinstance(amounts, Holdings) else _matrix(name, real(name, amounts))
    weights = vector(price_name, non_negative(price_name, prices), length=held.shape[1])
    if not isinstance(amounts, Holdings) and held.size and not held.min() >= 0.0:
        non_negative(name, held)
    return np.asarray(held @ weights)
