"""What is proven, and how: each theorem along every path of the code it is about, in limited time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import z3

from tests.proofs.model import Model
from tests.proofs.paths import Path, Term, paths

Statement = Callable[[Model, Path], Term]
THEOREMS: list[Theorem] = []
BUSY = 4
"""Seconds of the wall that a second of the processor may take: z3 counts those, attempts count these."""


@dataclass(frozen=True)
class Theorem:
    """A statement about a library, for all input in a range.

    Attributes
    ----------
    library : str
        The library that it is about.
    says : str
        The statement, in words.
    over : str
        The range of the input.
    state : callable
        Takes a model and a path, assumes the input, and returns the conclusion.
    total : bool
        Whether it says too that no call reverts and no conversion truncates.
    """

    library: str
    says: str
    over: str
    state: Statement
    total: bool = False

    @property
    def name(self) -> str:
        """Name of the statement's function."""
        return self.state.__name__


@dataclass(frozen=True)
class Verdict:
    """How an attempt ended: ``proven``, ``refuted``, ``unknown`` at the time limit, or ``vacuous``."""

    theorem: Theorem
    outcome: str
    seconds: float
    paths: int
    told: str = ""


def theorem(library: str, says: str, over: str, *, total: bool = False) -> Callable[[Statement], Statement]:
    """Enter a statement into the list of what is proven."""

    def enter(state: Statement) -> Statement:
        THEOREMS.append(Theorem(library, says, over, state, total))
        return state

    return enter


def attempt(model: Model, it: Theorem, limit: float) -> Verdict:
    """Try to prove a theorem along all of its paths in ``limit`` seconds of the processor."""
    begun = time.process_time()
    count = reached = 0
    for path, conclusion in paths(lambda path: it.state(model, path), []):
        count += 1
        goals = [(path.facts, conclusion)]
        if it.total:
            goals += path.checks + path.casts
        for facts, goal in goals:
            left = limit - (time.process_time() - begun)
            answer, told = refute(facts, goal, left)
            if answer != z3.unsat:
                outcome = "refuted" if answer == z3.sat else "unknown"
                return Verdict(it, outcome, time.process_time() - begun, count, told)
        reached += reached == 0 and refute(path.facts, z3.BoolVal(False), 2.0)[0] != z3.unsat
    outcome = "proven" if reached else "vacuous"
    return Verdict(it, outcome, time.process_time() - begun, count)


def refute(facts: list[z3.BoolRef], goal: Term, limit: float) -> tuple[z3.CheckSatResult, str]:
    """Look for input on which the facts hold and the goal does not."""
    if goal is True:
        return z3.unsat, ""
    if limit <= 0:
        return z3.unknown, "no time left"
    solver = z3.Then("simplify", "solve-eqs", "smt").solver()
    solver.set("timeout", int(limit * 1_000 * BUSY))
    solver.add(facts)
    solver.add(z3.Not(goal))
    answer = solver.check()
    return answer, str(solver.model()) if answer == z3.sat else ""


# ---------------------------------------------------------------------- what the solver is reminded of


def grow(path: Path, a: Term, b: Term, c: Term) -> None:
    """Remind of: where a <= b and c >= 0, a * c <= b * c."""
    path.learn(z3.Implies(z3.And(a <= b, c >= 0), a * c <= b * c))


def cancel(path: Path, a: Term, b: Term, c: Term) -> None:
    """Remind of: where c > 0 and a * c <= b * c, a <= b; and the same with < for <=."""
    path.learn(z3.Implies(z3.And(c > 0, a * c <= b * c), a <= b))
    path.learn(z3.Implies(z3.And(c > 0, a * c < b * c), a < b))


@theorem("(reminders)", "what the solver is reminded of is true", "all integers")
def reminders(_: Model, path: Path) -> Term:
    """State the two reminders themselves."""
    a, b, c = z3.Ints("a b c")
    rises = z3.Implies(z3.And(a <= b, c >= 0), a * c <= b * c)
    cancels = z3.Implies(z3.And(c > 0, a * c <= b * c), a <= b)
    strictly = z3.Implies(z3.And(c > 0, a * c < b * c), a < b)
    return z3.And(rises, cancels, strictly)
