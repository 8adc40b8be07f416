"""Nothing secret reaches a log line: by the name of a field, by known values, and by the shape of an URL."""

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from urllib.parse import unquote, unquote_plus, urlsplit

HIDDEN = "**********"

_SECRET_NAMES = re.compile(
    r"pass(word|phrase|wd)|secret|mnemonic|seed_?phrase|private[_-]?key|api[_-]?key|^key$|token$|authorization",
    re.IGNORECASE,
)

_URL = re.compile(
    r"\b(?P<scheme>wss?|https?|postgres(?:ql)?(?:\+\w+)?)://(?:[^\s/?#]*@)?(?P<host>[^\s/?#@\"'<>]*)"
    r"(?P<rest>[/?#][^\s\"'<>]*)?"
)

_SHORTEST_SECRET = 4
"""Shorter values are not looked for in text: they would hide half of every line."""

_SHORTEST_PIECE = 10
"""Shorter parts of an URL are words of its path, such as the name of a chain, and no keys."""


class Redactor:
    """A structlog processor that hides secrets anywhere in an event, however deep.

    Parameters
    ----------
    secrets : iterable of str
        Values known to be secret, hidden wherever they occur in a text; of an URL user, password, path and
        query by themselves, too.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {piece for secret in secrets for piece in _pieces(secret)}
        self._known = _any_of(known) if known else None

    def __call__(
        self, logger: object, method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        """Hide secrets in an event; the last step before it is rendered."""
        return {name: self._field(name, value) for name, value in event.items()}

    def text(self, text: str) -> str:
        """Hide known secrets, and of each URL all but scheme, host and port."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        return _URL.sub(_bare, text)

    def _field(self, name: str, value: object) -> object:
        if _SECRET_NAMES.search(name) and value is not None:
            return HIDDEN
        return self._value(value)

    def _value(self, value: object) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {str(name): self._field(str(name), item) for name, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item) for item in value]
        return self.text(value if isinstance(value, str) else str(value))


def _pieces(secret: str) -> Iterator[str]:
    """Yield a secret and, of an URL, what makes it one: a node that refuses a key may say it by itself."""
    if len(secret) >= _SHORTEST_SECRET:
        yield secret
    try:
        url = urlsplit(secret)
    except ValueError:
        return
    values = (value for entry in url.query.split("&") for value in entry.split("=")[1:])
    for piece in (url.username, url.password, *url.path.split("/"), *values):
        if url.netloc and piece is not None and len(piece) >= _SHORTEST_PIECE:
            yield from (piece, unquote_plus(piece), unquote(piece))


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first)))


def _bare(url: re.Match[str]) -> str:
    rest = url["rest"]
    shown = f"{url['scheme']}://{url['host']}"
    return shown if rest in (None, "/") else f"{shown}/{HIDDEN}"
