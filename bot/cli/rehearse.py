"""``sluice keeper rehearse``: what would fail, and why, before a key is risked."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from bot.bootstrap import strategy_limits
from bot.cli.boundary import run
from bot.cli.options import ConfigFile
from bot.config import Settings, load_settings
from bot.domain.wad import WAD
from bot.ops.logs import configure_logs
from bot.rehearsal import Programme, Rehearsed, rehearse


def register(app: typer.Typer) -> None:
    """Add the command to ``sluice keeper``."""
    app.command(name="rehearse")(rehearse_)


def rehearse_(
    config: ConfigFile = None,
    accounts: Annotated[
        int | None,
        typer.Option(min=1, help="Accounts at most, nearest to liquidation first; all if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Act out every account's liquidation on a local fork, with the keeper's own code; sign nothing.

    Each account in debt is pushed below health 1 on the fork by lower liquidation thresholds. The keeper then
    decides, simulates and sends, block by block, until the account is settled or something stands in the way.
    No key is needed and nothing reaches the chain; the fork's node is given the endpoint's URL on its command
    line, which other users of this machine can see.

    Example: [bold]sluice keeper rehearse --accounts 50[/bold]
    """
    settings = load_settings(config)
    configure_logs(settings.log.format, "error", settings.secrets())
    found = _played(settings, accounts)
    if as_json:
        typer.echo(json.dumps(_plain(found), indent=1))
    else:
        _show(found)
    if found.failures or found.warnings:
        raise typer.Exit(1)


def _played(settings: Settings, accounts: int | None) -> Programme:
    limits = strategy_limits(settings.strategy, settings.fees.policy().tip)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rehearsing", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return run(rehearse(settings, limits, accounts, progress))


def _show(found: Programme) -> None:
    console = Console(highlight=False)
    counts = Counter(account.verdict.value for account in found.accounts)
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()) or "none in debt"
    console.print(f"block {found.block}, as {found.sender}: {len(found.accounts)} accounts, {summary}")
    for warning in found.warnings:
        console.print(f"[red]every account:[/red] {warning}")
    if found.failures:
        console.print("\nNot settled")
        for account in found.failures:
            for line in _lines(account):
                console.print(line)
        console.print("\nWhy, and how often", _causes(found.failures), sep="\n")


def _lines(account: Rehearsed) -> Iterator[RenderableType]:
    """Say of an account, in lines that fit 80 columns, what became of it, and why."""
    yield Text(f"{account.account}  {account.verdict.value}", overflow="fold")
    did = f", did {', '.join(account.actions)}" if account.actions else ""
    numbers = f"health {account.health:.4f}, debt {account.debt_value / WAD:,.0f}{did}"
    for said in (numbers, *account.reasons):
        yield Padding.indent(Text(said, overflow="fold"), 4)


def _causes(accounts: list[Rehearsed]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", min_width=6)
    table.add_column(overflow="fold")
    for reason, count in Counter(reason for account in accounts for reason in account.reasons).most_common():
        table.add_row(str(count), Text(reason))
    return table


def _plain(found: Programme) -> dict[str, object]:
    return {
        "block": found.block,
        "sender": found.sender,
        "warnings": found.warnings,
        "accounts": [
            {
                "account": account.account,
                "health": account.health if account.health == account.health else None,
                "debt_value": account.debt_value / WAD,
                "verdict": account.verdict.value,
                "actions": account.actions,
                "reasons": account.reasons,
                "profit": account.profit / WAD,
                "gas": account.gas,
            }
            for account in found.accounts
        ],
    }
