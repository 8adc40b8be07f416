"""Does each part of Sluice do what it is for? Crashes, depths and mechanisms, one replay for each cell.

``python -m benchmarks.ablation`` plays every cell that ``benchmarks/ablation.json`` does not have yet, writes
the file after each, and in the end the table in docs/ablation.md and the picture beside it. Seeds are fixed,
so a cell played again is the same. ``--only`` takes part of a cell's name, ``--again`` plays cells that are
there, ``--table`` plays none. What the figures mean: docs/ablation.md.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.ablation_measure import Cell, measure
from benchmarks.ablation_page import draw, write_table
from bot.sim.keeper import SluiceKeeper
from bot.sim.replay import run_replay
from bot.sim.scenario import Scenario, ScenarioName, bundled, make_scenario, parse_time
from bot.sim.settings import GAS_PRICE_GWEI, RECOVERY_S, Settings
from bot.sim.variants import Variant

RESULTS: Final = Path(__file__).with_name("ablation.json")
SEED: Final = 1
ACCOUNTS: Final = 60
BLOCKS: Final = 400
"""One every 12 s throughout the windows. Sparse blocks would be unfair: a reserve that falls while a bucket
refills is then met a minute late, by a keeper who keeps what that brings."""

PATIENCE_S: Final = 120.0
"""Wall time for the keeper to act on a head: a busy machine must not change a cell."""

DEPTHS: Final = (0.3, 0.1, 0.02)
GAP_DEPTHS: Final = (0.1, 0.02)
"""Of the crash that gaps: urgency is for markets that cannot take at once what comes."""
LEVERAGED: Final = Path(__file__).with_name("ablation_leveraged.csv")
"""The book of that crash: 60 accounts, all long, of a health from 1.08 to 1.28, so that all of them fail."""

WINDOWS: Final[dict[ScenarioName, tuple[str, str]]] = {
    ScenarioName.BLACK_THURSDAY: ("2020-03-12T10:00", "2020-03-12T11:15"),
    ScenarioName.MAY_19: ("2021-05-19T12:00", "2021-05-19T13:15"),
    ScenarioName.PERSISTENT_CRASH: ("2021-01-01T00:30", "2021-01-01T01:45"),
    ScenarioName.GAP_CRASH: ("2021-01-01T00:20", "2021-01-01T01:20"),
}
"""The hours of each crash that are played."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One cell to play."""

    scenario: ScenarioName
    depth: float
    variant: Variant

    @property
    def name(self) -> str:
        """Scenario, depth and variant, as ``--only`` matches them."""
        return f"{self.scenario.value}/{self.depth:g}/{self.variant.value}"

    def settings(self) -> Settings:
        """Return the replay that the cell is."""
        return Settings(
            scenario=self._window(),
            seed=SEED,
            accounts=ACCOUNTS,
            book=LEVERAGED if self.scenario is ScenarioName.GAP_CRASH else None,
            pool_depth=self.depth,
            recovery_s=RECOVERY_S,
            gas_price_gwei=GAS_PRICE_GWEI,
            max_blocks=BLOCKS,
            acknowledge_timeout_s=PATIENCE_S,
            variant=self.variant,
        )

    def _window(self) -> Scenario:
        start, end = WINDOWS[self.scenario]
        return make_scenario(
            self.scenario.value,
            *bundled(self.scenario),
            parse_time("start", start),
            parse_time("end", end),
        )


def plans() -> Iterator[Plan]:
    """Yield every cell, the variants of one scenario and depth together."""
    for scenario in WINDOWS:
        for depth in GAP_DEPTHS if scenario is ScenarioName.GAP_CRASH else DEPTHS:
            for variant in Variant:
                yield Plan(scenario, depth, variant)


def play(plan: Plan) -> Cell:
    """Play one cell and return what it measured."""
    outcome = run_replay(plan.settings(), SluiceKeeper(SEED, GAS_PRICE_GWEI))
    return measure(plan.depth, plan.variant.value, outcome)


def load(path: Path) -> dict[str, dict[str, Any]]:
    """Return the cells of a file by name; none where there is no file."""
    if not path.is_file():
        return {}
    return {
        f"{row['scenario']}/{row['depth']:g}/{row['variant']}": row for row in orjson.loads(path.read_bytes())
    }


def save(path: Path, cells: dict[str, dict[str, Any]]) -> None:
    """Write the cells in the order of the plan; whole or not at all."""
    rows = [cells[plan.name] for plan in plans() if plan.name in cells]
    beside = path.with_suffix(".tmp")
    beside.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    beside.replace(path)


def main() -> int:
    """Play what is missing and write file, table and picture."""
    options = _options()
    cells = load(RESULTS)
    chosen = [] if options.table else [plan for plan in plans() if options.only in plan.name]
    missing = [plan for plan in chosen if options.again or plan.name not in cells]
    for number, plan in enumerate(missing, 1):
        began = time.monotonic()
        row = play(plan).row()
        cells = load(RESULTS) | {plan.name: row}
        save(RESULTS, cells)
        sys.stderr.write(f"{number}/{len(missing)} {plan.name}: {time.monotonic() - began:.0f} s\n")
    rows = [cells[plan.name] for plan in plans() if plan.name in cells]
    if rows:
        write_table(rows)
        draw(rows)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="part of a cell's name, such as may-19/0.1 or /full")
    parser.add_argument("--again", action="store_true", help="play cells that are there already")
    parser.add_argument("--table", action="store_true", help="write table and picture from what is there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
