"""Auctions as the engine stores them.

What a kick and each settlement leave behind, the highest urgency of a leg and the clocks it runs by, follows
from what an account held at that moment. Where its history is not replayed, the engine's own record is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from bot.chain import codec
from bot.domain.engine import Leg
from bot.ports import Head, Rpc, RpcCall
from bot.protocols.sluice.book import Book
from bot.protocols.sluice.calls import Function
from bot.protocols.sluice.reader import returned
from bot.strategy.snapshot import Auction

_LEG: Final = Function("liquidation_engine", "auctionLeg")
_BUY_CLOCK: Final = Function("liquidation_engine", "buyClock")


class EngineReader:
    """Reads what the liquidation engine stores.

    Parameters
    ----------
    rpc : Rpc
        Endpoint.
    engine : str
        The liquidation engine.
    """

    def __init__(self, rpc: Rpc, engine: str) -> None:
        self._rpc: Final = rpc
        self._engine: Final = engine

    async def auctions(self, known: Mapping[int, Auction], book: Book, head: Head) -> dict[int, Auction]:
        """Return running auctions with legs and clocks as stored at ``head``.

        Parameters
        ----------
        known : mapping of int to Auction
            Running auctions, by row of the book: who kicked when, what is owed, and which legs there are.
        book : Book
            Complete.
        head : Head
            The head.
        """
        places = [(row, asset_id) for row, auction in known.items() for asset_id in auction.legs]
        stored = await self._read(_LEG, head, [(_account(book, row), asset_id) for row, asset_id in places])
        legs: dict[int, dict[int, Leg]] = {row: {} for row in known}
        for (row, asset_id), (leg,) in zip(places, stored, strict=True):
            start, decay, started_at, _, clock_at, urgency = leg
            legs[row][asset_id] = Leg(start, decay, started_at, clock_at, urgency)
        clocks = await self._buy_clocks(known, book, head)
        return {
            row: replace(auction, legs=legs[row], buy_clocks=clocks[row]) for row, auction in known.items()
        }

    async def _buy_clocks(
        self, known: Mapping[int, Auction], book: Book, head: Head
    ) -> dict[int, dict[int, int]]:
        """Return the clocks of each auction's budgeted debts; those of an earlier auction do not count."""
        assets = range(book.debt_shares.shape[1])
        places = [(row, asset_id) for row in known for asset_id in assets]
        arguments = [(_account(book, row), asset_id) for row, asset_id in places]
        clocks: dict[int, dict[int, int]] = {row: {} for row in known}
        stored = await self._read(_BUY_CLOCK, head, arguments)
        for (row, asset_id), (clock, epoch) in zip(places, stored, strict=True):
            if clock and epoch == known[row].epoch:
                clocks[row][asset_id] = clock
        return clocks

    async def _read(
        self, function: Function, head: Head, arguments: Sequence[tuple[object, ...]]
    ) -> list[tuple[Any, ...]]:
        calls = []
        for given in arguments:
            data = codec.hex_data(function.data(*given))
            calls.append(RpcCall("eth_call", ({"to": self._engine, "data": data}, codec.at(head))))
        answers = await self._rpc.batch(calls) if calls else []
        return [returned(function, answer, "record of the liquidation engine") for answer in answers]


def _account(book: Book, row: int) -> str:
    return f"0x{book.accounts[row].hex()}"
