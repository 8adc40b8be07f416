"""The dealer's transactions, one after the other: signed, on disk, then sent; looked up until they are deep.

There is one writer, and while a transaction may still land the next of its kind waits. After a crash the
ledger knows what was signed; the same bytes are sent again until the chain has them or can no longer take
them. So nothing is hedged twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from eth_utils.crypto import keccak

from bot.chain import codec
from bot.errors import EndpointUnreachableError, MalformedAnswerError, RpcError
from bot.execution.fees import FeePolicy
from bot.execution.finish import finish
from bot.execution.hindsight import block_hashes
from bot.execution.nonce_use import used_by
from bot.execution.signer import Signer, Unsigned
from bot.ports import Address, Call, Head, Receipt, Rpc
from bot.rfq.ledger import DealerLedger
from bot.rfq.records import Work, WorkKind, WorkState

_log = structlog.get_logger(__name__)

_TRANSFER: Final = "0x" + keccak(b"Transfer(address,address,uint256)").hex()
_GAS_MARGIN: Final = 5
"""A fifth is added to the node's estimate."""


@dataclass(frozen=True, slots=True)
class LandingOptions:
    """How transactions are landed.

    Parameters
    ----------
    chain_id : int
        Signed into each.
    fees : FeePolicy
        What is paid for gas.
    depth : int
        Blocks on top of a transaction's own from which it is taken to stay.
    resend_after : int
        Heads after which one that is in no block is offered to the node again.
    """

    chain_id: int
    fees: FeePolicy
    depth: int = 2
    resend_after: int = 3


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be sent, and why.

    Parameters
    ----------
    kind : WorkKind
        Why.
    call : Call
        What.
    collateral_id, debt_id, sold : int
        Pair and amount of a hedge.
    """

    kind: WorkKind
    call: Call
    collateral_id: int = 0
    debt_id: int = 0
    sold: int = 0


class Lane:
    """Lands the dealer's transactions.

    Parameters
    ----------
    rpc : Rpc
        The node.
    ledger : DealerLedger
        Where they are written first.
    signer : Signer
        The key.
    options : LandingOptions
        How.
    proceeds : callable
        Reads from a receipt what a hedge brought.
    """

    def __init__(
        self,
        rpc: Rpc,
        ledger: DealerLedger,
        signer: Signer,
        options: LandingOptions,
        proceeds: Callable[[Work, Receipt], int],
    ) -> None:
        self._rpc: Final = rpc
        self._ledger: Final = ledger
        self._signer: Final = signer
        self._options: Final = options
        self._proceeds: Final = proceeds

    async def settle(self, head: Head) -> bool:
        """Look up what may still land; return whether nothing is left of it.

        Raises
        ------
        ChainError
            If the node fails.
        """
        works = await self._ledger.open_works()
        if not works:
            return True
        answer = await self._rpc.request("eth_getTransactionCount", (self._signer.address, codec.at(head)))
        used = codec.quantity(answer, "eth_getTransactionCount")
        return all([await self._look_up(work, used, head) for work in works])

    async def _look_up(self, work: Work, used: int, head: Head) -> bool:
        """Return whether a transaction is done with."""
        answer = await self._rpc.request("eth_getTransactionReceipt", (work.signed.hash,))
        if answer is not None:
            return await self._included(work, codec.receipt(answer), head)
        if work.signed.nonce < used:
            return await self._usurped(work, head)
        if head.number >= work.planned_block + self._options.resend_after:
            await self._broadcast(work)
        return False

    async def _usurped(self, work: Work, head: Head) -> bool:
        """Judge a transaction without a receipt whose nonce is used, by the block: receipts come late."""
        signed, sender = work.signed, self._signer.address
        ours = [signed.hash]
        user = await used_by(self._rpc, sender, signed.nonce, ours, work.planned_block, head.number)
        if user == signed.hash:
            _log.warning("dealer_receipt_late", hash=user, kind=work.kind.value)
            return False
        _log.warning("dealer_nonce_used_elsewhere", nonce=work.signed.nonce, kind=work.kind.value)
        await self._ledger.conclude(work, WorkState.DROPPED, head)
        return True

    async def _included(self, work: Work, receipt: Receipt, head: Head) -> bool:
        found, wanted = receipt.transaction_hash, work.signed.hash
        if found != wanted:
            raise MalformedAnswerError("eth_getTransactionReceipt", found, f"that of {wanted}")
        if receipt.block_number + self._options.depth > head.number:
            return False
        hashes = await block_hashes(self._rpc, [receipt.block_number])
        if hashes[receipt.block_number] != receipt.block_hash:
            return False  # of another branch
        state = WorkState.INCLUDED if receipt.succeeded else WorkState.REVERTED
        bought = self._proceeds(work, receipt) if receipt.succeeded else 0
        await self._ledger.conclude(work, state, head, bought)
        _log.info(
            "dealer_transaction", kind=work.kind.value, state=state.value, sold=work.sold, bought=bought
        )
        return True

    async def is_included(self, work: Work) -> bool:
        """Whether a transaction is in a block, however shallow."""
        return await self._rpc.request("eth_getTransactionReceipt", (work.signed.hash,)) is not None

    async def send(self, job: Job, head: Head) -> Work | None:
        """Sign a job, write it, and broadcast it; None if it would revert, or gas is above the cap.

        Raises
        ------
        ChainError
            If the node fails before anything was signed.
        """
        fees = self._options.fees.at(head)
        gas = await self._gas(job.call)
        if fees is None or gas is None:
            _log.warning("dealer_transaction_held_back", kind=job.kind.value, gas=gas)
            return None
        unsigned = Unsigned(
            job.call, self._options.chain_id, await self._nonce(), gas + gas // _GAS_MARGIN, fees
        )
        return await finish(self._commit(job, unsigned, head))

    async def _commit(self, job: Job, unsigned: Unsigned, head: Head) -> Work:
        signed = await self._signer.sign(unsigned)
        work = await self._ledger.plan(
            Work(job.kind, job.call, signed, head.number, job.collateral_id, job.debt_id, job.sold)
        )
        await self._broadcast(work)
        return work

    async def _broadcast(self, work: Work) -> None:
        """Send the same bytes as ever. Whatever the node says, the receipt decides."""
        try:
            await self._rpc.request("eth_sendRawTransaction", (codec.hex_data(work.signed.raw),))
        except (RpcError, EndpointUnreachableError) as error:
            _log.warning("dealer_broadcast_refused", kind=work.kind.value, reason=str(error))

    async def _gas(self, call: Call) -> int | None:
        """Return what the node finds enough; None if it would revert."""
        transaction = {
            "from": self._signer.address,
            "to": call.to,
            "data": codec.hex_data(call.data),
        }
        try:
            answer = await self._rpc.request("eth_estimateGas", (transaction,))
        except RpcError as error:
            _log.warning("dealer_would_revert", to=call.to, reason=error.message)
            return None
        return codec.quantity(answer, "eth_estimateGas")

    async def _nonce(self) -> int:
        """Return the nonce after those of the chain and of our own open transactions."""
        answer = await self._rpc.request("eth_getTransactionCount", (self._signer.address, "latest"))
        held = [work.signed.nonce + 1 for work in await self._ledger.open_works()]
        return max([codec.quantity(answer, "eth_getTransactionCount"), *held])


def received(token: Address, account: Address, receipt: Receipt) -> int:
    """Return what an account received of a token, less what it sent, by a receipt's ``Transfer`` logs."""
    topic = "0x" + bytes.fromhex(account[2:]).rjust(32, b"\0").hex()
    total = 0
    for log in receipt.logs:
        if log.address == token and len(log.topics) == 3 and log.topics[0] == _TRANSFER:
            amount = int.from_bytes(log.data[:32])
            total += amount * ((log.topics[2] == topic) - (log.topics[1] == topic))
    return total
