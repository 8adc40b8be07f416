"""The feed's rule: half a per cent, or an hour."""

import pytest

from bot.sim.feed import Round, to_answer

LAST = Round(answer=20_000_000_000, updated_at=1_000)


def test_an_answer_has_eight_decimals_and_is_rounded_to_the_nearest() -> None:
    assert to_answer(138.4) == 13_840_000_000
    assert to_answer(0.000000016) == 2


@pytest.mark.parametrize("answer", [20_100_000_000, 19_900_000_000])
def test_a_move_of_exactly_half_a_per_cent_publishes(answer: int) -> None:
    assert LAST.is_due(answer, 1_012)


@pytest.mark.parametrize("answer", [20_099_999_999, 19_900_000_001])
def test_a_smaller_move_waits(answer: int) -> None:
    assert not LAST.is_due(answer, 1_012)


def test_the_heartbeat_publishes_after_an_hour_and_not_before() -> None:
    assert not LAST.is_due(LAST.answer, 4_599)
    assert LAST.is_due(LAST.answer, 4_600)
