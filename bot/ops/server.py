"""``/metrics``, ``/healthz`` and ``/readyz``, for machines on the operator's own network."""

from types import TracebackType
from typing import Final, Self

import structlog
from aiohttp import web

from bot.errors import MonitorAddressError
from bot.ops.health import Health, Reasons
from bot.ops.metrics import CONTENT_TYPE, Metrics

_log = structlog.get_logger(__name__)

_UNAVAILABLE: Final = 503


class MonitorServer:
    """Serves metrics and health for as long as its context lasts.

    Nothing that it serves is secret, and nothing can be changed through it; but it tells rivals what the
    keeper is about, so it belongs on a loopback or private address.

    Parameters
    ----------
    host, port : str, int
        Where; port 0 takes a free one.
    metrics : Metrics
        What is measured.
    health : Health
        What answers.
    """

    def __init__(self, host: str, port: int, metrics: Metrics, health: Health) -> None:
        self._host: Final = host
        self._port: Final = port
        self._metrics: Final = metrics
        self._health: Final = health
        application = web.Application()
        application.router.add_get("/metrics", self._exposed)
        application.router.add_get("/healthz", self._alive)
        application.router.add_get("/readyz", self._ready)
        self._runner: Final = web.AppRunner(application, access_log=None)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._runner.addresses[0][1])

    async def __aenter__(self) -> Self:
        """Listen.

        Raises
        ------
        MonitorAddressError
            If the address is taken, or not ours.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            detail = (error.strerror or str(error)).lower()
            raise MonitorAddressError(self._host, self._port, detail) from error
        _log.info("monitor_listens", host=self._host, port=self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _exposed(self, request: web.Request) -> web.Response:
        await self._health.ready()
        return web.Response(body=self._metrics.exposed(), headers={"Content-Type": CONTENT_TYPE})

    async def _alive(self, request: web.Request) -> web.Response:
        return _answer(self._health.alive())

    async def _ready(self, request: web.Request) -> web.Response:
        return _answer(await self._health.ready())


def _answer(reasons: Reasons) -> web.Response:
    good = all(reason is None for reason in reasons.values())
    checks = {name: reason or "ok" for name, reason in reasons.items()}
    return web.json_response({"ok": good, "checks": checks}, status=200 if good else _UNAVAILABLE)
