"""Which answer of a feed the price oracle believes, as its contracts decide."""

from dataclasses import dataclass
from typing import Final

from bot.domain.wad import BPS

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


@dataclass(frozen=True, slots=True)
class SecondSource:
    """A feed that must confirm the first, as in ``IPriceOracle.secondary``.

    Parameters
    ----------
    feed : Feed
        The second.
    max_deviation_bps : int
        How far its price may be from the first one's, basis points of that.
    """

    feed: Feed
    max_deviation_bps: int

    def confirms(self, price: int, answer: Answer | None, timestamp: int) -> bool:
        """Return whether the second feed's answer is a price, and near enough to ``price``."""
        second = price_of(self.feed, answer, timestamp)
        return second is not None and abs(price - second) * BPS <= price * self.max_deviation_bps


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


@dataclass(frozen=True, slots=True)
class Uptime:
    """What is known of a chain's sequencer: its uptime feed answers 0 while it is up.

    Parameters
    ----------
    change : Answer or None
        What the feed says, and since when; None where it says nothing.
    grace : int
        Seconds after a restart in which no price is given.
    """

    change: Answer | None
    grace: int

    def prices_at(self, timestamp: int) -> bool:
        """Return whether the oracle gives prices in a block of that time."""
        return self._up_by(timestamp) and timestamp - self._since >= self.grace

    def resumed_at(self, timestamp: int) -> int:
        """Return the time before which the last outage interrupted whatever ran, unix seconds.

        While an outage lasts that is ``timestamp``: what runs then will have lapsed when it is over.
        """
        return self._since if self._up_by(timestamp) else timestamp

    @property
    def _since(self) -> int:
        return self.change.updated_at if self.change else 0

    def _up_by(self, timestamp: int) -> bool:
        return self.change is not None and self.change.value == 0 and 0 < self._since <= timestamp
