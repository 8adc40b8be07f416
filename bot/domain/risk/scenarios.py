"""Stress: the worst of a set of price shocks."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bot.domain import _validation as valid
from bot.domain._validation import ArrayLike, FloatArray
from bot.errors import InvalidInputError


class WorstScenario(NamedTuple):
    """The scenario that leaves an account least healthy."""

    index: int | npt.NDArray[np.int64]  # type: ignore[assignment]
    """Row of the shocks; the first of equals."""
    health: float | FloatArray
    """Health factor after it."""


def worst_scenario(log_exposures: ArrayLike, shocks: ArrayLike, health: ArrayLike = 1.0) -> WorstScenario:
    """Find the scenario that lowers health most: ``health * exp(min over k of shocks_k · log_exposures)``.

    ``log_exposures`` are the elasticities of health, ``d ln(health) / d ln(price_i)``: ``w_i / sum(w)`` for a
    collateral of weighted value ``w_i``, minus its share of the weighted debt for a debt, the same x as in
    ``sigma_p² = x' S x``. Elasticities are held constant through the shock, which makes health a product of
    powers of the prices.

    Parameters
    ----------
    log_exposures : (n,) or (..., n) array
        Per account, of either sign.
    shocks : (k, n) array
        Log price moves of k scenarios, such as ``ln(0.8)`` for a fall by 20 %.
    health : float or (...) array
        Health factors before the shock, at least 0; by default 1, so that the result is the factor by which
        health changes.

    Returns
    -------
    WorstScenario
        An index and a health for each account.

    Raises
    ------
    InvalidInputError
        If there is no scenario, a value is not finite, a health is negative or NaN, or shapes disagree.

    Notes
    -----
    Constant elasticity is exact for one collateral against one debt. For several collaterals it errs on the
    safe side (the geometric mean of price ratios is at most the arithmetic one), for several debts on the
    other; the error is second order, half the variance of the shocks across the assets. An account that holds
    nothing keeps its health.
    """
    exposures = valid.finite("log_exposures", log_exposures)
    moves = valid.finite("shocks", shocks)
    before = valid.check("health", health, lambda x: x >= 0.0, "at least 0 (infinite where there is no debt)")
    if moves.ndim != 2 or moves.shape[0] == 0:
        raise InvalidInputError(
            "shocks", moves.shape, "scenarios by assets with at least one scenario, by its shape"
        )
    if exposures.ndim == 0 or exposures.shape[-1] != moves.shape[1]:
        wanted = f"an array whose last axis has {moves.shape[1]} assets, by its shape"
        raise InvalidInputError("log_exposures", exposures.shape, wanted)
    with np.errstate(all="ignore"):
        outcomes = exposures @ moves.T
        index = np.asarray(outcomes.argmin(axis=-1), dtype=np.int64)
        lowest = np.asarray(outcomes.min(axis=-1))
        lowest, before = valid.broadcast(log_exposures=lowest, health=before)
        after = np.where(before > 0.0, before * np.exp(lowest), 0.0)
    return WorstScenario(int(index) if index.ndim == 0 else index, valid.unwrap(after))
