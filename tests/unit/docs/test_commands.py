"""The guides name commands and targets that there are, and the README every target."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from bot.cli.main import app

ROOT = Path(__file__).parents[3]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BY_NAME = {guide.name: guide for guide in GUIDES}
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def spoken(guide: Path) -> Iterator[str]:
    """Yield what stands in code spans, and the lines of code blocks."""
    for line in guide.read_text().splitlines():
        if line.startswith("    "):
            yield line.split(" #")[0].strip()
        else:
            yield from re.findall(r"`([^`]+)`", line)


def commands(guide: Path) -> Iterator[list[str]]:
    """Yield the commands of the program, as words."""
    for text in spoken(guide):
        found = re.search(r"^(?:[A-Z_]+=\S+ )*sluice (?!-)(.*)", text.split(">")[0])
        if found:
            yield [word for word in shlex.split(found[1]) if word not in ("...", "…")]


@pytest.mark.parametrize("name", BY_NAME)
def test_each_command_and_each_option_of_it_is_there(name: str) -> None:
    for words in commands(BY_NAME[name]):
        command: Any = get_command(app)
        rest = list(words)
        while rest and hasattr(command, "commands"):
            following = command.get_command(None, rest.pop(0))
            assert following is not None, f"{name}: sluice {' '.join(words)}"
            command = following
        known = {
            option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        for word in rest:
            assert not word.startswith("-") or word in {*known, "--help"}, f"{name}: sluice {' '.join(words)}"


@pytest.mark.parametrize("name", BY_NAME)
def test_each_target_that_is_named_is_there(name: str) -> None:
    named = {target for text in spoken(BY_NAME[name]) for target in re.findall(r"^make ([a-z-]+)", text)}
    assert named <= TARGETS


def test_the_readme_names_every_target() -> None:
    text = (ROOT / "README.md").read_text()
    assert {target for target in TARGETS if not re.search(rf"make (?:[a-z-]+ )*{target}\b", text)} == set()
