"""Scores of forecasts, against their definitions."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, chi2, norm

from bot.domain import scoring
from bot.errors import InvalidInputError

P = np.array([0.1, 0.35, 0.8, 0.8, 0.5, 0.0, 1.0])
Y = np.array([0, 1, 1, 0, 1, 0, 1])


class TestProbabilities:
    """Forecasts of events."""

    def test_brier_is_the_mean_square(self) -> None:
        assert scoring.brier(P, Y) == pytest.approx(float(((P - Y) ** 2).mean()), rel=1e-15)
        assert scoring.brier([0.0, 1.0], [False, True]) == 0.0
        assert scoring.brier([1.0], [0]) == 1.0

    def test_log_loss_is_minus_the_log_likelihood(self) -> None:
        expected = -np.mean([math.log(p if y else 1.0 - p) for p, y in zip(P, Y, strict=True)])
        assert scoring.log_loss(P, Y) == pytest.approx(float(expected), rel=1e-14)

    def test_log_loss_at_certainty_is_exact(self) -> None:
        assert scoring.log_loss([0.0, 1.0], [0, 1]) == 0.0
        assert math.copysign(1.0, scoring.log_loss([0.0, 1.0], [0, 1])) == 1.0
        assert scoring.log_loss([0.0, 1.0], [1, 1]) == math.inf
        assert scoring.log_loss([1e-20], [0]) == pytest.approx(1e-20, rel=1e-12, abs=0.0)

    def test_calibration_error_weighs_each_bin_by_its_size(self) -> None:
        p = [0.1, 0.1, 0.1, 0.9]
        y = [0, 0, 1, 1]
        assert scoring.expected_calibration_error(p, y, 2) == pytest.approx(
            0.75 * (1 / 3 - 0.1) + 0.25 * 0.1, rel=1e-14
        )

    def test_calibrated_forecasts_have_no_error(self) -> None:
        p = np.repeat([0.25, 0.75], 4)
        assert scoring.expected_calibration_error(p, [0, 0, 0, 1, 1, 1, 1, 0], 10) == 0.0

    @pytest.mark.parametrize("bins", [1, 3, 10, 100, 1_000])
    def test_bins_are_those_of_a_histogram(self, bins: int) -> None:
        rng = np.random.default_rng(4)
        p = np.concatenate(
            [rng.uniform(size=500), np.arange(bins + 1) / bins, np.round(rng.uniform(size=99), 2)]
        )
        y = (rng.uniform(size=p.size) < p).astype(float)
        edges = np.array([k / bins for k in range(bins + 1)])
        index = np.clip([int((edges <= value).sum()) - 1 for value in p], 0, bins - 1)
        expected = sum(
            abs(p[index == k].mean() - y[index == k].mean()) * (index == k).mean() for k in np.unique(index)
        )
        assert scoring.expected_calibration_error(p, y, bins) == pytest.approx(float(expected), abs=1e-13)

    @pytest.mark.parametrize("score", [scoring.brier, scoring.log_loss])
    @pytest.mark.parametrize(
        ("p", "y"),
        [([], []), ([0.5], []), ([0.5], [0.5]), ([0.5], [2]), ([1.5], [1]), ([0.5], [math.nan]), (0.5, 1)],
    )
    def test_what_is_no_forecast_or_outcome_is_refused(self, score: Any, p: Any, y: Any) -> None:
        with pytest.raises(InvalidInputError):
            score(p, y)

    @pytest.mark.parametrize("bins", [0, -1, 2.0, 10**77])
    def test_bins_are_a_count_that_fits(self, bins: Any) -> None:
        with pytest.raises(InvalidInputError, match="bins"):
            scoring.expected_calibration_error(P, Y, bins)


class TestQlike:
    """Forecasts of variance."""

    def test_is_its_definition(self) -> None:
        f, r = np.array([1.0, 2.0, 0.5]), np.array([1.5, 0.2, 0.5])
        expected = np.mean(r / f - np.log(r / f) - 1.0)
        assert scoring.qlike(f, r) == pytest.approx(float(expected), rel=1e-14)

    def test_a_perfect_forecast_loses_nothing_and_a_close_one_its_square(self) -> None:
        assert scoring.qlike([2.0], [2.0]) == 0.0
        happened = 3.0 * (1.0 + 3e-9)
        excess = (happened - 3.0) / 3.0
        assert scoring.qlike([3.0], [happened]) == pytest.approx(excess**2 / 2.0, rel=1e-6, abs=0.0)

    def test_a_realised_zero_is_infinitely_far(self) -> None:
        assert scoring.qlike([1.0, 1.0], [0.0, 1.0]) == math.inf
        assert scoring.qlike([1e-300], [1e300]) == math.inf

    @pytest.mark.parametrize(("f", "r"), [([0.0], [1.0]), ([-1.0], [1.0]), ([1.0], [-1.0]), ([], [])])
    def test_variances_are_not_negative_and_forecasts_not_zero(self, f: Any, r: Any) -> None:
        with pytest.raises(InvalidInputError):
            scoring.qlike(f, r)


class TestKupiec:
    """Frequency of exceptions."""

    @pytest.mark.parametrize(
        ("n", "x", "p"), [(250, 5, 0.01), (250, 0, 0.01), (500, 500, 0.99), (10, 5, 0.5)]
    )
    def test_is_the_ratio_of_two_likelihoods(self, n: int, x: int, p: float) -> None:
        expected = -2.0 * (binom.logpmf(x, n, p) - binom.logpmf(x, n, x / n))
        statistic, p_value = scoring.kupiec(observations=n, exceptions=x, probability=p)
        assert statistic == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert p_value == pytest.approx(chi2.sf(expected, 1), rel=1e-9)

    def test_fields_have_the_names_of_the_interface(self) -> None:
        result = scoring.kupiec(250, 5, 0.01)
        assert result._fields == ("statistic", "p_value")

    def test_a_frequency_as_claimed_proves_nothing(self) -> None:
        assert scoring.kupiec(1_000, 10, 0.01) == (0.0, 1.0)
        assert scoring.kupiec(10**77, 10**75, 0.01) == (0.0, 1.0)

    @pytest.mark.parametrize(
        ("n", "x", "p", "expected"),
        [
            (5, 0, 0.0, (0.0, 1.0)),
            (5, 5, 1.0, (0.0, 1.0)),
            (5, 1, 0.0, (math.inf, 0.0)),
            (5, 4, 1.0, (math.inf, 0.0)),
        ],
    )
    def test_certainty_is_exact(self, n: int, x: int, p: float, expected: tuple[float, float]) -> None:
        assert scoring.kupiec(n, x, p) == expected

    def test_a_tiny_excess_keeps_its_digits(self) -> None:
        # Twice n times (x/n - p)^2 / (2 p (1 - p)), to leading order.
        statistic, _ = scoring.kupiec(10**12, 10**10 + 10, 0.01)
        assert statistic == pytest.approx(10**12 * 1e-11**2 / (0.01 * 0.99), rel=1e-4, abs=0.0)

    @pytest.mark.parametrize(("n", "x"), [(0, 0), (5, 6), (5, -1), (5.0, 1), (5, 1.0), (True, 0)])
    def test_counts_are_counts(self, n: Any, x: Any) -> None:
        with pytest.raises(InvalidInputError):
            scoring.kupiec(n, x, 0.1)


class TestDieboldMariano:
    """Which of two forecasts loses less."""

    @pytest.mark.parametrize("lags", [0, 1, 5])
    def test_is_the_mean_over_the_newey_west_error(self, lags: int) -> None:
        rng = np.random.default_rng(8)
        first, second = rng.exponential(size=(2, 200))
        d = first - second
        c = d - d.mean()
        autocovariance = [float(c[k:] @ c[: c.size - k]) / c.size for k in range(lags + 1)]
        variance = autocovariance[0] + 2 * sum(
            (1 - k / (lags + 1)) * autocovariance[k] for k in range(1, lags + 1)
        )
        expected = d.mean() / math.sqrt(variance / d.size)
        statistic, p_value = scoring.diebold_mariano(first, second, lags)
        assert statistic == pytest.approx(expected, rel=1e-12)
        assert p_value == pytest.approx(2 * norm.sf(abs(expected)), rel=1e-10)

    def test_the_default_counts_more_lags_for_longer_series(self) -> None:
        rng = np.random.default_rng(10)
        for size, lags in ((2, 1), (100, 4), (1_000, 6)):
            first, second = rng.exponential(size=(2, size))
            assert scoring.diebold_mariano(first, second) == scoring.diebold_mariano(first, second, lags)

    def test_equal_forecasts_are_as_often_called_unequal_as_claimed(self) -> None:
        rng = np.random.default_rng(12)
        called = [scoring.diebold_mariano(*rng.exponential(size=(2, 400))).p_value < 0.05 for _ in range(800)]
        assert np.mean(called) == pytest.approx(0.05, abs=0.03)

    def test_the_better_forecast_gives_the_sign(self) -> None:
        rng = np.random.default_rng(13)
        good, bad = rng.exponential(1.0, 500), rng.exponential(2.0, 500)
        assert scoring.diebold_mariano(good, bad).statistic < -5.0
        assert scoring.diebold_mariano(bad, good).statistic > 5.0

    def test_a_difference_that_never_varies_is_a_limit(self) -> None:
        assert scoring.diebold_mariano([1.0, 2.0], [1.0, 2.0]) == (0.0, 1.0)
        assert scoring.diebold_mariano([1.0, 2.0], [2.0, 3.0]) == (-math.inf, 0.0)

    @pytest.mark.parametrize("scale", [1e-200, 1e200])
    def test_the_unit_of_loss_does_not_matter(self, scale: float) -> None:
        rng = np.random.default_rng(14)
        first, second = rng.exponential(size=(2, 50))
        plain, scaled = (
            scoring.diebold_mariano(first, second),
            scoring.diebold_mariano(first * scale, second * scale),
        )
        assert scaled.statistic == pytest.approx(plain.statistic, rel=1e-12)

    @pytest.mark.parametrize(
        ("first", "second", "lags"),
        [
            ([1.0], [2.0], None),
            ([1.0, 2.0], [1.0], None),
            ([1.0, 2.0], [0.0, 0.0], 2),
            ([1e308, 0.0], [-1e308, 0.0], 0),
        ],
    )
    def test_what_cannot_be_compared_is_refused(self, first: Any, second: Any, lags: Any) -> None:
        with pytest.raises(InvalidInputError):
            scoring.diebold_mariano(first, second, lags)
