"""Dealers in the keeper's loop: quotes into the snapshot, and what became of fills into the scores."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from bot.ports import Call, Execution, Executor, Head, Intent, Outcome, SimulationResult, Transaction
from bot.ports.rfq import QuoteDesk
from bot.protocols.sluice.fills import FILL_HEAD, fill_head
from bot.rfq.requests import mids_of, requests_of
from bot.strategy.quotes import OpenQuote
from bot.strategy.snapshot import Snapshot

_KNOWN: Final = {
    Outcome.INCLUDED: True,
    Outcome.REVERTED: False,
    Outcome.SIMULATION_REVERTED: False,
}
"""Outcomes that tell whether a dealer's quote could be filled."""

_WAITED_S: Final = 600
"""Seconds after its quote's deadline for which the outcome of a fill is waited for."""


class DealtQuotes:
    """See `bot.ports.rfq.QuoteSource`.

    Parameters
    ----------
    desk : QuoteDesk
        Asks the dealers.
    """

    def __init__(self, desk: QuoteDesk) -> None:
        self._desk: Final = desk
        self._offered: dict[bytes, OpenQuote] = {}
        self._filling: dict[str, OpenQuote] = {}

    @property
    def waited_for(self) -> int:
        """Fills whose outcome is not known yet."""
        return len(self._filling)

    async def attach(self, snapshot: Snapshot, head: Head) -> Snapshot:
        """See `bot.ports.rfq.QuoteSource.attach`."""
        # One that was refused, or cancelled, is never told of: its outcome is not that of its key.
        self._filling = {
            key: opened
            for key, opened in self._filling.items()
            if opened.quote.deadline + _WAITED_S >= head.timestamp
        }
        await self._desk.report_mid(mids_of(snapshot), head)
        requests = requests_of(snapshot)
        quotes = await self._desk.ask(requests, head) if requests else {}
        self._offered = {fill_head(opened.quote): opened for held in quotes.values() for opened in held}
        return replace(snapshot, quotes=quotes)

    def sent(self, intents: Sequence[Intent]) -> None:
        """Take note of the fills among intents: their calldata begins with the quote."""
        for intent in intents:
            opened = self._offered.get(intent.call.data[:FILL_HEAD])
            if opened is not None:
                self._filling[intent.key] = opened

    async def settled(self, outcomes: Sequence[tuple[str, Outcome]], head: Head) -> None:
        """Tell the desk of fills whose outcome is known, by the key of their intent."""
        for key, outcome in outcomes:
            if outcome in _KNOWN and (opened := self._filling.pop(key, None)) is not None:
                await self._desk.report_fill(opened, succeeded=_KNOWN[outcome], head=head)


class FillWatcher:
    """An executor that tells `DealtQuotes` of fills, and is otherwise the one it wraps.

    Parameters
    ----------
    inner : Executor
        Lands intents.
    quotes : DealtQuotes
        Is told.
    """

    def __init__(self, inner: Executor, quotes: DealtQuotes) -> None:
        self._inner: Final = inner
        self._quotes: Final = quotes

    async def reconcile(self, head: Head) -> Sequence[Transaction]:
        """See `bot.ports.Executor.reconcile`."""
        return await self._tell(await self._inner.reconcile(head), head)

    async def simulate(self, calls: Sequence[Call], head: Head) -> list[SimulationResult]:
        """See `bot.ports.Executor.simulate`."""
        return await self._inner.simulate(calls, head)

    async def execute(
        self,
        intents: Sequence[Intent],
        head: Head,
        decisions: Awaitable[Mapping[str, int]] | None = None,
    ) -> list[Execution]:
        """See `bot.ports.Executor.execute`."""
        self._quotes.sent(intents)
        executions = await self._inner.execute(intents, head, decisions)
        await self._quotes.settled([(done.intent.key, done.outcome) for done in executions], head)
        return executions

    async def track(self, head: Head) -> Sequence[Transaction]:
        """See `bot.ports.Executor.track`."""
        return await self._tell(await self._inner.track(head), head)

    async def roll_back(self, ancestor: Head) -> None:
        """See `bot.ports.Executor.roll_back`."""
        await self._inner.roll_back(ancestor)

    async def _tell(self, changed: Sequence[Transaction], head: Head) -> Sequence[Transaction]:
        await self._quotes.settled([(row.intent.key, row.outcome) for row in changed], head)
        return changed
