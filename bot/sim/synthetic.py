"""Crashes that history did not bring.

Recorded crashes bounce, and a mechanism that waits is paid for it: in one made-up crash prices fall and stay
where they fell to, so that waiting gains nothing. And recorded crashes fall step by step: in the other, they
gap and then sink, so that accounts come near insolvency while they are being sold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.sim.prices import Bars, FloatArray

START = 1_609_459_200
"""First bar, unix seconds: the first of January 2021."""

FIRST_PRICE = {"ETH": 2_000.0, "BTC": 40_000.0}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a crash, even in log price.

    Parameters
    ----------
    bars : int
        How many.
    factor : float
        Price at its end over price at its beginning.
    reach : float
        How far a bar's extremes lie beyond its open and close, as a fraction of the price.
    """

    bars: int
    factor: float
    reach: float


PERSISTENT_STEP: Final = 300
PERSISTENT: Final = (Stage(6, 1.0, 0.002), Stage(12, 0.75, 0.006), Stage(30, 1.0, 0.002))
"""Half an hour of calm, an hour in which a quarter is lost, two and a half hours at the bottom."""

GAP_STEP: Final = 60
GAP: Final = (
    Stage(30, 1.0, 0.0005),
    Stage(2, 0.8, 0.002),
    Stage(8, 0.65 / 0.8, 0.002),
    Stage(80, 1.0, 0.001),
)
"""Half an hour of calm, 20 % lost in two minutes, 35 % after ten, an hour and more at the bottom."""


def persistent_crash() -> tuple[Bars, Bars]:
    """Return the ETH and BTC bars of a fall by a quarter within an hour, without a recovery."""
    return _both("persistent crash", PERSISTENT_STEP, PERSISTENT)


def gap_crash() -> tuple[Bars, Bars]:
    """Return the ETH and BTC bars of a gap of 20 % that goes on to 35 %, without a recovery."""
    return _both("gap crash", GAP_STEP, GAP)


def _both(name: str, step: int, stages: Sequence[Stage]) -> tuple[Bars, Bars]:
    return _bars(name, "ETH", step, stages), _bars(name, "BTC", step, stages)


def _bars(name: str, asset: str, step: int, stages: Sequence[Stage]) -> Bars:
    """Return one asset's bars; every bar opens where the one before it closed."""
    counts = [stage.bars for stage in stages]
    log_steps = np.repeat([np.log(stage.factor) / stage.bars for stage in stages], counts)
    reach = np.repeat([stage.reach for stage in stages], counts)
    close: FloatArray = FIRST_PRICE[asset] * np.exp(np.cumsum(log_steps))
    opened: FloatArray = np.concatenate([[FIRST_PRICE[asset]], close[:-1]])
    return Bars(
        source=f"{name} of {asset}",
        ts=START + step * np.arange(len(close), dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close) * (1.0 + reach),
        low=np.minimum(opened, close) * (1.0 - reach),
        close=close,
        step=step,
    )
