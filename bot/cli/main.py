"""``sluice``: the keeper, its settings, its keys, its state, and the laboratory."""

from importlib.metadata import version
from typing import Annotated

import typer

from bot.cli.boundary import Application, LazyGroup
from bot.ops.logs import configure_logs

app = Application(
    name="sluice",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Gentle liquidations: the keeper of the Sluice protocol, and a laboratory that replays crashes.\n\n"
    "Begin with [bold]sluice replay --scenario black-thursday[/bold], which needs no set-up. "
    "To run the keeper: [bold]sluice keystore new FILE[/bold], name the file in sluice.toml, then "
    "[bold]sluice keeper run --dry-run[/bold].",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sluice {version('sluice')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Take the options that stand before every command."""
    app.debug = debug
    configure_logs("console", "warning")  # until a command's own settings say otherwise
