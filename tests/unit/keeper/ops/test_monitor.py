"""What is measured of the service, from what passes between it and its ports."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from bot.domain.volatility import LiveCovariance
from bot.domain.wad import WAD
from bot.ops.metrics import Metrics
from bot.ops.monitor import Monitor
from bot.ports import Call, Execution, Head, HeadEvent, Intent, NewHead, Outcome, Reorg, Transaction
from bot.strategy.decide import decide
from bot.strategy.decision import Decisions
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot
from tests.support.keeper import a_head, a_signature
from tests.support.snapshots import NOW, WBTC, Scene, pool_at

SETTINGS = StrategySettings(priority_fee=0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Feed:
    stale = False

    def __init__(self, events: Sequence[HeadEvent]) -> None:
        self.events = events

    async def __aiter__(self) -> AsyncIterator[HeadEvent]:
        for event in self.events:
            yield event


class Lander:
    """An executor that answers what it is told to."""

    def __init__(self, executions: Sequence[Execution] = (), changed: Sequence[Transaction] = ()) -> None:
        self.executions, self.changed = list(executions), list(changed)
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def answer(*arguments: object) -> object:
            self.asked.append(name)
            return {"execute": self.executions, "simulate": []}.get(name, self.changed)

        return answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(clock: Clock) -> Monitor:
    return Monitor(Metrics(), "WETH", 10**9, clock)


def value(monitor: Monitor, name: str, **labels: str) -> float:
    return monitor.metrics.registry.get_sample_value(f"sluice_{name}", labels) or 0.0


def underwater(block: int = 10, timestamp: int = NOW) -> Snapshot:
    """Return a book of one healthy and one liquidatable account."""
    scene = Scene(block=block, pools=[pool_at(200.0, 5e6)])
    scene.account({"WETH": 100}, {"USDC": 10_000})
    scene.account({"WETH": 100}, {"USDC": 17_000})
    return replace(scene.shoot(), timestamp=timestamp)


def intent_of(decisions: Decisions, head: Head) -> Intent:
    (decision,) = decisions.decisions
    assert decision.chosen is not None
    account = to_checksum_address(decision.account)
    key = f"sluice:{account}:{head.hash}:{decision.chosen.action.label}"
    return Intent(key, "sluice", account, Call(account, b""), decision.chosen.net)  # type: ignore[arg-type]


async def test_heads_are_counted_and_passed_on(monitor: Monitor) -> None:
    heads = [a_head(10), a_head(11)]
    events: list[HeadEvent] = [NewHead(heads[0], 0), Reorg(heads[0], (heads[1],)), NewHead(heads[1], 0)]
    feed = monitor.feed(Feed(events))
    assert [event async for event in feed] == events
    assert not feed.stale
    assert value(monitor, "heads_seen_total") == 2
    assert value(monitor, "reorgs_total") == 1
    assert value(monitor, "head_height") == 11
    assert value(monitor, "head_timestamp_seconds") == heads[1].timestamp


def test_a_head_is_timed_from_its_arrival_to_its_decisions(monitor: Monitor, clock: Clock) -> None:
    monitor.on_event(NewHead(a_head(10), 0))
    clock.now += 0.03
    decided = monitor.strategy(lambda snapshot: decide(snapshot, SETTINGS))(underwater())
    assert len(decided.decisions) == 1
    assert value(monitor, "head_to_decision_seconds_count") == 1
    assert value(monitor, "head_to_decision_seconds_sum") == pytest.approx(0.03)
    monitor.on_decisions(underwater(block=9), decided)
    assert value(monitor, "head_to_decision_seconds_count") == 1


def test_accounts_are_counted_and_their_debt_summed(monitor: Monitor) -> None:
    snapshot = replace(underwater(), covariance=LiveCovariance.fresh(3))
    monitor.on_decisions(snapshot, decide(snapshot, SETTINGS))
    assert value(monitor, "accounts") == 2
    assert value(monitor, "accounts_liquidatable") == 1
    assert value(monitor, "debt_liquidatable_quote") == pytest.approx(17_000, rel=1e-6)
    assert value(monitor, "forecast_learnt") == 0
    assert value(monitor, "expected_loss_quote") >= 0


def test_an_account_that_nobody_acts_on_grows_old_until_somebody_does(monitor: Monitor) -> None:
    for wait in (0, 12, 600):
        snapshot = underwater(10 + wait, NOW + wait)
        monitor.on_decisions(snapshot, decide(snapshot, SETTINGS))
        assert value(monitor, "unattended_seconds") == wait
    head = replace(a_head(610), timestamp=NOW + 600)
    intent = intent_of(decide(snapshot, SETTINGS), head)
    monitor.on_executions([Execution(intent, Outcome.SIMULATION_REVERTED)], head)
    later = underwater(611, NOW + 612)
    monitor.on_decisions(later, decide(later, SETTINGS))
    assert value(monitor, "unattended_seconds") == 612
    monitor.on_executions([Execution(intent, Outcome.SUBMITTED)], head)
    monitor.on_decisions(later, decide(later, SETTINGS))
    assert value(monitor, "unattended_seconds") == 12


def test_a_kick_by_anybody_is_an_action_and_health_ends_the_wait(monitor: Monitor) -> None:
    scene = Scene()
    row = scene.account({"WETH": 100}, {"USDC": 17_000})
    monitor.on_decisions(scene.shoot(), decide(scene.shoot(), SETTINGS))
    scene.auction(row, ["WETH"], age=-500)
    later = replace(scene.shoot(), timestamp=NOW + 800)
    monitor.on_decisions(later, decide(later, SETTINGS))
    assert value(monitor, "unattended_seconds") == 300
    healthy = Scene()
    healthy.account({"WETH": 100}, {"USDC": 1_000})
    monitor.on_decisions(healthy.shoot(), decide(healthy.shoot(), SETTINGS))
    assert value(monitor, "unattended_seconds") == 0


async def test_a_transaction_is_timed_and_held_against_what_was_expected(
    monitor: Monitor, clock: Clock
) -> None:
    head = replace(a_head(10), timestamp=NOW)
    decisions = monitor.strategy(lambda snapshot: decide(snapshot, SETTINGS))(underwater())
    intent = intent_of(decisions, head)
    clock.now += 0.05
    landed = Transaction(
        1,
        intent,
        None,
        10,
        Outcome.INCLUDED,
        signed=a_signature(1),
        gas_used=100_000,
        effective_gas_price=2 * 10**9,
        realised_profit=3 * WAD,
    )
    lander = Lander([Execution(intent, Outcome.SUBMITTED)], [landed])
    executor = monitor.executor(lander)
    assert await executor.execute([intent], head) == lander.executions
    assert value(monitor, "decision_to_broadcast_seconds_sum") == pytest.approx(0.05)
    clock.now += 12.0
    assert await executor.track(a_head(11)) == [landed]
    assert value(monitor, "broadcast_to_inclusion_seconds_sum") == pytest.approx(12.0)
    assert value(monitor, "intents_total", kind="kick", outcome="submitted") == 1
    assert value(monitor, "transactions_settled_total", outcome="included") == 1
    assert value(monitor, "gas_spent_wei_total") == 2e14
    monitor.on_decisions(underwater(11), decide(underwater(11), SETTINGS))
    (expected, realised) = (value(monitor, f"profit_{which}_quote") for which in ("expected", "realised"))
    assert expected == pytest.approx(intent.expected_profit / WAD)
    assert realised == pytest.approx(3 - 2e14 * 200 / 1e18)
    parts = [
        value(monitor, "profit_difference_quote", part=part) for part in ("price", "slippage", "gas", "bump")
    ]
    assert sum(parts) == pytest.approx(realised - expected)
    assert not monitor._settled  # what was accounted for is forgotten


async def test_a_sale_that_went_alone_is_held_against_what_was_expected_of_it_alone(monitor: Monitor) -> None:
    scene = Scene(pools=[pool_at(200, 5e7), pool_at(8_000, 5e7, WBTC)], take_open=False)
    row = scene.account({"WETH": 100, "WBTC": 2.5}, {"USDC": 36_900})
    scene.auction(row, ["WETH", "WBTC"], age=300)
    decisions = monitor.strategy(lambda snapshot: decide(snapshot, SETTINGS))(scene.shoot())
    (chosen,) = decisions.candidates
    assert chosen.further
    head = replace(a_head(scene.block), timestamp=NOW)
    both = intent_of(decisions, head)
    alone = replace(both, key=both.key.removesuffix("_2"), expected_profit=chosen.alone.net)
    refused, sent = Execution(both, Outcome.SIMULATION_REVERTED), Execution(alone, Outcome.SUBMITTED)
    monitor.on_executions([refused], head)
    monitor.on_executions([sent], head)
    assert value(monitor, "intents_total", kind="swap_2", outcome="simulation_reverted") == 1
    assert value(monitor, "intents_total", kind="swap", outcome="submitted") == 1
    monitor.on_changed([Transaction(1, alone, None, 100, Outcome.INCLUDED)])
    monitor.on_decisions(scene.shoot(), decisions)
    assert value(monitor, "profit_expected_quote") == pytest.approx(chosen.alone.net / WAD)


async def test_what_settles_without_a_plan_or_a_price_of_gas_waits_or_is_left_out(monitor: Monitor) -> None:
    stranger = Transaction(1, intent_of(decide(underwater(), SETTINGS), a_head(9)), None, 9, Outcome.REVERTED)
    monitor.on_changed([stranger])
    scene = Scene(prices={"WETH": None, "WBTC": 1.0, "USDC": 1.0})
    monitor.on_decisions(scene.shoot(), decide(scene.shoot(), SETTINGS))
    monitor.on_decisions(underwater(), decide(underwater(), SETTINGS))
    assert value(monitor, "profit_realised_quote") == 0


async def test_everything_else_passes_through(monitor: Monitor) -> None:
    lander = Lander()
    executor = monitor.executor(lander)
    await executor.reconcile(a_head(1))
    await executor.simulate([], a_head(1))
    await executor.roll_back(a_head(1))
    assert lander.asked == ["reconcile", "simulate", "roll_back"]

    class Told:
        heads: list[int] = []  # noqa: RUF012

        async def acknowledge(self, head: Head, sent: int) -> None:
            self.heads.append(head.number + sent)

    await monitor.acknowledger(Told()).acknowledge(a_head(5), 2)
    assert Told.heads == [7]
    assert value(monitor, "heads_evaluated_total") == 1
    assert monitor.acted is not None
    await asyncio.sleep(0)
