"""JSON-RPC over HTTP, through web3.py's provider without its middleware.

Used raw, because web3's method layer asks for the chain id before and after each call. Retries are
switched off: whoever asks decides whether to ask again. Bodies are bounded, and decoded as messages of a
socket are: nested without end, they are no JSON, where web3's decoder ends the process.
"""

from collections.abc import Mapping, Sequence
from typing import Self, cast

import orjson
from aiohttp import (
    ClientError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    TCPConnector,
)
from web3 import AsyncHTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from bot.chain.codec import mapping, sequence
from bot.chain.endpoint import Endpoint
from bot.chain.stream import MAX_MESSAGE_BYTES
from bot.chain.trouble import words_of
from bot.errors import EndpointUnreachableError, MalformedAnswerError
from bot.ports import RpcCall

_HINTS = {429: "too many requests; lower chain.requests_per_second"}


class _Response(ClientResponse):
    """An answer whose body is read as far as a message may be long."""

    async def read(self) -> bytes:
        body = bytearray()
        async for chunk in self.content.iter_any():
            body += chunk
            if len(body) > MAX_MESSAGE_BYTES:
                self.close()
                raise MalformedAnswerError("answer", "a longer one", f"at most {MAX_MESSAGE_BYTES} bytes")
        return bytes(body)


class _Provider(AsyncHTTPProvider):
    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        return cast("RPCResponse", orjson.loads(raw_response))


class HttpConnection:
    """A keep-alive session. Make one with `open`, end it with `close`."""

    def __init__(self, endpoint: Endpoint, provider: AsyncHTTPProvider, session: ClientSession) -> None:
        self._endpoint = endpoint
        self._provider = provider
        self._session = session
        self._failed = False

    @classmethod
    async def open(cls, endpoint: Endpoint, *, request_timeout_s: float) -> Self:
        """Prepare a session; the first request connects."""
        connector = TCPConnector(limit=32)
        session = ClientSession(connector=connector, raise_for_status=True, response_class=_Response)
        provider = _Provider(
            endpoint.url,
            request_kwargs={"timeout": ClientTimeout(total=request_timeout_s)},
            exception_retry_configuration=None,
        )
        await provider.cache_async_session(session)
        return cls(endpoint, provider, session)

    @property
    def is_open(self) -> bool:
        """Whether no request has failed: after a failure another node may answer at the same URL."""
        return not self._failed

    async def exchange(self, calls: Sequence[RpcCall]) -> list[Mapping[str, object]]:
        """Send calls in one request, as a batch if there are several; return the answers in order.

        Raises
        ------
        EndpointUnreachableError
            If there is no answer in time, or it is an HTTP error.
        MalformedAnswerError
            If the body is not JSON, or not one answer per call.
        """
        try:
            if len(calls) == 1:
                single = await self._provider.make_request(RPCEndpoint(calls[0].method), calls[0].params)
                return [mapping(single, f"answer to {calls[0].method}")]
            first = next(self._provider.request_counter) + 1  # the requests are numbered before they are sent
            batch = await self._provider.make_batch_request(
                [(RPCEndpoint(call.method), call.params) for call in calls]
            )
            return _batch_answers(batch, range(first, first + len(calls)))
        except (ClientError, OSError, TimeoutError) as error:
            self._failed = True
            # The cause is cut off on purpose: its text may hold the URL.
            raise EndpointUnreachableError(self._endpoint.label, _describe(error)) from None
        except (AttributeError, KeyError, TypeError, ValueError):  # web3 sorts a batch before it looks at it
            raise MalformedAnswerError("answer", "a body that is not JSON-RPC", "JSON-RPC") from None

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()


def _batch_answers(batch: object, asked: Sequence[int]) -> list[Mapping[str, object]]:
    """Return the answers to requests, by the ids of these, in order."""
    if isinstance(batch, Mapping) and batch.get("error") is not None:  # one for the batch as a whole
        return [batch] * len(asked)
    answers = [mapping(answer, "batch answer") for answer in sequence(batch, "batch answer")]
    ids = [answer.get("id") for answer in answers]
    if ids != list(asked):
        raise MalformedAnswerError("batch answer", f"answers to {ids}", f"one to each of {list(asked)}")
    return answers


def _describe(error: BaseException) -> str:
    if isinstance(error, ClientResponseError):
        hint = _HINTS.get(error.status)
        return f"HTTP status {error.status}" + (f" ({hint})" if hint else "")
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return words_of(error)
