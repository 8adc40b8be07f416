"""What of an URL may be printed."""

import pytest

from bot.chain.endpoint import Endpoint
from bot.errors import EndpointInvalidError


@pytest.mark.parametrize(
    ("url", "label", "transport"),
    [
        ("ws://127.0.0.1:8545", "ws://127.0.0.1:8545", "websocket"),
        ("wss://user:pass@node.example/v2/key", "wss://node.example", "websocket"),
        ("https://node.example:444/key?x=1#y", "https://node.example:444", "http"),
        ("http://[::1]:8545/", "http://[::1]:8545", "http"),
        ("WSS://Node.Example", "wss://node.example", "websocket"),
    ],
)
def test_the_label_is_scheme_host_and_port(url: str, label: str, transport: str) -> None:
    endpoint = Endpoint.parse(url)
    assert (endpoint.url, endpoint.label, endpoint.transport) == (url, label, transport)
    assert str(endpoint) == label
    assert url == label or url not in repr(endpoint)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "begin with"),
        ("secret-key.example:8545", "begin with"),
        ("ftp://node.example/secret-key", "begin with"),
        ("ws://", "no host"),
        ("ws://:8545/secret-key", "no host"),
        ("ws://host:secret-key", "cannot be read"),
        ("ws://host:70000", "cannot be read"),
        ("ws://[::1", "cannot be read"),
    ],
)
def test_an_url_that_names_no_node_is_refused_unseen(url: str, fault: str) -> None:
    with pytest.raises(EndpointInvalidError, match=fault) as caught:
        Endpoint.parse(url)
    assert "secret-key" not in str(caught.value)
