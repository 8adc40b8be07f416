"""A pool's liquidity by tick."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from bot.domain.amm._checks import PIPS, whole
from bot.domain.amm.uniswap_v3.path import Path
from bot.domain.amm.uniswap_v3.tick_math import MAX_TICK, MIN_TICK
from bot.errors import InvalidInputError

MAX_LIQUIDITY = 2**128 - 1
"""Largest liquidity the contract stores."""
MAX_TICK_SPACING = 16_383
"""Largest spacing the factory accepts."""

_WORD = 256
_FLOAT_DUST = 10**12
_TICKS_BEHIND = 256
"""Ticks behind the price at which a path begins: a price that comes back less than 2.5 % reuses it."""


class Ladder:
    """Net liquidity by tick, anchored at one tick's active liquidity; immutable, shared between pools.

    Parameters
    ----------
    tick, liquidity : int
        A tick and the liquidity active there.
    fee_pips, tick_spacing : int
        As in the pool.
    liquidity_net : mapping of int to int
        For each initialised tick the liquidity added when the price crosses it upwards, signed. A tick
        whose net is zero belongs in it too: the swap stops, and rounds, there.

    Raises
    ------
    InvalidInputError
        If a value is outside the contract's range, a tick is off the spacing, or the active liquidity would
        leave ``[0, 2^128)`` somewhere.

    Notes
    -----
    Recorded ladders that have been through floats do not add up to the last digit. Where the active liquidity
    falls below zero by less than one part in 10^12 of the ladder's largest, it is taken for zero.
    """

    def __init__(
        self, tick: int, liquidity: int, fee_pips: int, tick_spacing: int, liquidity_net: Mapping[int, int]
    ) -> None:
        self.fee_pips: Final = whole("fee_pips", fee_pips, 0, PIPS - 1)
        self.tick_spacing: Final = whole("tick_spacing", tick_spacing, 1, MAX_TICK_SPACING)
        nets = {self._spaced(t): _net(n) for t, n in liquidity_net.items()}
        self._ticks: Final = sorted(nets)
        self.liquidity_net: Final = MappingProxyType({t: nets[t] for t in self._ticks})
        self._profile: Final = self._anchored(tick, liquidity)
        self._paths: dict[bool, Path] = {}

    def _spaced(self, tick: object) -> int:
        result = whole("liquidity_net tick", tick, MIN_TICK, MAX_TICK)
        if result % self.tick_spacing:
            raise InvalidInputError(
                "liquidity_net tick", tick, f"a multiple of the spacing {self.tick_spacing}"
            )
        return result

    def _anchored(self, tick: int, liquidity: int) -> list[int]:
        """Return the active liquidity below the first tick and above each one."""
        relative = list(accumulate(self.liquidity_net.values(), initial=0))
        offset = liquidity - relative[bisect_right(self._ticks, tick)]
        profile = [offset + level for level in relative]
        dust = max(profile) // _FLOAT_DUST
        for position, active in enumerate(profile):
            if not -dust <= active <= MAX_LIQUIDITY:
                where = f"above tick {self._ticks[position - 1]}" if position else "below the lowest tick"
                raise InvalidInputError(
                    "liquidity_net", active, f"such that the active liquidity {where} is in [0, 2**128)"
                )
        return [max(0, active) for active in profile]

    def liquidity_at(self, tick: int) -> int:
        """Return the active liquidity at a tick."""
        return self._profile[bisect_right(self._ticks, tick)]

    def ranges_from(self, tick: int, zero_for_one: bool) -> Iterator[tuple[int, int]]:
        """Yield liquidity and end tick of each range between initialised ticks, in a swap's order.

        The last one ends at the end of the axis.
        """
        ticks, profile = self._ticks, self._profile
        position = bisect_right(ticks, tick)
        if zero_for_one:
            for index in range(position - 1, -1, -1):
                yield profile[index + 1], ticks[index]
            yield profile[0], MIN_TICK
        else:
            for index in range(position, len(ticks)):
                yield profile[index], ticks[index]
            yield profile[-1], MAX_TICK

    def liquidity_from(self, stop: int, zero_for_one: bool) -> int:
        """Return the active liquidity of a range that a swap enters at ``stop``."""
        return self.liquidity_at(stop - 1 if zero_for_one else stop)

    def stop_after(self, stop: int, zero_for_one: bool) -> int | None:
        """Return the tick where a swap that left ``stop`` stops next; None if that is the end of the axis.

        A swap stops at each initialised tick and, as the contract reads its bitmap by words of 256 ticks,
        at the edge of each word: a falling price at the word's first tick, a rising one at its last.
        """
        word = _WORD * self.tick_spacing
        if zero_for_one:
            edge = (stop - 1) // word * word
            position = bisect_left(self._ticks, stop)
            following = max(edge, self._ticks[position - 1]) if position else edge
            return following if following > MIN_TICK else None
        edge = (stop + self.tick_spacing) // word * word + word - self.tick_spacing
        position = bisect_right(self._ticks, stop)
        following = min(edge, self._ticks[position]) if position < len(self._ticks) else edge
        return following if following < MAX_TICK else None

    def path_from(self, tick: int, zero_for_one: bool) -> Path:
        """Return a path that begins behind a tick; the last one of this direction, where it does."""
        path = self._paths.get(zero_for_one)
        if path is None or not path.covers(tick):
            begin = (
                min(tick + _TICKS_BEHIND, MAX_TICK) if zero_for_one else max(tick - _TICKS_BEHIND, MIN_TICK)
            )
            path = self._paths[zero_for_one] = Path(self, zero_for_one, begin)
        return path


def _net(value: object) -> int:
    return whole("liquidity_net", value, -(2**127), 2**127 - 1)
