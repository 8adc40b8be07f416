"""How a manifest reaches the disk."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_whole(path: Path, data: dict[str, Any]) -> None:
    """Write a JSON file so that a reader finds the old one or the new one, never half of it.

    Everybody may read it: it holds nothing secret, and the keeper need not run as who deployed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(data, indent=2) + "\n"
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        partial.chmod(0o644)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)  # it is there only if something failed


def check_writable(path: Path) -> None:
    """Refuse a place where no manifest can be written: a deployment whose addresses are lost is paid for.

    Raises
    ------
    ValueError
        If its folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error
