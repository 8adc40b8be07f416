"""A basket of lognormal assets against a debt, made ready for the numerical methods."""

from typing import Literal, NamedTuple

import numpy as np

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, BoolArray, FloatArray
from bot.domain.risk import _units as units
from bot.errors import InvalidInputError

_NEGLIGIBLE = 1e-13
"""Eigenvalue, relative to the largest, below which a factor is rounding: the matrix is singular."""

_STILL = 1e-100
"""Standard deviation up to which an asset counts as cash: no sum of floats can tell."""


class Given(NamedTuple):
    """The arguments of a book, checked and flattened to one axis of accounts."""

    values: FloatArray
    """(m, n) weighted values."""
    debt: FloatArray
    """(m,) debts."""
    volatilities: FloatArray
    """(n,) annualised."""
    correlation: FloatArray
    """(n, n)."""
    period: FloatArray
    """() years."""
    shape: tuple[int, ...]
    """Shape of the accounts as given."""

    @property
    def deviations(self) -> FloatArray:
        """(n,) standard deviations of the log prices over the horizon."""
        return units.deviation(self.volatilities, self.period)


class Basket(NamedTuple):
    """Accounts whose failure is uncertain: risky assets, and a debt larger than their cash.

    The value of asset i is ``exp(logs_i + loadings_i · z)``, z independent standard normal factors.
    """

    logs: FloatArray
    """(m, n) logarithms of the median values; minus infinity where there is none."""
    loadings: FloatArray
    """(n, r)."""
    log_debt: FloatArray
    """(m,) logarithm of the debt less the cash."""

    @property
    def rank(self) -> int:
        """Number of factors."""
        return int(self.loadings.shape[1])


@np.errstate(all="ignore")
def given(
    weighted_values: ArrayLike,
    debt: ArrayLike,
    volatilities: ArrayLike,
    correlation: ArrayLike,
    horizon: ArrayLike,
    debt_bound: Literal["positive", "non-negative"] = "non-negative",
) -> Given:
    """Check the arguments that portfolio functions share; see `portfolio_insolvency` for their meaning."""
    values = valid.non_negative("weighted_values", weighted_values)
    owed = (valid.positive if debt_bound == "positive" else valid.non_negative)("debt", debt)
    sigma = valid.vector("volatilities", valid.non_negative("volatilities", volatilities), minimum=0)
    seconds = valid.non_negative("horizon", horizon)
    valid.scalar("horizon", seconds)
    if values.ndim == 0 or values.shape[-1] != sigma.size:
        wanted = f"an array whose last axis has {sigma.size} assets, by its shape"
        raise InvalidInputError("weighted_values", values.shape, wanted)
    rho = (
        np.empty((0, 0))
        if sigma.size == 0
        else valid.correlation_matrix("correlation", correlation, sigma.size)
    )
    totals, owed = valid.broadcast(weighted_values=values[..., :1].sum(axis=-1), debt=owed)
    full = np.broadcast_to(values, (*totals.shape, sigma.size))
    return Given(
        full.reshape(totals.size, sigma.size),
        owed.reshape(-1),
        sigma,
        rho,
        units.years(seconds),
        totals.shape,
    )


def moving(book: Given) -> BoolArray:
    """Tell which assets, (n,), move at all over the horizon."""
    return np.asarray(book.deviations > _STILL, dtype=np.bool_)


@np.errstate(all="ignore")
def net(book: Given) -> Given:
    """Leave out the assets that do not move and take them off the debt, which may end at zero or below."""
    risky = moving(book)
    cash = book.values[:, ~risky].sum(axis=1)
    return book._replace(
        values=book.values[:, risky],
        debt=book.debt - cash,
        volatilities=book.volatilities[risky],
        correlation=book.correlation[np.ix_(risky, risky)],
    )


@np.errstate(all="ignore")
def certain(netted: Given) -> tuple[FloatArray, BoolArray]:
    """Split the accounts of a netted book by whether chance can change what becomes of them.

    Returns
    -------
    probability : (m,) array
        Of being below the debt where it is certain: 1 for a debt without risky value, 0 for no debt beyond
        the cash.
    uncertain : (m,) array of bool
        The others, whose entry above is 0.
    """
    worthless = netted.values.sum(axis=1) <= 0.0
    owing = netted.debt > 0.0
    return (worthless & owing).astype(np.float64), ~worthless & owing


def select(book: Given, accounts: BoolArray) -> Given:
    """Return the book of the accounts chosen."""
    return book._replace(values=book.values[accounts], debt=book.debt[accounts])


def basket(netted: Given) -> Basket:
    """Build the basket of a netted book whose accounts are all uncertain; singular directions are dropped."""
    s = netted.deviations
    eigenvalues, vectors = np.linalg.eigh(netted.correlation)
    kept = eigenvalues > _NEGLIGIBLE * eigenvalues[-1]
    factor = vectors[:, kept] * np.sqrt(eigenvalues[kept])
    # Rounding in the eigenvectors would leave variances other than one.
    factor /= np.linalg.norm(factor, axis=1, keepdims=True)
    logs = units.log_ratio(netted.values) - 0.5 * np.square(s)
    return Basket(logs, s[:, None] * factor, np.log(netted.debt))
