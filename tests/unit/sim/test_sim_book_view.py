"""The book as the chain holds it: what the lens packs, and who is unhealthy."""

import numpy as np
import pytest

from bot.errors import MeasurementError
from bot.sim.book_view import AccountView, BookView, MarketView, parse_markets, parse_positions
from tests.support.replays import TERMS, WAD

# One share is worth one asset unit: as many shares as a million times the assets, and the virtual ones.
MARKETS = [
    MarketView(10**24, 10**30, 100 * WAD),
    MarketView(10**14, 10**20, 5_000 * WAD),
    MarketView(10**13, 10**19, WAD),
]


def view(*accounts: AccountView) -> BookView:
    book = BookView(list(TERMS.values()), len(accounts))
    for index, account in enumerate(accounts):
        book.update(index, account)
    return book


def owing(usdc: int, weth: int = 10**18) -> AccountView:
    return AccountView((weth, 0, 0), (0, 0, usdc * 10**6))


def test_values_and_health_are_those_of_the_definition() -> None:
    account = AccountView((10**18, 2 * 10**8, 0), (0, 0, 5_000 * 10**6 * 10**6))
    health = view(account).health(MARKETS)
    assert health.collateral[0] == pytest.approx(100 + 10_000)
    assert health.debt[0] == pytest.approx(5_000)
    assert health.health[0] == pytest.approx((0.83 * 100 + 0.78 * 10_000) / 5_000)
    assert not health.unhealthy[0]


def test_a_volatile_debt_counts_with_its_weight() -> None:
    account = AccountView((0, 0, 1_000 * 10**6), (5 * 10**18 * 10**6, 0, 0))
    assert view(account).health(MARKETS).health[0] == pytest.approx(0.9 * 1_000 / (1.08 * 500))


def test_an_account_without_debt_is_healthy() -> None:
    health = view(AccountView((0, 0, 0), (0, 0, 0))).health(MARKETS)
    assert np.isinf(health.health[0])
    assert not health.unhealthy[0]


@pytest.mark.parametrize(("debt", "unhealthy"), [(83_000_000, False), (83_000_001, True)])
def test_one_unit_of_debt_at_the_threshold_decides_as_in_the_contract(debt: int, unhealthy: bool) -> None:
    exact = MarketView(10**6 - 1, 0, WAD)  # a share is one unit, with the virtual ones
    account = AccountView((10**18, 0, 0), (0, 0, debt))
    assert bool(view(account).health([MARKETS[0], MARKETS[1], exact]).unhealthy[0]) is unhealthy


def test_a_debt_rounded_up_past_the_threshold_is_unhealthy_though_its_float_is_not() -> None:
    market = MarketView(3_333_333, 0, WAD)  # a share is 3.333334 units
    shares = 3_000_001  # 10,000,005.33 units, owed as 10,000,006
    weth = 10_000_005_600_000 * 10**6 // 83  # counts for 10,000,005.6 units
    health = view(AccountView((weth, 0, 0), (0, 0, shares))).health([MARKETS[0], MARKETS[1], market])
    assert health.health[0] > 1
    assert health.unhealthy[0]


def test_bands_hold_all_debt_and_the_first_only_what_is_unhealthy() -> None:
    accounts = [owing(usdc * 10**6) for usdc in (90, 80, 70, 60, 50)]
    health = view(*accounts).health(MARKETS)
    bands = health.debt_by_band()
    assert bands[0] == pytest.approx(90)
    assert bands[1:] == pytest.approx((80, 70, 60, 50))
    assert sum(bands) == pytest.approx(health.debt.sum())


def test_a_shortfall_is_not_offset_by_other_accounts() -> None:
    assert view(owing(130 * 10**6), owing(10 * 10**6)).health(MARKETS).shortfall() == pytest.approx(30)


def test_positions_are_unpacked_by_bitmap() -> None:
    def packed(collaterals: int, debts: int, *words: int) -> bytes:
        header = collaterals.to_bytes(8) + debts.to_bytes(8) + (3).to_bytes(4) + b"\x01" + (9).to_bytes(5)
        return header + b"".join(word.to_bytes(16) for word in words)

    data = packed(0b101, 0b010, 7, 8, 9) + packed(0, 0) + packed(0, 0b100, 5)
    assert parse_positions(data, 3, 3) == [
        AccountView((7, 0, 8), (0, 9, 0)),
        AccountView((0, 0, 0), (0, 0, 0)),
        AccountView((0, 0, 0), (0, 0, 5)),
    ]


def test_positions_that_do_not_end_with_the_last_account_are_refused() -> None:
    with pytest.raises(MeasurementError, match="27 bytes for 1 accounts, 26 were read"):
        parse_positions(bytes(27), 1, 3)


def test_markets_are_unpacked_by_their_place() -> None:
    words = [*range(1, 10), *range(11, 20)]
    data = b"".join(word.to_bytes(16) for word in words)
    assert parse_markets(data, 2) == [MarketView(3, 4, 9), MarketView(13, 14, 19)]


def test_markets_of_another_length_are_refused() -> None:
    with pytest.raises(MeasurementError, match="for 2 assets"):
        parse_markets(bytes(144), 2)
