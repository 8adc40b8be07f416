"""The port `bot.ports.Rpc` over a test's own connection, with a count of what was asked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.chain import codec
from bot.errors import RpcError
from bot.ports import Head, Json, RpcCall
from tests.support.anvil import Client
from tests.support.anvil import RpcError as NodeRefusal


@dataclass
class NodeRpc:
    """Requests to a development node.

    Parameters
    ----------
    node : Client
        The node.
    asked : Counter
        Requests by method, a batch counted call by call.
    """

    node: Client
    asked: Counter[str] = field(default_factory=Counter)
    label: str = "test node"

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        self.asked[method] += 1
        try:
            answer: Json = self.node.call(method, *params)
        except NodeRefusal as refusal:
            raise RpcError(method, 3, str(refusal)) from None
        return answer

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        answers: list[Any] = []
        for call in calls:
            try:
                answers.append(await self.request(*call))
            except RpcError as error:
                answers.append(error)
        return answers


def latest(node: Client, number: int | None = None) -> Head:
    """Return the newest head, or the one of a height."""
    block = "latest" if number is None else hex(number)
    return codec.head(node.call("eth_getBlockByNumber", block, False))
