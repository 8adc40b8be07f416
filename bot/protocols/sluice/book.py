"""Accounts in columns: one row per account in order of appearance, one column per asset."""

from typing import Final

import numpy as np

from bot.domain.uint128 import UInt128Array
from bot.strategy.snapshot import Positions

_FIRST_ROWS: Final = 256
_NEVER: Final = -1


class Book:
    """Balances and flags of every account that ever appeared in a log.

    Rows are never reused: a row means the same account for as long as the process lives, across reorgs.

    Parameters
    ----------
    columns : int
        Number of listed assets; grows by `widen`.
    """

    __slots__ = ("_rows", "accounts", "collateral", "debt_shares", "epoch", "flagged", "risk_block")

    def __init__(self, columns: int = 0) -> None:
        self._rows: dict[bytes, int] = {}
        self.accounts: list[bytes] = []
        self.collateral = UInt128Array.zeros(_FIRST_ROWS, columns)
        self.debt_shares = UInt128Array.zeros(_FIRST_ROWS, columns)
        self.flagged = np.zeros(_FIRST_ROWS, np.bool_)
        self.epoch = np.zeros(_FIRST_ROWS, np.int64)
        self.risk_block = np.full(_FIRST_ROWS, _NEVER, np.int64)

    def __len__(self) -> int:
        return len(self.accounts)

    def copy(self) -> "Book":
        """Return a copy that changes on its own; both keep naming rows alike."""
        twin = Book()
        twin._rows, twin.accounts = self._rows, self.accounts
        twin.collateral, twin.debt_shares = self.collateral.copy(), self.debt_shares.copy()
        twin.flagged, twin.epoch = self.flagged.copy(), self.epoch.copy()
        twin.risk_block = self.risk_block.copy()
        return twin

    def row(self, account: bytes) -> int:
        """Return the account's row, made if it is new."""
        known = self._rows.get(account)
        if known is None:
            known = self._rows[account] = len(self.accounts)
            self.accounts.append(account)
        if known >= len(self.flagged):
            self._grow(known)
        return known

    def find(self, account: bytes) -> int | None:
        """Return the account's row, or None if it never appeared."""
        return self._rows.get(account)

    def _grow(self, row: int) -> None:
        rows = max(2 * len(self.flagged), row + 1)
        added = rows - len(self.flagged)
        columns = self.collateral.shape[1]
        self.collateral = self.collateral.resized(rows, columns)
        self.debt_shares = self.debt_shares.resized(rows, columns)
        self.flagged = np.concatenate([self.flagged, np.zeros(added, np.bool_)])
        self.epoch = np.concatenate([self.epoch, np.zeros(added, np.int64)])
        self.risk_block = np.concatenate([self.risk_block, np.full(added, _NEVER, np.int64)])

    def widen(self, columns: int) -> None:
        """Make room for newly listed assets."""
        rows = self.collateral.shape[0]
        self.collateral = self.collateral.resized(rows, columns)
        self.debt_shares = self.debt_shares.resized(rows, columns)

    def add_collateral(self, account: bytes, asset_id: int, amount: int) -> None:
        """Change a balance; raises `InvalidInputError` if it would turn negative."""
        row = self.row(account)  # first: it may put larger columns in place of these
        self.collateral[row, asset_id] += amount

    def add_debt(self, account: bytes, asset_id: int, shares: int) -> None:
        """Change a debt; raises `InvalidInputError` if it would turn negative."""
        row = self.row(account)
        self.debt_shares[row, asset_id] += shares

    def frozen(self) -> Positions:
        """Return a read-only copy of all rows for a snapshot."""
        rows = min(len(self.accounts), len(self.flagged))
        flagged, risk_block = self.flagged[:rows].copy(), self.risk_block[:rows].copy()
        flagged.flags.writeable = risk_block.flags.writeable = False
        return Positions(
            tuple(self.accounts[:rows]),
            self.collateral.frozen(rows),
            self.debt_shares.frozen(rows),
            flagged,
            risk_block,
        )
