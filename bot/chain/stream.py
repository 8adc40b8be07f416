"""JSON-RPC over one open stream: many requests in flight, and the notifications of a subscription.

What a WebSocket and a local socket have in common; how bytes travel is for the two modules that derive from
this one.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence

import orjson
import structlog

from bot.chain.endpoint import Endpoint
from bot.errors import EndpointUnreachableError, MalformedAnswerError
from bot.ports import RpcCall

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""A first load of logs is large; a message above this ends the connection, not the process."""

_NOTIFICATIONS_KEPT = 256
"""Older ones give way to newer ones: the head feed backfills what it did not see."""

_log = structlog.get_logger(__name__)


class StreamLostError(Exception):
    """The stream ended; its text says how, without the URL."""


class _Exchange:
    """Requests sent together, and the answers that came so far."""

    def __init__(self, ids: Sequence[int]) -> None:
        self.ids = ids
        self.answers: dict[int, Mapping[str, object]] = {}
        self.done: asyncio.Future[list[Mapping[str, object]]] = asyncio.get_running_loop().create_future()

    def add(self, identifier: int, answer: Mapping[str, object]) -> None:
        self.answers[identifier] = answer
        if len(self.answers) == len(self.ids) and not self.done.done():
            self.done.set_result([self.answers[i] for i in self.ids])

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class StreamConnection(ABC):
    """One open stream. It never reconnects: when it is lost, it fails everything that waits on it.

    A subclass says how messages travel: `_transmit`, `_messages` and `_shut`.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._waiting: dict[int, _Exchange] = {}
        self._next_id = 1
        self._notified = asyncio.Event()
        self._notifications: deque[object] = deque(maxlen=_NOTIFICATIONS_KEPT)
        self._lost: EndpointUnreachableError | None = None
        self._reader = asyncio.create_task(self._read(), name=f"reader of {endpoint.label}")

    @abstractmethod
    async def _transmit(self, message: bytes) -> None:
        """Send one message; raises `StreamLostError` if the stream is gone."""

    @abstractmethod
    def _messages(self) -> AsyncIterator[str | bytes]:
        """Iterate over whole messages until the node ends the stream, or raise `StreamLostError`."""

    @abstractmethod
    async def _shut(self) -> None:
        """End the stream, so that `_messages` ends too."""

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        return self._lost is None

    async def exchange(self, calls: Sequence[RpcCall]) -> list[Mapping[str, object]]:
        """Send calls in one message, as a batch if there are several; return the answers in order.

        Raises
        ------
        EndpointUnreachableError
            If the connection is lost before every answer came.
        """
        if self._lost is not None:
            raise self._lost
        ids = range(self._next_id, self._next_id + len(calls))
        self._next_id += len(calls)
        pending = _Exchange(ids)
        self._waiting.update(dict.fromkeys(ids, pending))
        try:
            await self._send(ids, calls)
            return await pending.done
        finally:
            for identifier in ids:
                self._waiting.pop(identifier, None)

    async def _send(self, ids: Sequence[int], calls: Sequence[RpcCall]) -> None:
        requests = [
            {"jsonrpc": "2.0", "id": identifier, "method": call.method, "params": call.params}
            for identifier, call in zip(ids, calls, strict=True)
        ]
        message = orjson.dumps(requests[0] if len(requests) == 1 else requests)
        try:
            await self._transmit(message)
        except StreamLostError as error:
            raise EndpointUnreachableError(self._endpoint.label, str(error)) from None

    async def notifications(self) -> list[object]:
        """Wait until something was notified; return all of it, oldest first.

        Raises
        ------
        EndpointUnreachableError
            If the connection is lost, once everything that came before was returned.
        """
        await self._notified.wait()
        if not self._notifications and self._lost is not None:
            raise self._lost
        received = list(self._notifications)
        self._notifications.clear()
        if self._lost is None:
            self._notified.clear()
        return received

    async def close(self) -> None:
        """Close the stream and wait for the reader to end."""
        await self._shut()
        await self._reader

    async def _read(self) -> None:
        try:
            async for message in self._messages():
                self._dispatch(message)
            self._lose("the node closed the connection")
        except StreamLostError as error:
            self._lose(str(error))

    def _lose(self, detail: str) -> None:
        self._lost = EndpointUnreachableError(self._endpoint.label, detail)
        for pending in set(self._waiting.values()):
            pending.fail(self._lost)
        self._notified.set()

    def _dispatch(self, message: str | bytes) -> None:
        try:
            received = orjson.loads(message)
        except orjson.JSONDecodeError:
            self._fail_all(MalformedAnswerError("message", message[:80], "JSON"))
            return
        for entry in received if isinstance(received, list) else [received]:
            self._dispatch_one(entry)

    def _dispatch_one(self, entry: object) -> None:
        if not isinstance(entry, dict):
            self._fail_all(MalformedAnswerError("answer", entry, "a JSON object"))
        elif entry.get("method") == "eth_subscription":
            params = entry.get("params")
            self._notifications.append(params.get("result") if isinstance(params, dict) else params)
            self._notified.set()
        elif type(entry.get("id")) is int:  # true would pass for 1
            self._answer(entry["id"], entry)
        else:
            # No id: the node could not read a message, and does not say which.
            self._fail_all(MalformedAnswerError("answer", entry.get("error", entry), "an answer with an id"))

    def _answer(self, identifier: int, entry: Mapping[str, object]) -> None:
        pending = self._waiting.get(identifier)
        if pending is None:
            _log.debug("late_answer", endpoint=self._endpoint.label, id=identifier)
        else:
            pending.add(identifier, entry)

    def _fail_all(self, error: MalformedAnswerError) -> None:
        _log.warning("malformed_message", endpoint=self._endpoint.label, error=str(error))
        for pending in set(self._waiting.values()):
            pending.fail(error)
