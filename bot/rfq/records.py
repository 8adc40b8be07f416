"""What the dealer's ledger holds."""

from dataclasses import dataclass
from enum import StrEnum

from bot.ports import Call, Signed
from bot.strategy.quotes import FirmQuote


class QuoteState(StrEnum):
    """Whether a quote may still be filled."""

    OPEN = "open"
    SPENT = "spent"
    """Filled to its maximum, and not just now."""
    EXPIRED = "expired"
    """Past its deadline; or cancelled, which comes to the same."""


class WorkKind(StrEnum):
    """Why the dealer sends a transaction."""

    HEDGE = "hedge"
    """Sells collateral that was bought."""
    APPROVE = "approve"
    """Lets the clearing house or the router draw an exact amount."""
    CANCEL = "cancel"
    """Invalidates nonces of open quotes."""


class WorkState(StrEnum):
    """What is known of a transaction."""

    SIGNED = "signed"
    """On disk; it may be in the pool, or in a block."""
    INCLUDED = "included"
    REVERTED = "reverted"
    DROPPED = "dropped"
    """Its nonce was used by another; it can never land."""


@dataclass(frozen=True, slots=True)
class IssuedQuote:
    """A quote that left, or was about to.

    Parameters
    ----------
    quote : FirmQuote
        What was signed.
    digest, signature : bytes
        Its EIP-712 digest, and the signature over it.
    block : int
        Height on which it was made.
    filled : int
        Collateral units filled so far.
    """

    quote: FirmQuote
    digest: bytes
    signature: bytes
    block: int
    filled: int = 0

    @property
    def left(self) -> int:
        """Collateral units that may still be filled."""
        return max(self.quote.max_fill - self.filled, 0)

    @property
    def reserved(self) -> int:
        """Debt tokens that the rest of it may cost."""
        return self.quote.payment(self.left)


@dataclass(frozen=True, slots=True)
class Fill:
    """A change in how far a quote is filled, seen at a head.

    Parameters
    ----------
    digest : bytes
        Of the quote.
    amount : int
        Collateral units bought; negative where a reorg took a fill back.
    payment : int
        Debt tokens that moved.
    block : int
        Height at which it was seen.
    """

    digest: bytes
    amount: int
    payment: int
    block: int


@dataclass(frozen=True, slots=True)
class Work:
    """A transaction of the dealer.

    Parameters
    ----------
    kind : WorkKind
        Why.
    call : Call
        What it calls.
    signed : Signed
        What is broadcast.
    planned_block : int
        Height on which it was signed.
    collateral_id, debt_id : int
        The pair of a hedge.
    sold : int
        Collateral units that a hedge sells.
    id : int
        Row; 0 before there is one.
    state : WorkState
        What is known.
    bought : int
        Debt tokens that a hedge brought.
    """

    kind: WorkKind
    call: Call
    signed: Signed
    planned_block: int
    collateral_id: int = 0
    debt_id: int = 0
    sold: int = 0
    id: int = 0
    state: WorkState = WorkState.SIGNED
    bought: int = 0
