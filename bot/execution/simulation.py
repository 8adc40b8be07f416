"""Trying calls on the state of a head, before anything is signed."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from bot.chain import codec
from bot.errors import MalformedAnswerError, RpcError
from bot.execution.next_block import next_block, refuses_overrides
from bot.ports import Address, Call, Head, Json, Rpc, RpcCall, SimulationResult

_log = structlog.get_logger(__name__)

_REVERT_CODE: Final = 3
"""JSON-RPC error code of a revert, on the nodes that agree on one."""

_EXECUTION_FAULTS: Final = ("revert", "out of gas", "opcode", "evm error", "gas required exceeds")
"""Words of the others. An error with none of them says nothing about the call, and is raised."""

_SINGLY: Final = ("eth_call", "eth_estimateGas")
"""What a call is asked of, where all cannot be tried together."""

_NO_METHOD_CODES: Final = (-32601, -32004)
_NO_METHOD_WORDS: Final = ("not found", "not supported", "does not exist", "not available", "unsupported")

_REFUND_NUMERATOR, _REFUND_DENOMINATOR = 5, 4
"""Gas used before refunds, which give back at most a fifth of it (EIP-3529), over gas used after them."""

_FIRST_WRITES: Final = 4 * 17_100
"""Gas that a call may need more if the ones before it do not land: it is then the first to write to a slot,
at 20,000 instead of 2,900 (EIP-2200). Four slots are more than two actions of ours share.
"""


_LEAST_GAS: Final = 21_000
"""What any transaction costs (EIP-2028)."""
_MOST_GAS: Final = 2**63 - 1
"""Beyond it no chain has blocks."""
_LONGEST_WORDS: Final = 2_000
"""Characters that are kept of why a call would revert."""


class Trial(NamedTuple):
    """A call, and who would send it."""

    sender: Address
    call: Call


class Simulator:
    """Runs calls on the state of a head, pinned to its hash, in the block that is expected next.

    Where the node has ``eth_simulateV1``, all calls run in that block, in order, so that each sees what the
    ones before it change. Where it has not, each is tried alone by ``eth_call`` and ``eth_estimateGas``,
    with the same block as overrides; where the node refuses those, in the head's own block. Which of these
    is found out once for each endpoint.

    No state is overridden: nothing of the sender but its balance decides what a call does, and a balance
    that is not there must be missed. No price of gas is named, so that gas is not asked of it.

    Parameters
    ----------
    rpc : Rpc
        The node.
    block_time_s : int
        Seconds from a head to the block after it, at least 1.
    """

    def __init__(self, rpc: Rpc, block_time_s: int = 12) -> None:
        self._rpc = rpc
        self._block_time_s = block_time_s
        self._able: dict[str, bool] = {}
        self._plain: set[tuple[str, str]] = set()

    async def run(
        self, trials: Sequence[Trial], head: Head, *, after: Sequence[Trial] = ()
    ) -> list[SimulationResult]:
        """Try calls in order on the state of ``head``, in one round trip.

        Parameters
        ----------
        trials : sequence of Trial
            The calls.
        head : Head
            On whose state.
        after : sequence of Trial
            Calls that may land before them; only what they change is of interest. Left out where calls
            are tried singly.

        Raises
        ------
        RpcError
            If the node fails for a reason other than the calls themselves: that is no verdict on them.
        """
        if not trials:
            return []
        if self._able.get(self._rpc.label, True):
            results = await self._together([*after, *trials], head)
            if results is not None:
                return results[len(after) :]
        return await self._singly(trials, head)

    async def _together(self, trials: Sequence[Trial], head: Head) -> list[SimulationResult] | None:
        """Run the calls as one block; None if the node cannot."""
        label = self._rpc.label
        block: Json = {
            "blockOverrides": next_block(head, self._block_time_s),
            "calls": [_transaction(trial) for trial in trials],
        }
        options: Json = {"blockStateCalls": [block], "validation": False}
        try:
            answer = await self._rpc.request("eth_simulateV1", [options, codec.at(head)])
        except RpcError as error:
            if not _is_unknown_method(error):
                raise
            self._able[label] = False
            _log.info("simulation_singly", endpoint=label, reason=error.message)
            return None
        self._able[label] = True
        blocks = codec.sequence(answer, "eth_simulateV1")
        if len(blocks) != 1:
            raise MalformedAnswerError("eth_simulateV1", f"{len(blocks)} blocks", "one block")
        simulated = codec.mapping(blocks[0], "simulated block")
        calls = codec.sequence(simulated.get("calls"), "simulated calls")
        if len(calls) != len(trials):
            raise MalformedAnswerError("eth_simulateV1", f"{len(calls)} calls", f"{len(trials)} calls")
        return [
            _simulated(call, trial.call.gas_reserve, is_first=position == 0)
            for position, (call, trial) in enumerate(zip(calls, trials, strict=True))
        ]

    async def _singly(self, trials: Sequence[Trial], head: Head) -> list[SimulationResult]:
        """Try each call by itself: what one changes, the next does not see."""
        plain = [
            RpcCall(method, [_transaction(trial), codec.at(head)]) for trial in trials for method in _SINGLY
        ]
        answers = await self._in_next_block(plain, head)
        return [_result(answers[2 * i], answers[2 * i + 1]) for i in range(len(trials))]

    async def _in_next_block(self, plain: Sequence[RpcCall], head: Head) -> list[Json | RpcError]:
        """Ask with block overrides, and without them what the node refuses to take with them."""
        label = self._rpc.label
        block = next_block(head, self._block_time_s)
        requests = [
            call if (label, call.method) in self._plain else RpcCall(call.method, [*call.params, {}, block])
            for call in plain
        ]
        answers = await self._rpc.batch(requests)
        refused = [
            position
            for position, (asked, answer) in enumerate(zip(requests, answers, strict=True))
            if asked is not plain[position] and _is_refusal(answer)
        ]
        if refused:
            again = await self._rpc.batch([plain[position] for position in refused])
            for position, answer in zip(refused, again, strict=True):
                if not _is_refusal(answer):
                    self._note_plain(label, plain[position].method)
                answers[position] = answer
        return answers

    def _note_plain(self, label: str, method: str) -> None:
        """Remember that an endpoint takes no overrides; a refusal of the call itself proves nothing."""
        if (label, method) not in self._plain:
            self._plain.add((label, method))
            _log.info("simulation_without_overrides", endpoint=label, method=method)


def _is_refusal(answer: Json | RpcError) -> bool:
    return isinstance(answer, RpcError) and not _is_verdict(answer) and refuses_overrides(answer)


def _transaction(trial: Trial) -> Json:
    call = trial.call
    transaction: dict[str, Json] = {
        "from": trial.sender,
        "to": call.to,
        "data": codec.hex_data(call.data),
        "value": codec.hex_quantity(call.value),
    }
    if call.gas_limit is not None:
        transaction["gas"] = codec.hex_quantity(call.gas_limit)
    return transaction


def _is_unknown_method(error: RpcError) -> bool:
    words = error.message.lower()
    about_it = "simulatev1" in words or "method" in words
    return error.code in _NO_METHOD_CODES or (about_it and any(word in words for word in _NO_METHOD_WORDS))


def _simulated(value: object, reserve: int, *, is_first: bool) -> SimulationResult:
    call = codec.mapping(value, "simulated call")
    returned = codec.data(call.get("returnData"), "simulated call.returnData")
    status = codec.quantity(call.get("status"), "simulated call.status")
    if status == 1:
        gas = (
            _possible(_sufficient_gas(call), "simulated call's gas")
            + reserve
            + (0 if is_first else _FIRST_WRITES)
        )
        return SimulationResult(succeeded=True, gas_used=gas, data=returned)
    if status != 0:
        raise MalformedAnswerError("simulated call.status", status, "0 or 1")
    error = codec.mapping(call.get("error"), "simulated call.error")
    data = error.get("data")
    if not returned and isinstance(data, str):
        returned = codec.data(data, "revert data")
    words = str(error.get("message"))[:_LONGEST_WORDS]
    return SimulationResult(succeeded=False, gas_used=0, data=returned, reason=f"it would revert: {words}")


def _sufficient_gas(call: Mapping[str, object]) -> int:
    """Return gas that is enough: the most that was used at any time, refunds not yet given back.

    Rounding: UP, because a limit that is too low loses the whole action.
    """
    if call.get("maxUsedGas") is not None:
        return codec.quantity(call.get("maxUsedGas"), "simulated call.maxUsedGas")
    used = codec.quantity(call.get("gasUsed"), "simulated call.gasUsed")
    return -(-used * _REFUND_NUMERATOR // _REFUND_DENOMINATOR)


def _possible(gas: int, what: str) -> int:
    """Return gas that a transaction can use; what it is worth is divided by it."""
    if not _LEAST_GAS <= gas <= _MOST_GAS:
        raise MalformedAnswerError(what, gas, f"{_LEAST_GAS} to {_MOST_GAS}")
    return gas


def _result(returned: Json | RpcError, estimated: Json | RpcError) -> SimulationResult:
    for answer in (returned, estimated):
        if isinstance(answer, RpcError):
            return _reverted(answer)
    return SimulationResult(
        succeeded=True,
        gas_used=_possible(codec.quantity(estimated, "eth_estimateGas"), "eth_estimateGas"),
        data=codec.data(returned, "eth_call"),
    )


def _reverted(error: RpcError) -> SimulationResult:
    if not _is_verdict(error):
        raise error
    data = codec.data(error.data, "revert data") if isinstance(error.data, str) else b""
    return SimulationResult(succeeded=False, gas_used=0, data=data, reason=error.message)


def _is_verdict(error: RpcError) -> bool:
    """Whether an error is what became of the call, and not a failure of the node."""
    words = error.message.lower()
    return error.code == _REVERT_CODE or any(fault in words for fault in _EXECUTION_FAULTS)
