"""Run the long campaign over the invariants, in rounds that can be interrupted.

``make fuzz``. Each round runs every invariant suite with a seed of its own, the next after the last one
finished; what is done stands in ``.build/fuzz/state.json``, so an interrupted campaign goes on where it
stopped, and a finished one does nothing. Failing call sequences are kept beside it by forge, which plays them
again first.

The handlers' outcomes are added up: a campaign in which the rare is too rare proves little, and fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITES = "tests/invariants/*Invariants.t.sol"
REPORTED = re.compile(r"runs: (\d+), calls: (\d+), reverts: (\d+)")
# Books that are wrong stay wrong, so that a later look finds it too; settlements are checked at each call.
CHECKED_EVERY = 8
LEAST_PER_MILLION = {
    "engine": {
        "take": 20_000,
        "swap": 4_000,
        "fill": 4_000,
        "insolvent": 4_000,
        "throttled": 500,
        "redo": 500,
        "end": 100,
    },
    "house": {"take": 5_000, "sale": 5_000, "deficit": 5_000, "writeOff": 500, "cover": 1_000, "mark": 1_000},
}


@dataclass
class State:
    """What the campaign has done so far.

    Attributes
    ----------
    rounds : int
        Rounds that finished; also the seed of the next one.
    calls : dict of str to int
        Calls per suite.
    outcomes : dict of str to dict of str to int
        What the handlers counted, per suite.
    """

    rounds: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> State:
        """Read the state, or begin anew where there is none."""
        return cls(**json.loads(path.read_text())) if path.exists() else cls()

    def save(self, path: Path) -> None:
        """Write the state whole or not at all."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n")
        partial.replace(path)

    def add(self, calls: dict[str, int], outcomes: dict[str, Counter[str]]) -> None:
        """Count a finished round."""
        self.rounds += 1
        self.calls = dict(Counter(self.calls) + Counter(calls))
        for suite, counts in outcomes.items():
            self.outcomes[suite] = dict(Counter(self.outcomes.get(suite, {})) + counts)


def counted(folder: Path) -> dict[str, Counter[str]]:
    """Add up the lines that the suites left, one file per suite, one line per run."""
    totals: dict[str, Counter[str]] = {}
    for path in sorted(folder.glob("*.txt")):
        total = totals.setdefault(path.stem, Counter())
        for line in path.read_text().splitlines():
            for item in line.split(","):
                name, _, count = item.rpartition("=")
                total[name] += int(count)
    return totals


def calls_of(report: str) -> dict[str, int]:
    """Read from forge's report how many calls each suite made."""
    calls: dict[str, int] = {}
    for part in report.split("Ran ")[1:]:
        suite = "engine" if "LiquidationEngine" in part.splitlines()[0] else "house"
        made = [int(match.group(2)) for match in REPORTED.finditer(part)]
        if made:
            calls[suite] = calls.get(suite, 0) + sum(made)
    return calls


def play(seed: int, runs: int, depth: int, folder: Path) -> tuple[dict[str, int], dict[str, Counter[str]]]:
    """Run one round; ends the campaign with forge's report where an invariant does not hold."""
    outcomes = folder / "outcomes"
    outcomes.mkdir(parents=True, exist_ok=True)
    for path in outcomes.glob("*.txt"):
        path.unlink()
    settings = {
        "FOUNDRY_FUZZ_SEED": hex(0x5100 + seed),
        "FOUNDRY_INVARIANT_RUNS": str(runs),
        "FOUNDRY_INVARIANT_DEPTH": str(depth),
        "FOUNDRY_INVARIANT_CHECK_INTERVAL": str(CHECKED_EVERY),
        "FOUNDRY_INVARIANT_FAILURE_PERSIST_DIR": str(folder / "failures"),
        "SLUICE_OUTCOMES": str(outcomes.relative_to(ROOT)),
    }
    command = ["forge", "test", "--match-path", SUITES, "--match-test", "^invariant_"]
    run = subprocess.run(
        command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        sys.exit(
            f"{run.stdout}\n{run.stderr}\nround {seed} failed; its calls are kept in {folder / 'failures'}"
        )
    return calls_of(run.stdout), counted(outcomes)


def rare(state: State) -> list[str]:
    """Name the outcomes that were seen too seldom."""
    faults = []
    for suite, least in LEAST_PER_MILLION.items():
        calls = state.calls.get(suite, 0)
        for outcome, per_million in least.items():
            seen = state.outcomes.get(suite, {}).get(outcome, 0)
            if seen * 1_000_000 < per_million * calls or seen == 0:
                faults.append(
                    f"{suite}: {outcome} {seen} times in {calls} calls, least {per_million} a million"
                )
    return faults


def tell(state: State) -> None:
    """Print what was reached."""
    for suite, counts in sorted(state.outcomes.items()):
        told = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
        sys.stdout.write(f"{suite}: {state.calls.get(suite, 0):,} calls; {told}\n")


def main() -> int:
    """Play rounds until the calls asked for are made; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000_000, help="calls in all, over earlier runs too")
    parser.add_argument("--runs", type=int, default=500, help="runs of a suite in a round")
    parser.add_argument("--depth", type=int, default=100, help="calls of a run")
    parser.add_argument("--folder", type=Path, default=ROOT / ".build" / "fuzz")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    state = State.load(folder / "state.json")
    while sum(state.calls.values()) < options.calls:
        start, before = time.monotonic(), sum(state.calls.values())
        state.add(*play(state.rounds, options.runs, options.depth, folder))
        state.save(folder / "state.json")
        done = sum(state.calls.values())
        speed = (done - before) / (time.monotonic() - start)
        left = max(0, options.calls - done) / max(speed, 1e-9) / 60
        sys.stdout.write(
            f"round {state.rounds}: {done:,} calls, {speed:,.0f} a second, {left:,.0f} minutes left\n"
        )
        sys.stdout.flush()
    tell(state)
    faults = rare(state)
    for fault in faults:
        sys.stdout.write(f"too rare: {fault}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
