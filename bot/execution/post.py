"""JSON-RPC over HTTP to those that are no nodes: relays and remote signers.

They serve no chain id, may want a header that signs the body, and are not trusted: an answer is bounded in
size and time, and read field by field.
"""

from collections.abc import Callable, Mapping
from typing import Final

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.chain import codec
from bot.chain.endpoint import Endpoint
from bot.chain.trouble import words_of
from bot.errors import EndpointUnreachableError, MalformedAnswerError, RpcError
from bot.ports import Json

_LARGEST_ANSWER: Final = 1_000_000
"""Bytes; a signed transaction of the largest calldata that nodes take is a quarter of it."""

_LONGEST_WORDS: Final = 500

Headers = Callable[[bytes], Mapping[str, str]]
"""Headers that belong to a body."""


class JsonRpcPost:
    """Sends single requests.

    Parameters
    ----------
    endpoint : Endpoint
        Where; only its label is ever shown.
    setting : str
        What names the endpoint, for errors.
    timeout_s : float
        Seconds until a request counts as lost.
    headers : callable, optional
        Headers for each body.
    """

    def __init__(
        self, endpoint: Endpoint, setting: str, *, timeout_s: float, headers: Headers | None = None
    ) -> None:
        self._endpoint: Final = endpoint
        self._setting: Final = setting
        self._timeout: Final = ClientTimeout(total=timeout_s)
        self._headers: Final = headers
        self._session: ClientSession | None = None

    @property
    def label(self) -> str:
        """Scheme, host and port."""
        return self._endpoint.label

    async def call(self, method: str, *params: Json) -> Json:
        """Send a request and return its result.

        Raises
        ------
        EndpointUnreachableError
            If no answer came in time, or one that is an HTTP error without a body to read.
        RpcError
            If the answer is an error.
        MalformedAnswerError
            If it is not JSON-RPC, or too large.
        """
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        try:
            answer = codec.mapping(orjson.loads(await self._post(body)), f"answer to {method}")
        except orjson.JSONDecodeError:
            raise MalformedAnswerError(f"answer to {method}", "a body that is not JSON", "JSON-RPC") from None
        if answer.get("error") is not None:
            raise _error(method, answer["error"])
        if "result" not in answer:
            raise MalformedAnswerError(f"answer to {method}", answer, "a result or an error")
        result: Json = answer["result"]  # type: ignore[assignment]  # what JSON decodes to is Json
        return result

    async def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", **(self._headers(body) if self._headers else {})}
        if self._session is None:
            self._session = ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(self._endpoint.url, data=body, headers=headers) as response:
                answer = await response.content.read(_LARGEST_ANSWER + 1)
                while len(answer) <= _LARGEST_ANSWER and (chunk := await response.content.readany()):
                    answer += chunk
                if not answer and response.status >= 400:
                    raise self._unreachable(f"HTTP status {response.status}")
        except (ClientError, OSError, TimeoutError) as error:
            # The cause is cut off on purpose: its text may hold the URL.
            raise self._unreachable(words_of(error)) from None
        if len(answer) > _LARGEST_ANSWER:
            raise MalformedAnswerError("answer", f"{len(answer)} bytes", f"at most {_LARGEST_ANSWER} bytes")
        return answer

    def _unreachable(self, detail: str) -> EndpointUnreachableError:
        return EndpointUnreachableError(self.label, detail, self._setting)

    async def close(self) -> None:
        """Close the connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _error(method: str, error: object) -> RpcError:
    """Return a refusal; some servers send its words alone."""
    if isinstance(error, str):
        return RpcError(method, 0, error[:_LONGEST_WORDS])
    fields = codec.mapping(error, f"error of {method}")
    code = fields.get("code")
    return RpcError(method, code if isinstance(code, int) else 0, str(fields.get("message"))[:_LONGEST_WORDS])
