"""Errors of the log, told to operators: once, and then not again for a while.

The desk is a structlog processor, so whatever is logged as an error is told, with the words of the log. It
must never be in the way: it takes what it can hold, sends in a task of its own, gives up on a channel that
does not answer, and no failure of it is told in turn.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from time import monotonic
from typing import Final, NamedTuple

import aiohttp
import structlog

from bot.ops.channels import Alert, Channel
from bot.ops.metrics import Metrics
from bot.ops.monitor import Clock

_log = structlog.get_logger(__name__)

WORTH_TELLING: Final = frozenset({"foreign_nonce", "standing_by", "endpoint_lost", "relay_failed"})
"""Warnings that are told like errors."""

NOT_SENT: Final = "alert_not_sent"

_TOLD_OF: Final = ("protocol", "account", "endpoint", "signer", "source", "dealer", "relay")
"""Fields that tell one trouble from another of the same name."""

_BORING: Final = frozenset({"event", "level", "timestamp", "trace"})
_WAITING: Final = 256
_REMEMBERED: Final = 4_096
_ATTEMPTS: Final = 3
_PATIENCE_S: Final = 10.0


class Rules(NamedTuple):
    """When an operator is told.

    Parameters
    ----------
    repeat_after_s : float
        Seconds for which the same trouble is not told again.
    pause_s : float
        Seconds before the second attempt at a channel; each further one waits four times as long.
    """

    repeat_after_s: float = 3_600.0
    pause_s: float = 1.0


class EventCounter:
    """A structlog processor that counts warnings and errors by name."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics: Final = metrics

    def __call__(
        self, logger: object, method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        """Count an event."""
        level = str(event.get("level", ""))
        if level in ("warning", "error", "critical"):
            self._metrics.log_events.labels(level, str(event.get("event", ""))).inc()
        return event


class AlertDesk:
    """A structlog processor that tells operators of errors.

    Parameters
    ----------
    channels : sequence of Channel
        Where to; every one is told everything.
    metrics : Metrics
        Counts what was sent, and what could not be.
    rules : Rules
        When.
    clock : callable
        Seconds that never run backwards.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        metrics: Metrics,
        rules: Rules | None = None,
        clock: Clock = monotonic,
    ) -> None:
        self._channels: Final = channels
        self._metrics: Final = metrics
        self._rules: Final = rules or Rules()
        self._clock: Final = clock
        self._queue: Final[asyncio.Queue[Alert]] = asyncio.Queue(_WAITING)
        self._told: OrderedDict[tuple[str, ...], tuple[float, int]] = OrderedDict()

    def __call__(
        self, logger: object, method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        """Take an event, if it is worth telling and was not told lately."""
        name, level = str(event.get("event", "")), str(event.get("level", ""))
        if name != NOT_SENT and (level in ("error", "critical") or name in WORTH_TELLING):
            self._offer(name, level, event)
        return event

    def _offer(self, name: str, level: str, event: Mapping[str, object]) -> None:
        key = (name, *(str(event.get(field, "")) for field in _TOLD_OF))
        now = self._clock()
        at, repeats = self._told.get(key, (-float("inf"), 0))
        if now - at < self._rules.repeat_after_s:
            self._told[key] = (at, repeats + 1)
            return
        fields = {field: value for field, value in event.items() if field not in _BORING}
        try:
            self._queue.put_nowait(Alert(name, level, fields, repeats))
        except asyncio.QueueFull:
            self._metrics.alerts.labels("all", "dropped").inc()
            return
        self._told[key] = (now, 0)
        self._told.move_to_end(key)
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send in the background; at the end what waits is sent, as far as it goes in a few seconds."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_PATIENCE_S)) as session:
            task = asyncio.create_task(self._work(session), name="alerts")
            try:
                yield
            finally:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PATIENCE_S):
                        await self._queue.join()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            alert = await self._queue.get()
            try:
                await asyncio.gather(*(self._tell(session, channel, alert) for channel in self._channels))
            finally:
                self._queue.task_done()

    async def _tell(self, session: aiohttp.ClientSession, channel: Channel, alert: Alert) -> None:
        pause, problem = self._rules.pause_s, ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(pause)
                pause *= 4.0
            problem = await _post(session, channel, alert)
            if not problem:
                self._metrics.alerts.labels(channel.name, "sent").inc()
                return
        self._metrics.alerts.labels(channel.name, "failed").inc()
        _log.warning(NOT_SENT, channel=channel.name, about=alert.event, reason=problem)


async def _post(session: aiohttp.ClientSession, channel: Channel, alert: Alert) -> str:
    """Send one message; return what went wrong, without the URL, which is a secret."""
    url, content = channel.message(alert)
    try:
        async with session.post(url.get_secret_value(), json=content, allow_redirects=False) as answer:
            return "" if answer.ok and answer.status < 300 else f"status {answer.status}"
    except TimeoutError:
        return "no answer in time"
    except (aiohttp.ClientError, ValueError) as error:
        return type(error).__name__
