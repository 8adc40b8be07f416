"""``sluice chaos`` on the command line."""

import signal
import subprocess
from pathlib import Path

import pytest

from bot.cli.chaos import chaos
from bot.errors import ConfigValueError, EndpointInvalidError
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
    with pytest.raises(EndpointInvalidError):
        chaos(SCRIPT, "ftp://127.0.0.1", "127.0.0.1:0")


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
