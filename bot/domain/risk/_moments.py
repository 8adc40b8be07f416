"""Approximations of a basket of lognormals by its moments."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from bot.domain._validation import FloatArray
from bot.domain.risk._basket import Given
from bot.errors import InvalidInputError


class Cumulants(NamedTuple):
    """Cumulants of each account's basket at the horizon, (m,) each."""

    mean: FloatArray
    variance: FloatArray
    third: FloatArray
    fourth: FloatArray


@np.errstate(all="ignore")
def lognormal(book: Given) -> FloatArray:
    """Probability of ending below the debt, the basket taken as one lognormal of the same mean and variance.

    Source: Fenton, IRE Transactions on Communications Systems 8, 1960.
    """
    book = _in_shares(book)
    variance = np.einsum("mi,ij,mj->m", book.values, _excess(book), book.values)
    s = np.sqrt(np.log1p(variance))
    probability = ndtr(np.log(book.debt) / s + 0.5 * s)
    return np.where(np.isfinite(variance), probability, 1.0)


@np.errstate(all="ignore")
def cornish_fisher(book: Given) -> FloatArray:
    """Probability of ending below the debt by the expansion of Cornish and Fisher in four exact moments.

    The debt in standard deviations x is mapped to the normal scale by the expansion's own inverse, ``x - g1
    (x² - 1)/6 - g2 (x³ - 3x)/24 + g1² (4x³ - 7x)/36`` (Revue de l'Institut International de Statistique 5,
    1938), which leaves nothing to solve and has one value everywhere.
    """
    book = _in_shares(book)
    mean, variance, third, fourth = cumulants(book)
    if not np.isfinite(fourth).all():
        worst = float(book.deviations.max())
        raise InvalidInputError(
            "volatilities * sqrt(horizon)", worst, "small enough for a finite fourth moment"
        )
    sigma = np.sqrt(variance)
    x = (book.debt - mean) / sigma
    g1, g2 = third / sigma**3, fourth / np.square(variance)
    cube = x**3
    z = (
        x
        - g1 * (np.square(x) - 1.0) / 6.0
        - g2 * (cube - 3.0 * x) / 24.0
        + np.square(g1) * (4.0 * cube - 7.0 * x) / 36.0
    )
    return np.asarray(ndtr(z), dtype=np.float64)


def _in_shares(book: Given) -> Given:
    """Measure each account in units of its own value, so that no moment overflows for its size."""
    total = book.values.sum(axis=1)
    return book._replace(values=book.values / total[:, None], debt=book.debt / total)


def _excess(book: Given) -> FloatArray:
    """Covariances of the growth factors, ``exp(s_i s_j rho_ij) - 1``."""
    s = book.deviations
    return np.asarray(np.expm1(np.outer(s, s) * book.correlation), dtype=np.float64)


@np.errstate(all="ignore")
def cumulants(book: Given) -> Cumulants:
    """Exact cumulants of the basket, free of cancellation however short the horizon.

    ``E[X_i X_j ..]`` of lognormals of mean one is the product of ``1 + K_ab`` over all pairs, so it is a sum
    over all graphs on the indices; the joint cumulant is the part of that sum over connected graphs: 4 of
    them on three vertices, 38 on four. All terms are of the size of the result, whereas raw moments would
    cancel.
    """
    k = _excess(book)
    w = book.values
    variance = np.einsum("mi,ij,mj->m", w, k, w)
    third = np.zeros(len(w))
    fourth = np.zeros(len(w))
    for i in range(w.shape[1]):
        third += w[:, i] * np.einsum("mj,jk,mk->m", w, _connected_triples(k, i), w)
        quadruples = _connected_quadruples(k, i)
        fourth += w[:, i] * np.einsum("mj,mk,ml,jkl->m", w, w, w, quadruples, optimize=True)
    return Cumulants(w.sum(axis=1), variance, third, fourth)


def _connected_triples(k: FloatArray, i: int) -> FloatArray:
    """Sum over the connected graphs on i, j, k: two edges, or all three."""
    ij, ik = k[i][:, None], k[i][None, :]
    return np.asarray(ij * ik + ij * k + ik * k + ij * ik * k, dtype=np.float64)


def _connected_quadruples(k: FloatArray, i: int) -> FloatArray:
    """Sum over the connected graphs on i, a, b, c.

    A graph is connected if, without i, its other vertices fall into parts that each hold a neighbour of i.
    Hence the sum over partitions of {a, b, c}: for each part, its connected graphs times the ways to join i
    to it, ``prod(1 + K_iv) - 1``.
    """
    e = k[i]
    a, b, c = e[:, None, None], e[None, :, None], e[None, None, :]
    ab, ac, bc = k[:, :, None], k[:, None, :], k[None, :, :]
    joined_ab, joined_ac, joined_bc = a + b + a * b, a + c + a * c, b + c + b * c
    joined_abc = joined_ab + c + joined_ab * c
    triangle = ab * ac + ab * bc + ac * bc + ab * ac * bc
    return np.asarray(
        a * b * c + ab * joined_ab * c + ac * joined_ac * b + bc * joined_bc * a + triangle * joined_abc,
        dtype=np.float64,
    )
