import random
from decimal import Decimal, localcontext

import pytest

from bot.domain.amm.uniswap_v3.tick_math import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    sqrt_price_at_tick,
    tick_at_sqrt_price,
)
from bot.errors import InvalidInputError


def ideal_price(tick: int) -> Decimal:
    """Return ``sqrt(1.0001^tick) * 2^96`` to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        return (Decimal("1.0001") ** tick).sqrt() * 2**96


def ticks(count: int) -> list[int]:
    rng = random.Random(7)
    near = [sign * 2**bit + step for bit in range(20) for sign in (-1, 1) for step in (-1, 0, 1)]
    return [t for t in near if abs(t) <= MAX_TICK] + [rng.randint(MIN_TICK, MAX_TICK) for _ in range(count)]


def test_the_ends_of_the_axis_are_the_contracts() -> None:
    assert MIN_SQRT_PRICE == 4295128739
    assert MAX_SQRT_PRICE == 1461446703485210103287273052203988822378723970342


@pytest.mark.parametrize(
    ("tick", "expected"),
    [
        (0, 2**96),
        (1, 79232123823359799118286999568),
        (-1, 79224201403219477170569942574),
        (50, 79426470787362580746886972461),
        (-250_000, 295440463448801648376846),
        (738_203, 847134979253254120489401328389043031315994541),
    ],
)
def test_known_prices(tick: int, expected: int) -> None:
    assert sqrt_price_at_tick(tick) == expected


def test_a_price_is_the_ideal_one_but_for_the_contracts_rounding() -> None:
    for tick in ticks(300):
        ideal = ideal_price(tick)
        allowed = (
            2 + ideal * Decimal(2) ** -59 if tick > 0 else 2
        )  # the inverse of a 64-bit ratio at the far end
        assert abs(sqrt_price_at_tick(tick) - ideal) < allowed


def test_the_tick_of_a_price_is_the_last_one_at_or_below_it() -> None:
    rng = random.Random(8)
    for tick in ticks(3000):
        price = sqrt_price_at_tick(tick)
        if tick < MAX_TICK:
            assert tick_at_sqrt_price(price) == tick
            above = sqrt_price_at_tick(tick + 1)
            assert tick_at_sqrt_price(rng.randrange(price, above)) == tick
        if tick > MIN_TICK:
            assert tick_at_sqrt_price(price - 1) == tick - 1


@pytest.mark.parametrize("tick", [MIN_TICK - 1, MAX_TICK + 1, 10**77])
def test_ticks_off_the_axis_are_refused(tick: int) -> None:
    with pytest.raises(InvalidInputError, match="tick"):
        sqrt_price_at_tick(tick)


@pytest.mark.parametrize("price", [MIN_SQRT_PRICE - 1, MAX_SQRT_PRICE, 0, -1, 10**77])
def test_prices_off_the_axis_are_refused(price: int) -> None:
    with pytest.raises(InvalidInputError, match="sqrt_price_x96"):
        tick_at_sqrt_price(price)
