"""The head feed over a node that misbehaves in ways that a real one does only rarely."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

import pytest

from bot.chain.feed import ChainHeadFeed, FeedOptions
from bot.errors import (
    EndpointUnreachableError,
    HeadChainBrokenError,
    HeadGapError,
    MalformedAnswerError,
    ReorgTooDeepError,
    RpcError,
    WrongChainError,
)
from bot.ports import Head, HeadEvent, Json, NewHead, Reorg, RpcCall
from tests.support.clock import leaping
from tests.support.keeper import a_head

IMPATIENT = FeedOptions(backoff_start_s=0.001, backoff_limit_s=0.002, give_up_after_s=0.02, largest_gap=300)


def as_json(head: Head) -> Json:
    return {
        "number": hex(head.number),
        "hash": head.hash,
        "parentHash": head.parent_hash,
        "timestamp": hex(head.timestamp),
        "baseFeePerGas": hex(head.base_fee_per_gas),
    }


class Node:
    """A chain, and what its endpoint announces of it.

    Parameters
    ----------
    heads : sequence of Head
        The chain, served by number.
    sessions : sequence of (list of bunches)
        What each connection announces before it drops.
    """

    label = "ws://node"

    def __init__(self, heads: Sequence[Head], sessions: Sequence[Sequence[list[Head]]]) -> None:
        self.by_number = {head.number: head for head in heads}
        self.sessions = list(sessions)
        self.batches: list[int] = []
        self.faults: list[Exception] = []
        self.rotations: list[str] = []
        self.untried = 0

    def refreshed(self) -> None:
        self.untried = 1

    async def rotate(self, reason: str) -> bool:
        self.rotations.append(reason)
        self.untried -= 1
        return self.untried >= 0

    async def announced_heads(self) -> AsyncGenerator[list[Head], None]:
        if not self.sessions:
            raise EndpointUnreachableError(self.label, "connection refused")
        for bunch in self.sessions.pop(0):
            yield bunch
        raise EndpointUnreachableError(self.label, "the connection was lost")

    async def newest_head(self) -> Head:
        return self.by_number[max(self.by_number)]

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        if self.faults:
            raise self.faults.pop(0)
        self.batches.append(len(calls))
        numbers = [int(str(call.params[0]), 16) for call in calls]
        return [as_json(self.by_number[number]) if number in self.by_number else None for number in numbers]


async def followed(node: Node, then: Callable[[HeadEvent], None] = lambda event: None) -> list[HeadEvent]:
    """Return the events until the feed gives up; ``then`` is called after each."""
    events: list[HeadEvent] = []
    with suppress(EndpointUnreachableError):
        async for event in ChainHeadFeed(node, IMPATIENT):
            events.append(event)
            then(event)
    return events


def numbers(events: Sequence[HeadEvent]) -> list[int]:
    return [event.head.number if isinstance(event, NewHead) else -event.ancestor.number for event in events]


CHAIN = [a_head(number) for number in range(400)]


@leaping
async def test_a_gap_is_filled_in_batches_of_bounded_size() -> None:
    node = Node(CHAIN, [[[a_head(200)], [a_head(390)]]])
    events = await followed(node)
    assert numbers(events) == list(range(200, 391))
    assert node.batches == [128, 64, 64, 61]


@leaping
async def test_heads_missed_between_two_connections_are_made_up() -> None:
    node = Node(CHAIN, [[[a_head(200)]], [[a_head(205)]], [[a_head(205)], [a_head(206)]]])
    assert numbers(await followed(node)) == list(range(200, 207))


@leaping
async def test_a_bunch_of_announcements_needs_no_request() -> None:
    node = Node(CHAIN, [[[a_head(200)], [a_head(n) for n in range(201, 206)]]])
    events = await followed(node)
    assert numbers(events) == list(range(200, 206))
    assert node.batches == [128]


@leaping
async def test_heads_told_twice_or_late_are_told_once() -> None:
    node = Node(CHAIN, [[[a_head(200)], [a_head(201)], [a_head(200)], [a_head(201)], [a_head(202)]]])
    assert numbers(await followed(node)) == [200, 201, 202]


@leaping
async def test_a_reorg_below_the_first_head_is_rolled_back_like_any_other() -> None:
    fork = [a_head(199, 1, parent_branch=0), a_head(200, 1), a_head(201, 1)]
    node = Node(CHAIN[:199] + fork, [[[a_head(200)]]])
    node.by_number |= {199: a_head(199), 200: a_head(200)}

    def fork_after(event: HeadEvent) -> None:
        if event == NewHead(a_head(200), behind=0):
            node.by_number |= {head.number: head for head in fork}
            node.sessions.append([[a_head(201, 1)]])

    assert numbers(await followed(node, fork_after)) == [200, -198, 199, 200, 201]


@leaping
async def test_a_reorg_while_a_gap_is_read_starts_the_reading_again() -> None:
    moved = [a_head(203, 1, parent_branch=0), a_head(204, 1), a_head(205, 1)]
    node = Node(CHAIN[:203] + moved, [[[a_head(200)], [a_head(204)]]])
    events = await followed(node)
    assert numbers(events) == list(range(200, 206))
    assert [event.head for event in events if isinstance(event, NewHead)][-1] == a_head(205, 1)


@leaping
async def test_headers_that_never_link_end_the_feed() -> None:
    broken = [a_head(number, branch=number) for number in range(400)]
    node = Node(broken, [[[broken[399]]]] * 50)
    with pytest.raises(HeadChainBrokenError, match="block 399"):
        async for _ in ChainHeadFeed(node, IMPATIENT):
            pass


@leaping
async def test_a_gap_too_wide_to_make_up_ends_the_feed() -> None:
    node = Node(CHAIN, [[[a_head(20)], [a_head(399)]]])
    with pytest.raises(HeadGapError, match="block 399, more than 300 heads"):
        async for _ in ChainHeadFeed(node, IMPATIENT):
            pass


@leaping
async def test_a_reorg_deeper_than_memory_ends_the_feed() -> None:
    other = [CHAIN[0]] + [a_head(n, 1, parent_branch=0 if n == 1 else None) for n in range(1, 202)]
    node = Node(CHAIN[:201], [[[a_head(200)]]])

    def replace_all(event: HeadEvent) -> None:
        node.by_number = {head.number: head for head in other}
        node.sessions.append([[a_head(201, 1)]])

    with pytest.raises(ReorgTooDeepError):
        await followed(node, replace_all)


@pytest.mark.parametrize(
    "fault",
    [
        EndpointUnreachableError("ws://node", "no answer in time"),
        MalformedAnswerError("block", "junk", "a JSON object"),
        RpcError("eth_getBlockByNumber", -32005, "limit exceeded"),
        WrongChainError("ws://node", 31337, 5),
    ],
)
@leaping
async def test_a_passing_fault_costs_no_head(fault: Exception) -> None:
    node = Node(CHAIN, [[[a_head(200)]], [[a_head(205)]], [[a_head(205)]]])
    feed = aiter(ChainHeadFeed(node, IMPATIENT))
    assert numbers([await anext(feed)]) == [200]
    node.faults.append(fault)
    assert numbers([await anext(feed) for _ in range(5)]) == [201, 202, 203, 204, 205]


@leaping
async def test_waits_between_attempts_grow_and_end() -> None:
    node = Node(CHAIN, [])
    options = FeedOptions(backoff_start_s=0.01, backoff_limit_s=0.02, give_up_after_s=0.1)
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(EndpointUnreachableError, match="connection refused"):
        async for _ in ChainHeadFeed(node, options):
            pass
    assert loop.time() - started == pytest.approx(0.01 + 4 * 0.02)


@leaping
async def test_a_shallow_reorg_reads_few_headers() -> None:
    fork = [a_head(399, 1, parent_branch=0)]
    node = Node(CHAIN[:399] + fork, [[[a_head(398)], [a_head(399)], fork]])
    events = await followed(node)
    assert events[2] == Reorg(a_head(398), (a_head(399),))
    assert node.batches == [128]


IMPATIENT_WATCH = FeedOptions(
    backoff_start_s=0.001, backoff_limit_s=0.002, give_up_after_s=0.5, block_time_s=0.004
)


class QuietNode(Node):
    """Announces one head again and again, as an endpoint does whose chain stands still."""

    async def announced_heads(self) -> AsyncGenerator[list[Head], None]:
        while True:
            yield [await self.newest_head()]
            await asyncio.sleep(0.002)


@leaping
async def test_silence_turns_to_other_endpoints_and_then_counts_as_stale() -> None:
    node = QuietNode(CHAIN[:200], [])
    feed = ChainHeadFeed(node, IMPATIENT_WATCH)
    events = aiter(feed)
    assert numbers([await anext(events)]) == [199]
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.01)
    assert not node.rotations
    assert not feed.stale
    while len(node.rotations) < 2:  # noqa: ASYNC110  # a list of the stand-in, which is no event
        await asyncio.sleep(0.002)
    assert feed.stale
    assert "no new head for 0.0" in node.rotations[0]
    node.by_number[200] = a_head(200)
    assert numbers([await waiting]) == [200]
    assert not feed.stale


@leaping
async def test_an_endpoint_that_is_gone_for_too_long_counts_as_stale() -> None:
    node = Node(CHAIN, [[[a_head(200)]]])
    feed = ChainHeadFeed(node, IMPATIENT_WATCH)
    events = aiter(feed)
    assert numbers([await anext(events)]) == [200]
    waiting = asyncio.ensure_future(anext(events))
    while not feed.stale:  # noqa: ASYNC110  # a flag, which is no event
        await asyncio.sleep(0.002)
    node.sessions.append([[a_head(201)]])
    assert numbers([await waiting]) == [201]
    assert not feed.stale


@leaping
async def test_a_chain_that_grows_is_never_rotated_away_from() -> None:
    node = QuietNode(CHAIN[:200], [])
    feed = ChainHeadFeed(node, IMPATIENT_WATCH)
    events = aiter(feed)
    for number in range(200, 230):
        node.by_number[number] = a_head(number)
        await asyncio.sleep(0.002)
        await anext(events)
    assert not node.rotations
