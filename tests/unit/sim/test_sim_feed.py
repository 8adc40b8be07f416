"""The feed's rule: half a per cent, or an hour."""

import numpy as np
import pytest

from bot.sim.feed import Round, rounds_of, to_answer
from bot.sim.prices import Bars

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


def bars(*rows: tuple[float, float, float, float]) -> Bars:
    """Return hourly bars of open, high, low and close."""
    columns = np.array(rows).T
    return Bars("a test", 3_600 * np.arange(len(rows)), *columns, 3_600)


def test_a_bar_is_read_as_the_rounds_of_its_open_extremes_and_close() -> None:
    falls = bars((100.0, 101.0, 90.0, 95.0))
    assert list(rounds_of(falls)) == [(0, 100.0), (1_080, 101.0), (2_520, 90.0), (3_599, 95.0)]
    rises = bars((100.0, 110.0, 99.0, 105.0))
    assert [price for _, price in rounds_of(rises)] == [100.0, 99.0, 110.0, 105.0]


def test_moves_below_the_deviation_are_left_out_until_the_heartbeat() -> None:
    calm = bars(*[(100.0, 100.4, 99.6, 100.1)] * 3)
    assert list(rounds_of(calm)) == [(0, 100.0), (3_600, 100.0), (7_200, 100.0)]
    assert {100.4, 99.6, 100.1} <= {price for _, price in rounds_of(calm, deviation=0.0009)}


def test_rounds_are_in_order_and_the_lows_are_within_a_deviation_of_the_bars() -> None:
    generator = np.random.default_rng(5)
    closes = 100.0 * np.exp(np.cumsum(0.01 * generator.standard_normal(500)))
    opens = np.concatenate([[100.0], closes[:-1]])
    high, low = np.maximum(opens, closes) * 1.003, np.minimum(opens, closes) * 0.997
    made = bars(*zip(opens, high, low, closes, strict=True))
    rounds = list(rounds_of(made))
    times = [time for time, _ in rounds]
    assert times == sorted(set(times))
    published = np.array([[time // 3_600, price] for time, price in rounds])
    for hour in range(1, 500):
        before, own = published[published[:, 0] < hour, 1], published[published[:, 0] == hour, 1]
        in_force = [before[-1], *own]
        assert min(in_force) <= low[hour] * 1.0051
        assert max(in_force) >= high[hour] * 0.9949
