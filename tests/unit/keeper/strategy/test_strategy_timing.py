"""Whether a settlement is taken now or left for the next block."""

from dataclasses import replace

import pytest

from bot.domain.wad import WAD
from bot.errors import InvalidInputError
from bot.strategy.decide import decide
from bot.strategy.decision import Kind, Reason
from bot.strategy.settings import StrategySettings
from bot.strategy.timing import TimingSettings, value_of_waiting
from tests.support.snapshots import Scene, pool_at

NO_RIVALS = TimingSettings(race_bps=0)


@pytest.fixture
def scene() -> Scene:
    """Return an account whose reserve has just fallen below what a deep pool pays."""
    made = Scene(pools=[pool_at(200, 5e7)])
    row = made.account({"WETH": 100}, {"USDC": 18_180})
    made.auction(row, ["WETH"], age=120)
    return made


def chosen(scene: Scene, timing: TimingSettings) -> tuple[object, list[Reason]]:
    settings = StrategySettings(priority_fee=0, timing=timing)
    (decision,) = decide(scene.shoot(), settings).decisions
    return decision.chosen, [rejection.reason for rejection in decision.rejected]


def test_without_rivals_a_falling_reserve_is_waited_for(scene: Scene) -> None:
    taken, reasons = chosen(scene, NO_RIVALS)
    assert taken is None
    assert Reason.WAITING_PAYS in reasons


def test_where_every_race_is_lost_nothing_waits(scene: Scene) -> None:
    taken, reasons = chosen(scene, TimingSettings(race_bps=10_000))
    assert taken is not None
    assert Reason.WAITING_PAYS not in reasons


def test_a_reserve_at_its_floor_is_not_waited_for(scene: Scene) -> None:
    scene.auction(0, ["WETH"], age=3_600)
    taken, reasons = chosen(scene, NO_RIVALS)
    assert taken is not None
    assert Reason.WAITING_PAYS not in reasons


def test_an_auction_about_to_lapse_is_not_waited_for(scene: Scene) -> None:
    tail = scene.shoot().engine.tail
    scene.auction(0, ["WETH"], age=tail - 1)
    taken, _ = chosen(scene, NO_RIVALS)
    assert taken is not None


def test_a_wait_keeps_the_numbers_that_justify_it(scene: Scene) -> None:
    settings = StrategySettings(priority_fee=0, timing=NO_RIVALS)
    (decision,) = decide(scene.shoot(), settings).decisions
    (waiting,) = (r for r in decision.rejected if r.reason is Reason.WAITING_PAYS)
    assert waiting.kind is Kind.TAKE
    net_now = waiting.numbers["revenue"] - waiting.numbers["gas_cost"]
    assert waiting.numbers["value_of_waiting"] > net_now
    assert waiting.numbers["net_later"] >= waiting.numbers["value_of_waiting"]


def test_the_value_of_waiting_is_what_rivals_leave_of_the_later_profit() -> None:
    assert value_of_waiting(100 * WAD, 0.0, 3_600, TimingSettings(race_bps=9_000)) == 10 * WAD
    assert value_of_waiting(-5 * WAD, 0.0, 3_600, NO_RIVALS) == 0


def test_the_lenders_expected_loss_makes_waiting_cost() -> None:
    settings = replace(NO_RIVALS, block_time_s=36)
    assert value_of_waiting(0, 1_000.0, 3_600, settings) == -10 * WAD
    assert value_of_waiting(0, 1_000.0, 3_600, replace(settings, care_bps=0)) == 0


def test_a_block_longer_than_the_horizon_costs_the_whole_loss() -> None:
    assert value_of_waiting(0, 7.0, 10, NO_RIVALS) == -7 * WAD


@pytest.mark.parametrize(
    "bad", [{"block_time_s": 0}, {"race_bps": -1}, {"race_bps": 10_001}, {"care_bps": -1}]
)
def test_settings_outside_their_range_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(bad))):
        TimingSettings(**bad)
