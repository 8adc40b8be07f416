"""Change the code where an invariant would notice, and see that it does.

``make mutants``. A test that passes whatever the code does proves nothing. ``scripts/mutants.toml``
names, for each invariant of docs/invariants.md, changes of the code and the tests that must fail by
each. They are made one at a time in a copy of the tree, ``.build/mutants/tree``; the working tree is
never touched. First every test named must pass in the copy as it is.

Only what does not fit the stack otherwise, the clearing house, is compiled through the IR there: a build
takes seconds instead of minutes, and the tests ask for the same either way.

Verdicts stand in ``.build/mutants/state.json``, under all that they follow from, so an interrupted run
goes on where it stopped, and a second one does nothing. ``--only I8`` or ``--only I8-clock`` chooses,
``--again`` forgets.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "scripts" / "mutants.toml"
FORGE_TESTS = "tests/invariants"
THROUGH_IR = re.compile(r"compilation_restrictions = \[.*?\n\]\n", re.DOTALL)
HOUSE_THROUGH_IR = """compilation_restrictions = [
    { paths = "contracts/core/ClearingHouse.sol", via_ir = true },
    { paths = "contracts/core/house/**", via_ir = true },
]
"""
FOLLOWED_FROM = (
    "contracts/",
    "tests/support/forge/",
    f"{FORGE_TESTS}/support/",
    "foundry.toml",
)
DEPLOYS = "vm.deployCode("
"""What stands in a test that needs contracts, and not their libraries alone, or in what it imports."""
IMPORTED = re.compile(r'from "(\.[^"]+)"')
OF_LIBRARIES = {
    "FOUNDRY_SRC": "contracts/none",
    "FOUNDRY_OUT": ".build/libraries/out",
    "FOUNDRY_CACHE_PATH": ".build/libraries/cache",
}
"""Settings by which forge compiles no more than a test imports."""
NO_VERDICT = re.compile(r"setUp|panic|4e487b71|OutOfGas|StackUnderflow|InvalidFEOpcode|vm\.deployCode")
"""Reasons for which a test fails without having looked at anything."""


def deploys(source: Path) -> bool:
    """Return whether a test deploys contracts by name, itself or by anything that it imports."""
    due, seen = [source.resolve()], set()
    while due:
        path = due.pop()
        if path in seen:
            continue
        seen.add(path)
        text = path.read_text()
        if DEPLOYS in text:
            return True
        due += [(path.parent / name).resolve() for name in IMPORTED.findall(text)]
    return False


class MutantError(Exception):
    """A mutant, or the tree as it is, that cannot be judged."""


@dataclass(frozen=True)
class Mutant:
    """One change, and the tests that must fail by it.

    Attributes
    ----------
    id : str
        The invariant, a hyphen, and a name.
    change : str
        What is changed, in the words of docs/invariants.md.
    file : str
        Path in the tree.
    old, new : str
        What stands there, once, and what takes its place.
    tests : tuple of str
        ``file.t.sol:function`` in tests/invariants, or ids of pytest.
    """

    id: str
    change: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def invariant(self) -> str:
        """Number of the invariant, ``I8``."""
        return self.id.partition("-")[0]

    def made_in(self, text: str) -> str:
        """Return a source with the change made; raise where it is not one place."""
        if text.count(self.old) != 1:
            raise MutantError(f"{self.id}: {self.old!r} stands {text.count(self.old)} times in {self.file}")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Outcome:
    """How a test ended.

    Attributes
    ----------
    failed : bool
        Whether it noticed something.
    reason : str
        What it says.
    """

    failed: bool
    reason: str


def table() -> list[Mutant]:
    """Read all mutants."""
    entries: list[dict[str, Any]] = tomllib.loads(TABLE.read_text())["mutant"]
    return [Mutant(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


class Tree:
    """A copy of the working tree that may be broken."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tree"
        self.environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
        self.digests: dict[str, str] = {}

    def follow(self) -> None:
        """Make the copy equal to the working tree."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split("\0")
        names = {name for name in listed if name and (ROOT / name).is_file()}
        for name in sorted(names):
            content = self._content(name)
            self.digests[name] = hashlib.sha256(content).hexdigest()
            self._write(name, content)
        for folder in ("contracts", "tests"):
            for path in (self.path / folder).rglob("*.*"):
                if path.is_file() and str(path.relative_to(self.path)) not in names:
                    path.unlink()
        if not (self.path / "node_modules").exists():
            (self.path / "node_modules").symlink_to(ROOT / "node_modules")

    def key(self, tests: tuple[str, ...], mutant: Mutant | None = None) -> str:
        """Return a name for all that a verdict follows from: contracts, what tests share, and the tests."""
        files = [test.partition(":")[0] for test in tests]
        named = {file if "/" in file else f"{FORGE_TESTS}/{file}" for file in files}
        found = [
            (name, digest)
            for name, digest in sorted(self.digests.items())
            if name.startswith(FOLLOWED_FROM) or name in named or (mutant and name == mutant.file)
        ]
        return hashlib.sha256(repr((found, tests, mutant)).encode()).hexdigest()

    def _content(self, name: str) -> bytes:
        content = (ROOT / name).read_bytes()
        if name != "foundry.toml":
            return content
        text, replaced = THROUGH_IR.subn(HOUSE_THROUGH_IR, content.decode())
        if replaced != 1:
            raise MutantError("foundry.toml: compilation_restrictions are not where they were")
        return text.encode()

    def _write(self, name: str, content: bytes) -> None:
        path = self.path / name
        if path.exists() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        shutil.copymode(ROOT / name, path)

    def run(self, tests: tuple[str, ...]) -> dict[str, Outcome]:
        """Compile what has changed, run tests of either kind, and tell how each ended."""
        outcomes = {test: self._pytest(test) for test in tests if "::" in test}
        forge = [test for test in tests if "::" not in test]
        deploying = [test for test in forge if self._deploys(test)]
        if pure := [test for test in forge if test not in deploying]:
            outcomes |= self._forge(pure, OF_LIBRARIES)
        if deploying:
            outcomes |= self._forge(deploying, {})
        return outcomes

    def _deploys(self, test: str) -> bool:
        return deploys(self.path / FORGE_TESTS / test.partition(":")[0])

    def _forge(self, tests: list[str], settings: dict[str, str]) -> dict[str, Outcome]:
        files, names = zip(*(test.split(":") for test in tests), strict=True)
        command = [str(ROOT / "scripts" / "bin" / "forge"), "test", "--json"]
        command += ["--match-path", f"{FORGE_TESTS}/{{{','.join(sorted({*files, 'none'}))}}}"]
        command += ["--match-test", f"^({'|'.join(sorted(set(names)))})\\("]
        done = subprocess.run(
            command,
            cwd=self.path,
            env=self.environment | settings,
            check=False,
            capture_output=True,
            text=True,
        )
        start = done.stdout.find("{")
        try:
            report = json.loads(done.stdout[start:]) if start >= 0 else {}
        except json.JSONDecodeError:
            report = {}
        found = _outcomes(report)
        missing = sorted(set(tests) - set(found))
        if missing:
            raise MutantError(
                f"forge did not run {', '.join(missing)}:\n{(done.stderr or done.stdout)[-3000:]}"
            )
        return {test: found[test] for test in tests}

    def _pytest(self, test: str) -> Outcome:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
        done = subprocess.run(
            command, cwd=self.path, env=self.environment, check=False, capture_output=True, text=True
        )
        if done.returncode not in (0, 1):
            raise MutantError(f"pytest did not run {test}:\n{done.stdout[-3000:]}")
        said = [line[1:].strip() for line in done.stdout.splitlines() if line.startswith("E  ")]
        return Outcome(done.returncode == 1, said[0] if said else "")


def _outcomes(report: dict[str, Any]) -> dict[str, Outcome]:
    """Read forge's report: how each test ended, by ``file:function``."""
    found = {}
    for suite, result in report.items():
        file = suite.partition(":")[0].rpartition("/")[2]
        for signature, test in result["test_results"].items():
            failed = test["status"] == "Failure"
            reason = test.get("reason") or ""
            found[f"{file}:{signature.partition('(')[0]}"] = Outcome(failed, reason)
            if failed and NO_VERDICT.search(reason):
                raise MutantError(f"{file}:{signature} looked at nothing: {reason}")
    return found


def judged(tree: Tree, mutant: Mutant) -> dict[str, Outcome]:
    """Make a change in the copy, run its tests, and take it back."""
    path = tree.path / mutant.file
    source = path.read_text()
    path.write_text(mutant.made_in(source))
    try:
        return tree.run(mutant.tests)
    finally:
        path.write_text(source)


class Verdicts:
    """What is known already, kept on the disk: what the tests that failed said, by `Tree.key`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}

    def keep(self, key: str, reasons: dict[str, str]) -> None:
        """Remember that all tests did what they must."""
        self.known[key] = reasons
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.known, indent=1) + "\n")
        partial.replace(self.path)


def require_sound(tree: Tree, verdicts: Verdicts, mutants: list[Mutant]) -> None:
    """Raise unless every test named passes in the copy as it is."""
    named = sorted({test for mutant in mutants for test in mutant.tests})
    tests = tuple(test for test in named if tree.key((test,)) not in verdicts.known)
    if not tests:
        return
    print(f"{len(tests)} tests on the tree as it is", flush=True)
    outcomes = tree.run(tests)
    failed = [f"{test}: {outcome.reason}" for test, outcome in outcomes.items() if outcome.failed]
    if failed:
        raise MutantError("these fail on the tree as it is:\n" + "\n".join(failed))
    for test in tests:
        verdicts.keep(tree.key((test,)), {})


def verdict(tree: Tree, verdicts: Verdicts, mutant: Mutant) -> str | None:
    """Judge one mutant and print it; return what is wrong, or None where every test noticed."""
    key, begun = tree.key(mutant.tests, mutant), time.monotonic()
    if key in verdicts.known:
        reasons, took = verdicts.known[key], "known"
    else:
        try:
            outcomes = judged(tree, mutant)
        except MutantError as error:
            print(f"{mutant.id:14} no verdict: {error}", flush=True)
            return f"{mutant.id}: no verdict"
        blind = [test for test, outcome in outcomes.items() if not outcome.failed]
        if blind:
            print(f"{mutant.id:14} SURVIVES {', '.join(blind)}", flush=True)
            return f"{mutant.id}: {mutant.change}, unnoticed by {', '.join(blind)}"
        reasons = {test: outcome.reason for test, outcome in outcomes.items()}
        took = f"{time.monotonic() - begun:.0f} s"
        verdicts.keep(key, reasons)
    print(f"{mutant.id:14} killed ({took}): {mutant.change}", flush=True)
    for test, reason in reasons.items():
        print(f"{'':14}   {test}: {reason[:90]}", flush=True)
    return None


def main() -> int:
    """Judge the mutants chosen; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", default=[], help="an invariant, or a mutant by its id")
    parser.add_argument("--again", action="store_true", help="judge what is known already too")
    parser.add_argument("--folder", type=Path, default=ROOT / ".build" / "mutants")
    options = parser.parse_args()
    mutants = [m for m in table() if not options.only or {m.id, m.invariant} & set(options.only)]
    if not mutants:
        parser.error(f"no mutant is called {', '.join(options.only)}")
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if options.again:
        (folder / "state.json").unlink(missing_ok=True)
    tree, verdicts = Tree(folder), Verdicts(folder / "state.json")
    tree.follow()
    try:
        require_sound(tree, verdicts, mutants)
    except MutantError as error:
        print(error)
        return 1
    faults = [fault for mutant in mutants if (fault := verdict(tree, verdicts, mutant))]
    print(f"{len(mutants) - len(faults)} of {len(mutants)} mutants killed")
    for fault in faults:
        print(f"  {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
