"""``sluice what-if``: what a sudden move of prices would do to the book at the head."""

import json
from typing import Annotated, Any

import typer
from eth_utils.address import to_checksum_address
from rich.console import Console
from rich.table import Table

from bot.bootstrap import read_snapshot
from bot.cli.boundary import run
from bot.cli.options import ConfigFile, questioned
from bot.cli.tables import table_of
from bot.domain.wad import BPS, WAD
from bot.ports import Head
from bot.strategy.shock import parse_shocks
from bot.strategy.snapshot import Asset
from bot.strategy.stress import Fallen, PairSale, StressReport, stress

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def what_if(
    shock: Annotated[
        list[str],
        typer.Option(metavar="SYMBOL=CHANGE", help="As in ETH=-20%, or ETH=0.8; may be given for several."),
    ],
    config: ConfigFile = None,
    accounts: Annotated[int, typer.Option(min=1, help="Fallen accounts to list.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Let prices move at once: who falls, what must be sold where, what the pools pay, what stays unpaid.

    Reads the chain, changes nothing. Pools move with the prices and keep their positions; each fallen account
    is sized to its target health at the oracle price, and all of it is sold through the pools at once.
    """
    settings = questioned(config)
    head, snapshot = run(read_snapshot(settings))
    slippage = settings.strategy.max_slippage_bps / BPS
    report = stress(snapshot, parse_shocks(shock, snapshot.assets), slippage)
    if as_json:
        typer.echo(json.dumps(as_plain(head, report, slippage), indent=2, allow_nan=False))
        return
    console = Console(highlight=False)
    console.print(_headline(head, report))
    if report.fallen:
        console.print("", _who(report, accounts), "", _where(report, slippage), "", _unpaid(report), sep="\n")


# ------------------------------------------------------------------------------------ json


def as_plain(head: Head, report: StressReport, slippage: float) -> dict[str, Any]:
    """Return a report as JSON: values in quote units, amounts in whole tokens, shares as fractions.

    Parameters
    ----------
    head : Head
        What it was read at.
    report : StressReport
        The report.
    slippage : float
        What measured the depth.
    """
    assets = report.after.assets
    return {
        "block": head.number,
        "prices": {
            now.symbol: {"before": _price(was), "after": _price(now)}
            for was, now in zip(report.before.assets, assets, strict=True)
        },
        "accounts": len(report.after.positions.accounts),
        "unpriced": report.unpriced,
        "below_before": {"accounts": report.below_before, "debt": report.debt_before / WAD},
        "below_after": {"accounts": len(report.fallen), "debt": report.debt / WAD},
        "max_slippage": slippage,
        "sales": [_sale_plain(sale, assets) for sale in report.sales],
        "shortfall_before_sales": report.shortfall / WAD,
        "bad_debt": report.bad_debt / WAD,
        "fallen": [_fallen_plain(fallen, assets) for fallen in report.fallen],
    }


def _price(asset: Asset) -> float | None:
    return None if asset.price is None else asset.price / WAD


def _tokens(asset: Asset, units: int) -> float:
    return units / asset.unit


def _amount(tokens: float) -> str:
    return f"{tokens:,.0f}" if tokens >= 1_000 else f"{tokens:.4g}"


def _sale_plain(pair_sale: PairSale, assets: tuple[Asset, ...]) -> dict[str, Any]:
    collateral, debt = (assets[asset_id] for asset_id in pair_sale.pair)
    return {
        "collateral": collateral.symbol,
        "debt": debt.symbol,
        "accounts": pair_sale.accounts,
        "to_sell": _tokens(collateral, pair_sale.wanted),
        "value": pair_sale.value / WAD,
        "repays_value": pair_sale.repaid_value / WAD,
        "pools": pair_sale.pools,
        "depth": _tokens(collateral, pair_sale.depth),
        "times_depth": pair_sale.load,
        "sold": _tokens(collateral, pair_sale.sale.sold),
        "proceeds": _tokens(debt, pair_sale.sale.proceeds),
        "lost_to_slippage": pair_sale.loss,
        "pool_price_move": pair_sale.sale.price_move,
    }


def _fallen_plain(fallen: Fallen, assets: tuple[Asset, ...]) -> dict[str, Any]:
    return {
        "account": to_checksum_address(fallen.account),
        "health": fallen.balance.health_factor / WAD,
        "collateral_value": fallen.balance.collateral_value / WAD,
        "debt_value": fallen.balance.debt_value / WAD,
        "was_below": fallen.was_below,
        "bad_debt": fallen.bad_debt / WAD,
        "sells": [
            {
                "collateral": assets[slice_.pair[0]].symbol,
                "debt": assets[slice_.pair[1]].symbol,
                "amount": _tokens(assets[slice_.pair[0]], slice_.seized),
            }
            for slice_ in fallen.slices
        ],
    }


# ---------------------------------------------------------------------------------- tables


def _headline(head: Head, report: StressReport) -> str:
    moves = ", ".join(
        f"{now.symbol} {_price(was):,.2f} to {_price(now):,.2f}"
        for was, now in zip(report.before.assets, report.after.assets, strict=True)
        if was.price != now.price
    )
    total = len(report.after.positions.accounts)
    text = (
        f"block {head.number}, {moves or 'no price moves'}\n"
        f"[bold]{len(report.fallen)} of {total} accounts[/bold] below 1 with a debt of "
        f"[bold]{report.debt / WAD:,.0f}[/bold]; "
        f"before, {report.below_before} with {report.debt_before / WAD:,.0f}"
    )
    return text + (f"\n{report.unpriced} accounts left out: no price" if report.unpriced else "")


def _who(report: StressReport, count: int) -> Table:
    more = len(report.fallen) - count
    title = "Who falls" + (f" (the lowest {count}; {more} more)" if more > 0 else "")
    if report.below_before:
        title += "; * below 1 before, too"
    table = table_of(title, "account", "health", "collateral", "debt", "bad debt")
    for fallen in report.fallen[:count]:
        table.add_row(
            str(to_checksum_address(fallen.account)),
            f"{fallen.balance.health_factor / WAD:.4f}{'*' if fallen.was_below else ''}",
            f"{fallen.balance.collateral_value / WAD:,.0f}",
            f"{fallen.balance.debt_value / WAD:,.0f}",
            f"{fallen.bad_debt / WAD:,.0f}" if fallen.bad_debt else "",
        )
    return table


def _where(report: StressReport, slippage: float) -> Table:
    table = table_of(
        "What must be sold where",
        "sell",
        "for debt",
        "accounts",
        "amount",
        "value",
        f"of depth at {slippage:.1%}",
        "lost, fee included",
        "pool price",
    )
    for found in report.sales:
        collateral, debt = (report.after.assets[asset_id] for asset_id in found.pair)
        table.add_row(
            collateral.symbol,
            debt.symbol,
            str(found.accounts),
            _amount(_tokens(collateral, found.wanted)),
            f"{found.value / WAD:,.0f}",
            *_impact(found),
        )
    return table


def _impact(found: PairSale) -> tuple[str, str, str]:
    if not found.pools:
        return "no pool", "", ""
    load = "no depth" if found.load is None else f"{found.load:.2f} x"
    if not found.sale.sold or found.loss is None:
        return load, "none sold", ""
    part = "" if found.sale.sold == found.wanted else f", {found.sale.sold / found.wanted:.0%} sold"
    return load, f"{found.loss:.2%}{part}", f"{found.sale.price_move:+.2%}"


def _unpaid(report: StressReport) -> str:
    style = "red" if report.bad_debt else "green"
    return (
        f"[{style}]bad debt {report.bad_debt / WAD:,.0f}[/{style}] if all is sold at once, of which "
        f"{report.shortfall / WAD:,.0f} is debt beyond collateral at the shocked prices already"
    )
