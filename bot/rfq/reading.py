"""What the dealer reads of the chain at a head: one batch, pinned to it."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from eth_utils.crypto import keccak

from bot.chain import codec
from bot.chain.head_chain import HEADS_REMEMBERED
from bot.errors import MalformedAnswerError, RpcError
from bot.ports import Head, Json, Rpc, RpcCall
from bot.rfq import views
from bot.rfq.dealing import Funds
from bot.rfq.records import IssuedQuote

_FILLED: Final = "0x" + keccak(b"QuoteFilled(bytes32,address,uint256,bool)").hex()
_WORD: Final = 32
"""Bytes of the amount, which comes first in the data of a fill."""


class Places(NamedTuple):
    """Where the dealer's money is and may go; 20 bytes each.

    Parameters
    ----------
    engine, house, router : bytes
        Liquidation engine, clearing house, and the router that hedges.
    dealer : bytes
        Who holds the money.
    tokens : mapping of int to bytes
        Those that the dealer deals in, by asset id.
    """

    engine: bytes
    house: bytes
    router: bytes
    dealer: bytes
    tokens: Mapping[int, bytes]


class Reading(NamedTuple):
    """The dealer's side of a head.

    Parameters
    ----------
    funds : mapping of int to Funds
        By asset id.
    router_allowance : mapping of int to int
        What the router may draw, by asset id.
    filled : mapping of bytes to int
        Collateral units filled of each open quote, by digest.
    """

    funds: Mapping[int, Funds]
    router_allowance: Mapping[int, int]
    filled: Mapping[bytes, int]


class Reader:
    """Reads balances, allowances and fills.

    Parameters
    ----------
    rpc : Rpc
        The node.
    places : Places
        Where to look.
    """

    def __init__(self, rpc: Rpc, places: Places) -> None:
        self._rpc: Final = rpc
        self._places: Final = places

    async def at(self, head: Head, open_quotes: Sequence[IssuedQuote]) -> Reading:
        """Return what the chain holds at a head.

        Raises
        ------
        ChainError
            If the node fails.
        """
        places, at = self._places, codec.at(head)
        calls = [self._fills(head, open_quotes)]
        for token in places.tokens.values():
            calls.append(views.balance(token, places.dealer, at))
            calls += [views.allowance(token, places.dealer, to, at) for to in (places.house, places.router)]
        logs, *answers = await self._rpc.batch(calls)
        numbers = [views.number(answer, "a view of the dealer's") for answer in answers]
        funds, allowances = {}, {}
        for index, asset_id in enumerate(places.tokens):
            balance, to_house, to_router = numbers[3 * index : 3 * index + 3]
            funds[asset_id], allowances[asset_id] = Funds(balance, to_house), to_router
        return Reading(funds, allowances, _filled(logs, open_quotes))

    def _fills(self, head: Head, open_quotes: Sequence[IssuedQuote]) -> RpcCall:
        """Return the question for every fill of the open quotes: a reorg changes the answer with it.

        The engine keeps no total of a quote that is used up, so its events are summed. A reorg to a shorter
        chain may put a fill below the block on which its quote was made.
        """
        first = max(min((issued.block for issued in open_quotes), default=head.number) - HEADS_REMEMBERED, 0)
        dealer = "0x" + self._places.dealer.rjust(32, b"\0").hex()
        asked: dict[str, Json] = {
            "address": "0x" + self._places.engine.hex(),
            "fromBlock": codec.hex_quantity(first),
            "toBlock": codec.hex_quantity(head.number),
            "topics": [_FILLED, None, dealer],
        }
        return RpcCall("eth_getLogs", (asked,))


def _filled(answer: Json | RpcError, open_quotes: Sequence[IssuedQuote]) -> dict[bytes, int]:
    if isinstance(answer, RpcError):
        raise answer
    filled = {issued.digest: 0 for issued in open_quotes}
    for log in codec.logs(answer, "fills"):
        if len(log.topics) < 2 or len(log.data) < _WORD:
            raise MalformedAnswerError("fill", log.topics, "one with its quote and amount")
        digest = bytes.fromhex(log.topics[1][2:])
        if digest in filled:
            filled[digest] += int.from_bytes(log.data[:_WORD])
    return filled
