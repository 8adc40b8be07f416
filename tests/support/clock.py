"""A clock that leaps: waiting takes no time, so that a busy machine changes nothing.

For tests of tasks, time-outs and pauses alone. With sockets or threads in play it must not be used: while
they work, nothing of the loop's own is left to do, and the clock would leap past them.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

P = ParamSpec("P")


class _LeapingSelector(selectors.DefaultSelector):
    """Says at once what it would say at the end of a wait, and notes how long that would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0 if timeout is not None else None)
        if timeout is not None and not events:
            self.now += max(0.0, timeout)
        return events


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while anything can be done, and then leaps to what is next."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Return the seconds that would have passed."""
        return self._leaping.now


def leaping(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test, a coroutine function, in a loop of its own whose clock leaps from 0."""

    @wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            runner.run(test(*arguments, **named))

    return run
