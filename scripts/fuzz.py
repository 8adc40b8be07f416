"""Run the long campaign over the invariants, in rounds that can be interrupted.

``make fuzz``. A round runs every invariant suite once for each processor, side by side, each time with
another seed; what is done stands in ``.build/fuzz/state.json``, so an interrupted campaign goes on where it
stopped, and a finished one does nothing. It is of one code: where the bytecode of contracts or suites has
changed since, the old state is put aside and the campaign begins anew. Failing call sequences are kept
beside it by forge, which plays them again first.

The handlers' outcomes are added up: a campaign in which the rare is too rare proves little, and fails.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITES = {
    "LiquidationEngineInvariants.t.sol": "engine",
    "ClearingHouseInvariants.t.sol": "house",
    "ProtectionProperties.t.sol": "protection",
}
ARTIFACTS = ROOT / ".build" / "forge" / "out"
# What the suites deploy. Their libraries are in the bytecode of whoever uses them; comments are in none.
DEPLOYED = ("core", "mocks", "oracle", "periphery", "venues")
REPORTED = re.compile(r"runs: (\d+), calls: (\d+), reverts: (\d+)")
# Books that are wrong stay wrong, so that a later look finds it too; settlements are checked at each call.
CHECKED_EVERY = 8
# Handlers draw their arguments from whole ranges by themselves: a large dictionary of values seen in storage
# and code helps none of them, and takes a quarter of the time. Nor does a transaction for each call inside
# of a handler: its gas is nobody's concern here, and what a lock or a slot in transient storage left behind
# would show itself to the next call.
FASTER = {
    "FOUNDRY_ISOLATE": "false",
    "FOUNDRY_INVARIANT_INCLUDE_PUSH_BYTES": "false",
    "FOUNDRY_INVARIANT_MAX_FUZZ_DICTIONARY_VALUES": "1000",
}
LEAST_PER_MILLION = {
    "engine": {
        "take": 20_000,
        "swap": 4_000,
        "fill": 4_000,
        "insolvent": 4_000,
        "throttled": 500,
        "redo": 500,
        "lapse": 500,
        "end": 100,
    },
    "house": {"take": 5_000, "sale": 5_000, "deficit": 5_000, "writeOff": 500, "cover": 1_000, "mark": 1_000},
    "protection": {
        "sale": 10_000,
        "bound": 5_000,
        "whole": 2_000,
        "part": 2_000,
        "engine": 1_000,
        "short": 500,
    },
}


@dataclass
class State:
    """What the campaign has done so far.

    Attributes
    ----------
    code : str
        Digest of the bytecode that is played.
    rounds : int
        Seeds that were played to their end; also the next one.
    calls : dict of str to int
        Calls per suite.
    outcomes : dict of str to dict of str to int
        What the handlers counted, per suite.
    """

    code: str = ""
    rounds: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, code: str) -> State:
        """Read the state; begin anew where there is none, or one of other code, which is put aside."""
        if not path.exists():
            return cls(code)
        state = cls(**json.loads(path.read_text()))
        if state.code == code:
            return state
        aside = path.with_suffix(f".{state.code[:12] or 'unknown'}.json")
        path.replace(aside)
        sys.stdout.write(f"the code has changed since the last campaign, which is kept in {aside.name}\n")
        return cls(code)

    def save(self, path: Path) -> None:
        """Write the state whole or not at all."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n")
        partial.replace(path)

    def add(self, calls: dict[str, int], outcomes: dict[str, Counter[str]]) -> None:
        """Count a seed that was played to its end."""
        self.rounds += 1
        self.calls = dict(Counter(self.calls) + Counter(calls))
        for suite, counts in outcomes.items():
            self.outcomes[suite] = dict(Counter(self.outcomes.get(suite, {})) + counts)


def code_of(artifacts: Path) -> str:
    """Return the digest of all bytecode that the suites play, their own included."""
    names = [path.name for part in DEPLOYED for path in (ROOT / "contracts" / part).rglob("*.sol")]
    digest = hashlib.sha256()
    for name in sorted([*names, *SUITES]):
        for path in sorted((artifacts / name).glob("*.json")):
            artifact = json.loads(path.read_text())
            digest.update(f"{name} {path.name} {artifact['deployedBytecode']['object']}\n".encode())
    return digest.hexdigest()


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
        suite = next((name for file, name in SUITES.items() if file in part.splitlines()[0]), "")
        made = [int(match.group(2)) for match in REPORTED.finditer(part)]
        if made:
            calls[suite] = calls.get(suite, 0) + sum(made)
    return calls


def start(seed: int, runs: int, depth: int, folder: Path) -> subprocess.Popen[str]:
    """Start one seed; its outcomes and forge's report are left in a folder of its own."""
    outcomes = folder / "outcomes" / str(seed)
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
    files = f"tests/invariants/{{{','.join(SUITES)}}}"
    command = ["forge", "test", "--match-path", files, "--match-test", "^invariant_"]
    with (outcomes / "report").open("w") as report:
        return subprocess.Popen(
            command, cwd=ROOT, env=os.environ | FASTER | settings, stdout=report, stderr=report, text=True
        )


def play(first: int, jobs: int, runs: int, depth: int, folder: Path) -> list[Path]:
    """Play a round of ``jobs`` seeds side by side; return the folders of their outcomes.

    Ends the campaign with forge's report where an invariant does not hold.
    """
    started: list[subprocess.Popen[str]] = []
    try:
        started.extend(start(seed, runs, depth, folder) for seed in range(first, first + jobs))
        codes = [process.wait() for process in started]
    finally:
        for process in started:
            process.terminate()
    played = [folder / "outcomes" / str(first + job) for job in range(jobs)]
    for path, code in zip(played, codes, strict=True):
        if code != 0:
            report = (path / "report").read_text()
            sys.exit(f"{report}\nseed {path.name} failed; its calls are kept in {folder / 'failures'}")
    return played


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
    parser.add_argument("--runs", type=int, default=500, help="runs of a suite for a seed")
    parser.add_argument("--depth", type=int, default=100, help="calls of a run")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="seeds played side by side")
    parser.add_argument("--folder", type=Path, default=ROOT / ".build" / "fuzz")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # through `finally`: no forge is left
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    state = State.load(folder / "state.json", code_of(ARTIFACTS))
    while sum(state.calls.values()) < options.calls:
        begun, before = time.monotonic(), sum(state.calls.values())
        for path in play(state.rounds, options.jobs, options.runs, options.depth, folder):
            state.add(calls_of((path / "report").read_text()), counted(path))
            shutil.rmtree(path)
        state.save(folder / "state.json")
        done = sum(state.calls.values())
        speed = (done - before) / (time.monotonic() - begun)
        left = max(0, options.calls - done) / max(speed, 1e-9) / 60
        sys.stdout.write(
            f"{state.rounds} seeds: {done:,} calls, {speed:,.0f} a second, {left:,.0f} minutes left\n"
        )
        sys.stdout.flush()
    tell(state)
    faults = rare(state)
    for fault in faults:
        sys.stdout.write(f"too rare: {fault}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
