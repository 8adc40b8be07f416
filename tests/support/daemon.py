"""The keeper as its operator runs it: a process of its own, with a settings file, a keystore and a ledger."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account

from tests.support.world import KEEPER_KEY, World

SLUICE = Path(sys.executable).parent / "sluice"
PASSWORD = "correct horse"
PATIENCE_S = 30.0


def write_settings(folder: Path, world: World, *, acknowledge_to: str | None = None, **strategy: Any) -> Path:
    """Write manifest, keystore, password and settings for the world's node; return the settings file."""
    (folder / "manifest.json").write_text(world.manifest.model_dump_json())
    keystore = Account.encrypt(KEEPER_KEY, PASSWORD, kdf="pbkdf2", iterations=1)
    (folder / "keeper.json").write_text(json.dumps(keystore))
    (folder / "password").write_text(PASSWORD + "\n")
    endpoint = world.node.url.replace("http", "ws")
    lines = [
        'manifest = "manifest.json"',
        "[chain]",
        f'endpoint = "{endpoint}"',
        "chain_id = 31337",
        "[signer]",
        'keystore = "keeper.json"',
        'password_file = "password"',
        "[log]",
        'format = "json"',
        "[strategy]",
        *(f"{name} = {str(value).lower()}" for name, value in strategy.items()),
    ]
    if acknowledge_to is not None:
        lines += ["[replay]", f'acknowledge_to = "{acknowledge_to}"']
    path = folder / "sluice.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def sluice(*arguments: str | Path, timeout: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    """Run a command of ``sluice`` to its end."""
    command = [str(SLUICE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@dataclass
class Daemon:
    """A running keeper that says when it has acted on a head.

    Parameters
    ----------
    process : Popen
        The keeper.
    stream : file
        Its acknowledgements, one line of JSON each.
    log : Path
        Its standard error.
    """

    process: subprocess.Popen[bytes]
    listener: socket.socket
    log: Path
    stream: Any = None

    def acknowledged(self, block: int) -> dict[str, Any]:
        """Wait until the keeper has acted on a block, or on a later one; return what it said."""
        if self.stream is None:
            connection, _ = self.listener.accept()
            connection.settimeout(PATIENCE_S)
            self.stream = connection.makefile()
            connection.close()  # the file keeps it open
        while line := self.stream.readline():
            said: dict[str, Any] = json.loads(line)
            if said["block"] >= block:
                return said
        raise AssertionError(f"the keeper is gone: {self.log.read_text()[-3000:]}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the keeper to end; return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what the keeper has logged under a name."""
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == name]


@contextmanager
def keeper(
    folder: Path, world: World, *flags: str, command: tuple[str, ...] = ("run",), **strategy: Any
) -> Iterator[Daemon]:
    """Run ``sluice keeper run``, or another of its commands, for as long as the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        settings = write_settings(folder, world, acknowledge_to=address, **strategy)
        log = folder / "keeper.log"
        with log.open("wb") as output:
            arguments = [str(SLUICE), "keeper", *command, "--config", str(settings), *flags]
            process = subprocess.Popen(arguments, stderr=output, stdout=output)
        daemon = Daemon(process, listener, log)
        try:
            yield daemon
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=PATIENCE_S)
            if daemon.stream is not None:
                daemon.stream.close()
