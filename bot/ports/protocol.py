"""A lending protocol that the keeper watches."""

from typing import Protocol, TypeVar

from bot.ports.chain import Head, Receipt
from bot.ports.execution import Call

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

        Raises
        ------
        ProtocolError
            If the logs contradict the book: nothing may act on it; see `distrust`.
        """
        ...

    async def roll_back(self, ancestor: Head) -> None:
        """Undo everything above ``ancestor``; the next `sync` continues from it."""
        ...

    def snapshot(self, head: Head) -> SnapshotT_co:
        """Return a frozen picture of the book at ``head``, which was synced."""
        ...

    async def audit(self, head: Head, sample: int) -> int:
        """Hold at most ``sample`` accounts of the book against the chain at ``head``, which was synced.

        Returns
        -------
        int
            Accounts that were looked at.

        Raises
        ------
        BookDivergedError
            If one differs: nothing may act on the book any more; see `distrust`.
        """
        ...

    async def distrust(self) -> None:
        """Throw the book away, and all that was kept of it; the next `sync` reads it from the chain."""
        ...

    async def checkpoint(self) -> None:
        """Keep the book, so that a restart goes on from it; it is for the adapter to say how often."""
        ...

    def explain(self, revert_data: bytes) -> str:
        """Return a contract's revert data in words; never raises."""
        ...

    def call_for(self, decision: DecisionT_contra) -> Call:
        """Return the call that carries out a decision."""
        ...

    def realised(self, receipt: Receipt) -> int | None:
        """Return what a receipt earned, WAD quote units before gas; None if it cannot be told."""
        ...
