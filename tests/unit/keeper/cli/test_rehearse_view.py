"""What a rehearsal found, on a terminal of 80 columns and in a pipe."""

import pytest

from bot.cli.rehearse import _show
from bot.rehearsal import Programme, Rehearsed, Verdict

ACCOUNT = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
LONG = "swap_2: HistoryMissing(0x00000000000000000000000000000000000000A0000000000000000000000000000000001)"
WAITS = Rehearsed(
    *(ACCOUNT, 1.23456, 1_234_567_890 * 10**18, Verdict.WAITS),
    *(("kick", "swap", "swap_3"), ("take: reserve_above_market", LONG, "[bold] is not markup"), 0, 1),
)
FINE = Rehearsed(ACCOUNT.replace("19E7", "0000"), 1.5, 10**18, Verdict.SETTLED, ("kick",), (), 0, 1)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    _show(Programme(7, ACCOUNT, ("it has no money",), (WAITS, FINE, WAITS)))
    return capsys.readouterr().out


def test_no_line_is_wider_than_the_screen_and_nothing_is_cut(shown: str) -> None:
    assert max(map(len, shown.splitlines())) <= 80
    assert "\u2026" not in shown
    together = "".join(line.strip() for line in shown.splitlines())
    assert LONG.replace(" ", "") in together.replace(" ", "")
    assert "[bold] is not markup" in shown


def test_an_account_is_one_word_that_can_be_copied(shown: str) -> None:
    assert f"{ACCOUNT}  waits" in shown.splitlines()
    assert "    health 1.2346, debt 1,234,567,890, did kick, swap, swap_3" in shown.splitlines()
    assert FINE.account not in shown


def test_causes_are_counted(shown: str) -> None:
    assert "     2  take: reserve_above_market" in [line.rstrip() for line in shown.splitlines()]
