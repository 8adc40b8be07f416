"""Private relays: transactions that go to block builders first, and to the public pool if that fails.

What is worth something to others is offered to a relay for some blocks, where nobody sees it before it is in
a block. A relay is not trusted: it must acknowledge the hash of what was sent, and what it does not land in
time is broadcast. A relay that acknowledges something else is not used again by this process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak

from bot.chain import codec
from bot.errors import ChainError
from bot.execution.broadcast import Answer, Route, Word
from bot.execution.post import Headers, JsonRpcPost
from bot.ports import Hash32, Head, Json, Lane, Signed, Transaction

_log = structlog.get_logger(__name__)

Style = Literal["transaction", "bundle"]


@dataclass(frozen=True, slots=True)
class RelayOptions:
    """How a relay is used.

    Parameters
    ----------
    style : {"transaction", "bundle"}
        ``eth_sendPrivateTransaction`` for each, or ``eth_sendBundle`` for all of a head, in order and
        all or none, for the next block; a bundle is sent anew for every block.
    blocks : int
        Blocks for which a transaction is kept from the public pool.
    """

    style: Style = "transaction"
    blocks: int = 3


class PrivateRoute:
    """See `bot.execution.broadcast.Route`.

    Parameters
    ----------
    post : JsonRpcPost
        The relay.
    public : Route
        Where everything else goes, and what the relay fails to land.
    options : RelayOptions
        How the relay is used.
    """

    def __init__(self, post: JsonRpcPost, public: Route, options: RelayOptions) -> None:
        self._post: Final = post
        self._public: Final = public
        self._options: Final = options
        self._trusted = True

    def hides(self, row: Transaction, head: Head) -> bool:
        """See `Route.hides`: what is urgent and worth something, while it is young."""
        terms = row.intent.terms
        private = terms.lane is Lane.URGENT and terms.worth is not None and not row.cancels
        return private and self._trusted and head.number - row.planned_block < self._options.blocks

    async def send(self, rows: Sequence[tuple[Transaction, Signed]], head: Head) -> list[Answer]:
        """See `Route.send`.

        The hidden ones go to the relay as long as they come first: a public transaction with a later
        nonce waits for them, one with an earlier nonce must not be missing from a bundle.
        """
        hidden = [(row, signed) for row, signed in rows if self.hides(row, head)]
        open_ = [(row, signed) for row, signed in rows if not self.hides(row, head)]
        answers: dict[Hash32, Answer] = {}
        if hidden and not await self._offer(hidden, head):
            open_ = list(rows)
        elif hidden:
            answers = {signed.hash: Answer(Word.TAKEN) for _, signed in hidden}
        if open_:
            for (_, signed), answer in zip(open_, await self._public.send(open_, head), strict=True):
                answers[signed.hash] = answer
        return [answers[signed.hash] for _, signed in rows]

    async def _offer(self, rows: Sequence[tuple[Transaction, Signed]], head: Head) -> bool:
        """Offer transactions to the relay; False if they have to go the public way."""
        try:
            if self._options.style == "bundle":
                await self._bundle([signed for _, signed in rows], head)
            else:
                for row, signed in rows:
                    await self._transaction(row, signed)
        except ChainError as error:
            _log.warning("relay_failed", relay=self._post.label, reason=str(error))
            return False
        return self._trusted

    async def _transaction(self, row: Transaction, signed: Signed) -> None:
        last = row.planned_block + self._options.blocks
        request: Json = {
            "tx": codec.hex_data(signed.raw),
            "maxBlockNumber": codec.hex_quantity(last),
            "preferences": {"fast": True},
        }
        method = "eth_sendPrivateTransaction"
        self._compare(codec.hash32(await self._post.call(method, request), method), signed.hash)

    async def _bundle(self, transactions: Sequence[Signed], head: Head) -> None:
        request: Json = {
            "txs": [codec.hex_data(signed.raw) for signed in transactions],
            "blockNumber": codec.hex_quantity(head.number + 1),
        }
        answer = codec.mapping(await self._post.call("eth_sendBundle", request), "eth_sendBundle")
        hashes = b"".join(bytes.fromhex(signed.hash[2:]) for signed in transactions)
        acknowledged = codec.hash32(answer.get("bundleHash"), "bundleHash")
        self._compare(acknowledged, Hash32("0x" + keccak(hashes).hex()))

    def _compare(self, acknowledged: Hash32, sent: Hash32) -> None:
        if acknowledged != sent:
            self._trusted = False
            _log.error("relay_distrusted", relay=self._post.label, acknowledged=acknowledged, sent=sent)


def signing_headers(key: bytes) -> Headers:
    """Return headers by which relays know who sends: the account of ``key`` signs the hash of each body.

    Parameters
    ----------
    key : bytes
        A key that holds no money; a relay keeps the sender's reputation by it.
    """
    account = Account.from_key(key)

    def headers(body: bytes) -> Mapping[str, str]:
        signed = account.sign_message(encode_defunct(text="0x" + keccak(body).hex()))
        return {"X-Flashbots-Signature": f"{account.address}:0x{bytes(signed.signature).hex()}"}

    return headers
