"""Solady's functions that the libraries rest on, as far as proofs rely on them.

That the quotients are exact is held by `tests/invariants/WadMath.t.sol` on random input: in bytecode they are
beyond solvers of bits. Of the transcendental functions no more is used than stands here.
"""

from __future__ import annotations

from collections.abc import Callable

import z3

from tests.proofs.paths import LARGEST, Path, Term

WAD = 10**18


def mul_wad(path: Path, x: Term, y: Term) -> Term:
    """X * y / WAD, down; reverts where the product does not fit."""
    path.require(x * y <= LARGEST)
    return path.floor(x * y, WAD)


def mul_wad_up(path: Path, x: Term, y: Term) -> Term:
    """X * y / WAD, up; reverts where the product does not fit."""
    path.require(x * y <= LARGEST)
    return path.ceil(x * y, WAD)


def div_wad(path: Path, x: Term, y: Term) -> Term:
    """X * WAD / y, down; reverts where y is zero or the product does not fit."""
    path.require(y != 0)
    path.require(x * WAD <= LARGEST)
    return path.floor(x * WAD, y)


def div_wad_up(path: Path, x: Term, y: Term) -> Term:
    """X * WAD / y, up; reverts where y is zero or the product does not fit."""
    path.require(y != 0)
    path.require(x * WAD <= LARGEST)
    return path.ceil(x * WAD, y)


def full_mul_div(path: Path, x: Term, y: Term, d: Term) -> Term:
    """X * y / d, down; reverts where d is zero or the result does not fit."""
    path.require(d != 0)
    result = path.floor(x * y, d)
    path.require(result <= LARGEST)
    return result


def full_mul_div_up(path: Path, x: Term, y: Term, d: Term) -> Term:
    """X * y / d, up; reverts where d is zero or the result does not fit."""
    path.require(d != 0)
    result = path.ceil(x * y, d)
    path.require(result <= LARGEST)
    return result


def smaller(path: Path, x: Term, y: Term) -> Term:
    """min(x, y)."""
    return min(x, y) if isinstance(x, int) and isinstance(y, int) else z3.If(x < y, x, y)


def larger(path: Path, x: Term, y: Term) -> Term:
    """max(x, y)."""
    return max(x, y) if isinstance(x, int) and isinstance(y, int) else z3.If(x > y, x, y)


def zero_floor_sub(path: Path, x: Term, y: Term) -> Term:
    """max(0, x - y)."""
    return max(0, x - y) if isinstance(x, int) and isinstance(y, int) else z3.If(x > y, x - y, 0)


EXP = z3.Function("expWad", z3.IntSort(), z3.IntSort())
LN = z3.Function("lnWad", z3.IntSort(), z3.IntSort())


def exp_wad(path: Path, x: Term) -> Term:
    """Any rising function, between 0 and WAD up to 0, and WAD at 0."""
    result = EXP(x)
    rising = [
        z3.And(z3.Implies(x <= at, result <= of), z3.Implies(at <= x, of <= result)) for at, of in path.exps
    ]
    path.learn(
        z3.And(result >= 0, z3.Implies(x <= 0, result <= WAD), z3.Implies(x == 0, result == WAD), *rising)
    )
    path.exps.append((x, result))
    return result


def ln_wad(path: Path, x: Term) -> Term:
    """Any rising function that is at least zero, and below x, from WAD on."""
    result = LN(x)
    rising = [
        z3.And(z3.Implies(x <= at, result <= of), z3.Implies(at <= x, of <= result)) for at, of in path.logs
    ]
    path.learn(z3.And(z3.Implies(x >= WAD, z3.And(result >= 0, result < x)), *rising))
    path.logs.append((x, result))
    return result


def square_root(path: Path, x: Term) -> Term:
    """Return the integer r with r * r <= x < (r + 1) * (r + 1)."""
    root = path.fresh("root")
    path.learn(z3.And(root >= 0, root * root <= x, x < (root + 1) * (root + 1)))
    return root


def cube_root(path: Path, x: Term) -> Term:
    """Return the integer r with r^3 <= x < (r + 1)^3."""
    root = path.fresh("root")
    above = root + 1
    path.learn(z3.And(root >= 0, root * root * root <= x, x < above * above * above))
    return root


PRIMITIVES: dict[str, Callable[..., Term]] = {
    "mulWad": mul_wad,
    "mulWadUp": mul_wad_up,
    "divWad": div_wad,
    "divWadUp": div_wad_up,
    "fullMulDiv": full_mul_div,
    "fullMulDivUp": full_mul_div_up,
    "min": smaller,
    "max": larger,
    "zeroFloorSub": zero_floor_sub,
    "expWad": exp_wad,
    "lnWad": ln_wad,
    "sqrt": square_root,
    "cbrt": cube_root,
}
