import copy
import math
import pickle
from fractions import Fraction

import pytest
from scipy.optimize import minimize_scalar

from bot.domain.amm.uniswap_v3 import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    Pool,
    sqrt_price_at_tick,
    tick_at_sqrt_price,
)
from bot.errors import InvalidInputError, LiquidityExhaustedError

Q96 = 2**96


def ladder(*positions: tuple[int, int, int]) -> dict[int, int]:
    nets: dict[int, int] = {}
    for lower, upper, liquidity in positions:
        nets[lower] = nets.get(lower, 0) + liquidity
        nets[upper] = nets.get(upper, 0) - liquidity
    return nets


def pool_of(*positions: tuple[int, int, int], price: int = Q96 + 12345, fee: int = 3000) -> Pool:
    tick = tick_at_sqrt_price(price)
    active = sum(liquidity for lower, upper, liquidity in positions if lower <= tick < upper)
    return Pool(price, tick, active, fee, 60, ladder(*positions))


@pytest.fixture
def pool() -> Pool:
    return pool_of(
        (-887_220, 887_220, 10**18),
        (-600, 600, 5 * 10**21),
        (-60, 120, 10**22),
        (1200, 2400, 3 * 10**21),
        (-6000, -3000, 10**22),
    )


@pytest.fixture
def gapped() -> Pool:
    return pool_of((-60, 60, 10**20), (600, 660, 10**21), (-660, -600, 10**21))


def test_a_quote_splits_the_input_into_fee_and_price_move(pool: Pool) -> None:
    quote = pool.quote_exact_input(10**15, True)
    assert quote._fields == ("amount_out", "fee_paid", "sqrt_price_x96_after", "tick_after")
    assert quote.fee_paid == pytest.approx(0.003 * 10**15, rel=1e-6)
    assert quote.sqrt_price_x96_after < pool.sqrt_price_x96
    assert quote.amount_out == pytest.approx(0.997 * 10**15, rel=1e-5)


def test_a_quote_crosses_stretches_without_liquidity(gapped: Pool) -> None:
    to_edge = gapped.amount_to_price(sqrt_price_at_tick(60), False)
    stopped = gapped.quote_exact_input(to_edge.amount_in, False)
    assert (stopped.sqrt_price_x96_after, stopped.tick_after) == (sqrt_price_at_tick(60), 60)
    beyond = gapped.quote_exact_input(to_edge.amount_in + 10**12, False)
    assert beyond.sqrt_price_x96_after > sqrt_price_at_tick(600)
    assert 600 <= beyond.tick_after < 660


def test_an_amount_beyond_the_ladder_raises_with_the_partial_fill(gapped: Pool) -> None:
    for zero_for_one, limit in ((True, MIN_SQRT_PRICE + 1), (False, MAX_SQRT_PRICE - 1)):
        whole = gapped.amount_to_price(limit, zero_for_one)
        with pytest.raises(LiquidityExhaustedError) as caught:
            gapped.quote_exact_input(whole.amount_in + 1, zero_for_one)
        error = caught.value
        assert (error.amount_in, error.amount_out, error.fee_paid) == whole[:3]
        assert error.requested == whole.amount_in + 1
        assert str(whole.amount_in) in str(error)
        assert gapped.quote_exact_input(whole.amount_in, zero_for_one).amount_out == whole.amount_out


def test_an_output_beyond_the_ladder_raises_with_what_there_is(gapped: Pool) -> None:
    most = gapped.amount_to_price(MIN_SQRT_PRICE + 1, True).amount_out
    with pytest.raises(LiquidityExhaustedError) as caught:
        gapped.quote_exact_output(most + 1, True)
    assert caught.value.amount_out == most
    assert gapped.quote_exact_output(most, True).amount_in <= caught.value.amount_in


def test_a_pool_without_any_position_is_exhausted_by_one_wei() -> None:
    empty = Pool(Q96, 0, 0, 3000, 60, {})
    with pytest.raises(LiquidityExhaustedError) as caught:
        empty.quote_exact_input(1, True)
    assert (caught.value.amount_in, caught.value.amount_out) == (0, 0)
    assert empty.depth(0.02, True) == 0
    assert empty.profit_maximising_input(0.5, True) == 0


@pytest.mark.parametrize("bad", [0, -1, 2**255, 10**77, 1.0, True, "1", None])
def test_amounts_the_contract_cannot_name_are_refused(pool: Pool, bad: object) -> None:
    for call in (pool.quote_exact_input, pool.quote_exact_output):
        with pytest.raises(InvalidInputError, match="amount"):
            call(bad, True)  # type: ignore[arg-type]


def test_the_largest_amount_of_the_contract_is_quoted_or_exhausts(pool: Pool) -> None:
    with pytest.raises(LiquidityExhaustedError):
        pool.quote_exact_input(2**255 - 1, True)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"sqrt_price_x96": MIN_SQRT_PRICE - 1}, "sqrt_price_x96"),
        ({"sqrt_price_x96": MAX_SQRT_PRICE}, "sqrt_price_x96"),
        ({"sqrt_price_x96": float(Q96)}, "sqrt_price_x96"),
        ({"sqrt_price_x96": 10**77}, "sqrt_price_x96"),
        ({"tick": 1}, "tick"),
        ({"tick": MAX_TICK + 1}, "tick"),
        ({"tick": MIN_TICK - 1}, "tick"),
        ({"liquidity": -1}, "liquidity"),
        ({"liquidity": 2**128}, "liquidity"),
        ({"fee_pips": 10**6}, "fee_pips"),
        ({"fee_pips": -1}, "fee_pips"),
        ({"tick_spacing": 0}, "tick_spacing"),
        ({"tick_spacing": 16_384}, "tick_spacing"),
        ({"liquidity_net": {61: 1}}, "liquidity_net tick"),
        ({"liquidity_net": {-887_280: 1}}, "liquidity_net tick"),
        ({"liquidity_net": {60: 2**127}}, "liquidity_net"),
        ({"liquidity_net": {60: -101}}, "liquidity_net"),
        ({"liquidity_net": {-60: 101}}, "liquidity_net"),
        ({"liquidity_net": {60: 1.5}}, "liquidity_net"),
    ],
)
def test_a_state_the_contract_cannot_be_in_is_refused(changed: dict[str, object], name: str) -> None:
    state = {
        "sqrt_price_x96": Q96,
        "tick": 0,
        "liquidity": 100,
        "fee_pips": 3000,
        "tick_spacing": 60,
        "liquidity_net": {-60: 100, 60: -100},
    }
    with pytest.raises(InvalidInputError) as caught:
        Pool(**{**state, **changed})  # type: ignore[arg-type]
    assert caught.value.name == name


def test_a_ladder_that_has_been_through_floats_ends_at_zero_liquidity() -> None:
    active = 10**19
    off = Pool(Q96, 0, active, 3000, 60, {-60: active + 700, 60: -active - 1469})
    assert [liquidity for liquidity, _ in off.liquidity_ahead(False)] == [active, 0]
    assert [liquidity for liquidity, _ in off.liquidity_ahead(True)] == [active, 0]
    with pytest.raises(InvalidInputError, match="above tick 60"):
        Pool(Q96, 0, active, 3000, 60, {-60: active, 60: -active - 10**8})


def test_the_tick_below_is_accepted_only_where_the_price_is_exactly_on_a_tick() -> None:
    on_tick = sqrt_price_at_tick(120)
    assert Pool(on_tick, 119, 0, 3000, 60, {}).tick == 119
    assert Pool(on_tick, 120, 0, 3000, 60, {}).tick == 120
    with pytest.raises(InvalidInputError, match="tick must be 120"):
        Pool(on_tick + 1, 119, 0, 3000, 60, {})


def test_a_price_fallen_onto_a_tick_stands_below_it(pool: Pool) -> None:
    move = pool.amount_to_price(sqrt_price_at_tick(-60), True)
    assert move.tick_after == -61
    after = pool.with_price(sqrt_price_at_tick(-60), -61)
    assert after.liquidity == pool.liquidity - 10**22
    back = after.amount_to_price(pool.sqrt_price_x96, False)
    assert back.amount_in > move.amount_out
    assert back.amount_out < move.amount_in


def test_the_pool_after_a_swap_quotes_what_a_fresh_pool_there_quotes(pool: Pool) -> None:
    for amount, zero_for_one in ((10**19, True), (3 * 10**20, False), (10**21, True), (10**22, False)):
        quote = pool.quote_exact_input(amount, zero_for_one)
        after = pool.with_price(quote.sqrt_price_x96_after, quote.tick_after)
        fresh = Pool(
            quote.sqrt_price_x96_after, quote.tick_after, after.liquidity, 3000, 60, pool.liquidity_net
        )
        assert after == fresh
        assert hash(after) == hash(fresh)
        for direction in (True, False):
            for size in (1, 10**12, 10**19, 10**21):
                assert after.quote_exact_input(size, direction) == fresh.quote_exact_input(size, direction)
        pool = after


def test_an_event_whose_liquidity_is_not_the_ladders_is_refused(pool: Pool) -> None:
    assert pool.with_price(pool.sqrt_price_x96, pool.tick, pool.liquidity) == pool
    with pytest.raises(InvalidInputError, match="apply the changed ticks first"):
        pool.with_price(pool.sqrt_price_x96, pool.tick, pool.liquidity + 1)


def test_changed_ticks_make_the_pool_of_the_new_positions() -> None:
    before = pool_of((-60, 60, 10**20), (0, 600, 10**19))
    after = before.with_ticks({-120: 10**18, 60: -(10**20) - 10**18, 600: None, 0: None}, 10**20 + 10**18)
    assert after == pool_of((-60, 60, 10**20), (-120, 60, 10**18))
    assert before == pool_of((-60, 60, 10**20), (0, 600, 10**19))


def test_the_ladder_of_a_pool_cannot_be_written_to(pool: Pool) -> None:
    with pytest.raises(TypeError):
        pool.liquidity_net[0] = 1  # type: ignore[index]
    with pytest.raises(AttributeError):
        pool.tick = 5  # type: ignore[misc]


def test_a_pool_survives_copies_and_pickles(pool: Pool) -> None:
    for twin in (copy.deepcopy(pool), pickle.loads(pickle.dumps(pool))):
        assert twin == pool
        assert twin.quote_exact_input(10**20, True) == pool.quote_exact_input(10**20, True)


def test_ranges_ahead_run_from_the_price_to_the_end_of_the_axis(gapped: Pool) -> None:
    assert list(gapped.liquidity_ahead(True)) == [
        (10**20, -60),
        (0, -600),
        (10**21, -660),
        (0, MIN_TICK),
    ]
    assert list(gapped.liquidity_ahead(False)) == [(10**20, 60), (0, 600), (10**21, 660), (0, MAX_TICK)]


@pytest.mark.parametrize("zero_for_one", [True, False])
def test_an_exact_output_costs_the_least_input_that_brings_it(pool: Pool, zero_for_one: bool) -> None:
    for amount in (1, 10**6, 10**18, 7 * 10**19 + 3):
        cost = pool.quote_exact_output(amount, zero_for_one).amount_in
        assert pool.quote_exact_input(cost, zero_for_one).amount_out >= amount
        assert pool.quote_exact_input(cost - 2, zero_for_one).amount_out <= amount if cost > 2 else True


@pytest.mark.parametrize("zero_for_one", [True, False])
@pytest.mark.parametrize("share", [0.99, 0.95, 0.7, 0.2])
def test_profit_maximising_input_is_within_1e_9_of_a_numerical_search(
    pool: Pool, zero_for_one: bool, share: float
) -> None:
    spot = (pool.sqrt_price_x96 / Q96) ** (2 if zero_for_one else -2)
    cost = spot * share
    size = pool.profit_maximising_input(cost, zero_for_one)

    def profit(amount: int) -> Fraction:
        return pool.quote_exact_input(amount, zero_for_one).amount_out - Fraction(cost) * amount

    best = profit(size)
    found = minimize_scalar(
        lambda log_amount: -float(profit(int(math.exp(log_amount)))),
        bounds=(math.log(size) - 2.0, math.log(size) + 2.0),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert float(best) == pytest.approx(-found.fun, rel=1e-9)
    for step in (10**9, 10**12, size // 1000):
        assert best + 2 >= max(profit(size + step), profit(size - step))


def test_no_input_is_worth_a_cost_above_the_price_after_the_fee(pool: Pool) -> None:
    spot = (pool.sqrt_price_x96 / Q96) ** 2
    assert pool.profit_maximising_input(spot, True) == 0
    assert pool.profit_maximising_input(spot * 0.998, True) == 0
    assert pool.profit_maximising_input(spot * 0.996, True) > 0
    assert pool.profit_maximising_input(1 / spot * 1.01, False) == 0


def test_free_input_takes_all_the_ladder_holds(gapped: Pool) -> None:
    for zero_for_one, limit in ((True, MIN_SQRT_PRICE + 1), (False, MAX_SQRT_PRICE - 1)):
        whole = gapped.amount_to_price(limit, zero_for_one)
        assert gapped.profit_maximising_input(0, zero_for_one) == whole.amount_in
        assert gapped.profit_maximising_input(10**-200, zero_for_one) == whole.amount_in


def test_a_unit_cost_may_be_an_exact_fraction_or_a_huge_integer(pool: Pool) -> None:
    assert pool.profit_maximising_input(Fraction(9, 10), True) == pytest.approx(
        pool.profit_maximising_input(0.9, True), rel=1e-12
    )
    assert pool.profit_maximising_input(10**77, True) == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -0.1, -1, "1", None])
def test_unit_costs_that_are_negative_or_not_finite_are_refused(pool: Pool, bad: object) -> None:
    with pytest.raises(InvalidInputError, match="unit_cost"):
        pool.profit_maximising_input(bad, True)  # type: ignore[arg-type]


@pytest.mark.parametrize("zero_for_one", [True, False])
@pytest.mark.parametrize("slippage", [0.0031, 0.005, 0.02, 0.3, 0.9])
def test_depth_is_the_last_input_within_the_slippage(pool: Pool, zero_for_one: bool, slippage: float) -> None:
    size = pool.depth(slippage, zero_for_one)
    spot = Fraction(pool.sqrt_price_x96**2, 2**192) ** (1 if zero_for_one else -1)
    floor = (1 - Fraction(slippage)) * spot

    def within(amount: int) -> bool:
        return pool.quote_exact_input(amount, zero_for_one).amount_out >= floor * amount

    assert within(size)
    assert not within(size + 1)
    assert not within(size + size // 10**9 + 2)


def test_depth_is_zero_at_the_fee_and_at_most_the_ladder(gapped: Pool) -> None:
    assert gapped.depth(0.003, True) == 0
    assert gapped.depth(0.0, False) == 0
    whole = gapped.amount_to_price(MIN_SQRT_PRICE + 1, True)
    assert gapped.depth(0.99, True) == whole.amount_in


def test_depth_reaches_over_a_stretch_without_liquidity() -> None:
    split = pool_of((-60, 60, 10**20), (-6000, -5940, 10**22))
    assert split.depth(0.02, True) < split.depth(0.4, True)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1.0, -0.01])
def test_slippage_outside_zero_to_one_is_refused(pool: Pool, bad: float) -> None:
    with pytest.raises(InvalidInputError, match="max_slippage"):
        pool.depth(bad, True)


def test_a_price_behind_the_pools_own_cannot_be_reached(pool: Pool) -> None:
    own = pool.sqrt_price_x96
    assert pool.amount_to_price(own, True) == (0, 0, 0, pool.tick)
    for target, zero_for_one in (
        (own + 1, True),
        (own - 1, False),
        (MIN_SQRT_PRICE, True),
        (MAX_SQRT_PRICE, False),
    ):
        with pytest.raises(InvalidInputError, match="sqrt_price_x96"):
            pool.amount_to_price(target, zero_for_one)


def test_a_pool_at_either_end_of_the_axis_takes_nothing_more() -> None:
    for price, tick, zero_for_one in (
        (MIN_SQRT_PRICE, MIN_TICK, True),
        (MIN_SQRT_PRICE + 1, MIN_TICK, True),
        (MAX_SQRT_PRICE - 1, MAX_TICK - 1, False),
    ):
        end = Pool(price, tick, 10**18, 3000, 60, {})
        with pytest.raises(LiquidityExhaustedError):
            end.quote_exact_input(1, zero_for_one)
        assert end.profit_maximising_input(0, zero_for_one) == 0
        assert end.depth(0.5, zero_for_one) == 0


def test_the_representation_counts_the_ticks_instead_of_listing_them(pool: Pool) -> None:
    assert "liquidity_net=<10 ticks>" in repr(pool)
    assert pool != "a pool"
