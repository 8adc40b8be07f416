"""The process boundary: commands that load when they are called, and errors that end as one line."""

import asyncio
import inspect
from collections.abc import Coroutine
from importlib import import_module
from typing import Any, ClassVar, NamedTuple, TypeVar

import typer
import uvloop
from rich.console import Console
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from bot.errors import SluiceError
from bot.ops.logs import without_secrets

FAILED = 1
"""Exit status of a command that did not do what it was asked."""

ResultT = TypeVar("ResultT")


class Lazy(NamedTuple):
    """A command whose module is imported when it is called.

    Parameters
    ----------
    module : str
        Its ``app`` is the command.
    summary : str
        What the list of commands says.
    """

    module: str
    summary: str


class LazyGroup(TyperGroup):
    """The root command; its commands stand on web3, SQLAlchemy and matplotlib, slow to import."""

    lazy: ClassVar[dict[str, Lazy]] = {
        "replay": Lazy("bot.cli.replay", "Play a crash over the real contracts and write a report."),
        "keeper": Lazy("bot.cli.keeper", "Watch every account and liquidate gently."),
        "dealer": Lazy("bot.cli.dealer", "Quote firm prices for collateral, and hedge."),
        "status": Lazy("bot.cli.status", "Show accounts at risk, open auctions and the last actions."),
        "top": Lazy("bot.cli.top", "Watch blocks, accounts at risk, auctions and transactions, live."),
        "why": Lazy("bot.cli.why", "Tell why the keeper did to an account what it did, or nothing."),
        "what-if": Lazy("bot.cli.what_if", "Let prices move: who falls, what is sold, what stays unpaid."),
        "ladder": Lazy("bot.cli.ladder", "Draw liquidatable debt by the price of an asset."),
        "risk": Lazy("bot.cli.risk", "See how the forecasts turned out."),
        "chaos": Lazy("bot.cli.chaos", "Stand between a keeper and its node, and let things go wrong."),
        "config": Lazy("bot.cli.config", "Look at the settings."),
        "keystore": Lazy("bot.cli.keystore", "Make and import keys; they are kept encrypted."),
    }
    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, in the order of use."""
        return list(self.lazy)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; while help is printed, only its summary."""
        if cmd_name not in self.lazy:
            return None
        module, summary = self.lazy[cmd_name]
        if self._listing:
            return TyperCommand(cmd_name, help=summary)
        command = get_command(import_module(module).app)
        command.name = cmd_name
        return _flowing(command)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help without importing what it lists."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def _flowing(command: Any) -> Any:
    """Return a command whose help, as that of its commands, breaks where the terminal does."""
    if command.help:
        paragraphs = inspect.cleandoc(command.help).split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for part in getattr(command, "commands", {}).values():
        _flowing(part)
    return command


class Application(typer.Typer):
    """An application whose errors become one line and an exit status.

    An error that Sluice raises on purpose is printed as it is: it names the value and the fix. Any other is a
    fault of the program, and says so. With ``debug`` both show their traceback.
    """

    debug = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line."""
        try:
            return super().__call__(*args, **kwargs)
        except SluiceError as error:
            if self.debug:
                raise
            complain(str(error))
        except Exception as error:  # the process boundary
            if self.debug:
                raise
            fault = f"{type(error).__name__}: {error}"
            complain(f"unexpected {fault}; `sluice --debug ...` shows the traceback")
        raise SystemExit(FAILED)


def complain(message: str) -> None:
    """Print an error on standard error, without secrets, in one line as far as the message is one."""
    console = Console(stderr=True, soft_wrap=True)
    console.print(f"error: {without_secrets(message)}", style="red", markup=False, highlight=False)


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
