"""``sluice status``: accounts at risk, open auctions, last actions."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import numpy as np
import typer
from eth_utils.address import to_checksum_address
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.bootstrap import Status, read_status
from bot.cli.boundary import run
from bot.cli.options import ConfigFile, questioned
from bot.cli.tables import table_of
from bot.domain.engine import UNBOUNDED
from bot.domain.wad import WAD
from bot.ops.logs import without_secrets
from bot.ports import Transaction
from bot.ports.rfq import DealerScore
from bot.strategy.case import Case
from bot.strategy.protected import Protections
from bot.strategy.protection import assessment_of
from bot.strategy.screen import Screen
from bot.strategy.snapshot import Snapshot

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def status(
    config: ConfigFile = None,
    accounts: Annotated[int, typer.Option(min=1, help="Accounts at risk to list.")] = 10,
    last: Annotated[int, typer.Option(min=1, help="Transactions to list.")] = 10,
) -> None:
    """Show the accounts nearest to liquidation, open auctions, and the keeper's last actions.

    Where the deployment has protection, also the accounts that asked for it, the lowest health first; where
    dealers were asked, how each of them behaved.

    Reads the chain and the ledger, changes nothing, and may run beside the keeper.
    """
    found = run(read_status(questioned(config), last))
    console = Console(highlight=False)
    console.print(_headline(found))
    if found.halted is not None:
        console.print(Text(f"the keeper is {found.halted}; `sluice keeper resume` ends it", style="red"))
    tables = [_at_risk(found.snapshot, accounts), _auctions(found.snapshot)]
    if found.snapshot.protections is not None:
        tables.append(_protected(found.snapshot, found.snapshot.protections, accounts))
    if found.dealers:
        tables.append(_dealers(found.dealers, found.head.number))
    for table in (*tables, _transactions(found.transactions)):
        console.print("", table if table.rows else f"{table.title}: none", sep="\n")


def _headline(found: Status) -> str:
    head, snapshot = found.head, found.snapshot
    time = datetime.fromtimestamp(head.timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
    halted = ", [red]halted[/red]" if snapshot.halted else ""
    prices = ", ".join(
        f"{asset.symbol} {'refused' if asset.price is None else f'{asset.price / WAD:,.2f}'}"
        for asset in snapshot.assets
    )
    return f"block {head.number} ({time} UTC){halted}: {len(snapshot.positions.accounts)} accounts; {prices}"


def _at_risk(snapshot: Snapshot, count: int) -> Table:
    table = table_of("Nearest to liquidation", "account", "health", "collateral", "debt")
    health = Screen(snapshot).health
    for row in np.argsort(health, kind="stable")[:count]:
        if not np.isfinite(health[row]):
            break
        balance = Case.of(snapshot, int(row)).balance
        table.add_row(
            to_checksum_address(snapshot.positions.accounts[row]),
            f"{balance.health_factor / WAD:.4f}",
            f"{balance.collateral_value / WAD:,.0f}",
            f"{balance.debt_value / WAD:,.0f}",
        )
    return table


def _auctions(snapshot: Snapshot) -> Table:
    table = table_of("Open auctions", "account", "legs", "lapses in", left={"legs"})
    for row, auction in sorted(snapshot.auctions.items()):
        left = auction.kicked_at + snapshot.engine.tail - snapshot.timestamp
        table.add_row(
            to_checksum_address(snapshot.positions.accounts[row]),
            _legs(snapshot, row),
            f"{left} s" if left > 0 else "lapsed",
        )
    return table


def _legs(snapshot: Snapshot, row: int) -> str:
    if any(snapshot.assets[holding.asset_id].price is None for holding in snapshot.holdings(row)):
        return "no price"
    multipliers = Case.of(snapshot, row).multipliers()
    return ", ".join(
        f"{snapshot.assets[asset_id].symbol} at {multiplier / WAD:.4f}"
        for asset_id, multiplier in sorted(multipliers.items())
    )


def _protected(snapshot: Snapshot, view: Protections, count: int) -> Table:
    title = f"Protected on request ({len(view.accounts)}{', paused' if view.paused else ''})"
    table = table_of(title, "account", "health", "target", "distance", "asked for", "fee now")
    health, accounts = Screen(snapshot).health, snapshot.positions.accounts
    for row in np.argsort(health, kind="stable"):
        known = view.accounts.get(accounts[row])
        if known is None or not np.isfinite(health[row]) or len(table.rows) == count:
            continue
        near = assessment_of(Case.of(snapshot, int(row)), known, view)
        table.add_row(
            to_checksum_address(accounts[row]),
            f"{near.health_factor / WAD:.4f}",
            f"{known.terms.target / WAD:.4f}",
            "unbounded" if near.distance == UNBOUNDED else f"{near.distance / WAD:.2f}",
            f"{known.terms.min_distance / WAD:.2f}",
            f"{near.fee / WAD:.2%}" if near.shortfall else "",
        )
    return table


def _dealers(scores: Iterable[DealerScore], block: int) -> Table:
    """Return how dealers behaved: timely answers, good fills, and what they pay over the later mid."""
    table = table_of("Dealers", "dealer", "asked", "timely", "fills", "over mid", "until")
    for score in scores:
        tried = score.fills + score.failed_fills
        table.add_row(
            score.dealer,
            str(score.asked),
            f"{score.response_bps / 100:.0f}%",
            f"{score.fills}/{tried}",
            f"{score.edge_bps / 100:+.2f}%" if score.answered else "",
            str(score.benched_until) if score.benched_until > block else "",
        )
    return table


def _transactions(transactions: Iterable[Transaction]) -> Table:
    columns = ("block", "account", "action", "outcome", "profit")
    table = table_of("Last actions", *columns, left={"action", "outcome"})
    for transaction in transactions:
        profit, reason = transaction.realised_profit, transaction.reason
        table.add_row(
            str(transaction.block_number or transaction.planned_block),
            transaction.intent.account,
            transaction.intent.key.rpartition(":")[2],
            transaction.outcome.value + (f" ({without_secrets(reason)})" if reason else ""),
            "" if profit is None else f"{profit / WAD:,.2f}",
        )
    return table
