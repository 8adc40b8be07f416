"""``sluice chaos`` on the command line."""

import signal
import subprocess
from pathlib import Path

import pytest

from bot.cli.chaos import chaos
from bot.errors import ConfigValueError
from tests.support.anvil import anvil
from tests.support.daemon import SLUICE

SCRIPT = Path(__file__).parents[3] / "docs" / "chaos.toml"


@pytest.mark.parametrize("listen", ["8547", "127.0.0.1:", "127.0.0.1:port", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ConfigValueError, match="--listen"):
        chaos(SCRIPT, "http://127.0.0.1:8545", listen)


def test_a_node_behind_a_local_socket_cannot_be_served() -> None:
    with pytest.raises(ConfigValueError, match="--upstream"):
        chaos(SCRIPT, "ipc:///run/node.ipc", "127.0.0.1:0")
    with pytest.raises(ConfigValueError, match="--upstream: it does not begin with ws://") as caught:
        chaos(SCRIPT, "ftp://127.0.0.1/s3cret", "127.0.0.1:0")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("phase", "says"),
    [
        ('faults = [{ kind = "delya" }]', "phase.0.faults.0.kind = 'delya': must be one of drop, cut, delay"),
        (
            'faults = [{ kind = "delay", seconds = -1 }]',
            "phase.0.faults.0.delay.seconds = -1: must be greater",
        ),
        ('faults = [{ kind = "delay" }]', "phase.0.faults.0.delay.seconds: must be set"),
        ('faults = [{ kind = "drop", share = 2 }]', "phase.0.faults.0.drop.share = 2: must be less than"),
        ('faults = [{ kind = "drop", often = 2 }]', "phase.0.faults.0.drop.often: is no setting"),
    ],
)
def test_a_fault_that_cannot_be_is_told_by_its_name_alone(tmp_path: Path, phase: str, says: str) -> None:
    script = tmp_path / "chaos.toml"
    script.write_text(f'[[phase]]\nname = "x"\n{phase}\n')
    with pytest.raises(ConfigValueError) as caught:
        chaos(script, "http://127.0.0.1:8545", "127.0.0.1:0")
    assert says in str(caught.value)
    assert len(caught.value.problems) == 1


@pytest.mark.node
def test_it_serves_a_node_until_it_is_told_to_end() -> None:
    with anvil() as node:
        command = [str(SLUICE), "chaos", str(SCRIPT), "--upstream", node.url, "--listen", "127.0.0.1:0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            assert any("listening on port" in line for line in lines)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
