"""Puts the daemon together: the one place that sees both the service and its adapters."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bot.chain import codec
from bot.chain.client import RpcClient
from bot.chain.feed import ChainHeadFeed
from bot.config import Settings, StrategySettings, read_password
from bot.errors import KeystoreMissingError
from bot.execution.executor import TransactionExecutor
from bot.execution.signer import KeystoreSigner, keystore_address
from bot.ledger.sqlite import SqliteLedger
from bot.ops.acknowledger import SilentAcknowledger, TcpAcknowledger
from bot.ports import Address, DecisionRecord, Hash32, Head, HeadAcknowledger, Receipt, Transaction
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.protocols.sluice.manifest import Manifest, load_manifest
from bot.service import KeeperService, ServiceOptions
from bot.strategy.decide import decide
from bot.strategy.settings import StrategySettings as StrategyLimits
from bot.strategy.snapshot import Snapshot

NOBODY = Address("0x0000000000000000000000000000000000000000")
"""Who acts in a dry run without a keystore: calls are tried from here, so none that need rights succeed."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How `run_keeper` runs.

    Parameters
    ----------
    dry_run : bool
        Whether to decide, simulate and record, and to sign nothing.
    once : bool
        Whether to end after one head.
    """

    dry_run: bool = False
    once: bool = False


def unlock(settings: Settings, ask_password: Callable[[Path], str]) -> KeystoreSigner:
    """Decrypt the keystore of the settings.

    Parameters
    ----------
    settings : Settings
        Names the keystore and, perhaps, a file with its password.
    ask_password : callable
        Asks for the password of a keystore where no file is named.

    Raises
    ------
    KeystoreMissingError
        If no keystore is set.
    KeystoreInvalidError, KeystorePasswordError, ConfigFileError
        If keystore, password or password file are not usable.
    """
    path, file = settings.signer.keystore, settings.signer.password_file
    if path is None:
        raise KeystoreMissingError
    keystore_address(path)  # so that a wrong path is told before a password is asked for
    return KeystoreSigner.unlock(path, read_password(file) if file else ask_password(path))


async def run_keeper(settings: Settings, signer: KeystoreSigner | None, options: RunOptions) -> None:
    """Run the daemon until it is cancelled, or until one head was acted on.

    Parameters
    ----------
    settings : Settings
        What the operator chose.
    signer : KeystoreSigner or None
        The key; None for a dry run.
    options : RunOptions
        How to run.

    Raises
    ------
    SluiceError
        If it cannot start, or cannot go on.
    """
    manifest = load_manifest(settings.manifest, settings.chain.chain_id)
    sender = _sender(settings, signer)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(settings))
        protocol = SluiceProtocol(client, manifest, sender)
        await protocol.check(settings.manifest)
        genesis = await _genesis(client)
        ledger = await stack.enter_async_context(
            await SqliteLedger.open(
                settings.ledger.path, chain_id=settings.chain.chain_id, genesis_hash=genesis
            )
        )
        acknowledger = await _acknowledger(settings, stack)
        limits = strategy_limits(settings.strategy, settings.fees.policy().tip)
        service = KeeperService(
            feed=ChainHeadFeed(client, settings.chain.feed_options()),
            protocol=protocol,
            decide=lambda snapshot: decide(snapshot, limits),
            executor=_executor(settings, client, ledger, protocol, sender, signer),
            ledger=ledger,
            acknowledger=acknowledger,
            options=ServiceOptions(once=options.once),
        )
        await service.run()


def _executor(
    settings: Settings,
    client: RpcClient,
    ledger: SqliteLedger,
    protocol: SluiceProtocol,
    sender: Address,
    signer: KeystoreSigner | None,
) -> TransactionExecutor:
    def appraise(name: str, receipt: Receipt) -> int | None:
        return protocol.realised(receipt) if name == protocol.name else None

    return TransactionExecutor(
        client,
        ledger,
        sender=sender,
        signer=signer,
        appraise=appraise,
        options=settings.executor_options(),
    )


async def _acknowledger(settings: Settings, stack: AsyncExitStack) -> HeadAcknowledger:
    address = settings.replay.address()
    if address is None:
        return SilentAcknowledger()
    return await stack.enter_async_context(TcpAcknowledger(*address))


def strategy_limits(settings: StrategySettings, tip: int) -> StrategyLimits:
    """Return what the strategy takes, in its units.

    Parameters
    ----------
    settings : StrategySettings
        In the operator's units.
    tip : int
        Priority fee, wei per gas.
    """
    return StrategyLimits(
        minimum_profit=int(settings.minimum_profit * 10**18),
        kick_unprofitable=settings.kick_unprofitable,
        housekeeping=settings.housekeeping,
        max_slippage_bps=settings.max_slippage_bps,
        price_tolerance_bps=settings.price_tolerance_bps,
        max_actions=settings.max_actions,
        priority_fee=tip,
        gas_asset=settings.gas_asset,
    )


def _client(settings: Settings) -> RpcClient:
    chain = settings.chain
    return RpcClient(chain.parsed_endpoint(), chain.chain_id, chain.client_options())


def _sender(settings: Settings, signer: KeystoreSigner | None) -> Address:
    if signer is not None:
        return signer.address
    return keystore_address(settings.signer.keystore) if settings.signer.keystore else NOBODY


async def _genesis(client: RpcClient) -> Hash32:
    answer = await client.request("eth_getBlockByNumber", ("0x0", False))
    return codec.hash32(codec.mapping(answer, "block 0").get("hash"), "hash of block 0")


# ----------------------------------------------------------------------------------- status


@dataclass(frozen=True, slots=True)
class Status:
    """What ``sluice status`` shows.

    Parameters
    ----------
    head : Head
        The newest head.
    snapshot : Snapshot
        The protocol at it.
    transactions : tuple of Transaction
        The ledger's last ones, newest first; empty if there is no ledger.
    decisions : tuple of DecisionRecord
        Likewise.
    """

    head: Head
    snapshot: Snapshot
    transactions: tuple[Transaction, ...]
    decisions: tuple[DecisionRecord, ...]


async def read_status(settings: Settings, last: int) -> Status:
    """Read the protocol from the chain and the last actions from the ledger.

    Raises
    ------
    SluiceError
        If the node, the manifest or the ledger cannot be read.
    """
    manifest: Manifest = load_manifest(settings.manifest, settings.chain.chain_id)
    async with _client(settings) as client:
        protocol = SluiceProtocol(client, manifest)
        await protocol.check(settings.manifest)
        head = await client.newest_head()
        await protocol.sync(head)
        snapshot = protocol.snapshot(head)
    if not settings.ledger.path.exists():
        return Status(head, snapshot, (), ())
    async with await SqliteLedger.open_to_read(settings.ledger.path) as ledger:
        transactions = await ledger.recent_transactions(last)
        decisions = await ledger.recent_decisions(last)
    return Status(head, snapshot, tuple(transactions), tuple(decisions))
