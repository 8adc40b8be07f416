"""Opening the ledger of a daemon: one that cannot be used is told, and tried again and again."""

import asyncio
from typing import Final

import structlog

from bot.errors import (
    LedgerCorruptError,
    LedgerHalfMigratedError,
    LedgerNewerError,
    LedgerUnavailableError,
)
from bot.ledger.address import LedgerPlace
from bot.ledger.store import SqlLedger
from bot.ports import Hash32

_log = structlog.get_logger(__name__)

RETRY_S: Final = 5.0


async def open_patiently(
    place: LedgerPlace,
    *,
    chain_id: int,
    genesis_hash: Hash32,
    patient: bool,
    keep_blocks: int = 0,
    retry_s: float = RETRY_S,
) -> SqlLedger:
    """Open a ledger for writing; while it cannot be used, stay alive and say so.

    Parameters
    ----------
    place : Path or LedgerAddress
        Where it is.
    chain_id, genesis_hash : int, Hash32
        The chain that it must be of.
    patient : bool
        Whether to try again; without, its errors are the caller's.
    keep_blocks : int
        Blocks whose heads and decisions are kept; 0 for all.
    retry_s : float
        Seconds between two attempts.

    Raises
    ------
    LedgerMismatchError
        If it is of another chain or from before its format was known: time does not mend that.
    """
    while True:
        try:
            return await SqlLedger.open(
                place, chain_id=chain_id, genesis_hash=genesis_hash, keep_blocks=keep_blocks
            )
        except (
            LedgerUnavailableError,
            LedgerHalfMigratedError,
            LedgerNewerError,
            LedgerCorruptError,
        ) as error:
            if not patient:
                raise
            _log.error("ledger_unusable", reason=str(error), retry_in_s=retry_s)
        await asyncio.sleep(retry_s)
