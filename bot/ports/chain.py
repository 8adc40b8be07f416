"""Heads, logs, receipts, and the endpoint that serves them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NewType, Protocol, TypeAlias

from bot.errors import RpcError

Json: TypeAlias = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None
"""What a JSON-RPC endpoint takes and gives; every use narrows it with `bot.chain.codec`."""

Address = NewType("Address", str)
"""A 20-byte address, checksummed (EIP-55)."""

Hash32 = NewType("Hash32", str)
"""A 32-byte hash, ``0x`` and 64 lower-case hex digits."""


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

    @property
    def trace(self) -> str:
        """Id that joins all log lines about it, and about what was decided on it, up to the receipts."""
        return self.hash[2:14]


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

    @property
    def stale(self) -> bool:
        """Whether no endpoint has brought a new head for too long: nothing that adds risk may be started."""
        ...

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
