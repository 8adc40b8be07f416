"""When providers move their bands."""

from bot.sim.liquidity import LEAVES, PATIENCE_S, Recentring

NEAR, FAR = 100 * (1 + LEAVES) - 0.01, 100 * (1 - LEAVES) - 0.01


def test_bands_stay_while_the_price_is_near_their_centre() -> None:
    rule = Recentring(100.0)
    assert not any(rule.is_due(NEAR, now) for now in range(0, 10 * PATIENCE_S, 12))


def test_bands_move_once_the_price_was_away_for_long_enough() -> None:
    rule = Recentring(100.0)
    due = [now for now in range(0, 2 * PATIENCE_S, 12) if rule.is_due(FAR, now)]
    assert due[0] == PATIENCE_S


def test_a_price_that_comes_back_starts_the_wait_anew() -> None:
    rule = Recentring(100.0)
    assert not rule.is_due(FAR, 0)
    assert not rule.is_due(100.0, PATIENCE_S - 12)
    assert not rule.is_due(FAR, PATIENCE_S)
    assert rule.is_due(FAR, 2 * PATIENCE_S)


def test_after_a_move_the_distance_counts_from_the_new_centre() -> None:
    rule = Recentring(100.0)
    rule.is_due(80.0, 0)
    rule.moved(80.0)
    assert not rule.is_due(80.0, 10 * PATIENCE_S)
    assert not rule.is_due(100.0, 10 * PATIENCE_S)
    assert rule.is_due(100.0, 11 * PATIENCE_S)
