"""Recorded runs lead to the same decisions, byte for byte, as when they were recorded."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.errors import DecisionsDivergedError
from bot.sim import rerun as replaying
from bot.sim.rerun import rerun
from bot.sim.tape import read_tape
from bot.strategy.decide import decide
from bot.strategy.decision import Decisions
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Snapshot

RECORDING = Path(__file__).parent / "recordings" / "fall-and-recovery.tape.gz"
AGAIN = "python -m tests.regression.record makes it again, if decisions were meant to change"


def lines() -> list[dict[str, Any]]:
    return [dict(line) for line in read_tape(RECORDING)]


def rewritten(path: Path, changed: list[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(line) + "\n" for line in changed)
    path.write_bytes(gzip.compress(text.encode()))
    return path


async def test_the_recording_leads_to_the_decisions_that_were_recorded() -> None:
    try:
        done = await rerun(RECORDING)
    except DecisionsDivergedError as error:
        pytest.fail(f"{error}; {AGAIN}")
    assert done.heads >= 30
    assert done.decisions >= 8


def test_the_recording_holds_sales_waits_and_a_reorg() -> None:
    decided = [json.loads(line["decisions"]) for line in lines() if line["kind"] == "decide"]
    chosen = {
        decision["chosen"]["action"]["kind"]
        for head in decided
        for decision in head["decisions"]
        if decision["chosen"] is not None
    }
    assert "kick" in chosen
    assert {"take", "swap"} <= chosen
    assert any(decision["rejected"] for head in decided for decision in head["decisions"])
    assert any(line["kind"] == "roll_back" for line in lines())
    assert RECORDING.stat().st_size < 100_000


async def test_another_strategy_is_caught_at_the_first_decision_that_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def decide_one(snapshot: Snapshot, limits: StrategySettings) -> Decisions:
        return decide(snapshot, replace(limits, max_actions=1))

    monkeypatch.setattr(replaying, "decide", decide_one)
    with pytest.raises(DecisionsDivergedError, match=r'decisions on block \d+: now .*"chosen":null'):
        await rerun(RECORDING)


async def test_a_node_that_keeps_logs_to_itself_is_caught(tmp_path: Path) -> None:
    changed = lines()
    for line in changed:
        if line["kind"] == "request" and line["asked"][0][0] == "eth_getLogs":
            line["answers"] = [{"result": []}]
    with pytest.raises(DecisionsDivergedError):
        await rerun(rewritten(tmp_path / "changed", changed))


async def test_a_step_that_is_left_out_is_caught(tmp_path: Path) -> None:
    changed = lines()
    syncs = [index for index, line in enumerate(changed) if line["kind"] == "sync"]
    del changed[syncs[5]]
    with pytest.raises(DecisionsDivergedError):
        await rerun(rewritten(tmp_path / "changed", changed))
