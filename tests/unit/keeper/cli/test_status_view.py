"""What ``sluice status`` says of dealers, on a terminal of 80 columns."""

import pytest
from rich.console import Console

from bot.cli.status import _dealers
from bot.ports.rfq import DealerScore

GOOD = DealerScore(
    *("0x" + "d1" * 20, 40, 38),
    response_bps=9_950,
    fills=3,
    failed_fills=1,
    edge_bps=-12,
)
BENCHED = DealerScore("0x" + "d2" * 20, asked=7, response_bps=1_400, benched_until=125)


@pytest.fixture
def shown() -> list[str]:
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(_dealers([GOOD, BENCHED], block=100))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_dealer_is_shown_with_its_rates_and_what_it_paid_over_the_later_mid(shown: list[str]) -> None:
    (line,) = [line for line in shown if GOOD.dealer in line]
    assert line.split(GOOD.dealer)[1].split() == ["40", "100%", "3/4", "-0.12%"]


def test_a_benched_dealer_is_shown_with_the_block_in_which_it_is_asked_again(shown: list[str]) -> None:
    (line,) = [line for line in shown if BENCHED.dealer in line]
    assert line.split(BENCHED.dealer)[1].split() == ["7", "14%", "0/0", "125"]
    assert max(map(len, shown)) <= 80
