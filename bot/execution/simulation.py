"""Trying calls on the state of a head, before anything is signed."""

from collections.abc import Sequence

from bot.chain import codec
from bot.errors import RpcError
from bot.ports import Address, Call, Head, Json, Rpc, RpcCall, SimulationResult

_REVERT_CODE = 3
"""JSON-RPC error code of a revert, on the nodes that agree on one."""

_EXECUTION_FAULTS = ("revert", "out of gas", "opcode", "evm error", "gas required exceeds")
"""Words of the others. An error with none of them says nothing about the call, and is raised."""


class Simulator:
    """Runs calls by ``eth_call`` and ``eth_estimateGas``, pinned to a head's hash.

    Parameters
    ----------
    rpc : Rpc
        The node.
    sender : Address
        Who would send them.
    """

    def __init__(self, rpc: Rpc, sender: Address) -> None:
        self._rpc = rpc
        self._sender = sender

    async def run(self, calls: Sequence[Call], head: Head) -> list[SimulationResult]:
        """Try calls one by one on the state of ``head``, each as if it were alone, in one round trip.

        Raises
        ------
        RpcError
            If the node fails for a reason other than the call itself: that is no verdict on the call.
        """
        requests: list[RpcCall] = []
        for call in calls:
            transaction = self._transaction(call)
            requests.append(RpcCall("eth_call", [transaction, codec.at(head)]))
            requests.append(RpcCall("eth_estimateGas", [transaction, codec.at(head)]))
        answers = await self._rpc.batch(requests)
        return [_result(answers[2 * i], answers[2 * i + 1]) for i in range(len(calls))]

    def _transaction(self, call: Call) -> Json:
        transaction: dict[str, Json] = {
            "from": self._sender,
            "to": call.to,
            "data": codec.hex_data(call.data),
            "value": codec.hex_quantity(call.value),
        }
        if call.gas_limit is not None:
            transaction["gas"] = codec.hex_quantity(call.gas_limit)
        return transaction


def _result(returned: Json | RpcError, estimated: Json | RpcError) -> SimulationResult:
    for answer in (returned, estimated):
        if isinstance(answer, RpcError):
            return _reverted(answer)
    return SimulationResult(
        succeeded=True,
        gas_used=codec.quantity(estimated, "eth_estimateGas"),
        data=codec.data(returned, "eth_call"),
    )


def _reverted(error: RpcError) -> SimulationResult:
    words = error.message.lower()
    if error.code != _REVERT_CODE and not any(fault in words for fault in _EXECUTION_FAULTS):
        raise error
    data = codec.data(error.data, "revert data") if isinstance(error.data, str) else b""
    return SimulationResult(succeeded=False, gas_used=0, data=data, reason=error.message)
