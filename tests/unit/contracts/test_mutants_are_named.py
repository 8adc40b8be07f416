"""The table of mutants, the page of invariants and the code go together."""

import re
from pathlib import Path

import pytest

from scripts.mutants import FORGE_TESTS, ROOT, Mutant, deploys, table

PAGE = ROOT / "docs" / "invariants.md"
ROW = re.compile(r"^\| (I\d+) \|.*\| ([^|]+) \|$", re.MULTILINE)
MUTANTS = table()


def declared(test: str) -> bool:
    file, name = re.split("::?", test)
    path = ROOT / file if "::" in test else ROOT / "tests" / "invariants" / file
    return bool(re.search(rf"\b(?:function|def) {name}\(", path.read_text()))


def rows() -> dict[str, str]:
    """Return what the page names as mutants of each invariant."""
    return dict(ROW.findall(PAGE.read_text()))


def test_every_invariant_has_a_mutant_and_no_other_has() -> None:
    assert len(rows()) >= 25
    assert {mutant.invariant for mutant in MUTANTS} == set(rows())


def test_ids_are_unique() -> None:
    assert len({mutant.id for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize(
    ("test", "needed"),
    [
        ("WadMath.t.sol", False),
        ("SizingProperties.t.sol", False),
        ("LiquidationEngineInvariants.t.sol", True),
        ("PriceOracle.t.sol", True),
    ],
)
def test_contracts_are_compiled_where_a_test_or_what_it_imports_deploys_them(test: str, needed: bool) -> None:
    assert deploys(ROOT / FORGE_TESTS / test) is needed


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_a_mutant_is_told_and_can_be_made(mutant: Mutant) -> None:
    assert mutant.change in rows()[mutant.invariant]
    source = (ROOT / Path(mutant.file)).read_text()
    assert mutant.made_in(source) != source
    assert mutant.tests
    assert [test for test in mutant.tests if not declared(test)] == []
