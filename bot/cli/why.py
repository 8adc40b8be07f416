"""``sluice why``: one decision of the keeper, from its ledger, in words."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.bootstrap import asset_names, read_decision
from bot.cli.boundary import run
from bot.cli.options import ConfigFile, questioned
from bot.cli.tables import table_of
from bot.domain.wad import WAD
from bot.errors import InvalidInputError
from bot.ops.logs import without_secrets
from bot.ports import DecisionEntry, ExplainedDecision, Transaction
from bot.sections import checked_address
from bot.strategy.explain import AssetName, Line, Option, Teller, money

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

GWEI = 10**9
ETHER = 10**18


@app.command()
def why(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Address of the account.")],
    block: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Block of the decision; otherwise the last one.")
    ] = None,
    config: ConfigFile = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A ledger other than that of the settings.")
    ] = None,
) -> None:
    """Tell why the keeper did to an account what it did, or nothing.

    From the ledger alone: what was known, every candidate with what it would have brought and cost, the
    choice and why each other candidate lost, and what became of the transaction. Symbols come from the
    manifest of the settings; without it, assets are shown by their ids.
    """
    settings = questioned(config)
    found = run(read_decision(ledger or settings.ledger.place(), checksummed(account), block))
    show(Console(highlight=False), found, asset_names(settings), settings.strategy.gas_asset)


def checksummed(account: str) -> str:
    """Return an address as the ledger writes it.

    Raises
    ------
    InvalidInputError
        If the text is no address, or one whose checksum does not fit.
    """
    try:
        return checked_address(account)
    except ValueError as error:
        fault = str(error).removeprefix("must be ")
        raise InvalidInputError("ACCOUNT", account, fault) from None


def show(console: Console, found: ExplainedDecision, names: dict[int, AssetName], gas_asset: str) -> None:
    """Print a decision.

    Parameters
    ----------
    console : Console
        Where to.
    found : ExplainedDecision
        The decision.
    names : dict of int to AssetName
        What people call the assets; may be empty.
    gas_asset : str
        Symbol of the asset that gas is paid in, to value it where the decision knew its price.
    """
    entry = found.record.decision
    teller = Teller(entry.inputs, entry.chosen, entry.rejected, names)
    console.print(_headline(found), "")
    console.print(_lines("What was known", teller.account()), "", _assets(teller), "", sep="\n")
    options = teller.options()
    console.print(_options(options), "", *_verdicts(options), _summary(entry), sep="\n")
    if not found.transactions and entry.chosen is not None:
        console.print("No transaction was recorded: the keeper ended before it planned one.")
    for transaction in found.transactions:
        console.print(_lines("What became of it", outcome(transaction, teller.price(gas_asset), gas_asset)))


def _headline(found: ExplainedDecision) -> str:
    record = found.record
    text = f"[bold]{record.decision.account}[/bold] at block {record.block_number} ({record.block_hash})"
    if found.canonical is False:
        text += "\n[yellow]a reorg has undone this block[/yellow]"
    elif found.canonical is None:
        text += "\n[yellow]the keeper ended before it was done with this block[/yellow]"
    return text


def _lines(title: str, lines: list[Line]) -> Table:
    table = table_of(title, "what", "value", left={"value"}, header=False)
    for line in lines:
        table.add_row(*line)
    return table


def _assets(teller: Teller) -> Table:
    table = table_of("Holdings and prices", "asset", "holds", "owes", "oracle price", "reserve")
    for row in teller.assets():
        table.add_row(*row)
    return table


def _options(options: list[Option]) -> Table:
    columns = ("", "candidate", "earns", "gas", "net")
    table = table_of("Candidates, in quote units", *columns, left={"candidate"})
    for index, option in enumerate(options, 1):
        style = "green" if option.chosen else None
        table.add_row(str(index), option.action, option.revenue, option.gas, option.net, style=style)
    return table


def _verdicts(options: list[Option]) -> list[str]:
    lines = []
    for index, option in enumerate(options, 1):
        details = "; ".join(f"{line.name} {line.figure}" for line in option.details)
        lines.append(f"{index}. {option.verdict}" + (f" [dim]({details})[/dim]" if details else ""))
    return lines


def _summary(entry: DecisionEntry) -> str:
    if entry.chosen is not None:
        return ""
    return "[bold]The keeper waited[/bold]: no candidate was good enough; it looks again on every block."


def outcome(transaction: Transaction, gas_asset_price: int | None, gas_asset: str) -> list[Line]:
    """Return what became of a transaction.

    Parameters
    ----------
    transaction : Transaction
        Of the ledger.
    gas_asset_price : int or None
        WAD quote units per whole token that gas is paid in; None if it is not known.
    gas_asset : str
        That token's symbol.
    """
    lines = [Line("outcome", transaction.outcome.value)]
    if transaction.reason:
        lines.append(Line("reason", without_secrets(transaction.reason)))
    if transaction.signed is not None:
        lines.append(Line("transaction", f"{transaction.signed.hash}, nonce {transaction.signed.nonce}"))
    if transaction.block_number is not None:
        lines.append(Line("block", str(transaction.block_number)))
    lines.append(Line("expected profit after gas", money(transaction.intent.expected_profit)))
    return lines + _realised(transaction, gas_asset_price, gas_asset)


def _realised(transaction: Transaction, gas_asset_price: int | None, gas_asset: str) -> list[Line]:
    used, price, profit = transaction.gas_used, transaction.effective_gas_price, transaction.realised_profit
    lines, fee = [], None
    if used is not None and price is not None:
        fee = None if gas_asset_price is None else used * price * gas_asset_price // WAD
        value = "" if fee is None else f" = {money(fee)}"
        cost = f"{used * price / ETHER:.6f} {gas_asset.removeprefix('W')}{value}"
        lines.append(Line("gas", f"{used:,} at {price / GWEI:,.3f} gwei: {cost}"))
    if profit is not None:
        lines.append(Line("realised profit before gas", money(profit)))
        if fee is not None:
            lines.append(Line("realised profit after gas", money(profit - fee)))
    return lines
