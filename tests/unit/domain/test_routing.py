import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bot.domain.amm.uniswap_v3 import Pool, sqrt_price_at_tick
from bot.domain.routing import Concentrated, ConstantProduct, Quote, Split, Venue, split
from bot.errors import InvalidInputError, LiquidityExhaustedError
from tests.support.networks import convex_optimum, output, random_network, subsets

TENTH_OF_A_BASIS_POINT = 1e-5
NETWORKS = 200
"""Random networks of the fast test; the slow one has fifty times as many."""
BLOCKS = 10


def net_of(venues: Sequence[Venue], result: Split) -> float:
    """Return the net output of a split from the venues' own definitions."""
    used = [(venue, amount) for venue, amount in zip(venues, result.amounts, strict=True) if amount > 0]
    return math.fsum(output(venue, amount) - venue.fixed_cost for venue, amount in used)


def best_subset(amount: float, venues: Sequence[Venue]) -> float:
    """Return the best net output over every choice of venues, each split without fixed costs."""
    best = -math.inf
    for chosen in subsets(venues):
        members = [replace(venues[i], fixed_cost=0.0) for i in chosen]
        try:
            total = split(amount, members).total_out
        except LiquidityExhaustedError:
            continue
        best = max(best, total - math.fsum(venues[i].fixed_cost for i in chosen))
    return best


def assert_near_convex_optimum(rng: np.random.Generator, count: int) -> None:
    for _ in range(count):
        amount, venues = random_network(rng, int(rng.integers(2, 9)), fixed_costs=False)
        result = split(amount, venues)
        reference = convex_optimum(amount, venues)
        assert result.total_out == pytest.approx(reference, rel=TENTH_OF_A_BASIS_POINT)
        assert result.total_out == pytest.approx(net_of(venues, result), rel=1e-9)
        assert result.gap <= 1e-12 * result.total_out


def test_random_networks_are_within_a_tenth_of_a_basis_point_of_a_convex_solver() -> None:
    assert_near_convex_optimum(np.random.default_rng(0), NETWORKS)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(BLOCKS))
def test_ten_thousand_networks_are_within_a_tenth_of_a_basis_point_of_a_convex_solver(block: int) -> None:
    assert_near_convex_optimum(np.random.default_rng([1, block]), 50 * NETWORKS // BLOCKS)


@pytest.mark.parametrize("kinds", ["pcq", "pq", "c", "p"])
def test_with_fixed_costs_up_to_six_venues_the_best_subset_is_found(kinds: str) -> None:
    rng = np.random.default_rng(len(kinds))
    several = 0
    for _ in range(60):
        amount, venues = random_network(rng, int(rng.integers(2, 7)), fixed_costs=True, kinds=kinds)
        result = split(amount, venues)
        assert result.net_out == pytest.approx(best_subset(amount, venues), rel=1e-12)
        assert result.net_out == pytest.approx(net_of(venues, result), rel=1e-9)
        assert 0 <= result.gap <= 1e-12 * result.total_out
        several += 1 < sum(x > 0 for x in result.amounts) < len(venues)
    assert several > 5, "no network asked for a proper subset"


def test_above_six_venues_the_gap_bounds_the_distance_to_the_best_subset() -> None:
    rng = np.random.default_rng(5)
    for _ in range(25):
        amount, venues = random_network(rng, 8, fixed_costs=True)
        result = split(amount, venues)
        best = best_subset(amount, venues)
        assert result.net_out <= best * (1 + 1e-12)
        assert best <= result.net_out + result.gap + 1e-12 * result.total_out


def test_a_search_cut_short_still_bounds_its_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.domain.routing._split.NODE_BUDGET", 2)
    rng = np.random.default_rng(6)
    open_gaps = 0
    for _ in range(40):
        amount, venues = random_network(rng, 7, fixed_costs=True, kinds="pq")
        result = split(amount, venues)
        best = best_subset(amount, venues)
        assert result.net_out <= best * (1 + 1e-12)
        assert best <= result.net_out + result.gap + 1e-12 * result.total_out
        open_gaps += result.gap > 1e-9 * result.total_out
    assert open_gaps > 0, "no search was cut short"


def test_the_result_names_its_parts_in_order() -> None:
    result = split(1.0, [Quote(2.0, 5.0)])
    assert result._fields == ("amounts", "total_out", "net_out", "shadow_price", "gap")
    assert result == ((1.0,), 2.0, 2.0, pytest.approx(2.0), pytest.approx(0.0, abs=1e-15))


def test_equal_pools_share_equally_and_at_one_price() -> None:
    pool = ConstantProduct(1e6, 2e6, 0.003)
    result = split(3e4, [pool, pool, pool])
    assert result.amounts == pytest.approx((1e4, 1e4, 1e4), rel=1e-12)
    assert result.shadow_price == pytest.approx(0.997 * 1e6 * 2e6 / (1e6 + 0.997e4) ** 2, rel=1e-12)


def test_the_shadow_price_is_the_output_of_one_more_unit() -> None:
    rng = np.random.default_rng(7)
    for _ in range(50):
        amount, venues = random_network(rng, 5, fixed_costs=False, kinds="p")
        step = amount * 1e-5
        more, less = split(amount + step, venues).total_out, split(amount - step, venues).total_out
        assert split(amount, venues).shadow_price == pytest.approx((more - less) / (2 * step), rel=1e-4)


def test_a_quote_is_filled_to_its_capacity_only_where_it_beats_the_pool() -> None:
    pool = ConstantProduct(1e6, 1e6, 0.0)
    good, bad = Quote(0.999, 400.0), Quote(0.5, 400.0)
    amounts = split(5_000.0, [pool, good, bad]).amounts
    assert amounts == pytest.approx((4_600.0, 400.0, 0.0))
    partly = split(5_000.0, [pool, Quote(0.999, 1e6)])
    assert partly.shadow_price == pytest.approx(0.999)
    assert partly.amounts[0] == pytest.approx(1e6 * (math.sqrt(1 / 0.999) - 1))


def test_a_fixed_cost_above_what_a_venue_adds_keeps_it_out() -> None:
    pool = ConstantProduct(1e6, 1e6, 0.003)
    both = split(1e4, [pool, pool])
    alone = split(1e4, [pool])
    gain = both.total_out - alone.total_out
    assert split(1e4, [pool, replace(pool, fixed_cost=1.01 * gain)]).amounts[1] == 0.0
    used = split(1e4, [pool, replace(pool, fixed_cost=0.99 * gain)])
    assert used.amounts[1] == pytest.approx(5e3)
    assert used.net_out == pytest.approx(alone.total_out + 0.01 * gain, rel=1e-12)


def test_venues_that_lose_by_themselves_are_used_where_the_amount_needs_them() -> None:
    venues = [Quote(1.0, 10.0, 50.0), Quote(1.0, 10.0, 40.0), Quote(1.0, 10.0, 60.0)]
    result = split(15.0, venues)
    assert [amount > 0 for amount in result.amounts] == [True, True, False]
    assert result.net_out == pytest.approx(15.0 - 90.0)
    assert result.net_out == pytest.approx(best_subset(15.0, venues))


def test_a_concentrated_pool_is_filled_range_by_range() -> None:
    price = sqrt_price_at_tick(5)
    nets = {-120: 10**21, -60: 10**22, 60: -(10**22), 120: -(10**21)}
    pool = Pool(price, 5, 11 * 10**21, 3000, 60, nets)
    amount = float(pool.amount_to_price(sqrt_price_at_tick(-90), True).amount_in)
    result = split(amount, [Concentrated(pool, True)])
    assert result.total_out == pytest.approx(pool.quote_exact_input(int(amount), True).amount_out, rel=1e-12)
    assert result.shadow_price == pytest.approx(0.997 * (sqrt_price_at_tick(-90) / 2**96) ** 2, rel=1e-9)


def test_a_small_trade_in_deep_pools_keeps_its_digits() -> None:
    venues = [ConstantProduct(1e27, 1e27, 0.003), ConstantProduct(3e27, 3e27, 0.003)]
    result = split(1.0, venues)
    assert result.amounts == pytest.approx((0.25, 0.75), rel=1e-12)


def test_amounts_add_up_to_the_trade() -> None:
    rng = np.random.default_rng(8)
    for _ in range(100):
        amount, venues = random_network(rng, int(rng.integers(1, 9)), fixed_costs=True)
        result = split(amount, venues)
        assert math.fsum(result.amounts) == pytest.approx(amount, rel=1e-14)
        assert all(part >= 0 for part in result.amounts)
        assert result.net_out <= result.total_out


def test_an_amount_beyond_every_capacity_raises_with_what_there_is() -> None:
    price = sqrt_price_at_tick(0)
    pool = Pool(price, 0, 10**21, 3000, 60, {-60: 10**21, 60: -(10**21)})
    most = pool.amount_to_price(sqrt_price_at_tick(-61), True)
    with pytest.raises(LiquidityExhaustedError) as caught:
        split(1e24, [Concentrated(pool, True), Quote(0.5, 1e18)])
    assert caught.value.amount_in == pytest.approx(float(most.amount_in) + 1e18, rel=1e-9)
    assert caught.value.amount_out == pytest.approx(float(most.amount_out) + 5e17, rel=1e-9)


def test_a_pool_without_liquidity_ahead_takes_nothing() -> None:
    empty = Pool(2**96, 0, 0, 3000, 60, {})
    result = split(10.0, [Concentrated(empty, True, 1.0), Concentrated(empty, False), Quote(1.0, 20.0)])
    assert result.amounts == pytest.approx((0.0, 0.0, 10.0))
    with pytest.raises(LiquidityExhaustedError):
        split(10.0, [Concentrated(empty, True)])


@pytest.mark.parametrize("amount", [0, -1.0, math.nan, math.inf, 10**400, "1", None, True])
def test_amounts_that_are_no_positive_number_are_refused(amount: object) -> None:
    with pytest.raises(InvalidInputError, match="amount"):
        split(amount, [Quote(1.0, 1.0)])  # type: ignore[arg-type]


def test_no_venues_and_strange_venues_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least one venue"):
        split(1.0, [])
    with pytest.raises(InvalidInputError, match="venues"):
        split(1.0, ["a pool"])  # type: ignore[list-item]
    with pytest.raises(InvalidInputError, match="pool"):
        Concentrated("a pool", True)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, 1e91, 10**400, "1"])
def test_venues_refuse_sizes_and_prices_out_of_range(bad: float) -> None:
    for call, name in (
        (lambda: ConstantProduct(bad, 1.0, 0.0), "reserve_in"),
        (lambda: ConstantProduct(1.0, bad, 0.0), "reserve_out"),
        (lambda: Quote(bad, 1.0), "price"),
        (lambda: Quote(1.0, bad), "capacity"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            call()
        assert caught.value.name == name


@pytest.mark.parametrize("bad", [-1e-9, math.nan, math.inf])
def test_venues_refuse_costs_and_fees_out_of_range(bad: float) -> None:
    pool = Pool(2**96, 0, 0, 3000, 60, {})
    for call, name in (
        (lambda: ConstantProduct(1.0, 1.0, bad), "fee"),
        (lambda: ConstantProduct(1.0, 1.0, 0.0, bad), "fixed_cost"),
        (lambda: Concentrated(pool, True, bad), "fixed_cost"),
        (lambda: Quote(1.0, 1.0, bad), "fixed_cost"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            call()
        assert caught.value.name == name


def test_256_bit_reserves_are_split_like_any_others() -> None:
    huge = 10**77
    result = split(10**70, [ConstantProduct(huge, huge, 0.003), ConstantProduct(huge, huge, 0.003)])
    assert result.amounts == pytest.approx((5e69, 5e69))
