"""``sluice replay``: a crash played over the real contracts, with the keeper as a separate process."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from bot.cli.boundary import complain
from bot.errors import ReplayOptionError
from bot.sim import summary
from bot.sim.anvil import check_port
from bot.sim.book_file import read_accounts
from bot.sim.keeper import LEDGER_FILE, SluiceKeeper
from bot.sim.page import check_writable, write_report, write_whole
from bot.sim.prices import parse_prices_option
from bot.sim.replay import Progress, Stage, run_replay
from bot.sim.report import Report
from bot.sim.scenario import Scenario, ScenarioName, bundled, from_files, make_scenario, parse_time
from bot.sim.schedule import LONG_BUDGET, SHORT_BUDGET, default_budget
from bot.sim.settings import (
    ACCOUNTS,
    ACKNOWLEDGE_TIMEOUT_S,
    GAS_PRICE_GWEI,
    POOL_DEPTH,
    RECOVERY_S,
    Settings,
)
from bot.sim.variants import Variant
from bot.sim.world import LISTED_DECIMALS

BUDGETS = f"{SHORT_BUDGET} for up to twelve hours, else {LONG_BUDGET}"

SIGNALLED = 128
"""Added to a signal's number, as shells do."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


app = typer.Typer(add_completion=False)


class _InterruptedError(BaseException):
    """A signal asked the replay to end; no handler of errors may hold it up."""

    def __init__(self, number: int) -> None:
        self.number = number


ScenarioOption: TypeAlias = Annotated[
    ScenarioName | None, typer.Option(help="A crash that Sluice carries.", show_default="black-thursday")
]
PricesOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ETH=FILE[,BTC=FILE]",
        help="Your own prices: CSV with ts, open, high, low, close and perhaps volume; ts in unix seconds. "
        "BTC moves with ETH if it has no file.",
    ),
]
StartOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TIME", help="First block: 2020-03-12T20:00 (UTC) or unix seconds.")
]
EndOption: TypeAlias = Annotated[str | None, typer.Option(metavar="TIME", help="Last block.")]
AccountsOption: TypeAlias = Annotated[
    int | None, typer.Option(metavar="N", help="Accounts in a generated book.", show_default=str(ACCOUNTS))
]
BookOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Your own book: CSV with id, collateral_asset, collateral_amount, debt_asset, debt_amount.",
    ),
]
SeedOption: TypeAlias = Annotated[
    int, typer.Option(metavar="N", help="Of the path inside the bars, the book and the keys.")
]
PoolDepthOption: TypeAlias = Annotated[
    float,
    typer.Option(metavar="X", help="What selling over 2 % of a pool's price brings, over the book's debt."),
]
RecoveryOption: TypeAlias = Annotated[
    float, typer.Option(metavar="SECONDS", help="Time in which arbitrage closes half of a pool's gap.")
]
GasPriceOption: TypeAlias = Annotated[float, typer.Option(metavar="GWEI", help="Base fee of every block.")]
MaxBlocksOption: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", help="Most blocks.", show_default=BUDGETS),
]
OutOption: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the report goes.", show_default="reports/SCENARIO")
]
JsonOption: TypeAlias = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="A second copy of report.json.")
]
PortOption: TypeAlias = Annotated[
    int | None, typer.Option(help="Port of the node on 127.0.0.1.", show_default="a free one")
]
TimeoutOption: TypeAlias = Annotated[
    float, typer.Option(metavar="SECONDS", help="Time that the keeper is given to act on a block.")
]
VariantOption: TypeAlias = Annotated[
    Variant, typer.Option(help="Mechanism that is played: Sluice, a part of it, or what it is compared with.")
]
QuietOption: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors and where the report is.")
]


@app.command()
def replay(
    scenario: ScenarioOption = None,
    prices: PricesOption = None,
    start: StartOption = None,
    end: EndOption = None,
    accounts: AccountsOption = None,
    book: BookOption = None,
    seed: SeedOption = 1,
    pool_depth: PoolDepthOption = POOL_DEPTH,
    recovery: RecoveryOption = RECOVERY_S,
    gas_price: GasPriceOption = GAS_PRICE_GWEI,
    max_blocks: MaxBlocksOption = None,
    out: OutOption = None,
    json_file: JsonOption = None,
    port: PortOption = None,
    acknowledge_timeout: TimeoutOption = ACKNOWLEDGE_TIMEOUT_S,
    variant: VariantOption = Variant.FULL,
    quiet: QuietOption = False,
) -> None:
    """Play a crash over the real contracts and pools, the keeper acting on its own, and write a report.

    A local node is started, Sluice and Uniswap V3 are deployed, a book of
    accounts is opened, and the keeper runs as a separate process. Nothing of it
    is left when the replay ends, however it ends.

    Example: [bold]sluice replay --scenario ftx --accounts 400 --out reports/ftx[/bold]
    """
    played = _scenario(scenario, prices, start, end)
    settings = Settings(
        scenario=played,
        seed=seed,
        accounts=_accounts(accounts, book),
        book=book,
        pool_depth=pool_depth,
        recovery_s=recovery,
        gas_price_gwei=gas_price,
        max_blocks=default_budget(played.end - played.start) if max_blocks is None else max_blocks,
        port=port,
        acknowledge_timeout_s=acknowledge_timeout,
        variant=variant,
    )
    folder = out or Path("reports") / played.name
    _check(settings, folder, json_file)
    _run(settings, folder, json_file, quiet=quiet)


def _scenario(name: ScenarioName | None, prices: str | None, start: str | None, end: str | None) -> Scenario:
    """Load the prices and cut them to the window."""
    if name is not None and prices is not None:
        raise ReplayOptionError("--prices", prices, "given without --scenario: one of the two")
    window = (
        None if start is None else parse_time("--start", start),
        None if end is None else parse_time("--end", end),
    )
    if prices is None:
        chosen = name or ScenarioName.BLACK_THURSDAY
        return make_scenario(chosen.value, *bundled(chosen), *window)
    paths = parse_prices_option(prices)
    return make_scenario(paths["ETH"].stem, *from_files(paths), *window)


def _accounts(accounts: int | None, book: Path | None) -> int:
    if accounts is not None and book is not None:
        raise ReplayOptionError(
            "--accounts", accounts, "given without --book: the file says how many there are"
        )
    return ACCOUNTS if accounts is None else accounts


def _check(settings: Settings, folder: Path, json_file: Path | None) -> None:
    """Check all that can be checked before anything is started."""
    settings.check()
    check_writable(folder, json_file)
    if settings.book is not None:
        read_accounts(settings.book, LISTED_DECIMALS)
    if settings.port is not None:
        check_port(settings.port)


def _run(settings: Settings, folder: Path, json_file: Path | None, *, quiet: bool) -> None:
    """Play, write the report, and say where it is."""
    console = Console(quiet=quiet)
    keeper = SluiceKeeper(settings.seed, settings.gas_price_gwei)
    try:
        with _interruptible(), _progress_line(console) as progress:
            outcome = run_replay(settings, keeper, progress)
            page = write_report(outcome.report, outcome.keeper_log, folder, json_file)
            if outcome.keeper_ledger is not None:
                write_whole(folder / LEDGER_FILE, outcome.keeper_ledger)
    except _InterruptedError as interrupted:
        complain("interrupted; every process was ended and no report was written")
        raise typer.Exit(SIGNALLED + interrupted.number) from None
    console.print(_table(outcome.report))
    typer.echo(f"report: {page}")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the first signal that asks to end unwind the replay, and no second one disturb it."""

    def end(number: int, _: FrameType | None) -> None:
        for other in ENDING:
            signal.signal(other, signal.SIG_IGN)
        raise _InterruptedError(number)

    before = {number: signal.signal(number, end) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress_line(console: Console) -> Iterator[Callable[[Progress], None]]:
    """Show one line that is kept up to date, where there is a terminal."""
    columns = (
        TextColumn("{task.description:<38}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with ProgressBar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("checking", total=None, state="")

        def show(progress: Progress) -> None:
            bar.update(
                task,
                description=progress.stage.value,
                completed=progress.done,
                total=progress.total or None,
                state=_state(progress),
            )

        yield show


def _state(progress: Progress) -> str:
    """Return the market and the book after the last block."""
    if progress.stage is not Stage.PLAYING or progress.frame is None:
        return ""
    frame = progress.frame
    return (
        f"ETH {frame.market[0]:,.2f}  unhealthy {summary.usd(frame.debt_by_band[0])}  "
        f"sold {summary.usd(progress.sold)}"
    )


def _table(report: Report) -> Table:
    table = Table(title=f"{summary.title(report)}\n{summary.subtitle(report)}", show_header=False)
    table.add_column(style="dim")
    table.add_column(justify="right")
    for name, value in summary.figures(report):
        table.add_row(name, value)
    return table
