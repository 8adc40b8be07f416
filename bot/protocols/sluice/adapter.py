"""Sluice as the keeper watches it: one ``eth_getLogs`` per head, and a book that can be rolled back."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from eth_utils.crypto import keccak

from bot.chain import codec
from bot.domain.volatility import LiveCovariance
from bot.errors import BookDivergedError, ManifestError
from bot.ports import Call, Head, Receipt, Rpc, RpcCall
from bot.protocols.sluice import lens
from bot.protocols.sluice.calls import CallBuilder, Function, explain_revert
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.reader import LogReader, answered
from bot.protocols.sluice.realised import Payouts
from bot.protocols.sluice.state import State, decoders_of, raw
from bot.protocols.sluice.timeline import Timeline, apply_all
from bot.protocols.uniswap_v3 import PoolBook
from bot.strategy.decision import Action
from bot.strategy.snapshot import Snapshot

_TICK_SPACING: Final = Function("uniswap_v3_pool", "tickSpacing")
_CHECKED: Final = (
    "clearing_house",
    "liquidation_engine",
    "price_oracle",
    "uniswap_v3_venue",
    "flash_taker",
    "position_lens",
)


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How logs are read.

    Parameters
    ----------
    chunk : int
        Most blocks asked for in one request while catching up.
    journal : int
        Heads that can be rolled back without reading everything again.
    """

    chunk: int = 2_000
    journal: int = 128


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
    """

    def __init__(
        self,
        rpc: Rpc,
        manifest: Manifest,
        signer: str | None = None,
        options: SyncOptions | None = None,
        covariance: LiveCovariance | None = None,
    ) -> None:
        self._rpc: Final = rpc
        self._manifest: Final = manifest
        self._options: Final = options or SyncOptions()
        self._signer: Final = raw(signer) if signer else None
        self._reader: Final = LogReader(rpc, manifest, self._options.chunk)
        self._calls: Final = CallBuilder(manifest)
        self._payouts: Final = Payouts(manifest, self._signer)
        self._covariance: Final = covariance
        self._spacings: dict[str, int] = {}
        self._timeline: Timeline | None = None

    @property
    def name(self) -> str:
        """Short name, unique among the adapters."""
        return "sluice"

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
        addresses = {name: str(getattr(self._manifest, name)) for name in _CHECKED}
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
        timeline = self._timeline
        if timeline is None or timeline.tip.number > head.number:
            await self._restart(head)
        elif timeline.tip.hash == head.parent_hash:
            timeline.extend(head, await self._reader.of_head(head))
        elif timeline.tip.hash != head.hash:
            await self._catch_up(timeline, head)

    async def _restart(self, head: Head) -> None:
        self._timeline = None
        pools, decoders = await self._fresh_pools(), decoders_of(self._manifest)
        state = State(self._manifest, pools, decoders, covariance=self._covariance)
        stretch = await self._reader.up_to(self._manifest.block, head)
        apply_all(state, stretch.logs, stretch.times)
        self._timeline = Timeline(state, head, self._options.journal)

    async def _catch_up(self, timeline: Timeline, head: Head) -> None:
        stretch = await self._reader.up_to(timeline.tip.number + 1, head)
        state = timeline.state.copy()
        apply_all(state, stretch.logs, stretch.times)
        self._timeline = Timeline(state, head, self._options.journal)

    async def _fresh_pools(self) -> dict[bytes, PoolBook]:
        if len(self._spacings) < len(self._manifest.pools):
            await self._read_spacings()
        pools = {}
        for pool in self._manifest.pools:
            pair = (self._manifest.asset(pool.base), self._manifest.asset(pool.quote))
            token0, token1 = sorted(pair, key=lambda asset: int(asset.token, 16))
            address, spacing = raw(pool.address), self._spacings[pool.address]
            pools[address] = PoolBook(address, token0.id, token1.id, pool.fee_pips, spacing)
        return pools

    async def _read_spacings(self) -> None:
        data = codec.hex_data(_TICK_SPACING.data())
        addresses = [pool.address for pool in self._manifest.pools]
        calls = [RpcCall("eth_call", ({"to": address, "data": data}, "latest")) for address in addresses]
        for address, answer in zip(addresses, await self._rpc.batch(calls), strict=True):
            returned = codec.data(answered(answer), f"tick spacing of pool {address}")
            (self._spacings[address],) = _TICK_SPACING.result(returned)

    async def roll_back(self, ancestor: Head) -> None:
        """Undo everything above ``ancestor``; the next `sync` continues from it.

        Where the ancestor is older than what is remembered, the next `sync` reads everything again.
        """
        if self._timeline is not None and not self._timeline.roll_back(ancestor):
            self._timeline = None

    def snapshot(self, head: Head) -> Snapshot:
        """Return a frozen picture of the book at ``head``, which was synced."""
        return self.state.snapshot(head, self._signer)

    # -------------------------------------------------------------------------- audit

    async def audit(self, head: Head, sample: int) -> int:
        """Hold a sample of accounts, and every total and price, against the chain at ``head``.

        The sample is drawn by the head's height, so that it is the same for everyone and moves on.

        Parameters
        ----------
        head : Head
            The head that was synced last.
        sample : int
            Most accounts to look at.

        Returns
        -------
        int
            Accounts that were looked at.

        Raises
        ------
        BookDivergedError
            With the first quantity that differs.
        """
        rows = range(len(self.state.book))
        chosen = Random(head.number).sample(rows, min(sample, len(rows)))
        await self._audit_positions(head, chosen)
        await self._audit_markets(head)
        return len(chosen)

    async def _audit_positions(self, head: Head, rows: Sequence[int]) -> None:
        book = self.state.book
        accounts = [book.accounts[row] for row in rows]
        packed = await self._lens(head, lens.POSITIONS, [f"0x{account.hex()}" for account in accounts])
        for row, found in zip(rows, lens.unpack_positions(packed, len(rows)), strict=True):
            kept = lens.LensPosition(
                int(book.epoch[row]),
                bool(book.flagged[row]),
                max(int(book.risk_block[row]), 0),
                {i: amount for i, amount in enumerate(book.collateral.row(row)) if amount},
                {i: shares for i, shares in enumerate(book.debt_shares.row(row)) if shares},
            )
            if kept != found:
                raise BookDivergedError(f"account 0x{book.accounts[row].hex()}", kept, found)

    async def _audit_markets(self, head: Head) -> None:
        state = self.state
        packed = await self._lens(head, lens.MARKETS)
        for asset_id, found in enumerate(lens.unpack_markets(packed)):
            market = state.assets[asset_id].market_at(head.timestamp)
            price = state.price(asset_id, head.timestamp) or 0
            kept = lens.LensMarket(lens.without_clock(market), price)
            if kept != found:
                raise BookDivergedError(f"totals of asset {asset_id}", kept, found)

    async def _lens(self, head: Head, function: Function, *arguments: object) -> bytes:
        call = {"to": self._manifest.position_lens, "data": codec.hex_data(function.data(*arguments))}
        answer = await self._rpc.request("eth_call", (call, codec.at(head)))
        (packed,) = function.result(codec.data(answer, "answer of the position lens"))
        return bytes(packed)

    # ------------------------------------------------------------------------- action

    def call_for(self, decision: Action) -> Call:
        """Return the call that carries out an action."""
        return self._calls.call_for(decision)

    def explain(self, revert_data: bytes) -> str:
        """Return a contract's revert data in words."""
        return explain_revert(revert_data)

    def realised(self, receipt: Receipt) -> int | None:
        """Return what a receipt earned, WAD quote units before gas; None if it cannot be told."""
        return self._payouts.realised(receipt)
