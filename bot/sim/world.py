"""Everything a replay is played on: node, deployment, pools with liquidity, and an open book."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eth_utils.address import to_checksum_address

from bot.errors import SetupError
from bot.protocols.sluice.manifest import Manifest
from bot.sim.abi import call_data
from bot.sim.anvil import Anvil
from bot.sim.book import AssetTerms, Book
from bot.sim.book_file import read_book
from bot.sim.deployment import deploy
from bot.sim.generator import WAD, generate_book
from bot.sim.market import PoolMarket, fill_purse, make_pool, open_pool
from bot.sim.path import PricePath
from bot.sim.seeding import Lending, read_lending, seed_book
from bot.sim.sender import NodeSender
from bot.sim.settings import Settings
from bot.sim.variants import arrange

LEAD_S = 1_800
"""Block time before the window in which everything is set up; a feed's answer must not grow stale in it."""

KEEPER_ETH = 1_000 * WAD

LISTED_DECIMALS = {"WETH": 18, "WBTC": 8, "USDC": 6}
"""Decimals of what the deploy script lists, so that a book can be checked before anything is started."""

STABLE_USD = 1.0
"""Market price of the quote token throughout."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Accounts that the node signs for.

    Parameters
    ----------
    publisher : str
        Deployed everything; publishes prices.
    seeder : str
        Opened the book; lends to the pool.
    trader : str
        The arbitrageur.
    providers : sequence of str
        One for each pool.
    """

    publisher: str
    seeder: str
    trader: str
    providers: Sequence[str]


@dataclass(frozen=True, slots=True)
class World:
    """A stage that is set.

    Parameters
    ----------
    anvil : Anvil
        The node; from here on it mines only on request.
    manifest : Manifest
        What is deployed, and the file that says so.
    manifest_path : Path
        That file.
    roles : Roles
        Who sends.
    terms : sequence of AssetTerms
        By rising asset id.
    book : Book
        As it was opened.
    accounts : sequence of str
        Addresses of the book's accounts.
    pools : sequence of PoolMarket
        In the manifest's order.
    """

    anvil: Anvil
    manifest: Manifest
    manifest_path: Path
    roles: Roles
    terms: Sequence[AssetTerms]
    book: Book
    accounts: Sequence[str]
    pools: Sequence[PoolMarket]

    def market(self, eth: float, btc: float) -> tuple[float, ...]:
        """Return the market's prices by asset id, US dollars."""
        by_symbol = {"WETH": eth, "WBTC": btc, "USDC": STABLE_USD}
        return tuple(by_symbol[terms.symbol] for terms in self.terms)


def node_timestamp(settings: Settings) -> int:
    """Return the genesis time that leaves room for setting up before the window."""
    return settings.scenario.start - LEAD_S


def set_up(anvil: Anvil, settings: Settings, path: PricePath, keeper: str, folder: Path) -> World:
    """Deploy, provide liquidity and open the book.

    Every block of it has a fixed time, so the chain that is played on depends on the settings alone.

    Parameters
    ----------
    anvil : Anvil
        A fresh node that mines each transaction at once.
    settings : Settings
        The replay.
    path : PricePath
        Its first prices are those of feeds and pools.
    keeper : str
        The keeper's address; it is given ETH for gas.
    folder : Path
        For the manifest.

    Raises
    ------
    SetupError
        If anything of it fails.
    BookFileError
        If the book's file cannot be used.
    """
    rpc = anvil.rpc
    eth, btc = path.at(settings.scenario.start)
    rpc.call("anvil_setBlockTimestampInterval", 1)
    manifest, manifest_path = deploy(anvil, {"WETH": eth, "WBTC": btc, "USDC": STABLE_USD}, keeper, folder)
    rpc.call("anvil_removeBlockTimestampInterval")
    rpc.call("evm_setAutomine", False)
    rpc.call("anvil_setBalance", keeper, hex(KEEPER_ETH))
    roles = _roles([to_checksum_address(account) for account in rpc.call("eth_accounts")], manifest)
    manifest = arrange(settings.variant, NodeSender(rpc, roles.publisher), manifest)
    seeder = NodeSender(rpc, roles.seeder)
    lending = read_lending(seeder, manifest)
    book = _book(settings, lending)
    pools = _pools(anvil, manifest, roles, book, lending, settings)
    accounts = seed_book(seeder, lending, book, settings.seed)
    _check_clock(anvil, settings)
    terms = [lending.terms[asset.symbol] for asset in manifest.assets]
    return World(anvil, manifest, manifest_path, roles, terms, book, accounts, pools)


def _roles(accounts: Sequence[str], manifest: Manifest) -> Roles:
    publisher, seeder, trader, *others = accounts
    return Roles(publisher, seeder, trader, others[: len(manifest.pools)])


def _book(settings: Settings, lending: Lending) -> Book:
    if settings.book is not None:
        return read_book(settings.book, lending.terms, lending.smallest_borrow_wad)
    return generate_book(settings.accounts, settings.seed, lending.terms, lending.smallest_borrow_wad)


def _pools(
    anvil: Anvil, manifest: Manifest, roles: Roles, book: Book, lending: Lending, settings: Settings
) -> list[PoolMarket]:
    """Provide every pool's liquidity and give the arbitrageur what it trades with."""
    depth = settings.pool_depth * book.debt_value(lending.terms) / WAD
    trader = NodeSender(anvil.rpc, roles.trader)
    pools = []
    for listed, provider in zip(manifest.pools, roles.providers, strict=True):
        price = lending.terms[listed.base].price_wad / lending.terms[listed.quote].price_wad
        pool = make_pool(manifest, listed, provider, price, depth)
        open_pool(NodeSender(anvil.rpc, provider), pool)
        fill_purse(trader, pool, pool.swap_router)
        pools.append(pool)
    return pools


def _check_clock(anvil: Anvil, settings: Settings) -> None:
    """Check that the set-up ended before the window begins."""
    now = int(anvil.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    if now >= settings.scenario.start:
        late = now - settings.scenario.start
        problem = f"the set-up took {LEAD_S + late} s of block time, {LEAD_S} s are reserved"
        raise SetupError(f"{problem}; use a smaller book (--accounts)")


def nonces(anvil: Anvil, accounts: Sequence[str]) -> dict[str, int]:
    """Return the next nonce of each account."""
    counts = anvil.rpc.batch([("eth_getTransactionCount", [account, "latest"]) for account in accounts])
    return {account: int(count, 16) for account, count in zip(accounts, counts, strict=True)}


def read_rounds(anvil: Anvil, manifest: Manifest) -> list[tuple[int, int]]:
    """Return answer and time of each feed's last round, by asset id."""
    sender = NodeSender(anvil.rpc, manifest.clearing_house)
    rounds = []
    for asset in manifest.assets:
        words = sender.call(asset.feed, call_data("latestRoundData()"))
        rounds.append((int.from_bytes(words[32:64]), int.from_bytes(words[96:128])))
    return rounds
