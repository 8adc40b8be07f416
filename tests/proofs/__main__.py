"""Prove every theorem, and see each mutant noticed: ``python -m tests.proofs [name ...]``."""

from __future__ import annotations

import argparse
import sys

from tests.proofs import amounts, sales, speed
from tests.proofs.model import Model
from tests.proofs.mutants import MUTANTS
from tests.proofs.theorem import THEOREMS, Theorem, Verdict, attempt
from tests.proofs.tree import Trees

MODULES = (amounts, sales, speed)


def main() -> int:
    """Try what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for a theorem")
    parser.add_argument("--table", action="store_true", help="print rows of a Markdown table")
    parser.add_argument("names", nargs="*", help="theorems or libraries; all, if none is named")
    options = parser.parse_args()
    chosen = [it for it in THEOREMS if wanted(it, options.names)]
    model = Model(Trees())
    verdicts = [told(attempt(model, it, options.limit), table=options.table) for it in chosen]
    seconds = sum(verdict.seconds for verdict in verdicts)
    proven = sum(verdict.outcome == "proven" for verdict in verdicts)
    sys.stdout.write(f"{proven} of {len(verdicts)} proven in {seconds:.0f} s\n")
    noticed = [notices(it, options.limit) for it in chosen]
    sys.stdout.write(f"{sum(map(len, noticed))} mutants, {sum(map(sum, noticed))} noticed\n")
    return 0 if proven == len(verdicts) and all(map(all, noticed)) else 1


def wanted(it: Theorem, names: list[str]) -> bool:
    """Whether a theorem was asked for."""
    return not names or it.name in names or it.library in names


def told(verdict: Verdict, *, table: bool) -> Verdict:
    """Print how an attempt ended."""
    it = verdict.theorem
    if table:
        line = f"| {it.library} | {it.says} | {it.over} | {verdict.seconds:.1f} |"
    else:
        line = f"{verdict.outcome:8} {verdict.seconds:6.1f} s  {it.library}: {it.says}"
    sys.stdout.write(f"{line}\n{verdict.told}".rstrip() + "\n")
    sys.stdout.flush()
    return verdict


def notices(it: Theorem, limit: float) -> list[bool]:
    """Whether a theorem fails for each mutant that is aimed at it."""
    seen = []
    for mutant in MUTANTS:
        if mutant.noticed_by == it.name:
            changed = Model(Trees({mutant.library: mutant.source()}))
            verdict = attempt(changed, it, min(limit, 10.0))
            seen.append(verdict.outcome != "proven")
            sys.stdout.write(
                f"{verdict.outcome:8} {verdict.seconds:6.1f} s  {mutant.library}: {mutant.new}\n"
            )
            sys.stdout.flush()
    return seen


if __name__ == "__main__":
    sys.exit(main())
