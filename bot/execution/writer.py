"""One account that sends: the only writer of its nonce."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import structlog

from bot.chain import codec
from bot.errors import ChainError, MalformedAnswerError, RpcError
from bot.execution.broadcast import Answer, PublicRoute, Route
from bot.execution.fees import Fees
from bot.execution.guard import Charge, Guard
from bot.execution.hindsight import Hindsight
from bot.execution.options import ExecutorOptions
from bot.execution.pressing import Presser, self_transfer
from bot.execution.signer import Signer, Unsigned
from bot.execution.simulation import Simulator
from bot.execution.tracking import Tracker, Waiting
from bot.ports import (
    Address,
    Appraise,
    Execution,
    Head,
    Intent,
    LandingMemory,
    Lane,
    Ledger,
    Outcome,
    Rpc,
    RpcCall,
    Signed,
    SimulationResult,
    Transaction,
    Verdict,
)

_log = structlog.get_logger(__name__)

_GAP_AFTER_HEADS = 2
"""Heads that a transaction waits behind a missing nonce before the nonce is filled with nothing."""


_MOST_PENDING = 1_024
"""Transactions of one account that a pool may hold: a gap behind more of them would never be filled."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all accounts of an executor share: node, ledger, and rules."""

    rpc: Rpc
    ledger: Ledger
    memory: LandingMemory
    simulator: Simulator
    appraise: Appraise
    guard: Guard
    options: ExecutorOptions


@dataclass(frozen=True, slots=True)
class Account:
    """An account that may send.

    Parameters
    ----------
    address : Address
        Whose nonce.
    signer : Signer or None
        Its key; None for a dry run, which simulates and records but signs nothing.
    lanes : frozenset of Lane
        What it is for.
    route : Route or None
        How its transactions get into blocks; None for the node's own pool.
    """

    address: Address
    signer: Signer | None
    lanes: frozenset[Lane] = frozenset(Lane)
    route: Route | None = None


class Standing(NamedTuple):
    """An account as its node knows it.

    Parameters
    ----------
    nonce : int
        The first that neither the chain nor the node's pool has used.
    balance : int
        Wei at the newest head.
    """

    nonce: int
    balance: int


@dataclass(slots=True)
class Draft:
    """What is about to be landed: rows with their trials, fees, signatures and verdicts so far."""

    rows: Sequence[Transaction]
    trials: dict[int, SimulationResult]
    fees: dict[int, Fees] = field(default_factory=dict)
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    signed: dict[int, Signed] = field(default_factory=dict)

    def judge(self, row: Transaction, outcome: Outcome, reason: str = "") -> None:
        """Settle a row that is not to be signed."""
        self.verdicts[row.id] = Verdict(row.id, outcome, reason)

    @property
    def undecided(self) -> list[Transaction]:
        """Rows that nothing speaks against."""
        return [row for row in self.rows if row.id not in self.verdicts]


class Writer:
    """Lands intents of one account.

    Parameters
    ----------
    account : Account
        Whose.
    here : Surroundings
        What it shares with others.
    """

    def __init__(self, account: Account, here: Surroundings) -> None:
        self.account = account
        self._here = here
        self._route = account.route or PublicRoute(here.rpc)
        self._tracker = Tracker(here.rpc, here.ledger, here.memory, account.address, here.appraise)
        self._hindsight = Hindsight(here.rpc, here.ledger, here.memory, account.address)
        self._presser: Presser | None = None
        if account.signer is not None:
            self._presser = Presser(
                here.rpc, here.ledger, here.simulator, account.signer, self._route, here.options
            )

    async def track(self, head: Head, resend_after: int, halted: str | None) -> list[Transaction]:
        """Settle what landed; press, heal or cancel the rest."""
        revived = await self._hindsight.revived(head)
        tracked = await self._tracker.settle(head)
        changed = [*revived, *tracked.changed]
        if self._presser is not None and tracked.waiting:
            changed += await self._presser.press(
                tracked.waiting, head, resend_after=resend_after, halted=halted
            )
            if halted is None:
                await self._heal(tracked.waiting, head)
        if any(row.outcome is Outcome.ABANDONED or row.outcome is Outcome.REJECTED for row in changed):
            self._hindsight.doubt()
        return changed

    def restart(self) -> None:
        """Forget what is remembered of the ledger: another process may have written since."""
        self._hindsight.doubt()

    async def standing(self) -> Standing:
        """Ask the node where the account stands; one that signs nothing stands nowhere."""
        if self.account.signer is None:
            return Standing(0, 0)
        calls = [
            RpcCall("eth_getTransactionCount", [self.account.address, "pending"]),
            RpcCall("eth_getTransactionCount", [self.account.address, "latest"]),
            RpcCall("eth_getBalance", [self.account.address, "latest"]),
        ]
        answers = await self._here.rpc.batch(calls)
        for answer in answers:
            if isinstance(answer, RpcError):
                raise answer
        nonce, used = (codec.quantity(answer, "eth_getTransactionCount") for answer in answers[:2])
        settled = await self._here.memory.next_nonce(self.account.address)
        if not settled <= nonce <= used + _MOST_PENDING:
            wanted = f"{settled} to {used + _MOST_PENDING}, where nonces are free: it is behind, or lies"
            raise MalformedAnswerError("eth_getTransactionCount", nonce, wanted)
        return Standing(nonce, codec.quantity(answers[2], "eth_getBalance"))

    async def plan(self, intents: Sequence[Intent], head: Head) -> list[Transaction]:
        """Write down what is wanted of the account, ahead of everything else."""
        return await self._here.ledger.plan(intents, self.account.address, head)

    async def land(
        self,
        rows: Sequence[Transaction],
        trials: Sequence[SimulationResult],
        head: Head,
        standing: Standing,
        open_rows: Sequence[Transaction],
    ) -> list[Execution]:
        """Sign, journal and broadcast what was planned and tried; one result each, in order.

        Parameters
        ----------
        rows, trials : sequence of Transaction, sequence of SimulationResult
            What is planned, and what became of it when it was tried.
        head : Head
            On which.
        standing : Standing
            Of the account.
        open_rows : sequence of Transaction
            All that is open in the ledger, of whichever account.
        """
        nonces, balance = self._free_nonces(len(rows), standing, open_rows)
        draft = Draft(rows, dict(zip((row.id for row in rows), trials, strict=True)))
        self._judge(draft, head)
        try:
            await self._limit(draft, balance, head)
            await self._sign(draft, nonces)
        except ChainError as error:  # a remote signer that is away or refuses
            reasons = [Verdict(row.id, Outcome.ABANDONED, f"not signed: {error}") for row in rows]
            await self._here.ledger.conclude(reasons)
            raise
        await self._here.ledger.journal(draft.signed, list(draft.verdicts.values()))
        sent = await self._send(draft, head)
        await self._here.ledger.conclude(sent)
        return _executions(draft, sent)

    def _judge(self, draft: Draft, head: Head) -> None:
        """Settle what would revert or costs too much, and price the rest."""
        policy = self._here.options.fees
        for row in draft.rows:
            trial, terms = draft.trials[row.id], row.intent.terms
            if not trial.succeeded:
                draft.judge(row, Outcome.SIMULATION_REVERTED, trial.reason or "it reverted")
                continue
            ceiling = policy.ceiling(terms.worth, self._here.options.gas_limit(row.intent.call, trial))
            fees = policy.at(head, ceiling)
            if fees is not None:
                draft.fees[row.id] = fees
                continue
            most = policy.cap if ceiling is None else min(policy.cap, ceiling)
            reason = f"base fee {head.base_fee_per_gas} and tip {policy.tip} exceed the cap of {most} wei"
            draft.judge(row, Outcome.FEE_ABOVE_CAP, reason)

    async def _limit(self, draft: Draft, balance: int, head: Head) -> None:
        rows = draft.undecided
        if self.account.signer is None:
            for row in rows:
                draft.judge(row, Outcome.DRY_RUN)
            return
        charges = [
            Charge(row.intent, self._gas(draft, row) * draft.fees[row.id].max_fee_per_gas) for row in rows
        ]
        reasons = await self._here.guard.admit(charges, balance, head) if charges else []
        for row, reason in zip(rows, reasons, strict=True):
            if reason is not None:
                draft.judge(row, Outcome.LIMITED, reason)

    async def _sign(self, draft: Draft, nonces: Sequence[int]) -> None:
        signer = self.account.signer
        for row in draft.undecided:
            if signer is not None:
                unsigned = Unsigned(
                    row.intent.call,
                    self._here.options.chain_id,
                    nonces[len(draft.signed)],
                    self._gas(draft, row),
                    draft.fees[row.id],
                )
                draft.signed[row.id] = await signer.sign(unsigned)

    def _gas(self, draft: Draft, row: Transaction) -> int:
        return self._here.options.gas_limit(row.intent.call, draft.trials[row.id])

    def _free_nonces(
        self, count: int, standing: Standing, open_rows: Sequence[Transaction]
    ) -> tuple[list[int], int]:
        """Return the lowest nonces that neither chain, pool nor an open transaction has, and what is left.

        That is the balance less what open transactions carry away, and cost at most.
        """
        ours = [
            (row.signed, row.intent.call.value)
            for row in open_rows
            if row.signed is not None and row.signer == self.account.address
        ]
        held = {signed.nonce for signed, _ in ours}
        owed = sum(_worst_cost(signed) + value for signed, value in ours)
        free: list[int] = []
        nonce = standing.nonce
        while len(free) < count:
            if nonce not in held:
                free.append(nonce)
            nonce += 1
        return free, standing.balance - owed

    async def _send(self, draft: Draft, head: Head) -> list[Verdict]:
        """Broadcast everything at once: the order of nonces is for the node to keep.

        What the node refuses gives its nonce back; what stands behind it waits in the pool until the
        nonce is used again, or filled.
        """
        rows = [(row, draft.signed[row.id]) for row in draft.rows if row.id in draft.signed]
        if not rows:
            return []
        answers: list[Answer] = await self._route.send(rows, head)
        if any(answer.outcome is Outcome.REJECTED for answer in answers):
            self._hindsight.doubt()
        return [
            Verdict(row.id, answer.outcome, answer.reason)
            for (row, _), answer in zip(rows, answers, strict=True)
        ]

    async def _heal(self, waiting: Sequence[Waiting], head: Head) -> None:
        """Fill the first nonce that transactions wait behind and nobody uses, with a transfer of nothing."""
        stuck = [item for item in waiting if head.number - item.row.planned_block >= _GAP_AFTER_HEADS]
        if not stuck:
            return
        standing = await self.standing()
        open_rows = await self._here.ledger.open_transactions(self.account.address)
        (missing, *_), _balance = self._free_nonces(1, standing, open_rows)
        behind = [item for item in stuck if item.signed.nonce > missing]
        if not behind:
            return
        _log.warning("nonce_filled", signer=self.account.address, nonce=missing, waiting=len(behind))
        call = self_transfer(self.account.address)
        intent = Intent(f"fill:{missing}:{head.hash}", "nonce", str(missing), call, expected_profit=0)
        trial = SimulationResult(succeeded=True, gas_used=0, data=b"")
        await self.land(await self.plan([intent], head), [trial], head, standing, open_rows)


def _worst_cost(signed: Signed) -> int:
    return signed.gas_limit * signed.max_fee_per_gas


def _executions(draft: Draft, sent: Sequence[Verdict]) -> list[Execution]:
    verdicts = draft.verdicts | {verdict.transaction_id: verdict for verdict in sent}
    executions: list[Execution] = []
    for row in draft.rows:
        verdict = verdicts[row.id]
        execution = Execution(
            row.intent, verdict.outcome, reason=verdict.reason, simulation=draft.trials[row.id]
        )
        if row.id in draft.signed:
            signed = draft.signed[row.id]
            execution = replace(execution, hash=signed.hash, nonce=signed.nonce)
        _log.info(
            "intent",
            account=row.intent.account,
            outcome=execution.outcome.value,
            nonce=execution.nonce,
            hash=execution.hash,
            reason=execution.reason,
        )
        executions.append(execution)
    return executions
