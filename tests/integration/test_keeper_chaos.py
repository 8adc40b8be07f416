"""Two keepers on one key through faults of the node, reorgs, kills, gas spikes and a rival."""

from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from tests.support.chaos import STORMS, bad_day
from tests.support.world import world

pytestmark = [pytest.mark.node]

PATIENCE = 30
"""Calm blocks within which every account that fell in a storm is healthy again, once the keepers are up."""

MOST_GROWTH_MIB = 4.0
"""Between the second and the last quarter of 2,000 blocks."""


def test_no_action_is_lost_or_doubled_in_a_short_storm(tmp_path: Path) -> None:
    with world() as here, bad_day(here, tmp_path, seed=1) as day:
        for name in ("bad line", "stubborn pool"):
            day.round(name, accounts=3, blocks=10, patience=PATIENCE)
        day.settle()
        day.check()
        assert day.weather.proxy.struck.keys() >= {"delay", "duplicate", "refuse"}
        assert day.happened["reorg"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_no_action_is_lost_or_doubled_in_any_storm(tmp_path: Path, seed: int) -> None:
    with world() as here, bad_day(here, tmp_path, seed) as day:
        for name in STORMS:
            day.round(name, accounts=4, blocks=24, patience=PATIENCE)
        day.settle()
        day.check()
        struck: Counter[str] = day.weather.proxy.struck
        print(  # noqa: T201
            f"seed {seed}: {dict(struck)}, {dict(day.happened)}, starts refused {day.crew.refused_starts}, "
            f"calm blocks until healthy {day.waits}"
        )


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
