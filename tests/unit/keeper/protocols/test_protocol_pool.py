"""A pool kept from its logs."""

import pytest

from bot.domain.amm.uniswap_v3 import Pool, sqrt_price_at_tick
from bot.errors import BookDivergedError, InvalidInputError
from bot.protocols.events import Event
from bot.protocols.uniswap_v3 import PoolBook


def initialise(tick: int) -> Event:
    return Event("Initialize", {"sqrtPriceX96": sqrt_price_at_tick(tick), "tick": tick})


def change(name: str, lower: int, upper: int, amount: int) -> Event:
    return Event(name, {"tickLower": lower, "tickUpper": upper, "amount": amount})


def swapped(tick: int, liquidity: int) -> Event:
    return Event("Swap", {"sqrtPriceX96": sqrt_price_at_tick(tick), "tick": tick, "liquidity": liquidity})


NOW = 1_700_000_000


@pytest.fixture
def book() -> PoolBook:
    made = PoolBook(b"\1" * 20, 0, 2, 500, 10)
    made.apply(initialise(0), NOW)
    return made


def test_positions_add_up_by_tick(book: PoolBook) -> None:
    book.apply(change("Mint", -100, 100, 5), NOW)
    book.apply(change("Mint", -100, 50, 7), NOW)
    book.apply(change("Mint", 10, 100, 2), NOW)
    expected = Pool(sqrt_price_at_tick(0), 0, 12, 500, 10, {-100: 12, 10: 2, 50: -7, 100: -7})
    assert book.pool() == expected


def test_a_position_that_ends_at_the_price_is_not_active(book: PoolBook) -> None:
    book.apply(change("Mint", -100, 0, 5), NOW)
    book.apply(change("Mint", 0, 100, 7), NOW)
    assert book.pool().liquidity == 7


def test_a_tick_that_nothing_refers_to_is_forgotten_and_one_that_nets_to_zero_is_kept(book: PoolBook) -> None:
    book.apply(change("Mint", -100, 0, 5), NOW)
    book.apply(change("Mint", 0, 100, 5), NOW)
    assert dict(book.pool().liquidity_net) == {-100: 5, 0: 0, 100: -5}
    book.apply(change("Burn", -100, 0, 5), NOW)
    assert dict(book.pool().liquidity_net) == {0: 5, 100: -5}


def test_a_swap_moves_the_price_and_keeps_the_ladder(book: PoolBook) -> None:
    book.apply(change("Mint", -100, 100, 5), NOW)
    before = book.pool()
    book.apply(swapped(40, 5), NOW)
    assert book.pool().tick == 40
    assert book.pool().liquidity_net is before.liquidity_net


def test_collecting_fees_from_a_position_changes_nothing(book: PoolBook) -> None:
    book.apply(change("Mint", -100, 100, 5), NOW)
    before = book.pool()
    book.apply(change("Burn", -100, 100, 0), NOW)
    assert book.pool() is before


def test_a_burn_without_its_mint_tells_that_logs_are_missing(book: PoolBook) -> None:
    book.apply(change("Mint", -100, 100, 5), NOW)
    with pytest.raises(BookDivergedError, match="at tick -100"):
        book.apply(change("Burn", -100, 100, 6), NOW)


def test_a_swap_with_another_liquidity_tells_that_logs_are_missing(book: PoolBook) -> None:
    book.apply(change("Mint", -100, 100, 5), NOW)
    book.pool()
    with pytest.raises(InvalidInputError, match="liquidity"):
        book.apply(swapped(40, 6), NOW)


def test_a_copy_goes_its_own_way(book: PoolBook) -> None:
    book.apply(change("Mint", -100, 100, 5), NOW)
    copy = book.copy()
    book.apply(swapped(40, 5), NOW)
    book.apply(change("Mint", -100, 100, 1), NOW)
    assert (copy.pool().tick, copy.pool().liquidity) == (0, 5)
    assert (book.pool().tick, book.pool().liquidity) == (40, 6)


def test_a_pool_without_a_price_is_not_started() -> None:
    assert not PoolBook(b"\1" * 20, 0, 2, 500, 10).started


def test_the_mean_tick_weighs_each_tick_by_its_time(book: PoolBook) -> None:
    book.apply(swapped(100, 5), NOW + 60)
    book.apply(swapped(40, 5), NOW + 150)
    assert book.mean_tick(NOW + 180, 180) == (0 * 60 + 100 * 90 + 40 * 30) // 180
    assert book.mean_tick(NOW + 160, 20) == (100 * 10 + 40 * 10) // 20
    assert book.mean_tick(NOW + 1_000, 180) == 40


def test_the_mean_tick_is_rounded_down_below_zero_too(book: PoolBook) -> None:
    book.apply(swapped(-1, 5), NOW + 179)
    assert book.mean_tick(NOW + 180, 180) == -1


def test_only_the_last_tick_of_a_moment_counts(book: PoolBook) -> None:
    book.apply(swapped(500, 5), NOW + 90)
    book.apply(swapped(10, 5), NOW + 90)
    assert book.mean_tick(NOW + 180, 180) == 5


def test_what_is_not_known_counts_as_the_first_tick_known() -> None:
    late = PoolBook(b"\1" * 20, 0, 2, 500, 10)
    late.apply(initialise(70), NOW)
    assert late.mean_tick(NOW + 10, 180) == 70
