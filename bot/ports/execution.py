"""Calls, intents and what becomes of them, and the executor that lands them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from bot.ports.chain import Address, Hash32, Head, Receipt
from bot.strategy.inclusion import Moved

Appraise: TypeAlias = Callable[[str, Receipt], int | None]
"""Profit realised by a receipt of the named protocol, WAD quote units before gas; None if unknown."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call to a contract, not yet a transaction.

    Parameters
    ----------
    to : Address
        The contract.
    data : bytes
        Calldata.
    value : int
        Wei sent along.
    gas_limit : int or None
        Gas; None takes the estimate of the simulation and the executor's margin.
    gas_reserve : int
        Gas that a contract on the way asks to be left, beyond what the call uses: a simulation with plenty
        does not show it. It matters until the call is signed; no ledger keeps it.
    """

    to: Address
    data: bytes
    value: int = 0
    gas_limit: int | None = None
    gas_reserve: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """A call tried on the state of one head.

    Parameters
    ----------
    succeeded : bool
        Whether it would have gone through.
    gas_used : int
        Gas limit that the node found sufficient; 0 if the call reverted.
    data : bytes
        What the call returned, or the revert data (selector and arguments of the custom error).
    reason : str
        Empty, or the node's words for the revert.
    """

    succeeded: bool
    gas_used: int
    data: bytes
    reason: str = ""


class Lane(StrEnum):
    """How urgent an intent is."""

    URGENT = "urgent"
    """Settlements and what leads to them: worth less with every block."""
    HOUSEKEEPING = "housekeeping"
    """What nobody is paid for, and what may as well land later: it never delays the urgent."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How an intent may be landed, and what it puts at stake.

    Parameters
    ----------
    lane : Lane
        How urgent it is.
    worth : int or None
        Wei that its inclusion is worth: the most that its gas may cost. None for an action that pays
        nothing by itself; the operator's cap bounds it.
    deadline : int or None
        Block time, unix seconds, after which it must not land; None if it has none of its own.
    moves : tuple of Moved
        What each of its settlements buys or moves, in order, held against the limits of value.
    sender : Address or None
        Who must send it; None for any account that serves its lane. A row's signer tells who did.
    """

    lane: Lane = Lane.URGENT
    worth: int | None = None
    deadline: int | None = None
    moves: tuple[Moved, ...] = ()
    sender: Address | None = None

    @property
    def value(self) -> int:
        """All that it moves, WAD quote units."""
        return sum(moved.value for moved in self.moves)


class Outcome(StrEnum):
    """What is known of an intent. Submitted, included and profitable are different facts.

    PLANNED, SIGNED and SUBMITTED are open: tracking moves them on. All others are final, though a
    reorg opens INCLUDED, REVERTED and DROPPED again, and a REPLACED one may be INCLUDED after all.
    """

    PLANNED = "planned"
    """Recorded, nothing signed: a crash here leaves nothing behind."""
    IN_FLIGHT = "in_flight"
    """Refused: a transaction for the same account is still open, or one with the same key landed."""
    DRY_RUN = "dry_run"
    """Simulated with success, not signed, because the executor was told not to."""
    SIMULATION_REVERTED = "simulation_reverted"
    """Would have reverted on the head; not signed."""
    FEE_ABOVE_CAP = "fee_above_cap"
    """The head's base fee leaves no room under the cap, or under what inclusion is worth; not signed."""
    LIMITED = "limited"
    """A hard limit, or a halt, forbids it; not signed."""
    SIGNED = "signed"
    """The raw transaction is in the ledger; whether the node has it is unknown."""
    SUBMITTED = "submitted"
    """The node has taken it into its pool."""
    INCLUDED = "included"
    """In a block, and it succeeded."""
    REVERTED = "reverted"
    """In a block, and it reverted: gas was paid for nothing."""
    REJECTED = "rejected"
    """The node refused it; it is in no pool and its nonce was given back."""
    DROPPED = "dropped"
    """Its nonce was used by another transaction; it can never land."""
    REPLACED = "replaced"
    """A dearer transaction with the same nonce was signed; either may land, never both."""
    ABANDONED = "abandoned"
    """Given up before it left the process: a crash or a refused predecessor."""

    @property
    def is_open(self) -> bool:
        """Whether the transaction may still land, or was not settled yet."""
        return self in (Outcome.PLANNED, Outcome.SIGNED, Outcome.SUBMITTED)


@dataclass(frozen=True, slots=True)
class Intent:
    """An action that the service wants on chain.

    Parameters
    ----------
    key : str
        Idempotency key: protocol, account, version of the state acted on, route. Of all intents with
        one key at most one is ever open or included.
    protocol : str
        Name of the protocol whose `realised` reads the receipt.
    account : str
        What is acted on. While one intent of a protocol's account is open, others are IN_FLIGHT.
    call : Call
        What to send.
    expected_profit : int
        WAD quote units, after gas.
    decision_id : int or None
        Row of the decision in the ledger.
    terms : Terms
        How it may be landed.
    """

    key: str
    protocol: str
    account: str
    call: Call
    expected_profit: int
    decision_id: int | None = None
    terms: Terms = Terms()

    @property
    def trace(self) -> str | None:
        """`Head.trace` of the head that it was decided on; None if its key names none."""
        hashes = (part for part in self.key.split(":") if part.startswith("0x") and len(part) == 66)
        return next((part[2:14] for part in hashes), None)


@dataclass(frozen=True, slots=True)
class Execution:
    """What became of an intent so far.

    Parameters
    ----------
    intent : Intent
        The intent.
    outcome : Outcome
        What is known.
    hash : Hash32 or None
        Of the signed transaction, if one was signed.
    nonce : int or None
        Of the signed transaction.
    reason : str
        Why it went no further, in the node's words; empty if it did.
    simulation : SimulationResult or None
        The trial on the head, if there was one.
    """

    intent: Intent
    outcome: Outcome
    hash: Hash32 | None = None
    nonce: int | None = None
    reason: str = ""
    simulation: SimulationResult | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction, journalled before it is sent.

    Parameters
    ----------
    raw : bytes
        What is broadcast, and broadcast again after a crash: the same bytes, so never twice on chain.
    hash : Hash32
        Its hash.
    nonce, gas_limit : int
        As signed.
    max_fee_per_gas, max_priority_fee_per_gas : int
        Wei, as signed.
    """

    raw: bytes
    hash: Hash32
    nonce: int
    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """An intent as the ledger knows it, from plan to receipt.

    Parameters
    ----------
    id : int
        Row.
    intent : Intent
        What was wanted.
    signer : Address or None
        Who signs; None in a dry run without a key.
    planned_block : int
        Height of the head it was planned on.
    outcome : Outcome
        What is known.
    reason : str
        Why it went no further, if it did not.
    signed : Signed or None
        The signed transaction, from SIGNED on.
    block_number : int or None
        Where it settled.
    block_hash : Hash32 or None
        Where it settled.
    gas_used, effective_gas_price : int or None
        From the receipt.
    realised_profit : int or None
        WAD quote units before gas, read from the receipt's logs.
    """

    id: int
    intent: Intent
    signer: Address | None
    planned_block: int
    outcome: Outcome
    reason: str = ""
    signed: Signed | None = None
    block_number: int | None = None
    block_hash: Hash32 | None = None
    gas_used: int | None = None
    effective_gas_price: int | None = None
    realised_profit: int | None = None

    @property
    def cancels(self) -> bool:
        """Whether it does nothing but use its nonce: a transfer of nothing to oneself."""
        call = self.intent.call
        return call.to == self.signer and not call.data and call.value == 0


class Executor(Protocol):
    """Lands intents; the one writer of its signer's nonce."""

    async def reconcile(self, head: Head) -> Sequence[Transaction]:
        """Bring every open transaction of the ledger up to what the chain knows.

        Call it once, before the first `execute`: start-up is the recovery path.
        """
        ...

    async def simulate(self, calls: Sequence[Call], head: Head) -> list[SimulationResult]:
        """Try calls on the state of ``head``, in order.

        Each sees what the ones before it change where the node can do that; else each is tried alone.
        """
        ...

    async def execute(
        self,
        intents: Sequence[Intent],
        head: Head,
        decisions: Awaitable[Mapping[str, int]] | None = None,
    ) -> list[Execution]:
        """Simulate, sign, journal and broadcast, in the order given; one result per intent.

        Returns when the node has answered for each. Cancelling it leaves the ledger consistent.

        Parameters
        ----------
        intents : sequence of Intent
            What is wanted.
        head : Head
            On which.
        decisions : awaitable of mapping of str to int, optional
            Ids of the decisions, by account, for intents that name none yet. They may be on their
            way to the ledger still: what is planned waits for them, the simulation does not.
        """
        ...

    async def track(self, head: Head) -> Sequence[Transaction]:
        """Look for open transactions on chain; return those whose outcome changed.

        Those that wait are offered again, made dearer up to what they are worth, or cancelled. While
        the keeper is halted all of them are cancelled.
        """
        ...

    async def roll_back(self, ancestor: Head) -> None:
        """Open transactions again that were settled above ``ancestor``."""
        ...


class Inventory(Protocol):
    """Watches what the accounts hold."""

    async def wants(self, head: Head) -> list[Intent]:
        """Return what has to be moved or approved on ``head``, most often nothing."""
        ...
