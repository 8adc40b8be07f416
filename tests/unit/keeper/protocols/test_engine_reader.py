"""What the engine stores of auctions, in place of a history that was not replayed."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from eth_abi.abi import decode, encode

from bot.domain.engine import Leg
from bot.errors import MalformedAnswerError, RpcError
from bot.ports import Json, RpcCall
from bot.protocols.sluice.auctions import EngineReader
from bot.protocols.sluice.book import Book
from bot.protocols.sluice.calls import Function
from bot.strategy.snapshot import Auction
from tests.support.keeper import ENGINE, a_head

ALICE, BORIS = bytes([1] * 20), bytes([2] * 20)
LEG = Function("liquidation_engine", "auctionLeg").data(f"0x{ALICE.hex()}", 0)[:4]


@dataclass
class Engine:
    """Answers with figures that name what was asked for."""

    label: str = "node"
    broken: bool = False

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        raise AssertionError("everything is asked at once")

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        return ["0x01" if self.broken else self._answer(call) for call in calls]

    def _answer(self, call: RpcCall) -> Json:
        request, block = call.params
        assert block == {"blockHash": a_head(7).hash}
        assert isinstance(request, dict)
        data = bytes.fromhex(str(request["data"])[2:])
        if data[:4] == LEG:
            account, asset_id = decode(["address", "uint8"], data[4:])
            values = (100 + asset_id, 7, 1_000, 1, 5_000, int(account[-1]))
            return "0x" + encode(["(uint64,uint64,uint40,uint32,uint48,uint8)"], [values]).hex()
        account, asset_id = decode(["address", "uint8"], data[4:])
        return "0x" + encode(["uint48", "uint32"], [10 * asset_id, int(account[-1])]).hex()


def book_of_two() -> Book:
    book = Book(3)
    for account in (ALICE, BORIS):
        book.row(account)
    return book


def auction(epoch: int, *assets: int) -> Auction:
    return Auction(epoch, b"k" * 20, 900, 5_000, {asset_id: Leg(1, 1, 1) for asset_id in assets})


async def test_legs_and_clocks_are_those_of_the_engine_and_the_rest_stays() -> None:
    known = {0: auction(1, 0, 2), 1: auction(9, 1)}
    found = await EngineReader(Engine(), ENGINE).auctions(known, book_of_two(), a_head(7))
    assert found[0].legs == {0: Leg(100, 7, 1_000, 5_000, 1), 2: Leg(102, 7, 1_000, 5_000, 1)}
    assert found[0].buy_clocks == {1: 10, 2: 20}
    assert found[1].legs == {1: Leg(101, 7, 1_000, 5_000, 2)}
    assert found[1].buy_clocks == {}  # those of an earlier epoch do not count
    assert (found[0].kicker, found[0].tip_owed, found[0].kicked_at) == (b"k" * 20, 5_000, 900)


async def test_nothing_is_asked_where_no_auction_runs() -> None:
    assert await EngineReader(Engine(broken=True), ENGINE).auctions({}, book_of_two(), a_head(7)) == {}


async def test_an_answer_that_is_no_record_is_refused() -> None:
    with pytest.raises(MalformedAnswerError, match="record of the liquidation engine"):
        await EngineReader(Engine(broken=True), ENGINE).auctions({0: auction(1, 0)}, book_of_two(), a_head(7))
