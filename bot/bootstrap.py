"""Puts the daemon together: the one place that sees both the service and its adapters."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from bot.chain import codec
from bot.chain.feed import ChainHeadFeed
from bot.chain.pool import EndpointPool
from bot.config import RiskSettings, Settings, StrategySettings
from bot.domain.volatility import LiveCovariance
from bot.errors import ConfigFileError, LedgerInUseError, ManifestError
from bot.leadership import Leadership
from bot.ledger.address import LedgerPlace
from bot.ledger.opening import open_patiently
from bot.ledger.store import SqlLedger
from bot.ops.acknowledger import SilentAcknowledger, TcpAcknowledger
from bot.ports import (
    Address,
    Appraise,
    DecisionRecord,
    ExplainedDecision,
    Hash32,
    Head,
    HeadAcknowledger,
    PredictionRecord,
    RiskMemory,
    Transaction,
)
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.protocols.sluice.manifest import Manifest, load_manifest
from bot.sending import Keys, executor_of, inventory_of, main_account
from bot.service import KeeperService, RiskJournal, ServiceOptions
from bot.sim.feed import rounds_of
from bot.sim.prices import Bars, read_bars
from bot.sim.recorder import Bystander, Recorder
from bot.sim.tape import TapeWriter
from bot.strategy.decide import decide
from bot.strategy.explain import AssetName
from bot.strategy.inclusion import Inclusions
from bot.strategy.settings import StrategySettings as StrategyLimits
from bot.strategy.snapshot import Snapshot
from bot.strategy.timing import TimingSettings

SLUICE = "sluice"
"""Name of the protocol in the ledger."""

SETTLED_BLOCKS = 64
"""Depth from which a block is taken to stay: a checkpoint below it is never rolled back past."""

WARM_HALF_LIVES = 20
"""Prices older than so many half-lives weigh less than a millionth."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How `run_keeper` runs.

    Parameters
    ----------
    dry_run : bool
        Whether to decide, simulate and record, and to sign nothing.
    once : bool
        Whether to end after one head.
    record : Path or None
        File into which inputs and decisions are recorded, for `bot.sim.rerun`.
    """

    dry_run: bool = False
    once: bool = False
    record: Path | None = None


async def run_keeper(settings: Settings, keys: Keys | None, options: RunOptions) -> None:
    """Run the daemon until it is cancelled, or until one head was acted on.

    Parameters
    ----------
    settings : Settings
        What the operator chose.
    keys : Keys or None
        What signs; None for a dry run.
    options : RunOptions
        How to run.

    Raises
    ------
    SluiceError
        If it cannot start, or cannot go on.
    """
    manifest = load_manifest(settings.manifest, settings.chain.chain_id)
    sender = main_account(settings, keys)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(settings))
        await SluiceProtocol(client, manifest).check(settings.manifest)
        genesis = await _genesis(client)
        ledger = await stack.enter_async_context(
            await open_patiently(
                settings.ledger.place(),
                chain_id=settings.chain.chain_id,
                genesis_hash=genesis,
                patient=not options.once,
                keep_blocks=settings.ledger.keep_blocks,
            )
        )
        waits = not (options.once or options.dry_run)
        senders = [sender] if keys is None else keys.addresses
        leadership = await _leadership(settings, ledger, senders, stack, waits=waits)
        covariance = await _learnt(settings.risk, client, ledger.risk, manifest)
        recorder = _recorder(options, stack)
        protocol = SluiceProtocol(
            recorder.rpc(client),
            manifest,
            sender,
            covariance=covariance,
            memory=recorder.memory(ledger.books),
        )
        acknowledger = await _acknowledger(settings, stack)
        tip = settings.fees.policy().tip
        limits = replace(strategy_limits(settings.strategy, tip), outlook=settings.risk.outlook())
        recorder.begin(manifest, sender, limits, covariance)
        inclusions = Inclusions(limits)
        service = KeeperService(
            feed=ChainHeadFeed(client, settings.chain.feed_options()),
            protocol=recorder.protocol(protocol),
            decide=recorder.strategy(protocol.name, lambda snapshot: decide(snapshot, limits)),
            executor=await executor_of(
                settings, client, ledger, keys, inclusions, _appraisal(protocol), stack
            ),
            inclusion=inclusions.of,
            inventory=inventory_of(settings, client, manifest, keys),
            ledger=ledger,
            acknowledger=acknowledger,
            risk=RiskJournal(
                protocol.name,
                ledger.risk,
                settings.risk.predictions(),
                settings.risk.checkpoint_interval_blocks,
            ),
            leadership=leadership,
            options=ServiceOptions(once=options.once),
        )
        await service.run()


def _recorder(options: RunOptions, stack: AsyncExitStack) -> Recorder | Bystander:
    if options.record is None:
        return Bystander()
    return Recorder(stack.enter_context(TapeWriter(options.record)))


async def _leadership(
    settings: Settings, ledger: SqlLedger, senders: Sequence[Address], stack: AsyncExitStack, *, waits: bool
) -> Leadership:
    """Return what tells whether this process acts for ``senders``; unless it ``waits`` it must do so now."""
    names = [f"{settings.chain.chain_id}:{SLUICE}:{sender}" for sender in senders]
    lease = ledger.lease(names, settings.ledger.lease_s)
    if not waits and await lease.hold() is None:
        raise LedgerInUseError(str(settings.ledger.place()), lease.name, str(lease.rival))
    leadership = Leadership(lease)
    stack.push_async_callback(leadership.resign)
    return leadership


def _appraisal(protocol: SluiceProtocol) -> Appraise:
    """Return what reads a receipt of the protocol; of any other it tells nothing."""
    return lambda name, receipt: protocol.realised(receipt) if name == protocol.name else None


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
        timing=TimingSettings(settings.block_time_s, settings.race_bps, settings.care_bps),
    )


def _client(settings: Settings) -> EndpointPool:
    return EndpointPool(settings.chain.clients(), settings.chain.pool_options())


async def _genesis(client: EndpointPool) -> Hash32:
    answer = await client.request("eth_getBlockByNumber", ("0x0", False))
    return codec.hash32(codec.mapping(answer, "block 0").get("hash"), "hash of block 0")


# ----------------------------------------------------------------------------------- risk


async def _learnt(
    settings: RiskSettings, client: EndpointPool, memory: RiskMemory, manifest: Manifest
) -> LiveCovariance:
    """Return what is known of the feeds before their logs are read.

    The newest checkpoint that no reorg can undo, if there is one by the same rules; else what the price files
    tell up to the deployment; else nothing.
    """
    symbols = [asset.symbol for asset in manifest.assets]
    files = {} if settings.warm_start is None else warm_files(settings.warm_start, symbols)
    fresh = settings.fresh(len(symbols), max((bars.step for bars in files.values()), default=0))
    newest = (await client.newest_head()).number
    for checkpoint in await memory.checkpoints(SLUICE):
        settled = checkpoint.block_number <= newest - SETTLED_BLOCKS
        if settled and await _block_hash(client, checkpoint.block_number) == checkpoint.block_hash:
            known = LiveCovariance.restored(checkpoint.state)
            if known.fits(fresh):
                _log.info("covariance_resumed", block=checkpoint.block_number)
                return known
    if not files:
        return fresh
    deployed = codec.head(await client.request("eth_getBlockByNumber", (hex(manifest.block), False)))
    _log.info("covariance_warmed", assets=[symbols[index] for index in files])
    return warmed(fresh, files, deployed.timestamp, settings.feed_deviation)


def warm_files(folder: Path, symbols: Sequence[str]) -> dict[int, Bars]:
    """Read the price files of assets, by asset id; those without a file are left out.

    Parameters
    ----------
    folder : Path
        Holds ``SYMBOL.csv`` for some of the assets.
    symbols : sequence of str
        By asset id.

    Raises
    ------
    ConfigFileError
        If no asset has a file.
    PriceFileError
        If a file cannot be used.
    """
    files = {index: folder / f"{symbol}.csv" for index, symbol in enumerate(symbols)}
    found = {index: read_bars(path) for index, path in files.items() if path.is_file()}
    if not found:
        wanted = ", ".join(f"{symbol}.csv" for symbol in symbols)
        raise ConfigFileError(str(folder), f"risk.warm_start holds none of {wanted}")
    return found


def warmed(
    fresh: LiveCovariance, files: Mapping[int, Bars], until: int, deviation: float = 0.005
) -> LiveCovariance:
    """Return a state that has consumed price files.

    The covariances take the closes, each at the end of its bar; the history takes what a feed would have
    published over the bars, because that is what it will be asked to forecast.

    Parameters
    ----------
    fresh : LiveCovariance
        What was known before.
    files : mapping of int to Bars
        By asset id.
    until : int
        Bars that end later are left out, unix seconds: no estimate may know the future.
    deviation : float
        Relative move upon which the feeds publish.
    """
    closes, rounds = [], []
    for index, bars in files.items():
        known = bars.until(until)
        ends = (known.ts + known.step).tolist()
        closes += [(end, index, price) for end, price in zip(ends, known.close.tolist(), strict=True)]
        rounds += [(time, index, price) for time, price in rounds_of(known, deviation)]
    first = until - WARM_HALF_LIVES * fresh.half_life
    state, history = replace(fresh, history=None), fresh.history
    for end, index, price in sorted(close for close in closes if first <= close[0]):
        state = state.after(index, end, price)
    if history is not None:
        for time, index, price in sorted(rounds):
            history = history.after(index, time, price)
    return replace(state, history=history)


async def _block_hash(client: EndpointPool, number: int) -> object:
    answer = await client.request("eth_getBlockByNumber", (hex(number), False))
    return None if answer is None else codec.mapping(answer, f"block {number}").get("hash")


async def read_predictions(file: LedgerPlace, last: int) -> list[PredictionRecord]:
    """Read the last predictions of a ledger, newest first.

    Raises
    ------
    LedgerUnavailableError, LedgerMismatchError
        If there is none, or of another version.
    """
    async with await SqlLedger.open_to_read(file) as ledger:
        return await ledger.risk.predictions(last)


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


async def read_snapshot(settings: Settings) -> tuple[Head, Snapshot]:
    """Read the protocol from the chain at the newest head.

    Raises
    ------
    SluiceError
        If the node or the manifest cannot be read.
    """
    manifest = load_manifest(settings.manifest, settings.chain.chain_id)
    async with _client(settings) as client:
        protocol = SluiceProtocol(client, manifest)
        await protocol.check(settings.manifest)
        head = await client.newest_head()
        await protocol.sync(head)
        return head, protocol.snapshot(head)


async def read_status(settings: Settings, last: int) -> Status:
    """Read the protocol from the chain and the last actions from the ledger.

    Raises
    ------
    SluiceError
        If the node, the manifest or the ledger cannot be read.
    """
    head, snapshot = await read_snapshot(settings)
    if not settings.ledger.exists():
        return Status(head, snapshot, (), ())
    async with await SqlLedger.open_to_read(settings.ledger.place()) as ledger:
        transactions = await ledger.recent_transactions(last)
        decisions = await ledger.recent_decisions(last)
    return Status(head, snapshot, tuple(transactions), tuple(decisions))


async def read_decision(file: LedgerPlace, account: str, block: int | None) -> ExplainedDecision:
    """Read one decision of a ledger, with what became of it.

    Parameters
    ----------
    file : Path or LedgerAddress
        The ledger.
    account : str
        Address with its checksum.
    block : int or None
        Height it was taken on; None for the last one.

    Raises
    ------
    DecisionNotFoundError
        If there is none.
    LedgerUnavailableError, LedgerMismatchError
        If there is no such ledger, or of another version.
    """
    async with await SqlLedger.open_to_read(file) as ledger:
        return await ledger.history.decision(account, block)


def asset_names(settings: Settings) -> dict[int, AssetName]:
    """Return symbols and decimals by asset id; empty where the manifest cannot be used."""
    try:
        manifest = load_manifest(settings.manifest, settings.chain.chain_id)
    except ManifestError:
        return {}
    return {asset.id: AssetName(asset.symbol, asset.decimals) for asset in manifest.assets}
