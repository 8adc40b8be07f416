"""Decisions as JSON that any reader reads exactly."""

import dataclasses
import json
from collections.abc import Mapping
from enum import Enum
from typing import Final

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)

_AS_THEY_ARE: Final = frozenset({str, float, bool, type(None)})

_EXACT_IN_JSON: Final = 2**53
"""From here on readers with float numbers lose digits, so integers become strings."""


def to_json(value: object) -> str:
    """Return canonical JSON: sorted keys, no spaces, so that equal values are equal text.

    Dataclasses become objects, enums their values, bytes hex data; integers of 2**53 and more, and
    their negatives, become strings.

    Raises
    ------
    TypeError
        If a value has no rule, or a float is infinite or not a number: JSON has no word for those.
    """
    return _ENCODER.encode(_plain(value))


def from_json(text: str) -> object:
    """Return what `to_json` wrote, as plain JSON."""
    return json.loads(text)


def _plain(value: object) -> object:
    if type(value) in _AS_THEY_ARE:
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return value if -_EXACT_IN_JSON < value < _EXACT_IN_JSON else str(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise TypeError(f"no rule to write a {type(value).__name__} to the ledger: {value!r}")
