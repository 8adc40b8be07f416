"""Gas of whole transactions, ours beside Aave V3 and Morpho Blue: ``python -m benchmarks.gas``.

Prints a table and writes ``benchmarks/gas.json``. Every figure is the gas of a whole transaction on one node
in one run, 21,000 included and refunds deducted, in the steady state: balances, allowances and slots that a
second use finds set are set.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.gas.chain import fresh_chain
from benchmarks.gas.measure import Figures, measure

OUT = Path(__file__).resolve().parent.parent / "gas.json"
TARGETS = {
    "kick": 130_000,
    "take_partial": 135_000,
    "take_full": 135_000,
    "fill": 150_000,
    "kick_and_swap": 300_000,
}
NOTES = (
    "Sluice: two price sources for each of many assets, release budgets and urgency on; health ends at most "
    "at the target.",
    "Aave V3: one mock source per asset, no sequencer sentinel, no incentives controller; a fixed bonus.",
    "Morpho Blue: one isolated market at one mock price and a constant rate; a fixed bonus, any part.",
)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=OUT, help="where to write the figures")
    arguments = parser.parse_args()
    with fresh_chain() as chain:
        figures = measure(chain, progress=Console(stderr=True).print)
    arguments.out.write_text(json.dumps(figures.snapshot(), indent=2) + "\n")
    show(figures, Console())


def show(figures: Figures, console: Console) -> None:
    """Print everything that was measured."""
    table = Table("operation", "Sluice", "goal", "Aave V3", "Morpho Blue")
    for name, gas in figures.sluice.items():
        goal = TARGETS.get(name)
        table.add_row(
            name, _number(gas), _number(goal), _peer(figures.aave_v3, name), _peer(figures.morpho_blue, name)
        )
    console.print(table)
    for note in NOTES:
        console.print(f"- {note}")


def _peer(peer: Mapping[str, int], name: str) -> str:
    return _number(peer.get("liquidate" if name == "take_partial" else name))


def _number(gas: int | None) -> str:
    return "" if gas is None else f"{gas:,}"


if __name__ == "__main__":
    main()
