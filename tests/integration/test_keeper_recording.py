"""A run that was recorded, also one that was killed, is replayed to the same decisions."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import keeper, sluice
from tests.support.world import World, world

pytestmark = [pytest.mark.node]


@pytest.fixture
def here() -> Iterator[World]:
    with world() as deployed:
        yield deployed


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_recorded_run_is_replayed_without_a_node(here: World, tmp_path: Path, end: signal.Signals) -> None:
    recording = tmp_path / "run.tape.gz"
    here.open({"WETH": 100}, {"USDC": 15_800})
    with keeper(tmp_path, here, "--dry-run", command=("record", str(recording))) as daemon:
        daemon.acknowledged(int(here.node.call("eth_blockNumber"), 16))
        here.publish("WETH", 170)
        here.advance(12)
        daemon.acknowledged(int(here.node.call("eth_blockNumber"), 16))
        daemon.stop(end)
    replayed = sluice("keeper", "replay-log", recording)
    assert replayed.returncode == 0, replayed.stderr
    assert "decisions, all as recorded" in " ".join(replayed.stdout.split())
    assert " 0 decisions" not in " ".join(replayed.stdout.split())


def test_what_is_no_recording_is_named(tmp_path: Path) -> None:
    file = tmp_path / "run.tape.gz"
    file.write_text("nothing of the kind")
    replayed = sluice("keeper", "replay-log", file)
    assert replayed.returncode == 1
    assert "cannot be used: it is no gzip file" in replayed.stderr
