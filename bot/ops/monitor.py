"""Watches the service from outside: it stands between it and its ports, and passes everything on.

The service does not know that it is watched. The clock is the process's own and only measures; no decision
reads it.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Final, TypeVar

import numpy as np

from bot.chain.codec import checksummed
from bot.domain.wad import WAD
from bot.ops.metrics import PROFIT_PARTS, Metrics
from bot.ops.profit import Plan, split
from bot.ports import (
    Call,
    Execution,
    Executor,
    Head,
    HeadAcknowledger,
    HeadEvent,
    HeadFeed,
    Intent,
    NewHead,
    Outcome,
    SimulationResult,
    Transaction,
)
from bot.strategy.decision import Decision, Decisions
from bot.strategy.outlook import Outlook
from bot.strategy.snapshot import Snapshot

Clock = Callable[[], float]
KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")

_REMEMBERED: Final = 4_096
"""Transactions and plans that are waited for; the oldest are forgotten first."""

_LANDED: Final = (Outcome.INCLUDED, Outcome.REVERTED)


class Monitor:
    """Measures what passes between the service and its ports.

    Parameters
    ----------
    metrics : Metrics
        Where to.
    gas_asset : str
        Symbol of the listed asset in which gas is paid.
    tip : int
        Wei per gas that a transaction is planned to pay on top of the base fee.
    clock : callable
        Seconds that never run backwards.
    """

    def __init__(self, metrics: Metrics, gas_asset: str, tip: int, clock: Clock = monotonic) -> None:
        self.metrics: Final = metrics
        self.clock: Final = clock
        self.seen: tuple[Head, float] | None = None
        self.acted: tuple[Head, float] | None = None
        self._gas_asset: Final = gas_asset
        self._tip: Final = tip
        self._decided = (0, 0.0)
        self._since: dict[bytes, int] = {}
        self._chosen: dict[str, Decision] = {}
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._sent: OrderedDict[str, float] = OrderedDict()
        self._settled: list[Transaction] = []
        self._outlook: Outlook | None = None

    # -------------------------------------------------------------------------- wrapping

    def feed(self, feed: HeadFeed) -> HeadFeed:
        """Return the feed, watched."""
        return _WatchedFeed(feed, self)

    def strategy(self, decide: Callable[[Snapshot], Decisions]) -> Callable[[Snapshot], Decisions]:
        """Return the strategy, watched."""

        def watched(snapshot: Snapshot) -> Decisions:
            decisions = decide(snapshot)
            self.on_decisions(snapshot, decisions)
            return decisions

        return watched

    def executor(self, executor: Executor) -> Executor:
        """Return the executor, watched."""
        return _WatchedExecutor(executor, self)

    def acknowledger(self, acknowledger: HeadAcknowledger) -> HeadAcknowledger:
        """Return the acknowledger, watched."""
        return _WatchedAcknowledger(acknowledger, self)

    # ----------------------------------------------------------------------------- events

    def on_event(self, event: HeadEvent) -> None:
        """Note that the feed brought something."""
        if not isinstance(event, NewHead):
            self.metrics.reorgs.inc()
            return
        self.seen = (event.head, self.clock())
        self.metrics.heads_seen.inc()
        self.metrics.head_height.set(event.head.number)
        self.metrics.head_timestamp.set(event.head.timestamp)

    def on_decisions(self, snapshot: Snapshot, decisions: Decisions) -> None:
        """Note what was decided on a head."""
        now = self.clock()
        if self.seen is not None and self.seen[0].number == snapshot.block:
            self.metrics.head_to_decision.observe(now - self.seen[1])
        self._decided = (snapshot.block, now)
        self._account_for(snapshot)
        unhealthy = [decision for decision in decisions.decisions if decision.health < WAD]
        self._count(snapshot, decisions, unhealthy)
        self._attend(snapshot, unhealthy)
        self._chosen = {
            checksummed(decision.account): decision
            for decision in decisions.decisions
            if decision.chosen is not None
        }

    def on_executions(self, executions: Sequence[Execution], head: Head) -> None:
        """Note what became of intents on a head."""
        now = self.clock()
        block, decided = self._decided
        for execution in executions:
            intent = execution.intent
            kind = intent.key.rpartition(":")[2]
            self.metrics.intents.labels(kind, execution.outcome.value).inc()
            if execution.outcome is not Outcome.SUBMITTED:
                continue
            if block == head.number:
                self.metrics.decision_to_broadcast.observe(now - decided)
            _remember(self._sent, intent.key, now)
            self._since[bytes.fromhex(intent.account[2:])] = head.timestamp
            decision = self._chosen.get(intent.account)
            if decision is not None and decision.chosen is not None:
                chosen = decision.chosen
                done = chosen if kind == chosen.action.label else chosen.alone
                plan = Plan(done, _sold_prices(decision), head.base_fee_per_gas + self._tip)
                _remember(self._plans, intent.key, plan)

    def on_changed(self, rows: Sequence[Transaction]) -> None:
        """Note transactions whose outcome changed."""
        now = self.clock()
        for row in rows:
            self.metrics.settled.labels(row.outcome.value).inc()
            if row.outcome not in _LANDED:
                continue
            self.metrics.gas_spent.inc((row.gas_used or 0) * (row.effective_gas_price or 0))
            sent = self._sent.pop(row.intent.key, None)
            if sent is not None:
                self.metrics.broadcast_to_inclusion.observe(now - sent)
            self._settled.append(row)

    def on_acted(self, head: Head) -> None:
        """Note that a head was acted on, and only now what is expected of all accounts: it takes a while."""
        self.acted = (head, self.clock())
        outlook, self._outlook = self._outlook, None
        if outlook is not None:
            self._look_ahead(outlook)
        self.metrics.heads_evaluated.inc()
        self.metrics.head_evaluated_height.set(head.number)

    # ---------------------------------------------------------------------------- accounts

    def _count(self, snapshot: Snapshot, decisions: Decisions, unhealthy: Sequence[Decision]) -> None:
        metrics, self._outlook = self.metrics, decisions.outlook
        metrics.accounts.set(decisions.accounts)
        metrics.unpriced.set(decisions.unpriced)
        metrics.auctions.set(len(snapshot.auctions))
        metrics.liquidatable.set(len(unhealthy))
        metrics.debt_liquidatable.set(sum(decision.debt_value for decision in unhealthy) / WAD)

    def _look_ahead(self, outlook: Outlook) -> None:
        healthy = outlook.health > 1.0
        self.metrics.likely.set(int(np.count_nonzero(healthy & (outlook.liquidatable > 0.5))))
        self.metrics.expected_loss.set(float(np.nansum(outlook.expected_loss)))
        self.metrics.forecast_learnt.set(outlook.learnt)

    def _attend(self, snapshot: Snapshot, unhealthy: Sequence[Decision]) -> None:
        """Note since when each liquidatable account has been without action: ours, or anybody's kick."""
        accounts = snapshot.positions.accounts
        kicked = {accounts[row]: auction.kicked_at for row, auction in snapshot.auctions.items()}
        self._since = {
            decision.account: max(
                self._since.get(decision.account, snapshot.timestamp), kicked.get(decision.account, 0)
            )
            for decision in unhealthy
        }
        oldest = min(self._since.values(), default=snapshot.timestamp)
        self.metrics.unattended.set(max(snapshot.timestamp - oldest, 0))

    # ------------------------------------------------------------------------------ profit

    def _account_for(self, snapshot: Snapshot) -> None:
        """Hold what has settled against what was expected of it, at the prices of this head."""
        by_symbol = {asset.symbol: asset.price for asset in snapshot.assets}
        native = by_symbol.get(self._gas_asset)
        if native is None:
            return  # gas has no price now; what has settled waits for one
        prices = {asset.asset_id: asset.price for asset in snapshot.assets}
        for row in self._settled:
            plan = self._plans.pop(row.intent.key, None)
            if plan is not None:
                self._add(split(row, plan, native, prices)._asdict())
        self._settled.clear()

    def _add(self, parts: dict[str, int]) -> None:
        self.metrics.profit_expected.inc(parts["expected"] / WAD)
        self.metrics.profit_realised.inc(parts["realised"] / WAD)
        for part in PROFIT_PARTS:
            self.metrics.profit_difference.labels(part).inc(parts[part] / WAD)


def _sold_prices(decision: Decision) -> dict[int, int]:
    """Return the oracle price of each collateral that the chosen action sells, by asset id."""
    sold = decision.chosen.bookings if decision.chosen else ()
    ids = {booking.collateral_id for booking in sold}
    return {asset_id: price for asset_id, price in decision.prices.items() if asset_id in ids}


def _remember(memory: OrderedDict[KeyT, ValueT], key: KeyT, value: ValueT) -> None:
    memory[key] = value
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)


class _WatchedFeed:
    def __init__(self, feed: HeadFeed, monitor: Monitor) -> None:
        self._feed = feed
        self._monitor = monitor

    @property
    def stale(self) -> bool:
        return self._feed.stale

    async def __aiter__(self) -> AsyncIterator[HeadEvent]:
        async for event in self._feed:
            self._monitor.on_event(event)
            yield event


class _WatchedExecutor:
    def __init__(self, executor: Executor, monitor: Monitor) -> None:
        self._executor = executor
        self._monitor = monitor

    async def reconcile(self, head: Head) -> Sequence[Transaction]:
        changed = await self._executor.reconcile(head)
        self._monitor.on_changed(changed)
        return changed

    async def simulate(self, calls: Sequence[Call], head: Head) -> list[SimulationResult]:
        return await self._executor.simulate(calls, head)

    async def execute(
        self,
        intents: Sequence[Intent],
        head: Head,
        decisions: Awaitable[Mapping[str, int]] | None = None,
    ) -> list[Execution]:
        executions = await self._executor.execute(intents, head, decisions)
        self._monitor.on_executions(executions, head)
        return executions

    async def track(self, head: Head) -> Sequence[Transaction]:
        changed = await self._executor.track(head)
        self._monitor.on_changed(changed)
        return changed

    async def roll_back(self, ancestor: Head) -> None:
        await self._executor.roll_back(ancestor)


class _WatchedAcknowledger:
    def __init__(self, acknowledger: HeadAcknowledger, monitor: Monitor) -> None:
        self._acknowledger = acknowledger
        self._monitor = monitor

    async def acknowledge(self, head: Head, sent: int) -> None:
        self._monitor.on_acted(head)
        await self._acknowledger.acknowledge(head, sent)
