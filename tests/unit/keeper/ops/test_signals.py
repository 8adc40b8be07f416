"""Stopping cleanly on a signal."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from bot.ops.signals import run_until_signalled


async def test_work_that_ends_by_itself_is_not_disturbed() -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    assert await run_until_signalled(work()) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_cancels_the_work_and_waits_for_its_clean_up(number: signal.Signals) -> None:
    cleaned: list[bool] = []

    async def work() -> None:
        os.kill(os.getpid(), number)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)

    assert await run_until_signalled(work()) is number
    assert cleaned == [True]


async def test_an_error_of_the_work_comes_through() -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await run_until_signalled(work())


async def test_signals_mean_what_they_did_once_the_work_is_done() -> None:
    before = signal.getsignal(signal.SIGTERM)

    async def work() -> None:
        await asyncio.sleep(0)

    await run_until_signalled(work())
    assert signal.getsignal(signal.SIGTERM) == before


STUBBORN = """
import asyncio
from bot.ops.signals import run_until_signalled

async def work():
    print("ready", flush=True)
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            print("cleaning", flush=True)

asyncio.run(run_until_signalled(work()))
"""


def test_a_second_signal_ends_a_process_that_hangs_in_its_clean_up() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        while process.stdout.readline() != "cleaning\n":
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == -signal.SIGTERM
