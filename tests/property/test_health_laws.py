"""What holds for the health of every account."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import health

value = st.one_of(st.just(0.0), st.floats(1e-12, 1e15))
positive = st.floats(1e-9, 1e15)
threshold = st.floats(1e-3, 1.0)


@given(collateral=value, debt=value, factor=st.sampled_from([2.0**-40, 0.5, 2.0, 2.0**60]))
def test_the_unit_of_account_does_not_matter(collateral: float, debt: float, factor: float) -> None:
    assert health.health_factor(collateral * factor, debt * factor) == health.health_factor(collateral, debt)


@given(collateral=value, more=value, debt=value, owed=value)
def test_collateral_lifts_health_and_debt_lowers_it(
    collateral: float, more: float, debt: float, owed: float
) -> None:
    before = health.health_factor(collateral, debt)
    assert health.health_factor(collateral + more, debt) >= before
    assert health.health_factor(collateral, debt + owed) <= before


@given(quantity=positive, counted=threshold, other=value, debt=positive)
def test_the_liquidation_price_parts_healthy_from_liquidatable(
    quantity: float, counted: float, other: float, debt: float
) -> None:
    price = health.liquidation_price(quantity, counted, other, debt)
    slack = 1e-9 * (price + debt / (quantity * counted))
    above = health.health_factor(quantity * counted * (price + slack) + other, debt)
    assert above >= 1.0
    if price > slack:
        assert health.health_factor(quantity * counted * (price - slack) + other, debt) < 1.0


@given(
    book=st.lists(st.one_of(st.floats(0.0, 3.0), st.sampled_from([0.0, 1.0, math.inf])), max_size=60),
    count=st.integers(0, 70),
)
def test_the_most_urgent_are_the_head_of_a_stable_sort(book: list[float], count: int) -> None:
    expected = np.argsort(np.array(book), kind="stable")[:count]
    assert health.most_urgent(book, count).tolist() == expected.tolist()


@given(seed=st.integers(0, 2**32), count=st.integers(1, 9_000), digits=st.integers(0, 6))
def test_a_book_with_many_ties_is_selected_in_order(seed: int, count: int, digits: int) -> None:
    book = np.round(np.random.default_rng(seed).lognormal(size=5_000), digits)
    assert np.array_equal(health.most_urgent(book, count), np.argsort(book, kind="stable")[:count])


@given(
    rows=st.lists(st.tuples(value, value, value), min_size=1, max_size=20),
    prices=st.tuples(st.floats(0.0, 1e6), st.floats(0.0, 1e6)),
)
def test_the_matrix_form_is_each_account_alone(
    rows: list[tuple[float, float, float]], prices: tuple[float, float]
) -> None:
    amounts = np.array([row[:2] for row in rows])
    debts = np.array([row[2] for row in rows])
    together = health.health_factors(health.Holdings(amounts), prices, debts)
    alone = health.health_factor(amounts[:, 0] * prices[0] + amounts[:, 1] * prices[1], debts)
    assert np.allclose(together, alone, rtol=1e-13, atol=0.0)
