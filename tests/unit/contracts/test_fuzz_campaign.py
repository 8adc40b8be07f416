"""The long campaign goes on where it stopped, with the code that it began with and no other."""

import json
from collections import Counter
from pathlib import Path

import pytest

from scripts.fuzz import SUITES, State, code_of


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    """Return the state of a campaign that has played one seed on the code "a"."""
    state = State("a" * 64)
    state.add({"engine": 500}, {"engine": Counter(kick=7)})
    path = tmp_path / "state.json"
    state.save(path)
    return path


def test_a_campaign_goes_on_where_it_stopped(state_file: Path) -> None:
    state = State.load(state_file, "a" * 64)
    state.add({"engine": 500, "house": 300}, {"engine": Counter(kick=1, take=2)})
    assert state.rounds == 2
    assert state.calls == {"engine": 1_000, "house": 300}
    assert state.outcomes == {"engine": {"kick": 8, "take": 2}}


def test_another_code_begins_another_campaign_and_the_old_one_is_kept(
    state_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert State.load(state_file, "b" * 64) == State("b" * 64)
    assert "the code has changed" in capsys.readouterr().out
    (aside,) = state_file.parent.glob("state.a*.json")
    assert json.loads(aside.read_text())["calls"] == {"engine": 500}


def test_a_state_that_names_no_code_is_of_another(state_file: Path) -> None:
    told = json.loads(state_file.read_text())
    del told["code"]
    state_file.write_text(json.dumps(told))
    assert State.load(state_file, "a" * 64).calls == {}


def test_the_code_is_the_bytecode_of_suites_and_of_what_they_deploy(tmp_path: Path) -> None:
    def compiled(name: str, code: str) -> str:
        (tmp_path / name).mkdir(exist_ok=True)
        artifact = {"deployedBytecode": {"object": code}, "metadata": "comments change this alone"}
        (tmp_path / name / "It.json").write_text(json.dumps(artifact))
        return code_of(tmp_path)

    digests = [compiled("ClearingHouse.sol", "0x00"), compiled("ClearingHouse.sol", "0x01")]
    digests.append(compiled(next(iter(SUITES)), "0x02"))
    assert len({*digests}) == 3
    assert compiled("Elsewhere.sol", "0x03") == digests[-1]
