"""Logs to values, by hand: every field of the events read here fits one 32-byte word.

A general ABI decoder costs ten times as much per log; here each word is sliced and read as an integer.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias, cast

from eth_typing import ABIEvent
from eth_utils.abi import event_abi_to_log_topic

from bot.errors import LogMalformedError
from bot.ports import Hash32, Log

Word: TypeAlias = int | bytes | bool
"""A decoded field: an integer, a 20-byte address, a bytes32, or a flag."""

_SIGN_BIT = 1 << 255
_TWO_256 = 1 << 256


class Event(NamedTuple):
    """A decoded log.

    Parameters
    ----------
    name : str
        Of the event.
    fields : mapping
        `Word` by argument name, typed as the ABI says; the members of a struct stand beside the other
        arguments, under their own names.
    """

    name: str
    fields: Mapping[str, Any]


def _address(word: bytes) -> bytes:
    return word[12:]


def _signed(word: bytes) -> int:
    value = int.from_bytes(word)
    return value - _TWO_256 if value & _SIGN_BIT else value


def _flag(word: bytes) -> bool:
    return word[31] != 0


def _same(word: bytes) -> bytes:
    return word


def _reader(kind: str) -> Callable[[bytes], Word]:
    if kind == "address":
        return _address
    if kind == "bool":
        return _flag
    if kind == "bytes32":
        return _same
    if kind.startswith("int") and "[" not in kind:
        return _signed
    if kind.startswith("uint") and "[" not in kind:
        return int.from_bytes
    raise ValueError(f"{kind} does not fit one word")


def _flat(inputs: Iterable[Mapping[str, Any]]) -> list[tuple[str, Callable[[bytes], Word]]]:
    fields = []
    for argument in inputs:
        if argument["type"] == "tuple":
            fields += _flat(argument["components"])
        else:
            fields.append((argument["name"], _reader(argument["type"])))
    return fields


class _Layout(NamedTuple):
    name: str
    topics: list[tuple[str, Callable[[bytes], Word]]]
    words: list[tuple[str, Callable[[bytes], Word]]]


class EventDecoder:
    """Decodes the named events of an ABI.

    Parameters
    ----------
    abi : iterable of mapping
        Entries as the compiler writes them.
    names : iterable of str
        The events to decode; all others are passed over.

    Raises
    ------
    KeyError
        If the ABI lacks one of the events.
    ValueError
        If a field does not fit one word.
    """

    def __init__(self, abi: Iterable[Mapping[str, Any]], names: Iterable[str]) -> None:
        entries = {entry["name"]: entry for entry in abi if entry["type"] == "event"}
        self._layouts: Final[dict[str, _Layout]] = {}
        for name in names:
            inputs = entries[name]["inputs"]
            topic = "0x" + event_abi_to_log_topic(cast("ABIEvent", entries[name])).hex()
            self._layouts[topic] = _Layout(
                name,
                _flat(argument for argument in inputs if argument["indexed"]),
                _flat(argument for argument in inputs if not argument["indexed"]),
            )

    @property
    def topics(self) -> list[Hash32]:
        """Signature hashes of the events that are decoded."""
        return [Hash32(topic) for topic in self._layouts]

    def topics_of(self, name: str) -> list[Hash32]:
        """Return the signature hash of one event, in a list."""
        return [Hash32(topic) for topic, layout in self._layouts.items() if layout.name == name]

    def decode(self, log: Log) -> Event | None:
        """Return the event, or None if it is none of those named.

        Raises
        ------
        LogMalformedError
            If the log has the event's signature and not its fields.
        """
        layout = self._layouts.get(log.topics[0]) if log.topics else None
        if layout is None:
            return None
        data = log.data
        if len(log.topics) != len(layout.topics) + 1 or len(data) != 32 * len(layout.words):
            raise LogMalformedError(layout.name, log.block_number, log.log_index, len(log.topics), len(data))
        fields: dict[str, Word] = {}
        for (name, read), topic in zip(layout.topics, log.topics[1:], strict=True):
            fields[name] = read(bytes.fromhex(topic[2:]))
        offset = 0
        for name, read in layout.words:
            fields[name] = read(data[offset : offset + 32])
            offset += 32
        return Event(layout.name, fields)
