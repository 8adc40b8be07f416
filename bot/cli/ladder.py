"""``sluice ladder``: liquidatable debt by the price of one asset, as a table and a plot."""

from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from bot.bootstrap import read_snapshot
from bot.cli.boundary import run
from bot.cli.options import ConfigFile, questioned
from bot.errors import ConfigFileError, InvalidInputError
from bot.strategy.ladder import FloatArray, Ladder, ladder_of
from bot.strategy.shock import parse_change, priced_asset

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

ROWS: Final = 15
"""Prices in the table, both ends included."""

POINTS: Final = 1_001
"""Prices on the plot."""

BAR: Final = 24
FORMATS: Final = (".png", ".svg", ".pdf")


@app.command()
def ladder(
    asset: Annotated[str, typer.Option(metavar="SYMBOL", help="Whose price moves.")] = "ETH",
    from_: Annotated[
        str, typer.Option("--from", metavar="CHANGE", help="Lowest price, as in -50%.")
    ] = "-50%",
    to: Annotated[str, typer.Option("--to", metavar="CHANGE", help="Highest price, as in +20%.")] = "+20%",
    out: Annotated[Path, typer.Option(metavar="FILE", help="Plot: .png, .svg or .pdf.")] = Path("ladder.png"),
    config: ConfigFile = None,
) -> None:
    """Draw the debt that is liquidatable at each price of an asset, all other prices as they are.

    Reads the chain, writes nothing but the plot. Debt in the asset itself is valued at the price in question,
    and accounts that owe it fall when it rises.
    """
    low, high = parse_change(from_, "--from"), parse_change(to, "--to")
    if not low < high:
        raise InvalidInputError("--from", from_, f"below --to, {to}")
    if out.suffix.lower() not in FORMATS:
        raise InvalidInputError("--out", str(out), f"a file that ends in one of {', '.join(FORMATS)}")
    head, snapshot = run(read_snapshot(questioned(config)))
    found = ladder_of(snapshot, priced_asset(asset, snapshot.assets, "--asset", asset))
    factors = (float(low), float(high))
    console = Console(highlight=False)
    console.print(_table(found, factors, head.number))
    if found.unpriced:
        console.print(f"{found.unpriced} accounts left out: the oracle refuses a price")
    draw(found, factors, head.number, out)
    console.print(f"plot: {out}")


def rungs(found: Ladder, factors: tuple[float, float], count: int) -> FloatArray:
    """Return evenly spaced prices between two factors on the price now, ends included."""
    return found.price * np.linspace(*factors, count)


def _table(found: Ladder, factors: tuple[float, float], block: int) -> Table:
    prices = rungs(found, factors, ROWS)
    debts, counts = found.debt(prices), found.accounts(prices)
    symbol, most = found.asset.symbol, max(float(debts.max()), 1.0)
    title = f"Liquidatable debt by the price of {symbol}, block {block} (now {found.price:,.2f})"
    table = Table(title=title, title_justify="left")
    for column in (symbol, "change", "accounts", "debt"):
        table.add_column(column, justify="right")
    table.add_column("")
    for price, count, debt in zip(prices, counts, debts, strict=True):
        change = f"{price / found.price - 1.0:+.1%}"
        bar = "█" * round(BAR * float(debt) / most)
        table.add_row(f"{price:,.2f}", change, str(count), f"{debt:,.0f}", bar)
    return table


def draw(found: Ladder, factors: tuple[float, float], block: int, file: Path) -> None:
    """Draw the ladder.

    Parameters
    ----------
    found : Ladder
        Who falls where.
    factors : (float, float)
        Lowest and highest factor on the price now.
    block : int
        For the title.
    file : Path
        To write; its suffix is the format.

    Raises
    ------
    ConfigFileError
        If it cannot be written.
    """
    prices = rungs(found, factors, POINTS)
    symbol = found.asset.symbol
    figure = Figure(figsize=(8.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    debts = found.debt(prices)
    axis.fill_between(prices, debts, color="#b3261e", alpha=0.15, linewidth=0.0)
    axis.plot(prices, debts, color="#b3261e", linewidth=1.5)
    axis.axvline(found.price, color="0.4", linewidth=1.0, linestyle="--", label=f"now {found.price:,.2f}")
    axis.set(xlabel=f"{symbol} price (quote units per token)", ylabel="liquidatable debt (quote units)")
    axis.set(xlim=(prices[0], prices[-1]), ylim=(0.0, max(float(debts.max()) * 1.05, 1.0)))
    axis.yaxis.set_major_formatter("{x:,.0f}")
    now = found.price
    scale = (lambda price: (price / now - 1.0) * 100.0, lambda change: now * (1.0 + change / 100.0))
    change = axis.secondary_xaxis("top", functions=scale)
    change.set_xlabel("change from now (%)")
    axis.set_title(f"Accounts below 1, other prices as at block {block}", fontsize=10)
    axis.grid(color="0.92")
    axis.legend(loc="upper right", frameon=False)
    try:
        figure.savefig(file, dpi=120)
    except OSError as error:
        raise ConfigFileError(str(file), error.strerror or str(error)) from error
