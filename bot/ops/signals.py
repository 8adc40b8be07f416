"""A clean stop on SIGTERM and SIGINT."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any

import structlog

_log = structlog.get_logger(__name__)

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def run_until_signalled(work: Coroutine[Any, Any, None]) -> signal.Signals | None:
    """Run ``work`` until it ends or a stop signal comes; then cancel it and wait until it has cleaned up.

    A second signal does not wait: it ends the process in the usual way, and the next start recovers.

    Returns
    -------
    signal.Signals or None
        The signal that stopped it; None if it ended by itself.

    Raises
    ------
    BaseException
        Whatever ``work`` raises, also while it cleans up.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if received:
            loop.remove_signal_handler(number)
            os.kill(os.getpid(), number)
            return
        received.append(number)
        _log.info("stopping", signal=number.name)
        task.cancel()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            task.cancel()
            raise
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)
    return received[0] if received else None
