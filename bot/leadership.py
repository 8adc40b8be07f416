"""Which of several keepers acts: the service asks here before it writes or sends anything."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog

from bot.errors import LedgerError
from bot.ports import Lease

_log = structlog.get_logger(__name__)


class Leadership:
    """Keeps a lease and tells when this process begins to lead.

    A keeper without the lease stands by: it goes on syncing its book, so that it can act on the head it has
    as soon as it takes over.

    Parameters
    ----------
    lease : Lease or None
        None where there is nobody to share with: such a keeper always leads.
    """

    def __init__(self, lease: Lease | None = None) -> None:
        self._lease: Final = lease
        self._token: int | None = None
        self._told = False
        self._announced: int | None = None
        self._ready: Final = asyncio.Event()

    @property
    def leads(self) -> bool:
        """Whether this process led when it was last asked."""
        return self._lease is None or self._token is not None

    async def begins(self) -> bool:
        """Ask for the lease; return whether it is held by another right than when this was last asked.

        Somebody else may have acted in between, so that everything remembered of the ledger is void.

        Raises
        ------
        LedgerError
            If the database cannot tell; nothing may be written then.
        """
        if self._lease is None:
            return False
        self._ready.set()
        before, self._token = self._token, None
        self._token = await self._lease.confirm()
        if self._token is None and (before is not None or not self._told):
            _log.warning("standing_by", lease=self._lease.name, holder=self._lease.rival)
            self._told = True
        began = self._token is not None and self._token != before
        if began and self._token != self._announced:
            _log.info("leading", lease=self._lease.name, fencing=self._token)
            self._announced = self._token
        return began

    def forget(self) -> None:
        """Take the lease for lost, so that everything is read from the ledger again before the next act."""
        self._token = None

    async def keep(self, took_over: Callable[[], None]) -> None:
        """Renew the lease, or try to take it, until cancelled; report when it is there and was not before.

        Begins with the first question: a process that is still reading its book leaves the lease to others.
        """
        if self._lease is None:
            return
        await self._ready.wait()
        while True:
            try:
                token = await self._lease.hold()
            except LedgerError as error:
                _log.warning("lease_not_renewed", reason=str(error))
            else:
                if token is not None and token != self._token:
                    took_over()
            await asyncio.sleep(self._lease.interval_s)

    async def resign(self) -> None:
        """Let another keeper act at once; a database that does not listen lets the lease run out."""
        if self._lease is not None:
            with contextlib.suppress(LedgerError):
                await self._lease.release()
