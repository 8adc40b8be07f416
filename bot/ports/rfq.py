"""Asking dealers for quotes, and remembering how they behaved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bot.domain.wad import BPS
from bot.ports.chain import Head
from bot.strategy.quotes import OpenQuote
from bot.strategy.snapshot import Snapshot

UNSCORED: Final = BPS // 2
"""Rate of a dealer of whom nothing is known yet."""


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """What dealers are asked: a firm quote on one pair of one account.

    Parameters
    ----------
    account : bytes
        Whose collateral, 20 bytes.
    epoch : int
        Of its auction.
    collateral_id, debt_id : int
        The pair.
    amount : int
        Collateral units wanted at most.
    filler : bytes
        Who will fill, 20 bytes.
    fair_price : int
        Debt units for 10**18 units of collateral at oracle prices; kept to ourselves. It tells absurd prices
        from good ones. Zero where it does not matter.
    """

    account: bytes
    epoch: int
    collateral_id: int
    debt_id: int
    amount: int
    filler: bytes
    fair_price: int = 0


@dataclass(frozen=True, slots=True)
class DealerScore:
    """How a dealer behaved; rates are moving averages in basis points.

    Parameters
    ----------
    dealer : str
        Address with its checksum.
    asked, answered, declined, faults : int
        Requests sent, quotes that held, polite refusals, and quotes or messages that did not hold.
    fills, failed_fills : int
        Fills of its quotes that went through, and that reverted.
    response_bps : int
        Share of requests that were answered in time, quote or refusal.
    fill_bps : int
        Share of fills that went through.
    edge_bps : int
        What it pays over the mid price some blocks later; negative when it pays less.
    strikes : int
        How often it was benched lately; each doubles the time.
    good_in_a_row : int
        Answers since the last fault; enough of them take a strike away.
    benched_until : int
        First block in which it is asked again.
    """

    dealer: str
    asked: int = 0
    answered: int = 0
    declined: int = 0
    faults: int = 0
    fills: int = 0
    failed_fills: int = 0
    response_bps: int = UNSCORED
    fill_bps: int = UNSCORED
    edge_bps: int = 0
    strikes: int = 0
    good_in_a_row: int = 0
    benched_until: int = 0


class DealerMemory(Protocol):
    """Keeps scores through restarts."""

    async def load(self) -> Mapping[str, DealerScore]:
        """Return every score, by dealer."""
        ...

    async def save(self, scores: Sequence[DealerScore]) -> None:
        """Write scores over the older ones of the same dealers."""
        ...


class QuoteDesk(Protocol):
    """Asks dealers; what it returns has been verified."""

    async def ask(
        self, requests: Sequence[QuoteRequest], head: Head
    ) -> Mapping[bytes, tuple[OpenQuote, ...]]:
        """Return the quotes that hold at ``head``, by account, within the desk's deadline.

        Never raises for what a dealer does or fails to do: that costs the dealer its score.
        """
        ...

    async def report_fill(self, quote: OpenQuote, *, succeeded: bool, head: Head) -> None:
        """Tell what became of a fill that was sent."""
        ...

    async def report_mid(self, prices: Mapping[tuple[int, int], int], head: Head) -> None:
        """Tell mid prices by (collateral id, debt id), debt units for 10**18 units of collateral."""
        ...


class QuoteSource(Protocol):
    """Brings dealers' quotes into a snapshot."""

    async def attach(self, snapshot: Snapshot, head: Head) -> Snapshot:
        """Return the snapshot with the quotes that hold at ``head``.

        Raises
        ------
        ChainError
            If the node that verifies them fails.
        """
        ...
