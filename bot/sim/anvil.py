"""A local node as a child process, ended by its process id on every way out."""

import contextlib
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

from bot.errors import LocalNodeError
from bot.sim.rpc import LocalRpc

HOST = "127.0.0.1"
GAS_LIMIT = 30_000_000
CHAIN_ID = 31_337
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class AnvilOptions:
    """How the node is started.

    Parameters
    ----------
    port : int or None
        TCP port on 127.0.0.1; a free one if None.
    timestamp : int or None
        Genesis time, unix seconds; now if None.
    arguments : sequence of str
        Further arguments of the command line.
    chain_id : int
        What it says it is.
    """

    port: int | None = None
    timestamp: int | None = None
    arguments: Sequence[str] = ()
    chain_id: int = CHAIN_ID


@dataclass(frozen=True, slots=True)
class Anvil:
    """A running node.

    Parameters
    ----------
    port : int
        TCP port on 127.0.0.1, HTTP and WebSocket alike.
    pid : int
        Of the process.
    rpc : LocalRpc
        A connection to it.
    """

    port: int
    pid: int
    rpc: LocalRpc

    @property
    def http_url(self) -> str:
        """Address for HTTP."""
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        """Address for WebSocket."""
        return f"ws://{HOST}:{self.port}"


def project_root() -> Path:
    """Return the folder that holds the contracts and node_modules."""
    return Path(__file__).resolve().parent.parent.parent


def anvil_binary(root: Path | None = None) -> Path:
    """Return the node's own executable, not the npm wrapper, which would outlive its child's end.

    Raises
    ------
    LocalNodeError
        If it is not installed.
    """
    machine = _MACHINES.get(platform.machine().lower(), platform.machine())
    package = f"anvil-{sys.platform}-{machine}"
    binary = (root or project_root()) / "node_modules" / "@foundry-rs" / package / "bin" / "anvil"
    if not binary.is_file():
        raise LocalNodeError(f"the local node is not installed at {binary}; run `make setup`")
    return binary


def check_port(port: int) -> None:
    """Check that a port can be had.

    Raises
    ------
    LocalNodeError
        If something listens on it, or it may not be used.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            problem = f"port {port} of {HOST} cannot be used ({error.strerror})"
            raise LocalNodeError(f"{problem}; stop what uses it, or give another --port") from error


@contextlib.contextmanager
def running_anvil(options: AnvilOptions | None = None) -> Iterator[Anvil]:
    """Start a node and end it on leaving, whatever the reason.

    It runs in a session of its own, so that an interrupt at the terminal reaches the replay alone, which ends
    its children in order. The states of past blocks, which it writes to disk by the hundred megabytes, lie in
    a folder that goes with it.

    Raises
    ------
    LocalNodeError
        If it is not installed, its port is in use, or it does not answer in time.
    """
    options = options or AnvilOptions()
    if options.port is not None:
        check_port(options.port)
    command = [str(anvil_binary()), *_arguments(options)]
    with TemporaryDirectory(prefix="sluice-anvil-") as states, NamedTemporaryFile(suffix=".log") as log:
        command += ["--cache-path", states]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            port = _await_port(process, Path(log.name))
            with contextlib.closing(LocalRpc(HOST, port)) as rpc:
                rpc.call("anvil_setLoggingEnabled", False)
                yield Anvil(port, process.pid, rpc)
        finally:
            end_process(process)


def _arguments(options: AnvilOptions) -> list[str]:
    arguments = ["--host", HOST, "--port", str(options.port or 0), "--chain-id", str(options.chain_id)]
    arguments += ["--hardfork", "prague", "--gas-limit", str(GAS_LIMIT)]
    if options.timestamp is not None:
        arguments += ["--timestamp", str(options.timestamp)]
    return [*arguments, *options.arguments]


def _await_port(process: subprocess.Popen[bytes], log: Path) -> int:
    """Return the port on which the node says it listens.

    It is asked to choose a free one itself and its own word is taken for it, so two replays that start at
    once can never end up on one node.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        said = log.read_text(errors="replace")
        _, found, rest = said.partition(f"Listening on {HOST}:")
        if found and "\n" in rest:
            return int(rest.split()[0])
        if process.poll() is not None:
            detail = said.strip()[-2_000:] or "it said nothing"
            raise LocalNodeError(f"the local node ended with status {process.returncode}: {detail}")
        time.sleep(0.01)
    problem = f"the local node did not start within {START_TIMEOUT_S:g} s"
    raise LocalNodeError(f"{problem}; is the machine overloaded?")


def end_process(process: subprocess.Popen[bytes], patience_s: float = STOP_TIMEOUT_S) -> int:
    """Ask a child and its own children to end, kill them if they do not, and return the child's exit status.

    The child must lead a session of its own: the signal goes to its process group.
    """
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return int(process.returncode)
