"""A database that is away is told in words, with its setting and without its password."""

import socket

import pytest

from bot.errors import LedgerUnavailableError
from bot.ledger.address import LedgerAddress
from bot.ledger.store import SqlLedger


async def told_of(url: str) -> str:
    with pytest.raises(LedgerUnavailableError) as caught:
        await SqlLedger.open_to_amend(LedgerAddress.parse(url))
    assert "swordfish" not in str(caught.value)
    assert "Errno" not in str(caught.value)
    return str(caught.value)


async def test_a_port_at_which_nobody_listens() -> None:
    said = await told_of("postgresql://u:swordfish@127.0.0.1:1/ledger")
    assert "connection refused; check the database and the settings of [ledger]" in said


async def test_a_host_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*asked: object, **how: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    said = await told_of("postgresql://u:swordfish@db.example/ledger")
    assert "the host's name cannot be resolved" in said
