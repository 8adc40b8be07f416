"""A request that the node turns away is made again, for so long; one that it refuses is not."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.chain.patient import PatientRpc, RetryOptions, is_busy
from bot.errors import (
    ChainError,
    EndpointBusyError,
    EndpointUnreachableError,
    MalformedAnswerError,
    RpcError,
    WrongChainError,
)
from bot.ports import Json, RpcCall
from tests.support.clock import leaping

OPTIONS = RetryOptions(attempts=5, backoff_start_s=0.5, backoff_limit_s=2.0)
BUSY = RpcError("eth_call", -32005, "Too many requests")
GONE = EndpointUnreachableError("ws://node", "HTTP status 429")
REVERTED = RpcError("eth_call", 3, "execution reverted")


class Node:
    """Fails as it is told to, then answers; notes when it was asked."""

    label = "ws://node"

    def __init__(self, *faults: ChainError, elements: Sequence[Sequence[Json | RpcError]] = ()) -> None:
        self.faults, self.elements = list(faults), list(elements)
        self.asked_at: list[float] = []

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        self.asked_at.append(asyncio.get_running_loop().time())
        if self.faults:
            raise self.faults.pop(0)
        return "0x1"

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        await self.request("batch")
        return list(self.elements.pop(0))


@pytest.mark.parametrize(
    "fault", [BUSY, GONE, MalformedAnswerError("answer", "{", "JSON"), WrongChainError("a", 1, 2)]
)
@leaping
async def test_what_the_node_fails_is_asked_again_later_each_time(fault: ChainError) -> None:
    node = Node(*[fault] * 4)
    assert await PatientRpc(node, OPTIONS).request("eth_call") == "0x1"
    assert node.asked_at == [0.0, 0.5, 1.5, 3.5, 5.5]


@leaping
async def test_patience_ends_in_an_error_with_the_fix() -> None:
    node = Node(*[BUSY] * 9)
    with pytest.raises(
        EndpointBusyError, match=r"eth_call away 5 times.*Too many.*requests_per_second"
    ) as caught:
        await PatientRpc(node, OPTIONS).request("eth_call")
    assert (caught.value.endpoint, caught.value.attempts, caught.value.last) == ("ws://node", 5, BUSY)
    assert len(node.asked_at) == 5


@leaping
async def test_what_is_refused_for_what_it_asks_is_asked_once() -> None:
    node = Node(REVERTED)
    with pytest.raises(RpcError, match="reverted"):
        await PatientRpc(node, OPTIONS).request("eth_call")
    assert node.asked_at == [0.0]


@leaping
async def test_one_call_of_a_batch_that_is_turned_away_has_the_batch_made_again() -> None:
    node = Node(elements=[["0x1", BUSY], ["0x1", REVERTED]])
    calls = [RpcCall("eth_call"), RpcCall("eth_call")]
    assert await PatientRpc(node, OPTIONS).batch(calls) == ["0x1", REVERTED]
    assert node.asked_at == [0.0, 0.5]


@pytest.mark.parametrize(
    ("code", "words", "busy"),
    [
        (-32005, "too many requests", True),
        (-32005, "project ID request rate exceeded", True),
        (429, "Your app has exceeded its compute units per second capacity", True),
        (-32007, "50/second request limit reached", True),
        (-32603, "upstream answered with status 503", True),
        (-32005, "query returned more than 10000 results", False),
        (-32602, "block range limit exceeded", False),
        (-32000, "header not found", False),
        (3, "execution reverted", False),
    ],
)
def test_later_is_told_from_no(code: int, words: str, busy: bool) -> None:
    assert is_busy(RpcError("eth_getLogs", code, words)) is busy
