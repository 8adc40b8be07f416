"""A JSON-RPC endpoint: budget, time-outs, chain id, typed errors; reconnects when next asked."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

from bot.chain import codec
from bot.chain.endpoint import Endpoint
from bot.chain.http import HttpConnection
from bot.chain.ipc import IpcConnection
from bot.chain.stream import StreamConnection
from bot.chain.throttle import RequestBudget
from bot.chain.websocket import WebSocketConnection
from bot.errors import ChainError, EndpointUnreachableError, MalformedAnswerError, RpcError, WrongChainError
from bot.ports import Head, Json, RpcCall

_log = structlog.get_logger(__name__)

_LONGEST_WORDS: Final = 2_000
"""Characters of a node's words that are kept: they go to logs, messages and the ledger."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How patient and how busy a client is.

    Parameters
    ----------
    requests_per_second : int
        Budget; each element of a batch counts. The default suits a node of your own.
    request_timeout_s, connect_timeout_s : float
        Seconds until a request, or a connection, counts as lost.
    poll_interval_s : float
        Seconds between two looks at the newest head, where nothing announces it (HTTP).
    silence_s : float
        Seconds without an announcement after which the newest head is asked for: a subscription can
        fall silent without the socket dropping.
    recheck_s : float
        Seconds after which an HTTP endpoint is asked for its chain again, with the next request: each of its
        requests may be led elsewhere, while a socket stays with its node.
    """

    requests_per_second: int = 2_000
    request_timeout_s: float = 10.0
    connect_timeout_s: float = 5.0
    poll_interval_s: float = 0.5
    silence_s: float = 30.0
    recheck_s: float = 10.0


class _Connection(Protocol):
    @property
    def is_open(self) -> bool: ...

    async def exchange(self, calls: Sequence[RpcCall]) -> list[Mapping[str, object]]: ...

    async def close(self) -> None: ...


class RpcClient:
    """One endpoint, as `bot.ports.Rpc` and as a source of announced heads.

    Connects on entry, and again whenever a request finds the connection gone; each new connection is
    asked for its chain id before anything else, because a balancer may lead elsewhere; HTTP, whose requests
    may be led elsewhere one by one, is asked again at intervals.

    Parameters
    ----------
    endpoint : Endpoint
        Where.
    chain_id : int
        The chain that must be served there.
    options : ClientOptions
        Budget and time-outs.
    """

    def __init__(self, endpoint: Endpoint, chain_id: int, options: ClientOptions | None = None) -> None:
        self._endpoint = endpoint
        self._chain_id = chain_id
        self._options = options if options is not None else ClientOptions()
        self._budget = RequestBudget(self._options.requests_per_second)
        self._connecting = asyncio.Lock()
        self._connection: _Connection | None = None
        self._checked_at = 0.0

    @property
    def label(self) -> str:
        """Scheme, host and port."""
        return self._endpoint.label

    async def __aenter__(self) -> Self:
        """Connect, so that an unreachable node or a wrong chain is told at the start.

        Raises
        ------
        EndpointUnreachableError, WrongChainError, MalformedAnswerError
        """
        await self._open_connection()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        """Send one request and return its result; see `bot.ports.Rpc.request`."""
        answer = await self._exchange(await self._open_connection(), [RpcCall(method, params)])
        result = _result(method, answer[0])
        if isinstance(result, RpcError):
            raise result
        return result

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        """Send many requests at once; see `bot.ports.Rpc.batch`."""
        if not calls:
            return []
        answers = await self._exchange(await self._open_connection(), calls)
        return [_result(call.method, answer) for call, answer in zip(calls, answers, strict=True)]

    async def newest_head(self) -> Head:
        """Ask for the newest head."""
        return codec.head(await self.request("eth_getBlockByNumber", ["latest", False]))

    async def announced_heads(self) -> AsyncGenerator[list[Head], None]:
        """Yield heads as the node announces them, in bunches of one or more, the newest last.

        The first is the newest head at the start. Heads may be missing, come twice, or be of another
        branch: `bot.chain.feed` makes a chain of them.

        Raises
        ------
        ChainError
            When the connection is lost or the node misbehaves; iterate again to reconnect.
        """
        try:
            connection = await self._open_connection()
            if isinstance(connection, StreamConnection):
                await self._subscribe(connection)
                yield [await self.newest_head()]
                while True:
                    yield await self._next_announced(connection)
            while True:
                yield [await self.newest_head()]
                await asyncio.sleep(self._options.poll_interval_s)
        except ChainError:
            await self.close()  # a subscription that misbehaved ends with its connection
            raise

    def refreshed(self) -> None:
        """Note that the chain grew; nothing follows from it for one endpoint."""

    async def rotate(self, reason: str) -> bool:
        """Drop the connection, so that the next one is fresh; there is no other endpoint to turn to.

        Returns
        -------
        bool
            Whether an endpoint is left that was not tried since the last new head: never.
        """
        _log.warning("endpoint_dropped", endpoint=self.label, reason=reason)
        await self.close()
        return False

    async def _subscribe(self, connection: StreamConnection) -> None:
        answer = await self._exchange(connection, [RpcCall("eth_subscribe", ["newHeads"])])
        result = _result("eth_subscribe", answer[0])
        if isinstance(result, RpcError):
            raise result

    async def _next_announced(self, connection: StreamConnection) -> list[Head]:
        try:
            async with asyncio.timeout(self._options.silence_s):
                announced = await connection.notifications()
        except TimeoutError:
            return [await self.newest_head()]
        return [codec.head(raw, "announced head") for raw in announced]

    async def _open_connection(self) -> _Connection:
        if self._connection is not None and self._connection.is_open and not self._is_doubted():
            return self._connection
        async with self._connecting:
            if self._connection is None or not self._connection.is_open:
                await self.close()
                self._connection = await self._connect()
            elif self._is_doubted():
                await self._check_chain(self._connection)
        return self._connection

    def _is_doubted(self) -> bool:
        """Return whether the chain was named too long ago; it stays so until it is named rightly."""
        age_s = asyncio.get_running_loop().time() - self._checked_at
        return self._endpoint.transport == "http" and age_s >= self._options.recheck_s

    async def _connect(self) -> _Connection:
        connection: _Connection
        if self._endpoint.transport == "websocket":
            connection = await WebSocketConnection.open(
                self._endpoint,
                connect_timeout_s=self._options.connect_timeout_s,
                ping_timeout_s=self._options.request_timeout_s,
            )
        elif self._endpoint.transport == "ipc":
            connection = await IpcConnection.open(
                self._endpoint, connect_timeout_s=self._options.connect_timeout_s
            )
        else:
            connection = await HttpConnection.open(
                self._endpoint, request_timeout_s=self._options.request_timeout_s
            )
        async with AsyncExitStack() as undo:
            undo.push_async_callback(connection.close)
            await self._check_chain(connection)
            undo.pop_all()
        return connection

    async def _check_chain(self, connection: _Connection) -> None:
        answer = await self._exchange(connection, [RpcCall("eth_chainId")])
        result = _result("eth_chainId", answer[0])
        if isinstance(result, RpcError):
            raise result
        served = codec.quantity(result, "eth_chainId")
        if served != self._chain_id:
            raise WrongChainError(self.label, self._chain_id, served)
        self._checked_at = asyncio.get_running_loop().time()

    async def _exchange(
        self, connection: _Connection, calls: Sequence[RpcCall]
    ) -> list[Mapping[str, object]]:
        await self._budget.spend(len(calls))
        timeout_s = self._options.request_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await connection.exchange(calls)
        except TimeoutError:
            methods = ", ".join(sorted({call.method for call in calls}))
            detail = f"no answer to {methods} within {timeout_s} s"
            raise EndpointUnreachableError(self.label, detail) from None


def _result(method: str, answer: Mapping[str, object]) -> Json | RpcError:
    error = answer.get("error")
    if error is not None:
        return _error(method, error)
    if "result" not in answer:
        raise MalformedAnswerError(f"answer to {method}", answer, "a result or an error")
    result: Json = answer["result"]  # type: ignore[assignment]  # what JSON decodes to is Json
    return result


def _error(method: str, error: object) -> RpcError:
    details = codec.mapping(error, f"error of {method}")
    code, message = details.get("code"), details.get("message")
    if not isinstance(code, int) or not isinstance(message, str):
        raise MalformedAnswerError(f"error of {method}", error, "a code and a message")
    return RpcError(method, code, message[:_LONGEST_WORDS], details.get("data"))
