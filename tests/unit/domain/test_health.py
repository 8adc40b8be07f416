"""Health of one account and of a whole book."""

import math
from typing import Any

import numpy as np
import pytest

from bot.domain import health
from bot.errors import InvalidInputError


def test_health_is_weighted_collateral_over_debt() -> None:
    assert health.health_factor(weighted_collateral=83.0, debt=80.0) == 83.0 / 80.0


def test_scalars_come_out_as_floats_and_arrays_as_arrays() -> None:
    assert type(health.health_factor(1, 2)) is float
    assert type(health.liquidation_price(1, 0.5, 0, 2)) is float
    together = health.health_factor([1.0, 2.0, 3.0], 2.0)
    assert isinstance(together, np.ndarray)
    assert together.tolist() == [0.5, 1.0, 1.5]


@pytest.mark.parametrize("collateral", [0.0, 1.0, 1e300])
def test_an_account_without_debt_has_infinite_health(collateral: float) -> None:
    assert health.health_factor(collateral, 0.0) == math.inf


def test_an_account_without_collateral_has_no_health() -> None:
    assert health.health_factor(0.0, 1.0) == 0.0


def test_huge_integers_are_values_like_any_other() -> None:
    assert health.health_factor(10**77, 2 * 10**77) == 0.5
    assert health.liquidation_price(10**77, 0.5, 0, 10**77) == 2.0


def test_at_the_liquidation_price_health_is_one() -> None:
    price = health.liquidation_price(quantity=10.0, threshold=0.83, other_weighted=1_000.0, debt=9_300.0)
    assert health.health_factor(10.0 * 0.83 * price + 1_000.0, 9_300.0) == pytest.approx(1.0, abs=1e-15)


def test_no_price_liquidates_an_account_that_the_rest_covers() -> None:
    assert health.liquidation_price(10.0, 0.83, 500.0, 500.0) == 0.0
    assert health.liquidation_price(0.0, 0.83, 500.0, 400.0) == 0.0


@pytest.mark.parametrize(("quantity", "threshold"), [(0.0, 0.83), (10.0, 0.0)])
def test_collateral_that_counts_for_nothing_saves_nobody_at_any_price(
    quantity: float, threshold: float
) -> None:
    assert health.liquidation_price(quantity, threshold, 0.0, 1.0) == math.inf


def test_tiny_factors_do_not_vanish_in_their_product() -> None:
    assert health.liquidation_price(1e-200, 1e-200, 0.0, 1e-300) == pytest.approx(1e100, rel=1e-12)


def test_a_threshold_above_one_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="threshold must be a fraction"):
        health.liquidation_price(1.0, 1.01, 0.0, 1.0)


class TestBook:
    """The matrix form."""

    amounts = np.array([[1.0, 0.0], [2.0, 3.0], [0.0, 1.0]])
    prices = np.array([1_600.0, 0.9])
    debts = np.array([1_000.0, 3_000.0, 0.0])

    def test_agrees_with_each_account_alone(self) -> None:
        together = health.health_factors(self.amounts, self.prices, self.debts)
        alone = [
            health.health_factor(float(row @ self.prices), float(debt))
            for row, debt in zip(self.amounts, self.debts, strict=True)
        ]
        assert together.tolist() == alone

    def test_debts_may_be_amounts_at_weighted_prices(self) -> None:
        owed = np.array([[1_000.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
        result = health.health_factors(self.amounts, self.prices, owed, np.array([1.0, 1_500.0]))
        assert np.array_equal(result, health.health_factors(self.amounts, self.prices, self.debts))

    def test_holdings_are_checked_once_and_give_the_same(self) -> None:
        holdings, owed = health.Holdings(self.amounts), health.Holdings(self.debts[:, None])
        result = health.health_factors(holdings, self.prices, owed, np.array([1.0]))
        assert np.array_equal(result, health.health_factors(self.amounts, self.prices, self.debts))

    def test_inputs_are_left_as_they_were(self) -> None:
        before = self.amounts.copy(), self.prices.copy(), self.debts.copy()
        health.health_factors(self.amounts, self.prices, self.debts)
        assert all(
            np.array_equal(a, b) for a, b in zip(before, (self.amounts, self.prices, self.debts), strict=True)
        )

    def test_an_empty_book_has_no_health(self) -> None:
        assert health.health_factors(np.zeros((0, 2)), self.prices, []).size == 0

    def test_a_total_that_no_float_holds_is_infinite_health_but_no_debt(self) -> None:
        vast = np.array([[1e308, 1e308]])
        assert health.health_factors(vast, [1.0, 1.0], [1.0])[0] == math.inf
        with pytest.raises(InvalidInputError, match="debts"):
            health.health_factors([[1.0]], [1.0], vast, [1.0, 1.0])

    @pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
    def test_one_bad_element_anywhere_is_found(self, bad: float) -> None:
        for name in ("amounts", "prices", "debts"):
            given = {key: getattr(self, key).copy() for key in ("amounts", "prices", "debts")}
            given[name].flat[1] = bad
            with pytest.raises(InvalidInputError, match="element"):
                health.health_factors(*given.values())

    @pytest.mark.parametrize(
        ("amounts", "prices", "debts"),
        [
            (np.zeros(2), np.zeros(2), np.zeros(1)),
            (np.zeros((3, 2)), np.zeros(3), np.zeros(3)),
            (np.zeros((3, 2)), np.zeros(2), np.zeros(2)),
            (np.zeros((3, 2)), np.zeros(2), np.zeros((3, 1))),
        ],
    )
    def test_shapes_that_disagree_are_refused(self, amounts: Any, prices: Any, debts: Any) -> None:
        with pytest.raises(InvalidInputError, match="shape"):
            health.health_factors(amounts, prices, debts)

    def test_amounts_owed_need_their_prices(self) -> None:
        with pytest.raises(InvalidInputError, match="weighted_debt_prices"):
            health.health_factors(self.amounts, self.prices, health.Holdings(self.debts[:, None]))


class TestHoldings:
    """Amounts that are checked when they change."""

    def test_changing_the_source_afterwards_changes_nothing(self) -> None:
        source = np.ones((2, 2))
        holdings = health.Holdings(source)
        source[0, 0] = math.nan
        assert np.array_equal(holdings.amounts, np.ones((2, 2)))

    def test_they_cannot_be_written_past_the_checks(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            health.Holdings(np.ones((2, 2))).amounts[0, 0] = -1.0

    def test_an_update_replaces_the_rows_named(self) -> None:
        holdings = health.Holdings(np.zeros((3, 2)))
        holdings.update([2, 0], [[1.0, 2.0], [3.0, 4.0]])
        assert holdings.amounts.tolist() == [[3.0, 4.0], [0.0, 0.0], [1.0, 2.0]]
        holdings.update(np.zeros(0, dtype=int), np.zeros((0, 2)))
        assert holdings.amounts[0].tolist() == [3.0, 4.0]

    @pytest.mark.parametrize(
        ("rows", "amounts"),
        [
            ([0], [[1.0, -1.0]]),
            ([0], [[1.0, math.nan]]),
            ([0], [1.0, 2.0]),
            ([0], [[1.0]]),
            ([0, 1], [[1.0, 1.0]]),
            ([3], [[1.0, 1.0]]),
            ([-1], [[1.0, 1.0]]),
            ([0.0], [[1.0, 1.0]]),
        ],
    )
    def test_a_refused_update_changes_nothing(self, rows: Any, amounts: Any) -> None:
        holdings = health.Holdings(np.zeros((3, 2)))
        with pytest.raises(InvalidInputError):
            holdings.update(rows, amounts)
        assert not holdings.amounts.any()


class TestMostUrgent:
    """The lowest health first."""

    def test_orders_by_health(self) -> None:
        assert health.most_urgent([1.2, 0.9, math.inf, 1.0], 3).tolist() == [1, 3, 0]

    def test_equal_health_keeps_the_order_of_the_book(self) -> None:
        assert health.most_urgent([1.0, 0.5, 1.0, 0.5], 4).tolist() == [1, 3, 0, 2]

    @pytest.mark.parametrize("count", [0, 5, 10**77])
    def test_a_small_book_is_returned_whole(self, count: int) -> None:
        assert health.most_urgent([2.0, 1.0], count).tolist() == ([1, 0] if count else [])
        assert health.most_urgent([], count).size == 0

    @pytest.mark.parametrize("bad", [math.nan, -0.1])
    def test_a_health_that_is_none_is_refused(self, bad: float) -> None:
        with pytest.raises(InvalidInputError):
            health.most_urgent([1.0, bad], 1)

    @pytest.mark.parametrize("kind", ["random", "sorted", "reversed", "peaks", "troughs", "ties", "equal"])
    @pytest.mark.parametrize("count", [1, 32, 1_000, 20_000])
    def test_a_large_book_is_selected_as_a_stable_sort_would(self, kind: str, count: int) -> None:
        draw = np.random.default_rng(7).lognormal(0.5, 0.5, 40_000)
        books = {
            "random": draw,
            "sorted": np.sort(draw),
            "reversed": np.sort(draw)[::-1],
            # Every account that the sample sees is healthy, or every one is not: it misleads both ways.
            "peaks": np.where(np.arange(draw.size) % 32 == 0, 1e3 + draw, draw),
            "troughs": np.where(np.arange(draw.size) % 32 == 0, 1e-3 * draw, draw),
            "ties": np.round(draw, 1),
            "equal": np.ones_like(draw),
        }
        expected = np.argsort(books[kind], kind="stable")[:count]
        assert np.array_equal(health.most_urgent(books[kind], count), expected)
