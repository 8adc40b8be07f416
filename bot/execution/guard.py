"""What must hold before anything is signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.ports import Head, Intent


@dataclass(frozen=True, slots=True)
class Charge:
    """What an intent may cost.

    Parameters
    ----------
    intent : Intent
        What is wanted.
    gas_cost : int
        Wei that its gas costs at most.
    """

    intent: Intent
    gas_cost: int


class Guard(Protocol):
    """The operator's hard limits."""

    async def halted(self) -> str | None:
        """Return why nothing may be sent at all, or None."""
        ...

    async def admit(self, charges: Sequence[Charge], balance: int, head: Head) -> list[str | None]:
        """Return for each intent, in order, why it must not be signed, or None.

        Each is judged after those before it that are admitted.

        Parameters
        ----------
        charges : sequence of Charge
            What is about to be signed.
        balance : int
            Wei that the account holds which signs.
        head : Head
            The newest.
        """
        ...


class Unlimited:
    """No limits: for tests, and where nothing is signed."""

    async def halted(self) -> str | None:
        """See `Guard.halted`."""
        return None

    async def admit(self, charges: Sequence[Charge], balance: int, head: Head) -> list[str | None]:
        """See `Guard.admit`."""
        return [None] * len(charges)
