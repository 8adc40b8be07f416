"""``sluice keeper``: the daemon."""

from typing import Annotated

import typer

from bot.bootstrap import RunOptions, run_keeper
from bot.cli import halting, recording, rehearse
from bot.cli.boundary import run
from bot.cli.options import ConfigFile, ask_password
from bot.config import load_settings
from bot.ops.logs import configure_logs
from bot.ops.signals import run_until_signalled
from bot.sending import unlock

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    no_args_is_help=True,
    help="Watch every account and liquidate gently.",
)


@app.callback()
def keeper() -> None:
    """Watch every account and liquidate gently."""


@app.command(name="run")
def run_(
    config: ConfigFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide, simulate and record, but sign and send nothing.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="End after one block was acted on.")] = False,
) -> None:
    """Run the keeper until SIGTERM or Ctrl-C.

    It connects to the node that the settings name, reads all positions from logs, and on every block
    decides, simulates and sends. Each decision and each transaction is kept in the ledger. Logs go to
    standard error.

    Example: [bold]sluice keeper run --config sluice.toml --dry-run --once[/bold]
    """
    settings = load_settings(config)
    configure_logs(settings.log.format, settings.log.level, settings.secrets())
    keys = None if dry_run else unlock(settings, ask_password)
    run(run_until_signalled(run_keeper(settings, keys, RunOptions(dry_run, once))))


halting.register(app)
rehearse.register(app)
recording.register(app)
