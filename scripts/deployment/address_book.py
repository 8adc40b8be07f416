"""Tokens, feeds and markets that are there already: what a fork or a public network deploys nothing of."""

from pathlib import Path
from typing import Annotated, Any

from eth_utils.address import to_checksum_address
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from scripts.deployment.artifacts import Artifacts
from scripts.deployment.config import DeploymentConfig, PoolConfig
from scripts.deployment.deployer import Deployer
from scripts.deployment.uniswap import FACTORY, POOL, ZERO_ADDRESS

_CARDINALITY_NEXT = 4
"""Place of ``observationCardinalityNext`` in ``slot0``."""


class AddressBookError(ValueError):
    """An address book cannot be used; the message names the entry and what it should be."""


def _address(value: str) -> str:
    if len(value) != 42 or not value.startswith("0x"):
        raise ValueError("an address is 0x and 40 hex digits")
    bytes.fromhex(value[2:])
    return str(to_checksum_address(value))


AddressText = Annotated[str, AfterValidator(_address)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UniswapAddresses(_Part):
    """Where Uniswap V3 is; pools are found through its factory."""

    factory: AddressText
    position_manager: AddressText
    swap_router: AddressText
    quoter: AddressText


class AddressBook(_Part):
    """What a network has already.

    Parameters
    ----------
    tokens, feeds : mapping of str to address
        By symbol, the same symbols in both; feeds answer in US dollars.
    second_feeds : mapping of str to address
        By symbol, of feeds that must confirm the first; all that are listed, or none.
    sequencer : address or None
        The uptime feed of the chain's sequencer.
    uniswap_v3 : UniswapAddresses
        Where the pools are.
    """

    tokens: dict[str, AddressText]
    feeds: dict[str, AddressText]
    second_feeds: dict[str, AddressText] = Field(default_factory=dict)
    sequencer: AddressText | None = None
    uniswap_v3: UniswapAddresses

    @model_validator(mode="after")
    def _same_symbols(self) -> "AddressBook":
        if odd := sorted(self.tokens.keys() ^ self.feeds.keys()):
            raise ValueError(f"{', '.join(odd)} must have both a token and a feed")
        return self

    @classmethod
    def read(cls, path: Path) -> "AddressBook":
        """Read a JSON file.

        Raises
        ------
        AddressBookError
            If it is missing, or an entry is not what it should be.
        """
        try:
            return cls.model_validate_json(path.read_text())
        except OSError as error:
            raise AddressBookError(f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise AddressBookError(f"{path} is not text: it must be a JSON file") from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise AddressBookError(f"{path}: {place}: {first['msg']} (got {first['input']!r:.80})") from None


def check_contracts(
    deployer: Deployer, artifacts: Artifacts, config: DeploymentConfig, book: AddressBook
) -> None:
    """Make sure that each asset's token and feeds are there and count as the configuration does.

    Raises
    ------
    AddressBookError
        With the first that is not.
    """
    _check_choices(config, book)
    if book.sequencer is not None:
        _check_code(deployer, "the sequencer's uptime feed", book.sequencer)
    token, feed = artifacts.own("FaucetToken"), artifacts.own("MockAggregator")
    for asset in config.assets:
        if asset.symbol not in book.tokens:
            raise AddressBookError(f"{asset.symbol} is to be listed and has no address")
        wanted = (
            ("token", book.tokens[asset.symbol], token, asset.decimals),
            ("feed", book.feeds[asset.symbol], feed, config.feed_decimals),
        )
        if asset.symbol in book.second_feeds:
            _check_code(deployer, f"the second feed of {asset.symbol}", book.second_feeds[asset.symbol])
        for kind, address, artifact, decimals in wanted:
            _check_code(deployer, f"the {kind} of {asset.symbol}", address)
            found = int(deployer.call(address, artifact, "decimals"))
            if found != decimals:
                problem = f"has {found} decimals, the configuration says {decimals}"
                raise AddressBookError(f"the {kind} of {asset.symbol}, {address}, {problem}")


def _check_choices(config: DeploymentConfig, book: AddressBook) -> None:
    """Hold what the book names beside the pairs of token and feed against what was asked for."""
    missing = [asset.symbol for asset in config.assets if asset.symbol not in book.second_feeds]
    if config.second_sources is not None and missing:
        raise AddressBookError(f"{missing[0]} has no second feed; add it to second_feeds")
    if config.second_sources is None and book.second_feeds:
        raise AddressBookError(
            "second_feeds are named and not asked for; ask for second sources, or take them out"
        )
    if config.sequencer_grace is not None and book.sequencer is None:
        raise AddressBookError("the sequencer's uptime feed is not named; add it as sequencer")
    if config.sequencer_grace is None and book.sequencer is not None:
        raise AddressBookError("a sequencer is named and no grace given; give one, or take the sequencer out")


def _check_code(deployer: Deployer, what: str, address: str) -> None:
    if not deployer.code(address):
        raise AddressBookError(f"{what}, {address}, is no contract here")


def find_pool(
    deployer: Deployer, artifacts: Artifacts, book: AddressBook, pool: PoolConfig, cardinality: int
) -> str:
    """Return the address of a pool, grown to as many observations as the mechanism looks back on.

    Raises
    ------
    AddressBookError
        If there is no such pool, or it has no price.
    """
    pair = (book.tokens[pool.base], book.tokens[pool.quote])
    factory = book.uniswap_v3.factory
    address = str(deployer.call(factory, artifacts.npm(FACTORY), "getPool", *pair, pool.fee_pips))
    if address == ZERO_ADDRESS:
        raise AddressBookError(
            f"{factory} has no pool of {pool.base} and {pool.quote} at {pool.fee_pips} pips"
        )
    market = artifacts.npm(POOL)
    state: Any = deployer.call(address, market, "slot0")
    if state[0] == 0:
        raise AddressBookError(f"the pool of {pool.base} and {pool.quote}, {address}, has no price")
    if state[_CARDINALITY_NEXT] < cardinality:
        deployer.send(address, market, "increaseObservationCardinalityNext", cardinality)
    return address
