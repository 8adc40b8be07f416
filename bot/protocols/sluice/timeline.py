"""The state at the tip, and how to get back from it."""

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from bot.errors import BookDivergedError
from bot.ports import Head, Log
from bot.protocols.sluice.following import follow
from bot.protocols.sluice.state import State


class _Entry(NamedTuple):
    head: Head
    logs: tuple[Log, ...]


class Timeline:
    """The state at the tip beside the state some heads earlier, and the logs between the two.

    A reorg takes a copy of the earlier state and applies the logs that are still valid, so nothing has to be
    undone. The earlier state follows at a fixed distance; each log is applied twice in all.

    Parameters
    ----------
    state : State
        At ``head``; owned by this object from now on.
    head : Head
        Where it starts; no rollback reaches below it.
    depth : int
        Heads that can be rolled back.
    """

    def __init__(self, state: State, head: Head, depth: int) -> None:
        self._depth: Final = depth
        self._base = state.copy()
        self._base_head = head
        self._journal: deque[_Entry] = deque()
        self.state = state
        self.tip = head

    @property
    def base_head(self) -> Head:
        """The lowest head that can be returned to."""
        return self._base_head

    def base(self) -> State:
        """Return a copy of the state at the lowest head that can be returned to."""
        return self._base.copy()

    def extend(self, head: Head, logs: tuple[Log, ...]) -> None:
        """Apply the logs of the tip's child.

        Raises
        ------
        BookDivergedError, LogMalformedError
            If they cannot follow what came before: the state is not to be used any more.
        """
        apply_all(self.state, logs, {head.number: head.timestamp})
        self.tip = head
        self._journal.append(_Entry(head, logs))
        if len(self._journal) > self._depth:
            oldest = self._journal.popleft()
            apply_all(self._base, oldest.logs, {oldest.head.number: oldest.head.timestamp})
            self._base_head = oldest.head

    def roll_back(self, ancestor: Head) -> bool:
        """Return to ``ancestor``; False if it lies below what is remembered, and nothing has changed."""
        known = {self._base_head.hash, *(entry.head.hash for entry in self._journal)}
        if ancestor.hash not in known:
            return False
        self._journal = deque(entry for entry in self._journal if entry.head.number <= ancestor.number)
        self.state = self._base.copy()
        for entry in self._journal:
            apply_all(self.state, entry.logs, {entry.head.number: entry.head.timestamp})
        self.tip = self._journal[-1].head if self._journal else self._base_head
        return True


def apply_all(state: State, logs: tuple[Log, ...], times: Mapping[int, int]) -> None:
    """Apply logs in order, each at the time of its block, unix seconds; zero where the time does not matter.

    Raises
    ------
    BookDivergedError, LogMalformedError
        If one cannot follow what came before: the state is not to be used any more.
    """
    for log in logs:
        try:
            follow(state, log, times.get(log.block_number, 0))
        except (
            ValueError,
            LookupError,
            ArithmeticError,
        ) as error:  # no value of a log is known to make sense
            where = f"log {log.log_index} of block {log.block_number} (transaction {log.transaction_hash})"
            raise BookDivergedError(where, "a book that it cannot follow", str(error)) from error
