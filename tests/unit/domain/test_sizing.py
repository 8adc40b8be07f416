"""Repayments that bring an account back to its target, and the collateral they are paid with."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from bot.domain import sizing
from bot.errors import CollateralExhaustedError, InvalidInputError, TargetHealthUnreachableError


def health_after(repay: Any, values: Any, thresholds: Any, bonuses: Any, debt: float, weight: float) -> float:
    left = np.asarray(values) - np.asarray(repay) * (1.0 + np.asarray(bonuses))
    return float(left @ np.asarray(thresholds) / (debt - weight * np.sum(repay)))


class TestRepayToTarget:
    """One collateral sold."""

    def test_ends_exactly_at_the_target(self) -> None:
        repay = sizing.repay_to_target(
            collateral_value=1_000.0, debt_value=850.0, threshold=0.83, bonus=0.05, target=1.05
        )
        assert repay == pytest.approx((1.05 * 850 - 830) / (1.05 - 0.83 * 1.05), rel=1e-14)
        assert health_after([repay], [1_000.0], [0.83], [0.05], 850.0, 1.0) == pytest.approx(1.05, rel=1e-12)

    def test_counts_the_other_collaterals_and_the_weight_of_the_debt(self) -> None:
        repay = sizing.repay_to_target(400.0, 918.0, 0.83, 0.05, 1.05, weighted_total=900.0, debt_weight=1.08)
        after = (900.0 - 0.83 * 1.05 * repay) / (918.0 - 1.08 * repay)
        assert after == pytest.approx(1.05, rel=1e-12)

    def test_a_healthy_account_repays_nothing(self) -> None:
        assert sizing.repay_to_target(1_000.0, 500.0, 0.83, 0.05, 1.05) == 0.0
        assert sizing.repay_to_target(1_000.0, 0.0, 0.83, 0.05, 1.05) == 0.0

    def test_never_more_than_the_collateral_pays(self) -> None:
        assert sizing.repay_to_target(105.0, 850.0, 0.83, 0.05, 1.05, weighted_total=800.0) == pytest.approx(
            100.0, rel=1e-15
        )
        assert sizing.repay_to_target(0.0, 850.0, 0.83, 0.05, 1.05) == 0.0

    def test_never_more_than_is_owed(self) -> None:
        assert sizing.repay_to_target(1e6, 100.0, 0.9, 0.0, 1.0, weighted_total=0.0, debt_weight=1.25) == 80.0

    @pytest.mark.parametrize("bonus", [0.25, 0.3])
    def test_a_target_at_or_below_threshold_times_incentive_is_unreachable(self, bonus: float) -> None:
        with pytest.raises(TargetHealthUnreachableError) as caught:
            sizing.repay_to_target(1_000.0, 900.0, 0.8, bonus, 1.0)
        assert caught.value.target == 1.0
        assert caught.value.floor == 0.8 * (1.0 + bonus)

    def test_one_unreachable_account_among_many_is_named(self) -> None:
        with pytest.raises(TargetHealthUnreachableError, match=r"1\.1"):
            sizing.repay_to_target([1.0, 1.0], [1.0, 1.0], [0.8, 1.0], 0.1, 1.05)

    def test_a_debt_weight_makes_a_target_reachable(self) -> None:
        assert sizing.repay_to_target(1_000.0, 900.0, 0.8, 0.25, 1.0, debt_weight=1.08) > 0.0

    def test_arrays_give_what_each_scalar_gives(self) -> None:
        values, debts = np.array([1_000.0, 500.0, 10.0]), np.array([850.0, 430.0, 8.0])
        together = sizing.repay_to_target(values, debts, 0.83, 0.05, 1.05)
        alone = [sizing.repay_to_target(v, d, 0.83, 0.05, 1.05) for v, d in zip(values, debts, strict=True)]
        assert together.tolist() == alone

    def test_huge_integers_scale(self) -> None:
        small = sizing.repay_to_target(1_000, 850, 0.83, 0.05, 1.05)
        huge = sizing.repay_to_target(1_000 * 10**74, 850 * 10**74, 0.83, 0.05, 1.05)
        assert huge == pytest.approx(small * 1e74, rel=1e-12)

    def test_the_largest_floats_do_not_overflow(self) -> None:
        assert sizing.repay_to_target(1e308, 1e308, 0.5, 0.0, 1e10) == pytest.approx(1e308, rel=1e-9)


class TestCheapestMix:
    """Several collaterals sold."""

    def test_one_collateral_is_sized_as_alone(self) -> None:
        mix = sizing.cheapest_mix([1_000.0], [0.83], [0.05], 850.0, 1.05)
        alone = sizing.repay_to_target(1_000.0, 850.0, 0.83, 0.05, 1.05)
        assert mix[0] == pytest.approx(alone, rel=1e-13)

    def test_the_order_is_that_given(self) -> None:
        dear_first = sizing.cheapest_mix([500.0, 500.0], [0.8, 0.8], [0.1, 0.02], 790.0, 1.05)
        cheap_first = sizing.cheapest_mix([500.0, 500.0], [0.8, 0.8], [0.02, 0.1], 790.0, 1.05)
        assert dear_first[0] == 0.0
        assert dear_first.tolist() == cheap_first[::-1].tolist()

    def test_the_cheapest_is_used_up_before_the_next(self) -> None:
        mix = sizing.cheapest_mix([51.0, 900.0], [0.8, 0.8], [0.02, 0.1], 770.0, 1.05)
        assert mix[0] == pytest.approx(50.0, rel=1e-15)
        assert health_after(mix, [51.0, 900.0], [0.8, 0.8], [0.02, 0.1], 770.0, 1.0) == pytest.approx(1.05)

    def test_a_small_bonus_on_a_high_threshold_can_be_the_dear_one(self) -> None:
        # 0.04 / (1.05 - 0.95 * 1.04) = 0.645, 0.05 / (1.05 - 0.5 * 1.05) = 0.095
        mix = sizing.cheapest_mix([500.0, 500.0], [0.95, 0.5], [0.04, 0.05], 740.0, 1.05)
        assert mix[0] == 0.0

    def test_equal_costs_are_taken_in_the_order_given(self) -> None:
        mix = sizing.cheapest_mix([500.0, 500.0], [0.8, 0.8], [0.05, 0.05], 790.0, 1.05)
        assert mix[0] > 0.0
        assert mix[1] == 0.0

    def test_collateral_that_lowers_health_is_never_sold(self) -> None:
        mix = sizing.cheapest_mix([500.0, 500.0], [0.98, 0.8], [0.2, 0.1], 900.0, 1.05)
        assert mix[0] == 0.0
        assert mix[1] > 0.0

    def test_collateral_that_just_keeps_health_is_never_sold_whatever_the_rounding(self) -> None:
        rng = np.random.default_rng(2)
        for target, weight in rng.uniform((0.7, 1.0), (0.9, 1.1), size=(500, 2)):
            debt = 1.01e9 * (target * weight + 0.5) / target
            mix = sizing.cheapest_mix([1e9, 1e9], [target * weight, 0.5], [0.0, 0.1], debt, target, weight)
            assert mix[0] == 0.0

    def test_a_healthy_account_sells_nothing(self) -> None:
        assert not sizing.cheapest_mix([500.0, 500.0], [0.8, 0.8], [0.05, 0.05], 100.0, 1.05).any()
        assert not sizing.cheapest_mix([500.0], [1.0], [0.5], 0.0, 1.05).any()

    def test_no_collateral_that_lifts_health_is_an_error(self) -> None:
        with pytest.raises(TargetHealthUnreachableError) as caught:
            sizing.cheapest_mix([500.0, 100.0], [0.98, 0.98], [0.2, 0.1], 900.0, 1.05)
        assert not isinstance(caught.value, CollateralExhaustedError)
        assert caught.value.floor == pytest.approx(0.98 * 1.1)

    def test_too_little_collateral_is_an_error_with_the_health_it_reaches(self) -> None:
        with pytest.raises(CollateralExhaustedError) as caught:
            sizing.cheapest_mix([500.0, 100.0], [0.98, 0.8], [0.2, 0.1], 900.0, 1.05)
        assert caught.value.target == 1.05
        everything = health_after([0.0, 100.0 / 1.1], [500.0, 100.0], [0.98, 0.8], [0.2, 0.1], 900.0, 1.0)
        assert caught.value.reached == pytest.approx(everything, rel=1e-12)
        assert "cannot be reached" in str(caught.value)

    def test_selling_everything_may_just_repay_the_debt(self) -> None:
        mix = sizing.cheapest_mix([110.0, 105.0], [0.8, 0.8], [0.1, 0.05], 200.0, 1.05)
        assert mix.tolist() == pytest.approx([100.0, 100.0], rel=1e-12)

    def test_a_discount_is_cheaper_than_par(self) -> None:
        mix = sizing.cheapest_mix([500.0, 500.0], [0.8, 0.8], [0.0, -0.01], 790.0, 1.05)
        assert mix[0] == 0.0

    @pytest.mark.parametrize(
        ("values", "thresholds", "bonuses"),
        [
            ([], [], []),
            ([1.0], [0.8, 0.8], [0.1]),
            ([1.0], [0.8], []),
            (1.0, 0.8, 0.1),
            ([[1.0]], [0.8], [0.1]),
        ],
    )
    def test_an_empty_book_or_unequal_lengths_are_refused(
        self, values: Any, thresholds: Any, bonuses: Any
    ) -> None:
        with pytest.raises(InvalidInputError):
            sizing.cheapest_mix(values, thresholds, bonuses, 1.0, 1.05)

    def test_no_linear_programme_is_cheaper(self) -> None:
        rng = np.random.default_rng(11)
        solved = 0
        while solved < 300:
            book = random_book(rng)
            reference = linear_programme(**book)
            if reference is None:
                with pytest.raises(TargetHealthUnreachableError):
                    sizing.cheapest_mix(**book)
                continue
            repay = sizing.cheapest_mix(**book)
            paid = float(book["bonuses"] @ repay)
            assert paid == pytest.approx(reference, rel=1e-9, abs=1e-9 * book["debt_value"])
            after = health_after(
                repay,
                book["values"],
                book["thresholds"],
                book["bonuses"],
                book["debt_value"],
                book["debt_weight"],
            )
            assert after == pytest.approx(book["target"], rel=1e-9)
            assert np.all(repay <= book["values"] / (1.0 + book["bonuses"]) * (1.0 + 1e-15))
            solved += 1


def random_book(rng: np.random.Generator) -> dict[str, Any]:
    """Return an unhealthy account of up to eight collaterals, some of which may lower health when sold."""
    size = int(rng.integers(1, 9))
    values, thresholds = rng.lognormal(5.0, 1.5, size), rng.uniform(0.3, 1.0, size)
    return {
        "values": values,
        "thresholds": thresholds,
        "bonuses": rng.choice([0.0, 0.02, 0.05, 0.1, 0.3], size),
        "debt_value": float(values @ thresholds) / rng.uniform(0.85, 1.0),
        "target": float(rng.uniform(1.01, 1.15)),
        "debt_weight": float(rng.choice([1.0, 1.08])),
    }


def linear_programme(
    values: Any, thresholds: Any, bonuses: Any, debt_value: float, target: float, debt_weight: float
) -> float | None:
    """Least total bonus by a general solver: at least the target, within the collateral and the debt."""
    incentive = 1.0 + bonuses
    gain = target * debt_weight - thresholds * incentive
    result = linprog(
        bonuses,
        A_ub=np.array([-gain, np.full(values.size, debt_weight)]),
        b_ub=[-(target * debt_value - values @ thresholds), debt_value],
        bounds=[(0.0, v / b) for v, b in zip(values, incentive, strict=True)],
        method="highs",
    )
    return float(result.fun) if result.status == 0 else None


class TestBounds:
    """When a slice helps, and how large a bonus may be."""

    def test_a_slice_raises_health_below_the_break_even_bonus_only(self) -> None:
        assert sizing.raises_health(health=0.9, threshold=0.8, bonus=0.124)
        assert not sizing.raises_health(health=0.9, threshold=0.8, bonus=0.126)
        assert not sizing.raises_health(health=1.0, threshold=0.8, bonus=0.25)

    def test_the_answer_is_what_a_small_sale_does(self) -> None:
        rng = np.random.default_rng(3)
        for _ in range(200):
            collateral, debt, threshold = 100.0, float(rng.uniform(60, 110)), float(rng.uniform(0.5, 0.95))
            bonus, weight = float(rng.uniform(-0.05, 0.4)), float(rng.choice([1.0, 1.1]))
            before = collateral * threshold / debt
            after = (collateral - 0.01 * (1 + bonus)) * threshold / (debt - weight * 0.01)
            assert sizing.raises_health(before, threshold, bonus, weight) == (after > before)

    def test_truth_values_keep_their_shape(self) -> None:
        assert type(sizing.raises_health(0.9, 0.8, 0.05)) is bool
        assert sizing.raises_health([0.9, 0.5], 0.8, 0.05).tolist() == [True, False]
        assert sizing.raises_health(math.inf, 1.0, 5.0) is True

    def test_the_largest_safe_bonus_leaves_nothing_over(self) -> None:
        bonus = sizing.largest_safe_bonus(collateral_value=107.0, debt_value=100.0)
        assert bonus == pytest.approx(0.07, rel=1e-14)
        assert 107.0 - (1.0 + bonus) * 100.0 == pytest.approx(0.0, abs=1e-12)

    def test_the_largest_safe_bonus_at_its_limits(self) -> None:
        assert sizing.largest_safe_bonus(1.0, 0.0) == math.inf
        assert sizing.largest_safe_bonus(0.0, 1.0) == -1.0
        assert sizing.largest_safe_bonus(100.0, 100.0) == 0.0
        assert sizing.largest_safe_bonus(math.nextafter(3.0, 4.0), 3.0) == math.ulp(3.0) / 3.0
        assert sizing.largest_safe_bonus([90.0, 110.0], 100.0).tolist() == pytest.approx([-0.1, 0.1])
