"""Where a book goes on from: the newest checkpoint that the chain still holds, or the chain itself."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from bot.chain import codec
from bot.chain.patient import PatientRpc
from bot.domain.volatility import LiveCovariance
from bot.errors import CheckpointInvalidError, LeaseLostError
from bot.ports import BookCheckpoint, BookMemory, Head, Rpc
from bot.protocols.sluice.frozen import freeze, thaw
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.state import State
from bot.protocols.sluice.timeline import Timeline

_log = structlog.get_logger(__name__)


class Checkpoints:
    """Keeps books in the ledger and finds the one to go on from.

    Parameters
    ----------
    memory : BookMemory
        The ledger's part for books.
    rpc : Rpc
        Endpoint.
    manifest : Manifest
        The deployment.
    protocol : str
        Name of the protocol.
    interval : int
        Least blocks between two checkpoints.
    """

    def __init__(
        self, memory: BookMemory, rpc: Rpc, manifest: Manifest, protocol: str, interval: int
    ) -> None:
        self._memory: Final = memory
        self._rpc: Final = PatientRpc(rpc)
        self._manifest: Final = manifest
        self._protocol: Final = protocol
        self._interval: Final = interval
        self._saved: int | None = None

    async def newest(self, head: Head, furthest: int) -> tuple[State, Head] | None:
        """Return the newest book that ``head`` still builds on, at most ``furthest`` blocks below it.

        A checkpoint that cannot be read is passed over.
        """
        for checkpoint in await self._memory.books(self._protocol):
            if not head.number - furthest <= checkpoint.block_number <= head.number:
                continue
            block = (codec.hex_quantity(checkpoint.block_number), False)
            answer = await self._rpc.request("eth_getBlockByNumber", block)
            if answer is None or (base := codec.head(answer)).hash != checkpoint.block_hash:
                continue
            try:
                state = await asyncio.to_thread(thaw, checkpoint.blob, self._manifest)
            except CheckpointInvalidError as error:
                _log.warning("checkpoint_refused", block=checkpoint.block_number, reason=error.problem)
                continue
            self._saved = base.number
            return state, base
        return None

    async def save(self, timeline: Timeline) -> None:
        """Keep the settled end of a timeline, if enough blocks have passed since the last one.

        The columns are copied at once and written out beside whatever else is done.
        """
        number = timeline.base_head.number
        if self._saved is not None and 0 <= number - self._saved < self._interval:
            return
        state, base = timeline.base(), timeline.base_head
        blob = await asyncio.to_thread(freeze, state)
        await self._memory.save_book(self._protocol, BookCheckpoint(base.number, base.hash, blob))
        self._saved = number
        _log.info("book_saved", block=base.number, accounts=len(state.book), bytes=len(blob))

    async def forget(self) -> None:
        """Throw every checkpoint away: one of them may hold what turned out to be wrong.

        A standby may not; it goes on without them, and reads its book from the chain.
        """
        with suppress(LeaseLostError):
            await self._memory.forget_books(self._protocol)
        self._saved = None


def with_covariance(state: State, given: LiveCovariance | None) -> State:
    """Return a resumed state with the covariances it had, or with those given if the rules have changed."""
    kept = state.covariance
    state.covariance = kept if kept is not None and given is not None and kept.fits(given) else given
    return state
