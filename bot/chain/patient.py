"""Asking again for what a busy node turned away, where the work is too long to be begun anew."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from bot.errors import ChainError, EndpointBusyError, RpcError
from bot.ports import Json, Rpc, RpcCall

_log = structlog.get_logger(__name__)

_AnswerT = TypeVar("_AnswerT")

_TOO_MANY: Final = 429
_BUSY: Final = (
    "too many requests",
    "rate limit",
    "rate exceeded",
    "request limit",
    "requests per second",
    "compute units",
    "unavailable",
    "overloaded",
    "upstream",
)
"""Words of a node, or of what stands before it, that says "later". ``limit exceeded`` is not among them: it
is also said of a range of blocks that is too long, which waiting does not shorten."""


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """How often a request is made, and how long is waited in between.

    Parameters
    ----------
    attempts : int
        Most times that one request is made.
    backoff_start_s, backoff_limit_s : float
        Seconds before the second attempt; each further wait is twice the last, up to the limit.
    """

    attempts: int = 6
    backoff_start_s: float = 0.25
    backoff_limit_s: float = 4.0


class PatientRpc:
    """A `bot.ports.Rpc` that asks again, a bounded number of times, where the node failed and not the call.

    For work of many requests, each of which would cost all of it if it failed. Where a newer head soon makes
    the question void, an endpoint is better asked once.

    Parameters
    ----------
    rpc : Rpc
        What is asked; with several endpoints each attempt may be another one's.
    options : RetryOptions or None
        How often.
    """

    def __init__(self, rpc: Rpc, options: RetryOptions | None = None) -> None:
        self._rpc: Final = rpc
        self._options: Final = options or RetryOptions()

    @property
    def label(self) -> str:
        """See `bot.ports.Rpc.label`."""
        return self._rpc.label

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        """See `bot.ports.Rpc.request`.

        Raises
        ------
        EndpointBusyError
            If it was turned away as often as it is made.
        RpcError
            At once, if it was refused for what it asks.
        """
        return await self._insist(method, lambda: self._rpc.request(method, params))

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        """See `bot.ports.Rpc.batch`; one call that was turned away has all of them made again.

        Raises
        ------
        EndpointBusyError
            As for `request`.
        """

        async def attempt() -> list[Json | RpcError]:
            answers = await self._rpc.batch(calls)
            for answer in answers:
                if isinstance(answer, RpcError) and is_busy(answer):
                    raise answer
            return answers

        return await self._insist(", ".join(sorted({call.method for call in calls})), attempt)

    async def _insist(self, what: str, attempt: Callable[[], Awaitable[_AnswerT]]) -> _AnswerT:
        delay_s = self._options.backoff_start_s
        for made in range(1, self._options.attempts + 1):
            try:
                return await attempt()
            except ChainError as error:
                if isinstance(error, RpcError) and not is_busy(error):
                    raise
                if made == self._options.attempts:
                    raise EndpointBusyError(self.label, what, made, error) from error
                _log.warning("asked_again", method=what, attempt=made, reason=str(error), retry_in_s=delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, self._options.backoff_limit_s)
        raise AssertionError("an attempt returns or raises")


def is_busy(error: RpcError) -> bool:
    """Return whether a node's refusal says "later" rather than "no"."""
    words = error.message.lower()
    return error.code == _TOO_MANY or any(said in words for said in _BUSY)
