"""Sluice as the keeper watches it: one ``eth_getLogs`` per head, and a book that can be rolled back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog
from eth_utils.crypto import keccak

from bot.chain import codec
from bot.domain.volatility import LiveCovariance
from bot.errors import BookDivergedError, BookIncompleteError, ManifestError, ProtocolError
from bot.ports import BookMemory, Call, Head, Receipt, Rpc, RpcCall
from bot.protocols.sluice.audit import Auditor
from bot.protocols.sluice.calls import CallBuilder, explain_revert
from bot.protocols.sluice.loading import ChainLoader, PositionReader
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.protections import follower_of
from bot.protocols.sluice.reader import LogReader, answered
from bot.protocols.sluice.realised import Payouts
from bot.protocols.sluice.resuming import Checkpoints, with_covariance
from bot.protocols.sluice.state import State, decoders_of, raw
from bot.protocols.sluice.timeline import Timeline, apply_all
from bot.strategy.decision import Action
from bot.strategy.snapshot import Snapshot

SLUICE: Final = "sluice"
"""Name of the protocol in the ledger."""

_log = structlog.get_logger(__name__)

_CHECKED: Final = (
    "clearing_house",
    "liquidation_engine",
    "price_oracle",
    "uniswap_v3_venue",
    "flash_taker",
    "position_lens",
)

_CHECKED_IF_NAMED: Final = ("protection", "flash_protector")


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How logs are read.

    Parameters
    ----------
    chunk : int
        Most blocks asked for in one request while catching up.
    journal : int
        Heads that can be rolled back without reading everything again.
    positions_per_call : int
        Most accounts asked for in one call of the lens.
    furthest : int
        Blocks over which logs are cheaper than reading the chain anew: the oldest checkpoint to go on from.
    checkpoint_interval : int
        Least blocks between two checkpoints.
    """

    chunk: int = 2_000
    journal: int = 128
    positions_per_call: int = 1_500
    furthest: int = 20_000
    checkpoint_interval: int = 256


class SluiceProtocol:
    """Sluice's contracts on one chain: a `bot.ports.LiquidationProtocol`.

    Parameters
    ----------
    rpc : Rpc
        Endpoint of the manifest's chain.
    manifest : Manifest
        Where the contracts are.
    signer : str or None
        Address that acts, to tell our payouts from others' and whether the flash taker serves us.
    options : SyncOptions
        How logs are read.
    covariance : LiveCovariance or None
        What was known of the feeds before the first log; rounds it has seen count once. None estimates
        nothing.
    memory : BookMemory or None
        Where the book is kept between two runs; None keeps none.
    further : sequence of str
        Further addresses that act: what they are paid is ours, too.
    """

    def __init__(
        self,
        rpc: Rpc,
        manifest: Manifest,
        signer: str | None = None,
        options: SyncOptions | None = None,
        covariance: LiveCovariance | None = None,
        memory: BookMemory | None = None,
        further: Sequence[str] = (),
    ) -> None:
        self._rpc: Final = rpc
        self._manifest: Final = manifest
        self._options: Final = options or SyncOptions()
        self._signer: Final = raw(signer) if signer else None
        self._reader: Final = LogReader(rpc, manifest, self._options.chunk)
        self._calls: Final = CallBuilder(manifest, signer)
        self._protections: Final = follower_of(rpc, manifest, self._options.chunk)
        self._payouts: Final = Payouts(manifest, [raw(address) for address in (signer, *further) if address])
        self._covariance: Final = covariance
        self._auditor: Final = Auditor(rpc, manifest)
        self._positions: Final = PositionReader(rpc, manifest.position_lens, self._options.positions_per_call)
        self._loader: Final = ChainLoader(rpc, manifest, self._reader, self._positions)
        self._checkpoints: Final = (
            None
            if memory is None
            else Checkpoints(memory, rpc, manifest, SLUICE, self._options.checkpoint_interval)
        )
        self._timeline: Timeline | None = None
        self._distrusted = False

    @property
    def name(self) -> str:
        """Short name, unique among the adapters."""
        return SLUICE

    @property
    def tip(self) -> Head | None:
        """The last head that was synced, or None."""
        return self._timeline.tip if self._timeline else None

    @property
    def state(self) -> State:
        """The state at the last head that was synced; read it, do not change it.

        Raises
        ------
        BookDivergedError
            Before the first `sync`.
        """
        if self._timeline is None:
            raise BookDivergedError("state", None, "synced to a head first")
        return self._timeline.state

    # -------------------------------------------------------------------------- start

    async def check(self, path: object = "") -> None:
        """Compare the code on chain with the manifest.

        Parameters
        ----------
        path : object
            The manifest's file, for the error.

        Raises
        ------
        ManifestError
            If a contract is absent, or its code is not the manifest's.
        """
        optional = [name for name in _CHECKED_IF_NAMED if getattr(self._manifest, name) is not None]
        addresses = {name: str(getattr(self._manifest, name)) for name in (*_CHECKED, *optional)}
        calls = [RpcCall("eth_getCode", (address, "latest")) for address in addresses.values()]
        answers = await self._rpc.batch(calls)
        for (name, address), answer in zip(addresses.items(), answers, strict=True):
            code = codec.data(answered(answer), f"code of {name}")
            if not code or self._manifest.code_hashes.get(name) != "0x" + keccak(code).hex():
                found = "another contract than was deployed" if code else "no contract"
                problem = f"{name} at {address} is {found} on {self._rpc.label}"
                raise ManifestError(path, problem, "name the manifest of this chain, or deploy again")

    # --------------------------------------------------------------------------- sync

    async def sync(self, head: Head) -> None:
        """Bring the book to the state at ``head``: one request if it is the child of the last one.

        Raises
        ------
        BookDivergedError
            If the logs contradict each other: nothing may act on this book.
        EndpointUnreachableError, RpcError, MalformedAnswerError
            If the logs cannot be read; the book stays as it was.
        """
        if self._protections is not None:
            await self._protections.sync(head)
        timeline = self._timeline
        if timeline is None or timeline.tip.number > head.number:
            await self._restart(head)
        elif timeline.tip.hash == head.parent_hash:
            timeline.extend(head, await self._reader.of_head(head))
        elif timeline.tip.hash != head.hash:
            await self._catch_up(timeline, head)

    async def _restart(self, head: Head) -> None:
        """Go on from a checkpoint, or else read the chain as it is at ``head``."""
        self._timeline = None
        self._reader.hear(await self._loader.aggregators(head))
        if await self._resumed(head):
            return
        state = await self._loaded(head)
        quarantined = [f"0x{state.book.accounts[row].hex()}" for row in sorted(state.book.quarantined)]
        if quarantined:
            _log.error("accounts_quarantined", block=head.number, accounts=quarantined)
        _log.info("book_loaded", block=head.number, accounts=len(state.book))
        self._timeline = Timeline(state, head, self._options.journal)

    async def _resumed(self, head: Head) -> bool:
        """Try the newest checkpoint; one that does not lead to ``head`` is forgotten with the others."""
        if self._checkpoints is None or self._distrusted:
            return False
        found = await self._checkpoints.newest(head, self._options.furthest)
        if found is None:
            return False
        state, base = found
        try:
            await self._catch_up(Timeline(with_covariance(state, self._covariance), base, 0), head)
        except ProtocolError as error:
            _log.error("checkpoint_refused", block=base.number, reason=str(error))
            await self._checkpoints.forget()
            return False
        _log.info("book_resumed", block=base.number, behind=head.number - base.number)
        return True

    async def _loaded(self, head: Head) -> State:
        try:
            return await self._loader.state(head, self._covariance)
        except BookIncompleteError as error:
            _log.warning("book_incomplete", block=head.number, reason=str(error))
        pools, decoders = await self._loader.fresh_pools(head), decoders_of(self._manifest)
        state = State(self._manifest, pools, decoders, covariance=self._covariance)
        stretch = await self._reader.up_to(self._manifest.block, head)
        apply_all(state, stretch.logs, stretch.times)
        return state

    async def _catch_up(self, timeline: Timeline, head: Head) -> None:
        stretch = await self._reader.up_to(timeline.tip.number + 1, head)
        state = timeline.state.copy()
        apply_all(state, stretch.logs, stretch.times)
        self._timeline = Timeline(state, head, self._options.journal)

    async def checkpoint(self) -> None:
        """Write the book to the ledger, if one is due; see `bot.ports.LiquidationProtocol.checkpoint`."""
        if self._checkpoints is not None and self._timeline is not None:
            await self._checkpoints.save(self._timeline)

    async def distrust(self) -> None:
        """Throw the book and its checkpoints away; see `bot.ports.LiquidationProtocol.distrust`."""
        self._timeline, self._distrusted = None, True
        if self._checkpoints is not None:
            await self._checkpoints.forget()

    async def roll_back(self, ancestor: Head) -> None:
        """Undo everything above ``ancestor``; the next `sync` continues from it.

        Where the ancestor is older than what is remembered, the next `sync` reads everything again.
        """
        if self._timeline is not None and not self._timeline.roll_back(ancestor):
            self._timeline = None

    def snapshot(self, head: Head) -> Snapshot:
        """Return a frozen picture of the book at ``head``, which was synced."""
        snapshot = self.state.snapshot(head, self._signer)
        if self._protections is None:
            return snapshot
        return replace(snapshot, protections=self._protections.view())

    # -------------------------------------------------------------------------- audit

    async def audit(self, head: Head, sample: int) -> int:
        """Hold a sample of accounts, and every total and price, against the chain at ``head``.

        Accounts in quarantine are read again, and released if they make sense now.

        Returns
        -------
        int
            Accounts that were looked at.

        Raises
        ------
        BookDivergedError
            With the first quantity that differs.
        """
        if self.state.book.quarantined:
            await self._release(head)
        return await self._auditor.audit(self.state, head, sample)

    async def _release(self, head: Head) -> None:
        book = self.state.book
        rows = sorted(book.quarantined)
        accounts = [book.accounts[row] for row in rows]
        found = await self._positions.read(accounts, len(self.state.assets), head)
        for index, row in enumerate(rows):
            if index not in found.damaged:
                book.release(row, found.columns, index)
                _log.info("account_released", block=head.number, account=f"0x{accounts[index].hex()}")

    # ------------------------------------------------------------------------- action

    def call_for(self, decision: Action) -> Call:
        """Return the call that carries out an action."""
        return self._calls.call_for(decision)

    def explain(self, revert_data: bytes) -> str:
        """Return a contract's revert data in words."""
        return explain_revert(revert_data)

    def realised(self, receipt: Receipt) -> int | None:
        """Return what a receipt earned, WAD quote units before gas; None if it cannot be told.

        Valued at the prices of the head that was synced last.
        """
        timeline = self._timeline
        if timeline is None:
            return None
        state, now = timeline.state, timeline.tip.timestamp
        prices = {asset_id: state.price(asset_id, now) for asset_id in range(len(state.assets))}
        return self._payouts.realised(receipt, prices)
