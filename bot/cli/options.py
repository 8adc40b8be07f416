"""Options that several commands share."""

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bot.errors import KeystorePasswordError

ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="TOML file with the settings; otherwise $SLUICE_CONFIG, otherwise ./sluice.toml if it is there.",
        show_default=False,
    ),
]


def ask_password(path: Path) -> str:
    """Ask for the password of a keystore on the terminal.

    Raises
    ------
    KeystorePasswordError
        If there is no terminal.
    """
    if not sys.stdin.isatty():
        raise KeystorePasswordError(f"{path} (no terminal to ask on: set signer.password_file)")
    return str(typer.prompt(f"Password of {path}", hide_input=True, err=True))
