"""Logs to events, word by word."""

import pytest
from eth_abi.abi import encode
from eth_utils.abi import event_abi_to_log_topic

from bot import abi
from bot.errors import LogMalformedError
from bot.ports import Address, Hash32, Log
from bot.protocols.events import EventDecoder

ACCOUNT = "0x" + "ab" * 20
BLOCK = Hash32("0x" + "00" * 32)


def entry(contract: str, name: str) -> dict[str, object]:
    (found,) = (e for e in abi.load(contract) if e["type"] == "event" and e["name"] == name)
    return found


def log(topics: list[bytes], data: bytes) -> Log:
    texts = tuple(Hash32("0x" + topic.hex()) for topic in topics)
    return Log(Address(ACCOUNT), texts, data, 5, BLOCK, BLOCK, 3)


def topic_of(contract: str, name: str) -> bytes:
    return bytes(event_abi_to_log_topic(entry(contract, name)))  # type: ignore[arg-type]


def word(value: int) -> bytes:
    return value.to_bytes(32, signed=value < 0)


def test_indexed_and_other_fields_stand_side_by_side() -> None:
    decoder = EventDecoder(abi.load("clearing_house"), ["Borrowed"])
    address = bytes.fromhex("ab" * 20)
    topics = [topic_of("clearing_house", "Borrowed"), bytes(12) + address, word(2), bytes(12) + address]
    event = decoder.decode(log(topics, word(10**20) + word(10**26)))
    assert event is not None
    assert event.name == "Borrowed"
    assert event.fields == {
        "account": address,
        "assetId": 2,
        "receiver": address,
        "assets": 10**20,
        "shares": 10**26,
    }


def test_a_struct_is_spread_out_by_the_names_of_its_members() -> None:
    decoder = EventDecoder(abi.load("liquidation_engine"), ["LegStarted"])
    topics = [topic_of("liquidation_engine", "LegStarted"), bytes(32), word(7), word(1)]
    event = decoder.decode(log(topics, word(5) + word(6) + word(8)))
    assert event is not None
    assert (event.fields["startMultiplierWad"], event.fields["decayPerSecondWad"]) == (5, 6)


@pytest.mark.parametrize("tick", [-887_272, -1, 0, 887_272])
def test_signed_fields_keep_their_sign(tick: int) -> None:
    decoder = EventDecoder(abi.load("uniswap_v3_pool"), ["Swap"])
    data = encode(["int256", "int256", "uint160", "uint128", "int24"], [-5, 7, 2**160 - 1, 9, tick])
    topics = [topic_of("uniswap_v3_pool", "Swap"), bytes(32), bytes(32)]
    event = decoder.decode(log(topics, data))
    assert event is not None
    assert (event.fields["amount0"], event.fields["tick"]) == (-5, tick)


def test_flags_are_read_as_flags() -> None:
    decoder = EventDecoder(abi.load("clearing_house"), ["FlagSet"])
    topics = [topic_of("clearing_house", "FlagSet"), bytes(32)]
    event = decoder.decode(log(topics, word(4) + word(1)))
    assert event is not None
    assert event.fields["flagged"] is True


def test_events_that_were_not_asked_for_are_passed_over() -> None:
    decoder = EventDecoder(abi.load("clearing_house"), ["FlagSet"])
    assert decoder.decode(log([topic_of("clearing_house", "Borrowed")], b"")) is None
    assert decoder.decode(log([], b"")) is None


@pytest.mark.parametrize(
    ("topics", "size"),
    [(1, 64), (3, 64), (2, 63), (2, 96), (2, 0)],
)
def test_a_log_of_the_wrong_shape_is_refused_with_its_place(topics: int, size: int) -> None:
    decoder = EventDecoder(abi.load("clearing_house"), ["FlagSet"])
    given = [topic_of("clearing_house", "FlagSet"), *[bytes(32)] * (topics - 1)]
    with pytest.raises(LogMalformedError, match="log 3 of block 5 is no FlagSet"):
        decoder.decode(log(given, bytes(size)))


def test_a_field_that_needs_more_than_a_word_is_refused_at_the_start() -> None:
    entries = [
        {"type": "event", "name": "Said", "inputs": [{"name": "t", "type": "string", "indexed": False}]}
    ]
    with pytest.raises(ValueError, match="string does not fit"):
        EventDecoder(entries, ["Said"])
