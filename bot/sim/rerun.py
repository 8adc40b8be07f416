"""Replaying a recording: the same answers go through the same code, and must lead to the same decisions."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from bot.domain.volatility import LiveCovariance
from bot.errors import (
    DecisionsDivergedError,
    EndpointUnreachableError,
    InvalidInputError,
    RpcError,
    SluiceError,
    TapeError,
)
from bot.ports import Json, RpcCall
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.protocols.sluice.manifest import Manifest
from bot.sim.tape import Line, built, head_of, plain, read_tape, text_of
from bot.strategy.decide import decide
from bot.strategy.quotes import OpenQuote
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot

_CONTEXT: Final = 60
"""Characters shown before and after the first difference."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """What replaying a recording came to.

    Parameters
    ----------
    program : str
        Version that made the recording.
    heads, decisions : int
        Heads that were decided on, and decisions on accounts that were made on them, all as recorded.
    first, last : int or None
        Heights of the first and last of those heads.
    """

    program: str
    heads: int
    decisions: int
    first: int | None
    last: int | None


class TapeRpc:
    """A `bot.ports.Rpc` that answers from a recording."""

    label = "recording"

    def __init__(self) -> None:
        self._answers: dict[str, deque[Line]] = defaultdict(deque)

    def add(self, line: Line) -> None:
        """Take in a recorded answer."""
        self._answers[plain([line["kind"], line["asked"]])].append(line)

    def clear(self) -> None:
        """Forget what was not asked for: the step that it belonged to is done."""
        self._answers.clear()

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        """See `bot.ports.Rpc.request`."""
        (answer,) = self._answered("request", [[method, params]])
        if isinstance(answer, RpcError):
            raise answer
        return answer

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        """See `bot.ports.Rpc.batch`."""
        return self._answered("batch", [[call.method, call.params] for call in calls])

    def _answered(self, kind: str, asked: Sequence[Any]) -> list[Json | RpcError]:
        waiting = self._answers[plain([kind, asked])]
        if not waiting:
            methods = ", ".join(sorted({method for method, _ in asked}))
            raise DecisionsDivergedError("questions to the endpoint", methods, "others")
        line = waiting.popleft()
        if "failed" in line:
            raise _failure(line["failed"])
        return [_failure(a["error"]) if "error" in a else a["result"] for a in line["answers"]]


def _failure(line: Line) -> Any:
    if "code" in line:
        return RpcError(line["method"], line["code"], line["message"], line["data"])
    return EndpointUnreachableError(TapeRpc.label, line["message"])


async def rerun(path: Path) -> Rerun:
    """Replay a recording; return what was compared.

    Parameters
    ----------
    path : Path
        The recording.

    Raises
    ------
    TapeError
        If it is no recording, or damaged.
    DecisionsDivergedError
        At the first step or decision that is not as recorded.
    """
    lines = read_tape(path)
    try:
        run = _Run(next(lines))
        for line in lines:
            await run.take(line)
    except (KeyError, TypeError, ValueError, ValidationError, InvalidInputError) as error:
        raise TapeError(path, f"a line does not hold what it should: {error!r}") from error
    return run.result()


class _Run:
    """One replay, fed line by line."""

    def __init__(self, header: Line) -> None:
        known = header["covariance"]
        self._program: Final = str(header["program"])
        self._limits: Final[StrategySettings] = built(StrategySettings, header["limits"])
        self._rpc: Final = TapeRpc()
        self._protocol: Final = SluiceProtocol(
            self._rpc,
            Manifest.model_validate(header["manifest"]),
            header["sender"],
            covariance=None if known is None else LiveCovariance.restored(known),
        )
        self._snapshot: Snapshot | None = None
        self._blocks: list[int] = []
        self._decisions = 0

    def result(self) -> Rerun:
        """Return what was compared so far."""
        first, last = (self._blocks[0], self._blocks[-1]) if self._blocks else (None, None)
        return Rerun(self._program, len(self._blocks), self._decisions, first, last)

    async def take(self, line: Line) -> None:
        """Take in an answer, or do a step again and compare."""
        kind = line["kind"]
        if kind in ("request", "batch"):
            self._rpc.add(line)
        elif kind == "decide":
            self._compare(line)
        elif kind == "snapshot":
            self._snapshot = self._protocol.snapshot(head_of(line))
        else:
            await self._step(line, self._steps(line)[kind])
            self._rpc.clear()

    def _steps(self, line: Line) -> Mapping[str, Any]:
        return {
            "sync": lambda: self._protocol.sync(head_of(line)),
            "roll_back": lambda: self._protocol.roll_back(head_of(line)),
            "distrust": self._protocol.distrust,
            "audit": lambda: self._protocol.audit(head_of(line), line["sample"]),
        }

    async def _step(self, line: Line, step: Any) -> None:
        failed = None
        try:
            await step()
        except DecisionsDivergedError:
            raise
        except SluiceError as error:
            failed = type(error).__name__
        if failed != line.get("failed"):
            what = f"{line['kind']} of block {line.get('number')}"
            raise DecisionsDivergedError(what, failed or "no error", line.get("failed") or "no error")

    def _compare(self, line: Line) -> None:
        if self._snapshot is None:
            raise ValueError("a decision before the first snapshot")
        snapshot = replace(self._snapshot, quotes=quotes_of(line["quotes"]))
        decisions = decide(snapshot, self._limits)
        found = text_of(self._protocol.name, decisions)
        if found != line["decisions"]:
            raise DecisionsDivergedError(
                f"decisions on block {decisions.block}", *_difference(found, line["decisions"])
            )
        self._blocks.append(decisions.block)
        self._decisions += len(decisions.decisions)


def quotes_of(lines: Sequence[Line]) -> dict[bytes, tuple[OpenQuote, ...]]:
    """Return recorded quotes by account, as the snapshot had them."""
    by_account: dict[bytes, tuple[OpenQuote, ...]] = {}
    for line in lines:
        quote = built(OpenQuote, line)
        account = quote.quote.account
        by_account[account] = (*by_account.get(account, ()), quote)
    return by_account


def _difference(found: str, recorded: str) -> tuple[str, str]:
    """Return both texts from a little before where they part."""
    at = next((i for i, (a, b) in enumerate(zip(found, recorded, strict=False)) if a != b), 0)
    part = slice(max(at - _CONTEXT, 0), at + _CONTEXT)
    return found[part], recorded[part]
