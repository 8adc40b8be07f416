"""Which answers are prices."""

import pytest

from bot.protocols.sluice.prices import Answer, Feed, SecondSource, Uptime, price_of

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


PRICE = 200 * 10**18
SECOND = SecondSource(Feed(b"\2" * 20, max_age=100, min_answer=10, max_answer=10**24, decimals=18), 200)


@pytest.mark.parametrize("second", [196 * 10**18, 200 * 10**18, 204 * 10**18])
def test_a_second_source_confirms_what_is_as_near_as_it_may_be(second: int) -> None:
    assert SECOND.confirms(PRICE, Answer(second, NOW), NOW)


@pytest.mark.parametrize(
    ("value", "updated_at"),
    [
        (196 * 10**18 - 1, NOW),
        (204 * 10**18 + 1, NOW),
        (200 * 10**18, NOW - 101),
        (200 * 10**18, NOW + 1),
        (0, NOW),
        (-200 * 10**18, NOW),
        (10**24, NOW),
    ],
)
def test_a_second_source_that_is_no_price_or_too_far_confirms_nothing(value: int, updated_at: int) -> None:
    assert not SECOND.confirms(PRICE, Answer(value, updated_at), NOW)


def test_a_second_source_that_never_answered_confirms_nothing() -> None:
    assert not SECOND.confirms(PRICE, None, NOW)


@pytest.mark.parametrize(
    ("change", "prices", "resumed_at"),
    [
        (Answer(0, NOW - 100), True, NOW - 100),
        (Answer(0, NOW - 99), False, NOW - 99),
        (Answer(0, NOW), False, NOW),
        (Answer(0, NOW + 1), False, NOW),
        (Answer(1, NOW - 500), False, NOW),
        (Answer(0, 0), False, NOW),
        (None, False, NOW),
    ],
)
def test_prices_are_given_once_the_sequencer_is_up_for_its_grace(
    change: Answer | None, prices: bool, resumed_at: int
) -> None:
    uptime = Uptime(change, grace=100)
    assert uptime.prices_at(NOW) is prices
    assert uptime.resumed_at(NOW) == resumed_at
