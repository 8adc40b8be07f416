"""``sluice keeper record`` and ``sluice keeper replay-log``: a run that can be looked at again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot.bootstrap import RunOptions, run_keeper
from bot.cli.boundary import run
from bot.cli.options import ConfigFile, ask_password
from bot.config import load_settings
from bot.errors import TapeError
from bot.ops.logs import configure_logs
from bot.ops.signals import run_until_signalled
from bot.sending import unlock
from bot.sim.rerun import rerun

Recording = Annotated[Path, typer.Argument(metavar="FILE", help="The recording, such as run.tape.gz.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``sluice keeper``."""
    app.command(name="record")(record)
    app.command(name="replay-log")(replay_log)


def record(
    file: Recording,
    config: ConfigFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide, simulate and record, but sign and send nothing.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="End after one block was acted on.")] = False,
) -> None:
    """Run the keeper as `run` does, and record what comes in and what is decided.

    The recording holds heads, logs and answers of the node, the settings of the strategy and every decision;
    neither keys nor the addresses of endpoints. The book is read from the chain, not from a checkpoint, so
    that the recording is whole. A file that is there already is not overwritten.

    Example: [bold]sluice keeper record run.tape.gz --dry-run[/bold]
    """
    settings = load_settings(config)
    configure_logs(settings.log.format, settings.log.level, settings.secrets())
    keys = None if dry_run else unlock(settings, ask_password)
    run(run_until_signalled(run_keeper(settings, keys, RunOptions(dry_run, once, file))))


def replay_log(file: Recording) -> None:
    """Replay a recording: the same inputs through this program must give the same decisions, byte for byte.

    Needs neither node nor settings. Ends with an error at the first decision that differs, and shows where.

    Example: [bold]sluice keeper replay-log run.tape.gz[/bold]
    """
    done = run(rerun(file))
    if done.first is None:
        raise TapeError(file, "it ends before the first decision, so that there is nothing to compare")
    Console(highlight=False).print(
        f"{file}, recorded by sluice {done.program}: {done.heads} heads, blocks {done.first} to {done.last}, "
        f"{done.decisions} decisions, all as recorded"
    )
