"""All that watches one keeper: metrics, the log's taps, messages to operators, and the server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bot.ops.alerts import AlertDesk, EventCounter
from bot.ops.health import Health
from bot.ops.logs import tapped
from bot.ops.metrics import Metrics
from bot.ops.monitor import Monitor
from bot.ops.server import MonitorServer
from bot.ops.settings import AlertSettings, OpsSettings


class Observatory:
    """Metrics and messages of one keeper.

    Parameters
    ----------
    ops, alerts : OpsSettings, AlertSettings
        What the operator set.
    gas_asset, tip
        See `bot.ops.monitor.Monitor`.
    """

    def __init__(self, ops: OpsSettings, alerts: AlertSettings, gas_asset: str, tip: int) -> None:
        self._ops: Final = ops
        self.metrics: Final = Metrics()
        self.monitor: Final = Monitor(self.metrics, gas_asset, tip)
        channels = alerts.channels()
        self._desk: Final = AlertDesk(channels, self.metrics, alerts.rules()) if channels else None

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Monitor]:
        """Count what is logged, and tell the operators what is set to be told, while the context lasts."""
        if self._desk is None:
            with tapped(EventCounter(self.metrics)):
                yield self.monitor
            return
        async with self._desk.running():
            with tapped(EventCounter(self.metrics), self._desk):
                yield self.monitor

    @asynccontextmanager
    async def serving(self, health: Health) -> AsyncIterator[MonitorServer | None]:
        """Serve metrics and health while the context lasts, if the operator set where.

        Raises
        ------
        MonitorAddressError
            If that address cannot be listened on.
        """
        address = self._ops.address()
        if address is None:
            yield None
            return
        async with MonitorServer(*address, self.metrics, health) as server:
            yield server
