"""Volatility estimators against their definitions written out bar by bar, and against simulated prices."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from bot.domain import volatility as vol
from bot.errors import InvalidInputError

YEAR = 31_536_000.0
LN2 = math.log(2)

OPEN = [100.0, 104.0, 99.0, 101.0, 103.0]
HIGH = [106.0, 105.0, 103.0, 104.0, 108.0]
LOW = [98.0, 97.0, 98.5, 100.0, 102.0]
CLOSE = [103.0, 98.0, 101.5, 102.0, 107.0]
BARS = (OPEN, HIGH, LOW, CLOSE)

RANGE_ESTIMATORS = [
    vol.close_to_close,
    vol.parkinson,
    vol.garman_klass,
    vol.rogers_satchell,
    vol.yang_zhang,
]


def variance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((x - mean) ** 2 for x in values) / (len(values) - 1)


def rogers_satchell_terms() -> list[float]:
    return [
        math.log(h / c) * math.log(h / o) + math.log(low / c) * math.log(low / o)
        for o, h, low, c in zip(*BARS, strict=True)
    ]


def test_close_to_close_is_the_sample_variance_of_returns() -> None:
    returns = [math.log(b / a) for a, b in itertools.pairwise(CLOSE)]
    assert vol.close_to_close(*BARS) == pytest.approx(variance(returns), rel=1e-13)


def test_parkinson_averages_squared_ranges() -> None:
    terms = [math.log(h / low) ** 2 / (4 * LN2) for h, low in zip(HIGH, LOW, strict=True)]
    assert vol.parkinson(*BARS) == pytest.approx(sum(terms) / 5, rel=1e-13)


def test_garman_klass_takes_the_body_from_the_range() -> None:
    terms = [
        math.log(h / low) ** 2 / 2 - (2 * LN2 - 1) * math.log(c / o) ** 2
        for o, h, low, c in zip(*BARS, strict=True)
    ]
    assert vol.garman_klass(*BARS) == pytest.approx(sum(terms) / 5, rel=1e-13)


def test_rogers_satchell_averages_its_terms() -> None:
    assert vol.rogers_satchell(*BARS) == pytest.approx(sum(rogers_satchell_terms()) / 5, rel=1e-13)


def test_yang_zhang_counts_bars_two_to_n() -> None:
    m = 4
    k = 0.34 / (1.34 + (m + 1) / (m - 1))
    gaps = [math.log(o / c) for o, c in zip(OPEN[1:], CLOSE, strict=False)]
    bodies = [math.log(c / o) for o, c in zip(OPEN[1:], CLOSE[1:], strict=True)]
    expected = variance(gaps) + k * variance(bodies) + (1 - k) * sum(rogers_satchell_terms()[1:]) / m
    assert vol.yang_zhang(*BARS) == pytest.approx(expected, rel=1e-13)


def test_every_estimator_finds_the_variance_of_a_brownian_path() -> None:
    generator = np.random.default_rng(3)
    bars, steps, sigma = 4_000, 400, 0.02
    moves = generator.normal(0.0, sigma / math.sqrt(steps), bars * steps)
    path = np.cumsum(moves).reshape(bars, steps)
    before = np.concatenate([[0.0], path[:-1, -1]])
    prices = np.exp(np.concatenate([before[:, None], path], axis=1))
    candles = (prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1])
    for estimator in RANGE_ESTIMATORS:
        # Discrete looks miss some of the range: up to 0.9 sigma / sqrt(steps) on each side.
        assert estimator(*candles) == pytest.approx(sigma**2, rel=0.12)


@pytest.mark.parametrize("estimator", RANGE_ESTIMATORS)
def test_prices_that_never_move_have_no_variance(estimator: Callable[..., float]) -> None:
    still = [5.0] * 4
    assert estimator(still, still, still, still) == 0.0
    assert isinstance(estimator(*BARS), float)


@pytest.mark.parametrize("estimator", RANGE_ESTIMATORS)
@pytest.mark.parametrize(
    ("name", "column", "bar", "value"),
    [
        ("open_", 0, 1, 0.0),
        ("high", 1, 2, 99.0),
        ("low", 2, 3, 101.5),
        ("close", 3, 0, math.nan),
        ("close", 3, 0, -1.0),
        ("high", 1, 4, math.inf),
    ],
)
def test_impossible_bars_are_named(
    estimator: Callable[..., float], name: str, column: int, bar: int, value: float
) -> None:
    bars = [list(prices) for prices in BARS]
    bars[column][bar] = value
    with pytest.raises(InvalidInputError, match=f"^{name} .*element {bar}"):
        estimator(*bars)


def test_too_few_or_uneven_bars_are_refused() -> None:
    two = [prices[:2] for prices in BARS]
    for estimator in (vol.close_to_close, vol.yang_zhang):
        with pytest.raises(InvalidInputError, match="at least 3"):
            estimator(*two)
    assert vol.parkinson(*[prices[:1] for prices in BARS]) > 0
    with pytest.raises(InvalidInputError, match="open_"):
        vol.parkinson([], [], [], [])
    with pytest.raises(InvalidInputError, match="low"):
        vol.parkinson(OPEN, HIGH, LOW[:-1], CLOSE)


class TestEwma:
    """Exponential weights over returns and over times."""

    def test_follows_its_recursion_from_the_first_square(self) -> None:
        returns = np.random.default_rng(1).normal(0.0, 0.02, 60)
        value = returns[0] ** 2
        for r in returns[1:]:
            value = 0.94 * value + 0.06 * r**2
        assert vol.ewma(returns, 0.94) == pytest.approx(value, rel=1e-12)

    def test_one_return_and_no_memory(self) -> None:
        assert vol.ewma([0.01], 0.94) == pytest.approx(1e-4)
        assert vol.ewma([0.5, 0.01], 0.0) == pytest.approx(1e-4)

    def test_long_series_forget_without_a_warning(self) -> None:
        assert vol.ewma(np.full(100_000, 0.01), 0.5) == pytest.approx(1e-4)

    @pytest.mark.parametrize(
        ("returns", "decay"), [([], 0.9), ([0.1], 1.0), ([0.1], -0.1), ([math.nan], 0.9)]
    )
    def test_bad_arguments_are_refused(self, returns: list[float], decay: float) -> None:
        with pytest.raises(InvalidInputError):
            vol.ewma(returns, decay)

    def test_equal_intervals_give_the_regular_one_per_year(self) -> None:
        prices = np.exp(np.cumsum(np.random.default_rng(2).normal(0.0, 0.001, 50)))
        times = 12.0 * np.arange(50) + 1.6e9
        regular = vol.ewma(np.diff(np.log(prices)), 2.0 ** (-12.0 / 600.0))
        assert vol.ewma_irregular(times, prices, 600.0) == pytest.approx(regular * YEAR / 12.0, rel=1e-9)

    def test_irregular_intervals_follow_their_recursion(self) -> None:
        generator = np.random.default_rng(4)
        times = np.cumsum(generator.exponential(30.0, 40))
        prices = np.exp(np.cumsum(generator.normal(0.0, 0.001, 40)))
        value = None
        for i in range(1, 40):
            dt = times[i] - times[i - 1]
            rate = math.log(prices[i] / prices[i - 1]) ** 2 / dt
            q = 0.5 ** (dt / 300.0)
            value = rate if value is None else q * value + (1 - q) * rate
        assert value is not None
        assert vol.ewma_irregular(times, prices, 300.0) == pytest.approx(value * YEAR, rel=1e-11)

    def test_estimates_the_volatility_of_irregular_samples(self) -> None:
        generator = np.random.default_rng(5)
        times = np.cumsum(generator.uniform(5.0, 60.0, 20_000))
        moves = 0.8 * np.sqrt(np.diff(times, prepend=0.0) / YEAR) * generator.standard_normal(20_000)
        found = vol.ewma_irregular(times, np.exp(np.cumsum(moves)), 86_400.0)
        assert math.sqrt(found) == pytest.approx(0.8, rel=0.05)

    @pytest.mark.parametrize(
        ("times", "prices", "half_life"),
        [
            ([0.0], [1.0], 60.0),
            ([0.0, 0.0], [1.0, 1.1], 60.0),
            ([1.0, 0.0], [1.0, 1.1], 60.0),
            ([0.0, 1.0], [1.0, 0.0], 60.0),
            ([0.0, 1.0, 2.0], [1.0, 1.1], 60.0),
            ([0.0, 1.0], [1.0, 1.1], 0.0),
            ([0.0, math.nan], [1.0, 1.1], 60.0),
        ],
    )
    def test_impossible_ticks_are_refused(
        self, times: list[float], prices: list[float], half_life: float
    ) -> None:
        with pytest.raises(InvalidInputError):
            vol.ewma_irregular(times, prices, half_life)


class TestHar:
    """Heterogeneous autoregressions."""

    @staticmethod
    def series(count: int, noise: float = 0.0) -> np.ndarray:
        """Variances that follow the regression, exactly or nearly."""
        generator = np.random.default_rng(6)
        values = list(generator.uniform(0.5, 2.0, 5))
        for _ in range(count):
            values.append(
                0.1 + 0.4 * values[-1] + 0.5 * float(np.mean(values[-5:])) + noise * generator.uniform(-1, 1)
            )
        return np.array(values)

    def test_recovers_the_coefficients_of_its_own_model(self) -> None:
        values = self.series(40)
        expected = 0.1 + 0.4 * values[-1] + 0.5 * values[-5:].mean()
        assert vol.har_rv(values, lags=(1, 5)) == pytest.approx(min(expected, float(values.max())), rel=1e-6)

    def test_agrees_with_the_normal_equations(self) -> None:
        values = self.series(200, noise=0.3)
        rows = [[1.0, values[t], values[t - 4 : t + 1].mean()] for t in range(4, len(values))]
        design, target = np.array(rows[:-1]), values[5:]
        coefficients = np.linalg.solve(design.T @ design, design.T @ target)
        assert vol.har_rv(values, lags=(1, 5)) == pytest.approx(float(rows[-1] @ coefficients), rel=1e-8)

    def test_never_leaves_what_was_seen(self) -> None:
        rising = np.exp(np.arange(60) * 0.2)
        assert vol.har_rv(rising) == rising.max()
        assert vol.har_rv(np.zeros(50)) == 0.0

    @pytest.mark.parametrize("lags", [(), (5, 1), (1, 1), (0, 5)])
    def test_bad_lags_are_refused(self, lags: tuple[int, ...]) -> None:
        with pytest.raises(InvalidInputError, match="lags"):
            vol.har_rv(np.ones(100), lags=lags)

    def test_too_short_a_series_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="realised_variances"):
            vol.har_rv(np.ones(37))
        assert vol.har_rv(np.ones(38)) == pytest.approx(1.0)

    def test_log_model_learns_persistence_and_restores_the_mean(self) -> None:
        generator = np.random.default_rng(7)
        logs = np.zeros(20_000)
        for t in range(1, logs.size):
            logs[t] = 0.9 * logs[t - 1] + 0.3 * generator.standard_normal()
        values = np.exp(logs)
        model = vol.fit_log_har([values[:10_000], values[10_000:]], spans=(1, 10), ahead=1)
        assert model.coefficients[1] == pytest.approx(0.9, abs=0.05)
        forecast = model.forecast(values)
        assert forecast.mean() == pytest.approx(values.mean(), rel=0.02)
        after = np.roll(values, -1)
        assert np.mean((forecast - after)[:-1] ** 2) < 0.5 * np.mean((values.mean() - after) ** 2)

    def test_log_forecast_uses_the_past_alone(self) -> None:
        values = np.random.default_rng(8).lognormal(0.0, 1.0, 500)
        model = vol.fit_log_har([values], spans=(1, 5, 20), ahead=3)
        changed = values.copy()
        changed[300:] *= 7.0
        np.testing.assert_array_equal(model.forecast(values)[:300], model.forecast(changed)[:300])

    def test_log_model_takes_bars_without_trades(self) -> None:
        values = np.random.default_rng(9).lognormal(0.0, 1.0, 500)
        values[::7] = 0.0
        forecast = vol.fit_log_har([values, np.ones(2)], spans=(1, 5), ahead=2).forecast(values)
        assert (forecast > 0).all()
        assert np.isfinite(forecast).all()

    def test_log_model_refuses_what_it_cannot_fit(self) -> None:
        with pytest.raises(InvalidInputError, match="series"):
            vol.fit_log_har([np.ones(5)], spans=(1, 5), ahead=2)
        with pytest.raises(InvalidInputError, match="spans"):
            vol.fit_log_har([np.ones(50)], spans=(5, 1), ahead=2)
        with pytest.raises(InvalidInputError, match="ahead"):
            vol.fit_log_har([np.ones(50)], spans=(1, 5), ahead=0)


class TestGarch:
    """The arch package behind one number."""

    def test_forecasts_what_its_own_process_does_next(self) -> None:
        generator = np.random.default_rng(10)
        omega, alpha, beta = 2e-6, 0.08, 0.9
        variances, returns = [omega / (1 - alpha - beta)], []
        for _ in range(6_000):
            returns.append(math.sqrt(variances[-1]) * generator.standard_normal())
            variances.append(omega + alpha * returns[-1] ** 2 + beta * variances[-1])
        assert vol.garch(returns) == pytest.approx(variances[-1], rel=0.15)

    def test_scale_of_the_returns_does_not_matter(self) -> None:
        returns = np.random.default_rng(11).standard_t(5, 800) * 0.01
        assert vol.garch(returns * 1e-4) == pytest.approx(vol.garch(returns) * 1e-8, rel=1e-4)

    def test_prices_that_never_moved(self) -> None:
        assert vol.garch(np.zeros(60)) == 0.0

    def test_short_or_broken_series_are_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="returns"):
            vol.garch(np.ones(49))
        with pytest.raises(InvalidInputError, match="returns"):
            vol.garch([math.nan] * 60)
