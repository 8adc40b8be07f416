"""Opens a book of accounts on a deployment: ``ape run seed --network http://127.0.0.1:8545``.

The book is drawn from a seed, or read from a CSV file with ``--book``. Each account signs for itself; one
ape account pays, lends what the book borrows, and provides the pools' liquidity as a replay does.
"""

import sys
from pathlib import Path

import click
from ape import accounts
from ape.api import AccountAPI
from ape.exceptions import ContractLogicError
from ape.utils import ManagerAccessMixin
from eth_utils import to_hex

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bot.errors import SetupError, SluiceError
from bot.protocols.sluice.manifest import Manifest, load_manifest
from bot.sim.book import Book, Terms
from bot.sim.book_file import read_book
from bot.sim.generator import generate_book
from bot.sim.market import make_pool, open_pool
from bot.sim.seeding import Lending, read_lending, seed_book
from bot.sim.settings import POOL_DEPTH
from scripts.deployment.command import NetworkCommand

WAD = 10**18
_HINT = "was this seed used on this chain before? Try another --seed"

GAS_MARGIN = 1.25
"""Over the estimate, which is made on the state before interest of the next block accrues."""


class ApeSender(ManagerAccessMixin):
    """Sends the laboratory's transactions from an ape account.

    Parameters
    ----------
    account : AccountAPI
        Pays, and lends to the pools.
    """

    def __init__(self, account: AccountAPI) -> None:
        self._account = account

    @property
    def address(self) -> str:
        """Checksummed address that pays."""
        return str(self._account.address)

    def call(self, to: str, data: bytes) -> bytes:
        """Return what a call gives at the latest block."""
        transaction = self.network_manager.ecosystem.create_transaction(receiver=to, data=data)
        return bytes(self.provider.send_call(transaction))

    def send(self, to: str, data: bytes) -> None:
        """Send a transaction and wait until it is mined.

        Raises
        ------
        SetupError
            If it reverts.
        """
        transaction = self.network_manager.ecosystem.create_transaction(
            sender=self.address, receiver=to, data=data
        )
        try:
            transaction.gas_limit = int(self.provider.estimate_gas_cost(transaction) * GAS_MARGIN)
        except ContractLogicError as error:
            raise SetupError(f"a transaction to {to} would revert ({error}); {_HINT}") from error
        signed = self._account.sign_transaction(self._account.prepare_transaction(transaction))
        if signed is None:
            raise SetupError("the account signs nothing; choose another with --account")
        # Not by `account.call`, which has each transaction traced: gigabytes for one of these on Hardhat.
        sent = self.provider.make_request("eth_sendRawTransaction", [to_hex(signed.serialize_transaction())])
        if self.provider.get_receipt(sent, required_confirmations=0).failed:
            raise SetupError(f"the transaction {sent} to {to} reverted; {_HINT}")


def open_book(path: Path | None, count: int, seed: int, terms: Terms, smallest_borrow_wad: int) -> Book:
    """Return the book of a file, or one drawn from the seed."""
    if path is not None:
        return read_book(path, terms, smallest_borrow_wad)
    return generate_book(count, seed, terms, smallest_borrow_wad)


def provide(sender: ApeSender, deployed: Manifest, lending: Lending, depth: float) -> None:
    """Provide each pool's liquidity, so that selling over 2 % of its price brings ``depth`` quote units."""
    for listed in deployed.pools if depth else ():
        price = lending.terms[listed.base].price_wad / lending.terms[listed.quote].price_wad
        open_pool(sender, make_pool(deployed, listed, sender.address, price, depth))


@click.command(cls=NetworkCommand, short_help="Open a book of accounts")
@click.option("--account", "alias", help="ape account that pays and lends [default: the first test account]")
@click.option(
    "--manifest", type=click.Path(path_type=Path, dir_okay=False), help="[default: deployments/CHAIN_ID.json]"
)
@click.option("--book", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="accounts, as CSV")
@click.option("--accounts", "count", default=200, show_default=True, help="how many to draw without --book")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--pool-depth",
    default=POOL_DEPTH,
    show_default=True,
    type=click.FloatRange(min=0.0),
    help="what selling over 2 % of a pool's price brings, over the book's debt; 0 provides none",
)
def cli(
    alias: str | None, manifest: Path | None, book: Path | None, count: int, seed: int, pool_depth: float
) -> None:
    """Open a book of accounts, drawn from a seed or read from a CSV file, on a deployment."""
    sender = ApeSender(accounts.test_accounts[0] if alias is None else accounts.load(alias))
    chain_id = int(sender.provider.chain_id)
    try:
        deployed = load_manifest(manifest or Path("deployments") / f"{chain_id}.json", chain_id)
        lending = read_lending(sender, deployed)
        wanted = open_book(book, count, seed, lending.terms, lending.smallest_borrow_wad)
        addresses = seed_book(sender, lending, wanted, seed)
        provide(sender, deployed, lending, pool_depth * wanted.debt_value(lending.terms) / WAD)
    except SluiceError as error:
        raise click.ClickException(str(error)) from error
    debt = wanted.debt_value(lending.terms) / WAD
    click.echo(f"opened {len(addresses)} accounts owing {debt:,.0f} USD on chain {chain_id}")
