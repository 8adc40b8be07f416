"""Landing intents, each at most once, through crashes at any step.

The order is what makes it safe. An intent is planned in the ledger; then its signed transaction, nonce
and all, is journalled; only then is it broadcast. After a crash the ledger tells which: what was only
planned is given up, what was signed is looked up by hash and nonce, and sent again as the same bytes if
the chain has not seen it. Two transactions with one nonce can never both land.

Several accounts may send. Each has one writer; what is urgent goes first, and through the accounts that
are kept for it.
"""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from bot.errors import ChainError, LedgerError
from bot.execution.decoding import check_journalled
from bot.execution.finish import finish, together
from bot.execution.guard import Guard, Unlimited
from bot.execution.hindsight import missed_reorg
from bot.execution.options import ExecutorOptions
from bot.execution.simulation import Simulator, Trial
from bot.execution.writer import Account, Standing, Surroundings, Writer
from bot.ports import (
    Address,
    Appraise,
    Call,
    Execution,
    Head,
    Intent,
    LandingMemory,
    Lane,
    Ledger,
    Outcome,
    Rpc,
    SimulationResult,
    Transaction,
    Verdict,
)

_log = structlog.get_logger(__name__)

_T = TypeVar("_T")


class TransactionExecutor:
    """See `bot.ports.Executor`.

    Parameters
    ----------
    rpc : Rpc
        The node.
    ledger : Ledger
        Where plans and signatures are kept.
    memory : LandingMemory
        The part of it that knows rivals.
    accounts : sequence of Account
        Who may send; the first tries calls for which nobody is chosen yet.
    appraise : Appraise
        Reads what a receipt earned.
    options : ExecutorOptions
        Fees and margins.
    guard : Guard, optional
        The operator's hard limits.
    """

    def __init__(
        self,
        rpc: Rpc,
        ledger: Ledger,
        memory: LandingMemory,
        *,
        accounts: Sequence[Account],
        appraise: Appraise,
        options: ExecutorOptions,
        guard: Guard | None = None,
    ) -> None:
        self._rpc = rpc
        self._ledger = ledger
        self._memory = memory
        self._options = options
        self._guard = guard or Unlimited()
        self._simulator = Simulator(rpc, options.block_time_s)
        self._here = Surroundings(rpc, ledger, memory, self._simulator, appraise, self._guard, options)
        self._writers = [Writer(account, self._here) for account in accounts]
        self._strangers: list[Writer] = []
        self._turn = asyncio.Lock()

    async def reconcile(self, head: Head) -> Sequence[Transaction]:
        """See `bot.ports.Executor.reconcile`."""
        async with self._turn:
            ancestor = await missed_reorg(self._rpc, self._ledger, self._memory, head)
            if ancestor is not None:
                await self._undo(ancestor)
            found = await self._ledger.open_transactions()
            check_journalled(row for row in found if row.signer in self._ours)
            planned = [
                Verdict(row.id, Outcome.ABANDONED, "the keeper stopped before it was signed")
                for row in found
                if row.outcome is Outcome.PLANNED and (row.signer in self._ours or self._is_left(row, head))
            ]
            abandoned = await self._ledger.conclude(planned) if planned else []
            for writer in self._writers:
                writer.restart()
            self._strangers = self._others(found)
            return [*abandoned, *await self._track(head, resend_after=0)]

    @property
    def _ours(self) -> set[Address]:
        return {writer.account.address for writer in self._writers}

    def _others(self, rows: Sequence[Transaction]) -> list[Writer]:
        """Return what settles the transactions of accounts whose keys this keeper does not have."""
        signers = {row.signer for row in rows if row.signed is not None and row.signer is not None}
        return [Writer(Account(signer, None), self._here) for signer in sorted(signers - self._ours)]

    def _is_left(self, row: Transaction, head: Head) -> bool:
        """Whether a transaction is of another account, and so old that nobody presses it any more."""
        age = head.number - row.planned_block
        return row.signer not in self._ours and age > self._options.cancel_after_heads

    async def simulate(self, calls: Sequence[Call], head: Head) -> list[SimulationResult]:
        """See `bot.ports.Executor.simulate`."""
        sender = self._writers[0].account.address
        return await self._simulator.run([Trial(sender, call) for call in calls], head)

    async def execute(
        self,
        intents: Sequence[Intent],
        head: Head,
        decisions: Awaitable[Mapping[str, int]] | None = None,
    ) -> list[Execution]:
        """See `bot.ports.Executor.execute`."""
        async with self._turn:
            halted = await self._guard.halted()
            if halted is not None:
                _log.warning("not_sent", intents=len(intents), reason=halted)
                return [Execution(intent, Outcome.LIMITED, reason=halted) for intent in intents]
            open_rows = await self._ledger.open_transactions()
            offered = _unique(intents)
            taken = await self._ledger.taken_keys([intent.key for intent in offered])
            refused = _refusals(offered, [r for r in open_rows if not self._is_left(r, head)], taken)
            work = self._assigned([i for i in offered if i.key not in refused], open_rows, refused)
            results = await self._tried_and_landed(work, open_rows, head, decisions)
        by_key = {execution.intent.key: execution for execution in results} | refused
        seen: set[str] = set()
        return [_once(intent, by_key, seen) for intent in intents]

    async def track(self, head: Head) -> Sequence[Transaction]:
        """See `bot.ports.Executor.track`."""
        async with self._turn:
            return await self._track(head, self._options.resend_after_heads)

    async def roll_back(self, ancestor: Head) -> None:
        """See `bot.ports.Executor.roll_back`."""
        async with self._turn:
            await self._undo(ancestor)

    async def _undo(self, ancestor: Head) -> None:
        for row in await self._ledger.roll_back(ancestor):
            _log.warning("transaction_undone", id=row.id, account=row.intent.account)

    async def _track(self, head: Head, resend_after: int) -> list[Transaction]:
        halted = await self._guard.halted()
        changed: list[Transaction] = []
        for writer in (*self._writers, *self._strangers):
            changed += await finish(writer.track(head, resend_after, halted))
        return changed

    def _assigned(
        self,
        intents: Sequence[Intent],
        open_rows: Sequence[Transaction],
        refused: dict[str, Execution],
    ) -> list[tuple[Writer, Intent]]:
        """Choose who sends each intent: urgent ones first, each by the account with the least before it."""
        load = {writer.account.address: 0 for writer in self._writers}
        housekeeping = dict(load)
        for row in open_rows:
            if row.signer in load:
                load[row.signer] += 1
                housekeeping[row.signer] += row.intent.terms.lane is Lane.HOUSEKEEPING
        chosen: list[tuple[Writer, Intent]] = []
        for intent in sorted(intents, key=lambda intent: intent.terms.lane is Lane.HOUSEKEEPING):
            lane = intent.terms.lane
            writer = min(self._able(intent), key=lambda writer: load[writer.account.address])
            address = writer.account.address
            if lane is Lane.HOUSEKEEPING:
                if housekeeping[address] >= self._options.housekeeping_in_flight:
                    reason = f"{housekeeping[address]} transactions of its lane are open"
                    refused[intent.key] = Execution(intent, Outcome.IN_FLIGHT, reason=reason)
                    continue
                housekeeping[address] += 1
            load[address] += 1
            chosen.append((writer, intent))
        return chosen

    def _able(self, intent: Intent) -> list[Writer]:
        """Return who may send an intent."""
        sender, lane = intent.terms.sender, intent.terms.lane
        if sender is not None:
            return [writer for writer in self._writers if writer.account.address == sender]
        return [writer for writer in self._writers if lane in writer.account.lanes]

    async def _tried_and_landed(
        self,
        work: Sequence[tuple[Writer, Intent]],
        open_rows: Sequence[Transaction],
        head: Head,
        decisions: Awaitable[Mapping[str, int]] | None,
    ) -> list[Execution]:
        if not work:
            return []
        pending = [
            Trial(row.signer, row.intent.call)
            for row in open_rows
            if row.signer is not None and row.signed is not None and not row.cancels
        ]
        trials = [Trial(writer.account.address, intent.call) for writer, intent in work]
        # What does not depend on each other is done at the same time: a plan costs nothing if it comes to
        # nothing, and is on disk by the time that the node has answered.
        planning = asyncio.ensure_future(self._planned(work, head, decisions))
        try:
            results, standings = await together(
                self._simulator.run(trials, head, after=pending), _standings(writer for writer, _ in work)
            )
            tried = _by_writer(zip((writer for writer, _ in work), results, strict=True))
            plans = await asyncio.shield(planning)
        except (ChainError, LedgerError, asyncio.CancelledError):
            await finish(self._take_back(planning))
            raise
        finally:
            planning.cancel()
        # From here on a cancelled caller waits: a half-done step is finished, not torn.
        return await finish(self._land(plans, tried, standings, open_rows, head))

    async def _planned(
        self,
        work: Sequence[tuple[Writer, Intent]],
        head: Head,
        decisions: Awaitable[Mapping[str, int]] | None,
    ) -> dict[Writer, list[Transaction]]:
        """Write down what is about to be done, once what it rests on is written."""
        await asyncio.sleep(0)  # the questions to the node go out first
        ids = {} if decisions is None else await decisions
        known = [
            (writer, replace(intent, decision_id=ids.get(intent.account, intent.decision_id)))
            for writer, intent in work
        ]
        return {writer: await writer.plan(part, head) for writer, part in _by_writer(known).items()}

    async def _take_back(self, planning: "asyncio.Future[dict[Writer, list[Transaction]]]") -> None:
        """Take back what was planned, and could not be tried."""
        plans = await planning
        await self._ledger.withdraw([row.id for rows in plans.values() for row in rows])

    async def _land(
        self,
        plans: Mapping[Writer, Sequence[Transaction]],
        tried: Mapping[Writer, Sequence[SimulationResult]],
        standings: Mapping[Writer, Standing],
        open_rows: Sequence[Transaction],
        head: Head,
    ) -> list[Execution]:
        """Let each account land its part, all at the same time."""
        landed = await asyncio.gather(
            *(
                writer.land(rows, tried[writer], head, standings[writer], open_rows)
                for writer, rows in plans.items()
            ),
            return_exceptions=True,
        )
        executions: list[Execution] = []
        for part in landed:
            if isinstance(part, BaseException):
                raise part
            executions += part
        return executions


async def _standings(writers: Iterable[Writer]) -> dict[Writer, Standing]:
    """Return where each account stands."""
    found: dict[Writer, Standing] = {}
    for writer in dict.fromkeys(writers):
        found[writer] = await writer.standing()
    return found


def _by_writer(pairs: Iterable[tuple[Writer, _T]]) -> dict[Writer, list[_T]]:
    """Return what belongs to each account, in order."""
    parts: dict[Writer, list[_T]] = {}
    for writer, part in pairs:
        parts.setdefault(writer, []).append(part)
    return parts


def _refusals(
    intents: Sequence[Intent], open_rows: Sequence[Transaction], taken: Collection[str]
) -> dict[str, Execution]:
    """Return a refusal for each intent that must not be tried: one action per account at a time."""
    busy = {(row.intent.protocol, row.intent.account) for row in open_rows}
    refused: dict[str, Execution] = {}
    for intent in intents:
        account = (intent.protocol, intent.account)
        if intent.key in taken:
            reason = "it was sent before"
        elif account in busy:
            reason = "its account is being acted on"
        else:
            busy.add(account)
            continue
        refused[intent.key] = Execution(intent, Outcome.IN_FLIGHT, reason=reason)
    return refused


def _unique(intents: Sequence[Intent]) -> list[Intent]:
    """Return the intents without those whose key came before."""
    first: dict[str, Intent] = {}
    for intent in intents:
        first.setdefault(intent.key, intent)
    return list(first.values())


def _once(intent: Intent, by_key: Mapping[str, Execution], seen: set[str]) -> Execution:
    """Return what became of an intent; one that is offered twice is refused the second time."""
    if intent.key in seen:
        return Execution(intent, Outcome.IN_FLIGHT, reason="it was offered twice")
    seen.add(intent.key)
    return by_key[intent.key]
