"""Each test that a page names as its evidence is there, under exactly that name."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
DECLARED = {
    name
    for suffix in ("*.sol", "*.py")
    for path in (ROOT / "tests").rglob(suffix)
    for name in re.findall(r"\b(?:function|def) ((?:test|invariant)_\w+)\(", path.read_text())
}
FILES = {path.name for path in (ROOT / "tests").rglob("*.*")} | {
    path.stem for path in (ROOT / "tests").rglob("*.py")
}
INVARIANTS = (ROOT / "docs" / "invariants.md").read_text()
ROWS = re.findall(r"^\| (I\d+) \| .+? \| (.+) \| (.+?) \|$", INVARIANTS, re.MULTILINE)
NUMBERS = {number for number, _, _ in ROWS}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_test_that_is_named_is_there(page: Path) -> None:
    text = page.read_text()
    assert set(re.findall(r"`((?:test|invariant)_\w+)`", text)) - DECLARED - FILES == set()
    for ending in re.findall(r"`\.\.(_\w+)`", text):
        assert any(name.endswith(ending) for name in DECLARED), ending
    files = re.findall(r"`(\w+)(\*?)\.t\.sol`", text)
    for stem, several in files:
        assert any(re.fullmatch(stem + (r"\w*" if several else ""), name[:-6]) for name in FILES), stem


def test_each_invariant_names_a_test_of_the_contracts() -> None:
    contracts = {
        name
        for path in (ROOT / "tests" / "invariants").rglob("*.sol")
        for name in re.findall(r"\bfunction ((?:test|invariant)_\w+)\(", path.read_text())
    }
    assert len(ROWS) >= 25
    for number, tests, _ in ROWS:
        named = set(re.findall(r"`((?:test|invariant)_\w+)`", tests))
        assert named & contracts or ".t.sol`" in tests, number


def test_each_invariant_that_the_threats_name_is_there() -> None:
    named = set(re.findall(r"\bI\d+\b", (ROOT / "SECURITY.md").read_text()))
    assert named
    assert named - NUMBERS == set()


def test_each_known_issue_that_is_pointed_to_is_there() -> None:
    issues = set(re.findall(r"^(\d+)\. \*\*", (ROOT / "docs" / "known-issues.md").read_text(), re.MULTILINE))
    assert issues
    assert issues == {str(n + 1) for n in range(len(issues))}
    for page in PAGES:
        assert set(re.findall(r"known issue (\d+)", page.read_text())) - issues == set(), page.name
