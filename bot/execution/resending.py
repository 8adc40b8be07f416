"""Transactions that wait: sent again, made dearer, or given up before they were ever sent."""

from collections.abc import Sequence

import structlog

from bot.execution.broadcast import broadcast
from bot.execution.fees import Fees
from bot.execution.options import ExecutorOptions
from bot.execution.signer import Signer, Unsigned
from bot.execution.simulation import Simulator
from bot.ports import Head, Ledger, Outcome, Rpc, Signed, Transaction, Verdict

_log = structlog.get_logger(__name__)


class Resender:
    """Presses the node with transactions that are in no block yet.

    Parameters
    ----------
    rpc, ledger : Rpc, Ledger
        Where to send, and where to write.
    simulator : Simulator
        Tells whether an action still makes sense.
    signer : Signer
        Signs replacements.
    options : ExecutorOptions
        Fees and margins.
    """

    def __init__(
        self, rpc: Rpc, ledger: Ledger, simulator: Simulator, signer: Signer, options: ExecutorOptions
    ) -> None:
        self._rpc = rpc
        self._ledger = ledger
        self._simulator = simulator
        self._signer = signer
        self._options = options

    async def press(self, waiting: Sequence[Transaction], head: Head, resend_after: int) -> list[Transaction]:
        """Take care of transactions without a receipt, in the order of nonces; return what changed.

        One that the node has is sent again once it is ``resend_after`` heads old: pools forget. One of
        which nobody knows whether the node has it is sent, unless it would revert by now, or an earlier
        nonce was given up.
        """
        changed: list[Transaction] = []
        gap = False
        for row in waiting:
            if row.signed is None:
                continue
            verdict: Verdict | None
            if row.outcome is Outcome.SIGNED:
                verdict = await self._resume(row, row.signed, head, gap=gap)
            elif head.number - row.planned_block >= resend_after:
                verdict = await self._repeat(row, row.signed, head)
            else:
                continue
            if verdict is not None and (verdict.transaction_id, verdict.outcome) != (row.id, row.outcome):
                changed += await self._ledger.conclude([verdict])
                gap = gap or not verdict.outcome.is_open
        return changed

    async def _resume(self, row: Transaction, signed: Signed, head: Head, *, gap: bool) -> Verdict:
        """Settle whether a transaction that was journalled is sent after all."""
        if await self._rpc.request("eth_getTransactionByHash", [signed.hash]) is not None:
            return Verdict(row.id, Outcome.SUBMITTED)
        if gap:
            return Verdict(row.id, Outcome.ABANDONED, "the nonce before it was given up")
        (trial,) = await self._simulator.run([row.intent.call], head)
        if not trial.succeeded:
            return Verdict(row.id, Outcome.ABANDONED, f"not sent in time, and now: {trial.reason}")
        return await self._offer(row, signed)

    async def _repeat(self, row: Transaction, signed: Signed, head: Head) -> Verdict | None:
        """Send a transaction again, with higher fees if the base fee has outgrown it."""
        if signed.max_fee_per_gas >= head.base_fee_per_gas:
            verdict = await self._offer(row, signed)
            return None if verdict.outcome is Outcome.SIGNED else verdict
        old = Fees(signed.max_fee_per_gas, signed.max_priority_fee_per_gas)
        fees = self._options.fees.replacing(old, head)
        return None if fees is None else await self._replace(row, signed, fees, head)

    async def _replace(self, row: Transaction, signed: Signed, fees: Fees, head: Head) -> Verdict | None:
        """Sign, journal and send a dearer transaction with the same nonce, if it would still succeed."""
        (trial,) = await self._simulator.run([row.intent.call], head)
        if not trial.succeeded:
            return None
        gas = self._options.gas_limit(row.intent.call, trial)
        unsigned = Unsigned(row.intent.call, self._options.chain_id, signed.nonce, gas, fees)
        dearer = await self._signer.sign(unsigned)
        replacement = await self._ledger.replace(row.id, dearer)
        _log.info("transaction_replaced", account=row.intent.account, nonce=signed.nonce, hash=dearer.hash)
        return await self._offer(replacement, dearer)

    async def _offer(self, row: Transaction, signed: Signed) -> Verdict:
        answer = await broadcast(self._rpc, signed)
        return Verdict(row.id, answer.outcome, answer.reason)
