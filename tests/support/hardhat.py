"""A Hardhat node of one's own, spoken to as if it were Anvil."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.anvil import Client

ROOT = Path(__file__).parents[2]
CLI = ROOT / "node_modules" / "hardhat" / "internal" / "cli" / "cli.js"
START_TIMEOUT_S = 60.0
STARTED = "Started HTTP and WebSocket JSON-RPC server at http://127.0.0.1:"


class HardhatClient(Client):
    """A client that says in Hardhat's words what tests say in Anvil's."""

    def batch(self, calls: Iterable[tuple[str, Iterable[Any]]]) -> list[Any]:
        self._connection.close()  # one that was idle for five seconds is no longer answered
        return super().batch(calls)

    def call(self, method: str, *params: Any) -> Any:
        if method == "eth_sendTransactionSync":  # Hardhat mines before it answers
            return self.call("eth_getTransactionReceipt", self.call("eth_sendTransaction", *params))
        return super().call(method.replace("anvil_", "hardhat_"), *params)


@contextmanager
def hardhat() -> Iterator[HardhatClient]:
    """Run a node on a free port for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "hardhat.log"
        command = ["node", str(CLI), "--config", str(ROOT / "hardhat.config.js")]
        command += ["node", "--hostname", "127.0.0.1", "--port", "0"]
        environment = os.environ | {"HARDHAT_DISABLE_TELEMETRY_PROMPT": "true"}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment
            )
        try:
            client = HardhatClient(_port_of(process, log))
            try:
                yield client
            finally:
                client.close()
        finally:
            process.terminate()
            process.wait(timeout=10)


def _port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        _, found, rest = log.read_text().partition(STARTED)
        if found and "/" in rest:
            return int(rest.split("/")[0])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"hardhat did not start: {log.read_text()[-2000:]}")
