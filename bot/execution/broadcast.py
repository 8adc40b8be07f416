"""Sending signed transactions, and what a node's answer means for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from bot.chain import codec
from bot.errors import EndpointUnreachableError, MalformedAnswerError, RpcError, WrongChainError
from bot.ports import Head, Json, Outcome, Rpc, RpcCall, Signed, Transaction


class Word(StrEnum):
    """What a node says to a transaction, whatever its dialect."""

    TAKEN = "taken"
    """It has it now."""
    KNOWN = "known"
    """It had it already."""
    NONCE_USED = "nonce_used"
    """A transaction with this nonce was included."""
    NONCE_AHEAD = "nonce_ahead"
    """A nonce before this one is missing, and the node does not wait for it."""
    OUTBID = "outbid"
    """Its pool holds a transaction with this nonce, and this one is not dearer by enough."""
    UNDERPRICED = "underpriced"
    """The fees are too low for its pool or for the next block."""
    FUNDS = "funds"
    """The account cannot pay for all of the gas."""
    POOL_FULL = "pool_full"
    """There is no room, for this account or at all."""
    INVALID = "invalid"
    """No node will ever take it."""
    UNKNOWN = "unknown"
    """Words that are in no table: the node may have it or not."""
    SILENCE = "silence"
    """No answer: the node may have it or not."""


_PHRASES: Final[tuple[tuple[Word, tuple[str, ...]], ...]] = (
    (Word.KNOWN, ("already known", "already imported", "known transaction", "already in", "alreadyknown")),
    (Word.NONCE_USED, ("nonce too low", "nonce is too low", "old nonce", "oldnonce")),
    (Word.NONCE_AHEAD, ("nonce too high", "nonce is too high", "noncegap", "nonce gap", "nonce too far")),
    (
        Word.OUTBID,
        (
            "replacement transaction underpriced",
            "replacement underpriced",
            "replacementnotallowed",
            "could not replace existing",
            "necessary to replace the existing",
            "tries to replace pending",
        ),
    ),
    (
        Word.FUNDS,
        ("insufficient funds", "insufficientfunds", "doesn't have enough funds", "insufficient balance"),
    ),
    (
        Word.UNDERPRICED,
        (
            "underpriced",
            "feetoolow",
            "less than block base fee",
            "too low for the next block",
            "below the minimum",
            "gas price too low",
        ),
    ),
    (
        Word.POOL_FULL,
        ("txpool is full", "pool is full", "account limit exceeded", "in-flight transaction limit"),
    ),
    (
        Word.INVALID,
        (
            "intrinsic gas",
            "exceeds block gas limit",
            "requires at least",
            "gas limit too",
            "gas too low",
            "higher than max fee",
            "bigger than maxfee",
            "invalid sender",
            "chain id",
            "chainid",
            "type not supported",
            "failed to decode",
            "rlp",
            "oversized",
            "exceeds the configured cap",
        ),
    ),
)
"""Phrases of geth, Nethermind, Erigon, Reth, Besu, Anvil and Hardhat; the first that is found counts."""

_OUTCOMES: Final = {
    Word.TAKEN: Outcome.SUBMITTED,
    Word.KNOWN: Outcome.SUBMITTED,
    Word.NONCE_USED: Outcome.SIGNED,
    Word.UNKNOWN: Outcome.SIGNED,
    Word.SILENCE: Outcome.SIGNED,
}
"""What is known of a transaction after a word; REJECTED after any other."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node said to a transaction.

    Parameters
    ----------
    word : Word
        In our words.
    reason : str
        In the node's, unless it has it.
    """

    word: Word
    reason: str = ""

    @property
    def outcome(self) -> Outcome:
        """What is known of the transaction if it was offered for the first time.

        SUBMITTED: the node has it. REJECTED: it has it not, and will not. SIGNED: nobody knows;
        tracking finds out, and sends the same bytes again where that is needed.
        """
        return _OUTCOMES.get(self.word, Outcome.REJECTED)


class Route(Protocol):
    """A way for signed transactions into blocks."""

    async def send(self, rows: Sequence[tuple[Transaction, Signed]], head: Head) -> list[Answer]:
        """Offer transactions of one account, in the order of nonces; one answer each, never an error."""
        ...

    def hides(self, row: Transaction, head: Head) -> bool:
        """Whether a transaction may be where no node can see it yet."""
        ...


class PublicRoute:
    """The node's own pool.

    Parameters
    ----------
    rpc : Rpc
        The node.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def send(self, rows: Sequence[tuple[Transaction, Signed]], head: Head) -> list[Answer]:
        """See `Route.send`."""
        return await broadcast(self._rpc, [signed for _, signed in rows])

    def hides(self, row: Transaction, head: Head) -> bool:
        """See `Route.hides`: everything a pool has can be asked for by its hash."""
        return False


async def broadcast(rpc: Rpc, transactions: Sequence[Signed]) -> list[Answer]:
    """Send signed transactions once, in one round trip. Sending the same bytes again is harmless.

    Raises
    ------
    MalformedAnswerError
        If the node acknowledges another hash than the one signed.
    """
    calls = [RpcCall("eth_sendRawTransaction", [codec.hex_data(signed.raw)]) for signed in transactions]
    try:
        answers = await rpc.batch(calls)
    except EndpointUnreachableError as error:
        return [Answer(Word.SILENCE, error.detail)] * len(calls)
    except (RpcError, WrongChainError) as error:
        # Of several endpoints one is too busy, or of another chain, and the next may have them all the same.
        return [Answer(Word.SILENCE, str(error))] * len(calls)
    return [_read(answer, signed) for answer, signed in zip(answers, transactions, strict=True)]


def judge(message: str) -> Answer:
    """Return what the words of a refusal mean."""
    words = message.lower()
    for word, phrases in _PHRASES:
        if any(phrase in words for phrase in phrases):
            return Answer(word, "" if word is Word.KNOWN else message)
    return Answer(Word.UNKNOWN, message)


def _read(answer: Json | RpcError, signed: Signed) -> Answer:
    if isinstance(answer, RpcError):
        return judge(answer.message)
    acknowledged = codec.hash32(answer, "eth_sendRawTransaction")
    if acknowledged != signed.hash:
        raise MalformedAnswerError("eth_sendRawTransaction", acknowledged, f"the hash {signed.hash}")
    return Answer(Word.TAKEN)
