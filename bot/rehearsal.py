"""Every account as if it were liquidatable, on a fork: what the keeper would do, and what would fail and why.

The fork is a local node that reads the configured chain and keeps its own changes. One account after the
other is pushed below health 1 by lowering the liquidation thresholds of what it holds: prices and pools stay
as they are, so that the market the keeper meets is the real one. Then the keeper's own code decides,
simulates and sends from its own address, block by block, until the account is settled or something stands in
the way; and the fork goes back to where it was. No key is needed, and nothing reaches the configured chain.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from eth_utils.address import to_checksum_address

from bot.chain import codec
from bot.chain.pool import EndpointPool
from bot.config import Settings
from bot.domain.uint128 import UInt128Array
from bot.domain.wad import WAD
from bot.errors import RehearsalError
from bot.execution.simulation import Simulator, Trial
from bot.ops.logs import without_secrets
from bot.ports import Address, Call, Head, SimulationResult
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.protocols.sluice.calls import Function
from bot.protocols.sluice.manifest import Manifest, load_manifest
from bot.sending import main_account, require_gas_asset
from bot.sim.anvil import Anvil, AnvilOptions, running_anvil
from bot.strategy.case import Case
from bot.strategy.decide import decide
from bot.strategy.decision import Candidate, Decision
from bot.strategy.screen import Screen
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import Positions, Snapshot

PUSHED_TO: Final = 0.99
"""Health that accounts are pushed to, at most: thresholds are whole basis points, rounded down."""

STEPS: Final = 48
"""Blocks played for an account at most."""

WAIT_S: Final = 60
"""Seconds until the next look at an account on which the keeper waits: its reserve falls meanwhile."""

_PERMITS_ALL: Final = "0x600160005260406000f3"
"""Code that answers every question with (true, 0), as an access manager that lets anybody do anything."""

_GOVERNOR: Final = "0x00000000000000000000000000000000000000A0"
_MONEY: Final = hex(10**21)
_GAS: Final = hex(10_000_000)

_PARAMETERS: Final = Function("clearing_house", "assetParameters")
_SET_PARAMETERS: Final = Function("clearing_house", "setAssetParameters")


class Verdict(StrEnum):
    """How a rehearsal of one account ended."""

    SETTLED = "settled"
    """It is healthy again, or written off."""
    WAITS = "waits"
    """The keeper found nothing worth doing, to the end of what was played."""
    REVERTS = "reverts"
    """An action that it chose would revert, or did."""
    UNPRICED = "unpriced"
    """The oracle refuses a price, so nothing can be decided."""
    UNMOVED = "unmoved"
    """Thresholds cannot be lowered far enough to make it unhealthy."""


class Rehearsed(NamedTuple):
    """What became of one account.

    Parameters
    ----------
    account : str
        Address.
    health : float
        Before it was pushed.
    debt_value : int
        WAD quote units.
    verdict : Verdict
        How it ended.
    actions : tuple of str
        What was done, in order.
    reasons : tuple of str
        Why it went no further; empty if it was settled.
    profit : int
        Realised, WAD quote units, before gas.
    gas : int
        Used by all actions.
    """

    account: str
    health: float
    debt_value: int
    verdict: Verdict
    actions: tuple[str, ...]
    reasons: tuple[str, ...]
    profit: int
    gas: int


@dataclass(frozen=True, slots=True)
class Programme:
    """What a rehearsal found.

    Parameters
    ----------
    block : int
        Height that was forked.
    sender : str
        Who acted.
    warnings : tuple of str
        What stands in the way of every account.
    accounts : tuple of Rehearsed
        One after the other, nearest to liquidation first.
    """

    block: int
    sender: str
    warnings: tuple[str, ...]
    accounts: tuple[Rehearsed, ...]

    @property
    def failures(self) -> list[Rehearsed]:
        """The accounts that were not settled."""
        return [found for found in self.accounts if found.verdict is not Verdict.SETTLED]


async def rehearse(
    settings: Settings,
    limits: StrategySettings,
    most: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Programme:
    """Rehearse on a fork of the chain that the settings name.

    Parameters
    ----------
    settings : Settings
        The keeper's.
    limits : StrategySettings
        The strategy's.
    most : int or None
        Accounts at most, those nearest to liquidation; None for all in debt.
    progress : callable, optional
        Is told how many of how many are done.

    Raises
    ------
    EndpointUnreachableError, WrongChainError
        If the first endpoint cannot be forked.
    LocalNodeError
        If the fork cannot be started.
    RehearsalError
        If the fork cannot be changed as needed.
    SluiceError
        If the chain cannot be read.
    """
    manifest = load_manifest(settings.manifest, settings.chain.chain_id)
    require_gas_asset(settings, manifest)
    sender = main_account(settings, None)
    async with settings.chain.clients()[0]:
        pass  # one that is away, or of another chain, is told by its setting, and not in the fork's words
    upstream = settings.chain.endpoint.get_secret_value()
    options = AnvilOptions(
        arguments=("--fork-url", upstream, "--accounts", "0"), chain_id=settings.chain.chain_id
    )
    with running_anvil(options) as node:
        given = {"endpoint": node.ws_url, "endpoints": (), "chain_id": settings.chain.chain_id}
        chain = type(settings.chain).model_validate({**settings.chain.model_dump(), **given})
        async with EndpointPool(chain.clients(), chain.pool_options()) as rpc:
            stage = _Stage(node, rpc, manifest, sender, limits)
            return await stage.play(most, progress)


class _Stage:
    """A fork, and the keeper's parts upon it."""

    def __init__(
        self, node: Anvil, rpc: EndpointPool, manifest: Manifest, sender: Address, limits: StrategySettings
    ) -> None:
        self._node: Final = node
        self._rpc: Final = rpc
        self._manifest: Final = manifest
        self._sender: Final = sender
        self._limits: Final = limits
        self._protocol: Final = SluiceProtocol(rpc, manifest, sender)
        self._simulator: Final = Simulator(rpc, block_time_s=1)  # the stage mines at once

    async def play(self, most: int | None, progress: Callable[[int, int], None] | None) -> Programme:
        await self._protocol.check(self._manifest.clearing_house)
        before = codec.quantity(self._node.rpc.call("eth_getBalance", self._sender, "latest"), "balance")
        self._prepare()
        snapshot = await self._look()
        rows = _indebted(snapshot)[:most]
        found = []
        for done, row in enumerate(rows):
            found.append(await self._account(row))
            if progress is not None:
                progress(done + 1, len(rows))
        warnings = _warnings(snapshot, before, self._limits)
        return Programme(snapshot.block, self._sender, warnings, tuple(found))

    def _prepare(self) -> None:
        """Give the sender and a governor money, and let the governor govern."""
        rpc = self._node.rpc
        rpc.call("anvil_autoImpersonateAccount", True)
        for address in (self._sender, _GOVERNOR):
            rpc.call("anvil_setBalance", address, _MONEY)
        rpc.call("anvil_setCode", self._manifest.access_manager, _PERMITS_ALL)
        rpc.call("evm_mine")

    async def _look(self) -> Snapshot:
        head = await self._rpc.newest_head()
        await self._protocol.sync(head)
        return self._protocol.snapshot(head)

    # -------------------------------------------------------------------------- an account

    async def _account(self, row: int) -> Rehearsed:
        """Rehearse one account, and put the fork and the book back to where they were."""
        base = await self._rpc.newest_head()
        saved = self._node.rpc.call("evm_snapshot")
        try:
            return await self._act_out(row)
        finally:
            self._node.rpc.call("evm_revert", saved)
            await self._protocol.roll_back(base)

    async def _act_out(self, row: int) -> Rehearsed:
        snapshot = await self._look()
        account = to_checksum_address(snapshot.positions.accounts[row])
        if any(snapshot.assets[asset.asset_id].price is None for asset in snapshot.holdings(row)):
            reason = ("the oracle refuses a price",)
            return Rehearsed(account, float("nan"), 0, Verdict.UNPRICED, (), reason, 0, 0)
        case = Case.of(snapshot, row)
        story = _Story(account, case.balance.health_factor / WAD, case.balance.debt_value)
        if case.healthy:
            self._push(case)
            if Case.of(await self._look(), row).healthy:
                return story.ended(Verdict.UNMOVED, "thresholds of a basis point leave it healthy")
        return await self._settle(row, story)

    def _push(self, case: Case) -> None:
        """Lower the thresholds of what an account holds until its health is below 1."""
        share = PUSHED_TO * WAD / case.balance.health_factor
        for holding in case.holdings:
            if not holding.collateral:
                continue
            given = self._view(self._manifest.clearing_house, _PARAMETERS.data(holding.asset_id))
            ((ltv, threshold, *rest),) = _PARAMETERS.result(given)
            lowered = max(int(threshold * share), 1)
            data = _SET_PARAMETERS.data(holding.asset_id, (min(ltv, lowered - 1), lowered, *rest))
            receipt = self._send(_GOVERNOR, self._manifest.clearing_house, data, _GAS)
            if receipt["status"] != "0x1":
                raise RehearsalError(
                    f"the threshold of asset {holding.asset_id} cannot be set to {lowered} bps",
                    "the clearing house at this address follows other rules than this version",
                )

    async def _settle(self, row: int, story: "_Story") -> Rehearsed:
        """Let the keeper act on an account, block by block."""
        for _ in range(STEPS):
            snapshot = await self._look()
            decisions = decide(_alone(snapshot, row), self._limits)
            if decisions.unpriced:
                return story.ended(Verdict.UNPRICED, "its prices went stale before it was settled")
            if not decisions.decisions:
                return story.ended(Verdict.SETTLED)
            decision = decisions.decisions[-1]  # the account's; depth is read as it may, before it
            if decision.chosen is None:
                story.waits(decision)
                self._wait()
                continue
            problem = await self._carry_out(decision, story)
            if problem is not None:
                return story.ended(Verdict.REVERTS, problem)
        return story.ended(Verdict.WAITS, *story.last_reasons)

    async def _carry_out(self, decision: Decision, story: "_Story") -> str | None:
        """Simulate and send what was decided; return why that failed, or None."""
        assert decision.chosen is not None
        chosen, head = decision.chosen, await self._rpc.newest_head()
        kind, call, trial = await self._tried(chosen, head)
        if not trial.succeeded and chosen.further:  # as the keeper does on the same head
            kind, call, trial = await self._tried(chosen.alone, head)
        if not trial.succeeded:
            said = self._protocol.explain(trial.data) if trial.data else without_secrets(trial.reason)
            return f"{kind}: {said}"
        receipt = self._send(self._sender, call.to, call.data, hex(2 * trial.gas_used))
        landed = codec.receipt(receipt)
        if not landed.succeeded:
            return f"{kind}: reverted in a block, though its simulation went through"
        story.acted(kind, self._protocol.realised(landed) or 0, landed.gas_used)
        return None

    async def _tried(self, chosen: Candidate, head: Head) -> tuple[str, Call, SimulationResult]:
        """Simulate what was chosen; return its name, its call and what would become of it."""
        call = self._protocol.call_for(chosen.action)
        (trial,) = await self._simulator.run([Trial(self._sender, call)], head)
        return chosen.action.label, call, trial

    # ------------------------------------------------------------------------------- node

    def _send(self, sender: str, to: str, data: bytes, gas: str) -> Any:
        transaction = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": gas}
        return self._node.rpc.call("eth_sendTransactionSync", transaction)

    def _view(self, to: str, data: bytes) -> bytes:
        answer = self._node.rpc.call("eth_call", {"to": to, "data": "0x" + data.hex()}, "latest")
        return codec.data(answer, "eth_call")

    def _wait(self) -> None:
        self._node.rpc.call("evm_increaseTime", WAIT_S)
        self._node.rpc.call("evm_mine")


class _Story:
    """What has happened to an account so far."""

    def __init__(self, account: str, health: float, debt_value: int) -> None:
        self._account: Final = account
        self._health: Final = health
        self._debt_value: Final = debt_value
        self._actions: list[str] = []
        self._profit = self._gas = 0
        self.last_reasons: tuple[str, ...] = ()

    def acted(self, kind: str, profit: int, gas: int) -> None:
        self._actions.append(kind)
        self._profit += profit
        self._gas += gas

    def waits(self, decision: Decision) -> None:
        reasons = (f"{rejection.kind}: {rejection.reason}" for rejection in decision.rejected)
        self.last_reasons = tuple(dict.fromkeys(reasons))

    def ended(self, verdict: Verdict, *reasons: str) -> Rehearsed:
        known = reasons or (("the blocks played ran out",) if verdict is Verdict.WAITS else ())
        return Rehearsed(
            self._account,
            self._health,
            self._debt_value,
            verdict,
            tuple(self._actions),
            known,
            self._profit,
            self._gas,
        )


def _indebted(snapshot: Snapshot) -> list[int]:
    """Return the rows of accounts in debt, nearest to liquidation first, those without a price last."""
    health = Screen(snapshot).health
    owing = (snapshot.positions.debt_shares.floats() > 0.0).any(axis=1)
    order = np.argsort(np.where(np.isnan(health), np.inf, health), kind="stable")
    return [int(row) for row in order if owing[row]]


def _alone(snapshot: Snapshot, row: int) -> Snapshot:
    """Return the snapshot as if nobody else had an account."""
    positions = snapshot.positions
    auction = snapshot.auctions.get(row)
    alone = Positions(
        (positions.accounts[row],),
        _only(positions.collateral, row),
        _only(positions.debt_shares, row),
        positions.flagged[row : row + 1],
        positions.risk_block[row : row + 1],
    )
    auctions = MappingProxyType({} if auction is None else {0: auction})
    return replace(snapshot, positions=alone, auctions=auctions)


def _only(amounts: UInt128Array, row: int) -> UInt128Array:
    own = UInt128Array.zeros(1, amounts.shape[1])
    for asset, value in enumerate(amounts.row(row)):
        own[0, asset] = value
    return own


def _warnings(snapshot: Snapshot, balance: int, limits: StrategySettings) -> tuple[str, ...]:
    """Return what stands in the way of every account."""
    found = []
    least = (snapshot.base_fee + limits.priority_fee) * (limits.gas.kick + limits.gas.take)
    if balance < least:
        found.append(
            f"the keeper's account holds {balance / WAD:.6g} coins for gas; "
            f"a kick and a take cost {least / WAD:.6g} now"
        )
    if snapshot.halted:
        found.append("liquidations are halted")
    if not snapshot.swap_open:
        found.append("the engine may not sell through the pools: no swap can succeed")
    if not snapshot.take_open:
        found.append("the flash taker does not serve the keeper: its owner must name it as operator")
    if snapshot.pools and not any(view.pool.liquidity_net for view in snapshot.pools):
        found.append("no pool holds any liquidity: nothing can be sold")
    return tuple(found)
