"""Reading what a node sends: each function checks one shape and raises `MalformedAnswerError`.

Nothing is guessed: an absent or odd field is an error, never zero, because a zero balance or price
made of a bad answer looks like a healthy account.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from eth_utils.address import to_checksum_address

from bot.errors import MalformedAnswerError
from bot.ports import Address, Hash32, Head, Json, Log, Receipt

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


def quantity(value: object, what: str) -> int:
    """Return a hex quantity of at most 256 bits as an int; leading zeros are forgiven."""
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        return int(value, 16)
    raise MalformedAnswerError(what, value, "a hex quantity of at most 256 bits")


def data(value: object, what: str) -> bytes:
    """Return hex data of any length as bytes."""
    if isinstance(value, str) and _DATA.fullmatch(value):
        return bytes.fromhex(value[2:])
    raise MalformedAnswerError(what, value, "hex data")


def hash32(value: object, what: str) -> Hash32:
    """Return a 32-byte hash in lower case."""
    if isinstance(value, str) and _HASH.fullmatch(value):
        return Hash32(value.lower())
    raise MalformedAnswerError(what, value, "a 32-byte hash")


def address(value: object, what: str) -> Address:
    """Return a 20-byte address with its checksum; whatever case the node uses is accepted."""
    if isinstance(value, str) and _ADDRESS.fullmatch(value):
        return checksummed(bytes.fromhex(value[2:]))
    raise MalformedAnswerError(what, value, "a 20-byte address")


@lru_cache(maxsize=4096)
def checksummed(account: bytes) -> Address:
    """Return an address of 20 bytes with its checksum (EIP-55)."""
    return Address(to_checksum_address(account))


def mapping(value: object, what: str) -> Mapping[str, object]:
    """Return a JSON object as it is."""
    if isinstance(value, Mapping):
        return value
    raise MalformedAnswerError(what, value, "a JSON object")


def sequence(value: object, what: str) -> Sequence[object]:
    """Return a JSON array as it is."""
    if isinstance(value, list | tuple):
        return value
    raise MalformedAnswerError(what, value, "a JSON array")


def head(value: object, what: str = "block") -> Head:
    """Return a block header; extra fields are ignored.

    Raises
    ------
    MalformedAnswerError
        If it is no object or a field is absent or odd; also for a chain without a base fee.
    """
    block = mapping(value, what)
    return Head(
        number=quantity(block.get("number"), f"{what}.number"),
        hash=hash32(block.get("hash"), f"{what}.hash"),
        parent_hash=hash32(block.get("parentHash"), f"{what}.parentHash"),
        timestamp=quantity(block.get("timestamp"), f"{what}.timestamp"),
        base_fee_per_gas=quantity(block.get("baseFeePerGas"), f"{what}.baseFeePerGas"),
    )


def log(value: object, what: str = "log") -> Log:
    """Return an event log.

    Raises
    ------
    MalformedAnswerError
        If a field is absent or odd, or the log is marked as removed: a reorg is handled by heads.
    """
    entry = mapping(value, what)
    if entry.get("removed", False) is not False:
        raise MalformedAnswerError(f"{what}.removed", entry.get("removed"), "false")
    topics = sequence(entry.get("topics"), f"{what}.topics")
    return Log(
        address=address(entry.get("address"), f"{what}.address"),
        topics=tuple(hash32(topic, f"{what}.topics") for topic in topics),
        data=data(entry.get("data"), f"{what}.data"),
        block_number=quantity(entry.get("blockNumber"), f"{what}.blockNumber"),
        block_hash=hash32(entry.get("blockHash"), f"{what}.blockHash"),
        transaction_hash=hash32(entry.get("transactionHash"), f"{what}.transactionHash"),
        log_index=quantity(entry.get("logIndex"), f"{what}.logIndex"),
    )


def logs(value: object, what: str = "logs") -> tuple[Log, ...]:
    """Return the answer to ``eth_getLogs``."""
    return tuple(log(entry, what) for entry in sequence(value, what))


def receipt(value: object, what: str = "receipt") -> Receipt:
    """Return a transaction receipt.

    Raises
    ------
    MalformedAnswerError
        If a field is absent or odd, or the status is neither 0 nor 1.
    """
    entry = mapping(value, what)
    status = quantity(entry.get("status"), f"{what}.status")
    if status not in (0, 1):
        raise MalformedAnswerError(f"{what}.status", status, "0 or 1")
    return Receipt(
        transaction_hash=hash32(entry.get("transactionHash"), f"{what}.transactionHash"),
        block_hash=hash32(entry.get("blockHash"), f"{what}.blockHash"),
        block_number=quantity(entry.get("blockNumber"), f"{what}.blockNumber"),
        succeeded=status == 1,
        gas_used=quantity(entry.get("gasUsed"), f"{what}.gasUsed"),
        effective_gas_price=quantity(entry.get("effectiveGasPrice"), f"{what}.effectiveGasPrice"),
        logs=logs(entry.get("logs"), f"{what}.logs"),
    )


def at(head: Head) -> Json:
    """Return the block parameter that pins a read to exactly this head (EIP-1898).

    A height alone would silently answer from another branch after a reorg.
    """
    return {"blockHash": head.hash}


def hex_quantity(value: int) -> str:
    """Return an int as a hex quantity."""
    return hex(value)


def hex_data(value: bytes) -> str:
    """Return bytes as hex data."""
    return "0x" + value.hex()
