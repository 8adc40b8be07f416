"""The database of decisions and transactions."""

from collections.abc import Sequence

from bot.errors.root import SluiceError


class LedgerError(SluiceError):
    """The database of decisions and transactions."""


class LedgerUnavailableError(LedgerError):
    """The database cannot be opened, read or written: locked, full, read-only, or no database."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(f"the ledger {path} cannot be used: {detail}; check the disk and ledger.path")
        self.path = path
        self.detail = detail


class LedgerInUseError(LedgerError):
    """Another process writes to this ledger; two writers of one nonce would send actions twice."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"the ledger {path} is in use by another keeper; stop it, or give this one its own ledger.path"
        )
        self.path = path


class LedgerMismatchError(LedgerError):
    """The ledger was written by another version of the keeper, or for another chain.

    Parameters
    ----------
    path : str
        The file.
    what : str
        What differs.
    found, wanted : str
        What the ledger says, and what would fit.
    """

    def __init__(self, path: str, what: str, found: str, wanted: str) -> None:
        super().__init__(
            f"the ledger {path} has {what} {found}, this run wants {wanted}; "
            "name another file in ledger.path, or move this one away"
        )
        self.path = path
        self.what = what
        self.found = found
        self.wanted = wanted


class DuplicateTransactionError(LedgerError):
    """A transaction would use a nonce or an idempotency key that another one has."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"refused to send an action twice: {detail}")
        self.detail = detail


class DecisionNotFoundError(LedgerError):
    """The ledger holds no decision on an account, or none on the block asked for.

    Parameters
    ----------
    account : str
        Whose.
    block : int or None
        The block asked for; None for any.
    nearest : sequence of int
        Blocks next to it on which a decision on the account was recorded.
    """

    def __init__(self, account: str, block: int | None = None, nearest: Sequence[int] = ()) -> None:
        if nearest:
            blocks = " and ".join(str(number) for number in nearest)
            detail = (
                f"on {account} at block {block}; nearest: {blocks} (an account that waits for the same "
                "reasons as before is not written down again)"
            )
        else:
            detail = (
                f"on {account}: while the keeper watched it was never liquidatable; `sluice status` lists "
                "the accounts nearest to it"
            )
        super().__init__(f"the ledger holds no decision {detail}")
        self.account = account
        self.block = block
        self.nearest = tuple(nearest)
