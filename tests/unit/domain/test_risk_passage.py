"""First passage against methods that share nothing with it: densities, sampled paths, exact identities."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from bot.domain.risk import _normal as normal
from bot.domain.risk import distance_to_default, first_passage, first_passage_two_assets
from bot.errors import CorrelationError, InvalidInputError

YEAR = 31_536_000.0
DAY = 86_400.0


def by_hitting_density(ratio: float, volatility: float, horizon: float, drift: float) -> float:
    """Integrate the density of the first time at the barrier, in 40 digits."""
    with mpmath.workdps(40):
        b, s, t = mpmath.log(mpmath.mpf(ratio)), mpmath.mpf(volatility), mpmath.mpf(horizon) / YEAR
        nu = mpmath.mpf(drift) - s**2 / 2

        def density(u: mpmath.mpf) -> mpmath.mpf:
            return (
                b
                / (s * mpmath.sqrt(2 * mpmath.pi * u**3))
                * mpmath.exp(-((b + nu * u) ** 2) / (2 * s**2 * u))
            )

        peak = min(b**2 / (3 * s**2), t / 2)
        return float(mpmath.quad(density, [0, peak / 8, peak / 2, peak, (peak + t) / 2, t]))


@pytest.mark.parametrize(
    ("ratio", "volatility", "horizon", "drift"),
    [
        (1.02, 0.8, 600.0, 0.0),
        (1.05, 0.8, 3_600.0, 0.0),
        (1.1, 0.9, DAY, 0.3),
        (1.5, 1.2, 30 * DAY, -0.5),
        (1.0001, 0.5, 60.0, 0.0),
        (3.0, 0.7, YEAR, 1.0),
        (1.2, 0.6, YEAR, -2.0),
        (1.3, 0.4, DAY, 5.0),
    ],
)
def test_probability_is_the_integral_of_the_hitting_density(
    ratio: float, volatility: float, horizon: float, drift: float
) -> None:
    expected = by_hitting_density(ratio, volatility, horizon, drift)
    assert first_passage(ratio, volatility, horizon, drift) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_probability_lies_within_four_standard_errors_of_sampled_paths() -> None:
    generator = np.random.default_rng(3)
    volatility, period, drift, paths = 0.9, 0.02, 0.4, 400_000
    ends = (drift - volatility**2 / 2) * period + volatility * math.sqrt(period) * generator.standard_normal(
        paths
    )
    for ratio in (1.05, 1.1, 1.3):
        b = math.log(ratio)
        # Given its end, a path has touched with the Brownian bridge's probability.
        bridge = np.where(ends > -b, np.exp(-2 * b * np.maximum(b + ends, 0) / (volatility**2 * period)), 1.0)
        error = bridge.std() / math.sqrt(paths)
        assert abs(first_passage(ratio, volatility, period * YEAR, drift) - bridge.mean()) < 4 * error


def test_compiled_and_vectorised_sums_agree() -> None:
    x = np.random.default_rng(0).normal(0.0, 5.0, size=(2, 1_000))
    one, other = np.empty(1_000), np.empty(1_000)
    normal.pair_sum(normal.COMPILED_FROM)(x, one)
    normal.pair_sum(1)(x, other)
    np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-15)


def test_large_screen_gives_what_small_ones_give() -> None:
    generator = np.random.default_rng(1)
    ratio = np.exp(generator.normal(0.1, 0.1, normal.COMPILED_FROM + 5))
    volatility = generator.uniform(0.2, 2.0, ratio.size)
    whole = np.asarray(first_passage(ratio, volatility, 7_200.0, 0.1))
    part = slice(70_000, 70_300)
    np.testing.assert_allclose(
        whole[part], first_passage(ratio[part], volatility[part], 7_200.0, 0.1), rtol=1e-12
    )


def test_scalars_give_floats_and_arrays_their_common_shape() -> None:
    assert isinstance(first_passage(1.1, 0.8, 60.0), float)
    assert isinstance(first_passage(1.1, 0.8, 60.0, check_interval=12.0), float)
    column, row = np.full((3, 1), 1.1), np.full(4, 0.8)
    assert np.shape(first_passage(column, row, 60.0)) == (3, 4)
    assert np.shape(first_passage(column, row, 60.0, check_interval=12.0)) == (3, 4)
    assert np.shape(first_passage(np.empty(0), 0.8, 60.0)) == (0,)
    assert np.shape(first_passage(np.empty(0), 0.8, 60.0, check_interval=12.0)) == (0,)


def test_limits_are_exact() -> None:
    assert first_passage([0.0, 0.5, 1.0, math.inf], 0.8, 600.0) == pytest.approx([1.0, 1.0, 1.0, 0.0], abs=0)
    assert first_passage(1.1, 0.0, YEAR) == 0.0
    assert first_passage(1.1, 0.0, YEAR, drift=-0.1) == 1.0  # falls by 10 % of log, more than ln 1.1
    assert first_passage(1.1, 0.0, YEAR, drift=-0.09) == 0.0
    assert first_passage([1.0, 1.1], 0.8, 0.0) == pytest.approx([1.0, 0.0], abs=0)
    assert first_passage(1.1, 1e300, DAY) == 1.0
    assert first_passage(1.1, 1e-300, DAY) == 0.0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ratio", (math.nan, 0.8, 60.0)),
        ("ratio", (-1.0, 0.8, 60.0)),
        ("volatility", (1.1, -0.1, 60.0)),
        ("volatility", (1.1, math.inf, 60.0)),
        ("horizon", (1.1, 0.8, -1.0)),
        ("drift", (1.1, 0.8, 60.0, math.nan)),
        ("check_interval", (1.1, 0.8, 60.0, 0.0, 0.0)),
        ("ratio, volatility, horizon, drift", ([1.1, 1.2], [0.8, 0.9, 1.0], 60.0)),
    ],
)
def test_bad_arguments_are_named(name: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises(InvalidInputError) as raised:
        first_passage(*arguments)  # type: ignore[arg-type]
    assert raised.value.name == name


class TestMonitored:
    """Looks at whole multiples of the interval, and nowhere else."""

    @staticmethod
    def in_steps(x: float, theta: float, dates: int, interval: float = 12.0) -> float:
        """Probability for a start x, and a drift theta, in standard deviations of one interval."""
        volatility = 0.8
        step = interval / YEAR
        s = volatility * math.sqrt(step)
        drift = theta * s / step + volatility**2 / 2
        return float(
            first_passage(math.exp(x * s), volatility, dates * interval, drift, check_interval=interval)
        )

    def test_one_date_is_the_normal_distribution(self) -> None:
        for x, theta in ((0.0, 0.0), (1.3, -0.2), (-0.7, 0.4), (5.0, 0.1)):
            assert self.in_steps(x, theta, 1) == pytest.approx(norm.cdf(-x - theta), rel=1e-9)

    def test_two_dates_are_the_bivariate_normal_distribution(self) -> None:
        covariance = [[1.0, 1.0], [1.0, 2.0]]
        for x, theta in ((0.0, 0.0), (0.8, -0.3), (2.0, 0.2)):
            both_above = multivariate_normal.cdf([x + theta, x + 2 * theta], cov=covariance)
            assert self.in_steps(x, theta, 2) == pytest.approx(1 - both_above, rel=1e-7)

    @pytest.mark.parametrize("dates", [1, 2, 3, 10, 64, 65, 200, 1_000, 7_200])
    def test_survival_from_the_barrier_is_the_central_binomial(self, dates: int) -> None:
        # Sparre Andersen: whatever the symmetric step, the walk stays above its start with C(2n, n) / 4^n.
        survival = math.exp(math.lgamma(2 * dates + 1) - 2 * math.lgamma(dates + 1) - dates * math.log(4))
        assert 1 - self.in_steps(0.0, 0.0, dates) == pytest.approx(survival, rel=1e-3 if dates > 64 else 1e-8)

    @staticmethod
    def on_a_grid(x: np.ndarray, theta: float, dates: int) -> np.ndarray:
        """March the density of the survivors forward on an even grid, a method of its own."""
        width = 0.02
        top = float(x.max()) + 8.0 * math.sqrt(dates) + abs(theta) * dates + 8.0
        grid = width * (np.arange(int(top / width)) + 0.5)
        kernel = norm.pdf(np.arange(-500, 501) * width - theta) * width
        weight = norm.cdf(-grid - theta)
        total = weight.copy()
        for _ in range(dates - 1):
            weight = np.convolve(weight, kernel[::-1], mode="same")
            total += weight
        return np.interp(x, grid, total)

    @pytest.mark.parametrize("theta", [0.0, -0.02, 0.3, -0.3, -0.24, -0.26, 0.5, -0.8, 1.2])
    @pytest.mark.parametrize("dates", [3, 20, 64, 66, 150])
    def test_error_stays_below_half_a_per_cent(self, dates: int, theta: float) -> None:
        spread = math.sqrt(dates)
        x = np.concatenate([[0.011, 0.051, 0.2, 0.5], np.array([0.5, 1, 2, 3, 4, 5]) * spread])
        x = np.concatenate([x, x[x > 1] - min(theta, 0.0) * dates])
        expected = self.on_a_grid(x, theta, dates)
        found = np.array([self.in_steps(float(start), theta, dates) for start in x])
        seen = expected > 1e-9
        np.testing.assert_allclose(found[seen], expected[seen], rtol=5e-3)

    def test_sampled_walks_agree_within_four_standard_errors(self) -> None:
        generator = np.random.default_rng(5)
        paths, dates, theta = 200_000, 25, -0.05
        lowest = np.minimum.accumulate(
            np.cumsum(generator.standard_normal((dates, paths)) + theta, axis=0), axis=0
        )[-1]
        for x in (0.3, 2.0, 7.0):
            share = float((lowest <= -x).mean())
            error = math.sqrt(share * (1 - share) / paths)
            assert abs(self.in_steps(x, theta, dates) - share) < 4 * error

    def test_many_accounts_get_what_each_gets_alone(self) -> None:
        generator = np.random.default_rng(2)
        ratio = np.exp(np.abs(generator.normal(0.0, 0.004, 2_000)))
        volatility = generator.uniform(0.3, 1.8, 2_000)
        for horizon in (240.0, 86_400.0):
            whole = np.asarray(first_passage(ratio, volatility, horizon, check_interval=12.0))
            for i in range(0, 2_000, 211):
                alone = first_passage(ratio[i], volatility[i], horizon, check_interval=12.0)
                assert whole[i] == pytest.approx(alone, rel=1e-5, abs=1e-12)

    def test_only_whole_intervals_up_to_the_horizon_count(self) -> None:
        at = {h: first_passage(1.001, 0.8, h, check_interval=12.0) for h in (11.9, 12.0, 23.9, 24.0)}
        assert at[11.9] == 0.0
        assert at[12.0] == at[23.9] > 0.0
        assert at[24.0] > at[23.9]

    def test_horizon_of_whole_intervals_survives_rounding(self) -> None:
        three = first_passage(1.0001, 0.8, 0.3, check_interval=0.1)  # 0.3 / 0.1 is 2.999..
        assert three == first_passage(1.0001, 0.8, 0.31, check_interval=0.1)

    def test_ratio_below_one_may_recover_before_the_first_look(self) -> None:
        assert first_passage(0.9999, 0.8, 12.0, check_interval=12.0) < 1.0
        assert first_passage(0.5, 0.8, 12.0, check_interval=12.0) == pytest.approx(1.0)
        assert first_passage(0.9, 0.8, 0.0, check_interval=12.0) == 0.0
        assert first_passage(math.inf, 0.8, 600.0, check_interval=12.0) == 0.0

    def test_looking_ever_closer_approaches_looking_always(self) -> None:
        always = float(first_passage(1.01, 0.8, 3_600.0))
        gaps = [
            always - float(first_passage(1.01, 0.8, 3_600.0, check_interval=interval))
            for interval in (600.0, 60.0, 6.0, 0.6)
        ]
        assert all(later < earlier / 2 for earlier, later in itertools.pairwise(gaps))
        assert gaps[-1] > 0.0
        assert first_passage(1.01, 0.8, 3_600.0, check_interval=1e-300) == always

    def test_without_noise_the_dates_see_a_straight_line(self) -> None:
        fall = -0.1
        assert first_passage(1.05, 0.0, 0.5 * YEAR, fall, check_interval=0.25 * YEAR) == 1.0  # ln 1.05 < 0.05
        assert first_passage(1.05, 0.0, 0.49 * YEAR, fall, check_interval=0.25 * YEAR) == 0.0
        assert first_passage(0.99, 0.0, YEAR, 0.1, check_interval=0.05 * YEAR) == 1.0
        assert first_passage(0.99, 0.0, YEAR, 0.1, check_interval=0.25 * YEAR) == 0.0


class TestTwoAssets:
    """Collateral and debt that both move."""

    def test_lies_within_four_standard_errors_of_two_sampled_prices(self) -> None:
        generator = np.random.default_rng(8)
        first, second, rho, period, paths = 0.9, 0.6, 0.5, 0.01, 400_000
        z = generator.standard_normal((2, paths))
        w = rho * z[0] + math.sqrt(1 - rho**2) * z[1]
        collateral = first * math.sqrt(period) * z[0] - first**2 * period / 2
        debt = second * math.sqrt(period) * w - second**2 * period / 2
        variance = (first**2 + second**2 - 2 * rho * first * second) * period
        for ratio in (1.03, 1.1):
            b = math.log(ratio)
            end = b + collateral - debt
            touched = np.where(end > 0, np.exp(-2 * b * np.maximum(end, 0) / variance), 1.0)
            error = touched.std() / math.sqrt(paths)
            found = first_passage_two_assets(ratio, first, second, rho, period * YEAR)
            assert abs(found - touched.mean()) < 4 * error

    def test_ratio_drifts_by_half_the_difference_of_variances(self) -> None:
        # The ratio is a price in units of the debt: arithmetic drift s2² - rho s1 s2.
        sigma = math.sqrt(0.9**2 + 0.6**2 - 2 * 0.3 * 0.9 * 0.6)
        expected = first_passage(1.1, sigma, DAY, drift=0.6**2 - 0.3 * 0.9 * 0.6)
        assert first_passage_two_assets(1.1, 0.9, 0.6, 0.3, DAY) == pytest.approx(expected, rel=1e-12)

    def test_still_debt_is_the_one_asset_formula(self) -> None:
        assert first_passage_two_assets(1.1, 0.8, 0.0, 0.3, DAY) == pytest.approx(
            first_passage(1.1, 0.8, DAY)
        )

    def test_assets_that_move_as_one_never_fail(self) -> None:
        assert first_passage_two_assets(1.0001, 0.8, 0.8, 1.0, YEAR) == 0.0

    @pytest.mark.parametrize("rho", [1.0001, -2.0])
    def test_impossible_correlation_is_refused(self, rho: float) -> None:
        with pytest.raises(CorrelationError, match=str(rho)):
            first_passage_two_assets(1.1, 0.8, 0.8, [0.0, rho], DAY)

    def test_correlation_that_is_no_number_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="correlation"):
            first_passage_two_assets(1.1, 0.8, 0.8, math.nan, DAY)


class TestDistanceToDefault:
    """Standard deviations to a health factor of 1."""

    def test_counts_deviations(self) -> None:
        assert distance_to_default(math.e, 2.0, YEAR / 4) == pytest.approx(1.0)
        assert distance_to_default([1.1, 1 / 1.1], 0.8, DAY)[1] == pytest.approx(  # type: ignore[index]
            -distance_to_default(1.1, 0.8, DAY)
        )

    def test_limits(self) -> None:
        found = distance_to_default([2.0, 1.0, 0.5, 0.0, math.inf], [0.0, 0.0, 0.0, 0.5, 0.5], DAY)
        assert np.array_equal(np.asarray(found), [math.inf, 0.0, -math.inf, -math.inf, math.inf])
        assert distance_to_default(1.0, 0.8, 0.0) == 0.0

    def test_bad_health_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="health"):
            distance_to_default(-0.1, 0.8, DAY)
