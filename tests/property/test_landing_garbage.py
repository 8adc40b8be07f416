"""Whatever a node, a relay or a remote signer answers while something lands: a verdict, or a typed error."""

import asyncio
import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from eth_utils.abi import event_abi_to_log_topic
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import abi
from bot.chain import codec
from bot.errors import ChainError, ProtocolError, RpcError, SignatureInvalidError
from bot.execution.broadcast import Answer, Word, broadcast, judge
from bot.execution.fees import Fees
from bot.execution.inventory import Approval, Inventory, InventoryRules, Sweep
from bot.execution.nonce_use import used_by
from bot.execution.relay import PrivateRoute, RelayOptions
from bot.execution.remote import RemoteSigner
from bot.execution.signer import Unsigned
from bot.execution.simulation import Simulator, Trial
from bot.ports import (
    Address,
    Call,
    Hash32,
    Head,
    Json,
    Lane,
    Log,
    Outcome,
    RpcCall,
    Signed,
    Terms,
    Transaction,
)
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.reader import LogReader
from bot.protocols.sluice.realised import Payouts
from bot.rfq.reading import Places, Reader
from tests.support.keeper import ENGINE, KEEPER, a_hash, a_head, a_receipt, a_signature, an_intent
from tests.support.manifests import HOUSE, TAKER, manifest
from tests.support.private_relay import serving

MANIFEST = Manifest.model_validate(manifest())
HEAD = a_head(9)
BYTES = bytes.fromhex(ENGINE[2:])

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["0x", "0x0", "0x1", "0x" + "ab" * 32, "0x" + "11" * 20, "0x" + "f" * 64, KEEPER, HEAD.hash]
    ),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
REFUSALS = st.builds(RpcError, st.just("x"), st.integers(-33_000, 4), st.text(max_size=20), JSON)


@st.composite
def shaped(draw: st.DrawFn, **fields: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Draw an object as it is expected, of which a field or two may be missing or odd."""
    whole = draw(st.fixed_dictionaries(fields))
    for name in draw(st.just([]) | st.lists(st.sampled_from(sorted(fields)), max_size=2)):
        whole[name] = draw(JSON)
    for name in draw(st.just([]) | st.lists(st.sampled_from(sorted(fields)), max_size=1)):
        del whole[name]
    return whole


QUANTITY = st.integers(0, 2**70).map(hex)
DATA = st.binary(max_size=70).map(codec.hex_data)
LOGS = shaped(
    address=st.just(ENGINE),
    topics=st.lists(st.just("0x" + "ab" * 32), max_size=4),
    data=DATA,
    blockNumber=st.sampled_from(["0x7", "0x8", "0x9", "0xa"]),
    blockHash=st.just(HEAD.hash),
    transactionHash=st.just("0x" + "ab" * 32),
    logIndex=QUANTITY,
)
BLOCKS = shaped(
    number=st.just("0x9"),
    hash=st.just(HEAD.hash),
    parentHash=st.just(HEAD.parent_hash),
    timestamp=QUANTITY,
    baseFeePerGas=QUANTITY,
    transactions=st.lists(
        shaped(**{"from": st.just(KEEPER), "nonce": st.just("0x4"), "hash": DATA}), max_size=2
    ),
)
SIMULATED = st.lists(
    shaped(
        calls=st.lists(
            shaped(
                status=st.sampled_from(["0x0", "0x1"]),
                returnData=DATA,
                gasUsed=QUANTITY,
                maxUsedGas=QUANTITY,
                error=shaped(message=st.text(max_size=9), data=DATA),
            ),
            min_size=1,
            max_size=2,
        )
    ),
    min_size=1,
    max_size=2,
)
WORD = st.integers(0, 2**256 - 1).map(lambda value: f"0x{value:064x}")
EXPECTED: dict[str, st.SearchStrategy[Any]] = {
    "eth_call": WORD | DATA,
    "eth_estimateGas": QUANTITY,
    "eth_getBalance": QUANTITY,
    "eth_getBlockByNumber": BLOCKS,
    "eth_getLogs": st.lists(LOGS, max_size=2),
    "eth_getTransactionByHash": JSON,
    "eth_getTransactionCount": QUANTITY,
    "eth_sendRawTransaction": WORD | st.sampled_from([a_signature(1).hash, a_signature(2).hash]),
    "eth_simulateV1": SIMULATED,
}


class Liar:
    """A node that mostly says what is expected in form, and now and then anything."""

    label = "liar"

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        answer = self._said(method)
        if isinstance(answer, RpcError):
            raise answer
        return answer

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        return [self._said(call.method) for call in calls]

    def _said(self, method: str) -> Json | RpcError:
        odd = self._data.draw(st.integers(0, 9), "oddness") == 9
        answer: Json | RpcError = self._data.draw(JSON | REFUSALS if odd else EXPECTED[method], method)
        return answer


TRIALS = [Trial(KEEPER, Call(ENGINE, b"\x01")), Trial(KEEPER, Call(ENGINE, b"\x02", gas_reserve=5))]


@settings(max_examples=300)
@given(data=st.data())
def test_a_simulation_is_a_verdict_on_each_call_or_an_error_of_the_node(data: st.DataObject) -> None:
    with suppress(ChainError):
        results = asyncio.run(Simulator(Liar(data)).run(TRIALS, HEAD))
        assert len(results) == 2
        assert all(result.gas_used > 0 for result in results if result.succeeded)


@given(data=st.data())
def test_a_broadcast_is_answered_for_each_transaction_or_an_error_of_the_node(data: st.DataObject) -> None:
    with suppress(ChainError):
        answers = asyncio.run(broadcast(Liar(data), [a_signature(1), a_signature(2)]))
        assert [isinstance(answer, Answer) for answer in answers] == [True, True]


@given(words=st.text())
def test_any_words_of_a_node_mean_something(words: str) -> None:
    assert judge(words).word in Word


@given(data=st.data())
def test_the_user_of_a_nonce_is_found_unknown_or_the_node_is_at_fault(data: st.DataObject) -> None:
    with suppress(ChainError):
        found = asyncio.run(used_by(Liar(data), KEEPER, 4, (a_hash(1),), 5, 9))
        assert found is None or len(found) == 66


TOKEN = Address("0x000000000000000000000000000000000000007E")
RULES = InventoryRules(
    main=KEEPER,
    cold=ENGINE,
    sweeps=(Sweep("WETH", TOKEN, 50, 20), Sweep("native", None, 50, 20)),
    approvals=(Approval("WETH", TOKEN, ENGINE, 1),),
)


@given(data=st.data())
def test_holdings_are_numbers_or_the_node_is_at_fault(data: st.DataObject) -> None:
    with suppress(ChainError):
        for intent in asyncio.run(Inventory(Liar(data), RULES).wants(HEAD)):
            assert intent.call.value >= 0


@settings(max_examples=300)
@given(data=st.data(), what=st.sampled_from(["head", "stretch", "depositors"]))
def test_logs_are_of_the_blocks_asked_for_or_the_node_is_at_fault(data: st.DataObject, what: str) -> None:
    reader = LogReader(Liar(data), MANIFEST, 100)
    with suppress(ChainError):
        if what == "head":
            logs = asyncio.run(reader.of_head(HEAD))
            assert all(log.block_hash == HEAD.hash for log in logs)
        elif what == "stretch":
            stretch = asyncio.run(reader.up_to(8, HEAD))
            assert all(8 <= log.block_number <= 9 and log.topics for log in stretch.logs)
        else:
            accounts = asyncio.run(reader.depositors_up_to(8, HEAD))
            assert all(len(account) == 20 for account in accounts)


@settings(max_examples=200)
@given(data=st.data())
def test_a_dealer_reads_numbers_and_fills_or_the_node_is_at_fault(data: st.DataObject) -> None:
    places = Places(engine=BYTES, house=BYTES, router=BYTES, dealer=BYTES, tokens={0: BYTES})
    with suppress(ChainError):
        asyncio.run(Reader(Liar(data), places).at(HEAD, []))


# ------------------------------------------------------------------------------ receipts

EARNINGS = {
    topic: (emitter, len([argument for argument in entry["inputs"] if argument["indexed"]]))
    for contract, emitter, name in (
        ("clearing_house", HOUSE, "Settled"),
        ("flash_taker", TAKER, "Taken"),
    )
    for entry in abi.load(contract)
    if entry["type"] == "event" and entry["name"] == name
    for topic in ["0x" + event_abi_to_log_topic(entry).hex()]
}
WORDS = st.one_of(st.integers(0, 4), st.integers(0, 2**256 - 1))


@settings(max_examples=200)
@given(data=st.data())
def test_a_receipt_earns_an_amount_or_is_refused(data: st.DataObject) -> None:
    topic = data.draw(st.sampled_from(sorted(EARNINGS)))
    emitter, indexed = EARNINGS[topic]
    topics = tuple(Hash32(f"0x{data.draw(WORDS):064x}") for _ in range(indexed))
    body = b"".join(data.draw(WORDS).to_bytes(32) for _ in range(data.draw(st.integers(0, 12))))
    log = Log(Address(emitter), (Hash32(topic), *topics), body, 7, a_hash(7), a_hash(8), 0)
    receipt = dataclasses.replace(a_receipt(a_hash(8), 7), logs=(log,))
    payouts = Payouts(MANIFEST, [BYTES])
    with suppress(ProtocolError):
        found = payouts.realised(receipt, {0: 10**18, 1: 10**18})
        assert found is None or found >= 0


# ---------------------------------------------------------------------- relay and signer

BODIES = st.one_of(
    st.binary(max_size=40),
    shaped(result=DATA, error=shaped(code=st.integers(), message=st.text(max_size=9)))
    .map(str)
    .map(str.encode),
)


class Public:
    """The public way, which takes everything."""

    async def send(self, rows: Sequence[tuple[Transaction, Signed]], head: Head) -> list[Answer]:
        return [Answer(Word.KNOWN) for _ in rows]

    def hides(self, row: Transaction, head: Head) -> bool:
        return False


@pytest.mark.parametrize("style", ["transaction", "bundle"])
@settings(max_examples=25)
@given(bodies=st.lists(BODIES, min_size=2, max_size=4))
def test_whatever_a_relay_says_the_transaction_goes_one_way_or_the_other(
    style: Any, bodies: list[bytes]
) -> None:
    intent = dataclasses.replace(an_intent("a"), terms=Terms(Lane.URGENT, worth=10**18))
    signed = a_signature(1)
    row = Transaction(1, intent, KEEPER, HEAD.number, Outcome.SIGNED, signed=signed)

    async def offered() -> None:
        async with serving(lambda method, params: None) as server:
            route = PrivateRoute(server.post(), Public(), RelayOptions(style))
            for body in bodies:
                server.body = body
                assert await route.send([(row, signed)], HEAD) == [Answer(Word.KNOWN)]

    asyncio.run(offered())


@settings(max_examples=25)
@given(bodies=st.lists(BODIES, min_size=2, max_size=4))
def test_whatever_a_remote_signer_says_nothing_of_it_is_used(bodies: list[bytes]) -> None:
    wanted = Unsigned(Call(ENGINE, b""), 1, 5, 21_000, Fees(2, 1))

    async def asked() -> None:
        async with serving(lambda method, params: None) as server:
            signer = RemoteSigner(server.post(), KEEPER)
            for body in bodies:
                server.body = body
                with pytest.raises((ChainError, SignatureInvalidError)):
                    await signer.sign(wanted)

    asyncio.run(asked())
