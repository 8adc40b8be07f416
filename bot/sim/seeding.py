"""Opening a book on chain.

Each account is a key derived from the seed and the account's name. It signs one message, ``SetOperator`` of
the clearing house, that lets the seeder act for it; the seeder then deposits and borrows for many accounts in
one multicall. Loans are paid out to the accounts themselves. What they borrow is lent to the pool before.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eth_account import Account as Keys
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from bot.protocols.decoding import decode
from bot.protocols.sluice.manifest import Manifest
from bot.sim.abi import call_data
from bot.sim.book import Account, AssetTerms, Book, Terms
from bot.sim.sender import Sender

UTILISATION = 0.75
"""Of what is lent to the pool, after seeding: below the kink of every rate model."""

BATCH = 25
"""Accounts opened by one transaction; about 12 million gas."""

NO_DEADLINE = 2**256 - 1
UNLIMITED = 2**256 - 1


@dataclass(frozen=True, slots=True)
class Lending:
    """What seeding needs of a deployment.

    Parameters
    ----------
    chain_id : int
        For the accounts' signatures.
    clearing_house : str
        Address.
    tokens : mapping
        Token addresses by symbol; each has an open faucet.
    terms : Terms
        By symbol, at present prices.
    smallest_borrow_wad : int
        Smallest debt per asset, WAD quote units.
    """

    chain_id: int
    clearing_house: str
    tokens: Mapping[str, str]
    terms: Terms
    smallest_borrow_wad: int


def read_lending(sender: Sender, manifest: Manifest) -> Lending:
    """Read risk parameters and prices of every listed asset from the chain."""
    house = manifest.clearing_house
    terms = {}
    for asset in manifest.assets:
        parameters = sender.call(house, call_data("assetParameters(uint8)", asset.id))
        price = sender.call(manifest.price_oracle, call_data("price(address)", asset.token))
        max_ltv, threshold, weight = decode(["uint16", "uint16", "uint16"], parameters)
        terms[asset.symbol] = AssetTerms(
            asset.symbol, asset.id, asset.decimals, int.from_bytes(price), max_ltv, threshold, weight
        )
    smallest = int.from_bytes(sender.call(house, call_data("smallestBorrow()")))
    tokens = {asset.symbol: asset.token for asset in manifest.assets}
    return Lending(manifest.chain_id, house, tokens, terms, smallest)


def account_key(seed: int, name: str) -> bytes:
    """Return the private key of an account of a seeded book; worth nothing outside of a test chain."""
    return keccak(text=f"sluice account {seed} {name}")


def account_address(seed: int, name: str) -> str:
    """Return the checksummed address of an account of a seeded book."""
    return str(Keys.from_key(account_key(seed, name)).address)


def operator_signature(lending: Lending, key: bytes, operator: str) -> bytes:
    """Return an account's signature that lets ``operator`` act for it, with nonce zero and no deadline."""
    account = Keys.from_key(key)
    message = {
        "account": account.address,
        "operator": operator,
        "approved": True,
        "nonce": 0,
        "deadline": NO_DEADLINE,
    }
    domain = {
        "name": "Sluice ClearingHouse",
        "version": "1",
        "chainId": lending.chain_id,
        "verifyingContract": lending.clearing_house,
    }
    types = {
        "SetOperator": [
            {"name": "account", "type": "address"},
            {"name": "operator", "type": "address"},
            {"name": "approved", "type": "bool"},
            {"name": "nonce", "type": "uint256"},
            {"name": "deadline", "type": "uint256"},
        ]
    }
    signable = encode_typed_data(domain_data=domain, message_types=types, message_data=message)
    return bytes(account.sign_message(signable).signature)


def opening_calls(lending: Lending, account: Account, key: bytes, operator: str) -> list[bytes]:
    """Return the clearing house's calls that open one account, to be sent by ``operator``."""
    owner = str(Keys.from_key(key).address)
    approve = "setOperatorBySig(address,address,bool,uint256,bytes)"
    signature = operator_signature(lending, key, operator)
    calls = [call_data(approve, owner, operator, True, NO_DEADLINE, signature)]
    for symbol, amount in account.collateral:
        asset_id = lending.terms[symbol].asset_id
        calls.append(call_data("depositCollateral(uint8,uint256,address)", asset_id, amount, owner))
    for symbol, amount in account.debt:
        asset_id = lending.terms[symbol].asset_id
        calls.append(call_data("borrow(uint8,uint256,address,address)", asset_id, amount, owner, owner))
    return calls


def supplies(book: Book) -> dict[str, int]:
    """Return what has to be lent to the pool, token units by symbol."""
    _, debt = book.totals()
    return {symbol: math.ceil(amount / UTILISATION) for symbol, amount in debt.items()}


def seeding_transactions(lending: Lending, book: Book, seed: int, seeder: str) -> Iterator[tuple[str, bytes]]:
    """Yield recipient and calldata of every transaction that opens a book, in order.

    Parameters
    ----------
    lending : Lending
        The deployment.
    book : Book
        Its accounts.
    seed : int
        From which the accounts' keys are derived.
    seeder : str
        Sends all of them, and lends to the pool.
    """
    house = lending.clearing_house
    collateral, _ = book.totals()
    supplied = supplies(book)
    for symbol, token in lending.tokens.items():
        needed = collateral.get(symbol, 0) + supplied.get(symbol, 0)
        if needed:
            yield token, call_data("mint(address,uint256)", seeder, needed)
            yield token, call_data("approve(address,uint256)", house, UNLIMITED)
    for symbol, amount in supplied.items():
        asset_id = lending.terms[symbol].asset_id
        yield house, call_data("supply(uint8,uint256,address)", asset_id, amount, seeder)
    for begin in range(0, len(book.accounts), BATCH):
        calls: list[bytes] = []
        for account in book.accounts[begin : begin + BATCH]:
            calls += opening_calls(lending, account, account_key(seed, account.name), seeder)
        yield house, call_data("multicall(bytes[])", calls)


def seed_book(sender: Sender, lending: Lending, book: Book, seed: int) -> Sequence[str]:
    """Open a book and return the addresses of its accounts, in its order.

    Raises
    ------
    SetupError
        If a transaction reverts.
    """
    for to, data in seeding_transactions(lending, book, seed, to_checksum_address(sender.address)):
        sender.send(to, data)
    return [account_address(seed, account.name) for account in book.accounts]
