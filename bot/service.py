"""The daemon: heads in, transactions out, the ledger in between.

For each head the book is synced, the strategy decides on a frozen snapshot, and what it chose is simulated,
journalled, signed and sent; then the head counts as acted on. Everything is level-triggered: an account is
looked at again on every head while it is unhealthy or flagged, so nothing is lost by a head that was skipped.

Two tasks in one group: one listens for heads, the other acts on them. While the second is busy the first goes
on listening, so that only the newest head is acted on. An error that nobody expects ends both, and the
process with them; the next start recovers from the ledger and the chain.
"""

import asyncio
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

import structlog

from bot.chain.codec import checksummed
from bot.errors import (
    ChainError,
    DuplicateTransactionError,
    LeaseLostError,
    LedgerError,
    ProtocolError,
)
from bot.journals import DecisionJournal, Recording, RiskJournal
from bot.leadership import Leadership
from bot.ports import (
    Address,
    Execution,
    Executor,
    Head,
    HeadAcknowledger,
    HeadEvent,
    HeadFeed,
    Intent,
    Inventory,
    Lane,
    Ledger,
    LiquidationProtocol,
    NewHead,
    Outcome,
    Reorg,
    Terms,
)
from bot.ports.rfq import QuoteSource
from bot.strategy.decision import Action, Candidate, Decisions
from bot.strategy.inclusion import Inclusion
from bot.strategy.quotes import NOBODY, OpenQuote
from bot.strategy.snapshot import Snapshot

_log = structlog.get_logger(__name__)

_QUEUED_HEADS: Final = 256
_FAILURES_IN_A_ROW: Final = 20
"""Heads on which the node may fail one after the other before the process gives up."""
_REFUSED: Final = (Outcome.SIMULATION_REVERTED, Outcome.LIMITED)
"""What may become of several sales together and not of the first of them by itself."""
_LONGEST_QUIET: Final = 64
"""Heads at most between two attempts to read a book that was wrong from the chain."""


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How the daemon runs.

    Parameters
    ----------
    once : bool
        Whether to end after one head was acted on.
    audit_interval : int
        Heads between two audits of the book against the chain.
    audit_sample : int
        Accounts looked at by each.
    freeze : bool
        Whether what a start has made is taken out of the garbage collector's sight after the first head that
        was acted on. It stays for as long as the process lives; looking through it takes a tenth of a second,
        now and then, in the middle of a head. For a process that is nothing but a keeper.
    """

    once: bool = False
    audit_interval: int = 50
    audit_sample: int = 20
    freeze: bool = False


class KeeperService:
    """Watches one protocol and acts on it.

    Parameters
    ----------
    feed : HeadFeed
        The chain's heads.
    protocol : LiquidationProtocol
        Book and calls.
    decide : callable
        The strategy: a pure function of the snapshot.
    executor : Executor
        Lands what was decided.
    ledger : Ledger
        Keeps decisions and heads.
    acknowledger : HeadAcknowledger
        Is told of each head acted on.
    risk : RiskJournal or None
        Writes forecasts down; None writes none.
    leadership : Leadership or None
        Tells whether this process acts; None where it has the ledger for itself.
    inclusion : callable or None
        Appraises what was chosen; without it everything is urgent and worth whatever the fee cap allows.
    inventory : Inventory or None
        Says what the accounts need; None needs nothing.
    quotes : QuoteSource or None
        Asks dealers; None where there are none.
    options : ServiceOptions
        How the daemon runs.
    """

    def __init__(
        self,
        *,
        feed: HeadFeed,
        protocol: LiquidationProtocol[Snapshot, Action],
        decide: Callable[[Snapshot], Decisions],
        executor: Executor,
        ledger: Ledger,
        acknowledger: HeadAcknowledger,
        risk: RiskJournal | None = None,
        leadership: Leadership | None = None,
        inclusion: Callable[[Snapshot, Candidate], Inclusion] | None = None,
        inventory: Inventory | None = None,
        quotes: QuoteSource | None = None,
        options: ServiceOptions | None = None,
    ) -> None:
        self._feed: Final = feed
        self._protocol: Final = protocol
        self._decide: Final = decide
        self._executor: Final = executor
        self._ledger: Final = ledger
        self._acknowledger: Final = acknowledger
        self._risk: Final = risk
        self._options: Final = options or ServiceOptions()
        self._queue: Final[asyncio.Queue[HeadEvent]] = asyncio.Queue(_QUEUED_HEADS)
        self._journal: Final = DecisionJournal(protocol.name, ledger)
        self._leadership: Final = leadership or Leadership()
        self._inclusion: Final = inclusion
        self._inventory: Final = inventory
        self._quotes: Final = quotes
        self._reconciled = False
        self._synced: Head | None = None
        self._failures = 0
        self._audit_due = 0
        self._doubts = 0
        self._quiet_until = 0
        self._settled = False

    async def run(self) -> None:
        """Run until cancelled, or until one head was acted on if told so.

        Raises
        ------
        SluiceError
            If the process cannot go on; the first error where several come together.
        """
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen(), name="heads")
                keeping = group.create_task(self._leadership.keep(self._offer_again), name="lease")
                working = group.create_task(self._work(), name="work")
                working.add_done_callback(lambda _: listening.cancel())
                working.add_done_callback(lambda _: keeping.cancel())
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def _listen(self) -> None:
        async for event in self._feed:
            await self._queue.put(event)

    def _offer_again(self) -> None:
        """Act on the newest head, which was synced in vain, at the moment of a takeover."""
        if self._synced is not None and self._queue.empty():
            self._queue.put_nowait(NewHead(self._synced, 0))

    async def _work(self) -> None:
        while True:
            event = await self._queue.get()
            if isinstance(event, Reorg):
                await self._undo(event)
            elif await self._survive(event) and self._options.once:
                return

    async def _undo(self, event: Reorg) -> None:
        _log.warning("reorg", depth=len(event.dropped), ancestor=event.ancestor.number)
        await self._protocol.roll_back(event.ancestor)
        self._synced = None
        if not self._leadership.leads:
            return  # who leads undoes it, and who takes over reconciles
        try:
            await self._executor.roll_back(event.ancestor)
            if self._risk is not None:
                await self._risk.roll_back(event.ancestor)
        except LedgerError as error:
            self._without_ledger(event.ancestor, error)

    # ------------------------------------------------------------------------- a head

    async def _survive(self, event: NewHead) -> bool:
        """Handle a head; a node that fails now and then costs that head alone. True if it was acted on."""
        try:
            acted = await self._on_head(event)
        except ChainError as error:
            self._failures += 1
            if self._failures >= _FAILURES_IN_A_ROW:
                raise
            _log.warning("head_skipped", block=event.head.number, reason=str(error))
            return False
        except ProtocolError as error:
            await self._quarantine(event.head, error)
            return False
        except LedgerError as error:
            self._without_ledger(event.head, error)
            return False
        self._failures = 0
        return acted

    @property
    def quarantined(self) -> bool:
        """Whether the book was wrong, and has not been found right since: nothing is done on it."""
        return self._doubts > 0

    async def _quarantine(self, head: Head, error: ProtocolError) -> None:
        """Stop acting on a book that is wrong, and have it read from the chain again, later each time."""
        _log.error("book_diverged", protocol=self._protocol.name, block=head.number, reason=str(error))
        self._audit_due = 0
        self._quiet_until = head.number + min(1 << self._doubts, _LONGEST_QUIET)
        self._doubts += 1
        try:
            await self._protocol.distrust()
        except LedgerError as failure:
            self._without_ledger(head, failure)

    def _without_ledger(self, head: Head, error: LedgerError) -> None:
        """Say that nothing is sent, and stay: once the ledger works again everything is read from it anew."""
        if isinstance(error, DuplicateTransactionError):
            raise error  # the ledger works, and contradicts what this process believes
        self._leadership.forget()
        self._reconciled = False
        if isinstance(error, LeaseLostError):
            _log.warning("lease_lost", block=head.number, reason=str(error))
        else:
            _log.error("ledger_unusable", block=head.number, reason=str(error))

    async def _leads(self) -> bool:
        """Return whether this process acts; if it only begins to, forget what it knew of the ledger."""
        if await self._leadership.begins():
            self._reconciled = False
        if not self._reconciled and self._risk is not None:
            self._risk.restart()
        return self._leadership.leads

    async def _on_head(self, event: NewHead) -> bool:
        head, started = event.head, perf_counter()
        structlog.contextvars.bind_contextvars(trace=head.trace)
        if head.number < self._quiet_until:
            await self._look_after(event)
            return False
        await self._protocol.sync(head)
        self._synced = head
        if not await self._look_after(event):
            return False
        if self._feed.stale:
            _log.error("not_acting", block=head.number, reason="no endpoint brings new heads")
            return False
        if self._audit_due == 0:  # a book that was not found right yet
            await self._audit(head)
        snapshot = self._protocol.snapshot(head)
        if self._quotes is not None:
            snapshot = await self._quotes.attach(snapshot, head)
        decisions = self._decide(snapshot)
        executions = await self._act(head, snapshot, decisions)
        await self._replenish(head)
        if self._risk is not None:
            await self._risk.record(head, snapshot, decisions.outlook)
        await self._ledger.record_head(head)
        await self._audit(head)
        await self._protocol.checkpoint()
        self._settle_down()
        sent = sum(execution.outcome is Outcome.SUBMITTED for execution in executions)
        await self._acknowledger.acknowledge(head, sent)
        _log.info(
            "head",
            block=head.number,
            accounts=decisions.accounts,
            unpriced=decisions.unpriced,
            at_stake=len(decisions.decisions),
            sent=sent,
            took_ms=round((perf_counter() - started) * 1e3, 1),
        )
        return True

    async def _look_after(self, event: NewHead) -> bool:
        """Settle, press or cancel what was sent, whatever the book is worth; False if that is all."""
        if event.behind or not self._queue.empty() or not await self._leads():
            return False
        await (self._executor.track if self._reconciled else self._executor.reconcile)(event.head)
        self._reconciled = True
        return True

    def _settle_down(self) -> None:
        if self._options.freeze and not self._settled:
            gc.collect()
            gc.freeze()
        self._settled = True

    async def _audit(self, head: Head) -> None:
        if head.number >= self._audit_due:
            looked_at = await self._protocol.audit(head, self._options.audit_sample)
            self._audit_due = head.number + self._options.audit_interval
            if self._doubts:
                self._doubts = 0
                _log.info("book_trusted", protocol=self._protocol.name, block=head.number)
            _log.debug("audited", block=head.number, accounts=looked_at)

    async def _act(self, head: Head, snapshot: Snapshot, decisions: Decisions) -> Sequence[Execution]:
        chosen = decisions.candidates
        intents = [self._intent(head, snapshot, candidate) for candidate in chosen]
        # Written while what was decided is simulated, and before any of it is planned.
        recording = Recording(lambda: self._journal.record(head, decisions.decisions))
        try:
            executions = await self._executor.execute(intents, head, recording) if intents else []
        finally:
            await recording
        for execution in executions:
            if execution.outcome is Outcome.SIMULATION_REVERTED and execution.simulation is not None:
                reason = self._protocol.explain(execution.simulation.data)
                _log.warning("would_revert", account=execution.intent.account, reason=reason)
        alone = [
            self._intent(head, snapshot, candidate.alone)
            for candidate, execution in zip(chosen, executions, strict=True)
            if candidate.further and execution.outcome in _REFUSED
        ]
        again = await self._executor.execute(alone, head, recording) if alone else []
        return [*executions, *again]

    async def _replenish(self, head: Head) -> None:
        """Let the accounts have what they need, unless a newer head is more urgent."""
        if self._inventory is not None and self._queue.empty():
            try:
                intents = await self._inventory.wants(head)
            except ChainError as error:  # a token that refuses a view is no reason to leave accounts alone
                _log.error("inventory_not_read", block=head.number, reason=str(error))
                return
            if intents:
                await self._executor.execute(intents, head)

    def _terms(self, snapshot: Snapshot, chosen: Candidate) -> Terms:
        deadline, sender = _bounds(chosen.action.quote)
        if self._inclusion is None:
            return Terms(deadline=deadline, sender=sender)
        found = self._inclusion(snapshot, chosen)
        lane = Lane.URGENT if found.urgent else Lane.HOUSEKEEPING
        return Terms(lane, found.worth, deadline, found.moves, sender)

    def _intent(self, head: Head, snapshot: Snapshot, chosen: Candidate) -> Intent:
        account = checksummed(chosen.action.account)
        return Intent(
            key=f"{self._protocol.name}:{account}:{head.hash}:{chosen.action.label}",
            protocol=self._protocol.name,
            account=account,
            call=self._protocol.call_for(chosen.action),
            expected_profit=chosen.net,
            terms=self._terms(snapshot, chosen),
        )


def _bounds(offered: OpenQuote | None) -> tuple[int | None, Address | None]:
    """Return until when, and by whom alone, a dealer's quote may be filled; None where anything goes."""
    if offered is None:
        return None, None
    filler = offered.quote.filler
    return offered.quote.deadline, None if filler == NOBODY else checksummed(filler)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of a group, however deep."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
