"""One way through a function: which branches were taken, and what is known on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import z3

Term = Any
"""A Python int or bool where the value is known, else a z3 term; a dict for a struct."""

LARGEST = 2**256 - 1


class DeadEndError(Exception):
    """The path reverts, or contradicts what was assumed."""


class Path:
    """Branches taken, facts learnt, and what must hold for the call not to revert.

    Attributes
    ----------
    facts : list of BoolRef
        What is known: branches, definitions of quotients, and that nothing reverted so far.
    checks : list of BoolRef
        Conditions of not reverting, in order, each under the facts that preceded it.
    casts : list of tuple
        Narrowing conversions, each under the facts that preceded it: they truncate silently.
    exps, logs : list of tuple
        Arguments and results of the exponentials and logarithms so far, which rise together.
    """

    def __init__(self, decided: list[bool], assumed: list[z3.BoolRef]) -> None:
        self.decided = decided
        self.taken: list[bool] = []
        self.facts = list(assumed)
        self.checks: list[tuple[list[z3.BoolRef], z3.BoolRef]] = []
        self.casts: list[tuple[list[z3.BoolRef], z3.BoolRef]] = []
        self.exps: list[tuple[Term, Term]] = []
        self.logs: list[tuple[Term, Term]] = []
        self._made = 0
        self._known: dict[tuple[Any, ...], tuple[tuple[Any, ...], Term]] = {}

    def fresh(self, stem: str) -> z3.ArithRef:
        """Return a new integer."""
        self._made += 1
        return z3.Int(f"{stem}!{self._made}")

    def uint(self, stem: str, bits: int, least: int = 0) -> z3.ArithRef:
        """Return an unknown from ``least`` to the largest of ``bits`` bits."""
        return self.between(stem, least, 2**bits - 1)

    def between(self, stem: str, low: Term, high: Term) -> z3.ArithRef:
        """Return an unknown within bounds."""
        value = self.fresh(stem)
        self.learn(z3.And(value >= low, value <= high))
        return value

    def learn(self, fact: Term) -> None:
        """Add a fact; ends the path where it is plainly false."""
        if fact is False:
            raise DeadEndError
        if fact is not True:
            self.facts.append(fact)

    def require(self, condition: Term) -> None:
        """Note a condition of not reverting, and go on where it holds."""
        if condition is True:
            return
        self.checks.append((list(self.facts), z3.BoolVal(False) if condition is False else condition))
        self.learn(condition)

    def branch(self, condition: Term) -> bool:
        """Take a side of a condition: the next one that was decided on, else where it holds."""
        if isinstance(condition, bool):
            return condition
        here = len(self.taken)
        side = self.decided[here] if here < len(self.decided) else True
        self.taken.append(side)
        self.learn(condition if side else z3.Not(condition))
        return side

    def once(self, key: tuple[Any, ...], make: Callable[[], Term]) -> Term:
        """Return the same term for the same operation on the same operands."""
        name = tuple(part.get_id() if z3.is_ast(part) else part for part in key)
        if name not in self._known:
            self._known[name] = key, make()  # the key too: z3 gives the id of a term that is gone to another
        return self._known[name][1]

    def settled(self, value: Term) -> int:
        """Return the only value that the facts leave; the path ends where they leave none."""
        if isinstance(value, int):
            return value
        solver = z3.Solver()
        solver.add(self.facts)
        if solver.check() == z3.unsat:
            raise DeadEndError
        found = solver.model().eval(value, model_completion=True)
        if solver.check(value != found) != z3.unsat:
            raise NotImplementedError(f"{value} is not settled by the path")
        return int(found.as_long())

    # ------------------------------------------------------------------ arithmetic

    def floor(self, numerator: Term, divisor: Term) -> Term:
        """Return the integer q with ``q * divisor <= numerator < (q + 1) * divisor``; both at least zero."""
        if isinstance(numerator, int) and isinstance(divisor, int):
            return numerator // divisor
        return self.once(("floor", numerator, divisor), lambda: self._floor(numerator, divisor))

    def _floor(self, numerator: Term, divisor: Term) -> Term:
        quotient = self.fresh("q")
        self.learn(quotient >= 0)
        self.learn(quotient * divisor <= numerator)
        self.learn(numerator < quotient * divisor + divisor)
        return quotient

    def ceil(self, numerator: Term, divisor: Term) -> Term:
        """Return the integer q with ``(q - 1) * divisor < numerator <= q * divisor``; both at least zero."""
        if isinstance(numerator, int) and isinstance(divisor, int):
            return -(-numerator // divisor)
        return self.once(("ceil", numerator, divisor), lambda: self._ceil(numerator, divisor))

    def _ceil(self, numerator: Term, divisor: Term) -> Term:
        quotient = self.fresh("q")
        self.learn(quotient >= 0)
        self.learn(quotient * divisor >= numerator)
        self.learn(quotient * divisor < numerator + divisor)
        return quotient

    def narrow(self, value: Term, low: int, high: int) -> Term:
        """Return the value in a type from ``low`` to ``high``: the same where it fits, else anything."""
        if isinstance(value, int):
            return (value - low) % (high - low + 1) + low
        fits = z3.And(value >= low, value <= high)
        self.casts.append((list(self.facts), fits))
        result = self.fresh("cast")
        self.learn(z3.And(result >= low, result <= high, z3.Implies(fits, result == value)))
        return result


def paths(run: Callable[[Path], Term], assumed: list[z3.BoolRef]) -> Iterator[tuple[Path, Term]]:
    """Run a function along each of its ways; yields each one that returns, and what it returns."""
    pending: list[list[bool]] = [[]]
    while pending:
        decided = pending.pop()
        path = Path(decided, assumed)
        try:
            result = run(path)
        except DeadEndError:
            result = None
        pending.extend([*path.taken[:i], False] for i in range(len(decided), len(path.taken)))
        if result is not None:
            yield path, result
