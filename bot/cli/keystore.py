"""``sluice keystore``: keys, encrypted."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from eth_account import Account
from eth_account.signers.local import LocalAccount

from bot.cli.options import ask_secret
from bot.config import read_password
from bot.errors import KeystoreExistsError, KeystoreNotWrittenError, PrivateKeyInvalidError

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    no_args_is_help=True,
    help="Make and import keys; they are kept encrypted.",
)

_KEY_DIGITS = 64

File: TypeAlias = Annotated[
    Path, typer.Argument(metavar="FILE", help="Keystore to write; it must not exist.")
]
PasswordFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="File with the password; without it the password is asked for twice.",
        show_default=False,
    ),
]


@app.callback()
def keystore() -> None:
    """Make and import keys; they are kept encrypted."""


@app.command()
def new(file: File, password_file: PasswordFile = None) -> None:
    """Make a new key and print its address.

    Send some gas money to the address, and let the deployment's flash taker know it (`--taker-operator`).
    """
    _refuse_existing(file)
    _write(file, Account.create(), _password(password_file))


@app.command(name="import")
def import_(
    file: File,
    password_file: PasswordFile = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="File with the private key in hex; without it the key is asked for. Delete it afterwards.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Encrypt a private key and print its address.

    The key is never an argument: those end up in histories and process lists.
    """
    _refuse_existing(file)
    key = read_password(key_file) if key_file else ask_secret("Private key", "name a file with --key-file")
    _write(file, _account(key), _password(password_file))


def _account(key: str) -> LocalAccount:
    digits = key.strip().removeprefix("0x")
    if len(digits) != _KEY_DIGITS:
        raise PrivateKeyInvalidError(f"it has {len(digits)} digits")
    try:
        account: LocalAccount = Account.from_key(bytes.fromhex(digits))
    except ValueError:  # no hex, zero, or beyond the curve's order; the text would show the key
        raise PrivateKeyInvalidError("it is not hex, or no number that a key can be") from None
    return account


def _password(file: Path | None) -> str:
    if file is not None:
        return read_password(file)
    return ask_secret("Password of the keystore", "name a file with --password-file", twice=True)


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise KeystoreExistsError(str(file))


def _write(file: Path, account: LocalAccount, password: str) -> None:
    """Write a keystore that only its owner may read, whole or not at all."""
    text = json.dumps(account.encrypt(password), indent=2)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _place(file, text)
    except OSError as error:
        raise KeystoreNotWrittenError(str(file), (error.strerror or str(error)).lower()) from None
    typer.echo(account.address)
    sys.stderr.write(f"keystore written to {file}\n")


def _place(file: Path, text: str) -> None:
    partial = file.with_name(file.name + ".partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(text + "\n")
        os.link(partial, file)
    except FileExistsError:
        raise KeystoreExistsError(str(file)) from None
    finally:
        partial.unlink(missing_ok=True)
