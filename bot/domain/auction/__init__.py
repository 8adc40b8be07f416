"""The Dutch auction: its curve, its loss to fair value, how long it takes, and how fast it should run.

The ask is ``start * exp(-decay_per_second * t)``. Fair value is a martingale with ``volatility_daily`` per
square root of a day, so ``z = ln(ask / fair)`` has variance ``sigma^2`` per second and falls at
``delta = decay_per_second - sigma^2 / 2`` per second. There is no block at time 0; the first block at which
``z <= 0`` fills. Blocks come at exponential intervals (a Poisson process), or exactly one ``block_time``
apart (fixed slots).
"""

from bot.domain.auction.curve import multiplier, start_multiplier
from bot.domain.auction.decay import optimal_decay
from bot.domain.auction.outcome import expected_fill_time, expected_loss

__all__ = ["expected_fill_time", "expected_loss", "multiplier", "optimal_decay", "start_multiplier"]
