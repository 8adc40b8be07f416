"""Which forecasts are written down, and what became of them.

A prediction is made of a healthy account without an auction: will its health factor fall below 1, and will
its debt outgrow its collateral, within the horizon, if nobody changes it? Later heads answer. Where the owner
or a sale changed the account before the answer, there is none, and the prediction counts for nothing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

import numpy as np

from bot.errors import InvalidInputError
from bot.strategy.outlook import Outlook
from bot.strategy.snapshot import Snapshot


class Fate(StrEnum):
    """What became of a prediction."""

    PENDING = "pending"
    """The horizon is not over."""
    HAPPENED = "happened"
    """It was seen within the horizon."""
    DID_NOT = "did_not"
    """It was not, to the end of the horizon."""
    CHANGED = "changed"
    """The account was changed before: no answer."""
    UNSEEN = "unseen"
    """The keeper did not look for too long: no answer."""


class Fates(NamedTuple):
    """What became of both parts of a prediction."""

    liquidatable: Fate = Fate.PENDING
    insolvency: Fate = Fate.PENDING

    @property
    def settled(self) -> bool:
        """Whether both are known, or never will be."""
        return Fate.PENDING not in self

    def closed(self, fate: Fate) -> "Fates":
        """Return the fates with those that are pending settled."""
        return Fates(*(fate if known is Fate.PENDING else known for known in self))


PENDING: Final = Fates()
"""Nothing is known yet."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was expected of an account on one head.

    Parameters
    ----------
    account : bytes
        20 bytes.
    block, timestamp : int
        The head.
    horizon_s : int
        Seconds.
    health, solvency : float
        HF and V / D at the head.
    liquidatable, insolvency : float
        Probability that each falls to 1 within the horizon.
    position : str
        Fingerprint of what the account held and owed.
    """

    account: bytes
    block: int
    timestamp: int
    horizon_s: int
    health: float
    solvency: float
    liquidatable: float
    insolvency: float
    position: str


@dataclass(frozen=True, slots=True)
class PredictionSettings:
    """How many predictions are written down.

    Parameters
    ----------
    interval_blocks : int
        Heights at which predictions are made are multiples of it.
    floor : float
        Probability of becoming liquidatable from which an account is likely.
    likely, others : int
        Most likely accounts, and most of the rest, drawn at once.
    longest_gap : int
        Blocks that may go unseen between two heads acted on.
    keep : int
        Predictions kept in the ledger; the oldest go first.
    """

    interval_blocks: int = 10
    floor: float = 0.01
    likely: int = 32
    others: int = 8
    longest_gap: int = 50
    keep: int = 200_000

    def __post_init__(self) -> None:
        for name in ("interval_blocks", "longest_gap", "keep"):
            if getattr(self, name) < 1:
                raise InvalidInputError(name, getattr(self, name), "at least 1")
        for name in ("likely", "others"):
            if getattr(self, name) < 0:
                raise InvalidInputError(name, getattr(self, name), "at least 0")
        if not 0.0 <= self.floor <= 1.0:
            raise InvalidInputError("floor", self.floor, "in [0, 1]")


def draw(snapshot: Snapshot, outlook: Outlook, settings: PredictionSettings) -> list[Prediction]:
    """Return the predictions of a head: a sample of the likely accounts and one of the rest.

    Seeded by the height, so that it is the same for everyone and moves on. Empty between the intervals.
    """
    if snapshot.block % settings.interval_blocks:
        return []
    open_ = (outlook.health > 1.0) & np.isfinite(outlook.health) & ~snapshot.positions.flagged
    likely = outlook.liquidatable >= settings.floor
    random = Random(snapshot.block)
    rows: list[int] = []
    for group, most in ((open_ & likely, settings.likely), (open_ & ~likely, settings.others)):
        found = np.flatnonzero(group).tolist()
        rows += random.sample(found, min(most, len(found)))
    return [_prediction(snapshot, outlook, row) for row in sorted(rows)]


def _prediction(snapshot: Snapshot, outlook: Outlook, row: int) -> Prediction:
    expected = outlook.account(row)
    return Prediction(
        snapshot.positions.accounts[row],
        snapshot.block,
        snapshot.timestamp,
        outlook.horizon_s,
        expected.health,
        expected.solvency,
        expected.liquidatable,
        expected.insolvency,
        fingerprint(snapshot, row),
    )


def fingerprint(snapshot: Snapshot, row: int) -> str:
    """Return 16 hex digits that stand for what an account holds and owes; interest does not change them."""
    positions = snapshot.positions
    amounts = (positions.collateral.row(row), positions.debt_shares.row(row))
    # Assets that are listed later have no part in it.
    used = [[(index, value) for index, value in enumerate(side) if value] for side in amounts]
    return hashlib.sha256(repr(used).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Watched:
    """A prediction of the ledger that is not settled."""

    id: int
    prediction: Prediction
    fates: Fates = PENDING


class PredictionBook:
    """Predictions whose answer is out, looked at on every head.

    Parameters
    ----------
    longest_gap : int
        Blocks that may go unseen between two heads.
    watched : iterable of Watched
        Those that wait already.
    seen : int or None
        Height of the last head that was looked at before.
    """

    def __init__(self, longest_gap: int, watched: Iterable[Watched] = (), seen: int | None = None) -> None:
        self._gap: Final = longest_gap
        self._watched: dict[int, Watched] = {item.id: item for item in watched}
        self._rows: dict[bytes, int] = {}
        self._seen = seen

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, ids: Sequence[int], predictions: Sequence[Prediction]) -> None:
        """Watch predictions that were written down."""
        for id_, prediction in zip(ids, predictions, strict=True):
            self._watched[id_] = Watched(id_, prediction)

    def observe(self, snapshot: Snapshot, outlook: Outlook) -> Mapping[int, Fates]:
        """Look at a head; return the fates that it changed, by id."""
        gap = self._seen is not None and snapshot.block - self._seen > self._gap
        self._seen = snapshot.block
        changed: dict[int, Fates] = {}
        for item in self._due(snapshot, outlook, everything=gap):
            fates = item.fates.closed(Fate.UNSEEN) if gap else self._fates(item, snapshot, outlook)
            if fates != item.fates:
                changed[item.id] = fates
                self._watched[item.id] = replace(item, fates=fates)
                if fates.settled:
                    del self._watched[item.id]
        return changed

    def _due(self, snapshot: Snapshot, outlook: Outlook, *, everything: bool) -> list[Watched]:
        """Return those that this head may settle: at or below 1, or over."""
        items = list(self._watched.values())
        if everything or not items:
            return items
        rows = np.array([self._row(item.prediction.account, snapshot) for item in items])
        ends = np.array([item.prediction.timestamp + item.prediction.horizon_s for item in items])
        # An account that a reorg took away is nowhere in the book: its end settles it.
        health = np.where(rows >= 0, outlook.health[rows], np.inf)
        due = (health < 1.0) | (ends < snapshot.timestamp)
        return [items[index] for index in np.flatnonzero(due)]

    def _fates(self, item: Watched, snapshot: Snapshot, outlook: Outlook) -> Fates:
        prediction, row = item.prediction, self._row(item.prediction.account, snapshot)
        changed = row < 0 or fingerprint(snapshot, row) != prediction.position
        if prediction.timestamp + prediction.horizon_s < snapshot.timestamp:
            return item.fates.closed(Fate.CHANGED if changed else Fate.DID_NOT)
        if changed:
            return item.fates.closed(Fate.CHANGED)
        insolvent = Fate.HAPPENED if outlook.solvency[row] < 1.0 else item.fates.insolvency
        return Fates(Fate.HAPPENED, insolvent)

    def _row(self, account: bytes, snapshot: Snapshot) -> int:
        """Return the account's row; -1 where the book does not know it."""
        accounts = snapshot.positions.accounts
        row = self._rows.get(account, -1)
        if not (0 <= row < len(accounts) and accounts[row] == account):
            self._rows = {known: index for index, known in enumerate(accounts)}
            row = self._rows.get(account, -1)
        return row
