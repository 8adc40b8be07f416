"""Finding the transaction that used a nonce, in the block that holds it.

That a receipt is missing proves nothing: nodes serve receipts late, above all those behind one balancer. What
stands in a block does.
"""

from collections.abc import Sequence

import structlog

from bot.chain import codec
from bot.errors import RpcError
from bot.ports import Address, Hash32, Rpc, RpcCall

_log = structlog.get_logger(__name__)


async def used_by(
    rpc: Rpc, sender: Address, nonce: int, ours: Sequence[Hash32], planned: int, height: int
) -> Hash32 | None:
    """Return the hash of the transaction that used a nonce; None for an unknown other one.

    Where the node has forgotten the state of those blocks, and where no transaction of the sender stands in
    the block (an authorization by EIP-7702 uses a nonce too), it is asked for what was signed with the nonce.

    Parameters
    ----------
    rpc : Rpc
        The node.
    sender : Address
        Whose nonce.
    nonce : int
        Which.
    ours : sequence of Hash32
        All that was signed with it.
    planned : int
        Height at which it was free, as a rule.
    height : int
        Height by which it was used.

    Raises
    ------
    ChainError
        If the node does not tell either.
    """
    try:
        number = await _block_of(rpc, sender, nonce, planned, height)
        if (found := await _in_block(rpc, sender, nonce, number)) is not None:
            return found
        _log.warning("nonce_used_by_no_transaction", signer=sender, nonce=nonce, block=number)
    except RpcError as error:
        _log.warning("nonce_not_searched", signer=sender, nonce=nonce, reason=str(error))
    answers = await rpc.batch([RpcCall("eth_getTransactionByHash", [hash_]) for hash_ in ours])
    for answer in answers:
        if isinstance(answer, RpcError):
            raise answer
    return next((hash_ for hash_, answer in zip(ours, answers, strict=True) if answer is not None), None)


async def _block_of(rpc: Rpc, sender: Address, nonce: int, planned: int, height: int) -> int:
    """Return the lowest height by which the nonce was used, at most ``height``: by halving."""
    low, high, step = min(planned, height) - 1, height, 1
    while low >= 0 and await _count(rpc, sender, low) > nonce:
        low, high, step = low - step, low, 2 * step
    low = max(low, -1)
    while high - low > 1:
        middle = (low + high) // 2
        if await _count(rpc, sender, middle) > nonce:
            high = middle
        else:
            low = middle
    return high


async def _count(rpc: Rpc, sender: Address, height: int) -> int:
    method = "eth_getTransactionCount"
    return codec.quantity(await rpc.request(method, [sender, codec.hex_quantity(height)]), method)


async def _in_block(rpc: Rpc, sender: Address, nonce: int, number: int) -> Hash32 | None:
    block = codec.mapping(
        await rpc.request("eth_getBlockByNumber", [codec.hex_quantity(number), True]), "block"
    )
    for entry in codec.sequence(block.get("transactions"), "transactions of a block"):
        fields = codec.mapping(entry, "transaction of a block")
        mine = str(fields.get("from")).lower() == sender.lower()
        if mine and codec.quantity(fields.get("nonce"), "nonce of a transaction") == nonce:
            return codec.hash32(fields.get("hash"), "hash of a transaction")
    return None
