"""Telling operators: what is worth it, once, everywhere it was asked for, and never a secret."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import pytest
import structlog
from aiohttp import web
from pydantic import SecretStr, ValidationError

from bot.ops.alerts import NOT_SENT, AlertDesk, EventCounter, Rules
from bot.ops.channels import Alert, Channel, Discord, Slack, Telegram, Webhook
from bot.ops.logs import configure_logs, tapped
from bot.ops.metrics import Metrics
from bot.ops.settings import AlertSettings, OpsSettings

SECRET = "T0PS3CRET"
ALERT = Alert("book_diverged", "error", {"account": "0xa", "reason": "<1 & 2>"})


@dataclass
class Post:
    """A server that keeps what it is sent, and fails as often as it is told to."""

    url: str = ""
    received: list[tuple[str, Any]] = field(default_factory=list)
    failures: int = 0
    tried: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.tried += 1
        if self.tried <= self.failures:
            return web.Response(status=500)
        self.received.append((request.path, await request.json()))
        self.news.set()
        return web.Response()

    async def arrived(self, count: int) -> None:
        async with asyncio.timeout(5.0):
            while len(self.received) < count:
                self.news.clear()
                await self.news.wait()


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    found = Post()
    application = web.Application()
    application.router.add_post("/{path:.*}", found.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def say(desk: AlertDesk, event: str, level: str = "error", **fields: object) -> Mapping[str, object]:
    return desk(None, level, {"event": event, "level": level, **fields})


def sent(metrics: Metrics, channel: str, result: str) -> float:
    labels = {"channel": channel, "result": result}
    return metrics.registry.get_sample_value("sluice_alerts_total", labels) or 0.0


async def test_an_error_reaches_every_channel_in_its_own_words(post: Post) -> None:
    channels: list[Channel] = [
        Slack(SecretStr(f"{post.url}/slack")),
        Discord(SecretStr(f"{post.url}/discord")),
        Telegram(SecretStr("1:x"), "42", post.url),
        Webhook(SecretStr(f"{post.url}/hook")),
    ]
    metrics = Metrics()
    desk = AlertDesk(channels, metrics)
    async with desk.running():
        say(desk, "book_diverged", account="0xa", trace="abc", reason="x")
        await post.arrived(4)
    content = dict(post.received)
    text = "[error] sluice book_diverged: account=0xa, reason=x"
    assert content["/slack"] == {"text": text}
    assert content["/discord"]["content"] == text
    assert content["/discord"]["allowed_mentions"] == {"parse": []}
    assert content["/bot1:x/sendMessage"] == {"chat_id": "42", "text": text}
    assert content["/hook"]["event"] == "book_diverged"
    assert content["/hook"]["fields"] == {"account": "0xa", "reason": "x"}
    assert sent(metrics, "slack", "sent") == sent(metrics, "webhook", "sent") == 1


async def test_the_same_trouble_is_told_once_and_later_with_how_often_it_came(post: Post) -> None:
    clock = Clock()
    desk = AlertDesk([Webhook(SecretStr(post.url))], Metrics(), Rules(repeat_after_s=60.0), clock)
    async with desk.running():
        for _ in range(5):
            say(desk, "heads_stale")
        say(desk, "book_diverged", account="0xa")
        say(desk, "book_diverged", account="0xb")
        await post.arrived(3)
        clock.now = 60.0
        say(desk, "heads_stale")
        await post.arrived(4)
    assert [content["repeats"] for _, content in post.received] == [0, 0, 0, 4]
    assert post.received[-1][1]["text"].endswith("(4 more since the last message)")


async def test_what_is_not_worth_telling_is_left_in_the_log(post: Post) -> None:
    desk = AlertDesk([Webhook(SecretStr(post.url))], Metrics())
    async with desk.running():
        say(desk, "head", "info")
        say(desk, "head_skipped", "warning")
        say(desk, NOT_SENT, "error")
        say(desk, "foreign_nonce", "warning", signer="0xa")
        await post.arrived(1)
    assert [content["event"] for _, content in post.received] == ["foreign_nonce"]


async def test_a_channel_that_fails_now_and_then_is_tried_again(post: Post) -> None:
    post.failures = 2
    metrics = Metrics()
    desk = AlertDesk([Webhook(SecretStr(post.url))], metrics, Rules(pause_s=0.001))
    async with desk.running():
        say(desk, "heads_stale")
        await post.arrived(1)
    assert post.tried == 3
    assert sent(metrics, "webhook", "sent") == 1


async def test_a_channel_that_is_gone_costs_a_line_without_its_address(post: Post) -> None:
    stream, metrics = StringIO(), Metrics()
    configure_logs("json", "info", stream=stream)
    channels: list[Channel] = [Slack(SecretStr(f"http://127.0.0.1:1/{SECRET}")), Webhook(SecretStr(post.url))]
    desk = AlertDesk(channels, metrics, Rules(pause_s=0.001))
    async with desk.running():
        say(desk, "heads_stale")
    assert sent(metrics, "slack", "failed") == sent(metrics, "webhook", "sent") == 1
    (line,) = [json.loads(text) for text in stream.getvalue().splitlines()]
    assert line["event"] == NOT_SENT
    assert line["channel"] == "slack"
    assert SECRET not in stream.getvalue()


async def test_the_desk_holds_so_many_and_says_what_it_dropped() -> None:
    metrics = Metrics()
    desk = AlertDesk([Webhook(SecretStr("http://127.0.0.1:1"))], metrics)
    for number in range(300):
        say(desk, "book_diverged", account=str(number))
    assert sent(metrics, "all", "dropped") == 300 - 256


async def test_what_waits_at_the_end_is_sent(post: Post) -> None:
    desk = AlertDesk([Webhook(SecretStr(post.url))], Metrics())
    async with desk.running():
        say(desk, "keeper_halted", source="limits")
    assert len(post.received) == 1


async def test_a_log_that_is_tapped_is_counted_and_told_with_secrets_hidden(post: Post) -> None:
    stream, metrics = StringIO(), Metrics()
    configure_logs("json", "info", [SECRET], stream)
    log = structlog.get_logger()
    desk = AlertDesk([Webhook(SecretStr(post.url))], metrics)
    async with desk.running():
        with tapped(EventCounter(metrics), desk):
            log.error("ledger_unusable", reason=f"at {SECRET}", password="hunter22")
            log.warning("head_skipped", reason="x")
            log.info("head")
        log.error("after")
        await post.arrived(1)
    assert [content["event"] for _, content in post.received] == ["ledger_unusable"]
    assert SECRET not in json.dumps(post.received)
    assert "hunter22" not in json.dumps(post.received)
    count = metrics.registry.get_sample_value
    assert count("sluice_log_events_total", {"level": "error", "event": "ledger_unusable"}) == 1
    assert count("sluice_log_events_total", {"level": "warning", "event": "head_skipped"}) == 1
    assert count("sluice_log_events_total", {"level": "info", "event": "head"}) is None
    assert len(stream.getvalue().splitlines()) == 4


def test_messages_respect_what_a_channel_takes() -> None:
    long = Alert("x", "error", {"reason": "y" * 9_000})
    assert len(Discord(SecretStr("http://x")).message(long)[1]["content"]) == 2_000  # type: ignore[arg-type]
    assert len(Telegram(SecretStr("t"), "1").message(long)[1]["text"]) == 4_096  # type: ignore[arg-type]
    assert "&lt;1 &amp; 2&gt;" in str(Slack(SecretStr("http://x")).message(ALERT)[1]["text"])


def test_nothing_prints_a_secret() -> None:
    settings = AlertSettings(
        slack=SecretStr(f"https://hooks.example/{SECRET}"),
        discord=SecretStr(f"https://discord.example/{SECRET}"),
        webhook=SecretStr(f"https://example/{SECRET}"),
        telegram_token=SecretStr(SECRET),
        telegram_chat="1",
    )
    channels = settings.channels()
    assert [channel.name for channel in channels] == ["slack", "discord", "telegram", "webhook"]
    printed = [repr(settings), str(settings), repr(channels), settings.model_dump_json()]
    printed += [repr(channel.message(ALERT)) for channel in channels]
    assert SECRET not in "".join(printed)
    assert all(SECRET in secret for secret in settings.secrets())
    assert len(settings.secrets()) == 4


@pytest.mark.parametrize(
    "given", [{"slack": "hooks.slack.com/x"}, {"telegram_token": "x"}, {"telegram_chat": "1"}, {"mail": "x"}]
)
def test_half_a_channel_or_none_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AlertSettings.model_validate(given)


@pytest.mark.parametrize("listen", ["9464", "localhost", ":9464", "a:b", "a:70000"])
def test_an_address_without_host_or_port_is_refused(listen: str) -> None:
    with pytest.raises(ValidationError, match="host:port"):
        OpsSettings(listen=listen)


def test_addresses_are_taken_apart() -> None:
    assert OpsSettings().address() is None
    assert OpsSettings(listen="127.0.0.1:9464").address() == ("127.0.0.1", 9464)
    assert OpsSettings(listen="[::1]:0").address() == ("::1", 0)
