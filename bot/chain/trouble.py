"""What went wrong on the way to a host, in words that hold no URL.

The texts of libraries' errors may quote the URL with its key, and the number of an error means another thing
in each of three tables: the system's, the resolver's, and TLS's.
"""

import os
import re
import socket
import ssl
from typing import Final

from aiohttp import ClientConnectorDNSError, ClientConnectorError

_UNKNOWN_HOST: Final = "the host's name cannot be resolved"
_SEVERAL: Final = re.compile(r"\[Errno (\d+)\]")


def words_of(error: BaseException) -> str:
    """Return what happened: the operating system's words where it has some, else the kind of the error.

    Parameters
    ----------
    error : BaseException
        Of a connection, or of a request over it.
    """
    if isinstance(error, ClientConnectorDNSError):
        return _UNKNOWN_HOST
    if isinstance(error, ClientConnectorError):
        return words_of(error.os_error)
    if isinstance(error, socket.gaierror):
        return f"{_UNKNOWN_HOST} ({error.strerror.lower()})" if error.strerror else _UNKNOWN_HOST
    if isinstance(error, ssl.SSLError):
        return _of_tls(error)
    if isinstance(error, OSError):
        return _of_system(error)
    return type(error).__name__


def _of_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    reason = (error.reason or "no reason given").replace("_", " ").lower()
    return f"no TLS with it ({reason}); an endpoint without TLS begins with ws:// or http://"


def _of_system(error: OSError) -> str:
    """Return the system's words; a host of several addresses has several numbers in one text."""
    numbers = {error.errno} if error.errno else {int(number) for number in _SEVERAL.findall(str(error))}
    said = [os.strerror(number).lower() for number in sorted(numbers)]
    return ", ".join(said) or type(error).__name__
