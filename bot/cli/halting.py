"""``sluice keeper halt`` and ``resume``: an operator's word in the ledger, which every keeper on it obeys."""

from typing import Annotated

import typer

from bot.cli.boundary import run
from bot.cli.options import ConfigFile, questioned
from bot.errors import ConfigValueError
from bot.sending import halt_keeper, resume_keeper

_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the ledger.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``sluice keeper``."""
    app.command()(halt)
    app.command()(resume)


def halt(config: ConfigFile = None, reason: _Reason = "no reason given") -> None:
    """Stop sending, and cancel what is pending.

    It is written to the ledger, so it needs neither the node nor the key, and outlasts restarts. A keeper
    that runs cancels what it can with its next block; it goes on following the chain, and sends nothing else
    until [bold]sluice keeper resume[/bold].
    """
    settings = questioned(config)
    pending = run(halt_keeper(settings.ledger.place(), reason))
    typer.echo(f"halted: {reason}")
    typer.echo(f"{pending} pending, to be cancelled with the next block" if pending else "nothing is pending")


def resume(config: ConfigFile = None, *, reason: _Reason) -> None:
    """End a halt, for a reason that is kept in the ledger.

    Failures in a row and losses are counted anew from here.
    """
    if not reason.strip():
        raise ConfigValueError([("--reason", repr(reason), "must say why it is safe to go on")])
    ended = run(resume_keeper(questioned(config).ledger.place(), reason))
    typer.echo(f"resumed: {reason} (it was halted by {ended.source}: {ended.reason})")
