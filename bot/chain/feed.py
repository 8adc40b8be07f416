"""The head feed: announcements in, a chain of heads out, through dropped sockets and reorgs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

import structlog

from bot.chain import codec
from bot.chain.head_chain import HEADS_REMEMBERED, HeadChain
from bot.errors import (
    ChainError,
    EndpointUnreachableError,
    HeadChainBrokenError,
    HeadGapError,
    MalformedAnswerError,
    RpcError,
    WrongChainError,
)
from bot.ports import Hash32, Head, HeadEvent, Json, Reorg, RpcCall

_log = structlog.get_logger(__name__)

_GAP_CHUNK = 64
"""Headers asked for in one batch when a gap is filled."""

_REORG_CHUNK = 8
"""Headers asked for in one batch below the tip: most reorgs are shallow."""

_LINK_ATTEMPTS = 5
"""How often a chain that moves while it is read is read again."""

POLL_AFTER_BLOCKS = 2.5
"""Block times of silence after which an endpoint is asked for its newest head."""

ROTATE_AFTER_BLOCKS = 5.0
"""Block times without a new head after which another endpoint is turned to."""


_PASSING = (EndpointUnreachableError, HeadChainBrokenError, MalformedAnswerError, RpcError, WrongChainError)
"""Failures of an endpoint that another one does not share, and that it may recover from itself."""


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """How long a feed waits for its endpoint, and how much it makes up.

    Parameters
    ----------
    backoff_start_s, backoff_limit_s : float
        Seconds before the first attempt to reconnect; each wait is twice the last, up to the limit.
    give_up_after_s : float
        Seconds without a connection after which the feed ends with the error.
    largest_gap : int
        Heads made up at most; a wider gap is for a fresh start, which reads state, not history.
    block_time_s : float
        Seconds between two heads, as a rule: the measure of the watchdog.
    """

    backoff_start_s: float = 0.1
    backoff_limit_s: float = 5.0
    give_up_after_s: float = 120.0
    largest_gap: int = 20_000
    block_time_s: float = 12.0


class HeadSource(Protocol):
    """What a feed needs of an endpoint; `RpcClient` is one, `bot.chain.pool.EndpointPool` several in one."""

    @property
    def label(self) -> str:
        """What errors and logs call it."""
        ...

    def announced_heads(self) -> AsyncGenerator[list[Head], None]:
        """Yield bunches of heads until the connection is lost."""
        ...

    async def newest_head(self) -> Head:
        """Ask for the newest head."""
        ...

    def refreshed(self) -> None:
        """Note that the chain grew."""
        ...

    async def rotate(self, reason: str) -> bool:
        """Turn to another endpoint; False if all were tried since the chain last grew."""
        ...

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        """Send many requests at once."""
        ...


class _ChainMovedError(Exception):
    """Headers read one after another were not of one chain; read again."""


class ChainHeadFeed:
    """`bot.ports.HeadFeed` over one endpoint or several. Iterate over it once.

    A watchdog by the monotonic clock turns to another endpoint when no new head has come for
    `ROTATE_AFTER_BLOCKS` block times, and calls the feed stale once none of them brings one.

    Parameters
    ----------
    source : HeadSource
        The endpoint.
    options : FeedOptions
        Patience.
    """

    def __init__(self, source: HeadSource, options: FeedOptions | None = None) -> None:
        self._source = source
        self._options = options if options is not None else FeedOptions()
        self._chain = HeadChain()
        self._watchdog = _Watchdog(ROTATE_AFTER_BLOCKS * self._options.block_time_s)

    @property
    def stale(self) -> bool:
        """See `bot.ports.HeadFeed.stale`."""
        return self._watchdog.stale

    async def __aiter__(self) -> AsyncIterator[HeadEvent]:
        """Iterate over the events; see `bot.ports.HeadFeed.__aiter__`."""
        patience = _Patience(self._source, self._options)
        self._watchdog.start()
        while True:
            try:
                async with aclosing(self._source.announced_heads()) as bunches:
                    async for bunch in bunches:
                        events = await self._follow(bunch)
                        patience.restore()
                        if await self._is_overdue(events):
                            break
                        for event in events:
                            yield event
            except _PASSING as error:
                self._watchdog.check_lost()
                await patience.wait(error)

    async def _is_overdue(self, events: Sequence[HeadEvent]) -> bool:
        """Look at the clock; True after another endpoint was turned to."""
        if events:
            self._watchdog.fed()
            self._source.refreshed()
            return False
        silent_s = self._watchdog.overdue_s()
        if silent_s is None:
            return False
        if not await self._source.rotate(f"no new head for {silent_s:.1f} s"):
            self._watchdog.exhausted()
        return True

    async def _follow(self, bunch: Sequence[Head]) -> list[HeadEvent]:
        """Return the events that lead from the tip to the newest head of a bunch."""
        newest, announced = bunch[-1], {head.hash: head for head in bunch}
        for _ in range(_LINK_ATTEMPTS):
            if self._chain.holds(newest.hash):
                return []
            try:
                if self._chain.tip is None:
                    await self._remember_ancestors(newest)
                events = self._chain.extend(await self._branch(newest, announced))
            except _ChainMovedError:
                newest = await self._source.newest_head()
                continue
            self._report(events)
            return events
        raise HeadChainBrokenError(self._source.label, newest.number, _LINK_ATTEMPTS)

    async def _remember_ancestors(self, first: Head) -> None:
        """Read what lies below the first head, so that a reorg of it is rolled back like any other."""
        ancestors = await self._linked_below(first, max(0, first.number - HEADS_REMEMBERED))
        self._chain.remember(ancestors[::-1])

    async def _branch(self, newest: Head, announced: Mapping[Hash32, Head]) -> list[Head]:
        """Return the heads from the one that joins the chain up to ``newest``, oldest first."""
        branch, tip = [newest], self._chain.tip
        while tip is not None and not self._chain.holds(branch[-1].parent_hash):
            if len(branch) > self._options.largest_gap:
                raise HeadGapError(self._source.label, newest.number, self._options.largest_gap)
            parent = announced.get(branch[-1].parent_hash)
            branch += [parent] if parent is not None else await self._ancestors(branch[-1], tip)
        branch.reverse()
        return branch

    async def _ancestors(self, lowest: Head, tip: Head) -> list[Head]:
        """Read some heads below ``lowest``, newest first, ending at the one that joins the chain."""
        self._chain.check_reachable(lowest)
        if lowest.number - 1 > tip.number:
            return await self._linked_below(lowest, max(tip.number + 1, lowest.number - _GAP_CHUNK))
        return await self._linked_below(lowest, max(0, lowest.number - _REORG_CHUNK))

    async def _linked_below(self, head: Head, first: int) -> list[Head]:
        """Read the heads from below ``head`` down to number ``first``, or to one that joins the chain."""
        found: list[Head] = []
        for ancestor in await self._headers(range(head.number - 1, first - 1, -1)):
            if ancestor.hash != (found[-1] if found else head).parent_hash:
                raise _ChainMovedError
            found.append(ancestor)
            if self._chain.holds(ancestor.parent_hash):
                break
        return found

    async def _headers(self, numbers: Sequence[int]) -> list[Head]:
        calls = [RpcCall("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
        blocks: list[Head] = []
        for answer in await self._source.batch(calls):
            if isinstance(answer, RpcError):
                raise answer
            if answer is None:  # the node's chain became shorter than it was
                raise _ChainMovedError
            blocks.append(codec.head(answer))
        return blocks

    def _report(self, events: Sequence[HeadEvent]) -> None:
        if isinstance(events[0], Reorg):
            _log.warning("reorg", ancestor=events[0].ancestor.number, dropped=len(events[0].dropped))
        elif len(events) > 1:
            _log.info("heads_backfilled", count=len(events) - 1)


class _Watchdog:
    """Measures the time since the chain last grew; by the monotonic clock, which nobody can set.

    Parameters
    ----------
    limit_s : float
        Seconds without a new head that are too many.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._fed_at = 0.0
        self._due_at = 0.0
        self.stale = False

    def start(self) -> None:
        """Begin to measure."""
        self._fed_at = asyncio.get_running_loop().time()
        self._due_at = self._fed_at + self._limit_s

    def fed(self) -> None:
        """Note a new head."""
        self.start()
        if self.stale:
            self.stale = False
            _log.info("heads_back")

    def overdue_s(self) -> float | None:
        """Return the seconds without a new head, if they are too many; else None."""
        now = asyncio.get_running_loop().time()
        return now - self._fed_at if now > self._due_at else None

    def exhausted(self) -> None:
        """Note that no endpoint has a new head; they are given as much time again."""
        self._due_at = asyncio.get_running_loop().time() + self._limit_s
        if not self.stale:
            self.stale = True
            _log.error("heads_stale", limit_s=self._limit_s)

    def check_lost(self) -> None:
        """Note that a connection is lost, which for long enough is as bad as silence."""
        if self.overdue_s() is not None:
            self.exhausted()


class _Patience:
    """Waits longer after each failure in a row, and gives up at last."""

    def __init__(self, source: HeadSource, options: FeedOptions) -> None:
        self._source = source
        self._options = options
        self._delay_s = options.backoff_start_s
        self._lost_at: float | None = None

    def restore(self) -> None:
        """Start anew: the endpoint answered."""
        if self._lost_at is not None:
            _log.info("endpoint_back", endpoint=self._source.label)
        self._lost_at = None
        self._delay_s = self._options.backoff_start_s

    async def wait(self, error: ChainError) -> None:
        """Wait before the next attempt, or raise the error if there were enough of them."""
        now, label = asyncio.get_running_loop().time(), self._source.label
        self._lost_at = now if self._lost_at is None else self._lost_at
        if now + self._delay_s - self._lost_at > self._options.give_up_after_s:
            _log.error("endpoint_given_up", endpoint=label, after_s=self._options.give_up_after_s)
            raise error
        _log.warning("endpoint_lost", endpoint=label, error=str(error), retry_in_s=self._delay_s)
        await asyncio.sleep(self._delay_s)
        self._delay_s = min(2 * self._delay_s, self._options.backoff_limit_s)
