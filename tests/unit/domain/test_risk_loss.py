"""Bad debt, stress and empirical falls against quadrature, enumeration and counting."""

import math

import mpmath
import numpy as np
import pytest

from bot.domain.risk import (
    expected_bad_debt,
    fall_distribution,
    first_passage,
    first_passage_empirical,
    worst_scenario,
)
from bot.errors import InvalidInputError

YEAR = 31_536_000.0
DAY = 86_400.0


class TestExpectedBadDebt:
    """What a lag leaves uncovered."""

    @staticmethod
    def by_quadrature(collateral: float, debt: float, keep: float, s: float) -> float:
        """Integrate the shortfall over the normal density, in 30 digits."""
        with mpmath.workdps(30):
            edge = (
                mpmath.log(mpmath.mpf(debt) / (mpmath.mpf(collateral) * keep)) + mpmath.mpf(s) ** 2 / 2
            ) / s

            def shortfall(z: mpmath.mpf) -> mpmath.mpf:
                left = debt - collateral * mpmath.mpf(keep) * mpmath.exp(s * z - mpmath.mpf(s) ** 2 / 2)
                return left * mpmath.npdf(z)

            return float(mpmath.quad(shortfall, [min(edge, -12) - 12, edge - 6, edge - 2, edge - 0.5, edge]))

    @pytest.mark.parametrize(
        ("collateral", "debt", "bonus", "slippage", "volatility", "lag"),
        [
            (100.0, 90.0, 0.05, 0.01, 0.8, 3_600.0),
            (100.0, 90.0, 0.05, 0.01, 0.8, DAY),
            (100.0, 95.0, 0.05, 0.02, 1.2, 600.0),
            (100.0, 60.0, 0.05, 0.0, 1.0, 30 * DAY),
            (80.0, 90.0, 0.1, 0.05, 0.7, 7 * DAY),
            (100.0, 99.0, 0.0, 0.0, 3.0, YEAR),
        ],
    )
    def test_is_the_integral_of_the_shortfall(
        self, collateral: float, debt: float, bonus: float, slippage: float, volatility: float, lag: float
    ) -> None:
        found = expected_bad_debt(collateral, debt, bonus, slippage, volatility, lag)
        keep, s = (1 - slippage) / (1 + bonus), volatility * math.sqrt(lag / YEAR)
        assert found == pytest.approx(self.by_quadrature(collateral, debt, keep, s), rel=1e-8, abs=1e-12)

    def test_lies_within_four_standard_errors_of_samples(self) -> None:
        s = 0.9 * math.sqrt(5 / 365)
        z = np.random.default_rng(1).standard_normal(1_000_000)
        losses = np.maximum(90 - 100 * np.exp(s * z - s**2 / 2) * 0.98 / 1.05, 0)
        found = expected_bad_debt(100, 90, 0.05, 0.02, 0.9, 5 * DAY)
        assert abs(float(found) - losses.mean()) < 4 * losses.std() / 1_000

    def test_small_losses_keep_their_digits(self) -> None:
        far = expected_bad_debt(200.0, 100.0, 0.0, 0.0, 0.8, 5 * DAY)
        expected = self.by_quadrature(200.0, 100.0, 1.0, 0.8 * math.sqrt(5 / 365))
        assert far == pytest.approx(expected, rel=1e-8)
        assert 0 < far < 1e-12

    def test_limits_are_exact(self) -> None:
        found = expected_bad_debt([110.0, 90.0, 0.0], 100.0, 0.0, 0.0, [0.0, 0.0, 0.8], DAY)
        assert np.array_equal(np.asarray(found), [0.0, 10.0, 100.0])
        assert expected_bad_debt(90.0, 100.0, 0.0, 0.0, 0.8, 0.0) == 10.0
        assert expected_bad_debt(100.0, 90.0, 0.05, 1.0, 0.8, DAY) == 90.0
        assert expected_bad_debt(100.0, 0.0, 0.05, 0.01, 0.8, DAY) == 0.0
        assert expected_bad_debt(100.0, 90.0, 0.0, 0.0, 1e300, DAY) == pytest.approx(90.0)

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("collateral_value", {"collateral_value": -1.0}),
            ("debt_value", {"debt_value": math.nan}),
            ("bonus", {"bonus": -0.1}),
            ("slippage", {"slippage": 1.1}),
            ("volatility", {"volatility": -0.1}),
            ("lag", {"lag": math.inf}),
        ],
    )
    def test_bad_arguments_are_named(self, name: str, change: dict[str, float]) -> None:
        good = {"collateral_value": 1.0, "debt_value": 1.0, "bonus": 0.05, "slippage": 0.01}
        good |= {"volatility": 0.8, "lag": 60.0}
        with pytest.raises(InvalidInputError) as raised:
            expected_bad_debt(**(good | change))
        assert raised.value.name == name


class TestWorstScenario:
    """The shock that hurts most."""

    def test_finds_the_lowest_health_by_elasticities(self) -> None:
        shocks = np.log([[0.9, 1.0], [1.0, 0.5], [0.8, 0.8]])
        found = worst_scenario([0.7, 0.3], shocks, 1.2)
        assert found._fields == ("index", "health")
        assert found.index == 2
        assert found.health == pytest.approx(1.2 * 0.8)

    def test_debt_is_a_negative_exposure(self) -> None:
        found = worst_scenario([1.0, -1.0], np.log([[0.9, 0.9], [1.0, 1.3], [0.9, 1.0]]), 1.1)
        assert found.index == 1
        assert found.health == pytest.approx(1.1 / 1.3)

    def test_without_health_it_gives_the_factor(self) -> None:
        assert worst_scenario([1.0], [[-0.2]]).health == pytest.approx(math.exp(-0.2))

    def test_first_of_equals_and_nothing_at_risk(self) -> None:
        assert worst_scenario([0.0], [[-0.2], [-0.3]], 1.5) == (0, 1.5)
        assert worst_scenario([], np.zeros((2, 0)), 1.5) == (0, 1.5)

    def test_gives_one_answer_per_account(self) -> None:
        found = worst_scenario([[1.0, 0.0], [0.0, 1.0]], [[-0.1, 0.0], [0.0, -0.5]], [1.2, math.inf])
        assert np.array_equal(np.asarray(found.index), [0, 1])
        np.testing.assert_allclose(found.health, [1.2 * math.exp(-0.1), math.inf])
        assert isinstance(worst_scenario([1.0], [[-0.1]]).index, int)

    @pytest.mark.parametrize(
        ("name", "arguments"),
        [
            ("shocks", ([1.0], np.empty((0, 1)))),
            ("shocks", ([1.0], [-0.1])),
            ("shocks", ([1.0], [[math.nan]])),
            ("log_exposures", ([1.0, 2.0], [[-0.1]])),
            ("log_exposures", ([math.inf], [[-0.1]])),
            ("health", ([1.0], [[-0.1]], -1.0)),
        ],
    )
    def test_bad_arguments_are_named(self, name: str, arguments: tuple[object, ...]) -> None:
        with pytest.raises(InvalidInputError) as raised:
            worst_scenario(*arguments)  # type: ignore[arg-type]
        assert raised.value.name == name


class TestEmpiricalFalls:
    """First passage by counting."""

    def test_is_the_share_of_past_falls_as_deep(self) -> None:
        falls = np.arange(1.0, 1_001.0) / 200.0  # 0.005 to 5 deviations
        past = fall_distribution(falls)
        deviation = 0.8 * math.sqrt(3_600 / YEAR)
        for depth in (0.5, 1.0, 2.3, 4.8):
            found = first_passage_empirical(math.exp(depth * deviation * (1 - 1e-12)), 0.8, 3_600.0, past)
            assert found == pytest.approx((falls >= depth * (1 - 1e-9)).mean())

    def test_tail_beyond_the_past_is_that_of_its_largest(self) -> None:
        generator = np.random.default_rng(0)
        past = fall_distribution(generator.pareto(3.0, 200_000) + 1.0)
        assert past.tail_index == pytest.approx(3.0, rel=0.1)
        assert past.reached(np.array([50.0]))[0] == pytest.approx(50.0**-3, rel=0.4)

    def test_of_brownian_falls_is_first_passage(self) -> None:
        generator = np.random.default_rng(2)
        s, count = 0.8 * math.sqrt(1 / 365), 400_000
        ends = -(s**2) / 2 + s * generator.standard_normal(count)
        # The minimum of a Brownian bridge of known end.
        lowest = (ends - np.sqrt(ends**2 - 2 * s**2 * np.log(generator.random(count)))) / 2
        past = fall_distribution(-lowest / s)
        ratio = np.array([1.0, 1.01, 1.05, 1.1, 1.15])
        found = np.asarray(first_passage_empirical(ratio, 0.8, DAY, past))
        exact = np.asarray(first_passage(ratio, 0.8, DAY))
        error = np.sqrt(exact * (1 - exact) / count)
        assert (np.abs(found - exact) <= 5 * error + 0.05 * (exact < 0.01) * exact).all()

    def test_limits(self) -> None:
        past = fall_distribution(np.linspace(0.0, 3.0, 500))
        found = first_passage_empirical([0.0, 1.0, 1.1, math.inf], 0.0, DAY, past)
        assert np.array_equal(np.asarray(found), [1.0, 1.0, 0.0, 0.0])
        assert first_passage_empirical(1.1, 0.8, 0.0, past) == 0.0
        still = fall_distribution(np.zeros(200))
        assert first_passage_empirical([1.0, 1.0001], 0.8, DAY, still) == pytest.approx([1.0, 0.0], abs=0)

    def test_too_short_a_past_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="falls"):
            fall_distribution(np.ones(99))
        with pytest.raises(InvalidInputError, match="falls"):
            fall_distribution(-np.ones(200))
