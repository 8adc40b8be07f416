"""When a price feed publishes: Chainlink's rule of deviation and heartbeat."""

from dataclasses import dataclass

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
