"""Where an operator is told: Slack, Discord, Telegram, or any webhook.

A channel knows its secret and how to say something; it is sent by `bot.ops.alerts`. Secrets are typed, so
that printing a channel, or an error that holds one, shows none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Alert:
    """Something an operator should know.

    Parameters
    ----------
    event : str
        Its name in the log.
    level : str
        Of the log.
    fields : mapping
        What the log line held; secrets are hidden already.
    repeats : int
        How often it came since it was told last.
    """

    event: str
    level: str
    fields: Mapping[str, object]
    repeats: int = 0

    @property
    def text(self) -> str:
        """A line for people."""
        fields = ", ".join(f"{name}={value}" for name, value in self.fields.items())
        again = f" ({self.repeats} more since the last message)" if self.repeats else ""
        return f"[{self.level}] sluice {self.event}: {fields}{again}"


class Channel(Protocol):
    """A way to an operator."""

    @property
    def name(self) -> str:
        """Which, for logs and metrics."""
        ...

    def message(self, alert: Alert) -> tuple[SecretStr, dict[str, object]]:
        """Return the URL and the JSON that tell an alert."""
        ...


@dataclass(frozen=True, slots=True)
class Slack:
    """An incoming webhook of Slack."""

    url: SecretStr
    name: str = "slack"

    def message(self, alert: Alert) -> tuple[SecretStr, dict[str, object]]:
        """See `Channel.message`; the three characters that Slack reads as markup are escaped."""
        text = alert.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return self.url, {"text": text}


@dataclass(frozen=True, slots=True)
class Discord:
    """A webhook of Discord."""

    url: SecretStr
    name: str = "discord"

    def message(self, alert: Alert) -> tuple[SecretStr, dict[str, object]]:
        """See `Channel.message`; at most 2,000 characters, and nobody is mentioned by what a text holds."""
        return self.url, {"content": alert.text[:2_000], "allowed_mentions": {"parse": []}}


@dataclass(frozen=True, slots=True)
class Telegram:
    """A bot of Telegram that writes to one chat."""

    token: SecretStr
    chat: str
    server: str = "https://api.telegram.org"
    name: str = "telegram"

    def message(self, alert: Alert) -> tuple[SecretStr, dict[str, object]]:
        """See `Channel.message`; at most 4,096 characters."""
        url = f"{self.server}/bot{self.token.get_secret_value()}/sendMessage"
        return SecretStr(url), {"chat_id": self.chat, "text": alert.text[:4_096]}


@dataclass(frozen=True, slots=True)
class Webhook:
    """Any server that takes JSON."""

    url: SecretStr
    name: str = "webhook"

    def message(self, alert: Alert) -> tuple[SecretStr, dict[str, object]]:
        """See `Channel.message`."""
        return self.url, {
            "event": alert.event,
            "level": alert.level,
            "repeats": alert.repeats,
            "text": alert.text,
            "fields": {name: str(value) for name, value in alert.fields.items()},
        }
