"""Rounds of a fall and its restoration, and what a contender made of them."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from queue import Empty
from time import perf_counter
from typing import Final, Protocol

from benchmarks.keeper.scene import Scene
from benchmarks.keeper.wire import Wire
from bot.protocols.sluice.calls import Function

PATIENCE_S: Final = 60.0
_QUIET_BLOCKS: Final = 4
_KICK: Final = Function("liquidation_engine", "kick").data("0x" + "00" * 20, [])[:4]


class ContenderSilentError(Exception):
    """A contender did not send in time what it was to send."""


class Contender(Protocol):
    """A keeper that runs, and says when it is done with a block."""

    def acknowledged(self, block: int) -> object:
        """Wait until it is done with a block, or a later one."""
        ...

    def rss_mib(self) -> float:
        """Return the memory that it has resident, MiB."""
        ...


class Entrant(Protocol):
    """A keeper that can be started on a scene."""

    @property
    def name(self) -> str:
        """What the results call it."""
        ...

    def running(self, scene: Scene, wire: Wire) -> AbstractContextManager[Contender]:
        """Run it for as long as the context lasts."""
        ...


@dataclass
class Sample:
    """What came of one or several falls.

    Parameters
    ----------
    first_ms, last_ms : list of float
        From the block to the first and to the last of the transactions that it calls for, by fall.
    landed : int
        Transactions that did in the next block what they were to do.
    """

    first_ms: list[float] = field(default_factory=list)
    last_ms: list[float] = field(default_factory=list)
    landed: int = 0


@dataclass
class Traffic:
    """Requests and bytes of a block, means over several."""

    calls: float
    kib_up: float
    kib_down: float

    @property
    def kib(self) -> float:
        """Both ways."""
        return self.kib_up + self.kib_down


@dataclass
class Outcome:
    """All that was measured of one contender on one book.

    Parameters
    ----------
    load_s : float
        From its start until it was done with a first block.
    falls : dict
        By how many accounts fall at once.
    quiet : Traffic
        Of a block on which nothing happens.
    busy : dict
        Of a block on which accounts fall, by how many.
    rss_mib : float
        Memory resident at the end.
    """

    load_s: float = 0.0
    falls: dict[int, Sample] = field(default_factory=dict)
    quiet: Traffic | None = None
    busy: dict[int, Traffic] = field(default_factory=dict)
    rss_mib: float = 0.0


def measure(
    entrant: Entrant, scene: Scene, wire: Wire, rounds: Mapping[int, int], quiet: int = _QUIET_BLOCKS
) -> Outcome:
    """Run a contender through so many falls, by how many accounts fall at once, and some quiet blocks.

    Parameters
    ----------
    entrant : Entrant
        Who.
    scene, wire : Scene, Wire
        On which book, and through what.
    rounds : mapping of int to int
        Falls by how many accounts fall at once.
    quiet : int
        Blocks on which nothing happens, after one that a start may still be busy with.

    Raises
    ------
    ContenderSilentError
        If a transaction does not come in time.
    """
    outcome, started = Outcome(), perf_counter()
    with entrant.running(scene, wire) as contender:
        contender.acknowledged(scene.quiet())
        outcome.load_s = perf_counter() - started
        contender.acknowledged(scene.quiet())
        outcome.quiet = _traffic(wire, [_quiet(scene, wire, contender) for _ in range(quiet)])
        for falling, count in rounds.items():
            sample = outcome.falls[falling] = Sample()
            traffic = [_fall(scene, wire, contender, falling, sample) for _ in range(count)]
            outcome.busy[falling] = _traffic(wire, traffic)
        outcome.rss_mib = contender.rss_mib()
    return outcome


_Counted = tuple[int, int, int]


def _quiet(scene: Scene, wire: Wire, contender: Contender) -> _Counted:
    wire.clear()
    contender.acknowledged(scene.quiet())
    return wire.calls.total(), wire.bytes_up, wire.bytes_down


def _fall(scene: Scene, wire: Wire, contender: Contender, count: int, sample: Sample) -> _Counted:
    """Let accounts fall, wait for their transactions, and put everything back."""
    accounts = scene.falling(count)
    wire.clear()
    block = scene.fall(count)
    arrived = sorted(_kicks(wire, accounts).values())
    announced = wire.heads[block]
    sample.first_ms.append((arrived[0] - announced) * 1e3)
    sample.last_ms.append((arrived[-1] - announced) * 1e3)
    contender.acknowledged(block)
    counted = wire.calls.total(), wire.bytes_up, wire.bytes_down
    restored = scene.restore(accounts)
    contender.acknowledged(restored)
    landed = scene.landed(restored)
    sample.landed += landed
    if landed < count:
        scene.reset()
    return counted


def _kicks(wire: Wire, accounts: Sequence[str]) -> dict[bytes, float]:
    """Wait until each account's kick was sent; return when each arrived first."""
    wanted = {bytes.fromhex(account[2:]) for account in accounts}
    found: dict[bytes, float] = {}
    for at, raw in _arrivals(wire):
        position = raw.find(_KICK + bytes(12))
        account = raw[position + 16 : position + 36]
        if position >= 0 and account in wanted:
            found.setdefault(account, at)
            if len(found) == len(wanted):
                return found
    raise ContenderSilentError(f"{len(found)} of {len(wanted)} kicks arrived within {PATIENCE_S:g} s")


def _arrivals(wire: Wire) -> Iterator[tuple[float, bytes]]:
    until = perf_counter() + PATIENCE_S
    while (left := until - perf_counter()) > 0:
        try:
            yield wire.arrivals.get(timeout=left)
        except Empty:
            return


def _traffic(wire: Wire, counted: Sequence[_Counted]) -> Traffic:
    calls, up, down = (statistics.fmean(column) for column in zip(*counted, strict=True))
    return Traffic(round(calls, 1), round(up / 1024, 1), round(down / 1024, 1))
