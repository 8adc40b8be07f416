"""The sections of metrics and messages in an operator's file; no way of printing shows their secrets."""

from pathlib import Path

import pytest

from bot.config import load_settings, render
from bot.errors import SluiceError

SECRETS = ("hooks.example/T0/B0/XYZZY", "4711:PLUGH", "discord.example/api/FROBOZZ")
FILE = """
[ops]
listen = "127.0.0.1:9464"
[alerts]
slack = "https://hooks.example/T0/B0/XYZZY"
telegram_token = "4711:PLUGH"
telegram_chat = "-100"
repeat_after_s = 60
"""


def hidden(text: str) -> bool:
    return not any(word in text for word in ("XYZZY", "PLUGH", "FROBOZZ"))


def test_both_sections_are_read_from_file_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sluice.toml"
    path.write_text(FILE)
    monkeypatch.setenv("SLUICE_ALERTS__DISCORD", "https://discord.example/api/FROBOZZ")
    settings = load_settings(path)
    assert settings.ops.address() == ("127.0.0.1", 9464)
    assert [channel.name for channel in settings.alerts.channels()] == ["slack", "discord", "telegram"]
    assert settings.alerts.rules().repeat_after_s == 60.0
    for secret in SECRETS:
        assert any(secret in known for known in settings.secrets())


def test_no_way_of_printing_shows_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "sluice.toml"
    path.write_text(FILE)
    settings = load_settings(path)
    for text in (repr(settings), str(settings), render(settings), settings.model_dump_json()):
        assert hidden(text)
    assert 'telegram_chat = "-100"' in render(settings)


@pytest.mark.parametrize(
    "line",
    [
        'slack = "ftp://XYZZY"',
        'discord = ["PLUGH"]',
        'telegram_token = "4711:PLUGH"',
        'webhook = { url = "FROBOZZ" }',
    ],
)
def test_an_error_about_a_secret_does_not_show_it(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sluice.toml"
    path.write_text(f"[alerts]\n{line}\n")
    with pytest.raises(SluiceError) as caught:
        load_settings(path)
    assert hidden(str(caught.value))
    assert "alerts" in str(caught.value)
