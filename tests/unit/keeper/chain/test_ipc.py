"""Cutting a local socket's bytes into messages, and a node that drops it."""

import asyncio
import json
from pathlib import Path

import pytest

from bot.chain.client import ClientOptions, RpcClient
from bot.chain.endpoint import Endpoint
from bot.chain.ipc import MessageCutter, MessageTooLongError
from bot.errors import EndpointInvalidError, EndpointUnreachableError
from tests.support.fake_node import chain

QUICK = ClientOptions(request_timeout_s=10, connect_timeout_s=10)


def test_messages_end_at_line_breaks_wherever_the_bytes_are_cut() -> None:
    text = b'{"a": 1}\n[2, {"b": "}"}]\n{"c": "]"}\n'
    for cut in range(1, len(text)):
        cutter = MessageCutter()
        found = cutter.feed(text[:cut]) + cutter.feed(text[cut:])
        assert [json.loads(one) for one in found] == [{"a": 1}, [2, {"b": "}"}], {"c": "]"}]


def test_a_message_without_a_line_break_is_taken_once_it_is_whole() -> None:
    cutter = MessageCutter()
    assert cutter.feed(b'{"a": {"b": 1}') == []
    assert cutter.feed(b', "c": "}') == []
    assert cutter.feed(b'"}') == [b'{"a": {"b": 1}, "c": "}"}']


def test_bytes_without_an_end_are_given_up() -> None:
    cutter = MessageCutter(limit=10)
    assert cutter.feed(b"12345") == []
    with pytest.raises(MessageTooLongError):
        cutter.feed(b"678901")


@pytest.mark.parametrize("url", ["ipc://host/run/x", "ipc:relative", "ipc://", "ipc:///a%00b"])
def test_a_local_socket_is_named_by_its_absolute_path(url: str) -> None:
    with pytest.raises(EndpointInvalidError, match="absolute path"):
        Endpoint.parse(url)


async def test_a_socket_that_is_not_there_or_dropped_is_unreachable(tmp_path: Path) -> None:
    path = tmp_path / "node.ipc"
    endpoint = Endpoint.parse(f"ipc://{path}")
    assert endpoint.label == f"ipc://{path}"
    with pytest.raises(EndpointUnreachableError, match="no such file"):
        async with RpcClient(endpoint, 31337, QUICK):
            pass

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if b"drop" in line:
                break
            writer.write(chain(x="one")(line.decode()).encode())
        writer.close()

    async with await asyncio.start_unix_server(answer, path), RpcClient(endpoint, 31337, QUICK) as client:
        assert await client.request("x") == "one"
        with pytest.raises(EndpointUnreachableError, match="closed the connection"):
            await client.request("drop")
        assert await client.request("x") == "one"
