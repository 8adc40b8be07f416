"""JSON-RPC to the replay's own node, one request after the other.

The replay is a single thread on purpose: what happens in a block happens in one order. Its node is a child
process on the loopback interface, so a plain connection that is kept open is as fast as any.
"""

import http.client
import json
from collections.abc import Sequence
from typing import Any, TypeAlias

import orjson

from bot.errors import EndpointUnreachableError, MalformedAnswerError, RpcError

Request: TypeAlias = tuple[str, Sequence[object]]
"""Method and parameters."""


class LocalRpc:
    """Calls a node on the loopback interface over one connection.

    Parameters
    ----------
    host : str
        Usually ``127.0.0.1``.
    port : int
        TCP port.
    timeout_s : float
        For one answer; a node that takes longer is taken for dead.
    """

    def __init__(self, host: str, port: int, timeout_s: float = 60.0) -> None:
        self.label = f"http://{host}:{port}"
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def call(self, method: str, *params: object) -> Any:
        """Send one request and return its result.

        Raises
        ------
        RpcError
            If the node refuses it.
        EndpointUnreachableError
            If there is no answer.
        """
        answer = self._exchange({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
        return _result(method, answer)

    def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Send requests together and return their results in the order asked.

        The node may work on them in any order, so none may depend on another.

        Raises
        ------
        RpcError
            If the node refuses one of them.
        EndpointUnreachableError
            If there is no answer.
        """
        if not requests:
            return []
        body = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": params}
            for index, (method, params) in enumerate(requests)
        ]
        answers = self._exchange(body)
        if not isinstance(answers, list) or len(answers) != len(requests):
            raise MalformedAnswerError("batch", answers, f"{len(requests)} answers")
        ordered = sorted(answers, key=lambda answer: int(answer["id"]))
        return [_result(method, answer) for (method, _), answer in zip(requests, ordered, strict=True)]

    def _exchange(self, body: object) -> Any:
        headers = {"Content-Type": "application/json"}
        try:
            self._connection.request("POST", "/", orjson.dumps(body), headers)
            return orjson.loads(self._connection.getresponse().read())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise EndpointUnreachableError(self.label, str(error) or type(error).__name__) from error
        except json.JSONDecodeError as error:
            raise MalformedAnswerError("answer", str(error), "JSON") from error


def _result(method: str, answer: Any) -> Any:
    if "error" in answer:
        error = answer["error"]
        raise RpcError(method, int(error["code"]), str(error["message"]), error.get("data"))
    return answer["result"]
