"""Finding out what became of transactions that were sent."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog

from bot.chain import codec
from bot.errors import RpcError
from bot.ports import (
    Address,
    Appraise,
    Head,
    Json,
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


_HEADS_COMPARED = 128
"""Heads of the ledger that are compared with the chain at start-up."""


class Tracker:
    """Settles open transactions of one account.

    Parameters
    ----------
    rpc, ledger : Rpc, Ledger
        Where to look, and where to write.
    sender : Address
        Whose transactions.
    appraise : Appraise
        Reads what a receipt earned.
    """

    def __init__(self, rpc: Rpc, ledger: Ledger, sender: Address, appraise: Appraise) -> None:
        self._rpc = rpc
        self._ledger = ledger
        self._sender = sender
        self._appraise = appraise

    async def missed_reorg(self) -> Head | None:
        """Return the last head of the ledger that is still on the chain, if a later one is not.

        The chain may have changed while the keeper was down; what had settled there may be undone.
        """
        recorded = await self._ledger.recent_heads(_HEADS_COMPARED)
        numbers = [codec.hex_quantity(head.number) for head in recorded]
        blocks = await self._rpc.batch(
            [RpcCall("eth_getBlockByNumber", [number, False]) for number in numbers]
        )
        for position, (head, block) in enumerate(zip(recorded, blocks, strict=True)):
            if isinstance(block, RpcError):
                raise block
            if block is not None and codec.head(block).hash == head.hash:
                return head if position > 0 else None
        return replace(recorded[-1], number=recorded[-1].number - 1) if recorded else None

    async def settle(self, head: Head) -> tuple[list[Transaction], list[Transaction]]:
        """Return the transactions that settled by ``head``, and those that still wait, by nonce."""
        rows = _with_signatures(await self._ledger.open_transactions(self._sender))
        if not rows:
            return [], []
        used = await self._nonces_used(max(head.number - _LOST_AFTER_HEADS, 0))
        receipts = await self._receipts(rows)
        verdicts: list[Verdict] = []
        settlements: list[Settlement] = []
        for (row, signed), receipt in zip(rows, receipts, strict=True):
            if receipt is not None:
                settlements.append(self._settlement(row, receipt))
            elif signed.nonce < used:
                verdicts.append(self._dropped(row, head))
                settlements += await self._rivals(row, signed)
        changed = await self._ledger.conclude(verdicts, settlements) if verdicts or settlements else []
        _report(changed)
        settled = {row.id for row in changed}
        return changed, [row for row, _ in rows if row.id not in settled]

    async def _rivals(self, dropped: Transaction, signed: Signed) -> list[Settlement]:
        """Return the settlement of another of our transactions that used the nonce, if one did."""
        rows = await self._ledger.transactions_with_nonce(self._sender, signed.nonce)
        # The same bytes may be in several rows, refused once and sent again later: the last one counts.
        by_hash = {rival.hash: (row, rival) for row, rival in _with_signatures(rows) if row.id != dropped.id}
        by_hash.pop(signed.hash, None)
        rivals = list(by_hash.values())
        receipts = await self._receipts(rivals)
        return [
            self._settlement(row, receipt)
            for (row, _), receipt in zip(rivals, receipts, strict=True)
            if receipt is not None
        ]

    async def _receipts(self, rows: Sequence[tuple[Transaction, Signed]]) -> list[Receipt | None]:
        calls = [RpcCall("eth_getTransactionReceipt", [signed.hash]) for _, signed in rows]
        return [_receipt(answer) for answer in await self._rpc.batch(calls)]

    async def _nonces_used(self, block_number: int) -> int:
        answer = await self._rpc.request(
            "eth_getTransactionCount", [self._sender, codec.hex_quantity(block_number)]
        )
        return codec.quantity(answer, "eth_getTransactionCount")

    def _settlement(self, row: Transaction, receipt: Receipt) -> Settlement:
        realised = self._appraise(row.intent.protocol, receipt) if receipt.succeeded else None
        return Settlement(row.id, receipt, realised)

    def _dropped(self, row: Transaction, head: Head) -> Verdict:
        used_by = max(head.number - _LOST_AFTER_HEADS, 0)
        return Verdict(row.id, Outcome.DROPPED, "another transaction used its nonce", used_by)


def _with_signatures(rows: Iterable[Transaction]) -> list[tuple[Transaction, Signed]]:
    return [(row, row.signed) for row in rows if row.signed is not None]


def _receipt(answer: Json | RpcError) -> Receipt | None:
    if isinstance(answer, RpcError):
        raise answer
    return None if answer is None else codec.receipt(answer)


def _report(changed: Sequence[Transaction]) -> None:
    for row in changed:
        _log.info(
            "transaction_settled",
            account=row.intent.account,
            outcome=row.outcome.value,
            block=row.block_number,
            gas_used=row.gas_used,
            realised_profit=row.realised_profit,
        )
