"""What an operator sets of metrics, health and messages: the sections ``[ops]`` and ``[alerts]``."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from bot.ops.alerts import Rules
from bot.ops.channels import Channel, Discord, Slack, Telegram, Webhook
from bot.sections import Section, unmasked


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) < 2**16:
        raise ValueError("must read host:port, such as 127.0.0.1:9464")
    return value


def _web_address(value: SecretStr) -> SecretStr:
    unmasked(value)
    if not value.get_secret_value().startswith(("https://", "http://")):
        raise ValueError("must be an http or https URL")
    return value


_Url = Annotated[SecretStr, AfterValidator(_web_address)]


class OpsSettings(Section):
    """Metrics and health.

    Parameters
    ----------
    listen : str or None
        ``host:port`` at which ``/metrics``, ``/healthz`` and ``/readyz`` are served; nowhere if not set.
    """

    listen: Annotated[str, AfterValidator(_host_and_port)] | None = None

    def address(self) -> tuple[str, int] | None:
        """Return host and port."""
        if self.listen is None:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class AlertSettings(Section):
    """Who is told of errors. All that are set are told.

    Parameters
    ----------
    slack, discord, webhook : SecretStr or None
        URLs of webhooks; secret, because whoever knows one can write there.
    telegram_token : SecretStr or None
        Of a bot.
    telegram_chat : str or None
        Chat that the bot writes to.
    telegram_server : str
        Where the bot's interface is.
    repeat_after_s : float
        Seconds for which the same trouble is not told again.
    """

    slack: _Url | None = None
    discord: _Url | None = None
    webhook: _Url | None = None
    telegram_token: Annotated[SecretStr, AfterValidator(unmasked)] | None = None
    telegram_chat: str | None = None
    telegram_server: str = "https://api.telegram.org"
    repeat_after_s: float = Field(default=3_600.0, ge=0)

    @model_validator(mode="after")
    def _a_bot_has_a_chat(self) -> Self:
        if (self.telegram_token is None) != (self.telegram_chat is None):
            raise ValueError("telegram_token and telegram_chat belong together: set both or neither")
        return self

    def channels(self) -> list[Channel]:
        """Return the ways to the operator."""
        found: list[Channel] = []
        if self.slack is not None:
            found.append(Slack(self.slack))
        if self.discord is not None:
            found.append(Discord(self.discord))
        if self.telegram_token is not None and self.telegram_chat is not None:
            found.append(Telegram(self.telegram_token, self.telegram_chat, self.telegram_server.rstrip("/")))
        if self.webhook is not None:
            found.append(Webhook(self.webhook))
        return found

    def rules(self) -> Rules:
        """Return when it is told."""
        return Rules(repeat_after_s=self.repeat_after_s)

    def secrets(self) -> list[str]:
        """Return the values that no log line may hold."""
        given = (self.slack, self.discord, self.webhook, self.telegram_token)
        return [secret.get_secret_value() for secret in given if secret is not None]
