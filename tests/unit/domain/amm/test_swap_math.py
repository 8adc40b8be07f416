"""Each amount and price is the exact fraction, rounded as the module says, also where numbers are tiny."""

import math
from fractions import Fraction
from itertools import product

import pytest

from bot.domain.amm.uniswap_v3.sqrt_price_math import (
    Q96,
    amount0_down,
    amount0_up,
    amount1_down,
    amount1_up,
    price_after_token0_in,
    price_after_token0_out,
    price_after_token1_in,
    price_after_token1_out,
)
from bot.domain.amm.uniswap_v3.swap_math import full_step, partial_step_in, partial_step_out

PRICES = (2, 3, 7, 10**9 + 7, Q96 - 1, Q96, Q96 + 1, 3 * Q96 + 5)
LIQUIDITIES = (1, 2, 3, 1000, 10**18 + 9, 2**127 + 1)


@pytest.mark.parametrize("liquidity", LIQUIDITIES)
def test_amounts_between_prices_are_exact_fractions_rounded_once(liquidity: int) -> None:
    for low, high in product(PRICES, PRICES):
        if low > high:
            continue
        token0 = Fraction(liquidity * Q96 * (high - low), low * high)
        token1 = Fraction(liquidity * (high - low), Q96)
        assert amount0_up(low, high, liquidity) == math.ceil(token0)
        assert amount0_down(low, high, liquidity) == math.floor(token0)
        assert amount1_up(low, high, liquidity) == math.ceil(token1)
        assert amount1_down(low, high, liquidity) == math.floor(token1)


@pytest.mark.parametrize("liquidity", LIQUIDITIES)
def test_prices_after_an_input_stop_short_of_the_exact_fraction(liquidity: int) -> None:
    for price, amount in product(PRICES, (0, 1, 2, 1001, 10**18 + 1)):
        fallen = Fraction(liquidity * Q96 * price, liquidity * Q96 + amount * price)
        assert price_after_token0_in(price, liquidity, amount) == math.ceil(fallen)
        risen = price + Fraction(amount * Q96, liquidity)
        assert price_after_token1_in(price, liquidity, amount) == math.floor(risen)


def test_a_product_beyond_256_bits_is_avoided_by_dividing_first() -> None:
    liquidity, price, amount = 2**110, 2**159 + 12_345, 2**100 + 1
    assert amount * price >= 2**256
    scaled = liquidity * Q96
    divided = math.ceil(Fraction(scaled, scaled // price + amount))
    assert price_after_token0_in(price, liquidity, amount) == divided
    assert divided != math.ceil(Fraction(scaled * price, scaled + amount * price))


def test_a_sum_beyond_256_bits_is_avoided_too() -> None:
    liquidity, price = 2**128 - 1, 2**100 + 3
    amount = (2**256 - (liquidity << 96)) // price + 1
    assert amount * price < 2**256 <= (liquidity << 96) + amount * price
    scaled = liquidity * Q96
    divided = math.ceil(Fraction(scaled, scaled // price + amount))
    assert price_after_token0_in(price, liquidity, amount) == divided


def test_prices_after_an_output_go_past_the_exact_fraction() -> None:
    for price, liquidity in product((Q96 - 1, Q96, 3 * Q96 + 5), (1000, 10**18 + 9)):
        for amount in (1, 2, liquidity // 10):
            risen = Fraction(liquidity * Q96 * price, liquidity * Q96 - amount * price)
            assert price_after_token0_out(price, liquidity, amount) == math.ceil(risen)
            fallen = price - Fraction(amount * Q96, liquidity)
            assert price_after_token1_out(price, liquidity, amount) == math.floor(fallen)


@pytest.mark.parametrize("zero_for_one", [True, False])
def test_the_whole_of_an_input_that_ends_within_a_range_is_taken(zero_for_one: bool) -> None:
    for amount in (1, 2, 999, 10**15 + 1):
        step = partial_step_in(Q96 + 7, 10**18, amount, 3000, zero_for_one)
        assert step.cost == amount
        assert 0 < step.fee <= amount
        moved = full_step(Q96 + 7, step.sqrt_price_x96, 10**18, 3000, zero_for_one)
        assert moved.cost <= amount
        assert moved.amount_out == step.amount_out


@pytest.mark.parametrize("zero_for_one", [True, False])
@pytest.mark.parametrize("fee", [0, 1, 3000, 999_999])
def test_one_unit_less_than_a_full_steps_cost_does_not_reach_the_end(zero_for_one: bool, fee: int) -> None:
    start, end = (Q96, Q96 - 10**25 - 1) if zero_for_one else (Q96, Q96 + 10**25 + 1)
    cost = full_step(start, end, 10**18, fee, zero_for_one).cost
    short = partial_step_in(start, 10**18, cost - 1, fee, zero_for_one).sqrt_price_x96
    assert (short > end) if zero_for_one else (short < end)


@pytest.mark.parametrize("zero_for_one", [True, False])
def test_the_fee_on_a_bought_output_is_its_share_rounded_up(zero_for_one: bool) -> None:
    step = partial_step_out(Q96 + 7, 10**18, 10**15 + 3, 3000, zero_for_one)
    net = step.cost - step.fee
    assert step.fee == math.ceil(Fraction(net * 3000, 997_000))
    assert step.amount_out == 10**15 + 3
