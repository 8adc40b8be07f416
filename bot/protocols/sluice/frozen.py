"""A book's state as bytes, and back: exact, compressed, and refused where this program did not write it.

Values become JSON with a mark for what JSON lacks; columns follow it as they lie in memory. Reading makes
plain values, arrays and this program's own data classes, and nothing else: the bytes come from a database.
"""

import dataclasses
import hashlib
import importlib
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from bot.domain.uint128 import UInt128Array
from bot.errors import CheckpointInvalidError
from bot.protocols.sluice.book import Book
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.state import State, decoders_of
from bot.protocols.uniswap_v3 import PoolBook

_MAGIC: Final = b"SLUICE-BOOK-1\n"
_DIGEST: Final = 32
_LENGTH: Final = 8
_LARGEST: Final = 1 << 31
"""Bytes that a checkpoint may unfold to."""
_SAFE: Final = 1 << 53
_OURS: Final = ("bot.domain.", "bot.protocols.", "bot.strategy.snapshot")
_DAMAGE: Final = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ImportError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    zlib.error,
)
"""What odd bytes may lead to; an error of the domain is one of value."""
_GIVEN: Final = ("manifest", "decoders")
"""Parts of a state that its program and its deployment give."""
_PROGRAM: Final = ("bot.protocols", "bot.domain.lending", "bot.domain.volatility")
"""Code that decides what a state holds: a checkpoint is of one version of it."""


def freeze(state: State) -> bytes:
    """Return a state as bytes, without its manifest and decoders."""
    arrays: list[npt.NDArray[Any]] = []
    fields = {entry.name for entry in dataclasses.fields(state)} - set(_GIVEN)
    document = {
        "program": _program(),
        "deployment": _deployment(state.manifest),
        "state": {name: _packed(getattr(state, name), arrays) for name in sorted(fields)},
    }
    text = orjson.dumps(document)
    columns = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return sealed(text, columns)


def sealed(text: bytes, columns: bytes) -> bytes:
    """Return a document and its columns, compressed and with a digest."""
    body = zlib.compress(len(text).to_bytes(_LENGTH) + text + columns, level=1)
    return _MAGIC + hashlib.sha256(body).digest() + body


def thaw(blob: bytes, manifest: Manifest) -> State:
    """Return the state that `freeze` wrote.

    Raises
    ------
    CheckpointInvalidError
        If the bytes are damaged, or of another version, or of another deployment.
    """
    try:
        document, columns = _opened(blob)
        if document["program"] != _program():
            raise CheckpointInvalidError("it was written by another version")
        if document["deployment"] != _deployment(manifest):
            raise CheckpointInvalidError("it is of another deployment")
        reader = _Reader(columns)
        fields = {name: reader.value(value) for name, value in document["state"].items()}
        return State(manifest=manifest, decoders=decoders_of(manifest), **fields)
    except _DAMAGE as error:
        raise CheckpointInvalidError(f"it is damaged ({type(error).__name__})") from error


def _opened(blob: bytes) -> tuple[dict[str, Any], bytes]:
    start = len(_MAGIC) + _DIGEST
    body = blob[start:]
    if blob[: len(_MAGIC)] != _MAGIC or blob[len(_MAGIC) : start] != hashlib.sha256(body).digest():
        raise CheckpointInvalidError("it is damaged")
    payload = zlib.decompressobj().decompress(body, _LARGEST)
    end = _LENGTH + int.from_bytes(payload[:_LENGTH])
    return orjson.loads(payload[_LENGTH:end]), payload[end:]


# ------------------------------------------------------------------------------- writing


def _packed(value: Any, arrays: list[npt.NDArray[Any]]) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -_SAFE < value < _SAFE else {"int": hex(value)}
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": [value.dtype.str, list(value.shape)]}
    return _packed_whole(value, arrays)


def _packed_whole(value: Any, arrays: list[npt.NDArray[Any]]) -> Any:
    if isinstance(value, Mapping):
        return {"dict": [[_packed(key, arrays), _packed(item, arrays)] for key, item in value.items()]}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_packed(item, arrays) for item in value]}
    if isinstance(value, frozenset):
        return {"frozenset": [_packed(item, arrays) for item in sorted(value)]}
    if type(value) in _PARTS:
        parts = _PARTS[type(value)](value)
    elif dataclasses.is_dataclass(value):
        parts = {entry.name: getattr(value, entry.name) for entry in dataclasses.fields(value)}
    elif isinstance(value, tuple):
        parts = value._asdict()  # type: ignore[attr-defined]  # every other tuple in a state is a named one
    else:
        raise TypeError(f"a state holds a {type(value).__name__}, which no checkpoint can")
    name = f"{type(value).__module__}:{type(value).__qualname__}"
    return {"object": [name, {key: _packed(item, arrays) for key, item in parts.items()}]}


def _book_parts(book: Book) -> dict[str, Any]:
    rows = min(len(book.accounts), len(book.flagged))
    accounts = np.frombuffer(b"".join(book.accounts[:rows]), np.uint8).reshape(rows, 20)
    return {
        "accounts": accounts,
        "collateral": book.collateral,
        "debt_shares": book.debt_shares,
        "flagged": book.flagged,
        "epoch": book.epoch,
        "risk_block": book.risk_block,
        "quarantined": book.quarantined,
    }


def _array_parts(array: UInt128Array) -> dict[str, Any]:
    return dict(zip(("high", "low"), array.limbs(), strict=True))


_PARTS: Final[Mapping[type, Callable[[Any], dict[str, Any]]]] = {
    Book: _book_parts,
    UInt128Array: _array_parts,
    PoolBook: PoolBook.parts,
}

# ------------------------------------------------------------------------------- reading


class _Reader:
    """Reads values back, columns in the order in which they were written."""

    def __init__(self, columns: bytes) -> None:
        self._columns = columns
        self._offset = 0

    def value(self, packed: Any) -> Any:
        if not isinstance(packed, dict):
            return packed
        ((mark, content),) = packed.items()
        match mark:
            case "int":
                return int(content, 16)
            case "float":
                return float.fromhex(content)
            case "bytes":
                return bytes.fromhex(content)
            case "array":
                return self._array(*content)
            case "dict":
                return {self.value(key): self.value(item) for key, item in content}
            case "list" | "tuple" | "frozenset":
                return {"list": list, "tuple": tuple, "frozenset": frozenset}[mark](map(self.value, content))
            case "object":
                return self._object(*content)
        raise CheckpointInvalidError(f"it holds a value marked {mark!r}")

    def _array(self, kind: str, shape: list[int]) -> npt.NDArray[Any]:
        dtype = np.dtype(kind)
        if dtype.hasobject or any(length < 0 for length in shape):
            raise CheckpointInvalidError(f"it holds an array of {kind} and shape {shape}")
        count = int(np.prod(shape, dtype=np.int64))
        array = np.frombuffer(self._columns, dtype, count, self._offset)
        self._offset += array.nbytes
        return array.reshape(shape).copy()

    def _object(self, name: str, parts: dict[str, Any]) -> Any:
        module, _, qualified = name.partition(":")
        if not module.startswith(_OURS):
            raise CheckpointInvalidError(f"it holds a {name}")
        kind = getattr(importlib.import_module(module), qualified)
        values = {key: self.value(item) for key, item in parts.items()}
        if kind is Book:
            return Book.restored(**values)
        if kind is PoolBook:
            return PoolBook.restored(**values)
        plain = dataclasses.is_dataclass(kind) or kind is UInt128Array
        if not plain and not (issubclass(kind, tuple) and hasattr(kind, "_fields")):
            raise CheckpointInvalidError(f"it holds a {name}")
        return kind(**values)


# ---------------------------------------------------------------------------- fingerprints


@cache
def _program() -> str:
    """Return a fingerprint of the code that decides what a state holds."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for name in _PROGRAM:
        place = root.joinpath(*name.split(".")[1:])
        for file in sorted(place.rglob("*.py")) or [place.with_suffix(".py")]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _deployment(manifest: Manifest) -> str:
    return hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()
