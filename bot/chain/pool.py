"""Several endpoints as one: the healthiest answers, a slow one is raced, a bad one rests.

One endpoint is the current one: it announces heads and is asked first, so that what is read fits what was
announced. Another takes over when it fails, when it lags behind, or when the head feed rotates away from it.
One that comes before the current one in the settings is turned back to once it has caught up.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeAlias, TypeVar

import structlog

from bot.chain import codec
from bot.chain.client import RpcClient
from bot.errors import (
    ChainError,
    EndpointUnreachableError,
    MalformedAnswerError,
    RpcError,
    WrongChainError,
)
from bot.ports import Head, Json, RpcCall

_log = structlog.get_logger(__name__)

_Answer = TypeVar("_Answer")
_Ask: TypeAlias = Callable[[RpcClient], Awaitable[_Answer]]

_LAGGING: Final = (
    "header not found",
    "unknown block",
    "block not found",
    "missing trie node",
    "limit exceeded",
    "too many requests",
)
"""Words of a node that another one may answer for: it has not seen the block, has dropped it, or is busy."""

_REVERT_CODE: Final = 3
_REVERT_WORD: Final = "revert"
"""How nodes tell the failure of a call: by the code, or by the word before the contract's own."""

_WRITES: Final = frozenset({"eth_sendRawTransaction", "eth_sendTransaction", "eth_sendPrivateTransaction"})
"""Never raced: a second node would only add a second opinion. Sending the same bytes again does no harm, so a
node that is gone is replaced by the next."""


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How endpoints are chosen.

    Parameters
    ----------
    hedge_after_s : float
        Seconds without an answer after which a read is asked of a second endpoint too; the first one counts.
    cooldown_start_s, cooldown_limit_s : float
        Seconds that an endpoint rests after a failure; each rest is twice the last, up to the limit.
    wrong_chain_rest_s : float
        Seconds that an endpoint rests after it served another chain.
    look_back_s : float
        Seconds between two questions to an endpoint that is preferred to the current one, whether it has
        caught up; so that one which comes and goes is not turned to each time that it comes.
    """

    hedge_after_s: float = 0.25
    cooldown_start_s: float = 1.0
    cooldown_limit_s: float = 60.0
    wrong_chain_rest_s: float = 600.0
    look_back_s: float = 60.0


class _Member:
    """An endpoint, and until when it rests (monotonic seconds)."""

    def __init__(self, client: RpcClient, options: PoolOptions) -> None:
        self.client: Final = client
        self._options: Final = options
        self._failures = 0
        self.rests_until = 0.0

    def failed(self, error: ChainError) -> None:
        """Let it rest, longer after each failure in a row."""
        now = asyncio.get_running_loop().time()
        if isinstance(error, WrongChainError):
            rest = self._options.wrong_chain_rest_s
            _log.error(
                "endpoint_of_another_chain", endpoint=self.client.label, chain_id=error.actual, for_s=rest
            )
        else:
            doubled = self._options.cooldown_start_s * 2.0 ** min(self._failures, 16)
            rest = min(doubled, self._options.cooldown_limit_s)
            _log.warning("endpoint_resting", endpoint=self.client.label, for_s=rest, error=str(error))
        self._failures += 1
        self.rests_until = max(self.rests_until, now + rest)

    def answered(self) -> None:
        """Forget its failures."""
        self._failures = 0
        self.rests_until = 0.0


class EndpointPool:
    """Endpoints of one chain, as `bot.ports.Rpc` and as a source of heads. Enter it as a context.

    Parameters
    ----------
    clients : sequence of RpcClient
        In order of preference; at least one.
    options : PoolOptions
        How they are chosen.
    """

    def __init__(self, clients: Sequence[RpcClient], options: PoolOptions | None = None) -> None:
        self._options: Final = options or PoolOptions()
        self._members: Final = [_Member(client, self._options) for client in clients]
        self._current = self._members[0]
        self._tried: set[_Member] = set()
        self._looks_back_at = 0.0
        self._looking: asyncio.Task[None] | None = None

    @property
    def label(self) -> str:
        """Label of the current endpoint."""
        return self._current.client.label

    async def __aenter__(self) -> Self:
        """Connect to all; those that cannot be used rest, as long as one can.

        Raises
        ------
        WrongChainError
            If none can be used and one serves another chain: time does not mend a slip in the settings.
        EndpointUnreachableError, MalformedAnswerError, RpcError
            If none can be used; the first one's error.
        """
        results = await asyncio.gather(
            *(member.client.__aenter__() for member in self._members), return_exceptions=True
        )
        errors = [result for result in results if isinstance(result, BaseException)]
        fatal = [error for error in errors if not isinstance(error, ChainError)]
        wrong = [error for error in errors if isinstance(error, WrongChainError)]
        if fatal or len(errors) == len(self._members):
            await self.close()
            raise [*fatal, *wrong, *errors][0]
        for member, result in zip(self._members, results, strict=True):
            if isinstance(result, ChainError):
                member.failed(result)
        self._current = self._in_order()[0]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await asyncio.gather(*(member.client.close() for member in self._members))

    # -------------------------------------------------------------------------- asking

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        """Send one request and return its result; see `bot.ports.Rpc.request`."""
        return await self._ask(lambda client: client.request(method, params), hedged=method not in _WRITES)

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        """Send many requests at once; see `bot.ports.Rpc.batch`."""
        hedged = not any(call.method in _WRITES for call in calls)
        return await self._ask(lambda client: _batch(client, calls), hedged=hedged)

    async def newest_head(self) -> Head:
        """Ask for the newest head."""
        return codec.head(await self.request("eth_getBlockByNumber", ["latest", False]))

    async def _ask(self, ask: _Ask[_Answer], *, hedged: bool) -> _Answer:
        """Ask endpoints in order, a second one while the first is silent; the first answer counts."""
        waiting = self._in_order()
        if len(waiting) == 1:
            return await self._ask_the_only(waiting[0], ask)
        running: dict[asyncio.Future[_Answer], _Member] = {}
        error: ChainError | None = None
        try:
            while waiting or running:
                if waiting and len(running) < 2:
                    member = waiting.pop(0)
                    running[asyncio.ensure_future(ask(member.client))] = member
                races = hedged and waiting and len(running) < 2 and self._is_rested(waiting[0])
                patience = self._options.hedge_after_s if races else None
                done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for future in done:
                    member = running.pop(future)
                    failure = _failure(future)
                    if failure is None:
                        member.answered()
                        return future.result()
                    blamed = self._blame(member, failure)
                    error = blamed if error is None else error
        finally:
            await _drop(running)
        assert error is not None  # the loop ends by an answer, or by the last failure
        raise error

    async def _ask_the_only(self, member: _Member, ask: _Ask[_Answer]) -> _Answer:
        """Ask where there is nothing to race and nowhere to turn: without tasks and timers."""
        try:
            answer = await ask(member.client)
        except (EndpointUnreachableError, MalformedAnswerError, RpcError, WrongChainError) as error:
            raise self._blame(member, error) from None
        member.answered()
        return answer

    def _blame(self, member: _Member, error: ChainError) -> ChainError:
        """Judge a failure: a refusal that any node would give is raised, all else makes the endpoint rest."""
        if isinstance(error, RpcError) and not _is_lagging(error):
            member.answered()
            raise error
        if not isinstance(error, RpcError):
            member.failed(error)
            if member is self._current and len(self._members) > 1:
                self._current = self._in_order()[0]
        return error

    def _is_rested(self, member: _Member) -> bool:
        return member.rests_until <= asyncio.get_running_loop().time()

    def _in_order(self) -> list[_Member]:
        """Return the endpoints: the current one first if it is well, the rested before those that rest."""
        now = asyncio.get_running_loop().time()
        return sorted(
            self._members,
            key=lambda member: (
                max(0.0, member.rests_until - now),
                member is not self._current,
            ),
        )

    # --------------------------------------------------------------------------- heads

    async def announced_heads(self) -> AsyncGenerator[list[Head], None]:
        """Yield heads as the current endpoint announces them; see `RpcClient.announced_heads`."""
        member = self._current = self._in_order()[0]
        try:
            async with aclosing(member.client.announced_heads()) as bunches:
                async for bunch in bunches:
                    member.answered()
                    self._look_back(bunch[-1])
                    yield bunch
                    if member is not self._current:
                        return
        except ChainError as error:
            member.failed(error)
            raise

    def _look_back(self, newest: Head) -> None:
        """Ask a preferred endpoint that has rested, now and then and beside all else, whether it is back."""
        if self._looking is not None:
            if not self._looking.done():
                return
            self._looking.result()  # an error that nobody expects
            self._looking = None
        now = asyncio.get_running_loop().time()
        preferred = self._members[: self._members.index(self._current)]
        rested = next(filter(self._is_rested, preferred), None)
        if rested is not None and now >= self._looks_back_at:
            self._looks_back_at = now + self._options.look_back_s
            self._looking = asyncio.create_task(self._return_to(rested, newest), name="looking back")

    async def _return_to(self, member: _Member, newest: Head) -> None:
        """Make an endpoint the current one if it knows a head as high as the newest."""
        try:
            head = await member.client.newest_head()
        except ChainError as error:
            member.failed(error)
            return
        member.answered()
        if head.number >= newest.number:
            _log.info("endpoint_returned_to", old=self.label, new=member.client.label)
            self._current = member

    def refreshed(self) -> None:
        """Note that the chain grew: every endpoint is worth a try again."""
        self._tried.clear()

    async def rotate(self, reason: str) -> bool:
        """Turn to another endpoint because the current one brings no new heads.

        Returns
        -------
        bool
            Whether the new one was not tried since the chain last grew.
        """
        stale = self._current
        self._tried.add(stale)
        stale.failed(EndpointUnreachableError(stale.client.label, reason))
        await stale.client.close()
        self._current = self._in_order()[0]
        if self._current is stale:
            _log.warning("endpoint_dropped", endpoint=self.label, reason=reason)
        else:
            _log.warning("endpoint_rotated", old=stale.client.label, new=self.label, reason=reason)
        return self._current not in self._tried


async def _batch(client: RpcClient, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
    """Send a batch; one that the node lags behind for counts as failed as a whole."""
    answers = await client.batch(calls)
    for answer in answers:
        if isinstance(answer, RpcError) and _is_lagging(answer):
            raise answer
    return answers


def _failure(future: "asyncio.Future[_Answer]") -> ChainError | None:
    """Return the failure of an endpoint; an error of our own is raised as it is."""
    error = future.exception()
    if error is None or isinstance(error, EndpointUnreachableError | MalformedAnswerError | RpcError):
        return error
    if isinstance(error, WrongChainError):
        return error
    raise error


def _is_lagging(error: RpcError) -> bool:
    words = error.message.lower()
    if error.code == _REVERT_CODE or _REVERT_WORD in words:
        return False  # the words are a contract's, which may choose them
    return any(said in words for said in _LAGGING)


async def _drop(running: "dict[asyncio.Future[_Answer], _Member]") -> None:
    for future in running:
        future.cancel()
    await asyncio.gather(*running, return_exceptions=True)
