"""A PostgreSQL server of Debian's package, for as long as the tests run."""

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

_INSTALLED = Path("/usr/lib/postgresql")
_PATIENCE_S = 30.0


def binaries() -> Path | None:
    """Return the folder of the newest server that is installed, or None."""
    found = sorted(_INSTALLED.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return Path(on_path).parent if on_path else None


def _account() -> str:
    """Return who runs the server: it refuses root."""
    if os.geteuid() != 0:
        return getpass.getuser()
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


class Server:
    """A running server that listens on a socket in its own folder.

    Parameters
    ----------
    bin_ : Path
        Its programs.
    folder : Path
        Its data and its socket.
    """

    def __init__(self, bin_: Path, folder: Path) -> None:
        self._bin = bin_
        self._folder = folder
        self._names = count()

    def new_database(self) -> str:
        """Create an empty database; return its URL, which names a password that nobody asks for."""
        name = f"ledger_{next(self._names)}"
        self._run("createdb", "-h", str(self._folder), "-U", "sluice", name)
        return f"postgresql://sluice:swordfish@/{name}?host={self._folder}"

    def execute(self, url: str, statement: str) -> str:
        """Run a statement in a database, as somebody else; return what it prints."""
        name = url.split("@/")[1].split("?")[0]
        return self._run("psql", "-h", str(self._folder), "-U", "sluice", "-Atqc", statement, name)

    def _run(self, program: str, *arguments: str) -> str:
        command = [str(self._bin / program), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@contextmanager
def server() -> Iterator[Server]:
    """Run a server; `binaries` must have found one."""
    bin_, user = binaries(), _account()
    assert bin_ is not None
    folder = Path(tempfile.mkdtemp(prefix="sluice-pg-"))
    shutil.chown(folder, user)
    data, log = folder / "data", folder / "log"
    options = {} if os.geteuid() else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    try:
        subprocess.run(
            [
                bin_ / "initdb",
                "-D",
                data,
                "-U",
                "sluice",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
                "--locale=C",
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            **options,
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                [bin_ / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
                stdout=output,
                stderr=output,
                cwd=folder,
                **options,
            )
        try:
            _await_ready(bin_, folder, process, log)
            yield Server(bin_, folder)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=_PATIENCE_S)
    finally:
        shutil.rmtree(folder)


def _await_ready(bin_: Path, folder: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while subprocess.run([bin_ / "pg_isready", "-q", "-h", folder], check=False).returncode != 0:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)
