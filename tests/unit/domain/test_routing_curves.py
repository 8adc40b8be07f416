"""Each venue's closed forms against their definitions: marginal price, surplus, where a cost is earned."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from bot.domain.routing import Concentrated, ConstantProduct, Quote, Venue
from bot.domain.routing._curves import Curve
from tests.support.networks import random_pool

LIMIT = 1e24


def venues() -> list[Venue]:
    rng = np.random.default_rng(11)
    pools = [random_pool(rng, price, 1e22) for price in (0.003, 1.0, 250.0, 4e-9)]
    return [
        ConstantProduct(1e22, 3e22, 0.003),
        ConstantProduct(5e15, 2e9, 0.0),
        *(Concentrated(pool, direction) for pool in pools for direction in (True, False)),
    ]


def curve_of(venue: Venue) -> Curve:
    curve = venue.curve(LIMIT)
    curve.offset = 0.25 * curve.start  # as if a better venue started there
    return curve


def points(curve: Curve) -> list[float]:
    """Return values of ``t`` from the first unit to a price sixteen times worse."""
    return [curve.offset + curve.start * share for share in (1e-9, 1e-5, 1e-3, 0.01, 0.05, 0.3, 1.0, 3.0)]


def mu_at(curve: Curve, t: float) -> float:
    return curve.start + (t - curve.offset)


@pytest.mark.parametrize("venue", venues(), ids=lambda venue: type(venue).__name__)
def test_the_input_at_a_price_has_that_marginal_price(venue: Venue) -> None:
    curve = curve_of(venue)
    for t in points(curve)[2:]:
        amount, slope = curve.input_at(t)
        if amount >= curve.capacity():
            continue
        step = amount * 1e-4
        marginal = (curve.output(amount + step) - curve.output(amount - step)) / (2 * step)
        assert marginal == pytest.approx(mu_at(curve, t) ** -2, rel=2e-3)
        assert slope >= 0


@pytest.mark.parametrize("venue", venues(), ids=lambda venue: type(venue).__name__)
def test_the_surplus_is_the_most_that_output_exceeds_the_price_of_its_input(venue: Venue) -> None:
    curve = curve_of(venue)
    for t in points(curve)[1:]:
        mu = mu_at(curve, t)
        amount = curve.input_at(t)[0]
        at_input = curve.output(amount) - amount / mu**2
        assert curve.surplus(mu) == pytest.approx(at_input, rel=1e-6, abs=1e-9 * curve.output(amount))
        found = minimize_scalar(
            lambda x: x / mu**2 - curve.output(x),  # noqa: B023 - used before the loop goes on
            bounds=(0.0, min(4 * amount, curve.capacity())),
            method="bounded",
        )
        assert curve.surplus(mu) >= -found.fun - 1e-9 * curve.output(amount)


@pytest.mark.parametrize("venue", venues(), ids=lambda venue: type(venue).__name__)
def test_a_venue_joins_where_its_surplus_earns_its_cost(venue: Venue) -> None:
    curve = curve_of(venue)
    for t in points(curve)[1:]:
        cost = curve.surplus(mu_at(curve, t))
        joined = curve.activation(cost)
        assert joined - curve.offset == pytest.approx(t - curve.offset, rel=1e-6)


def test_a_quote_joins_at_its_price_less_the_cost_spread_over_its_capacity() -> None:
    curve = curve_of(Quote(2.0, 10.0, 5.0))
    assert mu_at(curve, curve.activation(5.0)) == pytest.approx(1.5**-0.5)
    assert curve.surplus(1.5**-0.5) == pytest.approx(5.0)
    assert curve.activation(20.0) == math.inf


def test_a_cost_beyond_all_that_a_venue_pays_is_never_earned() -> None:
    assert curve_of(ConstantProduct(1e22, 3e22, 0.003)).activation(3e22) == math.inf
    pool = venues()[2]
    curve = curve_of(pool)
    assert curve.activation(curve.output(curve.capacity()) * 1.001) == math.inf


def test_a_cost_earned_beyond_the_last_range_joins_with_all_of_the_pool() -> None:
    for venue in venues()[2:]:
        curve = curve_of(venue)
        whole, paid = curve.capacity(), curve.output(curve.capacity())
        joined = curve.activation(0.999 * paid)
        if curve.input_at(joined)[0] == whole:
            assert paid - whole / mu_at(curve, joined) ** 2 == pytest.approx(0.999 * paid, rel=1e-9)
