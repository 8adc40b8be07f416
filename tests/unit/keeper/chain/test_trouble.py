"""What went wrong on the way to a host is told in words, and never with the URL."""

import errno
import socket
import ssl

import pytest
from aiohttp import ClientConnectorDNSError, ClientConnectorError, ServerDisconnectedError
from aiohttp.client_reqrep import ConnectionKey

from bot.chain.client import ClientOptions, RpcClient
from bot.chain.endpoint import Endpoint
from bot.chain.trouble import words_of
from bot.errors import EndpointUnreachableError

UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
KEY = ConnectionKey("node.example", 443, True, True, None, None, None)
UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed")
UNTRUSTED.verify_message = "self-signed certificate"
PLAIN = ssl.SSLError(1, "[SSL] record layer failure")
PLAIN.reason = "WRONG_VERSION_NUMBER"


def refused(host: str) -> str:
    return f"[Errno {errno.ECONNREFUSED}] Connect call failed ('{host}', 8545)"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UNKNOWN, "the host's name cannot be resolved (name or service not known)"),
        (ClientConnectorDNSError(KEY, OSError(None, "DNS server returned nothing")), "the host"),
        (ClientConnectorError(KEY, UNKNOWN), "the host's name cannot be resolved (name or service"),
        (UNTRUSTED, "its certificate is not trusted (self-signed certificate)"),
        (PLAIN, "no TLS with it (wrong version number)"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no route to host"),
        (OSError(f"Multiple exceptions: {refused('::1')}, {refused('127.0.0.1')}"), "connection refused"),
        (OSError("of no number"), "OSError"),
        (ServerDisconnectedError(), "ServerDisconnectedError"),
    ],
)
def test_each_kind_of_failure_has_its_words(error: Exception, words: str) -> None:
    assert words_of(error).startswith(words)


@pytest.mark.parametrize("scheme", ["ws", "wss", "http", "https"])
async def test_an_unknown_host_is_told_with_its_setting_and_without_the_key(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", _nobody)
    client = RpcClient(Endpoint.parse(f"{scheme}://node.example/s3cret"), 1, ClientOptions())
    with pytest.raises(EndpointUnreachableError, match=r"name cannot be resolved.*chain\.endpoint") as caught:
        async with client:
            pass
    assert "s3cret" not in str(caught.value)
    assert "unknown error" not in str(caught.value).lower()


def _nobody(*asked: object, **how: object) -> object:
    raise UNKNOWN
