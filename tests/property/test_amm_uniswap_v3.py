"""Uniswap V3 pools of any shape: the contract's loop, and what no swap may break."""

from fractions import Fraction

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.domain.amm.uniswap_v3 import (
    MAX_SQRT_PRICE,
    MIN_SQRT_PRICE,
    Pool,
    sqrt_price_at_tick,
    tick_at_sqrt_price,
)
from bot.errors import LiquidityExhaustedError
from tests.support.uniswap_model import Model, Result

SPACINGS = (1, 10, 60, 200, 16_383)


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Pools with up to eight positions near the price, of dust to 128 bits, and prices on ticks too."""
    spacing = draw(st.sampled_from(SPACINGS))
    fee = draw(st.sampled_from((0, 1, 100, 3000, 10_000, 500_000, 999_999)))
    centre = draw(st.integers(-870_000, 870_000))
    edge = 887_272 // spacing
    positions = []
    for _ in range(draw(st.integers(0, 8))):
        lower = min(edge - 1, max(-edge, centre // spacing + draw(st.integers(-260, 260))))
        upper = min(edge, lower + draw(st.integers(1, 300)))
        liquidity = draw(st.one_of(st.integers(1, 100), st.integers(1, 2**100), st.integers(10**15, 10**24)))
        positions.append((lower * spacing, upper * spacing, liquidity))
    anchors = [tick for position in positions for tick in position[:2]]
    on_tick = draw(st.booleans()) and bool(anchors)
    tick = draw(st.sampled_from(anchors)) if on_tick else centre
    tick = max(-880_000, min(880_000, tick))
    price = sqrt_price_at_tick(tick)
    if not on_tick:
        price = draw(st.integers(price, sqrt_price_at_tick(tick + 1) - 1))
    elif draw(st.booleans()):
        tick -= 1
    nets: dict[int, int] = {}
    for lower, upper, liquidity in positions:
        nets[lower] = nets.get(lower, 0) + liquidity
        nets[upper] = nets.get(upper, 0) - liquidity
    active = sum(liquidity for lower, upper, liquidity in positions if lower <= tick < upper)
    return Pool(price, tick, active, fee, spacing, nets)


amounts = st.one_of(st.integers(1, 1000), st.integers(1, 10**36), st.integers(10**14, 10**21))


def ours(pool: Pool, amount: int, zero_for_one: bool) -> Result:
    try:
        quote = pool.quote_exact_input(amount, zero_for_one)
    except LiquidityExhaustedError as error:
        price = MIN_SQRT_PRICE + 1 if zero_for_one else MAX_SQRT_PRICE - 1
        taken = int(error.amount_in), int(error.amount_out), int(error.fee_paid)
        return Result(*taken, price, tick_at_sqrt_price(price))
    return Result(amount, *quote)


def theirs(pool: Pool, amount: int, zero_for_one: bool) -> Result:
    state = pool.sqrt_price_x96, pool.tick, pool.liquidity, pool.fee_pips, pool.tick_spacing
    return Model(*state, pool.liquidity_net, sqrt_price_at_tick).swap(amount, zero_for_one)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(pools(), amounts, st.booleans())
def test_a_quote_is_what_the_contracts_loop_arrives_at(pool: Pool, amount: int, zero_for_one: bool) -> None:
    assume(pool.tick_spacing > 1 or amount < 10**22)  # the loop visits thousands of words otherwise
    assert ours(pool, amount, zero_for_one) == theirs(pool, amount, zero_for_one)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(pools(), st.integers(0, 15), st.integers(-1, 1), st.booleans())
def test_a_quote_that_ends_on_a_tick_is_the_loops_too(
    pool: Pool, which: int, nudge: int, zero_for_one: bool
) -> None:
    ticks = [t for t in pool.liquidity_net if abs(t) < 880_000]
    assume(ticks)
    target = sqrt_price_at_tick(ticks[which % len(ticks)])
    assume(target < pool.sqrt_price_x96 if zero_for_one else target > pool.sqrt_price_x96)
    amount = pool.amount_to_price(target, zero_for_one).amount_in + nudge
    assume(amount > 0)
    assert ours(pool, amount, zero_for_one) == theirs(pool, amount, zero_for_one)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(pools(), amounts, amounts, st.booleans())
def test_two_swaps_never_bring_more_than_one_of_their_sum(
    pool: Pool, first: int, second: int, zero_for_one: bool
) -> None:
    try:
        whole = pool.quote_exact_input(first + second, zero_for_one)
    except LiquidityExhaustedError:
        assume(False)
    start = pool.quote_exact_input(first, zero_for_one)
    rest = pool.with_price(start.sqrt_price_x96_after, start.tick_after).quote_exact_input(
        second, zero_for_one
    )
    assert start.amount_out + rest.amount_out <= whole.amount_out + 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(pools(), amounts, st.booleans())
def test_swapping_there_and_back_never_pays(pool: Pool, amount: int, zero_for_one: bool) -> None:
    try:
        there = pool.quote_exact_input(amount, zero_for_one)
        after = pool.with_price(there.sqrt_price_x96_after, there.tick_after)
        assume(there.amount_out > 0)
        back = after.quote_exact_input(there.amount_out, not zero_for_one)
    except LiquidityExhaustedError:
        assume(False)
    assert back.amount_out <= amount


@settings(max_examples=200, deadline=None, derandomize=True)
@given(pools(), amounts, st.booleans())
def test_an_exact_output_is_bought_by_its_cost(pool: Pool, amount: int, zero_for_one: bool) -> None:
    try:
        cost = pool.quote_exact_output(amount, zero_for_one)
        assume(0 < cost.amount_in < 2**255)
        bought = pool.quote_exact_input(cost.amount_in, zero_for_one)
    except LiquidityExhaustedError:
        assume(False)
    assert bought.amount_out >= amount
    assert cost.fee_paid <= cost.amount_in


@settings(max_examples=100, deadline=None, derandomize=True)
@given(pools(), st.floats(0.01, 0.9), st.booleans())
def test_depth_is_worth_its_average_price_and_a_little_more_is_not(
    pool: Pool, slippage: float, zero_for_one: bool
) -> None:
    size = pool.depth(slippage, zero_for_one)
    assume(size > 0)
    square = Fraction(pool.sqrt_price_x96**2, 2**192)
    floor = (1 - Fraction(slippage)) * (square if zero_for_one else 1 / square)
    quote = pool.quote_exact_input(size, zero_for_one)
    assert quote.amount_out >= floor * size
    # Rounding makes the condition flicker just above: by a unit of output, and a unit of fee worth the spot.
    spare = 1 + floor / (1 - Fraction(slippage))
    capacity = pool.profit_maximising_input(0, zero_for_one)
    for more, allowed in (
        (size + 1, 0),
        (size + 2, spare),
        (size + 4 + int(2 / floor), spare),
        (2 * size, spare),
    ):
        if size < more <= capacity:
            assert pool.quote_exact_input(more, zero_for_one).amount_out < floor * more + allowed
