"""Both kinds of database: every test that takes ``place`` runs on SQLite and on PostgreSQL."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.ledger.address import LedgerAddress, LedgerPlace
from tests.support import postgres

Execute = Callable[[str], list[str]]
"""Runs a statement in the database, past the ledger; returns the first column of what it selects, as text."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    if postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest) -> str | None:
    """Where the ledger is on PostgreSQL; None on SQLite."""
    if backend == "sqlite":
        return None
    server: postgres.Server = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def place(url: str | None, path: Path) -> LedgerPlace:
    """Where the ledger is."""
    return path if url is None else LedgerAddress.parse(url)


@pytest.fixture
def execute(url: str | None, path: Path, request: pytest.FixtureRequest) -> Execute:
    def on_sqlite(statement: str) -> list[str]:
        connection = sqlite3.connect(path)
        try:
            rows = connection.execute(statement).fetchall()
            connection.commit()
        finally:
            connection.close()
        return [str(row[0]) for row in rows]

    def on_postgres(statement: str) -> list[str]:
        assert url is not None
        server: postgres.Server = request.getfixturevalue("postgres_server")
        return server.execute(url, statement).split()

    return on_sqlite if url is None else on_postgres
