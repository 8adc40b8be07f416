"""Which answers are prices."""

import pytest

from bot.protocols.sluice.prices import Answer, Feed, price_of

FEED = Feed(b"\1" * 20, max_age=100, min_answer=10, max_answer=10**12, decimals=8)
NOW = 1_000


@pytest.mark.parametrize(("value", "updated_at"), [(11, NOW), (10**12 - 1, NOW), (200 * 10**8, NOW - 100)])
def test_an_answer_within_bounds_and_age_is_a_price(value: int, updated_at: int) -> None:
    assert price_of(FEED, Answer(value, updated_at), NOW) == value * 10**10


@pytest.mark.parametrize(
    ("value", "updated_at"),
    [
        (200 * 10**8, NOW - 101),
        (200 * 10**8, NOW + 1),
        (0, NOW),
        (-5, NOW),
        (10, NOW),
        (10**12, NOW),
        (10**13, NOW),
    ],
)
def test_stale_future_worthless_and_clamped_answers_are_none(value: int, updated_at: int) -> None:
    assert price_of(FEED, Answer(value, updated_at), NOW) is None


def test_without_feed_or_answer_there_is_no_price() -> None:
    assert price_of(None, Answer(1, NOW), NOW) is None
    assert price_of(FEED, None, NOW) is None
