"""What is written down of each head: decisions with their reasons, forecasts, and what became of them."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from bot.chain.codec import checksummed
from bot.ports import Checkpoint, DecisionEntry, Head, Ledger, RiskMemory
from bot.strategy.decision import Decision
from bot.strategy.outlook import AccountOutlook, Outlook
from bot.strategy.predictions import PredictionBook, PredictionSettings, draw
from bot.strategy.snapshot import Snapshot

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_log = structlog.get_logger(__name__)


class DecisionJournal:
    """Writes decisions to the ledger: each that acts, and each that waits for a new reason.

    An account that waits for the same reasons as on the head before is not written again; what it waits
    for is in its last entry.

    Parameters
    ----------
    protocol : str
        Name of the protocol.
    ledger : Ledger
        Where to.
    """

    def __init__(self, protocol: str, ledger: Ledger) -> None:
        self._protocol: Final = protocol
        self._ledger: Final = ledger
        self._reasons: dict[bytes, object] = {}

    async def record(self, head: Head, decisions: Sequence[Decision]) -> dict[str, int]:
        """Write what is new; return the ids of the entries written, by account."""
        reasons = {decision.account: _reasons(decision) for decision in decisions}
        fresh = [
            decision
            for decision in decisions
            if decision.chosen is not None or self._reasons.get(decision.account) != reasons[decision.account]
        ]
        entries = [entry_of(self._protocol, decision) for decision in fresh]
        ids = await self._ledger.record_decisions(head, entries) if entries else []
        self._reasons = reasons
        return {entry.account: id_ for entry, id_ in zip(entries, ids, strict=True)}


class Recording(Awaitable[Mapping[str, int]]):
    """Decisions that are written when somebody first waits for them, and once.

    Whoever has something to ask of the node asks first, and lets them be written while it answers.

    Parameters
    ----------
    write : callable
        Writes them; see `DecisionJournal.record`.
    """

    def __init__(self, write: Callable[[], Coroutine[Any, Any, dict[str, int]]]) -> None:
        self._write: Final = write
        self._writing: asyncio.Future[dict[str, int]] | None = None

    def __await__(self) -> Generator[Any, None, Mapping[str, int]]:
        """Return the ids of the entries, by account."""
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write())
        return asyncio.shield(self._writing).__await__()


class RiskJournal:
    """Writes forecasts to the ledger, and later what became of them; now and then what was learnt.

    Parameters
    ----------
    protocol : str
        Name of the protocol.
    memory : RiskMemory
        Where to.
    settings : PredictionSettings
        How much.
    checkpoint_interval : int
        Blocks between two checkpoints of the covariances.
    """

    def __init__(
        self,
        protocol: str,
        memory: RiskMemory,
        settings: PredictionSettings | None = None,
        checkpoint_interval: int = 32,
    ) -> None:
        self._protocol: Final = protocol
        self._memory: Final = memory
        self._settings: Final = settings or PredictionSettings()
        self._interval: Final = checkpoint_interval
        self._book: PredictionBook | None = None
        self._saved: int | None = None
        self._learnt: bool | None = None

    async def record(self, head: Head, snapshot: Snapshot, outlook: Outlook | None) -> None:
        """Settle what a head answers, and write down what is expected on it."""
        if outlook is None:
            return
        if outlook.learnt is not self._learnt:
            self._learnt = outlook.learnt
            _log.info("forecast", by="history" if outlook.learnt else "brownian_motion", block=head.number)
        book = self._book or await self._load()
        fates = book.observe(snapshot, outlook)
        if fates:
            await self._memory.settle_predictions(head, fates)
        drawn = draw(snapshot, outlook, self._settings)
        if drawn:
            keep = self._settings.keep
            book.add(await self._memory.record_predictions(self._protocol, head, drawn, keep), drawn)
        await self._checkpoint(head, snapshot)

    async def roll_back(self, ancestor: Head) -> None:
        """Undo what was written above ``ancestor``."""
        await self._memory.forget_above(ancestor)
        self.restart()

    def restart(self) -> None:
        """Forget what is in memory: another process may have written since."""
        self._book = self._saved = None

    async def _load(self) -> PredictionBook:
        open_ = await self._memory.open_predictions(self._protocol)
        self._book = PredictionBook(self._settings.longest_gap, open_, await self._memory.last_height())
        return self._book

    async def _checkpoint(self, head: Head, snapshot: Snapshot) -> None:
        covariance = snapshot.covariance
        if covariance is None or (self._saved is not None and head.number < self._saved + self._interval):
            return
        checkpoint = Checkpoint(head.number, head.hash, covariance.plain())
        await self._memory.save_checkpoint(self._protocol, checkpoint)
        self._saved = head.number


def _reasons(decision: Decision) -> object:
    rejected = ((r.kind, r.reason, r.collateral_id, r.debt_id) for r in decision.rejected)
    return decision.chosen is not None, frozenset(rejected)


def entry_of(protocol: str, decision: Decision) -> DecisionEntry:
    """Return a decision as the ledger keeps it."""
    chosen = decision.chosen
    return DecisionEntry(
        protocol=protocol,
        account=checksummed(decision.account),
        inputs={
            "health_factor": decision.health,
            "collateral_value": decision.collateral_value,
            "debt_value": decision.debt_value,
            "holdings": [holding._asdict() for holding in decision.holdings],
            "prices": {str(asset_id): price for asset_id, price in decision.prices.items()},
            "multipliers": {str(asset_id): value for asset_id, value in decision.multipliers.items()},
            "outlook": None if decision.outlook is None else _numbers(decision.outlook),
        },
        chosen=None if chosen is None else {**_fields(chosen), "net": chosen.net},
        rejected=[_fields(rejection) for rejection in decision.rejected],
    )


def _fields(value: "DataclassInstance") -> dict[str, object]:
    """Return what a dataclass says by name, and so on down; nothing that is not one is copied."""
    return {field.name: _told(getattr(value, field.name)) for field in fields(value)}


def _told(value: object) -> object:
    if type(value) is tuple:
        return tuple(map(_told, value))
    return _fields(value) if is_dataclass(value) and not isinstance(value, type) else value


def _numbers(outlook: AccountOutlook) -> dict[str, float | None]:
    """Return an outlook without the infinities, for which JSON has no word."""
    return {name: value if math.isfinite(value) else None for name, value in outlook._asdict().items()}
