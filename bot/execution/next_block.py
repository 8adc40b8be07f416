"""The block that is expected next, in which calls are tried: the head itself is over."""

from bot.chain import codec
from bot.errors import RpcError
from bot.ports import Head, Json

_INVALID_PARAMS = -32602
_TOO_MANY = ("too many arguments", "too many param", "parameters count", "override")
"""Words by which nodes refuse parameters that they do not know, where they use another code."""


def next_block(head: Head, block_time_s: int) -> Json:
    """Return the block overrides of ``eth_simulateV1`` and ``eth_call`` for the child of a head.

    Its base fee is the head's: how full the head was is not known here, and the fee that is expected of a
    block half full is the same.

    Parameters
    ----------
    head : Head
        The newest.
    block_time_s : int
        Seconds to the next block, at least 1.
    """
    return {
        "number": codec.hex_quantity(head.number + 1),
        "time": codec.hex_quantity(head.timestamp + block_time_s),
        "baseFeePerGas": codec.hex_quantity(head.base_fee_per_gas),
    }


def refuses_overrides(error: RpcError) -> bool:
    """Whether a node says that it does not take the parameters that it was given."""
    words = error.message.lower()
    return error.code == _INVALID_PARAMS or any(phrase in words for phrase in _TOO_MANY)
