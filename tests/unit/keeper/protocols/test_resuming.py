"""Checkpoints of a process that does not lead."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.errors import LeaseLostError, LedgerFullError
from bot.protocols.sluice.resuming import Checkpoints


class Memory:
    """A ledger that refuses to forget."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def forget_books(self, protocol: str) -> None:
        raise self.error


def checkpoints(error: Exception) -> Checkpoints:
    unused = cast(Any, SimpleNamespace())
    return Checkpoints(cast(Any, Memory(error)), unused, unused, "sluice", 256)


async def test_a_standby_goes_on_without_checkpoints_that_it_may_not_forget() -> None:
    await checkpoints(LeaseLostError("a lease", None, 3)).forget()


async def test_a_ledger_that_cannot_be_written_is_not_passed_over() -> None:
    full = LedgerFullError(str(Path("ledger.sqlite")), "disk is full")
    with pytest.raises(LedgerFullError):
        await checkpoints(full).forget()
