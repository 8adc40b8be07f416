"""``sluice dealer``: the reference dealer."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bot.cli.boundary import run
from bot.cli.options import ask_password
from bot.config import render
from bot.ops.logs import configure_logs
from bot.ops.signals import run_until_signalled
from bot.rfq.run import run_dealer, unlock_dealer
from bot.rfq.settings import load_dealer_settings

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    no_args_is_help=True,
    help="Quote firm prices for collateral, and hedge.",
)

DealerFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="TOML file with the dealer's settings; otherwise ./dealer.toml if it is there.",
        show_default=False,
    ),
]


@app.callback()
def dealer() -> None:
    """Quote firm prices for collateral, and hedge."""


@app.command(name="run")
def run_(config: DealerFile = None) -> None:
    """Run the dealer until SIGTERM or Ctrl-C.

    It answers requests for quotes over HTTP and WebSocket with signed, firm, short-lived quotes, within its
    limits, and sells what it has bought in the real pools. Logs go to standard error.

    Example: [bold]sluice dealer run --config dealer.toml[/bold]
    """
    settings = load_dealer_settings(config)
    configure_logs(settings.log.format, settings.log.level, settings.chain.secrets())
    key = unlock_dealer(settings, ask_password)
    run(run_until_signalled(run_dealer(settings, key)))


@app.command(name="config")
def config_(config: DealerFile = None) -> None:
    """Print every setting of the dealer as TOML: the file, and defaults; secrets hidden.

    The output is a valid dealer.toml to start from.
    """
    typer.echo(render(load_dealer_settings(config)), nl=False)
