"""What a database's complaint means: each becomes an error of Sluice that names the ledger and the fix."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from asyncpg import DataError as ClientDataError
from asyncpg import InterfaceError, PostgresError
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from bot.chain.trouble import words_of
from bot.errors import (
    DuplicateTransactionError,
    LedgerError,
    LedgerFullError,
    LedgerLockedError,
    LedgerUnavailableError,
    LedgerValueError,
)

_LOCKED: Final = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "55P03", "40P01", "40001", "57014", "25P03"})
_FULL: Final = frozenset({"SQLITE_FULL", "53100"})


@contextmanager
def told(label: str) -> Iterator[None]:
    """Turn errors of the driver into errors of Sluice.

    Parameters
    ----------
    label : str
        The ledger, as it may be shown.

    Raises
    ------
    DuplicateTransactionError
        If a nonce or key would be used twice.
    LedgerValueError
        If a value does not fit its column.
    LedgerLockedError, LedgerFullError, LedgerUnavailableError
        If the database does not work.
    """
    try:
        yield
    except (IntegrityError, sqlite3.IntegrityError) as error:
        raise DuplicateTransactionError(_words(error)) from error
    except (DataError, OverflowError, UnicodeEncodeError) as error:
        raise LedgerValueError(label, _words(error)) from error
    except DBAPIError as error:
        raise _typed(label, error) from error
    except sqlite3.Error as error:
        raise _typed(label, error) from error
    except (SQLAlchemyError, PostgresError, InterfaceError) as error:
        raise LedgerUnavailableError(label, _words(error)) from error
    except TimeoutError as error:
        raise LedgerUnavailableError(label, "no connection in time") from error
    except OSError as error:
        raise LedgerUnavailableError(label, words_of(error)) from error


def _typed(label: str, error: DBAPIError | sqlite3.Error) -> LedgerError:
    original = error.orig if isinstance(error, DBAPIError) else error
    causes = [original, *_causes(original)]
    if any(isinstance(cause, ClientDataError) for cause in causes):
        return LedgerValueError(label, _words(error))
    codes = {_code(cause) for cause in causes}
    if codes & _LOCKED:
        return LedgerLockedError(label, _words(error))
    if codes & _FULL:
        return LedgerFullError(label, _words(error))
    return LedgerUnavailableError(label, _words(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
        yield error


def _code(error: BaseException | None) -> str | None:
    """Return SQLite's name of a fault, without its detail, or PostgreSQL's code."""
    name: str | None = getattr(error, "sqlite_errorname", None)
    if name is not None:
        return "_".join(name.split("_")[:2])
    code: str | None = getattr(error, "sqlstate", None)
    return code


def _words(error: BaseException) -> str:
    """Return what the driver says, in one line and without SQLAlchemy's wrapping."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    lines = str(original).strip().splitlines()
    return lines[0] if lines else type(original).__name__
