"""Puts execution together: keys, routes into blocks, hard limits, and what the accounts hold."""

import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from eth_utils.address import to_checksum_address

from bot.chain.endpoint import Endpoint
from bot.config import Settings, read_password
from bot.errors import ConfigValueError, HaltNotFoundError, KeystoreMissingError
from bot.execution.broadcast import PublicRoute, Route
from bot.execution.executor import TransactionExecutor
from bot.execution.inventory import Credit, Inventory, InventoryRules
from bot.execution.post import JsonRpcPost
from bot.execution.relay import PrivateRoute, signing_headers
from bot.execution.remote import RemoteSigner
from bot.execution.settings import SignerSettings, lanes
from bot.execution.signer import KeystoreSigner, Signer, keystore_address
from bot.execution.writer import Account
from bot.ledger.address import LedgerPlace
from bot.ledger.store import SqlLedger
from bot.ops.limits import LimitGuard, halt, resume
from bot.ports import Address, Appraise, Call, HaltNote, Rpc
from bot.protocols.sluice.calls import Function
from bot.protocols.sluice.manifest import AssetManifest, Manifest
from bot.strategy.inclusion import Inclusions

NOBODY = Address("0x0000000000000000000000000000000000000000")
"""Who acts in a dry run without a keystore: calls are tried from here, so none that need rights succeed."""

_NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys that were unlocked.

    Parameters
    ----------
    main : Signer
        Of the main account.
    more : tuple of Signer
        Of the further ones, in the order of the settings.
    """

    main: Signer
    more: tuple[Signer, ...] = ()

    @property
    def addresses(self) -> list[Address]:
        """Every account that sends, the main one first."""
        return [self.main.address, *(signer.address for signer in self.more)]


def unlock(settings: Settings, ask_password: Callable[[Path], str]) -> Keys:
    """Decrypt the keystores of the settings, and name the remote signer.

    Parameters
    ----------
    settings : Settings
        Names keystores and, perhaps, files with their passwords.
    ask_password : callable
        Asks for the password of a keystore where no file is named.

    Raises
    ------
    KeystoreMissingError
        If there is no main account.
    KeystoreInvalidError, KeystorePasswordError, ConfigFileError
        If a keystore, password or password file is not usable.
    ConfigValueError
        If two keys are of one account, whose nonces would then have two writers.
    """
    keys = _unlocked(settings.signer, ask_password)
    for number, address in enumerate(keys.addresses[1:]):
        if address in keys.addresses[: number + 1]:
            fault = "is the account of another key, too: name each account once"
            raise ConfigValueError([(f"signer.more.{number}", address, fault)])
    return keys


def _unlocked(signer: SignerSettings, ask_password: Callable[[Path], str]) -> Keys:
    def opened(path: Path, file: Path | None) -> KeystoreSigner:
        keystore_address(path)  # so that a wrong path is told before a password is asked for
        return KeystoreSigner.unlock(path, read_password(file) if file else ask_password(path))

    more = [opened(key.keystore, key.password_file) for key in signer.more]
    if signer.remote_url is not None and signer.remote_address is not None:
        endpoint = Endpoint.parse(signer.remote_url.get_secret_value())
        post = JsonRpcPost(endpoint, "signer.remote_url", timeout_s=signer.remote_timeout_s)
        return Keys(RemoteSigner(post, Address(signer.remote_address)), tuple(more))
    if signer.keystore is None:
        raise KeystoreMissingError
    return Keys(opened(signer.keystore, signer.password_file), tuple(more))


async def check_keys(keys: Keys | None) -> None:
    """Ask a remote signer whether it is there and holds its key; what was decrypted needs no asking.

    Raises
    ------
    RemoteKeyMissingError
        If it does not hold the key.
    ChainError
        If it does not answer, or not as it should.
    """
    if keys is not None and isinstance(keys.main, RemoteSigner):
        await keys.main.check()


async def close_keys(keys: Keys | None) -> None:
    """Close what keys are reached through."""
    if keys is not None and isinstance(keys.main, RemoteSigner):
        await keys.main.close()


def main_account(settings: Settings, keys: Keys | None) -> Address:
    """Return who acts: the main key's account, or in a dry run whoever it would be."""
    if keys is not None:
        return keys.main.address
    if settings.signer.remote_address is not None:
        return Address(settings.signer.remote_address)
    return keystore_address(settings.signer.keystore) if settings.signer.keystore else NOBODY


async def executor_of(
    settings: Settings,
    rpc: Rpc,
    ledger: SqlLedger,
    keys: Keys | None,
    inclusions: Inclusions,
    appraise: Appraise,
    stack: AsyncExitStack,
) -> TransactionExecutor:
    """Return the executor; what it has to close is closed with ``stack``."""
    guard = LimitGuard(ledger, ledger.landing, settings.limits.limits(), lambda: inclusions.native_price)
    return TransactionExecutor(
        rpc,
        ledger,
        ledger.landing,
        accounts=_accounts(settings, keys, _route(settings, rpc, stack)),
        appraise=appraise,
        options=settings.executor_options(),
        guard=guard,
    )


def require_gas_asset(settings: Settings, manifest: Manifest) -> None:
    """Refuse to weigh gas by an asset that the protocol does not price: it would cost nothing.

    Raises
    ------
    ConfigValueError
        If the gas asset is not listed.
    """
    symbol, listed = settings.strategy.gas_asset, sorted(asset.symbol for asset in manifest.assets)
    if symbol not in listed:
        fault = f"is not a listed asset; the manifest lists {', '.join(listed)}"
        raise ConfigValueError([("strategy.gas_asset", repr(symbol), fault)])


def inventory_of(settings: Settings, rpc: Rpc, manifest: Manifest, keys: Keys | None) -> Inventory | None:
    """Return what watches holdings; None in a dry run, which moves nothing.

    Raises
    ------
    ConfigValueError
        If a rule names an asset that is not listed.
    """
    if keys is None:
        return None
    rules, main = settings.inventory, keys.main.address
    listed = {asset.symbol: asset for asset in manifest.assets}
    named = {entry.symbol for entry in rules.sweeps} - {_NATIVE} | {entry.symbol for entry in rules.approvals}
    for symbol in sorted(named - set(listed)):
        fault = f"is not a listed asset; the manifest lists {', '.join(sorted(listed))}"
        raise ConfigValueError([("inventory", repr(symbol), fault)])
    return Inventory(
        rpc,
        InventoryRules(
            main=main,
            others=tuple(keys.addresses[1:]),
            cold=rules.cold(),
            gas=rules.gas(),
            sweeps=tuple(
                entry.rule(None, 10**18)
                if entry.symbol == _NATIVE
                else entry.rule(_token(listed[entry.symbol]), 10 ** listed[entry.symbol].decimals)
                for entry in rules.sweeps
            ),
            approvals=tuple(
                entry.rule(_token(listed[entry.symbol]), 10 ** listed[entry.symbol].decimals)
                for entry in rules.approvals
            ),
            credits=_credits(settings, manifest, keys.addresses),
            interval=rules.interval_blocks,
        ),
    )


async def halt_keeper(place: LedgerPlace, reason: str) -> int:
    """Write a halt to a ledger; return how many transactions are pending.

    Raises
    ------
    LedgerUnavailableError
        If there is no ledger, or it cannot be used.
    """
    async with await SqlLedger.open_to_amend(place) as ledger:
        await halt(ledger.landing, reason)
        return len(await ledger.open_transactions())


async def resume_keeper(place: LedgerPlace, reason: str) -> HaltNote:
    """End a halt in a ledger; return the halt that ended.

    Raises
    ------
    HaltNotFoundError
        If there is none.
    LedgerUnavailableError
        If there is no ledger, or it cannot be used.
    """
    async with await SqlLedger.open_to_amend(place) as ledger:
        ended = await ledger.landing.last_halt()
        if ended is None or await resume(ledger.landing, reason) is None:
            raise HaltNotFoundError(str(place))
        return ended


def _accounts(settings: Settings, keys: Keys | None, route: Route) -> list[Account]:
    if keys is None:
        return [Account(main_account(settings, None), None)]
    own, further = lanes(settings.signer.more)
    main = Account(keys.main.address, keys.main, own, route)
    return [
        main,
        *(
            Account(signer.address, signer, served, route)
            for signer, served in zip(keys.more, further, strict=True)
        ),
    ]


def _route(settings: Settings, rpc: Rpc, stack: AsyncExitStack) -> Route:
    relay, public = settings.relay, PublicRoute(rpc)
    if relay.url is None:
        return public
    endpoint = Endpoint.parse(relay.url.get_secret_value())
    # A key of its own for each start: it holds nothing, and only says that requests come from one sender.
    headers = signing_headers(os.urandom(32))
    post = JsonRpcPost(endpoint, "relay.url", timeout_s=relay.timeout_s, headers=headers)
    stack.push_async_callback(post.close)
    return PrivateRoute(post, public, relay.options())


def _credits(settings: Settings, manifest: Manifest, owners: Sequence[Address]) -> tuple[Credit, ...]:
    """Return how the tips and chips of each listed asset are collected to the cold address.

    Whoever sends a settlement earns them, and collects them; the main account comes first.
    """
    above, cold = settings.inventory.collect_above, settings.inventory.cold()
    if above is None or cold is None:
        return ()
    house = Address(to_checksum_address(manifest.clearing_house))
    read, collect = Function("clearing_house", "creditOf"), Function("clearing_house", "collectCredit")
    return tuple(
        Credit(
            asset.symbol,
            Call(house, read.data(asset.id, owner)),
            Call(house, collect.data(asset.id, cold)),
            int(above * 10**asset.decimals),
            None if owner == owners[0] else owner,
        )
        for owner in owners
        for asset in manifest.assets
    )


def _token(asset: AssetManifest) -> Address:
    return Address(to_checksum_address(asset.token))
