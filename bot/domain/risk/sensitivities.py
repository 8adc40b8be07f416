"""How health and the probability of failure answer to each log price."""

from typing import NamedTuple

import numpy as np

from bot.domain._validation import ArrayLike, FloatArray
from bot.domain.risk import _basket, _lines
from bot.domain.risk._basket import Given


class Greeks(NamedTuple):
    """Derivatives in the log prices of the n collaterals, and last of the debt."""

    health_delta: FloatArray
    """(..., n + 1), of the health factor."""
    health_gamma: FloatArray
    """(..., n + 1, n + 1), second derivatives of the health factor."""
    probability_delta: FloatArray
    """(..., n + 1), of the probability of ending below the debt."""


@np.errstate(all="ignore")
def greeks(
    weighted_values: ArrayLike,
    debt: ArrayLike,
    volatilities: ArrayLike,
    correlation: ArrayLike,
    horizon: ArrayLike,
) -> Greeks:
    """Sensitivities of an account to log prices: what a relative move of each price does.

    Health is ``sum(weighted_values) / debt``; the probability is that of `portfolio_insolvency`, method auto,
    at the horizon.

    Parameters
    ----------
    weighted_values, debt, volatilities, correlation, horizon
        As in `portfolio_insolvency`; the debt positive.

    Returns
    -------
    Greeks
        ``health_delta``: ``w_i / debt``, and minus health for the debt. ``health_gamma``: ``w_i / debt`` on
        the diagonal and its negative against the debt, health in the last corner. ``probability_delta``: at
        most 0 for collaterals, and minus their sum for the debt, as a common factor changes nothing. Each
        vanishes where the outcome is certain.

    Raises
    ------
    InvalidInputError
        As `portfolio_insolvency`, and if the debt is zero.
    CorrelationError
        If ``correlation`` is not a correlation matrix.

    Notes
    -----
    The probability's derivative is that of the exact integral along each line: to 1e-6 up to two factors, to
    some 2 % beyond. Assets that do not move count as less debt.
    """
    book = _basket.given(weighted_values, debt, volatilities, correlation, horizon, debt_bound="positive")
    shares = book.values / book.debt[:, None]
    health = shares.sum(axis=1, keepdims=True)
    delta = np.concatenate([shares, -health], axis=1)
    slopes = _probability_slopes(book)
    full = np.concatenate([slopes, -slopes.sum(axis=1, keepdims=True)], axis=1)
    count = shares.shape[1] + 1
    return Greeks(
        delta.reshape(*book.shape, count),
        _gamma(shares, health).reshape(*book.shape, count, count),
        full.reshape(*book.shape, count),
    )


def _gamma(shares: FloatArray, health: FloatArray) -> FloatArray:
    accounts, assets = shares.shape
    gamma = np.zeros((accounts, assets + 1, assets + 1))
    diagonal = np.arange(assets)
    gamma[:, diagonal, diagonal] = shares
    gamma[:, :assets, assets] = gamma[:, assets, :assets] = -shares
    gamma[:, assets, assets] = health[:, 0]
    return gamma


def _probability_slopes(book: Given) -> FloatArray:
    netted = _basket.net(book)
    _, uncertain = _basket.certain(netted)
    slopes = np.zeros(book.values.shape)
    if not uncertain.any():
        return slopes
    risky = _basket.moving(book)
    chosen = _lines.lines(_basket.basket(_basket.select(netted, uncertain))).slopes
    slopes[np.ix_(uncertain, risky)] = chosen
    # Cash pays the debt one for one: a unit of it does what a unit less of debt does.
    per_unit = chosen.sum(axis=1) / netted.debt[uncertain]
    slopes[np.ix_(uncertain, ~risky)] = book.values[np.ix_(uncertain, ~risky)] * per_unit[:, None]
    return slopes
