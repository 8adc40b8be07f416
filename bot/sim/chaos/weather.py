"""The phase that is on, and what its faults do to calls and answers. No input or output happens here."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeAlias, TypeVar

import orjson

from bot.sim.chaos.dice import Dice
from bot.sim.chaos.script import (
    Cut,
    Delay,
    Drop,
    Duplicate,
    Fault,
    Freeze,
    LateReceipt,
    LoseLogs,
    Malform,
    Phase,
    Refuse,
    ReorderLogs,
    Slow,
    Status,
    Truncate,
    WrongChain,
)

Message: TypeAlias = dict[str, Any]
FaultT = TypeVar("FaultT")

NOTIFICATION: Final = "eth_subscription"
_SENDS: Final = ("eth_sendRawTransaction", "eth_sendTransaction", "eth_sendRawTransactionSync")
_MOVING: Final = ("latest", "pending", "safe", "finalized")
_TOO_MANY: Final = -32005
_UNAVAILABLE: Final = -32603


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one message and its answer.

    Parameters
    ----------
    dropped, cut : bool
        Nothing comes back; or the connection ends.
    status : int or None
        HTTP status that is answered instead.
    delay_s : float
        Seconds that the answer waits.
    bytes_per_second : int or None
        How fast it then comes.
    """

    dropped: bool = False
    cut: bool = False
    status: int | None = None
    delay_s: float = 0.0
    bytes_per_second: int | None = None


class Weather:
    """One phase at work.

    Parameters
    ----------
    seed : int
        Of the script.
    phase : Phase
        What may go wrong.
    height : int
        Of the node's newest block when the phase began.
    struck : Counter
        Counts, by kind of fault, what was done; goes on over phases.
    """

    def __init__(self, seed: int, phase: Phase, height: int, struck: Counter[str]) -> None:
        self.phase: Final = phase
        self._dice = Dice(seed, phase.name)
        self._height = height
        self._struck = struck
        self._receipts_asked: Counter[str] = Counter()

    # ------------------------------------------------------------------- whole messages

    def fate(self, calls: Sequence[Message]) -> Fate:
        """Return what becomes of a message with these calls; of several faults each has its say."""
        status = self._struck_by(Status, calls)
        slow = self._struck_by(Slow, calls)
        delay = self._struck_by(Delay, calls)
        return Fate(
            dropped=self._struck_by(Drop, calls) is not None,
            cut=self._struck_by(Cut, calls) is not None,
            status=status.status if status else None,
            delay_s=delay.seconds if delay else 0.0,
            bytes_per_second=slow.bytes_per_second if slow else None,
        )

    def bodies(self, calls: Sequence[Message], answer: list[Message] | Message) -> list[bytes]:
        """Return the bytes of an answer, as often as they are to be sent."""
        if self._struck_by(Malform, calls):
            return [malformed(answer, self._dice.random(-1, _subject(calls)))]
        body = orjson.dumps(answer)
        if self._struck_by(Truncate, calls):
            return [body[: len(body) // 2]]
        return [body, body] if self._struck_by(Duplicate, calls) else [body]

    def notified(self) -> bool:
        """Whether a notification of the node may pass now."""
        return not any(isinstance(fault, Freeze) for fault in self.phase.faults)

    # ------------------------------------------------------------------------- calls

    def asked(self, call: Message) -> Message:
        """Return the call as the node is to see it."""
        return _pinned(call, self._height) if self._frozen(call) else call

    def instead(self, call: Message) -> Message | None:
        """Return the answer to a call that never reaches the node, if it is one."""
        method = call.get("method")
        if self._frozen(call):
            if method == "eth_blockNumber":
                return _result(call, hex(self._height))
            if method == "eth_getBlockByNumber" and _number(_first(call)) > self._height:
                return _result(call, None)
        for _, fault in self._of(Refuse):
            if method in _SENDS and not fault.delivered and self._strikes(fault, call):
                return error_answer(call, fault.code, fault.message)
        return None

    def answered(self, call: Message, answer: Message) -> Message:
        """Return the answer to one call as the asker is to see it."""
        method = call.get("method")
        if method in ("eth_chainId", "net_version"):
            return self._chain_of(call, answer)
        if method == "eth_getTransactionReceipt":
            return self._receipt(call, answer)
        if method == "eth_getLogs":
            return self._logs(call, answer)
        if method in _SENDS:
            for _, fault in self._of(Refuse):
                if fault.delivered and self._strikes(fault, call):
                    return error_answer(call, fault.code, fault.message)
        return answer

    def _chain_of(self, call: Message, answer: Message) -> Message:
        for _, fault in self._of(WrongChain):
            if self._strikes(fault, call):
                named = hex(fault.chain_id) if call["method"] == "eth_chainId" else str(fault.chain_id)
                return _result(call, named)
        return answer

    def _receipt(self, call: Message, answer: Message) -> Message:
        found = answer.get("result")
        if not isinstance(found, Mapping):
            return answer
        if self._frozen(call) and _number(found.get("blockNumber")) > self._height:
            return _result(call, None)
        subject = str(_first(call))
        for _, fault in self._of(LateReceipt):
            if self._receipts_asked[subject] < fault.times and self._strikes(fault, call):
                self._receipts_asked[subject] += 1
                return _result(call, None)
        return answer

    def _logs(self, call: Message, answer: Message) -> Message:
        logs = answer.get("result")
        if not isinstance(logs, list) or not logs:
            return answer
        kept = list(logs)
        for index, fault in self._of(LoseLogs):
            if fault.concerns("eth_getLogs"):
                random = self._dice.random(index, _subject([call]))
                kept = [log for log in kept if random.random() >= fault.share]
        if len(kept) != len(logs):
            self._struck["lose_logs"] += 1
        for index, mixing in self._of(ReorderLogs):
            if len(kept) > 1 and self._strikes(mixing, call):
                self._dice.random(index, _subject([call])).shuffle(kept)
        return _result(call, kept)

    # ------------------------------------------------------------------------ chance

    def _of(self, kind: type[FaultT]) -> Iterator[tuple[int, FaultT]]:
        return ((index, fault) for index, fault in enumerate(self.phase.faults) if isinstance(fault, kind))

    def _frozen(self, call: Message) -> bool:
        return any(fault.concerns(str(call.get("method"))) for _, fault in self._of(Freeze))

    def _strikes(self, fault: Fault, call: Message) -> bool:
        if not fault.concerns(str(call.get("method"))):
            return False
        index = self.phase.faults.index(fault)
        if not self._dice.strikes(index, fault.share, _subject([call])):
            return False
        self._struck[fault.kind] += 1
        return True

    def _struck_by(self, kind: type[FaultT], calls: Sequence[Message]) -> FaultT | None:
        """Return the first fault of a kind that strikes the message; one concerned call is enough."""
        for index, fault in enumerate(self.phase.faults):
            concerned = any(fault.concerns(str(call.get("method"))) for call in calls)
            if not isinstance(fault, kind) or not concerned:
                continue
            if self._dice.strikes(index, fault.share, _subject(calls)):
                self._struck[fault.kind] += 1
                return fault
        return None


def refused(calls: Sequence[Message], status: int) -> list[Message]:
    """Return what says the same as an HTTP status over a WebSocket."""
    code = _TOO_MANY if status == 429 else _UNAVAILABLE
    text = "too many requests" if status == 429 else f"upstream answered with status {status}"
    return [error_answer(call, code, text) for call in calls]


def error_answer(call: Message, code: int, message: str) -> Message:
    """Return a JSON-RPC error."""
    return {"jsonrpc": "2.0", "id": call.get("id"), "error": {"code": code, "message": message}}


def malformed(answer: list[Message] | Message, random: Random) -> bytes:
    """Return something that is not the answer, in one of several ways."""
    first = answer[0] if isinstance(answer, list) else answer
    head = {"jsonrpc": "2.0", "id": first.get("id")}
    variants: tuple[bytes, ...] = (
        b"<html><body>502 Bad Gateway</body></html>",
        b"",
        b"\xff\xfe\x00",
        orjson.dumps(head),
        orjson.dumps({**head, "result": {"unexpected": [1, 2, 3]}}),
        orjson.dumps({**head, "result": "0xzz"}),
        orjson.dumps({**first, "id": -1}),
        b'{"jsonrpc":"2.0","result":' + b"[" * 200 + b"]" * 200 + b"}",
        b"null",
    )
    return random.choice(variants)


def _subject(calls: Sequence[Message]) -> str:
    """Return what a call is told by: method and parameters, without the id."""
    return repr([(call.get("method"), call.get("params")) for call in calls])


def _result(call: Message, result: object) -> Message:
    return {"jsonrpc": "2.0", "id": call.get("id"), "result": result}


def _first(call: Message) -> object:
    params = call.get("params")
    return params[0] if isinstance(params, list) and params else None


def _number(text: object) -> int:
    """Return a quantity; a word such as ``latest`` is below every height."""
    try:
        return int(str(text), 16)
    except ValueError:
        return -1


def _pinned(call: Message, height: int) -> Message:
    """Return the call with ``latest`` and its like at a height."""
    params = call.get("params")
    if not isinstance(params, list):
        return call
    return {**call, "params": [_pinned_param(value, height) for value in params]}


def _pinned_param(value: object, height: int) -> object:
    if isinstance(value, str) and value in _MOVING:
        return hex(height)
    if isinstance(value, dict) and ("fromBlock" in value or "toBlock" in value):
        return {key: _pinned_param(entry, height) for key, entry in value.items()}
    return value
