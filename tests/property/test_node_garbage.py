"""Whatever a node, a proxy or a database sends: it is what it should be, or a typed error refuses it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from eth_utils.abi import event_abi_to_log_topic
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import abi
from bot.chain import codec
from bot.chain.client import ClientOptions, RpcClient
from bot.chain.endpoint import Endpoint
from bot.chain.ipc import MessageCutter, MessageTooLongError
from bot.chain.stream import StreamConnection, StreamLostError
from bot.errors import (
    BookDivergedError,
    ChainError,
    CheckpointInvalidError,
    EndpointInvalidError,
    EndpointUnreachableError,
    LogMalformedError,
    MalformedAnswerError,
)
from bot.ports import Address, Hash32, Json, Log, RpcCall
from bot.protocols.sluice import frozen, lens
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.reader import returned
from bot.protocols.sluice.state import State, decoders_of
from bot.protocols.sluice.timeline import apply_all
from tests.support.fake_node import after_chain_id, http_node
from tests.support.keeper import a_hash
from tests.support.manifests import ENGINE, FEEDS, HOUSE, ORACLE, TAKER, manifest

MANIFEST = Manifest.model_validate(manifest())
HASH = "0x" + "ab" * 32

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["0x", "0x1", HASH, "0x" + "zz" * 32, "0x" + "11" * 20, "0x" + "f" * 65, "latest"]),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
BLOCK = {name: "0x1" for name in ("number", "timestamp", "baseFeePerGas")} | {
    "hash": HASH,
    "parentHash": HASH,
}
LOG = {
    "address": "0x" + "11" * 20,
    "topics": [HASH],
    "data": "0x",
    "blockNumber": "0x1",
    "blockHash": HASH,
    "transactionHash": HASH,
    "logIndex": "0x0",
}
RECEIPT = {
    "transactionHash": HASH,
    "blockHash": HASH,
    "blockNumber": "0x1",
    "status": "0x1",
    "gasUsed": "0x1",
    "effectiveGasPrice": "0x1",
    "logs": [LOG],
}
READERS = {
    "head": (codec.head, BLOCK),
    "log": (codec.log, LOG),
    "logs": (codec.logs, {"0": LOG}),
    "receipt": (codec.receipt, RECEIPT),
}


# -------------------------------------------------------------------------------- values


@pytest.mark.parametrize("name", sorted(READERS))
@given(value=JSON)
def test_any_json_is_read_or_refused(name: str, value: Any) -> None:
    read, _ = READERS[name]
    with suppress(MalformedAnswerError):
        read(value)


@pytest.mark.parametrize("name", ["head", "log", "receipt"])
@given(data=st.data(), value=JSON)
def test_one_odd_field_is_refused_and_never_guessed_at(name: str, data: st.DataObject, value: Any) -> None:
    read, whole = READERS[name]
    field = data.draw(st.sampled_from(sorted(whole)))
    changed = dict(whole)
    if data.draw(st.booleans()):
        changed[field] = value
    else:
        del changed[field]
    try:
        found = read(changed)
    except MalformedAnswerError:
        return
    assert field in changed
    assert read(changed) == found


@given(
    text=st.one_of(
        st.text(), st.sampled_from(["ws://", "ipc://"]).flatmap(lambda s: st.text().map(s.__add__))
    )
)
def test_any_text_is_an_endpoint_or_refused_without_being_shown(text: str) -> None:
    refusal = ""
    try:
        endpoint = Endpoint.parse(text)
    except EndpointInvalidError as error:
        refusal = str(error)
    else:
        assert endpoint.label.split(":")[0] in ("ws", "ipc")
    assert len(text) < 12 or text not in refusal


# ------------------------------------------------------------------------------- streams


class Wire(StreamConnection):
    """A stream whose messages a test makes up."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        super().__init__(Endpoint.parse("ws://node.example"))

    async def _transmit(self, message: bytes) -> None:
        if self.inbox.qsize() > 50:
            raise StreamLostError("full")

    async def _messages(self) -> AsyncIterator[str | bytes]:
        while (message := await self.inbox.get()) is not None:
            yield message

    async def _shut(self) -> None:
        self.inbox.put_nowait(None)


MESSAGES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40),
    JSON.map(lambda value: json.dumps(value)),
    st.fixed_dictionaries(
        {"id": st.one_of(st.integers(0, 4), LEAVES)}, optional={"result": JSON, "error": JSON}
    ).map(json.dumps),
    st.fixed_dictionaries({"method": st.just("eth_subscription")}, optional={"params": JSON}).map(json.dumps),
)


async def _listen(messages: list[str | bytes], calls: int) -> None:
    wire = Wire()
    asking = asyncio.ensure_future(wire.exchange([RpcCall("x")] * calls))
    await asyncio.sleep(0)
    for message in messages:
        wire.inbox.put_nowait(message)
    await wire.close()
    try:
        answers = await asking
    except (MalformedAnswerError, EndpointUnreachableError):
        pass
    else:
        assert len(answers) == calls
        assert all(isinstance(answer, dict) for answer in answers)
    assert not wire.is_open
    assert not wire._waiting


@given(messages=st.lists(MESSAGES, max_size=6), calls=st.integers(1, 3))
def test_a_stream_of_anything_answers_or_fails_every_request(messages: list[str | bytes], calls: int) -> None:
    asyncio.run(_listen(messages, calls))


@given(texts=st.lists(JSON.map(lambda value: json.dumps(value).encode()), max_size=5), data=st.data())
def test_lines_are_cut_the_same_wherever_the_bytes_break(texts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(text + b"\n" for text in texts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    cutter, found = MessageCutter(), []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += cutter.feed(whole[start:end])
    assert [json.loads(text) for text in found] == [json.loads(text) for text in texts]


@given(chunks=st.lists(st.binary(max_size=30), max_size=8))
def test_any_bytes_are_cut_or_given_up(chunks: list[bytes]) -> None:
    cutter = MessageCutter(limit=60)
    try:
        for chunk in chunks:
            cutter.feed(chunk)
    except MessageTooLongError:
        assert sum(map(len, chunks)) > 60


BODIES = st.one_of(
    st.text(max_size=40),
    JSON.map(json.dumps),
    st.fixed_dictionaries({"id": st.just("$ID")}, optional={"result": JSON, "error": JSON}).map(
        lambda value: json.dumps(value).replace('"$ID"', "$ID")
    ),
    st.lists(st.fixed_dictionaries({"id": LEAVES}, optional={"result": JSON, "error": JSON}), max_size=3).map(
        json.dumps
    ),
)


async def _ask_over_http(bodies: list[str]) -> None:
    options = ClientOptions(request_timeout_s=2.0)
    remaining = iter(bodies)
    honest = after_chain_id("")

    def answer(text: str) -> str:
        return honest(text) if "eth_chainId" in text else after_chain_id(next(remaining))(text)

    async with http_node(answer) as url, RpcClient(Endpoint.parse(url), 31337, options) as client:
        for index in range(len(bodies)):
            try:
                if index % 2:
                    await client.batch([RpcCall("x"), RpcCall("y")])
                else:
                    await client.request("x")
            except ChainError:
                continue


@pytest.mark.filterwarnings("ignore:Received batch response")  # web3 says so; the answer is refused
@settings(max_examples=25)
@given(bodies=st.lists(BODIES, min_size=4, max_size=10))
def test_any_http_body_is_an_answer_or_a_typed_error(bodies: list[str]) -> None:
    asyncio.run(_ask_over_http(bodies))


# ------------------------------------------------------------------------------ contracts


@given(data=st.binary(max_size=300), count=st.integers(0, 4), assets=st.integers(0, 64))
def test_any_bytes_of_the_lens_are_unpacked_or_refused(data: bytes, count: int, assets: int) -> None:
    for unpack in (
        lambda: lens.unpack_positions(data, count),
        lambda: lens.unpack_columns(data, count, assets),
        lambda: lens.unpack_markets(data),
        lambda: lens.unpack_ticks(data),
    ):
        with suppress(ValueError):
            unpack()


@given(value=st.one_of(JSON, st.binary(max_size=200).map(codec.hex_data)))
def test_any_answer_to_a_call_is_decoded_or_refused(value: Json) -> None:
    for function in (lens.POSITIONS, lens.MARKETS):
        try:
            (found,) = returned(function, value, "answer")
        except MalformedAnswerError:
            continue
        assert isinstance(found, bytes)


def _layouts() -> list[tuple[str, Hash32, int, int]]:
    emitters = {
        "clearing_house": HOUSE,
        "liquidation_engine": ENGINE,
        "price_oracle": ORACLE,
        "aggregator": FEEDS[0],
        "flash_taker": TAKER,
    }
    found = []
    for contract, emitter in emitters.items():
        for entry in abi.load(contract):
            if entry["type"] != "event":
                continue
            topic = Hash32("0x" + event_abi_to_log_topic(entry).hex())
            indexed = sum(argument["indexed"] for argument in entry["inputs"])
            words = sum(
                len(argument.get("components", (argument,)))
                for argument in entry["inputs"]
                if not argument["indexed"]
            )
            found.append((emitter, topic, indexed, words))
    return found


WORDS = st.one_of(st.integers(0, 4), st.integers(0, 2**256 - 1), st.integers(2**63 - 2, 2**64 + 2))


@settings(max_examples=300)
@given(data=st.data())
def test_any_values_in_a_log_are_followed_or_refused(data: st.DataObject) -> None:
    state = State(MANIFEST, {}, decoders_of(MANIFEST))
    for index in range(data.draw(st.integers(1, 4))):
        emitter, topic, indexed, words = data.draw(st.sampled_from(_layouts()))
        odd = data.draw(st.integers(-1, 1)) if data.draw(st.integers(0, 9)) == 0 else 0
        topics = tuple(Hash32(f"0x{data.draw(WORDS):064x}") for _ in range(indexed))
        body = b"".join(data.draw(WORDS).to_bytes(32) for _ in range(max(0, words + odd)))
        log = Log(Address(emitter), (topic, *topics), body, 7, a_hash(7), a_hash(8), index)
        try:
            apply_all(state, (log,), {7: 1_600_000_000})
        except (BookDivergedError, LogMalformedError):
            return


# ----------------------------------------------------------------------------- checkpoints

MARKED = st.recursive(
    st.one_of(
        LEAVES,
        st.sampled_from(
            ["int", "float", "bytes", "array", "dict", "list", "tuple", "frozenset", "object"]
        ).flatmap(lambda mark: JSON.map(lambda value: {mark: value})),
        st.sampled_from(
            [
                {"object": ["os:system", {}]},
                {"object": ["bot.cli.main:app", {}]},
                {"object": ["bot.domain.lending:accrued", {}]},
                {"object": ["bot.domain.lending:Market", {"cash": 5}]},
                {"array": ["<u8", [1 << 40]]},
                {"array": ["O", [1]]},
                {"array": ["<u8", [-1]]},
            ]
        ),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"list": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"dict": st.lists(st.tuples(inner, inner).map(list), max_size=3)}),
    ),
    max_leaves=6,
)


@given(blob=st.binary(max_size=200))
def test_any_bytes_are_no_checkpoint(blob: bytes) -> None:
    for bytes_ in (blob, frozen._MAGIC + blob):
        with pytest.raises(CheckpointInvalidError):
            frozen.thaw(bytes_, MANIFEST)


@settings(max_examples=200)
@given(part=st.sampled_from(["book", "assets", "feeds", "pools", "halted"]), value=MARKED)
def test_a_checkpoint_with_any_values_is_thawed_or_refused(part: str, value: Any) -> None:
    whole = frozen.freeze(State(MANIFEST, {}, decoders_of(MANIFEST)))
    document, columns = frozen._opened(whole)
    document["state"][part] = value
    text = json.dumps(document).encode()
    try:
        frozen.thaw(frozen.sealed(text, columns), MANIFEST)
    except CheckpointInvalidError:
        return
