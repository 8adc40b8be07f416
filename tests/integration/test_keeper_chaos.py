"""Two keepers on one key through faults of the node, reorgs, kills, gas spikes and a rival."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.chaos import STORMS, bad_day
from tests.support.world import world

pytestmark = [pytest.mark.node]

PATIENCE = 40
"""Calm blocks within which every account that fell in a storm is healthy again."""


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
        print(f"seed {seed}: {dict(struck)}, {dict(day.happened)}, calm blocks {day.waits}")  # noqa: T201
