"""How much may be released into a market, and how fast reserves may fall: the contracts' ``ReleaseBudget``.

A leaky bucket for each side of an asset's market. Its level falls by what is sold and rises with time; the
load is what is missing to its capacity. The clock of every auction that sells into that market runs at
level / capacity, and stands still while the bucket is empty or overdrawn. Level and capacity are in micro
quote units (10^-6), the clock in milliseconds. All rounding is against release: levels and clocks down,
draws up. Source: docs/mechanism.md.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from bot.domain.binary_float import unpack
from bot.domain.wad import BPS, WAD, bps_down, mul_div_up

MICROS: Final = 10**6
"""Micro units in a quote unit."""
WAD_PER_MICRO: Final = WAD // MICROS
URGENT: Final = 255
"""Urgency of 1, which is kept in a byte."""
MEAN_PRICE_MAX_AGE: Final = 60
"""For so long, seconds, what pools paid before a poke tells where a kick may start."""
_MILLIS: Final = 1_000


class Side(IntEnum):
    """A side of an asset's market, as ``ILiquidationEngine.Side``."""

    SELL = 0
    BUY = 1


@dataclass(frozen=True, slots=True)
class SpeedParameters:
    """``ILiquidationEngine.SpeedParameters``, in its units."""

    recovery: int
    slippage_limit_bps: int
    near_slippage_bps: int
    shape_bps: int
    urgency_z_bps: int
    tau_clear: int
    min_capacity: int
    max_capacity: int
    depth_max_age: int
    choice_tolerance_bps: int

    def capacity_of(self, depth: int) -> int:
        """Return ``clamp(shape * depth, B_min, B_max)``, micro quote units. Rounding: DOWN.

        Parameters
        ----------
        depth : int
            At the slippage limit, WAD quote units.
        """
        shaped = bps_down(depth, self.shape_bps) // WAD_PER_MICRO
        return min(max(shaped, self.min_capacity * MICROS), self.max_capacity * MICROS)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The release budget of one side of one asset, as of ``level_at``.

    Parameters
    ----------
    level : int
        What may be released; negative when overdrawn, at most by ``capacity``.
    capacity : int
        Level when full.
    level_at : int
        Unix seconds; zero where nothing was ever drawn or poked.
    clock : int
        Active time: the integral of ``max(0, level) / capacity``, milliseconds.
    poked_at : int
        Unix seconds of the last poke.
    mean_price : int
        What pools paid for the asset in the minutes before that poke, packed as by `bot.domain.binary_float`:
        up on the sell side, down on the buy side; zero where it is unknown.
    """

    level: int = 0
    capacity: int = 0
    level_at: int = 0
    clock: int = 0
    poked_at: int = 0
    mean_price: int = 0

    @property
    def load(self) -> int:
        """What the market still has to digest: ``capacity - level``."""
        return self.capacity - self.level

    @property
    def largest_draw(self) -> int:
        """Largest value of one settlement, WAD quote units: the capacity."""
        return self.capacity * WAD_PER_MICRO

    def is_fresh(self, max_age: int, time: int) -> bool:
        """Return whether a poke at most ``max_age`` seconds old stands behind the capacity."""
        return self.poked_at != 0 and time <= self.poked_at + max_age

    def mean_price_at(self, time: int) -> int:
        """Return what pools paid of late, WAD quote units per whole token; zero where it is unknown."""
        return unpack(self.mean_price) if self.is_fresh(MEAN_PRICE_MAX_AGE, time) else 0

    def at(self, speed: SpeedParameters, time: int) -> "Bucket":
        """Return the bucket as it stands at ``time``, at or after ``level_at``.

        One that was never drawn or poked is full at the least capacity, and its clock shows Unix time; one
        whose last poke is too old has the least capacity, and the load that it had.
        """
        least = speed.min_capacity * MICROS
        if self.level_at == 0:
            return Bucket(least, least, time, time * _MILLIS, 0)
        bucket = self._rolled(speed.recovery, time)
        return bucket if bucket.is_fresh(speed.depth_max_age, time) else bucket.resized(least)

    def resized(self, capacity: int) -> "Bucket":
        """Return the bucket with another capacity and the same load, at most twice the capacity."""
        return replace(self, capacity=capacity, level=capacity - min(self.load, 2 * capacity))

    def drawn(self, value: int) -> "Bucket":
        """Return the bucket after ``value``, WAD quote units, was sold. Rounding: the draw UP."""
        load = self.load + mul_div_up(value, 1, WAD_PER_MICRO)
        return replace(self, level=self.capacity - min(load, 2 * self.capacity))

    def is_open(self, urgency: int) -> bool:
        """Return whether a settlement may draw: ``level > -u capacity``; always where u is `URGENT`."""
        return urgency == URGENT or self.level * URGENT + urgency * self.capacity > 0

    def depth(self, shape_bps: int) -> int:
        """Return the depth at the slippage limit behind the capacity, WAD quote units. Rounding: DOWN."""
        return self.capacity * WAD_PER_MICRO * BPS // shape_bps

    def _rolled(self, recovery: int, time: int) -> "Bucket":
        """Run level and clock on to ``time``. Rounding: the refill DOWN, the clock DOWN."""
        elapsed = time - self.level_at
        if elapsed == 0:
            return self
        missing = self.load
        refill = min(self.capacity * elapsed // recovery, missing)
        clock = self.clock + self._active(missing, missing - refill, elapsed, recovery)
        return replace(self, level=self.level + refill, clock=clock, level_at=time)

    def _active(self, before: int, afterwards: int, elapsed: int, recovery: int) -> int:
        """Return the active milliseconds while the load falls from ``before`` to ``afterwards``.

        The ramp ``(high^2 - low^2) recovery / (2 capacity^2)``, down, and all of the time from when the
        bucket is full, which is rounded up.
        """
        low, high = max(self.capacity - before, 0), max(self.capacity - afterwards, 0)
        ramp = (high * high - low * low) * recovery * _MILLIS // (2 * self.capacity * self.capacity)
        until_full = mul_div_up(before, recovery * _MILLIS, self.capacity)
        return ramp + max(elapsed * _MILLIS - until_full, 0)
