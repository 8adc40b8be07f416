"""The last heads, linked by hash: where a new branch joins them, and what it voids. Pure."""

from collections import deque
from collections.abc import Sequence

from bot.errors import MalformedAnswerError, ReorgTooDeepError
from bot.ports import Hash32, Head, HeadEvent, NewHead, Reorg

HEADS_REMEMBERED = 128
"""Depth of the deepest reorg that is rolled back rather than answered by a fresh start."""


class HeadChain:
    """A contiguous chain of the newest heads, each the parent of the next.

    Parameters
    ----------
    capacity : int
        How many are remembered.
    """

    def __init__(self, capacity: int = HEADS_REMEMBERED) -> None:
        self._capacity = capacity
        self._heads: deque[Head] = deque()
        self._by_hash: dict[Hash32, Head] = {}

    @property
    def tip(self) -> Head | None:
        """The newest head; None before the first."""
        return self._heads[-1] if self._heads else None

    def holds(self, hash_: Hash32) -> bool:
        """Return whether a head is remembered."""
        return hash_ in self._by_hash

    def check_reachable(self, head: Head) -> None:
        """Make sure that an ancestor of ``head`` may still be among the heads remembered.

        Raises
        ------
        ReorgTooDeepError
            If ``head`` is as low as the lowest of them, and is none of them.
        """
        if self._heads and head.number <= self._heads[0].number:
            raise ReorgTooDeepError(head.number, len(self._heads))

    def remember(self, heads: Sequence[Head]) -> None:
        """Fill an empty chain with what lies below the first head, oldest first, contiguous."""
        for head in heads:
            self._append(head)

    def extend(self, branch: Sequence[Head]) -> list[HeadEvent]:
        """Adopt a branch and return what that means to a follower.

        Parameters
        ----------
        branch : sequence of Head
            Contiguous, oldest first, not empty. The parent of the first is remembered, or nothing is.

        Returns
        -------
        list of HeadEvent
            A `Reorg` if the branch does not start at the tip, then a `NewHead` for each of it.

        Raises
        ------
        MalformedAnswerError
            If a head does not have the height after its parent's: ages, deadlines and limits are told by it.
        """
        self._check_heights(branch)
        events: list[HeadEvent] = []
        dropped = self._drop_above(branch[0].parent_hash) if self._heads else ()
        if dropped:
            events.append(Reorg(self._heads[-1], dropped))
        for index, head in enumerate(branch):
            self._append(head)
            events.append(NewHead(head, behind=len(branch) - 1 - index))
        return events

    def _check_heights(self, branch: Sequence[Head]) -> None:
        parent = self._by_hash.get(branch[0].parent_hash)
        first = branch[0].number if parent is None else parent.number + 1
        for expected, head in enumerate(branch, first):
            if head.number != expected:
                raise MalformedAnswerError("block.number", head.number, f"{expected}, after its parent")

    def _drop_above(self, ancestor: Hash32) -> tuple[Head, ...]:
        dropped: list[Head] = []
        while self._heads[-1].hash != ancestor:
            head = self._heads.pop()
            del self._by_hash[head.hash]
            dropped.append(head)
        dropped.reverse()
        return tuple(dropped)

    def _append(self, head: Head) -> None:
        self._heads.append(head)
        self._by_hash[head.hash] = head
        if len(self._heads) > self._capacity:
            del self._by_hash[self._heads.popleft().hash]
