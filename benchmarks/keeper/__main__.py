"""From the block that moves the oracle to the signed transaction: ``python -m benchmarks.keeper``.

Our keeper, and beside it bots of Silverback and of viem with Morpho's SDK, over the same book on the same
node in the same run, each once as the field's bots are, which read every position on every block, and once
with a book in memory that follows logs. Prints tables and writes ``benchmarks/keeper.json``. How to read
them: docs/speed.md.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from ape_ethereum.multicall.constants import MULTICALL3_CODE
from rich.console import Console

from benchmarks.keeper.contenders import SilverbackBot, SluiceKeeper, ViemBot
from benchmarks.keeper.floor import floor_ms
from benchmarks.keeper.results import Results
from benchmarks.keeper.scene import Scene, scene
from benchmarks.keeper.trials import ContenderSilentError, Entrant, measure
from benchmarks.keeper.wire import Wire, tapped

OUT: Final = Path(__file__).resolve().parent.parent / "keeper.json"
FLOOR_ROUNDS: Final = 30


@dataclass(frozen=True)
class Plan:
    """What is measured on one book.

    Parameters
    ----------
    accounts : int
        In the book.
    ours : dict
        Falls of our keeper, by how many accounts fall at once.
    cached : dict
        Falls of peers that follow logs, by peer.
    """

    accounts: int
    ours: dict[int, int]
    cached: dict[str, dict[int, int]]


_OURS: Final = {1: 50, 10: 15, 100: 10}
FULL: Final = (
    Plan(100, _OURS, {"viem": {1: 10, 10: 4, 100: 2}, "silverback": {1: 8, 10: 2, 100: 1}}),
    Plan(1_000, _OURS, {"viem": {1: 10, 10: 4, 100: 2}, "silverback": {1: 8, 10: 2, 100: 1}}),
    Plan(10_000, _OURS, {"viem": {1: 25, 10: 6, 100: 3}, "silverback": {1: 20, 10: 3, 100: 1}}),
    Plan(100_000, _OURS, {"viem": {1: 8, 10: 3, 100: 2}}),
)
_REREAD: Final = {"viem": {1: 5, 10: 2, 100: 1}, "silverback": {1: 2}}
"""Falls of peers that read everything on every block: each block of 10,000 accounts takes Silverback long."""
_MOST_REREAD: Final = 10_000
"""Accounts: reading 100,000 on every block takes minutes for each, and shows nothing that 10,000 do not."""
QUICK: Final = (Plan(100, {1: 2, 10: 1}, {}),)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=OUT, help="where to write the figures")
    parser.add_argument(
        "--quick", action="store_true", help="a few falls of our keeper, to see that all works"
    )
    parser.add_argument("--ours", action="store_true", help="our keeper and the floor alone")
    arguments = parser.parse_args()
    plans = QUICK if arguments.quick else FULL
    console = Console(stderr=True)
    results = run(plans, console, arguments.out, peers=not (arguments.quick or arguments.ours))
    results.show(Console(width=120))


def run(plans: tuple[Plan, ...], console: Console, out: Path, *, peers: bool) -> Results:
    """Measure what is planned, one book after the other, each grown from the one before.

    The figures are written after each contender, so that an interrupted run leaves what it has measured.
    """
    results, before = Results(cores=os.cpu_count() or 1), os.getloadavg()[0]
    with scene("0x" + bytes(MULTICALL3_CODE).hex()) as here, tapped(here.world.node.url) as wire:
        for plan in plans:
            here.grow(plan.accounts)
            for entrant, rounds in _entrants(plan, peers=peers):
                _measure(results, here, wire, entrant, rounds, console)
                results.load = (before, os.getloadavg()[0])
                results.write(out)
            if plan.accounts == 1_000 or len(plans) == 1:
                results.floor_ms = floor_ms(here, wire, FLOOR_ROUNDS if len(plans) > 1 else 2)
    results.write(out)
    return results


def _entrants(plan: Plan, *, peers: bool) -> Iterator[tuple[Entrant, dict[int, int]]]:
    yield SluiceKeeper(), plan.ours
    bots = {"viem": ViemBot, "silverback": SilverbackBot}
    for peer, rounds in plan.cached.items() if peers else ():
        yield bots[peer]("cached"), rounds
        if plan.accounts <= _MOST_REREAD:
            yield bots[peer]("reread"), _REREAD[peer]


def _measure(
    results: Results, here: Scene, wire: Wire, entrant: Entrant, rounds: dict[int, int], console: Console
) -> None:
    started = perf_counter()
    try:
        quiet = {"quiet": 1} if entrant.name.endswith("reread") else {}
        results.add(len(here.accounts), entrant.name, measure(entrant, here, wire, rounds, **quiet))
    except (ContenderSilentError, TimeoutError) as error:
        console.print(f"{len(here.accounts):,} accounts, {entrant.name}: given up: {error}")
        here.reset()
        if entrant.name == "sluice":
            raise
    took = perf_counter() - started
    console.print(f"{len(here.accounts):,} accounts, {entrant.name}: {took:.0f} s", style="dim")


if __name__ == "__main__":
    main()
