"""Acknowledgements: only the one of the very head counts, and nothing a stranger sends does harm."""

import json
import socket
import time
from contextlib import suppress

import pytest

from bot.errors import KeeperProcessError
from bot.sim.lockstep import LONGEST_LINE, Acknowledgement, AcknowledgementServer, parse_acknowledgement

HASH = "0x" + "Ab" * 32


def line(block: int, block_hash: str = HASH, sent: int = 0) -> bytes:
    return json.dumps({"block": block, "hash": block_hash, "sent": sent}).encode() + b"\n"


def connected(server: AcknowledgementServer) -> socket.socket:
    host, port = server.address.split(":")
    return socket.create_connection((host, int(port)), timeout=5)


def nothing() -> None:
    """Stand for a keeper that runs."""


def test_the_acknowledgement_of_the_head_is_returned() -> None:
    with AcknowledgementServer() as server, connected(server) as keeper:
        keeper.sendall(line(7, sent=3))
        assert server.wait(7, HASH, 5, nothing) == Acknowledgement(7, HASH.lower(), 3)


def test_one_that_comes_in_pieces_is_put_together() -> None:
    with AcknowledgementServer() as server, connected(server) as keeper:
        text = line(7)
        keeper.sendall(text[:9])
        assert server.wait(7, HASH, 0.15, nothing) is None
        keeper.sendall(text[9:])
        assert server.wait(7, HASH, 5, nothing) is not None


def test_one_that_comes_late_is_found_among_earlier_ones() -> None:
    with AcknowledgementServer() as server, connected(server) as keeper:
        keeper.sendall(line(5) + line(6) + line(7))
        assert server.wait(7, HASH, 5, nothing) is not None


def test_the_acknowledgement_of_a_block_of_another_hash_does_not_count() -> None:
    with AcknowledgementServer() as server, connected(server) as keeper:
        keeper.sendall(line(7, "0x" + "00" * 32))
        assert server.wait(7, HASH, 0.15, nothing) is None


def test_a_wait_ends_with_its_time() -> None:
    with AcknowledgementServer() as server:
        began = time.monotonic()
        assert server.wait(7, HASH, 0.2, nothing) is None
        assert 0.2 <= time.monotonic() - began < 2


def test_a_keeper_that_dies_ends_the_wait() -> None:
    def dead() -> None:
        raise KeeperProcessError("the keeper ended with status 1", "")

    with AcknowledgementServer() as server, pytest.raises(KeeperProcessError):
        server.wait(7, HASH, 30, dead)


def test_a_keeper_may_connect_again() -> None:
    with AcknowledgementServer() as server:
        with connected(server) as keeper:
            keeper.sendall(line(7))
            assert server.wait(7, HASH, 5, nothing)
        with connected(server) as keeper:
            keeper.sendall(line(8))
            assert server.wait(8, HASH, 5, nothing)


def test_a_stranger_is_dropped_and_the_keeper_is_still_heard() -> None:
    with AcknowledgementServer() as server, connected(server) as stranger, connected(server) as keeper:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" + b"x" * (LONGEST_LINE + 1))
        keeper.sendall(line(7))
        assert server.wait(7, HASH, 5, nothing)
        assert server.wait(8, HASH, 0.15, nothing) is None
        stranger.settimeout(5)
        with suppress(ConnectionResetError):
            assert stranger.recv(1) == b""


@pytest.mark.parametrize(
    "text", [b"", b"7", b"[]", b"{}", b"\xff", b'{"block": "7", "hash": "0x", "sent": 0}', b'{"block": 7}']
)
def test_what_is_no_acknowledgement_is_none(text: bytes) -> None:
    assert parse_acknowledgement(text) is None
