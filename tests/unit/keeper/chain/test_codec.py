"""Nothing that a node sends passes unchecked, and nothing odd becomes a zero."""

from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from bot.chain import codec
from bot.errors import MalformedAnswerError
from bot.ports import Head

HASH = "0x" + "ab" * 32
BLOCK = {
    "number": "0x10",
    "hash": HASH,
    "parentHash": "0x" + "CD" * 32,
    "timestamp": "0x5f5e1000",
    "baseFeePerGas": "0x3b9aca00",
    "transactions": [],
}
LOG = {
    "address": "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
    "topics": [HASH],
    "data": "0x0102",
    "blockNumber": "0x10",
    "blockHash": HASH,
    "transactionHash": HASH,
    "logIndex": "0x3",
    "removed": False,
}
RECEIPT = {
    "transactionHash": HASH,
    "blockHash": HASH,
    "blockNumber": "0x10",
    "status": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x1",
    "logs": [LOG],
}


def test_a_block_is_read() -> None:
    assert codec.head(BLOCK) == Head(16, HASH, "0x" + "cd" * 32, 0x5F5E1000, 10**9)


@given(st.binary(min_size=20, max_size=20))
def test_an_address_has_the_checksum_that_others_give_it(account: bytes) -> None:
    assert codec.checksummed(account) == to_checksum_address(account)


def test_a_log_is_read_with_a_checksummed_address() -> None:
    log = codec.log(LOG)
    assert log.address == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert (log.data, log.block_number, log.log_index, log.topics) == (b"\x01\x02", 16, 3, (HASH,))


def test_a_receipt_is_read_with_its_logs() -> None:
    receipt = codec.receipt(RECEIPT)
    assert receipt.succeeded
    assert receipt.gas_used == 21_000
    assert receipt.logs == (codec.log(LOG),)
    assert not codec.receipt(RECEIPT | {"status": "0x0", "logs": []}).succeeded


@pytest.mark.parametrize(("read", "whole"), [(codec.head, BLOCK), (codec.log, LOG), (codec.receipt, RECEIPT)])
def test_every_field_that_is_read_is_needed_and_checked(read: Any, whole: dict[str, Any]) -> None:
    fields = [name for name in whole if name not in ("transactions", "removed")]
    for name in fields:
        for bad in (None, "", "0x", "zz", 5, -1, True, [5], {}, "0x" + "g" * 64):
            if (name, bad) == ("data", "0x"):  # an event without data
                continue
            with pytest.raises(MalformedAnswerError, match=name):
                read(whole | {name: bad})
        with pytest.raises(MalformedAnswerError, match=name):
            read({other: value for other, value in whole.items() if other != name})


def test_a_removed_log_is_refused() -> None:
    with pytest.raises(MalformedAnswerError, match="removed"):
        codec.log(LOG | {"removed": True})


@pytest.mark.parametrize("status", ["0x2", "0xff"])
def test_a_status_that_says_neither_yes_nor_no_is_refused(status: str) -> None:
    with pytest.raises(MalformedAnswerError, match="0 or 1"):
        codec.receipt(RECEIPT | {"status": status})


@pytest.mark.parametrize(("text", "value"), [("0x0", 0), ("0x00ff", 255), ("0x" + "f" * 64, 2**256 - 1)])
def test_quantities_reach_256_bits(text: str, value: int) -> None:
    assert codec.quantity(text, "x") == value
    assert codec.quantity(codec.hex_quantity(value), "x") == value


@pytest.mark.parametrize("text", ["0x" + "f" * 65, "ff", "0X1", " 0x1", "0x1\n", "-0x1", "0x-1", "0x_1"])
def test_quantities_beyond_256_bits_or_oddly_written_are_refused(text: str) -> None:
    with pytest.raises(MalformedAnswerError):
        codec.quantity(text, "x")


def test_a_long_answer_is_shortened_in_the_error() -> None:
    with pytest.raises(MalformedAnswerError) as caught:
        codec.data("0xz" + "f" * 10_000, "blob")
    assert len(str(caught.value)) < 200


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(ANYTHING, st.sampled_from([codec.head, codec.log, codec.logs, codec.receipt]))
def test_garbage_is_refused_with_a_typed_error(garbage: Any, read: Any) -> None:
    try:
        read(garbage)
    except MalformedAnswerError:
        return
    assert garbage == []  # no logs is an answer


@given(ANYTHING, st.sampled_from(list(BLOCK)))
def test_garbage_in_a_field_is_refused_with_a_typed_error(garbage: Any, field: str) -> None:
    try:
        head = codec.head(BLOCK | {field: garbage})
    except MalformedAnswerError:
        return
    assert head.number >= 0


@given(st.binary(max_size=200))
def test_data_survives_the_round_trip(value: bytes) -> None:
    assert codec.data(codec.hex_data(value), "x") == value
