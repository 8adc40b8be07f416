"""Accounts in columns: one row per account in order of appearance, one column per asset."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.domain.uint128 import UInt128Array
from bot.protocols.sluice.lens import LensColumns
from bot.strategy.snapshot import Positions

_FIRST_ROWS: Final = 256
_NEVER: Final = -1


class Book:
    """Balances and flags of every account that ever appeared in a log.

    Rows are never reused: a row means the same account for as long as the process lives, across reorgs.
    Columns are read by anybody, and written by the methods of this class alone.

    Parameters
    ----------
    columns : int
        Number of listed assets; grows by `widen`.
    """

    __slots__ = (
        "_picture",
        "_rows",
        "accounts",
        "collateral",
        "debt_shares",
        "epoch",
        "flagged",
        "quarantined",
        "risk_block",
    )

    def __init__(self, columns: int = 0) -> None:
        self._rows: dict[bytes, int] = {}
        self._picture: Positions | None = None
        self.accounts: list[bytes] = []
        self.collateral = UInt128Array.zeros(_FIRST_ROWS, columns)
        self.debt_shares = UInt128Array.zeros(_FIRST_ROWS, columns)
        self.flagged = np.zeros(_FIRST_ROWS, np.bool_)
        self.epoch = np.zeros(_FIRST_ROWS, np.int64)
        self.risk_block = np.full(_FIRST_ROWS, _NEVER, np.int64)
        self.quarantined: frozenset[int] = frozenset()

    @classmethod
    def of(cls, accounts: Sequence[bytes], columns: LensColumns, damaged: Iterable[int]) -> "Book":
        """Return a book of accounts as the chain has them.

        Parameters
        ----------
        accounts : sequence of bytes
            Addresses; none twice.
        columns : LensColumns
            What they hold and owe, in the same order.
        damaged : iterable of int
            Rows that could not be read: quarantined.
        """
        book = cls(columns.collateral.shape[1])
        for account in accounts:
            book.row(account)
        rows = slice(0, len(accounts))
        width = book.collateral.shape[1]
        book.collateral = columns.collateral.resized(len(book.flagged), width)
        book.debt_shares = columns.debt_shares.resized(len(book.flagged), width)
        book.flagged[rows], book.epoch[rows] = columns.flagged, columns.epoch
        book.risk_block[rows] = np.where(columns.risk_block == 0, _NEVER, columns.risk_block)
        for row in damaged:
            book.quarantine(row)
        return book

    @classmethod
    def restored(
        cls,
        accounts: npt.NDArray[np.uint8],
        collateral: UInt128Array,
        debt_shares: UInt128Array,
        flagged: npt.NDArray[np.bool_],
        epoch: npt.NDArray[np.int64],
        risk_block: npt.NDArray[np.int64],
        quarantined: frozenset[int],
    ) -> "Book":
        """Return a book from its columns as they were kept, addresses as an (n, 20) array.

        Raises
        ------
        ValueError
            If they do not fit each other.
        """
        rows, columns = collateral.shape
        lengths = {len(flagged), len(epoch), len(risk_block), rows}
        book = cls(columns)
        whole = accounts.tobytes()
        for start in range(0, len(whole), 20):
            book.row(whole[start : start + 20])
        if accounts.shape[1:] != (20,) or debt_shares.shape != collateral.shape or len(lengths) > 1:
            raise ValueError(f"columns of {sorted(lengths)} rows do not make a book")
        if len(accounts) > rows or len(book) != len(accounts):
            raise ValueError(f"{len(accounts)} accounts, {len(book)} of them different, in {rows} rows")
        book.collateral, book.debt_shares = collateral, debt_shares
        book.flagged, book.epoch, book.risk_block = flagged, epoch, risk_block
        book.quarantined = quarantined
        return book

    def quarantine(self, row: int) -> None:
        """Keep an account empty from now on, whatever logs say: what is known of it makes no sense."""
        self._picture = None
        self.quarantined |= {row}
        for table in (self.collateral, self.debt_shares):
            for column in range(table.shape[1]):
                table[row, column] = 0
        self.flagged[row] = False

    def release(self, row: int, columns: LensColumns, index: int) -> None:
        """Take an account out of quarantine, as it stands in row ``index`` of what was read."""
        self._picture = None
        self.quarantined -= {row}
        for table, found in ((self.collateral, columns.collateral), (self.debt_shares, columns.debt_shares)):
            for column in range(table.shape[1]):
                table[row, column] = found[index, column]
        self.flagged[row], self.epoch[row] = columns.flagged[index], columns.epoch[index]
        self.risk_block[row] = columns.risk_block[index] or _NEVER

    def __len__(self) -> int:
        return len(self.accounts)

    def copy(self) -> "Book":
        """Return a copy that changes on its own; both keep naming rows alike."""
        twin = Book()
        twin._rows, twin.accounts = self._rows, self.accounts
        twin.collateral, twin.debt_shares = self.collateral.copy(), self.debt_shares.copy()
        twin.flagged, twin.epoch = self.flagged.copy(), self.epoch.copy()
        twin.risk_block, twin.quarantined = self.risk_block.copy(), self.quarantined
        return twin

    def row(self, account: bytes) -> int:
        """Return the account's row, made if it is new."""
        known = self._rows.get(account)
        if known is None:
            self._picture = None
            known = self._rows[account] = len(self.accounts)
            self.accounts.append(account)
        if known >= len(self.flagged):
            self._grow(known)
        return known

    def find(self, account: bytes) -> int | None:
        """Return the account's row, or None if it never appeared."""
        return self._rows.get(account)

    def _grow(self, row: int) -> None:
        self._picture = None
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
        self._picture = None
        rows = self.collateral.shape[0]
        self.collateral = self.collateral.resized(rows, columns)
        self.debt_shares = self.debt_shares.resized(rows, columns)

    def add_collateral(self, account: bytes, asset_id: int, amount: int) -> None:
        """Change a balance; raises `InvalidInputError` if it would turn negative."""
        row = self.row(account)  # first: it may put larger columns in place of these
        if row not in self.quarantined:
            self._picture = None
            self.collateral[row, asset_id] += amount

    def add_debt(self, account: bytes, asset_id: int, shares: int) -> None:
        """Change a debt; raises `InvalidInputError` if it would turn negative."""
        row = self.row(account)
        if row not in self.quarantined:
            self._picture = None
            self.debt_shares[row, asset_id] += shares

    def flag(self, row: int, *, flagged: bool, epoch: int) -> None:
        """Note whether an auction runs, and the epoch of the account."""
        self._picture = None
        self.flagged[row], self.epoch[row] = flagged, epoch

    def take_risk(self, row: int, block: int) -> None:
        """Note the block of the account's last borrow or withdrawal."""
        self._picture = None
        self.risk_block[row] = block

    def frozen(self) -> Positions:
        """Return a read-only copy of all rows for a snapshot; the same one until something changes."""
        if self._picture is None:
            self._picture = self._pictured()
        return self._picture

    def _pictured(self) -> Positions:
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
