"""Doubting what was settled or given up: the chain may think otherwise later.

A settlement is as good as its block, which a reorg may undo while nobody looks. A transaction that was given
up may be in a pool all the same: an endpoint took it without a word, and the next one, which lagged behind,
refused it; or a process that was paused woke up and sent it after its successor had abandoned it.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import structlog

from bot.chain import codec
from bot.errors import RpcError
from bot.ports import (
    Address,
    Hash32,
    Head,
    LandingMemory,
    Ledger,
    Outcome,
    Rpc,
    RpcCall,
    Transaction,
    Verdict,
)

_log = structlog.get_logger(__name__)

_HEADS_COMPARED: Final = 128
"""Heads of the ledger, and blocks below the newest head, that are compared with the chain at start-up."""

_LOOKED_FOR: Final = 64
"""Heads for which a transaction that was given up is looked for."""


async def block_hashes(rpc: Rpc, numbers: Iterable[int]) -> dict[int, Hash32 | None]:
    """Return the hashes of the blocks at some heights; None for a block that the node has not.

    Raises
    ------
    ChainError
        If the node fails.
    """
    heights = sorted(numbers, reverse=True)
    calls = [RpcCall("eth_getBlockByNumber", [codec.hex_quantity(number), False]) for number in heights]
    found: dict[int, Hash32 | None] = {}
    for number, block in zip(heights, await rpc.batch(calls), strict=True):
        if isinstance(block, RpcError):
            raise block
        found[number] = None if block is None else codec.head(block).hash
    return found


async def missed_reorg(rpc: Rpc, ledger: Ledger, memory: LandingMemory, head: Head) -> Head | None:
    """Return the last head of the ledger that is still on the chain, if a later one is not.

    The chain may have changed while the keeper was down; what had settled there may be undone. A block in
    which something settled counts as a head: the process may have ended before it had recorded that one.

    Parameters
    ----------
    rpc, ledger, memory : Rpc, Ledger, LandingMemory
        Where to look.
    head : Head
        The newest.
    """
    known = {(recorded.number, recorded.hash) for recorded in await ledger.recent_heads(_HEADS_COMPARED)}
    known |= set(await memory.settled_blocks(head.number - _HEADS_COMPARED))
    hashes = await block_hashes(rpc, {number for number, _ in known})
    void = [number for number, hash_ in known if hashes[number] != hash_]
    if not void:
        return None
    below = (number for number, _ in known if number < min(void))
    return replace(head, number=max(below, default=min(void) - 1))


class Hindsight:
    """Looks for transactions of one account that were given up, as long as they may turn up.

    Parameters
    ----------
    rpc, ledger, memory : Rpc, Ledger, LandingMemory
        Where to look, and where to write.
    sender : Address
        Whose transactions.
    """

    def __init__(self, rpc: Rpc, ledger: Ledger, memory: LandingMemory, sender: Address) -> None:
        self._rpc: Final = rpc
        self._ledger: Final = ledger
        self._memory: Final = memory
        self._sender: Final = sender
        self._until: int | None = None

    def doubt(self) -> None:
        """Look into the ledger on the next head: something was given up, here or by another process."""
        self._until = None

    async def revived(self, head: Head) -> list[Transaction]:
        """Take up again what the node has although it was given up; return it.

        Raises
        ------
        ChainError
            If the node fails.
        """
        if self._until is not None and head.number > self._until:
            return []
        rows = await self._memory.given_up(self._sender, head.number - _LOOKED_FOR)
        self._until = max((row.planned_block + _LOOKED_FOR for row in rows), default=-1)
        found = {row.signed.nonce: row for row in await self._known(rows) if row.signed is not None}
        if not found:
            return []
        for row in found.values():
            _log.warning("transaction_revived", id=row.id, account=row.intent.account, reason=row.reason)
        return await self._ledger.conclude([Verdict(row.id, Outcome.SUBMITTED) for row in found.values()])

    async def _known(self, rows: list[Transaction]) -> list[Transaction]:
        """Return those of which the node knows, in its pool or in a block."""
        calls = [RpcCall("eth_getTransactionByHash", [row.signed.hash]) for row in rows if row.signed]
        answers = await self._rpc.batch(calls)
        for answer in answers:
            if isinstance(answer, RpcError):
                raise answer
        return [row for row, answer in zip(rows, answers, strict=True) if answer is not None]
