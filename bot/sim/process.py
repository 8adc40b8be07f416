"""A child process whose output goes to a file, watched and ended."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.errors import KeeperProcessError
from bot.sim.anvil import end_process, project_root

TAIL_LINES = 15
LONGEST_LINE = 300
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class KeeperProcess:
    """The running keeper.

    Parameters
    ----------
    process : Popen
        Leads a session of its own.
    log : Path
        Where its output goes.
    """

    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Check that it still runs.

        Raises
        ------
        KeeperProcessError
            If it ended.
        """
        status = self.process.poll()
        if status is not None:
            raise KeeperProcessError(f"the keeper ended with status {status}", self.tail())

    def tail(self) -> str:
        """Return the last lines of its output."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(line[:LONGEST_LINE] for line in lines)


@contextlib.contextmanager
def running_keeper(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[KeeperProcess]:
    """Start the keeper and end it on leaving, whatever the reason.

    Parameters
    ----------
    command : sequence of str
        What to run.
    environment : mapping
        All of its environment variables.
    log : Path
        Where its output goes.

    Raises
    ------
    KeeperProcessError
        If it cannot be started.
    """
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=project_root(),
                env=dict(environment),
                start_new_session=True,
            )
    except OSError as error:
        raise KeeperProcessError(f"{command[0]} cannot be run ({error.strerror})", "") from error
    try:
        yield KeeperProcess(process, log)
    finally:
        end_process(process, STOP_TIMEOUT_S)
