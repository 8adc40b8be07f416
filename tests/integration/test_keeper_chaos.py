"""Two keepers on one key through faults of the node, reorgs, kills, gas spikes and a rival."""

from pathlib import Path
from statistics import median

import pytest

from tests.support.chaos import DOUBLE_STORMS, STORMS, Day, bad_day
from tests.support.world import world

pytestmark = [pytest.mark.node]

PATIENCE = 30
"""Calm blocks within which every account that fell in a storm is healthy again, once the keepers are up."""

MOST_GROWTH_MIB = 4.0
"""Between the second and the last quarter of 2,000 blocks."""


def test_no_action_is_lost_or_doubled_in_a_short_storm(tmp_path: Path) -> None:
    with world() as here, bad_day(here, tmp_path, seed=1) as day:
        for name, strikes in (("bad line", ("delay", "duplicate")), ("stubborn pool", ("refuse",))):
            day.round(name, accounts=3, blocks=10, patience=PATIENCE, strikes=strikes)
        day.settle()
        day.check()
        assert day.weather.struck.keys() >= {"delay", "duplicate", "refuse"}
        assert day.happened["reorg"] == 2


def test_one_of_two_endpoints_may_turn_to_another_chain(tmp_path: Path) -> None:
    storms = {name: DOUBLE_STORMS[name] for name in ("first elsewhere, second overloaded",)}
    with world() as here, bad_day(here, tmp_path, seed=1, keepers=1, storms=storms) as day:
        for name in storms:
            day.round(name, accounts=2, blocks=12, patience=PATIENCE)
        day.settle()
        day.check()
        assert day.crew.said()["endpoint_of_another_chain"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_no_action_is_lost_or_doubled_in_any_storm(tmp_path: Path, seed: int) -> None:
    with world() as here, bad_day(here, tmp_path, seed) as day:
        for name in STORMS:
            day.round(name, accounts=6, blocks=24, patience=PATIENCE)
        day.settle()
        print(f"seed {seed}: {day.report()}")  # noqa: T201
        day.check()
        assert_a_fair_race(day)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(11, 14))
def test_no_action_is_lost_or_doubled_in_storms_around_two_endpoints(tmp_path: Path, seed: int) -> None:
    with world() as here, bad_day(here, tmp_path, seed, storms=DOUBLE_STORMS) as day:
        for name in DOUBLE_STORMS:
            day.round(name, accounts=6, blocks=24, patience=PATIENCE)
        day.settle()
        print(f"seed {seed}: {day.report()}")  # noqa: T201
        day.check()
        assert_a_fair_race(day)
        said = day.crew.said()
        assert said["endpoint_of_another_chain"] > 0
        assert said["endpoint_resting"] > 0


def assert_a_fair_race(day: Day) -> None:
    """Half of the races are the keeper's, give or take what chance and bumped fees make of a few dozen."""
    tally = day.rival.tally
    assert tally.won + tally.lost >= 10, tally
    assert 0.3 <= tally.share_won <= 0.7, tally


@pytest.mark.slow
@pytest.mark.parametrize("chain", range(5))
def test_memory_stays_flat_over_two_thousand_blocks(tmp_path: Path, chain: int) -> None:
    with world() as here, bad_day(here, tmp_path, seed=chain, keepers=1) as day:
        day.round("bad line", accounts=4, blocks=12, patience=PATIENCE)
        day.pass_quickly(200)  # what is kept of 128 heads fills up
        day.weather.enter("bad line")
        seen = day.pass_quickly(2_000)
        quarter = len(seen) // 4
        early, late = median(seen[quarter : 2 * quarter]), median(seen[-quarter:])
        print(f"chain {chain}: {early:.1f} MiB, then {late:.1f} MiB")  # noqa: T201
        assert day.crew.ended_at_work == []
        assert min(seen) > 0
        assert late - early < MOST_GROWTH_MIB
