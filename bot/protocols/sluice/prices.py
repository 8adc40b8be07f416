"""Which answer of a feed the price oracle believes, as its contract decides."""

from dataclasses import dataclass
from typing import Final

_PRICE_DECIMALS: Final = 18


@dataclass(frozen=True, slots=True)
class Feed:
    """Where an asset's price comes from, as in ``IPriceOracle.Feed``.

    Parameters
    ----------
    aggregator : bytes
        Of the feed, 20 bytes.
    max_age : int
        Seconds.
    min_answer, max_answer : int
        Answers at or beyond them are clamped, raw feed units.
    decimals : int
        Of the feed.
    """

    aggregator: bytes
    max_age: int
    min_answer: int
    max_answer: int
    decimals: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The last answer of a feed, raw units, and when it was given, unix seconds."""

    value: int
    updated_at: int


def price_of(feed: Feed | None, answer: Answer | None, timestamp: int) -> int | None:
    """Return the price, WAD quote units per whole token, rounded down; None where the oracle would refuse.

    Refused are: no feed, no answer, one older than the feed's age or dated after ``timestamp``, one that is
    not positive, and one at or beyond the feed's bounds.
    """
    if feed is None or answer is None:
        return None
    if answer.updated_at > timestamp or timestamp - answer.updated_at > feed.max_age:
        return None
    if answer.value <= 0 or not feed.min_answer < answer.value < feed.max_answer:
        return None
    scale: int = 10 ** (_PRICE_DECIMALS - feed.decimals)
    return answer.value * scale
