"""The dealer's loop between stand-ins: what fails, and what it looks back on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from bot.errors import (
    BookDivergedError,
    ChainError,
    DealerLedgerError,
    EndpointUnreachableError,
    MalformedAnswerError,
)
from bot.ports import Head, Json, NewHead, RpcCall
from bot.rfq.reading import Places, Reader, Reading
from bot.rfq.records import IssuedQuote
from bot.rfq.service import DealerOptions, DealerService
from tests.support.dealing import a_dealer, scene
from tests.support.keeper import a_head
from tests.support.rfq import DOMAIN, a_quote

PLACES = Places(b"\xe1" * 20, b"\xc1" * 20, b"\xf1" * 20, b"\xd1" * 20, {})
MALFORMED = MalformedAnswerError("logs", "garbage", "a list")
GONE = EndpointUnreachableError("node", "no answer")
LOCKED = DealerLedgerError("dealer.sqlite", "database is locked")
WRONG = BookDivergedError("account", 1, 2)


class Stage:
    """Every part at once; fails on heads as a test says."""

    def __init__(self, failures: dict[int, Exception]) -> None:
        self.failures = failures
        self.stepped: list[int] = []
        self.distrusted = 0

    async def __aiter__(self) -> AsyncIterator[NewHead]:
        for number in range(100, 106):
            yield NewHead(a_head(number), 0)

    async def sync(self, head: Head) -> None:
        if head.number in self.failures:
            raise self.failures[head.number]

    async def distrust(self) -> None:
        self.distrusted += 1

    def snapshot(self, head: Head) -> Any:
        return scene().shoot()

    async def at(self, head: Head, open_quotes: Sequence[IssuedQuote]) -> Reading:
        return Reading({}, {}, {})

    async def open_quotes(self) -> list[IssuedQuote]:
        return []

    async def settle(self, filled: object, head: Head) -> list[Any]:
        return []

    async def end(self, digests: object, state: object) -> None:
        pass

    async def step(self, view: Any, reading: Reading, funding: object) -> None:
        self.stepped.append(view.head.number)


async def run(failures: dict[int, Exception], options: DealerOptions | None = None) -> Stage:
    stage: Any = Stage(failures)
    service = DealerService(
        feed=stage,
        protocol=stage,
        reader=stage,
        dealer=a_dealer(),
        ledger=stage,
        hedger=stage,
        lane=stage,
        places=PLACES,
        wrap=lambda call: call,
        options=options,
    )
    async with asyncio.timeout(5):
        await service.run()
    return stage


@pytest.mark.parametrize(
    "failure", [MALFORMED, GONE, LOCKED, WRONG], ids=lambda failure: type(failure).__name__
)
async def test_a_failure_of_node_book_or_ledger_costs_its_head_alone(
    failure: Exception,
) -> None:
    stage = await run({101: failure, 103: failure})
    assert stage.stepped == [100, 102, 104, 105]
    assert stage.distrusted == (2 if failure is WRONG else 0)


async def test_a_node_that_fails_head_after_head_ends_the_process_and_a_ledger_does_not() -> None:
    options = DealerOptions(failures=3)
    with pytest.raises(ChainError):
        await run(dict.fromkeys((101, 102, 103), MALFORMED), options)
    assert (await run(dict.fromkeys((101, 102, 103, 104), LOCKED), options)).stepped == [100, 105]


async def test_fills_are_looked_for_below_the_block_of_a_quote_where_a_reorg_may_have_put_them() -> None:
    class Node:
        label = "node"

        def __init__(self) -> None:
            self.asked: list[RpcCall] = []

        async def batch(self, calls: Sequence[RpcCall]) -> list[Json]:
            self.asked += calls
            return [[]]

    node: Any = Node()
    quote = a_quote()
    await Reader(node, PLACES).at(a_head(1_003), [IssuedQuote(quote, DOMAIN.digest(quote), b"", 1_005)])
    (asked,) = node.asked
    assert int(asked.params[0]["fromBlock"], 16) <= 1_005 - 128
    assert int(asked.params[0]["toBlock"], 16) == 1_003
