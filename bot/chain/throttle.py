"""The budget of requests that an endpoint allows."""

import asyncio

from asyncio_throttle.throttler import Throttler


class RequestBudget:
    """At most so many requests a second, first come, first served.

    asyncio-throttle lets its waiters race and each of them polls; behind a lock only the first one
    polls and the others leave in the order they came.

    Parameters
    ----------
    per_second : int
        Requests in any second; each element of a batch counts as one, as providers bill it.
    """

    def __init__(self, per_second: int) -> None:
        self._throttler = Throttler(rate_limit=per_second, period=1.0)
        self._turn = asyncio.Lock()

    async def spend(self, requests: int = 1) -> None:
        """Wait until ``requests`` more may be sent."""
        async with self._turn:
            for _ in range(requests):
                await self._throttler.acquire()  # type: ignore[no-untyped-call]
