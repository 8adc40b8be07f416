"""Deploying on the replay's node with the project's own deploy script."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from bot.errors import SetupError
from bot.protocols.sluice.manifest import Manifest, load_manifest
from bot.sim.anvil import Anvil, end_process, project_root

TIMEOUT_S = 600.0
"""Enough for a first compilation of every contract."""

TAIL_LINES = 8
"""Last lines of the script's output that an error shows."""


def deploy(anvil: Anvil, prices: Mapping[str, float], keeper: str, folder: Path) -> tuple[Manifest, Path]:
    """Run ``ape run deploy`` against a node and return the manifest that it writes, and where.

    Parameters
    ----------
    anvil : Anvil
        The node; it mines each transaction at once.
    prices : mapping
        First answers of the feeds, US dollars by symbol.
    keeper : str
        Address that may use the flash taker.
    folder : Path
        Where manifest and output go.

    Raises
    ------
    SetupError
        If the script fails.
    """
    manifest = folder / "manifest.json"
    arguments = [f"--price={symbol}={price!r}" for symbol, price in prices.items()]
    arguments += [f"--taker-operator={keeper}", f"--manifest={manifest}"]
    script = project_root() / "scripts" / "ape"
    run([str(script), "run", "deploy", "--network", anvil.http_url, *arguments], folder / "deploy.log")
    return load_manifest(manifest), manifest


def run(command: list[str], log: Path) -> None:
    """Run a command in the project's folder and wait for it, its output going to a file.

    Raises
    ------
    SetupError
        If it cannot be started, takes too long or fails; shows the end of its output.
    """
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=project_root(),
                start_new_session=True,
            )
    except OSError as error:
        raise SetupError(f"{command[0]} cannot be run ({error.strerror}); run `make setup`") from error
    try:
        status = process.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise SetupError(f"{' '.join(command[:3])} did not end within {TIMEOUT_S:g} s") from None
    finally:
        end_process(process)
    if status != 0:
        said = "\n".join(log.read_text(errors="replace").strip().splitlines()[-TAIL_LINES:])
        raise SetupError(f"{' '.join(command[:3])} ended with status {status}:\n{said}")
