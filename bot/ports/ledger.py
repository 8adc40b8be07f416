"""What the ledger keeps, and the ledger."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.ports.chain import Address, Hash32, Head, Receipt
from bot.ports.execution import Intent, Outcome, Signed, Transaction
from bot.strategy.inclusion import Moved
from bot.strategy.predictions import Fates, Prediction, Watched


@dataclass(frozen=True, slots=True)
class DecisionEntry:
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
    decision: DecisionEntry


@dataclass(frozen=True, slots=True)
class ExplainedDecision:
    """A decision with what became of it.

    Parameters
    ----------
    record : DecisionRecord
        The decision.
    canonical : bool or None
        Whether its block still is part of the chain; None if the keeper ended before it had acted on it.
    transactions : tuple of Transaction
        Sent, or not sent, because of it, in order.
    """

    record: DecisionRecord
    canonical: bool | None
    transactions: tuple[Transaction, ...]


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

    async def recent_heads(self, limit: int) -> list[Head]:
        """Return the last canonical heads recorded, newest first."""
        ...

    async def record_decisions(self, head: Head, decisions: Sequence[DecisionEntry]) -> list[int]:
        """Keep decisions; return their ids in order."""
        ...

    async def taken_keys(self, keys: Collection[str]) -> set[str]:
        """Return those of ``keys`` that an open or included transaction has."""
        ...

    async def plan(self, intents: Sequence[Intent], signer: Address | None, head: Head) -> list[Transaction]:
        """Write intents ahead of everything else, as PLANNED.

        Raises
        ------
        DuplicateTransactionError
            If a key is taken by an open or included transaction.
        """
        ...

    async def withdraw(self, ids: Collection[int]) -> None:
        """Take plans back that could not even be tried, as if they had not been made; only PLANNED ones."""
        ...

    async def journal(self, signed: Mapping[int, Signed], verdicts: Sequence[Verdict] = ()) -> None:
        """Keep signed transactions (by id) as SIGNED, before any of them is broadcast.

        Raises
        ------
        DuplicateTransactionError
            If the nonce is taken by another transaction that may have landed.
        """
        ...

    async def replace(self, transaction_id: int, signed: Signed, intent: Intent | None = None) -> Transaction:
        """Keep a dearer transaction with the nonce of an open one, which becomes REPLACED.

        Parameters
        ----------
        transaction_id : int
            The one that is replaced.
        signed : Signed
            Its replacement.
        intent : Intent, optional
            What the replacement is for; the same by default.

        Returns
        -------
        Transaction
            The new one, SIGNED.
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


class Lease(Protocol):
    """The right to act, held by at most one process at a time; the ledger refuses writes without it."""

    @property
    def name(self) -> str:
        """What is leased, for people."""
        ...

    @property
    def rival(self) -> str | None:
        """Who held it when it was last asked for in vain."""
        ...

    @property
    def interval_s(self) -> float:
        """Seconds between two calls of `hold`."""
        ...

    async def hold(self) -> int | None:
        """Take the lease or renew it.

        Returns
        -------
        int or None
            A number that grows with every change of holder; None if another process holds the lease.
        """
        ...

    async def confirm(self) -> int | None:
        """Return the same without asking the database, as long as the last renewal lasts."""
        ...

    async def release(self) -> None:
        """Let others take it at once."""
        ...


@dataclass(frozen=True, slots=True)
class Spent:
    """What a settled transaction cost, earned and moved.

    Parameters
    ----------
    block_number : int
        Where it settled.
    account : str
        What was acted on.
    moves : tuple of Moved
        What was bought or moved; empty if it reverted.
    gas_cost : int
        Wei.
    realised_profit : int
        WAD quote units before gas; 0 where it is not known.
    succeeded : bool
        False if it reverted.
    """

    block_number: int
    account: str
    moves: tuple[Moved, ...]
    gas_cost: int
    realised_profit: int
    succeeded: bool


@dataclass(frozen=True, slots=True)
class HaltNote:
    """A halt or its end.

    Parameters
    ----------
    id : int
        Row.
    halted : bool
        True for a halt, False for its end.
    source : str
        Who: the operator, or the name of the limit.
    reason : str
        Why, in words.
    block_number : int or None
        Height of the last head acted on, or on which anything settled, at that time; None before the first.
    """

    id: int
    halted: bool
    source: str
    reason: str
    block_number: int | None


class LandingMemory(Protocol):
    """The part of the ledger that execution asks about the past; each method is one transaction."""

    async def rivals(self, signer: Address, nonces: Collection[int]) -> list[Transaction]:
        """Return transactions signed with these nonces that are not open, by id."""
        ...

    async def given_up(self, signer: Address, since: int) -> list[Transaction]:
        """Return transactions signed and then refused or abandoned, planned at height ``since`` or later.

        Those whose nonce another one of the ledger has by now are left out: they are its rivals.
        """
        ...

    async def settled_blocks(self, above: int) -> list[tuple[int, Hash32]]:
        """Return height and hash of the blocks above a height in which anything settled."""
        ...

    async def next_nonce(self, signer: Address) -> int:
        """Return the nonce after the highest with which anything settled."""
        ...

    async def spent_since(self, timestamp: int) -> list[Spent]:
        """Return what settled after block time ``timestamp``, in order of settlement.

        Where no head of that time is known, what settled between the last one before it and
        ``timestamp`` is counted too: rather more than less.
        """
        ...

    async def failures_in_a_row(self) -> int:
        """Return how many of the last settled transactions reverted, since the last halt ended."""
        ...

    async def last_halt(self) -> HaltNote | None:
        """Return the last halt or end of one, or None."""
        ...

    async def note_halt(self, *, halted: bool, source: str, reason: str) -> HaltNote:
        """Keep a halt or its end; it needs no lease, so that an operator is never locked out."""
        ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the risk estimates had learnt by a head; ``state`` is plain JSON."""

    block_number: int
    block_hash: Hash32
    state: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PredictionRecord:
    """A prediction read back, with what became of it."""

    id: int
    protocol: str
    prediction: Prediction
    fates: Fates


class RiskMemory(Protocol):
    """The part of the ledger that remembers forecasts; each method is one database transaction."""

    async def save_checkpoint(self, protocol: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; all but the newest few are forgotten."""
        ...

    async def checkpoints(self, protocol: str) -> list[Checkpoint]:
        """Return the checkpoints kept, newest first."""
        ...

    async def record_predictions(
        self, protocol: str, head: Head, predictions: Sequence[Prediction], keep: int
    ) -> list[int]:
        """Write predictions of a head down and return their ids; all but the newest ``keep`` go."""
        ...

    async def settle_predictions(self, head: Head, fates: Mapping[int, Fates]) -> None:
        """Write what became of predictions, by id, as seen on ``head``."""
        ...

    async def open_predictions(self, protocol: str) -> list[Watched]:
        """Return predictions with a part that is pending."""
        ...

    async def predictions(self, limit: int) -> list[PredictionRecord]:
        """Return the last predictions, newest first."""
        ...

    async def last_height(self) -> int | None:
        """Return the height of the last head acted on, or None."""
        ...

    async def forget_above(self, ancestor: Head) -> None:
        """Undo what was written on heads above ``ancestor``: predictions, fates and checkpoints."""
        ...


@dataclass(frozen=True, slots=True)
class BookCheckpoint:
    """A protocol's whole book as of a head; ``blob`` means something to its adapter alone."""

    block_number: int
    block_hash: Hash32
    blob: bytes


class BookMemory(Protocol):
    """The part of the ledger that remembers books; each method is one database transaction."""

    async def save_book(self, protocol: str, checkpoint: BookCheckpoint) -> None:
        """Keep a checkpoint; all but the newest few are forgotten."""
        ...

    async def books(self, protocol: str) -> list[BookCheckpoint]:
        """Return the checkpoints kept, newest first."""
        ...

    async def forget_books(self, protocol: str) -> None:
        """Forget every checkpoint: the book was wrong."""
        ...
