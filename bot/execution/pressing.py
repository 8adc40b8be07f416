"""Transactions that wait: sent again, made dearer, cancelled, or given up before they were ever sent."""

from collections.abc import Sequence

import structlog

from bot.errors import RpcError
from bot.execution.broadcast import Answer, Route, Word
from bot.execution.fees import Fees
from bot.execution.options import ExecutorOptions
from bot.execution.signer import Signer, Unsigned
from bot.execution.simulation import Simulator, Trial
from bot.execution.steps import Facts, Kind, Step, advise, bounds_of
from bot.execution.tracking import Waiting
from bot.ports import (
    Address,
    Call,
    Head,
    Intent,
    Ledger,
    Outcome,
    Rpc,
    RpcCall,
    Signed,
    SimulationResult,
    Transaction,
    Verdict,
)

_log = structlog.get_logger(__name__)

TRANSFER_GAS = 21_000
"""What a transfer costs (EIP-2028)."""


class Presser:
    """Presses the node with the transactions of one account that are in no block yet.

    Parameters
    ----------
    rpc, ledger : Rpc, Ledger
        Where to ask, and where to write.
    simulator : Simulator
        Tells whether an action still makes sense.
    signer : Signer
        Signs replacements.
    route : Route
        Where to send.
    options : ExecutorOptions
        Fees and patience.
    """

    def __init__(
        self,
        rpc: Rpc,
        ledger: Ledger,
        simulator: Simulator,
        signer: Signer,
        route: Route,
        options: ExecutorOptions,
    ) -> None:
        self._rpc = rpc
        self._ledger = ledger
        self._simulator = simulator
        self._signer = signer
        self._route = route
        self._options = options

    async def press(
        self, waiting: Sequence[Waiting], head: Head, *, resend_after: int, halted: str | None
    ) -> list[Transaction]:
        """Take care of transactions without a receipt, in the order of nonces; return what changed."""
        known = await self._known(waiting)
        trials = await self._trials(waiting, head)
        bounds = bounds_of(waiting, self._options)
        changed: list[Transaction] = []
        gap = False
        for item, bound in zip(waiting, bounds, strict=True):
            facts = Facts(
                known=item.signed.hash in known,
                hidden=self._route.hides(item.row, head),
                trial=trials.get(item.row.id),
                gap=gap,
                halted=halted,
                ceiling=bound.own,
                resend_after=resend_after,
                behind=bound.behind,
            )
            verdict = await self._take(item, advise(item, facts, head, self._options), head)
            if verdict is not None and (verdict.transaction_id, verdict.outcome) != (
                item.row.id,
                item.row.outcome,
            ):
                changed += await self._ledger.conclude([verdict])
                gap = gap or not verdict.outcome.is_open
        return changed

    async def _known(self, waiting: Sequence[Waiting]) -> set[str]:
        """Return the hashes, of transactions of which nobody knows, that the node has."""
        hashes = [item.signed.hash for item in waiting if item.row.outcome is Outcome.SIGNED]
        answers = await self._rpc.batch([RpcCall("eth_getTransactionByHash", [hash_]) for hash_ in hashes])
        for answer in answers:
            if isinstance(answer, RpcError):
                raise answer
        return {hash_ for hash_, answer in zip(hashes, answers, strict=True) if answer is not None}

    async def _trials(self, waiting: Sequence[Waiting], head: Head) -> dict[int, SimulationResult]:
        rows = [item.row for item in waiting if not item.row.cancels]
        trials = [Trial(self._signer.address, row.intent.call) for row in rows]
        results = await self._simulator.run(trials, head)
        return {row.id: result for row, result in zip(rows, results, strict=True)}

    async def _take(self, item: Waiting, step: Step, head: Head) -> Verdict | None:
        row = item.row
        match step.kind:
            case Kind.KEEP:
                return None
            case Kind.CONFIRM:
                return Verdict(row.id, Outcome.SUBMITTED)
            case Kind.ABANDON:
                return Verdict(row.id, Outcome.ABANDONED, step.reason)
            case Kind.OFFER:
                return await self._offer(item, head)
            case Kind.REPLACE | Kind.CANCEL:
                return await self._replace(item, step, head)

    async def _offer(self, item: Waiting, head: Head) -> Verdict | None:
        """Send the same bytes again."""
        row = item.row
        (answer,) = await self._route.send([(row, item.signed)], head)
        if answer.outcome is Outcome.SUBMITTED:
            return Verdict(row.id, Outcome.SUBMITTED)
        if row.outcome is Outcome.SIGNED and not item.has_rivals:
            # Its hash was asked for and nobody has it, so words that are in no table are a refusal too.
            refused = answer.outcome is Outcome.REJECTED or answer.word is Word.UNKNOWN
            return Verdict(row.id, Outcome.REJECTED if refused else Outcome.SIGNED, answer.reason)
        _refused(row, answer)
        return None

    async def _replace(self, item: Waiting, step: Step, head: Head) -> Verdict | None:
        """Sign, journal and send a dearer transaction with the same nonce.

        Whatever the node says to it, its row stays open: one of the two holds the nonce, and the next
        head tells.
        """
        fees, row = step.fees, item.row
        if fees is None:
            return None
        intent = cancellation(row, self._signer.address, head) if step.kind is Kind.CANCEL else None
        call = row.intent.call if intent is None else intent.call
        dearer = await self._sign(call, item.signed, fees)
        replacement = await self._ledger.replace(row.id, dearer, intent)
        _log.info(
            "transaction_cancelled" if intent is not None else "transaction_replaced",
            trace=row.intent.trace,
            account=row.intent.account,
            nonce=dearer.nonce,
            hash=dearer.hash,
            reason=step.reason,
        )
        (answer,) = await self._route.send([(replacement, dearer)], head)
        if answer.outcome is not Outcome.SUBMITTED:
            _refused(replacement, answer)
            return Verdict(replacement.id, Outcome.SIGNED, answer.reason)
        return Verdict(replacement.id, Outcome.SUBMITTED)

    async def _sign(self, call: Call, old: Signed, fees: Fees) -> Signed:
        gas = old.gas_limit if call.gas_limit is None else call.gas_limit
        return await self._signer.sign(Unsigned(call, self._options.chain_id, old.nonce, gas, fees))


def self_transfer(address: Address) -> Call:
    """Return the call that does nothing but use a nonce."""
    return Call(address, b"", 0, TRANSFER_GAS)


def cancellation(row: Transaction, sender: Address, head: Head) -> Intent:
    """Return the intent to take a transaction's nonce away from it.

    Its key is its own, so that what is cancelled may be wanted again; its account is the same, so that
    nothing else is done to it while either may land.
    """
    wanted = row.intent
    return Intent(
        key=f"cancel:{row.id}:{head.hash}",
        protocol=wanted.protocol,
        account=wanted.account,
        call=self_transfer(sender),
        expected_profit=0,
        decision_id=wanted.decision_id,
    )


def _refused(row: Transaction, answer: Answer) -> None:
    _log.warning(
        "replacement_waits", account=row.intent.account, word=answer.word.value, reason=answer.reason
    )
