"""A development node of one's own, and a JSON-RPC client that batches."""

import http.client
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

ANVIL = Path(__file__).parents[2] / "scripts" / "bin" / "anvil"
START_TIMEOUT_S = 20.0


class RpcError(AssertionError):
    """The node answered with an error."""


class Client:
    """A JSON-RPC client over one kept-alive HTTP connection; not for concurrent use.

    Parameters
    ----------
    port : int
        The node's port on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def call(self, method: str, *params: Any) -> Any:
        """Return one method's result."""
        return self.batch([(method, params)])[0]

    def batch(self, calls: Iterable[tuple[str, Iterable[Any]]]) -> list[Any]:
        """Return the results of many calls sent as one request, in their order."""
        body = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": list(params)}
            for index, (method, params) in enumerate(calls)
        ]
        self._connection.request("POST", "/", orjson.dumps(body), {"Content-Type": "application/json"})
        answers = orjson.loads(self._connection.getresponse().read())
        for answer in answers:
            if "error" in answer:
                raise RpcError(f"{body[answer['id']]['method']}: {answer['error']}")
        return [answer["result"] for answer in sorted(answers, key=lambda answer: answer["id"])]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        _, found, rest = log.read_text().partition("Listening on 127.0.0.1:")
        if found and "\n" in rest:
            return int(rest.split()[0])
        if process.poll() is not None:
            break
        time.sleep(0.01)
    raise AssertionError(f"anvil did not start: {log.read_text()[-2000:]}")


@contextmanager
def anvil(*flags: str) -> Iterator[Client]:
    """Run a node on a free port for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "anvil.log"
        with log.open("wb") as output:
            # Past states, which Anvil leaves on disk when it ends, go with the folder.
            command = [str(ANVIL), "--port", "0", "--cache-path", folder, *flags]
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            client = Client(_port_of(process, log))
            try:
                yield client
            finally:
                client.close()
        finally:
            process.terminate()
            process.wait(timeout=10)
