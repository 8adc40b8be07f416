"""What a node's words mean for a call, and for a transaction."""

from collections.abc import Sequence

import pytest

from bot.errors import ChainError, EndpointUnreachableError, MalformedAnswerError, RpcError, WrongChainError
from bot.execution.broadcast import Answer, Word, broadcast
from bot.execution.simulation import Simulator, Trial
from bot.ports import Call, Hash32, Json, Outcome, RpcCall
from tests.support.keeper import ENGINE, KEEPER, a_head, a_signature


class Node:
    label = "ws://node"

    def __init__(self, *answers: Json | Exception) -> None:
        self.answers = list(answers)
        self.batches: list[list[Json | RpcError]] = []
        self.asked: list[RpcCall] = []

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        self.asked.append(RpcCall(method, params))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        self.asked += calls
        return self.batches.pop(0) if self.batches else self.answers  # type: ignore[return-value]


def error(message: str, code: int = -32000, data: object = None) -> RpcError:
    return RpcError("eth_sendRawTransaction", code, message, data)


SIGNED = a_signature(5)


async def test_an_acknowledged_hash_is_submission() -> None:
    node = Node(SIGNED.hash)
    (answer,) = await broadcast(node, [SIGNED])
    assert (answer, answer.outcome) == (Answer(Word.TAKEN), Outcome.SUBMITTED)
    assert node.asked == [RpcCall("eth_sendRawTransaction", ["0x" + SIGNED.raw.hex()])]


async def test_many_are_sent_in_one_round_trip_and_each_has_its_answer() -> None:
    other = a_signature(6)
    node = Node(SIGNED.hash, error("txpool is full"))
    assert await broadcast(node, [SIGNED, other]) == [
        Answer(Word.TAKEN),
        Answer(Word.POOL_FULL, "txpool is full"),
    ]
    assert [asked.params for asked in node.asked] == [["0x" + s.raw.hex()] for s in (SIGNED, other)]


WORDS = [
    # geth
    ("already known", Word.KNOWN),
    ("nonce too low: next nonce 6, tx nonce 5", Word.NONCE_USED),
    ("nonce too high: address 0xab, tx: 7 state: 5", Word.NONCE_AHEAD),
    ("replacement transaction underpriced", Word.OUTBID),
    ("future transaction tries to replace pending", Word.OUTBID),
    ("transaction underpriced: tip needed 100, tip permitted 1", Word.UNDERPRICED),
    ("max fee per gas less than block base fee: address 0xab, maxFeePerGas: 1, baseFee: 7", Word.UNDERPRICED),
    ("insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1", Word.FUNDS),
    ("txpool is full", Word.POOL_FULL),
    ("in-flight transaction limit reached for delegated accounts", Word.POOL_FULL),
    ("exceeds block gas limit", Word.INVALID),
    ("intrinsic gas too low: gas 5, minimum needed 21000", Word.INVALID),
    ("max priority fee per gas higher than max fee per gas: address 0xab", Word.INVALID),
    ("invalid sender", Word.INVALID),
    ("invalid chain id for signer: have 5 want 1", Word.INVALID),
    ("tx fee (2.10 ether) exceeds the configured cap (1.00 ether)", Word.INVALID),
    # anvil
    ("transaction already imported", Word.KNOWN),
    ("nonce too low", Word.NONCE_USED),
    ("Insufficient funds for gas * price + value", Word.FUNDS),
    ("max fee per gas less than block base fee", Word.UNDERPRICED),
    ("max priority fee per gas higher than max fee per gas", Word.INVALID),
    ("Failed to decode transaction", Word.INVALID),
    # hardhat
    ("Known transaction: 0x5c50", Word.KNOWN),
    (
        "Nonce too low. Expected nonce to be 6 but got 5. Note that transactions can't be queued when "
        "automining.",
        Word.NONCE_USED,
    ),
    (
        "Nonce too high. Expected nonce to be 5 but got 9. Note that transactions can't be queued when "
        "automining.",
        Word.NONCE_AHEAD,
    ),
    (
        "Replacement transaction underpriced. A gasPrice/maxFeePerGas of at least 11 is necessary to replace "
        "the existing transaction with nonce 5.",
        Word.OUTBID,
    ),
    (
        "Sender doesn't have enough funds to send tx. The max upfront cost is: 2 and the sender's balance "
        "is: 1.",
        Word.FUNDS,
    ),
    (
        "Transaction maxFeePerGas (1) is too low for the next block, which has a baseFeePerGas of 7",
        Word.UNDERPRICED,
    ),
    ("Transaction gas limit is 90 and exceeds block gas limit of 30", Word.INVALID),
    ("Transaction requires at least 21000 gas but got 5", Word.INVALID),
    ("maxPriorityFeePerGas (2) is bigger than maxFeePerGas (1)", Word.INVALID),
    # others
    ("AlreadyKnown", Word.KNOWN),
    ("OldNonce, Current nonce: 6, nonce of rejected tx: 5", Word.NONCE_USED),
    ("could not replace existing tx", Word.OUTBID),
    ("FeeTooLow, MaxFeePerGas too low", Word.UNDERPRICED),
    ("InsufficientFunds, Account balance: 0", Word.FUNDS),
    ("words that nobody knows", Word.UNKNOWN),
    ("", Word.UNKNOWN),
]

OPEN = {Word.KNOWN: Outcome.SUBMITTED, Word.NONCE_USED: Outcome.SIGNED, Word.UNKNOWN: Outcome.SIGNED}


@pytest.mark.parametrize(("words", "word"), WORDS)
async def test_refusals_are_told_apart(words: str, word: Word) -> None:
    (answer,) = await broadcast(Node(error(words)), [SIGNED])
    assert answer == Answer(word, "" if word is Word.KNOWN else words)
    assert answer.outcome is OPEN.get(word, Outcome.REJECTED)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (EndpointUnreachableError("ws://node", "no answer in time"), "no answer in time"),
        (error("too many requests", -32005), "too many requests"),
        (WrongChainError("ws://node", 31337, 5), "serves chain 5"),
    ],
)
async def test_silence_leaves_the_outcome_open(fault: ChainError, words: str) -> None:
    class Silent(Node):
        async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
            raise fault

    answers = await broadcast(Silent(), [SIGNED, a_signature(6)])
    assert len(answers) == 2
    for answer in answers:
        assert (answer.word, answer.outcome) == (Word.SILENCE, Outcome.SIGNED)
        assert words in answer.reason


@pytest.mark.parametrize("answer", [Hash32("0x" + "99" * 32), None, "0x", 5])
async def test_an_acknowledgement_of_something_else_is_an_error(answer: Json) -> None:
    with pytest.raises(MalformedAnswerError):
        await broadcast(Node(answer), [SIGNED])


CALL = Call(ENGINE, b"\x01", value=3)
TRIAL = Trial(KEEPER, CALL)
TRANSACTION = {"from": KEEPER, "to": ENGINE, "data": "0x01", "value": "0x3"}
PINNED = {"blockHash": a_head(9).hash}
NEXT = {
    "number": "0xa",
    "time": hex(a_head(9).timestamp + 12),
    "baseFeePerGas": hex(a_head(9).base_fee_per_gas),
}
NO_SUCH = RpcError("eth_simulateV1", -32601, "the method eth_simulateV1 does not exist/is not available")


def block(*calls: Json) -> Json:
    return [{"number": "0xa", "calls": list(calls)}]


FINE: Json = {"status": "0x1", "returnData": "0x2a", "gasUsed": "0x5208", "logs": []}


async def test_calls_are_tried_together_in_order_on_the_very_head() -> None:
    other = Trial(ENGINE, Call(KEEPER, b"", gas_limit=255))
    node = Node(block(FINE, {**FINE, "maxUsedGas": "0x6000"}))
    first, second = await Simulator(node).run([TRIAL, other], a_head(9))
    assert (first.succeeded, first.data, first.reason) == (True, b"\x2a", "")
    assert first.gas_used == 26_250, "refunds hide at most a fifth of the gas that is needed"
    assert second.gas_used == 0x6000 + 4 * 17_100, "the calls before it may not land"
    (asked,) = node.asked
    calls = [TRANSACTION, {"from": ENGINE, "to": KEEPER, "data": "0x", "value": "0x0", "gas": "0xff"}]
    assert asked == RpcCall(
        "eth_simulateV1",
        [{"blockStateCalls": [{"blockOverrides": NEXT, "calls": calls}], "validation": False}, PINNED],
    )


async def test_what_may_land_before_is_run_first_and_left_out_of_the_results() -> None:
    node = Node(block({**FINE, "returnData": "0x01"}, {**FINE, "returnData": "0x02"}))
    (trial,) = await Simulator(node).run([TRIAL], a_head(9), after=[TRIAL])
    assert trial.data == b"\x02"


@pytest.mark.parametrize(
    ("call", "data", "words"),
    [
        (
            {"returnData": "0x0102", "error": {"code": -3200, "message": "execution failed"}},
            b"\1\2",
            "failed",
        ),
        ({"returnData": "0x", "error": {"code": 3, "message": "no", "data": "0x07"}}, b"\7", "no"),
        ({"returnData": "0x", "error": {"code": 3, "message": "no", "data": {"a": 1}}}, b"", "no"),
    ],
)
async def test_a_simulated_revert_is_a_verdict(call: dict[str, Json], data: bytes, words: str) -> None:
    node = Node(block({"status": "0x0", "gasUsed": "0x1", **call}))
    (trial,) = await Simulator(node).run([TRIAL], a_head(9))
    assert (trial.succeeded, trial.gas_used, trial.data) == (False, 0, data)
    assert trial.reason.startswith("it would revert")
    assert words in trial.reason


async def test_of_endless_words_for_a_revert_the_beginning_is_kept() -> None:
    endless = {"code": 3, "message": "no, and " + "x" * 1_000_000}
    node = Node(block({"status": "0x0", "gasUsed": "0x1", "returnData": "0x", "error": endless}))
    (trial,) = await Simulator(node).run([TRIAL], a_head(9))
    assert trial.reason.startswith("it would revert: no, and")
    assert len(trial.reason) < 2_100


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        block(),
        block(FINE, FINE),
        [*block(FINE), *block(FINE)],  # type: ignore[misc]
        block(5),
        block({**FINE, "status": "0x2"}),
        block({**FINE, "gasUsed": None}),
        block({**FINE, "gasUsed": "0x0"}),
        block({**FINE, "gasUsed": hex(2**64)}),
        block({**FINE, "maxUsedGas": "0x1"}),
        block({**FINE, "returnData": 5}),
        block({"status": "0x0", "returnData": "0x", "gasUsed": "0x1"}),
    ],
)
async def test_a_malformed_simulation_is_no_verdict(answer: Json) -> None:
    with pytest.raises(MalformedAnswerError):
        await Simulator(Node(answer)).run([TRIAL], a_head(9))


@pytest.mark.parametrize(
    "refusal",
    [
        NO_SUCH,
        RpcError("eth_simulateV1", -32601, "Method not found"),
        RpcError("eth_simulateV1", -32004, "Method eth_simulateV1 is not supported"),
        RpcError("eth_simulateV1", -32600, "unsupported method: eth_simulateV1"),
    ],
)
async def test_a_node_that_cannot_is_asked_once_and_then_call_by_call(refusal: RpcError) -> None:
    node = Node(refusal)
    simulator = Simulator(node)
    node.batches = [["0x2a", "0x5208"], ["0x2a", "0x5208"]]
    for _ in range(2):
        (trial,) = await simulator.run([TRIAL], a_head(9), after=[TRIAL])
        assert (trial.succeeded, trial.gas_used, trial.data, trial.reason) == (True, 21_000, b"\x2a", "")
    alone = [RpcCall(method, [TRANSACTION, PINNED, {}, NEXT]) for method in ("eth_call", "eth_estimateGas")]
    assert [asked.method for asked in node.asked[:1]] == ["eth_simulateV1"]
    assert node.asked[1:] == alone * 2


ALONE = [RpcCall("eth_call", [TRANSACTION, PINNED]), RpcCall("eth_estimateGas", [TRANSACTION, PINNED])]
OVERRIDDEN = [RpcCall(call.method, [*call.params, {}, NEXT]) for call in ALONE]
REFUSALS = [
    RpcError("eth_call", -32602, "too many arguments, want at most 3"),
    RpcError("eth_call", -32602, "trailing characters at line 1 column 248"),
    RpcError("eth_call", -32000, "Incorrect parameters count, expected: 3, actual: 4"),
    RpcError("eth_call", -32000, "block overrides are not supported"),
]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_node_that_refuses_overrides_is_asked_without_and_not_offered_them_again(
    refusal: RpcError,
) -> None:
    simulator = Simulator(node := Node(NO_SUCH))
    node.batches = [[refusal, refusal], ["0x2a", "0x5208"], ["0x2b", "0x5208"]]
    (first,) = await simulator.run([TRIAL], a_head(9))
    (second,) = await simulator.run([TRIAL], a_head(9))
    assert (first.data, second.data) == (b"\x2a", b"\x2b")
    assert node.asked[1:] == [*OVERRIDDEN, *ALONE, *ALONE]


async def test_of_two_questions_the_one_that_takes_overrides_goes_on_with_them() -> None:
    simulator = Simulator(node := Node(NO_SUCH))
    node.batches = [["0x2a", REFUSALS[0]], ["0x5208"], ["0x2b", "0x5209"]]
    (first,) = await simulator.run([TRIAL], a_head(9))
    assert (first.data, first.gas_used) == (b"\x2a", 21_000)
    await simulator.run([TRIAL], a_head(9))
    assert node.asked[1:] == [*OVERRIDDEN, ALONE[1], OVERRIDDEN[0], ALONE[1]]


async def test_what_is_refused_with_and_without_overrides_says_nothing_about_them() -> None:
    simulator = Simulator(node := Node(NO_SUCH))
    unknown = RpcError("eth_call", -32602, "unknown block")
    node.batches = [[unknown, unknown], [unknown, unknown], ["0x2a", "0x5208"]]
    with pytest.raises(RpcError, match="unknown block"):
        await simulator.run([TRIAL], a_head(9))
    assert (await simulator.run([TRIAL], a_head(9)))[0].succeeded
    assert node.asked[-2:] == OVERRIDDEN


async def test_a_revert_that_speaks_of_arguments_is_a_verdict_and_no_refusal() -> None:
    reverted = RpcError("eth_call", 3, "execution reverted: too many arguments", "0x07")
    node, simulator = singly(reverted, reverted)
    (trial,) = await simulator.run([TRIAL], a_head(9))
    assert (trial.succeeded, trial.data) == (False, b"\7")
    assert node.asked[1:] == OVERRIDDEN


async def test_another_endpoint_is_offered_overrides_anew() -> None:
    simulator = Simulator(node := Node(NO_SUCH, NO_SUCH))
    node.batches = [[REFUSALS[0]] * 2, ["0x2a", "0x5208"], ["0x2a", "0x5208"]]
    await simulator.run([TRIAL], a_head(9))
    node.label = "ws://other"
    await simulator.run([TRIAL], a_head(9))
    assert node.asked[-2:] == OVERRIDDEN


async def test_another_endpoint_is_asked_anew() -> None:
    node = Node(NO_SUCH, block(FINE))
    simulator = Simulator(node)
    node.batches = [["0x2a", "0x5208"]]
    await simulator.run([TRIAL], a_head(9))
    node.label = "ws://other"
    (trial,) = await simulator.run([TRIAL], a_head(9))
    assert trial.gas_used == 26_250


async def test_a_simulation_that_the_node_fails_is_no_verdict_and_no_inability() -> None:
    simulator = Simulator(node := Node(error("header not found"), block(FINE)))
    with pytest.raises(RpcError, match="header not found"):
        await simulator.run([TRIAL], a_head(9))
    assert (await simulator.run([TRIAL], a_head(9)))[0].succeeded
    assert [asked.method for asked in node.asked] == ["eth_simulateV1"] * 2


def singly(*answers: Json | RpcError) -> tuple[Node, Simulator]:
    node = Node(NO_SUCH)
    node.batches = [list(answers)]
    return node, Simulator(node)


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
        (trial,) = await singly(*answers)[1].run([TRIAL], a_head(9))
        assert (trial.succeeded, trial.gas_used, trial.data, trial.reason) == (False, 0, b"\x01\x02", words)


@pytest.mark.parametrize("estimate", ["0x0", "0x5207", hex(2**63)])
async def test_an_estimate_that_no_call_can_have_is_refused(estimate: str) -> None:
    with pytest.raises(MalformedAnswerError, match="eth_estimateGas"):
        await singly("0x2a", estimate)[1].run([TRIAL], a_head(9))


@pytest.mark.parametrize("data", [None, {"originalError": 1}, 5])
async def test_a_revert_without_data_has_none(data: object) -> None:
    (trial,) = await singly(error("execution reverted", 3, data), "0x1")[1].run([TRIAL], a_head(9))
    assert (trial.succeeded, trial.data) == (False, b"")


@pytest.mark.parametrize(
    "words", ["header not found", "missing trie node", "limit exceeded", "internal error"]
)
async def test_a_failure_of_the_node_is_no_verdict_on_the_call(words: str) -> None:
    with pytest.raises(RpcError, match=words):
        await singly(error(words), "0x1")[1].run([TRIAL], a_head(9))
