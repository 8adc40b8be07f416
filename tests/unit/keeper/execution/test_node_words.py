"""What a node's words mean for a call, and for a transaction."""

from collections.abc import Sequence

import pytest

from bot.errors import EndpointUnreachableError, MalformedAnswerError, RpcError
from bot.execution.broadcast import Answer, broadcast
from bot.execution.simulation import Simulator
from bot.ports import Call, Hash32, Json, Outcome, RpcCall
from tests.support.keeper import ENGINE, KEEPER, a_head, a_signature


class Node:
    label = "ws://node"

    def __init__(self, *answers: Json | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[RpcCall] = []

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        self.asked.append(RpcCall(method, params))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        self.asked += calls
        return self.answers  # type: ignore[return-value]


def error(message: str, code: int = -32000, data: object = None) -> RpcError:
    return RpcError("eth_sendRawTransaction", code, message, data)


SIGNED = a_signature(5)


async def test_an_acknowledged_hash_is_submission() -> None:
    node = Node(SIGNED.hash)
    assert await broadcast(node, SIGNED) == Answer(Outcome.SUBMITTED)
    assert node.asked == [RpcCall("eth_sendRawTransaction", ["0x" + SIGNED.raw.hex()])]


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("already known", Outcome.SUBMITTED),
        ("AlreadyKnown: already known", Outcome.SUBMITTED),
        ("transaction already imported", Outcome.SUBMITTED),
        ("nonce too low: next nonce 6, tx nonce 5", Outcome.SIGNED),
        ("Nonce too low", Outcome.SIGNED),
        ("insufficient funds for gas * price + value", Outcome.REJECTED),
        ("replacement transaction underpriced", Outcome.REJECTED),
        ("max fee per gas less than block base fee", Outcome.REJECTED),
        ("txpool is full", Outcome.REJECTED),
        ("words that nobody knows", Outcome.REJECTED),
    ],
)
async def test_refusals_are_told_apart(words: str, outcome: Outcome) -> None:
    answer = await broadcast(Node(error(words)), SIGNED)
    assert answer.outcome is outcome
    assert answer.reason == ("" if outcome is Outcome.SUBMITTED else words)


async def test_silence_leaves_the_outcome_open() -> None:
    answer = await broadcast(Node(EndpointUnreachableError("ws://node", "no answer in time")), SIGNED)
    assert answer == Answer(Outcome.SIGNED, "no answer in time")


@pytest.mark.parametrize("answer", [Hash32("0x" + "99" * 32), None, "0x", 5])
async def test_an_acknowledgement_of_something_else_is_an_error(answer: Json) -> None:
    with pytest.raises(MalformedAnswerError):
        await broadcast(Node(answer), SIGNED)


CALL = Call(ENGINE, b"\x01", value=3)


async def test_a_call_is_tried_as_the_sender_on_the_very_head() -> None:
    node = Node("0x2a", "0x5208")
    (trial,) = await Simulator(node, KEEPER).run([CALL], a_head(9))
    assert (trial.succeeded, trial.gas_used, trial.data, trial.reason) == (True, 21_000, b"\x2a", "")
    transaction = {"from": KEEPER, "to": ENGINE, "data": "0x01", "value": "0x3"}
    pinned = {"blockHash": a_head(9).hash}
    assert node.asked == [
        RpcCall("eth_call", [transaction, pinned]),
        RpcCall("eth_estimateGas", [transaction, pinned]),
    ]


async def test_a_gas_limit_of_the_call_bounds_its_trial() -> None:
    node = Node("0x", "0x5208")
    await Simulator(node, KEEPER).run([Call(ENGINE, b"", gas_limit=255)], a_head(9))
    assert all(asked.params[0]["gas"] == "0xff" for asked in node.asked)  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "execution reverted"),
        (3, "custom error 0x01020304"),
        (-32000, "execution reverted: too little"),
        (-32000, "out of gas"),
        (-32003, "EVM error InvalidFEOpcode"),
        (-32000, "invalid opcode: INVALID"),
        (-32000, "gas required exceeds allowance (30000000)"),
    ],
)
async def test_a_revert_is_a_verdict_with_its_data_and_words(code: int, words: str) -> None:
    for answers in ((error(words, code, "0x0102"), "0x1"), ("0x", error(words, code, "0x0102"))):
        (trial,) = await Simulator(Node(*answers), KEEPER).run([CALL], a_head(9))
        assert (trial.succeeded, trial.gas_used, trial.data, trial.reason) == (False, 0, b"\x01\x02", words)


@pytest.mark.parametrize("data", [None, {"originalError": 1}, 5])
async def test_a_revert_without_data_has_none(data: object) -> None:
    node = Node(error("execution reverted", 3, data), "0x1")
    (trial,) = await Simulator(node, KEEPER).run([CALL], a_head(9))
    assert (trial.succeeded, trial.data) == (False, b"")


@pytest.mark.parametrize(
    "words", ["header not found", "missing trie node", "limit exceeded", "internal error"]
)
async def test_a_failure_of_the_node_is_no_verdict_on_the_call(words: str) -> None:
    with pytest.raises(RpcError, match=words):
        await Simulator(Node(error(words), "0x1"), KEEPER).run([CALL], a_head(9))
