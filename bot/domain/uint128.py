"""Columns of unsigned 128-bit integers in numpy, which has none: two 64-bit limbs each.

Amounts are stored as exactly as on chain, and seen as floats only to screen.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.domain._validation import FloatArray
from bot.errors import InvalidInputError

LIMB: Final = 64
_MASK: Final = (1 << LIMB) - 1
_LIMIT: Final = 1 << 128


class UInt128Array:
    """A two-dimensional array of integers in ``[0, 2^128)``.

    Parameters
    ----------
    high, low : (rows, columns) arrays of uint64
        The limbs; shared, not copied.
    """

    __slots__ = ("_floats", "_high", "_low")

    def __init__(self, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> None:
        self._high = high
        self._low = low
        self._floats: FloatArray | None = None

    @classmethod
    def zeros(cls, rows: int, columns: int) -> "UInt128Array":
        """Return an array of zeros."""
        return cls(np.zeros((rows, columns), np.uint64), np.zeros((rows, columns), np.uint64))

    @classmethod
    def stacked(cls, parts: Sequence["UInt128Array"]) -> "UInt128Array":
        """Return the rows of several arrays of equal width, one below the other; at least one."""
        high, low = zip(*(part.limbs() for part in parts), strict=True)
        return cls(np.concatenate(high), np.concatenate(low))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self._low.shape
        return rows, columns

    def __getitem__(self, cell: tuple[int, int]) -> int:
        return int(self._high[cell]) << LIMB | int(self._low[cell])

    def __setitem__(self, cell: tuple[int, int], value: int) -> None:
        if not 0 <= value < _LIMIT:
            raise InvalidInputError("amount", value, "in [0, 2**128)")
        self._high[cell] = value >> LIMB
        self._low[cell] = value & _MASK

    def put(
        self,
        rows: npt.NDArray[np.int64],
        column: int,
        high: npt.NDArray[np.uint64],
        low: npt.NDArray[np.uint64],
    ) -> None:
        """Write many cells of one column, given by their limbs."""
        self._high[rows, column], self._low[rows, column] = high, low

    def total(self, column: int) -> int:
        """Return the exact sum of a column, of any size."""
        parts = (part[:, column] for limbs in (self._high, self._low) for part in _halves(limbs))
        high_upper, high_lower, low_upper, low_lower = (int(part.sum()) for part in parts)
        high, low = (high_upper << 32) + high_lower, (low_upper << 32) + low_lower
        return (high << LIMB) + low

    def limbs(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
        """Return the high and the low limbs; shared, not copied."""
        return self._high, self._low

    def row(self, index: int) -> list[int]:
        """Return one row as integers."""
        pairs = zip(self._high[index].tolist(), self._low[index].tolist(), strict=True)
        return [high << LIMB | low for high, low in pairs]

    def floats(self) -> FloatArray:
        """Return all as float64, each within one part in 2^52; for a frozen array the same each time."""
        if self._floats is not None:
            return self._floats
        floats = self._high.astype(np.float64) * 2.0**LIMB + self._low
        if not self._high.flags.writeable:
            floats.flags.writeable = False
            self._floats = floats
        return floats

    def floats_of(self, rows: npt.NDArray[np.intp]) -> FloatArray:
        """Return some rows as `floats` does."""
        if self._floats is not None:
            picked: FloatArray = self._floats[rows]
            return picked
        return self._high[rows].astype(np.float64) * 2.0**LIMB + self._low[rows]

    def resized(self, rows: int, columns: int) -> "UInt128Array":
        """Return a larger copy, zero where it grew."""
        grown = UInt128Array.zeros(rows, columns)
        height, width = self.shape
        grown._high[:height, :width] = self._high
        grown._low[:height, :width] = self._low
        return grown

    def frozen(self, rows: int) -> "UInt128Array":
        """Return a read-only copy of the first ``rows`` rows."""
        high, low = self._high[:rows].copy(), self._low[:rows].copy()
        high.flags.writeable = low.flags.writeable = False
        return UInt128Array(high, low)

    def copy(self) -> "UInt128Array":
        """Return a copy that can be written to."""
        return UInt128Array(self._high.copy(), self._low.copy())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UInt128Array):
            return NotImplemented
        return np.array_equal(self._high, other._high) and np.array_equal(self._low, other._low)

    __hash__ = None  # type: ignore[assignment] # it can be written to


def _halves(limbs: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return the upper and lower 32 bits, of which four billion can be added up without overflow."""
    return limbs >> np.uint64(32), limbs & np.uint64(0xFFFF_FFFF)
