"""Options that several commands share."""

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bot.config import Settings, load_settings
from bot.errors import PasswordNotAskedError
from bot.ops.logs import configure_logs

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


def questioned(config: Path | None) -> Settings:
    """Load the settings of a command that asks; whatever it says from now on holds none of their secrets.

    Raises
    ------
    ConfigFileError, UnknownSettingError, ConfigValueError
        As `bot.config.load_settings`.
    """
    settings = load_settings(config)
    configure_logs("console", "warning", settings.secrets())
    return settings


def ask_password(path: Path) -> str:
    """Ask for the password of a keystore on the terminal.

    Raises
    ------
    PasswordNotAskedError
        If there is no terminal.
    """
    return ask_secret(f"Password of {path}", "set signer.password_file")


def ask_secret(what: str, fix: str, *, twice: bool = False) -> str:
    """Ask for something secret on the terminal, without showing it.

    Parameters
    ----------
    what : str
        What is asked for.
    fix : str
        How it is given where there is no terminal.
    twice : bool
        Whether it is to be repeated.

    Raises
    ------
    PasswordNotAskedError
        If there is no terminal.
    """
    if not sys.stdin.isatty():
        raise PasswordNotAskedError(f"the {what[0].lower()}{what[1:]}", fix)
    return str(typer.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))
