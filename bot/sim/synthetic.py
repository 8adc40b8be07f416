"""A crash that history did not bring: prices fall and stay where they fell to.

Recorded crashes bounce, and a mechanism that waits is paid for it. Here waiting gains nothing.
"""

import numpy as np

from bot.sim.prices import Bars, FloatArray

START = 1_609_459_200
"""First bar, unix seconds: the first of January 2021."""

STEP = 300
"""Length of a bar, seconds."""

CALM_BARS, FALL_BARS, AFTER_BARS = 6, 12, 30
"""Half an hour of calm, an hour of falling, two and a half hours at the bottom."""

DROP = 0.25
RANGE_CALM, RANGE_FALL = 0.002, 0.006
"""How far a bar's extremes lie beyond its open and close, as a fraction of the price."""

FIRST_PRICE = {"ETH": 2_000.0, "BTC": 40_000.0}


def persistent_crash() -> tuple[Bars, Bars]:
    """Return the ETH and BTC bars of a fall by a quarter, even in log price, without a recovery."""
    return _bars("ETH"), _bars("BTC")


def _bars(asset: str) -> Bars:
    """Return one asset's bars; every bar opens where the one before it closed."""
    log_steps = np.zeros(CALM_BARS + FALL_BARS + AFTER_BARS)
    log_steps[CALM_BARS : CALM_BARS + FALL_BARS] = np.log(1.0 - DROP) / FALL_BARS
    close: FloatArray = FIRST_PRICE[asset] * np.exp(np.cumsum(log_steps))
    opened: FloatArray = np.concatenate([[FIRST_PRICE[asset]], close[:-1]])
    reach = np.where(log_steps < 0.0, RANGE_FALL, RANGE_CALM)
    return Bars(
        source=f"persistent crash of {asset}",
        ts=START + STEP * np.arange(len(close), dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close) * (1.0 + reach),
        low=np.minimum(opened, close) * (1.0 - reach),
        close=close,
        step=STEP,
    )
