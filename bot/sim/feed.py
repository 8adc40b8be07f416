"""When a price feed publishes: Chainlink's rule of deviation and heartbeat."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.sim.prices import Bars

DEVIATION_BPS = 50
HEARTBEAT_S = 3_600
DECIMALS = 8
_BPS = 10_000
_UNIT = 10.0**DECIMALS


def to_answer(price: float) -> int:
    """Return a price in the feed's units (8 decimals), to the nearest."""
    return round(price * _UNIT)


@dataclass(frozen=True, slots=True)
class Round:
    """What a feed published last.

    Parameters
    ----------
    answer : int
        Price with 8 decimals.
    updated_at : int
        Unix seconds.
    """

    answer: int
    updated_at: int

    def is_due(self, answer: int, now: int) -> bool:
        """Whether the feed publishes: the price is 0.5 % off the last answer, or 3,600 s have passed."""
        deviates = abs(answer - self.answer) * _BPS >= DEVIATION_BPS * self.answer
        return deviates or now - self.updated_at >= HEARTBEAT_S


VISITS = (0.0, 0.3, 0.7)
"""Where within a bar the open and the extremes are taken to have been; the close is its last second."""


def rounds_of(bars: Bars, deviation: float = DEVIATION_BPS / _BPS) -> Iterator[tuple[int, float]]:
    """Yield time and price of what a feed would have published over bars of traded prices.

    The price is taken to visit the open, the extreme nearer to it, the other extreme and the close; the feed
    publishes where it is off by ``deviation`` or the heartbeat is due. Lows and highs of any period are then
    within a deviation of the real feed's, however the price moved between.

    Parameters
    ----------
    bars : Bars
        Of one asset.
    deviation : float
        Relative move upon which the feed publishes.
    """
    published, at = 0.0, 0
    columns = (bars.ts, bars.open, bars.high, bars.low, bars.close)
    for begin, first, high, low, last in zip(*(column.tolist() for column in columns), strict=True):
        nearer, other = (high, low) if high / first <= first / low else (low, high)
        for share, price in zip((*VISITS, 1.0), (first, nearer, other, last), strict=True):
            time = begin + min(int(share * bars.step), bars.step - 1)
            if abs(price - published) >= deviation * published or time - at >= HEARTBEAT_S:
                published, at = price, time
                yield time, price
