"""A recording of a run: what came in from the chain, and what was decided on it, line by line.

A gzip file of JSON lines. The first is the header: everything else that decisions rest on. Then, in the order
of the run: answers of the endpoint, and after the answers that it took, the step of the protocol or the
decision itself. A recording that a crash cut off is readable up to the last decision before it.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, get_type_hints

import structlog

from bot.errors import TapeError
from bot.journals import entry_of
from bot.ledger.encoding import to_json
from bot.ports import Hash32, Head
from bot.strategy.decision import Decisions

_log = structlog.get_logger(__name__)

VERSION: Final = 1

_DIGITS: Final = 6
"""Digits of forecasts, which are floats: the last ones of another processor's library differ."""

_CUT_OFF: Final = (EOFError, zlib.error, gzip.BadGzipFile)

Line = Mapping[str, Any]

_T = TypeVar("_T")


class TapeWriter:
    """Writes a recording; a disk that is full ends the recording, not the run.

    Parameters
    ----------
    path : Path
        The file; one that holds something already is left alone.

    Raises
    ------
    TapeError
        If it cannot be opened, or is not empty.
    """

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        if path.is_file() and path.stat().st_size:
            raise TapeError(path, "it exists and is not overwritten; name another file")
        try:
            self._disk: Final = path.open("wb")
        except OSError as error:
            raise TapeError(path, (error.strerror or str(error)).lower()) from error
        # Neither name nor time in the file: equal runs are equal files.
        self._file: gzip.GzipFile | None = gzip.GzipFile("", "wb", fileobj=self._disk, mtime=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._disk:
                if self._file is not None:
                    self._file.close()
        except OSError as error:
            self._stop(error)

    def write(self, line: Line, *, flush: bool = False) -> None:
        """Append a line; ``flush`` makes everything up to it survive a crash."""
        if self._file is None:
            return
        try:
            self._file.write(plain(line).encode() + b"\n")
            if flush:
                self._file.flush()
                self._disk.flush()
        except OSError as error:
            self._stop(error)

    def _stop(self, error: OSError) -> None:
        if self._file is not None:
            _log.error("recording_stopped", file=str(self._path), reason=error.strerror or str(error))
        self._file = None


def read_tape(path: Path) -> Iterator[Line]:
    """Yield the lines of a recording, the header first; of one that was cut off, as far as it goes.

    Raises
    ------
    TapeError
        If it is no recording, of another version, or damaged.
    """
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                if not text.endswith("\n"):
                    _log.warning("recording_cut_off", file=str(path), after_line=number - 1)
                    return
                yield _checked(path, number, text)
    except _CUT_OFF as error:
        if number == 0:
            raise TapeError(path, f"it is no gzip file: {error}") from error
        _log.warning("recording_cut_off", file=str(path), after_line=number)
    except UnicodeDecodeError as error:
        raise TapeError(path, str(error)) from error
    except OSError as error:
        raise TapeError(path, (error.strerror or str(error)).lower()) from error
    if number == 0:
        raise TapeError(path, "it is empty")


def _checked(path: Path, number: int, text: str) -> Line:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TapeError(path, f"line {number} is not JSON: {error}") from None
    if not isinstance(line, dict) or not isinstance(line.get("kind"), str):
        raise TapeError(path, f"line {number} is not a line of a recording")
    if number == 1 and (line["kind"] != "header" or line.get("version") != VERSION):
        raise TapeError(path, f"its first line is not a header of version {VERSION}")
    return line


def plain(value: object) -> str:
    """Return JSON that reads back exactly the same, keys sorted: integers of any size stay integers."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fields_line(value: Any) -> dict[str, Any]:
    """Return a dataclass as a line keeps it; `built` reads it back."""
    return {field.name: _field(getattr(value, field.name)) for field in fields(value)}


def _field(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return fields_line(value)
    return "0x" + value.hex() if isinstance(value, bytes) else value


def built(cls: type[_T], line: Mapping[str, Any]) -> _T:
    """Return the dataclass that `fields_line` wrote.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a field is missing, unknown, or of another type.
    """
    if not isinstance(line, Mapping):
        raise TypeError(f"{cls.__name__} is {line!r}, not an object")
    hints = get_type_hints(cls)
    if unknown := set(line) - set(hints):
        raise KeyError(f"{cls.__name__} has no {', '.join(sorted(unknown))}")
    return cls(**{name: _value(hints[name], value, name) for name, value in line.items()})


def _value(hint: Any, value: Any, name: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return built(hint, value)
    if hint is bytes:
        return bytes.fromhex(value.removeprefix("0x"))
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted):
        raise TypeError(f"{name} is {value!r}, not {hint}")
    return value


def head_of(line: Line) -> Head:
    """Return the head that a line is about."""
    numbers = [line[name] for name in ("number", "timestamp", "base_fee")]
    if not all(isinstance(number, int) for number in numbers):
        raise TypeError(f"a head of {numbers}")
    number, timestamp, base_fee = numbers
    return Head(number, Hash32(str(line["hash"])), Hash32(str(line["parent"])), timestamp, base_fee)


def head_line(kind: str, head: Head) -> dict[str, Any]:
    """Return a line about a head."""
    return {
        "kind": kind,
        "number": head.number,
        "hash": head.hash,
        "parent": head.parent_hash,
        "timestamp": head.timestamp,
        "base_fee": head.base_fee_per_gas,
    }


def text_of(protocol: str, decisions: Decisions) -> str:
    """Return decisions as canonical text: equal decisions are equal bytes.

    Everything that can reach a transaction is an integer and exact; of forecasts six digits are kept.
    """
    return to_json(
        {
            "block": decisions.block,
            "accounts": decisions.accounts,
            "unpriced": decisions.unpriced,
            "decisions": [_steady(asdict(entry_of(protocol, decision))) for decision in decisions.decisions],
        }
    )


def _steady(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS - 1}e}")
    if isinstance(value, Mapping):
        return {key: _steady(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_steady(item) for item in value]
    return value
