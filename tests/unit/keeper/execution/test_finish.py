"""Steps that a cancelled caller does not tear."""

import asyncio

import pytest

from bot.execution.finish import finish, together


async def test_the_result_comes_through() -> None:
    async def work() -> int:
        return 5

    assert await finish(work()) == 5


async def test_a_cancelled_caller_is_held_until_the_work_is_done() -> None:
    done: list[bool] = []

    async def work() -> None:
        await asyncio.sleep(0.02)
        done.append(True)

    task = asyncio.ensure_future(finish(work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]


async def test_an_error_outweighs_the_cancellation() -> None:
    async def work() -> None:
        await asyncio.sleep(0.02)
        raise ValueError("broken")

    task = asyncio.ensure_future(finish(work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(ValueError, match="broken"):
        await task


async def test_a_second_cancellation_does_not_wait() -> None:
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.sleep(60)

    task = asyncio.ensure_future(finish(work()))
    await started.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await task
    (orphan,) = (other for other in asyncio.all_tasks() if other is not asyncio.current_task())
    orphan.cancel()


async def test_two_things_run_at_the_same_time() -> None:
    met = asyncio.Event()

    async def one() -> int:
        await met.wait()
        return 1

    async def other() -> str:
        met.set()
        return "two"

    assert await together(one(), other()) == (1, "two")


async def test_the_first_of_two_to_fail_ends_the_other() -> None:
    ended: list[bool] = []

    async def patient() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def failing() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await together(patient(), failing())
    assert ended == [True]
