"""Whether the keeper is alive, and whether it is ready to act: two questions, for two readers.

*Alive* (``/healthz``) is for whoever restarts processes: it fails only where a restart may help, which is
when heads arrive and none is acted on, or when no endpoint brings heads at all. *Ready* (``/readyz``) is for
whoever watches: it fails whenever an account that becomes liquidatable now would be left alone, and says
why.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from bot.errors import LedgerError
from bot.ops.monitor import Monitor
from bot.ports import LandingMemory

Reasons = dict[str, str | None]
"""By name of the check: why it fails, or None."""

_LEDGER_PATIENCE_S: Final = 2.0


class Tolerance(NamedTuple):
    """How much silence is normal, seconds.

    Parameters
    ----------
    quiet : float
        Between heads, or from a head to its decisions, while ready.
    stuck : float
        With heads arriving and none acted on, until only a restart can help.
    """

    quiet: float
    stuck: float

    @classmethod
    def of(cls, block_time_s: float) -> "Tolerance":
        """Return what suits a chain: five blocks to be ready, thirty to be alive."""
        return cls(5.0 * block_time_s, 30.0 * block_time_s)


async def forbidden(memory: LandingMemory) -> str | None:
    """Return who halted the keeper, and why; None if nobody did."""
    note = await memory.last_halt()
    return f"halted by {note.source}: {note.reason}" if note is not None and note.halted else None


class Health:
    """Answers both questions.

    Parameters
    ----------
    monitor : Monitor
        Knows which heads came, and which were acted on.
    tolerance : Tolerance
        What is normal.
    stale : callable
        Whether no endpoint brings heads.
    leads : callable
        Whether this process acts, or stands by.
    quarantined : callable
        Whether the book is known to be wrong.
    halted : callable
        Returns why sending is forbidden, or None; asks the ledger.
    """

    def __init__(
        self,
        monitor: Monitor,
        tolerance: Tolerance,
        *,
        stale: Callable[[], bool],
        leads: Callable[[], bool],
        quarantined: Callable[[], bool],
        halted: Callable[[], Awaitable[str | None]],
    ) -> None:
        self._monitor: Final = monitor
        self._tolerance: Final = tolerance
        self._stale: Final = stale
        self._leads: Final = leads
        self._quarantined: Final = quarantined
        self._halted: Final = halted
        self._started: Final = monitor.clock()

    def alive(self) -> Reasons:
        """Return what only a restart may mend."""
        now, seen, acted = self._monitor.clock(), self._monitor.seen, self._monitor.acted
        patience = self._tolerance.stuck
        stuck = None
        if seen is not None and self._leads():
            idle = now - (acted[1] if acted is not None else self._started)
            if idle > patience and now - seen[1] <= patience:
                stuck = f"heads arrive, and none was acted on for {idle:.0f} s"
        return {"heads": "no endpoint brings new heads" if self._stale() else None, "work": stuck}

    async def ready(self) -> Reasons:
        """Return what keeps the keeper from acting."""
        now, seen, acted = self._monitor.clock(), self._monitor.seen, self._monitor.acted
        reasons: Reasons = {
            "heads": self._late("head", seen[1] if seen else None, now),
            "acting": self._late("head acted on", acted[1] if acted else None, now),
            "book": "it differs from the chain, and is being read anew" if self._quarantined() else None,
            "leading": None if self._leads() else "standing by: another keeper holds the lease",
        }
        if self._stale():
            reasons["heads"] = "no endpoint brings new heads"
        reasons |= await self._ledger()
        for name, reason in reasons.items():
            self._monitor.metrics.check.labels(name).set(reason is None)
        return reasons

    def _late(self, what: str, at: float | None, now: float) -> str | None:
        if at is None:
            return f"no {what} yet"
        return f"no {what} for {now - at:.0f} s" if now - at > self._tolerance.quiet else None

    async def _ledger(self) -> Reasons:
        try:
            async with asyncio.timeout(_LEDGER_PATIENCE_S):
                return {"ledger": None, "permitted": await self._halted()}
        except LedgerError as error:
            return {"ledger": str(error), "permitted": None}
        except TimeoutError:
            return {"ledger": f"it does not answer within {_LEDGER_PATIENCE_S:.0f} s", "permitted": None}
