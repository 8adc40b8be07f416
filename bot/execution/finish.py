"""Steps that must not be torn, and those that need not wait for each other."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")
_OtherT = TypeVar("_OtherT")


async def finish(work: Coroutine[Any, Any, _T]) -> _T:
    """Run ``work`` to its end even if the caller is cancelled meanwhile; then let the caller be.

    An error of ``work`` outweighs the cancellation. A second cancellation does not wait any longer:
    start-up would recover what it tears.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error from None
        raise


async def together(one: Coroutine[Any, Any, _T], other: Coroutine[Any, Any, _OtherT]) -> tuple[_T, _OtherT]:
    """Run two things at the same time; the first to fail ends the other, and its error is raised."""
    tasks = asyncio.ensure_future(one), asyncio.ensure_future(other)
    try:
        first, second = await asyncio.gather(*tasks)
        return first, second
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
