"""``sluice config``: the settings."""

import typer

from bot.cli.options import ConfigFile
from bot.config import load_settings, render

app = typer.Typer(
    add_completion=False, rich_markup_mode="rich", no_args_is_help=True, help="Look at the settings."
)


@app.callback()
def config() -> None:
    """Look at the settings."""


@app.command()
def show(config: ConfigFile = None) -> None:
    """Print every setting as TOML: the file, the environment over it, and defaults; secrets hidden.

    The output is a valid sluice.toml to start from.
    """
    typer.echo(render(load_settings(config)), nl=False)
