"""When blocks are mined."""

import numpy as np
import pytest

from bot.errors import ReplayOptionError
from bot.sim.path import PricePath, build_path
from bot.sim.scenario import ScenarioName, bundled, make_scenario, parse_time
from bot.sim.schedule import STRETCH, default_budget, plan_blocks

START, END = "2020-03-12T20:00", "2020-03-13T08:00"


def flat_path(stretches: int, jump_in: int | None = None) -> PricePath:
    slots = stretches * STRETCH
    eth = np.full(slots, 100.0)
    if jump_in is not None:
        eth[jump_in * STRETCH + 10] = 105.0
    return PricePath(12 * np.arange(slots), eth, np.full(slots, 3000.0), np.zeros(slots, dtype=np.bool_))


def demo_path() -> PricePath:
    window = parse_time("--start", START), parse_time("--end", END)
    return build_path(make_scenario("demo", *bundled(ScenarioName.BLACK_THURSDAY), *window), 1)


def test_the_demo_keeps_to_1500_blocks_and_uses_most_of_them() -> None:
    path = demo_path()
    schedule = plan_blocks(path, default_budget(int(path.ts[-1] - path.ts[0])))
    assert 1400 <= len(schedule.times) <= 1500


@pytest.mark.parametrize("name", list(ScenarioName))
def test_a_whole_scenario_keeps_to_3500_blocks(name: ScenarioName) -> None:
    scenario = make_scenario(name.value, *bundled(name), None, None)
    schedule = plan_blocks(build_path(scenario, 1), default_budget(scenario.end - scenario.start))
    assert len(schedule.times) <= 3500
    assert len(schedule.times) >= 3000 or scenario.end - scenario.start < 86_400


def test_the_stretch_that_moves_is_dense_and_the_others_are_sparse() -> None:
    schedule = plan_blocks(flat_path(24, jump_in=7), budget=24 * 10)
    gaps = np.diff(schedule.times)
    dense = set(np.array(schedule.times[:-1])[gaps == 12] // 300)
    assert 7 in dense
    assert schedule.sparse_step_s == 60
    assert schedule.dense_stretches < schedule.stretches


def test_a_short_window_is_dense_throughout() -> None:
    schedule = plan_blocks(flat_path(4), budget=100)
    assert set(np.diff(schedule.times)) == {12}
    assert schedule.rule == "a block every 12 s throughout"


def test_every_extreme_of_a_bar_has_its_block() -> None:
    path = demo_path()
    times = set(plan_blocks(path, 1500).times)
    assert times >= set(path.ts[path.waypoint].tolist())
    assert {int(path.ts[0]), int(path.ts[-1])} <= times


def test_the_rule_says_in_figures_which_stretches_are_dense() -> None:
    schedule = plan_blocks(demo_path(), 1500)
    assert f"{schedule.dense_stretches} of {schedule.stretches} five-minute stretches" in schedule.rule
    assert f"{schedule.dense_range_bps:.0f} basis points" in schedule.rule
    assert f"every {schedule.sparse_step_s} s elsewhere" in schedule.rule


def test_a_window_too_long_for_its_budget_is_refused() -> None:
    with pytest.raises(ReplayOptionError, match="--max-blocks"):
        plan_blocks(flat_path(600), budget=40)


def test_a_budget_of_no_use_is_refused() -> None:
    with pytest.raises(ReplayOptionError, match="--max-blocks must be at least 10"):
        plan_blocks(flat_path(4), budget=9)
