"""Finding out what became of transactions that were sent."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from bot.chain import codec
from bot.errors import MalformedAnswerError, RpcError
from bot.execution.hindsight import block_hashes
from bot.execution.nonce_use import used_by
from bot.ports import (
    Address,
    Appraise,
    Hash32,
    Head,
    Json,
    LandingMemory,
    Ledger,
    Outcome,
    Receipt,
    Rpc,
    RpcCall,
    Settlement,
    Signed,
    Transaction,
    Verdict,
)

_log = structlog.get_logger(__name__)

_LOST_AFTER_HEADS = 2
"""Blocks by which a nonce must have been used before a transaction without a receipt counts as dropped.

Nodes show a block before all of its receipts; declaring it dropped too early would be acting twice.
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open transaction whose nonce the chain has not used yet.

    Parameters
    ----------
    row : Transaction
        As the ledger knows it.
    signed : Signed
        What was signed last.
    has_rivals : bool
        Whether other bytes with its nonce were signed before, which may land too.
    """

    row: Transaction
    signed: Signed
    has_rivals: bool


@dataclass(frozen=True, slots=True)
class Tracked:
    """What tracking found on a head.

    Parameters
    ----------
    changed : list of Transaction
        Those that settled.
    waiting : list of Waiting
        Those that still wait, by nonce.
    """

    changed: list[Transaction]
    waiting: list[Waiting]


class Tracker:
    """Settles open transactions of one account.

    Parameters
    ----------
    rpc, ledger, memory : Rpc, Ledger, LandingMemory
        Where to look, and where to write.
    sender : Address
        Whose transactions.
    appraise : Appraise
        Reads what a receipt earned.
    """

    def __init__(
        self, rpc: Rpc, ledger: Ledger, memory: LandingMemory, sender: Address, appraise: Appraise
    ) -> None:
        self._rpc = rpc
        self._ledger = ledger
        self._memory = memory
        self._sender = sender
        self._appraise = appraise

    async def settle(self, head: Head) -> Tracked:
        """Look open transactions up by nonce, and by the hash of everything signed with it."""
        rows = _with_signatures(await self._ledger.open_transactions(self._sender))
        if not rows:
            return Tracked([], [])
        rivals = _by_nonce(await self._memory.rivals(self._sender, [signed.nonce for _, signed in rows]))
        used, used_before = await self._nonces_used(head)
        receipts = await self._on_branch(await self._receipts(rows, rivals, used), head)
        verdicts: list[Verdict] = []
        settlements: list[Settlement] = []
        for row, signed in rows:
            others = rivals.get(signed.nonce, {})
            landed = next(
                ((other, receipts[hash_]) for hash_, other in others.items() if hash_ in receipts), None
            )
            if signed.hash in receipts:
                settlements.append(self._settlement(row, receipts[signed.hash]))
            elif landed is not None:
                verdicts.append(_beaten(row, landed[1]))
                settlements.append(self._settlement(*landed))
            elif signed.nonce < used_before:
                verdicts += await self._usurped(row, signed, [signed.hash, *others], head)
        changed = await self._ledger.conclude(verdicts, settlements) if verdicts or settlements else []
        _report(changed)
        settled = {row.id for row in changed}
        waiting = [
            Waiting(row, signed, bool(rivals.get(signed.nonce)))
            for row, signed in rows
            if row.id not in settled and signed.nonce >= used
        ]
        return Tracked(changed, waiting)

    async def _receipts(
        self,
        rows: Sequence[tuple[Transaction, Signed]],
        rivals: Mapping[int, Mapping[Hash32, Transaction]],
        used: int,
    ) -> dict[Hash32, Receipt]:
        """Return the receipts there are, of all that was signed with a nonce that the chain has used."""
        hashes = [signed.hash for _, signed in rows if signed.nonce < used]
        for _, signed in rows:
            if signed.nonce < used:
                hashes += rivals.get(signed.nonce, {})
        answers = await self._rpc.batch([RpcCall("eth_getTransactionReceipt", [hash_]) for hash_ in hashes])
        found = ((hash_, _receipt(answer, hash_)) for hash_, answer in zip(hashes, answers, strict=True))
        return {hash_: receipt for hash_, receipt in found if receipt is not None}

    async def _on_branch(self, receipts: Mapping[Hash32, Receipt], head: Head) -> dict[Hash32, Receipt]:
        """Return the receipts of blocks that ``head`` stands on.

        An endpoint may answer for another branch, or for a block that is ahead of the head. No reorg is ever
        told of a block that was not followed, so what settled there would stay settled.
        """
        lower = {receipt.block_number for receipt in receipts.values() if receipt.block_number < head.number}
        hashes = {**await block_hashes(self._rpc, lower), head.number: head.hash}
        return {
            hash_: receipt
            for hash_, receipt in receipts.items()
            if hashes.get(receipt.block_number) == receipt.block_hash
        }

    async def _nonces_used(self, head: Head) -> tuple[int, int]:
        """Return how many nonces were used by the head, and by the height below which all is known."""
        heights = (head.number, max(head.number - _LOST_AFTER_HEADS, 0))
        method = "eth_getTransactionCount"
        answers = await self._rpc.batch(
            [RpcCall(method, [self._sender, codec.hex_quantity(height)]) for height in heights]
        )
        for answer in answers:
            if isinstance(answer, RpcError):
                raise answer
        return codec.quantity(answers[0], method), codec.quantity(answers[1], method)

    def _settlement(self, row: Transaction, receipt: Receipt) -> Settlement:
        earns = receipt.succeeded and not row.cancels
        return Settlement(row.id, receipt, self._appraise(row.intent.protocol, receipt) if earns else None)

    async def _usurped(
        self, row: Transaction, signed: Signed, ours: Sequence[Hash32], head: Head
    ) -> list[Verdict]:
        """Judge a row whose nonce is used and that has no receipt, by what the chain holds in its place."""
        height = max(head.number - _LOST_AFTER_HEADS, 0)
        user = await used_by(self._rpc, self._sender, signed.nonce, ours, row.planned_block, height)
        said = {"signer": self._sender, "nonce": signed.nonce, "account": row.intent.account}
        if user in ours:
            _log.warning("receipt_late", hash=user, **said)
            return []
        _log.warning("foreign_nonce", used_by=user, **said)
        reason = f"{user or 'another transaction'} used its nonce"
        return [Verdict(row.id, Outcome.DROPPED, reason, height)]


def _beaten(row: Transaction, receipt: Receipt) -> Verdict:
    reason = f"{receipt.transaction_hash} landed with its nonce"
    return Verdict(row.id, Outcome.DROPPED, reason, receipt.block_number)


def _with_signatures(rows: Iterable[Transaction]) -> list[tuple[Transaction, Signed]]:
    return [(row, row.signed) for row in rows if row.signed is not None]


def _by_nonce(rivals: Iterable[Transaction]) -> dict[int, dict[Hash32, Transaction]]:
    """Return rivals by nonce and hash.

    The same bytes may be in several rows, refused once and sent again later: the last one counts.
    """
    found: dict[int, dict[Hash32, Transaction]] = {}
    for row, signed in _with_signatures(rivals):
        found.setdefault(signed.nonce, {})[signed.hash] = row
    return found


def _receipt(answer: Json | RpcError, asked: Hash32) -> Receipt | None:
    if isinstance(answer, RpcError):
        raise answer
    if answer is None:
        return None
    receipt = codec.receipt(answer)
    if receipt.transaction_hash != asked:
        raise MalformedAnswerError("eth_getTransactionReceipt", receipt.transaction_hash, f"that of {asked}")
    return receipt


def _report(changed: Sequence[Transaction]) -> None:
    for row in changed:
        _log.info(
            "transaction_settled",
            trace=row.intent.trace,
            account=row.intent.account,
            outcome=row.outcome.value,
            cancelled=row.cancels,
            block=row.block_number,
            gas_used=row.gas_used,
            realised_profit=row.realised_profit,
        )
