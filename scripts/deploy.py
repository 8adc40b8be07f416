"""Deploys Sluice, the demo's tokens and feeds, and Uniswap V3 to the chosen network.

``ape run deploy --network http://127.0.0.1:8545`` writes ``deployments/CHAIN_ID.json``, the manifest that the
keeper and the replay read.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import click
from ape import accounts
from ape.api import AccountAPI

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.deployment.address_book import AddressBook, AddressBookError
from scripts.deployment.ape_deployer import ApeDeployer
from scripts.deployment.command import NetworkCommand
from scripts.deployment.config import DeploymentConfig, ProtectionConfig, SecondSourceConfig, operators_of
from scripts.deployment.plan import deploy_everything
from scripts.deployment.writing import check_writable, write_whole

DEFAULT_FOLDER: Final = Path("deployments")

ResultT = TypeVar("ResultT")


def usable(option: str, made: Callable[[], ResultT]) -> ResultT:
    """Return what is made of an option; a ValueError names the option."""
    try:
        return made()
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def sender(alias: str | None) -> AccountAPI:
    """Return the account that pays: an ape account by alias, or the first test account."""
    if alias is None:
        return accounts.test_accounts[0]
    if alias not in accounts.aliases:
        raise click.BadParameter(
            f"no ape account {alias!r}; 'ape accounts list' shows them", param_hint="--account"
        )
    return accounts.load(alias)


def priced(config: DeploymentConfig, prices: tuple[str, ...]) -> DeploymentConfig:
    """Return the configuration with other starting prices, each given as ``SYMBOL=USD``."""
    wanted: dict[str, float] = {}
    symbols = [asset.symbol for asset in config.assets]
    for text in prices:
        symbol, _, value = text.partition("=")
        if symbol not in symbols:
            raise click.BadParameter(
                f"{text!r}: known symbols are {', '.join(symbols)}", param_hint="--price"
            )
        try:
            wanted[symbol] = float(value)
        except ValueError:
            raise click.BadParameter(f"{text!r} is not SYMBOL=USD", param_hint="--price") from None
        if not 0 < wanted[symbol] < 10**9:
            raise click.BadParameter(f"{text!r} must be above 0 and below 10^9", param_hint="--price")
    assets = tuple(replace(asset, price=wanted.get(asset.symbol, asset.price)) for asset in config.assets)
    return replace(config, assets=assets)


@click.command(cls=NetworkCommand, short_help="Deploy Sluice and write a manifest")
@click.option(
    "--account", "alias", help="ape account that pays and administers [default: the first test account]"
)
@click.option("--price", "prices", multiple=True, metavar="SYMBOL=USD", help="starting price of an asset")
@click.option(
    "--taker-operator",
    "operators",
    multiple=True,
    metavar="ADDRESS",
    help="keeper that may use the flash taker",
)
@click.option("--second-sources", is_flag=True, help="a second feed must confirm each price, within 2 %")
@click.option(
    "--sequencer-grace",
    type=click.IntRange(0, 86_400),
    metavar="SECONDS",
    help="the chain has a sequencer: give no price for so long after its outages [usual: 3600]",
)
@click.option("--protection", is_flag=True, help="deploy early deleveraging for owners who ask for it, too")
@click.option(
    "--address-book",
    "address_book",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file of tokens, feeds and Uniswap V3 that are there already [default: deploy them]",
)
@click.option(
    "--manifest", type=click.Path(path_type=Path, dir_okay=False), help="[default: deployments/CHAIN_ID.json]"
)
def cli(
    alias: str | None,
    prices: tuple[str, ...],
    operators: tuple[str, ...],
    second_sources: bool,
    sequencer_grace: int | None,
    protection: bool,
    address_book: Path | None,
    manifest: Path | None,
) -> None:
    """Deploy Sluice, tokens, feeds and Uniswap V3, and write the manifest that the keeper reads."""
    config = replace(
        priced(DeploymentConfig(), prices),
        taker_operators=usable("--taker-operator", lambda: operators_of(operators)),
        second_sources=SecondSourceConfig() if second_sources else None,
        sequencer_grace=sequencer_grace,
        protection=ProtectionConfig() if protection else None,
    )
    usable("--manifest", lambda: check_writable(manifest or DEFAULT_FOLDER / "new.json"))
    deployer = ApeDeployer(sender(alias))
    try:
        book = AddressBook.read(address_book) if address_book else None
        deployed = deploy_everything(deployer, config, book=book)
    except AddressBookError as error:
        raise click.ClickException(str(error)) from None
    path = manifest or DEFAULT_FOLDER / f"{deployed['chain_id']}.json"
    write_whole(path, deployed)
    click.echo(f"deployed at block {deployed['block']} of chain {deployed['chain_id']}; manifest: {path}")
