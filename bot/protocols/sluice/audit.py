"""Holds a book against the chain at a pinned block."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeVar

from bot.chain import codec
from bot.errors import BookDivergedError, MalformedAnswerError
from bot.ports import Head, Rpc
from bot.protocols.sluice import lens
from bot.protocols.sluice.calls import Function
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.reader import returned
from bot.protocols.sluice.state import State

_T = TypeVar("_T")


class Auditor:
    """Compares a state with the position lens.

    Parameters
    ----------
    rpc : Rpc
        Endpoint.
    manifest : Manifest
        Where the lens is.
    """

    def __init__(self, rpc: Rpc, manifest: Manifest) -> None:
        self._rpc: Final = rpc
        self._lens: Final = manifest.position_lens

    async def audit(self, state: State, head: Head, sample: int) -> int:
        """Hold a sample of accounts, and every total and price, against the chain at ``head``.

        The sample is drawn by the head's height, so that it is the same for everyone and moves on. Accounts
        in quarantine are passed over.

        Returns
        -------
        int
            Accounts that were looked at.

        Raises
        ------
        BookDivergedError
            With the first quantity that differs.
        """
        rows = range(len(state.book))
        drawn = Random(head.number).sample(rows, min(sample, len(rows)))
        chosen = [row for row in drawn if row not in state.book.quarantined]
        await self._positions(state, head, chosen)
        await self._markets(state, head)
        return len(chosen)

    async def _positions(self, state: State, head: Head, rows: Sequence[int]) -> None:
        book = state.book
        accounts = [book.accounts[row] for row in rows]
        packed = await self._read(head, lens.POSITIONS, [f"0x{account.hex()}" for account in accounts])
        for row, found in zip(rows, _unpacked(lambda: lens.unpack_positions(packed, len(rows))), strict=True):
            kept = lens.LensPosition(
                int(book.epoch[row]),
                bool(book.flagged[row]),
                max(int(book.risk_block[row]), 0),
                {i: amount for i, amount in enumerate(book.collateral.row(row)) if amount},
                {i: shares for i, shares in enumerate(book.debt_shares.row(row)) if shares},
            )
            if kept != found:
                raise BookDivergedError(f"account 0x{book.accounts[row].hex()}", kept, found)

    async def _markets(self, state: State, head: Head) -> None:
        packed = await self._read(head, lens.MARKETS)
        markets = _unpacked(lambda: lens.unpack_markets(packed))
        if len(markets) != len(state.assets):
            raise BookDivergedError("number of listed assets", len(state.assets), len(markets))
        for asset_id, found in enumerate(markets):
            market = state.assets[asset_id].market_at(head.timestamp)
            price = state.price(asset_id, head.timestamp) or 0
            kept = lens.LensMarket(lens.without_clock(market), price)
            if kept != found:
                raise BookDivergedError(f"totals of asset {asset_id}", kept, found)

    async def _read(self, head: Head, function: Function, *arguments: object) -> bytes:
        call = {"to": self._lens, "data": codec.hex_data(function.data(*arguments))}
        answer = await self._rpc.request("eth_call", (call, codec.at(head)))
        (packed,) = returned(function, answer, "answer of the position lens")
        return bytes(packed)


def _unpacked(unpack: Callable[[], Sequence[_T]]) -> Sequence[_T]:
    try:
        return unpack()
    except ValueError as error:
        raise MalformedAnswerError("answer of the position lens", str(error), "whole accounts") from None
