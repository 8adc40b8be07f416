"""Signals to the world outside."""

from typing import Protocol

from bot.ports.chain import Head


class HeadAcknowledger(Protocol):
    """Tells whoever drives the chain that a head was acted on, so that it may mine the next."""

    async def acknowledge(self, head: Head, sent: int) -> None:
        """Report ``head`` and the number of transactions sent on it.

        Called after the node accepted them and the ledger holds them.
        """
        ...
