"""Where a ledger is: a SQLite file, or a PostgreSQL database by its URL."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeAlias

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_OPTIONS = frozenset({"host", "port", "user", "password", "passfile", "ssl", "sslmode"})
"""Options of a URL; ``sslmode``, as PostgreSQL's own programs have it, means the driver's ``ssl``."""

_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")


@dataclass(frozen=True, slots=True)
class LedgerAddress:
    """A database; printing it never prints its password.

    Parameters
    ----------
    label : str
        What may be shown: the file, or scheme, host, port and name.
    url : URL
        What SQLAlchemy connects to.
    path : Path or None
        The file; None for PostgreSQL.
    """

    label: str
    url: URL = field(repr=False)
    path: Path | None = None

    @classmethod
    def of(cls, where: "Path | LedgerAddress") -> "LedgerAddress":
        """Return the address of a file, or the address itself."""
        if isinstance(where, LedgerAddress):
            return where
        return LedgerAddress(str(where), URL.create("sqlite+aiosqlite", database=str(where)), where)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address in ``postgresql://user:password@host:port/name``.

        A Unix socket is named by its folder: ``postgresql://user@/name?host=/var/run/postgresql``.

        Raises
        ------
        ValueError
            If it is no such URL; the message does not repeat it, because it may hold a password.
        """
        try:
            url = make_url(text)
            port = url.port
        except (ArgumentError, ValueError):
            raise ValueError("is not a database URL; write postgresql://user:password@host/name") from None
        if url.drivername not in _SCHEMES:
            raise ValueError("must begin with postgresql://; a SQLite file is named by ledger.path")
        if not url.database:
            raise ValueError("names no database; write postgresql://user:password@host/name")
        if unknown := sorted(set(url.query) - _OPTIONS):
            raise ValueError(f"has an option {unknown[0]}; known are {', '.join(sorted(_OPTIONS))}")
        if mode := url.query.get("sslmode"):
            url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
        host = url.host or str(url.query.get("host", "localhost"))
        label = f"postgresql://{host}{f':{port}' if port else ''}/{url.database}"
        return cls(label, url.set(drivername="postgresql+asyncpg"))

    def __str__(self) -> str:
        return self.label

    @property
    def secrets(self) -> list[str]:
        """Values that no log line may hold: the password, before the host or among the options."""
        passwords = [self.url.password, *_several(self.url.query.get("password"))]
        return [str(password) for password in passwords if password]


def _several(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value or "",)


LedgerPlace: TypeAlias = Path | LedgerAddress
"""A SQLite file, or any database."""
