"""The budget of requests."""

import asyncio
import time

from bot.chain.throttle import RequestBudget


async def test_requests_leave_in_the_order_they_came() -> None:
    budget = RequestBudget(20)
    left: list[int] = []

    async def ask(number: int) -> None:
        await budget.spend()
        left.append(number)

    await asyncio.gather(*(ask(number) for number in range(30)))
    assert left == list(range(30))


async def test_no_second_sees_more_than_the_budget() -> None:
    budget = RequestBudget(20)
    start = time.monotonic()
    times: list[float] = []
    for _ in range(30):
        await budget.spend()
        times.append(time.monotonic() - start)
    assert times[19] < 0.5
    assert times[20] >= 1.0


async def test_a_batch_counts_each_of_its_elements() -> None:
    budget = RequestBudget(20)
    start = time.monotonic()
    await budget.spend(20)
    await budget.spend(1)
    assert time.monotonic() - start >= 1.0
