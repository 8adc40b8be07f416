"""What the layers say to each other: frozen values, and the protocols that adapters implement.

Nothing here does I/O or knows an implementation. The service is written against these names;
`bot.chain`, `bot.protocols`, `bot.execution`, `bot.ledger` and `bot.ops` implement them, and
`bot.bootstrap` puts the two together.

Units
-----
Wei for native value and gas prices; token units for amounts of a token; WAD quote units (10**18 is
one quote unit) for profit. All of them are `int`, exact, of any size. Block time is unix seconds.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, NewType, Protocol, TypeAlias, TypeVar

from bot.errors import RpcError

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
"""What a JSON-RPC endpoint takes and gives; every use narrows it with `bot.chain.codec`."""

Address = NewType("Address", str)
"""A 20-byte address, checksummed (EIP-55)."""

Hash32 = NewType("Hash32", str)
"""A 32-byte hash, ``0x`` and 64 lower-case hex digits."""


# ---------------------------------------------------------------------------------------- chain


@dataclass(frozen=True, slots=True)
class Head:
    """A block header, as far as the keeper needs it.

    Parameters
    ----------
    number : int
        Height.
    hash, parent_hash : Hash32
        The links of the chain; a reorg is found by them alone.
    timestamp : int
        Unix seconds. The only clock that a decision may read.
    base_fee_per_gas : int
        Wei.
    """

    number: int
    hash: Hash32
    parent_hash: Hash32
    timestamp: int
    base_fee_per_gas: int


@dataclass(frozen=True, slots=True)
class NewHead:
    """The chain grew by ``head``, which is the child of the head announced before it.

    Parameters
    ----------
    head : Head
        The new head.
    behind : int
        How many newer heads were known when this one was announced. State must be kept for every
        head; acting pays only on one with ``behind == 0``.
    """

    head: Head
    behind: int


@dataclass(frozen=True, slots=True)
class Reorg:
    """The heads above ``ancestor`` are no longer part of the chain.

    The next event is the `NewHead` of the ancestor's new child.

    Parameters
    ----------
    ancestor : Head
        The last head that both branches share.
    dropped : tuple of Head
        The heads that were announced and are void, oldest first; never empty.
    """

    ancestor: Head
    dropped: tuple[Head, ...]


HeadEvent: TypeAlias = NewHead | Reorg


class HeadFeed(Protocol):
    """An endless, contiguous chain of heads."""

    def __aiter__(self) -> AsyncIterator[HeadEvent]:
        """Iterate over the events, beginning with the newest head known to the endpoint.

        Between two events the socket may have dropped and come back; the heads missed are backfilled,
        so that each `NewHead` is the child of the head before it, or follows a `Reorg` to its parent.

        Raises
        ------
        EndpointUnreachableError
            If the endpoint stays away longer than the feed is told to wait.
        ReorgTooDeepError
            If no common ancestor is among the heads remembered.
        """
        ...


class RpcCall(NamedTuple):
    """One element of a batch."""

    method: str
    params: Sequence[Json] = ()


class Rpc(Protocol):
    """A JSON-RPC endpoint whose chain id was checked."""

    @property
    def label(self) -> str:
        """Scheme, host and port of the endpoint; safe to print."""
        ...

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        """Send one request and return its result.

        Raises
        ------
        EndpointUnreachableError
            If no answer came in time, or the connection is gone. The request may have been acted on.
        RpcError
            If the node answered with an error.
        MalformedAnswerError
            If the answer is not JSON-RPC.
        """
        ...

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        """Send many requests at once; results in the order asked, an error standing in its place.

        Raises
        ------
        EndpointUnreachableError, MalformedAnswerError
            As for `request`, for the batch as a whole.
        """
        ...


@dataclass(frozen=True, slots=True)
class Log:
    """An event as a contract emitted it.

    Parameters
    ----------
    address : Address
        The contract.
    topics : tuple of Hash32
        Signature hash first.
    data : bytes
        ABI-encoded, not indexed, fields.
    block_number, log_index : int
        Its place in the chain; the pair orders logs.
    block_hash, transaction_hash : Hash32
        Its block, and the transaction that caused it.
    """

    address: Address
    topics: tuple[Hash32, ...]
    data: bytes
    block_number: int
    block_hash: Hash32
    transaction_hash: Hash32
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction that was included.

    Parameters
    ----------
    transaction_hash, block_hash : Hash32
        The transaction and its block.
    block_number : int
        Height of that block.
    succeeded : bool
        False if execution reverted.
    gas_used : int
        Gas.
    effective_gas_price : int
        Wei per gas really paid.
    logs : tuple of Log
        In order; empty if it reverted.
    """

    transaction_hash: Hash32
    block_hash: Hash32
    block_number: int
    succeeded: bool
    gas_used: int
    effective_gas_price: int
    logs: tuple[Log, ...]


# ------------------------------------------------------------------------------------ execution


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
    """

    to: Address
    data: bytes
    value: int = 0
    gas_limit: int | None = None


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


class Outcome(StrEnum):
    """What is known of an intent. Submitted, included and profitable are different facts.

    PLANNED, SIGNED and SUBMITTED are open: tracking moves them on. All others are final, though a
    reorg opens INCLUDED, REVERTED and DROPPED again.
    """

    PLANNED = "planned"
    """Recorded, nothing signed: a crash here leaves nothing behind."""
    IN_FLIGHT = "in_flight"
    """Refused: an earlier transaction for the same account is still open."""
    DRY_RUN = "dry_run"
    """Simulated with success, not signed, because the executor was told not to."""
    SIMULATION_REVERTED = "simulation_reverted"
    """Would have reverted on the head; not signed."""
    FEE_ABOVE_CAP = "fee_above_cap"
    """The head's base fee leaves no room under the cap; not signed."""
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
    """

    key: str
    protocol: str
    account: str
    call: Call
    expected_profit: int
    decision_id: int | None = None


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


class Executor(Protocol):
    """Lands intents; the one writer of its signer's nonce."""

    async def reconcile(self, head: Head) -> Sequence["Transaction"]:
        """Bring every open transaction of the ledger up to what the chain knows.

        Call it once, before the first `execute`: start-up is the recovery path.
        """
        ...

    async def simulate(self, calls: Sequence[Call], head: Head) -> list[SimulationResult]:
        """Try calls one by one on the state of ``head``, each as if it were alone."""
        ...

    async def execute(self, intents: Sequence[Intent], head: Head) -> list[Execution]:
        """Simulate, sign, journal and broadcast, in the order given; one result per intent.

        Returns when the node has answered for each. Cancelling it leaves the ledger consistent.
        """
        ...

    async def track(self, head: Head) -> Sequence["Transaction"]:
        """Look for open transactions on chain; return those whose outcome changed."""
        ...

    async def roll_back(self, ancestor: Head) -> None:
        """Open transactions again that were settled above ``ancestor``."""
        ...


Appraise: TypeAlias = Callable[[str, Receipt], int | None]
"""Profit realised by a receipt of the named protocol, WAD quote units before gas; None if unknown."""


# --------------------------------------------------------------------------------------- ledger


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision as the ledger keeps it: what was known, what was chosen, and why not the rest.

    Parameters
    ----------
    protocol, account : str
        What was decided on.
    inputs : mapping
        The part of the snapshot that the decision rests on.
    chosen : mapping or None
        The candidate taken; None if none was good enough.
    rejected : sequence of mapping
        Every other candidate, each with the ``reason`` it lost.

    Notes
    -----
    Values may be dataclasses, enums, bytes and integers of any size; integers of 2**53 and more are
    kept as strings, because JSON readers round them.
    """

    protocol: str
    account: str
    inputs: Mapping[str, object]
    chosen: Mapping[str, object] | None
    rejected: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision read back, with the block it was taken on; the mappings are plain JSON."""

    id: int
    block_number: int
    block_hash: Hash32
    decision: Decision


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """A change of outcome that did not need a signature or a receipt."""

    transaction_id: int
    outcome: Outcome
    reason: str = ""
    block_number: int | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """A receipt found for a transaction of the ledger, with what it earned."""

    transaction_id: int
    receipt: Receipt
    realised_profit: int | None


class Ledger(Protocol):
    """Durable memory. Each method is one database transaction, on disk when it returns."""

    async def record_head(self, head: Head) -> None:
        """Note that ``head`` was acted on. Recording a head twice changes nothing."""
        ...

    async def last_head(self) -> Head | None:
        """Return the highest canonical head recorded, or None."""
        ...

    async def record_decisions(self, head: Head, decisions: Sequence[Decision]) -> list[int]:
        """Keep decisions; return their ids in order."""
        ...

    async def plan(self, intents: Sequence[Intent], signer: Address | None, head: Head) -> list[Transaction]:
        """Write intents ahead of everything else, as PLANNED."""
        ...

    async def journal(self, signed: Mapping[int, Signed], verdicts: Sequence[Verdict] = ()) -> None:
        """Keep signed transactions (by id) as SIGNED, before any of them is broadcast.

        Raises
        ------
        DuplicateTransactionError
            If the nonce or the key is taken by another open or included transaction.
        """
        ...

    async def conclude(
        self, verdicts: Sequence[Verdict] = (), settlements: Sequence[Settlement] = ()
    ) -> list[Transaction]:
        """Write new outcomes; return the transactions as they are now."""
        ...

    async def open_transactions(self, signer: Address | None = None) -> list[Transaction]:
        """Return PLANNED, SIGNED and SUBMITTED transactions, by nonce and then id."""
        ...

    async def transactions_with_nonce(self, signer: Address, nonce: int) -> list[Transaction]:
        """Return every transaction ever signed with that nonce, whatever became of it."""
        ...

    async def recent_transactions(self, limit: int) -> list[Transaction]:
        """Return the last transactions, newest first."""
        ...

    async def recent_decisions(self, limit: int) -> list[DecisionRecord]:
        """Return the last decisions, newest first."""
        ...

    async def roll_back(self, ancestor: Head) -> list[Transaction]:
        """Make heads above ``ancestor`` void, and open the transactions settled there again."""
        ...


# ------------------------------------------------------------------------------- protocols, ops

SnapshotT_co = TypeVar("SnapshotT_co", covariant=True)
DecisionT_contra = TypeVar("DecisionT_contra", contravariant=True)


class LiquidationProtocol(Protocol[SnapshotT_co, DecisionT_contra]):
    """A lending protocol that the keeper watches: one adapter each."""

    @property
    def name(self) -> str:
        """Short name, unique among the adapters."""
        ...

    async def sync(self, head: Head) -> None:
        """Bring the book to the state at ``head``.

        Heads come in order, without gaps; after a failure the same or a later head may be offered,
        and the logs missed are read then.
        """
        ...

    async def roll_back(self, ancestor: Head) -> None:
        """Undo everything above ``ancestor``; the next `sync` continues from it."""
        ...

    def snapshot(self, head: Head) -> SnapshotT_co:
        """Return a frozen picture of the book at ``head``, which was synced."""
        ...

    def call_for(self, decision: DecisionT_contra) -> Call:
        """Return the call that carries out a decision."""
        ...

    def realised(self, receipt: Receipt) -> int | None:
        """Return what a receipt earned, WAD quote units before gas; None if it cannot be told."""
        ...


class HeadAcknowledger(Protocol):
    """Tells whoever drives the chain that a head was acted on, so that it may mine the next."""

    async def acknowledge(self, head: Head, sent: int) -> None:
        """Report ``head`` and the number of transactions sent on it.

        Called after the node accepted them and the ledger holds them.
        """
        ...
