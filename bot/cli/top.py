"""``sluice top``: the keeper's world, live in a terminal."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Final, NamedTuple

import numpy as np
import typer
from eth_utils.address import to_checksum_address
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Footer, Static

from bot.cli.boundary import run
from bot.cli.options import ConfigFile
from bot.config import Settings, load_settings
from bot.domain.wad import WAD
from bot.errors import SluiceError, TerminalMissingError
from bot.ops.logs import configure_logs
from bot.ports import Transaction
from bot.strategy.case import Case
from bot.strategy.screen import Screen
from bot.strategy.snapshot import Snapshot
from bot.watching import Watch, watching

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

_BLOCKS: Final = 12
_ACCOUNTS: Final = 20
_ACTIONS: Final = 20

Row = tuple[str | Text, ...]


@app.command()
def top(
    config: ConfigFile = None,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
) -> None:
    """Watch blocks, accounts at risk, auctions, routes, transactions and limits, live.

    Reads the chain and the ledger, changes nothing, and may run beside the keeper. [bold]q[/bold] ends it.
    """
    settings = load_settings(config)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise TerminalMissingError("sluice top", "`sluice status` prints the same once")
    configure_logs(settings.log.format, "error", settings.secrets())
    run(_watch(settings, interval))


async def _watch(settings: Settings, interval: float) -> None:
    async with watching(settings, _ACTIONS) as watch:
        await Top(watch, interval).run_async()


class Block(NamedTuple):
    """A line of the list of blocks."""

    number: int
    timestamp: int
    base_fee: int
    liquidatable: int


class Top(App[None]):
    """The live view.

    Parameters
    ----------
    watch : Watch
        Looks at chain and ledger.
    interval : float
        Seconds between two looks.
    """

    TITLE = "sluice top"
    CSS = """
    #headline { height: 2; padding: 0 1; }
    DataTable { height: 1fr; border: round $panel; }
    #left { width: 5fr; }
    #right { width: 6fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "quit", "Quit"), Binding("r", "look", "Look now")]

    def __init__(self, watch: Watch, interval: float) -> None:
        super().__init__()
        self._watch: Final = watch
        self._interval: Final = interval
        self._blocks: list[Block] = []

    def compose(self) -> ComposeResult:
        """Lay the view out."""
        yield Static(id="headline")
        with Horizontal():
            with Vertical(id="left"):
                yield _table("risk", "Nearest to liquidation", "account", "health", "collateral", "debt")
                yield _table("blocks", "Blocks", "block", "base fee", "below 1")
                yield _table("limits", "Limits of an hour", "limit", "used", "of")
            with Vertical(id="right"):
                yield _table("auctions", "Auctions", "account", "reserve", "lapses in")
                yield _table("routes", "Routes", "pair", "fee", "price", "to the oracle")
                yield _table("actions", "Transactions", "block", "account", "action", "outcome", "profit")
        yield Footer()

    async def on_mount(self) -> None:
        """Look at once, and then every interval."""
        self.set_interval(self._interval, self.action_look)
        await self.action_look()

    async def action_look(self) -> None:
        """Look at chain and ledger, and show what is there; a node that is away is said, and asked again."""
        headline = self.query_one("#headline", Static)
        try:
            seen = await self._watch.look()
        except SluiceError as error:
            headline.update(Text(str(error), style="red"))
            return
        snapshot = seen.snapshot
        self._note(snapshot)
        headline.update(headline_of(snapshot, seen.halted))
        self._fill("risk", risk_rows(snapshot, _ACCOUNTS))
        self._fill("blocks", block_rows(self._blocks))
        self._fill("limits", ((name, used, most) for name, used, most in seen.limits))
        self._fill("auctions", auction_rows(snapshot))
        self._fill("routes", route_rows(snapshot))
        self._fill("actions", action_rows(seen.transactions))

    def _note(self, snapshot: Snapshot) -> None:
        if not self._blocks or self._blocks[0].number != snapshot.block:
            below = int(np.count_nonzero(Screen(snapshot).health < 1.0))
            block = Block(snapshot.block, snapshot.timestamp, snapshot.base_fee, below)
            self._blocks = [block, *self._blocks][:_BLOCKS]

    def _fill(self, name: str, rows: Iterator[Row] | Sequence[Row]) -> None:
        table = self.query_one(f"#{name}", DataTable)
        table.clear()
        for row in rows:
            table.add_row(*row)


def _table(name: str, title: str, *columns: str) -> DataTable[str | Text]:
    table: DataTable[str | Text] = DataTable(id=name, cursor_type="none", zebra_stripes=True)
    table.border_title = title
    for column in columns:
        table.add_column(column)
    return table


# -------------------------------------------------------------------------------------- rows


def headline_of(snapshot: Snapshot, halted: str | None) -> Text:
    """Return what matters most, in a line or two."""
    prices = "  ".join(
        f"{asset.symbol} {'refused' if asset.price is None else f'{asset.price / WAD:,.2f}'}"
        for asset in snapshot.assets
    )
    text = Text(f"block {snapshot.block}  {len(snapshot.positions.accounts):,} accounts  {prices}")
    if snapshot.halted:
        text.append("  liquidations are halted by the protocol", style="bold red")
    if halted is not None:
        text.append(f"\n{halted}", style="bold red")
    return text


def risk_rows(snapshot: Snapshot, most: int) -> Iterator[Row]:
    """Yield the accounts nearest to liquidation."""
    health = Screen(snapshot).health
    for row in np.argsort(health, kind="stable")[:most]:
        if not np.isfinite(health[row]):
            return
        balance = Case.of(snapshot, int(row)).balance
        factor = balance.health_factor / WAD
        style = "red" if factor < 1.0 else "yellow" if factor < 1.05 else ""
        yield (
            _short(to_checksum_address(snapshot.positions.accounts[row])),
            Text(f"{factor:.4f}", style),
            f"{balance.collateral_value / WAD:,.0f}",
            f"{balance.debt_value / WAD:,.0f}",
        )


def block_rows(blocks: Sequence[Block]) -> Iterator[Row]:
    """Yield the last blocks."""
    for block in blocks:
        yield str(block.number), f"{block.base_fee / 1e9:.2f} gwei", str(block.liquidatable)


def auction_rows(snapshot: Snapshot) -> Iterator[Row]:
    """Yield running auctions: the reserve of each leg as it is now, and the time that is left."""
    for row, auction in sorted(snapshot.auctions.items()):
        left = auction.kicked_at + snapshot.engine.tail - snapshot.timestamp
        account = _short(to_checksum_address(snapshot.positions.accounts[row]))
        yield account, _reserves(snapshot, row), f"{left} s" if left > 0 else "lapsed"


def _reserves(snapshot: Snapshot, row: int) -> str:
    if any(snapshot.assets[holding.asset_id].price is None for holding in snapshot.holdings(row)):
        return "no price"
    case = Case.of(snapshot, row)
    legs = snapshot.auctions[row].legs
    return ", ".join(
        f"{snapshot.assets[asset].symbol} {case.multiplier(asset) / WAD:.4f}" for asset in sorted(legs)
    )


def route_rows(snapshot: Snapshot) -> Iterator[Row]:
    """Yield the pools, each with its price and how far that is from the oracle's."""
    for view in snapshot.pools:
        base, quote = snapshot.assets[view.token0], snapshot.assets[view.token1]
        price = (view.pool.sqrt_price_x96 / 2**96) ** 2 * base.unit / quote.unit
        gap = ""
        if base.price and quote.price:
            gap = f"{(price * quote.price / base.price - 1.0) * 1e4:+.0f} bp"
        yield f"{base.symbol}/{quote.symbol}", f"{view.pool.fee_pips / 1e4:g} %", f"{price:,.6g}", gap


def action_rows(transactions: Sequence[Transaction]) -> Iterator[Row]:
    """Yield the last transactions."""
    for transaction in transactions:
        profit = transaction.realised_profit
        yield (
            str(transaction.block_number or transaction.planned_block),
            _short(transaction.intent.account),
            transaction.intent.key.rpartition(":")[2],
            transaction.outcome.value,
            "" if profit is None else f"{profit / WAD:,.2f}",
        )


def _short(account: str) -> str:
    """Return both ends of an address: a book may hold many that begin alike."""
    return f"{account[:6]}…{account[-4:]}"
