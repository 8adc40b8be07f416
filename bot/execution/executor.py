"""Landing intents, each at most once, through crashes at any step.

The order is what makes it safe. An intent is planned in the ledger; then its signed transaction, nonce
and all, is journalled; only then is it broadcast. After a crash the ledger tells which: what was only
planned is given up, what was signed is looked up by hash and nonce, and sent again as the same bytes if
the chain has not seen it. Two transactions with one nonce can never both land.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from bot.chain import codec
from bot.execution.broadcast import Answer, broadcast
from bot.execution.fees import Fees
from bot.execution.finish import finish
from bot.execution.options import ExecutorOptions
from bot.execution.resending import Resender
from bot.execution.signer import Signer, Unsigned
from bot.execution.simulation import Simulator
from bot.execution.tracking import Tracker
from bot.ports import (
    Address,
    Appraise,
    Call,
    Execution,
    Head,
    Intent,
    Ledger,
    Outcome,
    Rpc,
    Signed,
    SimulationResult,
    Transaction,
    Verdict,
)

_log = structlog.get_logger(__name__)


class TransactionExecutor:
    """See `bot.ports.Executor`.

    Parameters
    ----------
    rpc : Rpc
        The node.
    ledger : Ledger
        Where plans and signatures are kept.
    sender : Address
        Who sends, and for whom calls are simulated.
    signer : Signer or None
        The key of ``sender``; None for a dry run, which simulates and records but signs nothing.
    appraise : Appraise
        Reads what a receipt earned.
    options : ExecutorOptions
        Fees and margins.
    """

    def __init__(
        self,
        rpc: Rpc,
        ledger: Ledger,
        *,
        sender: Address,
        signer: Signer | None,
        appraise: Appraise,
        options: ExecutorOptions,
    ) -> None:
        self._rpc = rpc
        self._ledger = ledger
        self._sender = sender
        self._signer = signer
        self._options = options
        self._simulator = Simulator(rpc, sender)
        self._tracker = Tracker(rpc, ledger, sender, appraise)
        self._resender = Resender(rpc, ledger, self._simulator, signer, options) if signer else None
        self._turn = asyncio.Lock()

    async def reconcile(self, head: Head) -> Sequence[Transaction]:
        """See `bot.ports.Executor.reconcile`."""
        async with self._turn:
            ancestor = await self._tracker.missed_reorg()
            if ancestor is not None:
                await self._undo(ancestor)
            planned = [
                Verdict(row.id, Outcome.ABANDONED, "the keeper stopped before it was signed")
                for row in await self._ledger.open_transactions(self._sender)
                if row.outcome is Outcome.PLANNED
            ]
            abandoned = await self._ledger.conclude(planned) if planned else []
            return [*abandoned, *await self._track(head, resend_after=0)]

    async def simulate(self, calls: Sequence[Call], head: Head) -> list[SimulationResult]:
        """See `bot.ports.Executor.simulate`."""
        return await self._simulator.run(calls, head) if calls else []

    async def execute(self, intents: Sequence[Intent], head: Head) -> list[Execution]:
        """See `bot.ports.Executor.execute`."""
        async with self._turn:
            refusals = await self._admit(intents)
            tried = [intent for intent, refusal in zip(intents, refusals, strict=True) if refusal is None]
            landed = iter(await self._land(tried, head) if tried else [])
        return [next(landed) if refusal is None else refusal for refusal in refusals]

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

    async def _admit(self, intents: Sequence[Intent]) -> list[Execution | None]:
        """Return a refusal for each intent that must not be tried: one action per account at a time."""
        open_rows = await self._ledger.open_transactions(self._sender)
        busy = {(row.intent.protocol, row.intent.account) for row in open_rows}
        taken = await self._ledger.taken_keys([intent.key for intent in intents])
        refusals: list[Execution | None] = []
        for intent in intents:
            account = (intent.protocol, intent.account)
            if intent.key in taken:
                refusals.append(Execution(intent, Outcome.IN_FLIGHT, reason="it was sent before"))
            elif account in busy:
                refusals.append(Execution(intent, Outcome.IN_FLIGHT, reason="its account is being acted on"))
            else:
                refusals.append(None)
                busy.add(account)
                taken.add(intent.key)
        return refusals

    async def _land(self, intents: Sequence[Intent], head: Head) -> list[Execution]:
        simulations = await self.simulate([intent.call for intent in intents], head)
        nonces = await self._free_nonces(len(intents)) if self._signer else []
        # From here on a cancelled caller waits: a half-done step is finished, not torn.
        return await finish(self._commit(intents, simulations, nonces, head))

    async def _commit(
        self,
        intents: Sequence[Intent],
        simulations: Sequence[SimulationResult],
        nonces: Sequence[int],
        head: Head,
    ) -> list[Execution]:
        fees = self._options.fees.at(head)
        rows = await self._ledger.plan(intents, self._sender, head)
        trials = dict(zip((row.id for row in rows), simulations, strict=True))
        verdicts = [verdict for row in rows if (verdict := self._verdict(row, trials[row.id], fees, head))]
        settled = {verdict.transaction_id for verdict in verdicts}
        signed: dict[int, Signed] = {}
        for row in rows:
            if self._signer is not None and fees is not None and row.id not in settled:
                gas = self._options.gas_limit(row.intent.call, trials[row.id])
                unsigned = Unsigned(row.intent.call, self._options.chain_id, nonces[len(signed)], gas, fees)
                signed[row.id] = await self._signer.sign(unsigned)
        await self._ledger.journal(signed, verdicts)
        verdicts += await self._send(signed)
        await self._ledger.conclude(verdicts[len(settled) :])
        return _executions(rows, trials, signed, verdicts)

    def _verdict(
        self, row: Transaction, trial: SimulationResult, fees: Fees | None, head: Head
    ) -> Verdict | None:
        """Return why an intent is not signed; None if it is."""
        if not trial.succeeded:
            return Verdict(row.id, Outcome.SIMULATION_REVERTED, trial.reason or "it reverted")
        if fees is None:
            policy = self._options.fees
            reason = (
                f"base fee {head.base_fee_per_gas} and tip {policy.tip} exceed the cap of {policy.cap} wei"
            )
            return Verdict(row.id, Outcome.FEE_ABOVE_CAP, reason)
        return Verdict(row.id, Outcome.DRY_RUN) if self._signer is None else None

    async def _free_nonces(self, count: int) -> list[int]:
        """Return the lowest nonces that neither the chain, the pool nor an open transaction has."""
        answer = await self._rpc.request("eth_getTransactionCount", [self._sender, "pending"])
        nonce = codec.quantity(answer, "eth_getTransactionCount")
        rows = await self._ledger.open_transactions(self._sender)
        held = {row.signed.nonce for row in rows if row.signed is not None}
        free: list[int] = []
        while len(free) < count:
            if nonce not in held:
                free.append(nonce)
            nonce += 1
        return free

    async def _send(self, signed: dict[int, Signed]) -> list[Verdict]:
        """Broadcast in the order of nonces, as far as the node takes them.

        After a refusal the rest is given up: its nonces would wait for one that never comes. After
        silence the rest is left to tracking, which offers it again with the next head.
        """
        verdicts: list[Verdict] = []
        last = Answer(Outcome.SUBMITTED)
        for identifier, transaction in signed.items():
            if last.outcome is Outcome.SUBMITTED:
                last = await broadcast(self._rpc, transaction)
                verdicts.append(Verdict(identifier, last.outcome, last.reason))
            elif last.outcome is Outcome.REJECTED:
                verdicts.append(Verdict(identifier, Outcome.ABANDONED, "the nonce before it was refused"))
            else:
                verdicts.append(Verdict(identifier, Outcome.SIGNED, "the node fell silent before it"))
        return verdicts

    async def _track(self, head: Head, resend_after: int) -> list[Transaction]:
        changed, waiting = await self._tracker.settle(head)
        if self._resender is not None:
            changed += await finish(self._resender.press(waiting, head, resend_after))
        return changed


def _executions(
    rows: Sequence[Transaction],
    trials: dict[int, SimulationResult],
    signed: dict[int, Signed],
    verdicts: Sequence[Verdict],
) -> list[Execution]:
    by_id = {verdict.transaction_id: verdict for verdict in verdicts}
    executions: list[Execution] = []
    for row in rows:
        execution = Execution(
            row.intent, by_id[row.id].outcome, reason=by_id[row.id].reason, simulation=trials[row.id]
        )
        if row.id in signed:
            execution = replace(execution, hash=signed[row.id].hash, nonce=signed[row.id].nonce)
        _log.info(
            "intent",
            account=row.intent.account,
            outcome=execution.outcome.value,
            nonce=execution.nonce,
            hash=execution.hash,
            reason=execution.reason,
        )
        executions.append(execution)
    return executions
