"""A pool's curve: what a sale into it brings."""

import pytest

from bot.sim.depth_curve import depth_curve
from bot.sim.liquidity import Geometry, Range, depth, scale_for_depth, shape, tail

PRICE = 2_000.0


def pool(base_first: bool = True) -> tuple[Geometry, list[Range], int]:
    geometry = Geometry(18, 6, base_first, 500)
    scale = scale_for_depth(geometry, PRICE, 1_000_000.0)
    ranges = [*shape(geometry, PRICE, scale), tail(geometry, scale)]
    return geometry, ranges, geometry.sqrt_price_x96(PRICE)


@pytest.mark.parametrize("base_first", [True, False])
def test_a_small_sale_brings_the_price_less_the_fee(base_first: bool) -> None:
    geometry, ranges, sqrt_price = pool(base_first)
    curve = depth_curve(geometry, ranges, sqrt_price)
    brought, _ = curve.sold(1e15, base=True)
    assert brought == pytest.approx(0.001 * PRICE * 1e6 * (1 - 0.0005), rel=1e-4)
    bought, _ = curve.sold(2e6, base=False)
    assert bought == pytest.approx(1e15 * (1 - 0.0005), rel=1e-4)


@pytest.mark.parametrize("base_first", [True, False])
def test_a_sale_over_two_percent_brings_the_depth_and_moves_the_price_there(base_first: bool) -> None:
    geometry, ranges, sqrt_price = pool(base_first)
    curve = depth_curve(geometry, ranges, sqrt_price)
    low, high = 1e18, 1e24
    for _ in range(80):
        middle = (low + high) / 2.0
        _, after = curve.sold(middle, base=True)
        low, high = (low, middle) if after.s**2 < 0.98 * curve.s**2 else (middle, high)
    brought, _ = curve.sold(low, base=True)
    assert brought / 1e6 == pytest.approx(depth(geometry, ranges, sqrt_price, 0.98), rel=1e-6)


def test_selling_in_two_parts_brings_what_one_sale_does() -> None:
    curve = depth_curve(*pool())
    whole, end = curve.sold(3e20, base=True)
    first, between = curve.sold(1e20, base=True)
    second, after = between.sold(2e20, base=True)
    assert first + second == pytest.approx(whole, rel=1e-9)
    assert after.s == pytest.approx(end.s, rel=1e-12)


def test_buying_back_costs_the_fee_twice() -> None:
    curve = depth_curve(*pool())
    brought, between = curve.sold(1e20, base=True)
    back, _ = between.sold(brought, base=False)
    assert 1e20 * (1 - 0.0011) < back < 1e20 * (1 - 0.0009)
