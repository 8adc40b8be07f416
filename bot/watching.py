"""Looking at chain and ledger again and again, beside a running keeper: what ``sluice top`` shows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from bot.chain.pool import EndpointPool
from bot.config import Settings
from bot.domain.wad import WAD
from bot.ledger.store import SqlLedger
from bot.ops.health import forbidden
from bot.ops.limits import Limits
from bot.ports import Head, LandingMemory, Spent, Transaction
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.protocols.sluice.manifest import load_manifest
from bot.strategy.snapshot import Snapshot


class LimitUse(NamedTuple):
    """A hard limit, what of it is used, and how much there is, for people."""

    name: str
    used: str
    most: str


class Seen(NamedTuple):
    """What one look found.

    Parameters
    ----------
    head : Head
        The newest head.
    snapshot : Snapshot
        The protocol at it.
    transactions : tuple of Transaction
        The ledger's last ones, newest first; none without a ledger.
    halted : str or None
        Who halted the keeper, and why.
    limits : tuple of LimitUse
        The limits that are set.
    """

    head: Head
    snapshot: Snapshot
    transactions: tuple[Transaction, ...]
    halted: str | None
    limits: tuple[LimitUse, ...]


class Watch:
    """Looks, and keeps the book between two looks.

    Parameters
    ----------
    settings : Settings
        The keeper's.
    rpc : EndpointPool
        Its endpoints.
    protocol : SluiceProtocol
        Its book.
    last : int
        Transactions to read.
    """

    def __init__(self, settings: Settings, rpc: EndpointPool, protocol: SluiceProtocol, last: int) -> None:
        self._settings: Final = settings
        self._rpc: Final = rpc
        self._protocol: Final = protocol
        self._last: Final = last

    async def look(self) -> Seen:
        """Read what is new.

        Raises
        ------
        SluiceError
            If node or ledger cannot be read; the next look may succeed.
        """
        head = await self._rpc.newest_head()
        await self._protocol.sync(head)
        snapshot, limits = self._protocol.snapshot(head), self._settings.limits.limits()
        if not self._settings.ledger.exists():
            return Seen(head, snapshot, (), None, used_of(limits, [], 0, 0))
        async with await SqlLedger.open_to_read(self._settings.ledger.place()) as ledger:
            transactions = await ledger.recent_transactions(self._last)
            halted = await forbidden(ledger.landing)
            used = await _used(limits, ledger.landing, snapshot, self._settings.strategy.gas_asset)
        return Seen(head, snapshot, tuple(transactions), halted, used)


@asynccontextmanager
async def watching(settings: Settings, last: int) -> AsyncIterator[Watch]:
    """Connect to the node of the settings for as long as the context lasts.

    Raises
    ------
    SluiceError
        If the manifest is not that of the chain, or the node cannot be reached.
    """
    manifest = load_manifest(settings.manifest, settings.chain.chain_id)
    async with EndpointPool(settings.chain.clients(), settings.chain.pool_options()) as rpc:
        protocol = SluiceProtocol(rpc, manifest)
        await protocol.check(settings.manifest)
        yield Watch(settings, rpc, protocol, last)


async def _used(
    limits: Limits, memory: LandingMemory, snapshot: Snapshot, gas_asset: str
) -> tuple[LimitUse, ...]:
    spent = await memory.spent_since(snapshot.timestamp - limits.window_s)
    price = next((asset.price for asset in snapshot.assets if asset.symbol == gas_asset), None)
    return used_of(limits, spent, price or 0, await memory.failures_in_a_row())


def used_of(limits: Limits, spent: list[Spent], native_price: int, failures: int) -> tuple[LimitUse, ...]:
    """Return what settled transactions have used of the limits that are set."""
    gas = sum(item.gas_cost for item in spent)
    loss = sum(item.gas_cost * native_price // WAD - item.realised_profit for item in spent)
    accounts: dict[str, int] = {}
    assets: dict[str, int] = {}
    for item in spent:
        for moved in item.moves:
            accounts[item.account] = accounts.get(item.account, 0) + moved.value
            assets[moved.asset] = assets.get(moved.asset, 0) + moved.value
    rows = (
        ("loss", max(loss, 0), limits.loss),
        ("gas", gas, limits.gas),
        ("value of the most used account", max(accounts.values(), default=0), limits.account_value),
        ("value of the most used asset", max(assets.values(), default=0), limits.asset_value),
    )
    found = [
        LimitUse(name, f"{used / WAD:,.4g}", f"{most / WAD:,.4g}")
        for name, used, most in rows
        if most is not None
    ]
    if limits.failures is not None:
        found.append(LimitUse("failures in a row", str(failures), str(limits.failures)))
    return tuple(found)
