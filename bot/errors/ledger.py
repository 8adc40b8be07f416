"""The database of decisions and transactions."""

from collections.abc import Sequence

from bot.errors.root import SluiceError


class LedgerError(SluiceError):
    """The database of decisions and transactions."""


class LedgerUnavailableError(LedgerError):
    """The database cannot be opened, read or written: not there, read-only, or no database.

    Parameters
    ----------
    where : str
        The ledger, without a password.
    detail : str
        The database's words.
    fix : str
        What the operator can do.
    """

    def __init__(
        self, where: str, detail: str, fix: str = "check the database and the settings of [ledger]"
    ) -> None:
        super().__init__(f"the ledger {where} cannot be used: {detail}; {fix}")
        self.where = where
        self.detail = detail


class LedgerLockedError(LedgerUnavailableError):
    """Another process holds a lock on the database for too long."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(where, detail, "find the process that keeps a transaction open")


class LedgerFullError(LedgerUnavailableError):
    """The disk under the database is full, so nothing can be journalled."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(where, detail, "free space on its disk")


class LedgerInUseError(LedgerError):
    """Another process holds the lease, and this run was not told to stand by.

    Parameters
    ----------
    where : str
        The ledger.
    lease : str
        What is leased: chain, protocol and signer.
    holder : str
        Who holds it.
    """

    def __init__(self, where: str, lease: str, holder: str) -> None:
        super().__init__(
            f"the ledger {where} is in use: {holder} holds the lease on {lease}; "
            "stop it, or give this run its own ledger.path"
        )
        self.where = where
        self.lease = lease
        self.holder = holder


class LeaseLostError(LedgerError):
    """A write by a process that never had the lease, or from which another one has taken it over.

    Parameters
    ----------
    lease : str
        What is leased: chain, protocol and signer.
    ours, theirs : int or None
        The fencing token that this process has, and the one in the database.
    """

    def __init__(self, lease: str, ours: int | None, theirs: int | None) -> None:
        super().__init__(
            f"the lease on {lease} is not held: this process has token {ours}, the ledger {theirs}; "
            "nothing is sent until it is taken again"
        )
        self.lease = lease
        self.ours = ours
        self.theirs = theirs


class LedgerMismatchError(LedgerError):
    """The ledger was written by another version of the keeper, or for another chain.

    Parameters
    ----------
    where : str
        The ledger.
    what : str
        What differs.
    found, wanted : str
        What the ledger says, and what would fit.
    fix : str
        What the operator can do.
    """

    def __init__(
        self,
        where: str,
        what: str,
        found: str,
        wanted: str,
        fix: str = "name another one in [ledger], or move this one away",
    ) -> None:
        super().__init__(f"the ledger {where} has {what} {found}, this run wants {wanted}; {fix}")
        self.where = where
        self.what = what
        self.found = found
        self.wanted = wanted


class LedgerNewerError(LedgerMismatchError):
    """A newer program has changed the ledger's tables."""

    def __init__(self, where: str, found: str, wanted: str) -> None:
        super().__init__(where, "revision", found, wanted, "run the newer program, which knows them")


class LedgerOutdatedError(LedgerMismatchError):
    """The ledger's tables are older than this program, which was only to read them."""

    def __init__(self, where: str, found: str, wanted: str) -> None:
        super().__init__(where, "revision", found, wanted, "`sluice keeper run` brings it up to date")


class LedgerHalfMigratedError(LedgerError):
    """The ledger's tables are not those of the revision that it names.

    Parameters
    ----------
    where : str
        The ledger.
    revision : str
        What it names.
    missing : sequence of str
        What that revision has and the ledger has not.
    """

    def __init__(self, where: str, revision: str, missing: Sequence[str]) -> None:
        super().__init__(
            f"the ledger {where} is half migrated: at revision {revision} it lacks {', '.join(missing)}; "
            "restore it from a backup, or name another one in [ledger]"
        )
        self.where = where
        self.revision = revision
        self.missing = tuple(missing)


class LedgerValueError(LedgerError):
    """A value that its column cannot hold, such as a block number of more than 64 bits."""

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(f"the ledger {where} cannot hold a value: {detail}; the endpoint may be lying")
        self.where = where
        self.detail = detail


class LedgerCorruptError(LedgerError):
    """A row of the ledger that is not what was written there.

    Parameters
    ----------
    table : str
        Its table.
    row : object
        Its key.
    detail : str
        What is wrong with it.
    """

    def __init__(self, table: str, row: object, detail: str) -> None:
        super().__init__(
            f"row {row} of {table} in the ledger cannot be read: {detail}; "
            "restore the ledger from a backup, or mend the row"
        )
        self.table = table
        self.row = row
        self.detail = detail


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
