"""Sending a signed transaction, and what the node's answer means for it."""

from dataclasses import dataclass

from bot.chain import codec
from bot.errors import EndpointUnreachableError, MalformedAnswerError, RpcError
from bot.ports import Outcome, Rpc, Signed

_KNOWN = ("already known", "already imported", "known transaction", "already in")
"""Words of nodes that have the very transaction in their pool."""

_NONCE_USED = ("nonce too low", "nonce is too low", "old nonce")
"""Words of nodes on which a transaction with this nonce was included."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node said to a transaction.

    Parameters
    ----------
    outcome : Outcome
        SUBMITTED: it has it. REJECTED: it has it not, and will not. SIGNED: nobody knows; tracking
        finds out, and sends the same bytes again where that is needed.
    reason : str
        The node's words, unless it has it.
    """

    outcome: Outcome
    reason: str = ""


async def broadcast(rpc: Rpc, signed: Signed) -> Answer:
    """Send a signed transaction once. Sending the same bytes again is harmless.

    Raises
    ------
    MalformedAnswerError
        If the node acknowledges another hash than the one signed.
    """
    try:
        answer = await rpc.request("eth_sendRawTransaction", [codec.hex_data(signed.raw)])
    except EndpointUnreachableError as error:
        return Answer(Outcome.SIGNED, error.detail)
    except RpcError as error:
        return _judge(error)
    acknowledged = codec.hash32(answer, "eth_sendRawTransaction")
    if acknowledged != signed.hash:
        raise MalformedAnswerError("eth_sendRawTransaction", acknowledged, f"the hash {signed.hash}")
    return Answer(Outcome.SUBMITTED)


def _judge(error: RpcError) -> Answer:
    words = error.message.lower()
    if any(phrase in words for phrase in _KNOWN):
        return Answer(Outcome.SUBMITTED)
    if any(phrase in words for phrase in _NONCE_USED):
        return Answer(Outcome.SIGNED, error.message)
    return Answer(Outcome.REJECTED, error.message)
