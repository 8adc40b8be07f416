"""Puts the daemon together: the one place that sees both the service and its adapters."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from bot.chain import codec
from bot.chain.feed import ChainHeadFeed
from bot.chain.pool import EndpointPool
from bot.config import Settings, StrategySettings
from bot.errors import LedgerInUseError, ManifestError
from bot.forecasting import learnt
from bot.journals import RiskJournal
from bot.leadership import Leadership
from bot.ledger.address import LedgerPlace
from bot.ledger.opening import open_patiently
from bot.ledger.store import SqlLedger
from bot.ops.acknowledger import SilentAcknowledger, TcpAcknowledger
from bot.ops.health import Health, Tolerance, forbidden
from bot.ops.monitor import Monitor
from bot.ops.observatory import Observatory
from bot.ports import (
    Address,
    Appraise,
    DecisionRecord,
    ExplainedDecision,
    Hash32,
    Head,
    HeadAcknowledger,
    HeadFeed,
    PredictionRecord,
    Transaction,
)
from bot.ports.rfq import DealerScore
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.protocols.sluice.manifest import Manifest, load_manifest
from bot.rfq.desk import open_desk
from bot.rfq.keeping import DealtQuotes, FillWatcher
from bot.sending import (
    Keys,
    check_keys,
    close_keys,
    executor_of,
    inventory_of,
    main_account,
    require_gas_asset,
)
from bot.service import KeeperService, ServiceOptions
from bot.sim.recorder import Bystander, Recorder
from bot.sim.tape import TapeWriter
from bot.starting import PatientStart, StartOptions
from bot.strategy.decide import decide
from bot.strategy.explain import AssetName
from bot.strategy.inclusion import Inclusions
from bot.strategy.settings import StrategySettings as StrategyLimits
from bot.strategy.snapshot import Snapshot
from bot.strategy.timing import TimingSettings

SLUICE = "sluice"
"""Name of the protocol in the ledger."""

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
    require_gas_asset(settings, manifest)
    settings.risk.require_warm_start()
    sender, limits = main_account(settings, keys), _limits(settings)
    observatory = Observatory(settings.ops, settings.alerts, limits.gas_asset, limits.priority_fee)
    async with AsyncExitStack() as stack:
        monitor = await stack.enter_async_context(observatory.watching())
        start = _start(settings, options)
        stack.push_async_callback(close_keys, keys)
        await start.step("asking the remote signer", lambda: check_keys(keys))
        client = await start.step("connecting", lambda: stack.enter_async_context(_client(settings)))
        genesis = await start.step("looking at the contracts", lambda: _checked(settings, client, manifest))
        ledger = await stack.enter_async_context(await _ledger(settings, genesis, patient=not options.once))
        waits = not (options.once or options.dry_run)
        senders = [sender] if keys is None else keys.addresses
        leadership = await _leadership(settings, ledger, senders, stack, waits=waits)
        covariance = await start.step(
            "reading what was learnt", lambda: learnt(settings.risk, SLUICE, client, ledger.risk, manifest)
        )
        recorder = _recorder(options, stack)
        protocol = SluiceProtocol(
            recorder.rpc(client),
            manifest,
            sender,
            covariance=covariance,
            memory=recorder.memory(ledger.books),
            further=senders[1:],
        )
        recorder.begin(manifest, sender, limits, covariance)
        inclusions = Inclusions(limits)
        feed = ChainHeadFeed(client, settings.chain.feed_options())
        strategy = recorder.strategy(protocol.name, lambda snapshot: decide(snapshot, limits))
        executor = await executor_of(settings, client, ledger, keys, inclusions, _appraisal(protocol), stack)
        quotes = await _quotes(settings, manifest, client, ledger, stack)
        watched = executor if quotes is None else FillWatcher(executor, quotes)
        service = KeeperService(
            feed=monitor.feed(feed),
            protocol=recorder.protocol(protocol),
            decide=monitor.strategy(strategy),
            executor=monitor.executor(watched),
            inclusion=inclusions.of,
            inventory=inventory_of(settings, client, manifest, keys),
            quotes=quotes,
            ledger=ledger,
            acknowledger=monitor.acknowledger(await _acknowledger(settings, stack)),
            risk=_risk_journal(settings, ledger),
            leadership=leadership,
            options=ServiceOptions(once=options.once, freeze=not options.once),
        )
        health = _health(settings, monitor, ledger, leadership, service, feed)
        async with observatory.serving(health):
            await service.run()


async def _ledger(settings: Settings, genesis: Hash32, *, patient: bool) -> SqlLedger:
    return await open_patiently(
        settings.ledger.place(),
        chain_id=settings.chain.chain_id,
        genesis_hash=genesis,
        patient=patient,
        keep_blocks=settings.ledger.keep_blocks,
    )


def _start(settings: Settings, options: RunOptions) -> PatientStart:
    """Return how the start is tried: patiently, but where somebody waits for one head."""
    return PatientStart(StartOptions(0.0 if options.once else settings.chain.start_patience_s))


def _health(
    settings: Settings,
    monitor: Monitor,
    ledger: SqlLedger,
    leadership: Leadership,
    service: KeeperService,
    feed: HeadFeed,
) -> Health:
    return Health(
        monitor,
        Tolerance.of(settings.strategy.block_time_s),
        stale=lambda: feed.stale,
        leads=lambda: leadership.leads,
        quarantined=lambda: service.quarantined,
        halted=lambda: forbidden(ledger.landing),
    )


def _limits(settings: Settings) -> StrategyLimits:
    limits = strategy_limits(settings.strategy, settings.fees.policy().tip)
    return replace(limits, outlook=settings.risk.outlook())


def _risk_journal(settings: Settings, ledger: SqlLedger) -> RiskJournal:
    risk = settings.risk
    return RiskJournal(SLUICE, ledger.risk, risk.predictions(), risk.checkpoint_interval_blocks)


async def _quotes(
    settings: Settings, manifest: Manifest, client: EndpointPool, ledger: SqlLedger, stack: AsyncExitStack
) -> DealtQuotes | None:
    """Return what asks the dealers; None without any. What they answer is recorded with the decision."""
    if not settings.rfq.dealers:
        return None
    return DealtQuotes(
        await stack.enter_async_context(open_desk(settings.rfq, manifest, client, ledger.dealers))
    )


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
        max_sales=settings.max_sales,
        priority_fee=tip,
        mark_from=int(settings.mark_from * 10**18),
        gas_asset=settings.gas_asset,
        timing=TimingSettings(settings.block_time_s, settings.race_bps, settings.care_bps),
    )


def _client(settings: Settings) -> EndpointPool:
    return EndpointPool(settings.chain.clients(), settings.chain.pool_options())


async def _checked(settings: Settings, client: EndpointPool, manifest: Manifest) -> Hash32:
    """Check that the contracts are what the manifest says; return the hash of block 0."""
    await SluiceProtocol(client, manifest).check(settings.manifest)
    answer = await client.request("eth_getBlockByNumber", ("0x0", False))
    return codec.hash32(codec.mapping(answer, "block 0").get("hash"), "hash of block 0")


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
    halted : str or None
        Who halted the keeper, and why.
    dealers : tuple of DealerScore
        Every dealer that was asked, by address.
    """

    head: Head
    snapshot: Snapshot
    transactions: tuple[Transaction, ...]
    decisions: tuple[DecisionRecord, ...]
    halted: str | None = None
    dealers: tuple[DealerScore, ...] = ()


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
        halted = await forbidden(ledger.landing)
        scores = await ledger.dealers.load()
    dealers = tuple(scores[dealer] for dealer in sorted(scores))
    return Status(head, snapshot, tuple(transactions), tuple(decisions), halted, dealers)


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
