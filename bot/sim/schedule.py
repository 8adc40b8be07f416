"""When blocks are mined: every 12 s where prices move, sparsely elsewhere.

The window is cut into stretches of five minutes, ranked by the range that either price covers in them. All
get sparse blocks; the stretches that move most are filled up to one block each 12 s, as many as the budget of
blocks allows. A block is also mined wherever a bar visits its open, extremes or close, so no extreme is
missed.
"""

from dataclasses import dataclass

import numpy as np

from bot.errors import ReplayOptionError
from bot.sim.path import PricePath
from bot.sim.prices import SLOT, FloatArray

STRETCH = 25
"""Slots in a stretch: five minutes."""

SPARSE_STEPS = (5, 10, 15, 25, 50, 75, 150, 300)
"""Slots between sparse blocks, one minute to one hour; the shortest that keeps to its share is used."""

SPARSE_SHARE = 0.6
"""Of the budget, at most, for sparse blocks; the rest is there for dense ones."""

SHORT_WINDOW_S = 12 * 3_600
SHORT_BUDGET = 1_500
LONG_BUDGET = 3_500
"""Most blocks in a window of up to twelve hours, and in a longer one: a local node slows down with height."""

SMALLEST_BUDGET = 10


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times of the blocks, and the rule in figures.

    Parameters
    ----------
    times : tuple of int
        Unix seconds, rising; the first and the last slot of the window are always there.
    sparse_step_s : int
        Seconds between blocks where little moves.
    dense_stretches, stretches : int
        How many stretches of five minutes have a block each 12 s, and how many there are.
    dense_range_bps : float
        Smallest range of a dense stretch, basis points of its lowest price; zero if all are dense.
    """

    times: tuple[int, ...]
    sparse_step_s: int
    dense_stretches: int
    stretches: int
    dense_range_bps: float

    @property
    def rule(self) -> str:
        """The rule in one sentence."""
        if self.dense_stretches == self.stretches:
            return f"a block every {SLOT} s throughout"
        return (
            f"a block every {SLOT} s in the {self.dense_stretches} of {self.stretches} five-minute stretches "
            f"that range over {self.dense_range_bps:.0f} basis points or more, every {self.sparse_step_s} s "
            "elsewhere, and at each open, extreme and close of a bar"
        )


def default_budget(duration_s: int) -> int:
    """Return the most blocks that a window of this length gets."""
    return SHORT_BUDGET if duration_s <= SHORT_WINDOW_S else LONG_BUDGET


def plan_blocks(path: PricePath, budget: int) -> Schedule:
    """Choose the times of the blocks.

    Parameters
    ----------
    path : PricePath
        Prices at every slot of the window.
    budget : int
        Most blocks.

    Raises
    ------
    ReplayOptionError
        If the window is too long for the budget even with sparse blocks alone.
    """
    if budget < SMALLEST_BUDGET:
        raise ReplayOptionError("--max-blocks", budget, f"at least {SMALLEST_BUDGET}")
    step, chosen = _sparse(path, budget)
    ranges = _ranges(path)
    dense = 0
    smallest = 0.0
    for index in np.argsort(-ranges, kind="stable"):
        added = chosen.copy()
        added[index * STRETCH : (index + 1) * STRETCH] = True
        if np.count_nonzero(added) > budget:
            break
        chosen, dense, smallest = added, dense + 1, float(ranges[index])
    times = tuple(int(ts) for ts in path.ts[chosen])
    return Schedule(times, step * SLOT, dense, len(ranges), 0.0 if dense == len(ranges) else smallest * 1e4)


def _sparse(path: PricePath, budget: int) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return the sparse step in slots and the slots that always get a block."""
    needed = 0
    for step in SPARSE_STEPS:
        chosen = path.waypoint.copy()
        chosen[::step] = True
        chosen[-1] = True
        needed = int(np.count_nonzero(chosen))
        if needed <= SPARSE_SHARE * budget:
            return step, chosen
    if needed <= budget:
        return step, chosen
    hours = (int(path.ts[-1]) - int(path.ts[0])) / 3_600
    requirement = f"shorter: {hours:,.0f} hours need {needed} blocks, {budget} are allowed (see --max-blocks)"
    raise ReplayOptionError("the window from --start to --end", f"{len(path.ts)} slots", requirement)


def _ranges(path: PricePath) -> FloatArray:
    """Return for each stretch the wider of both assets' ranges, relative to its lowest price."""
    starts = np.arange(0, len(path.ts), STRETCH)
    relative = [
        np.maximum.reduceat(prices, starts) / np.minimum.reduceat(prices, starts) - 1.0
        for prices in (path.eth, path.btc)
    ]
    return np.asarray(np.maximum(*relative), dtype=np.float64)
