"""Laws of the pools' shape, for any decimals, order of tokens, price and scale."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.amm.uniswap_v3.tick_math import sqrt_price_at_tick
from bot.sim.liquidity import (
    BANDS_ABOVE,
    BANDS_BELOW,
    TAIL,
    Geometry,
    amounts,
    arbitrage_target,
    depth,
    scale_for_depth,
    shape,
    tail,
    worth_trading,
)

EXAMPLES = settings(max_examples=60, deadline=None)
geometries = st.builds(
    Geometry,
    st.sampled_from([8, 18]),
    st.sampled_from([6, 18]),
    st.booleans(),
    st.sampled_from([500, 3000]),
)
prices = st.floats(0.5, 200_000)


@EXAMPLES
@given(geometries, prices)
def test_a_price_survives_the_pools_own_form(geometry: Geometry, price: float) -> None:
    assert geometry.price(geometry.sqrt_price_x96(price)) == pytest.approx(price, rel=1e-9)


@EXAMPLES
@given(geometries, prices)
def test_bands_join_without_gap_or_overlap_at_usable_ticks(geometry: Geometry, price: float) -> None:
    bands = shape(geometry, price, 1.0)
    for band, following in pairwise(bands):
        assert band.lower < band.upper == following.lower
    assert all(band.lower % geometry.spacing == band.upper % geometry.spacing == 0 for band in bands)


@EXAMPLES
@given(geometries, prices)
def test_active_liquidity_by_distance_is_that_of_the_real_pool(geometry: Geometry, price: float) -> None:
    bands = [*shape(geometry, price, 1.0), tail(geometry, 1.0)]
    tick_width = 1.0001**geometry.spacing - 1
    for sides, sign in ((BANDS_BELOW, -1), (BANDS_ABOVE, 1)):
        inner = 0.0
        for outer, level in sides:
            middle = geometry.sqrt_price_x96(price * (1 + sign * (inner + outer) / 2))
            if outer - inner > 3 * tick_width:  # narrower bands may round to nothing
                active = sum(
                    band.liquidity
                    for band in bands
                    if sqrt_price_at_tick(band.lower) <= middle < sqrt_price_at_tick(band.upper)
                )
                assert active == pytest.approx(level, rel=1e-9)
            inner = outer


@EXAMPLES
@given(geometries, prices, st.floats(1e3, 1e9))
def test_the_scale_gives_the_depth_that_was_asked_for(geometry: Geometry, price: float, asked: float) -> None:
    scale = scale_for_depth(geometry, price, asked)
    bands = [*shape(geometry, price, scale), tail(geometry, scale)]
    found = depth(geometry, bands, geometry.sqrt_price_x96(price), 0.98)
    assert found == pytest.approx(asked, rel=1e-3)


@EXAMPLES
@given(geometries, prices)
def test_beyond_the_bands_only_the_tail_is_left(geometry: Geometry, price: float) -> None:
    bands = [*shape(geometry, price, 1.0), tail(geometry, 1.0)]
    far = geometry.sqrt_price_x96(price * 0.4)
    expected = TAIL * geometry.s(far) * (1 - math.sqrt(0.98)) / 10**geometry.quote_decimals
    assert depth(geometry, bands, far, 0.98) == pytest.approx(expected, rel=1e-9)


@EXAMPLES
@given(geometries, prices, st.floats(0.9, 1.1))
def test_the_amounts_given_always_provide_the_whole_band(
    geometry: Geometry, price: float, moved: float
) -> None:
    now = geometry.sqrt_price_x96(price * moved)
    for band in shape(geometry, price, 1e-6):
        token0, token1 = amounts(band, now)
        low, high = sqrt_price_at_tick(band.lower), sqrt_price_at_tick(band.upper)
        at = min(max(now, low), high)
        limits = []
        if at < high:
            limits.append(token0 * at * high // (high - at) >> 96)
        if at > low:
            limits.append((token1 << 96) // (at - low))
        assert min(limits) >= band.liquidity * (1 - 1e-6) - 1


@given(prices, st.floats(0.5, 2.0), st.integers(1, 600), st.floats(1, 600))
def test_arbitrage_closes_half_of_the_gap_in_the_recovery_time(
    market: float, gap: float, elapsed: int, recovery: float
) -> None:
    pool = market * gap
    target = arbitrage_target(pool, market, elapsed, recovery)
    assert math.log(target / market) == pytest.approx(math.log(gap) * 0.5 ** (elapsed / recovery), abs=1e-9)
    twice = arbitrage_target(target, market, elapsed, recovery)
    assert twice == pytest.approx(arbitrage_target(pool, market, 2 * elapsed, recovery), rel=1e-9)


@pytest.mark.parametrize(("pool", "worth"), [(100.0, False), (100.04, False), (100.06, True), (99.9, True)])
def test_a_gap_within_the_fee_is_left_alone(pool: float, worth: bool) -> None:
    assert worth_trading(pool, 100.0, 500) is worth
