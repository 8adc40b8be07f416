"""Where a node is: an URL that is never printed, and a label that may be."""

from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from bot.errors import EndpointInvalidError

Transport = Literal["websocket", "http", "ipc"]

_TRANSPORTS: dict[str, Transport] = {
    "ws": "websocket",
    "wss": "websocket",
    "http": "http",
    "https": "http",
    "ipc": "ipc",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A node's address. Make one with `parse`.

    Parameters
    ----------
    url : str
        The whole URL. Providers put keys into user, path and query, so it is left out of ``repr``.
    label : str
        Scheme, host and port, or scheme and path of a local socket: what errors and logs say.
    transport : {"websocket", "http", "ipc"}
        How to talk to it.
    path : str
        File of a local socket; empty for the others.
    """

    url: str = field(repr=False)
    label: str
    transport: Transport
    path: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read an URL.

        Raises
        ------
        EndpointInvalidError
            If the scheme is not ws, wss, http, https or ipc, or there is no host, or the port is no port, or
            a local socket has no absolute path.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise EndpointInvalidError("host or port cannot be read") from None
        if parts.scheme not in _TRANSPORTS:
            raise EndpointInvalidError("it does not begin with ws://, wss://, http://, https:// or ipc://")
        if parts.scheme == "ipc":
            path = unquote(parts.path)
            if host or not path.startswith("/") or "\0" in path:
                raise EndpointInvalidError(
                    "a local socket is named by its absolute path, ipc:///run/node.ipc"
                )
            return cls(url=url, label=f"ipc://{path}", transport="ipc", path=path)
        if not host:
            raise EndpointInvalidError("there is no host")
        shown = f"[{host}]" if ":" in host else host
        label = f"{parts.scheme}://{shown}" if port is None else f"{parts.scheme}://{shown}:{port}"
        return cls(url=url, label=label, transport=_TRANSPORTS[parts.scheme])

    def __str__(self) -> str:
        return self.label
