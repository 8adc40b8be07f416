"""Baskets against quadrature in other coordinates, and against sampling with error bars."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from bot.domain.risk import _basket as basket
from bot.domain.risk import _moments as moments
from bot.domain.risk import first_passage, greeks, portfolio_insolvency
from bot.errors import CorrelationError, InvalidInputError

YEAR = 31_536_000.0
DAY = 86_400.0
ALIKE = 0.6 * np.ones((3, 3)) + 0.4 * np.eye(3)
HALF = np.array([[1.0, 0.5], [0.5, 1.0]])


def by_conditioning(values: tuple[float, float], debt: float, s: tuple[float, float], rho: float) -> float:
    """Integrate over the first asset's end; given it, the second's must lie below what is missing."""
    rest = math.sqrt(1 - rho**2)

    def density(z: float) -> float:
        missing = debt - values[0] * math.exp(s[0] * z - s[0] ** 2 / 2)
        if missing <= 0:
            return 0.0
        need = (math.log(missing / values[1]) + s[1] ** 2 / 2) / s[1]
        return float(norm.pdf(z) * norm.cdf((need - rho * z) / rest))

    worthless = (math.log(debt / values[0]) + s[0] ** 2 / 2) / s[0]
    edges = sorted({-9.0, *np.linspace(min(worthless, 9.0) - 6.0, min(worthless, 9.0), 13).tolist()})
    edges = [edge for edge in edges if edge >= -9.0]
    return sum(
        quad(density, low, high, epsabs=1e-14, epsrel=1e-12)[0] for low, high in itertools.pairwise(edges)
    )


@pytest.mark.parametrize(
    ("values", "debt", "volatilities", "rho", "days"),
    [
        ((60.0, 60.0), 100.0, (0.8, 0.9), 0.5, 30.0),
        ((100.0, 10.0), 104.0, (0.8, 1.2), 0.9, 1.0),
        ((60.0, 55.0), 100.0, (0.7, 1.5), -0.4, 90.0),
        ((60.0, 60.0), 119.0, (0.8, 0.8), 0.0, 0.01),
        ((30.0, 90.0), 121.0, (1.5, 0.4), 0.7, 10.0),
    ],
)
@pytest.mark.parametrize("method", ["exact", "auto"])
def test_two_assets_are_exact(
    values: tuple[float, float],
    debt: float,
    volatilities: tuple[float, float],
    rho: float,
    days: float,
    method: str,
) -> None:
    root = math.sqrt(days / 365)
    expected = by_conditioning(values, debt, (volatilities[0] * root, volatilities[1] * root), rho)
    found = portfolio_insolvency(
        list(values),
        debt,
        list(volatilities),
        [[1, rho], [rho, 1]],
        days * DAY,
        method=method,  # type: ignore[arg-type]
    )
    assert found == pytest.approx(expected, abs=1e-9, rel=1e-9)


@pytest.mark.parametrize("method", ["auto", "exact", "lognormal", "form"])
def test_one_asset_is_the_lognormal_distribution(method: str) -> None:
    s = 0.8 * math.sqrt(7 / 365)
    expected = norm.cdf(math.log(0.9) / s + s / 2)
    found = portfolio_insolvency([100.0], 90.0, [0.8], [[1.0]], 7 * DAY, method=method)  # type: ignore[arg-type]
    assert found == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("rho", [1.0, -1.0])
def test_singular_correlation_is_its_limit(rho: float) -> None:
    near = rho * (1 - 1e-7)
    for debt in (110.0, 119.0, 125.0):
        at = portfolio_insolvency([60.0, 60.0], debt, [0.8, 0.8], [[1, rho], [rho, 1]], 30 * DAY)
        by = portfolio_insolvency([60.0, 60.0], debt, [0.8, 0.8], [[1, near], [near, 1]], 30 * DAY)
        assert at == pytest.approx(by, abs=2e-4)


def random_books(count: int) -> Iterator[tuple[np.ndarray, float, np.ndarray, np.ndarray, float]]:
    """Draw portfolios of 3 to 8 assets with debts that fail with probabilities from 1e-3 to 0.5."""
    generator = np.random.default_rng(2020)
    while count:
        assets = int(generator.integers(3, 9))
        factors = generator.normal(size=(assets, assets + 2)) + generator.choice([0.0, 1.0])
        covariance = factors @ factors.T
        scale = np.sqrt(np.diag(covariance))
        correlation = covariance / np.outer(scale, scale)
        volatilities = generator.uniform(0.3, 1.6, assets)
        horizon = 10.0 ** generator.uniform(2.5, 6.8)
        values = generator.dirichlet(np.ones(assets))
        debts = np.linspace(0.3, 1.0, 400)
        several = np.repeat(values[None], 400, axis=0)
        rough = np.asarray(
            portfolio_insolvency(several, debts, volatilities, correlation, horizon, method="lognormal")
        )
        fits = debts[(rough > 2e-3) & (rough < 0.45)]
        if fits.size:
            count -= 1
            yield values, float(generator.choice(fits)), volatilities, correlation, horizon


def importance_sampled(
    values: np.ndarray, debt: float, volatilities: np.ndarray, correlation: np.ndarray, horizon: float
) -> tuple[float, float]:
    """Sample around the likeliest failure found by a crude search; mean and standard error."""
    generator = np.random.default_rng(9)
    s = volatilities * math.sqrt(horizon / YEAR)
    root = np.linalg.cholesky(correlation)
    z = np.zeros(values.size)
    for _ in range(200):
        worth = values * np.exp(s * (root @ z) - s**2 / 2)
        slope = root.T @ (worth * s) / worth.sum()
        level = math.log(worth.sum() / debt)
        z += 0.2 * (((slope @ z - level) / (slope @ slope)) * slope - z)
    draws = generator.standard_normal((200_000, values.size)) + z
    below = (values * np.exp(draws @ root.T * s - s**2 / 2)).sum(axis=1) < debt
    weights = below * np.exp(-draws @ z + z @ z / 2)
    return float(weights.mean()), float(weights.std() / math.sqrt(len(weights)))


def test_auto_stays_within_two_per_cent_on_random_portfolios() -> None:
    misses = []
    for book in random_books(25):
        mean, error = importance_sampled(*book)
        if not 1e-3 <= mean <= 0.5:
            continue
        gap = abs(float(portfolio_insolvency(*book)) - mean)
        misses.append(max(gap - 3 * error, 0.0) / mean)
    assert len(misses) >= 20
    assert max(misses) < 0.02


def test_auto_at_any_time_stays_within_two_per_cent_of_sampled_paths() -> None:
    seen = 0
    for values, debt, volatilities, correlation, horizon in random_books(6):
        sampled = float(
            portfolio_insolvency(
                values, debt, volatilities, correlation, horizon, "monte_carlo", "any", paths=10_000, seed=4
            )
        )
        error = math.sqrt(sampled * (1 - sampled) / 10_000)
        found = float(portfolio_insolvency(values, debt, volatilities, correlation, horizon, at="any"))
        assert abs(found - sampled) < 0.02 * sampled + 3 * error
        seen += sampled > 0.01
    assert seen >= 4


def test_sampling_method_agrees_with_auto() -> None:
    arguments = (
        [50.0, 40.0, 30.0],
        100.0,
        [0.8, 0.9, 1.2],
        0.6 * np.ones((3, 3)) + 0.4 * np.eye(3),
        30 * DAY,
    )
    sampled = float(portfolio_insolvency(*arguments, "monte_carlo", paths=200_000))
    assert sampled == portfolio_insolvency(*arguments, "monte_carlo", paths=200_000)
    assert sampled != portfolio_insolvency(*arguments, "monte_carlo", paths=200_000, seed=1)
    error = math.sqrt(sampled * (1 - sampled) / 200_000)
    assert abs(float(portfolio_insolvency(*arguments)) - sampled) < 4 * error


@pytest.mark.parametrize(
    ("method", "tolerance"), [("lognormal", 0.02), ("cornish_fisher", 0.005), ("form", 0.3)]
)
def test_approximations_are_near_for_a_short_horizon(method: str, tolerance: float) -> None:
    arguments = ([50.0, 40.0, 30.0], 118.0, [0.8, 0.9, 1.2], ALIKE, 3_600.0)
    exact = float(portfolio_insolvency(*arguments))
    assert 1e-3 < exact < 0.5
    assert portfolio_insolvency(*arguments, method) == pytest.approx(exact, rel=tolerance)  # type: ignore[arg-type]


def test_form_bounds_the_probability_from_above() -> None:
    for book in random_books(20):
        form, auto = (float(portfolio_insolvency(*book, method)) for method in ("form", "auto"))  # type: ignore[arg-type]
        assert form > auto * (1 - 5e-3)


def test_cumulants_are_those_of_products_of_lognormals() -> None:
    """Raw moments by brute force over all index tuples, in extended precision, turned into cumulants."""
    weights, s = np.array([0.5, 0.3, 0.2]), np.array([0.5, 0.7, 0.9])
    correlation = np.array([[1.0, 0.3, -0.2], [0.3, 1.0, 0.5], [-0.2, 0.5, 1.0]])
    covariance = np.outer(s, s) * correlation
    raw = []
    for order in range(1, 5):
        total = np.longdouble(0.0)
        for index in np.ndindex(*([3] * order)):
            pairs = sum(covariance[index[a], index[b]] for a in range(order) for b in range(a))
            total += np.longdouble(np.prod(weights[list(index)])) * np.exp(np.longdouble(pairs))
        raw.append(total)
    m1, m2, m3, m4 = raw
    third = m3 - 3 * m2 * m1 + 2 * m1**3
    fourth = m4 - 4 * m3 * m1 - 3 * m2**2 + 12 * m2 * m1**2 - 6 * m1**4
    book = basket.given(weights, 1.0, s, correlation, YEAR)
    found = moments.cumulants(book)
    np.testing.assert_allclose(
        [found.mean[0], found.variance[0], found.third[0], found.fourth[0]],
        [float(x) for x in (m1, m2 - m1**2, third, fourth)],
        rtol=1e-10,
    )


def test_one_asset_at_any_time_is_first_passage() -> None:
    found = portfolio_insolvency([[110.0], [120.0]], 100.0, [0.8], [[1.0]], DAY, "exact", "any")
    np.testing.assert_allclose(found, first_passage([1.1, 1.2], 0.8, DAY), rtol=1e-12)
    with_cash = portfolio_insolvency([60.0, 50.0], 100.0, [0.8, 0.0], HALF, DAY, at="any")
    assert with_cash == pytest.approx(first_passage(1.2, 0.8, DAY), rel=1e-12)


def test_cash_is_less_debt() -> None:
    for method in ("auto", "lognormal", "cornish_fisher", "form"):
        cash = portfolio_insolvency([60.0, 50.0], 100.0, [0.8, 0.0], HALF, DAY, method)  # type: ignore[arg-type]
        assert cash == portfolio_insolvency([60.0], 50.0, [0.8], [[1.0]], DAY, method)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["auto", "lognormal", "cornish_fisher", "form", "monte_carlo"])
@pytest.mark.parametrize("at", ["horizon", "any"])
def test_what_chance_cannot_change_is_certain(method: str, at: str) -> None:
    def found(values: object, debt: object, volatility: float = 0.8, horizon: float = DAY) -> object:
        return portfolio_insolvency(
            values,
            debt,
            [volatility] * 2,
            HALF,
            horizon,
            method,
            at,
            paths=100,  # type: ignore[arg-type]
        )

    assert found([0.0, 0.0], 1.0) == 1.0
    assert found([0.0, 0.0], 0.0) == 0.0
    assert found([5.0, 5.0], 0.0) == 0.0
    assert found([5.0, 6.0], 10.0, volatility=0.0) == 0.0
    assert found([5.0, 4.0], 10.0, volatility=0.0) == 1.0
    assert found([5.0, 6.0], 10.0, horizon=0.0) == 0.0
    assert found([5.0, 4.0], 10.0, horizon=0.0) == 1.0
    assert found([5.0, 5.0], 10.0, horizon=0.0) == (1.0 if at == "any" else 0.0)


def test_empty_books() -> None:
    nothing = np.empty((0, 0))
    assert portfolio_insolvency([], 1.0, [], nothing, DAY) == 1.0
    assert portfolio_insolvency([], 0.0, [], nothing, DAY) == 0.0
    assert np.shape(portfolio_insolvency(np.empty((0, 2)), 1.0, [0.8, 0.9], HALF, DAY)) == (0,)
    assert np.shape(portfolio_insolvency(np.ones((2, 3, 2)), 1.0, [0.8, 0.9], HALF, DAY)) == (2, 3)


def test_many_accounts_get_what_each_gets_alone() -> None:
    generator = np.random.default_rng(6)
    values = generator.uniform(0.0, 50.0, size=(40, 3)) * (generator.random((40, 3)) < 0.8)
    debt = values.sum(axis=1) * generator.uniform(0.85, 1.02, 40)
    correlation = np.array([[1.0, 0.7, -0.3], [0.7, 1.0, -0.2], [-0.3, -0.2, 1.0]])
    for at in ("horizon", "any"):
        arguments = ([0.8, 0.9, 1.1], correlation, 7 * DAY, "auto", at)
        whole = np.asarray(portfolio_insolvency(values, debt, *arguments))  # type: ignore[arg-type]
        alone = [portfolio_insolvency(v, d, *arguments) for v, d in zip(values, debt, strict=True)]  # type: ignore[arg-type]
        np.testing.assert_allclose(whole, alone, atol=1e-10)


@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (InvalidInputError, "weighted_values", {"weighted_values": [1.0, -1.0]}),
        (InvalidInputError, "weighted_values", {"weighted_values": [1.0, math.nan]}),
        (InvalidInputError, "weighted_values", {"weighted_values": [1.0, 2.0, 3.0]}),
        (InvalidInputError, "weighted_values", {"weighted_values": 5.0}),
        (InvalidInputError, "debt", {"debt": -1.0}),
        (InvalidInputError, "debt", {"debt": math.inf}),
        (InvalidInputError, "volatilities", {"volatilities": [0.8, -0.1]}),
        (InvalidInputError, "horizon", {"horizon": [60.0, 120.0]}),
        (InvalidInputError, "method", {"method": "guess"}),
        (InvalidInputError, "at", {"at": "never"}),
        (InvalidInputError, "paths", {"paths": 0}),
        (InvalidInputError, "exact", {"method": "exact", "at": "any"}),
        (CorrelationError, "eigenvalue|entries", {"correlation": [[1.0, 1.2], [1.2, 1.0]]}),
        (CorrelationError, "diagonal", {"correlation": [[0.5, 0.0], [0.0, 1.0]]}),
        (CorrelationError, "symmetric", {"correlation": [[1.0, 0.1], [0.2, 1.0]]}),
        (InvalidInputError, "correlation", {"correlation": np.eye(3)}),
        (InvalidInputError, "fourth moment", {"method": "cornish_fisher", "volatilities": [500.0, 500.0]}),
    ],
)
def test_bad_arguments_are_named(error: type[Exception], match: str, change: dict[str, object]) -> None:
    good: dict[str, object] = {"weighted_values": [60.0, 60.0], "debt": 100.0, "volatilities": [0.8, 0.9]}
    good |= {"correlation": HALF, "horizon": YEAR}
    with pytest.raises(error, match=match):
        portfolio_insolvency(**(good | change))  # type: ignore[arg-type]


def test_indefinite_correlation_is_refused() -> None:
    with pytest.raises(CorrelationError, match="semi-definite"):
        portfolio_insolvency(
            [1.0, 1.0, 1.0], 2.0, [0.8] * 3, [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]], DAY
        )


class TestGreeks:
    """Derivatives in log prices, the debt last."""

    VALUES = np.array([50.0, 40.0, 30.0])
    VOLATILITIES = np.array([0.8, 0.9, 1.2])
    CORRELATION = np.array([[1.0, 0.7, 0.4], [0.7, 1.0, 0.5], [0.4, 0.5, 1.0]])

    def health(self, logs: np.ndarray) -> float:
        worth = np.exp(logs)
        return float(worth[:-1].sum() / worth[-1])

    def probability(self, logs: np.ndarray) -> float:
        worth = np.exp(logs)
        return float(
            portfolio_insolvency(worth[:-1], worth[-1], self.VOLATILITIES, self.CORRELATION, 30 * DAY)
        )

    def test_are_the_differences_of_what_they_derive(self) -> None:
        found = greeks(self.VALUES, 100.0, self.VOLATILITIES, self.CORRELATION, 30 * DAY)
        assert found._fields == ("health_delta", "health_gamma", "probability_delta")
        logs = np.log([*self.VALUES, 100.0])
        steps = 1e-4 * np.eye(4)
        health = [(self.health(logs + h) - self.health(logs - h)) / 2e-4 for h in steps]
        probability = [(self.probability(logs + h) - self.probability(logs - h)) / 2e-4 for h in steps]
        np.testing.assert_allclose(found.health_delta, health, rtol=1e-6)
        np.testing.assert_allclose(found.probability_delta, probability, rtol=2e-3)

    def test_assets_that_move_against_each_other_have_slopes_too(self) -> None:
        opposed = np.array([[1.0, -0.96, 0.85], [-0.96, 1.0, -0.85], [0.85, -0.85, 1.0]])
        logs = np.log([38.0, 33.0, 29.0, 90.0])

        def at(shift: np.ndarray) -> float:
            worth = np.exp(logs + shift)
            return float(portfolio_insolvency(worth[:-1], worth[-1], [1.8, 1.9, 0.9], opposed, 20 * DAY))

        found = greeks(np.exp(logs[:-1]), 90.0, [1.8, 1.9, 0.9], opposed, 20 * DAY).probability_delta
        # A wide step, beside which the noise of the sampled lines is small.
        expected = [(at(h) - at(-h)) / 4e-2 for h in 2e-2 * np.eye(4)]
        np.testing.assert_allclose(found, expected, rtol=0.05)

    def test_gamma_is_the_difference_of_delta(self) -> None:
        found = greeks(self.VALUES, 100.0, self.VOLATILITIES, self.CORRELATION, 30 * DAY)
        for i, step in enumerate(1e-5 * np.eye(4)):
            up, down = (np.exp(np.log([*self.VALUES, 100.0]) + sign * step) for sign in (1, -1))
            deltas = [
                greeks(worth[:3], worth[3], self.VOLATILITIES, self.CORRELATION, 30 * DAY).health_delta
                for worth in (up, down)
            ]
            np.testing.assert_allclose(found.health_gamma[i], (deltas[0] - deltas[1]) / 2e-5, atol=1e-8)

    def test_two_assets_are_exact_to_eight_digits(self) -> None:
        def at(shift: np.ndarray) -> float:
            worth = np.exp(np.log([60.0, 60.0, 100.0]) + shift)
            root = math.sqrt(30 / 365)
            return by_conditioning((worth[0], worth[1]), worth[2], (0.8 * root, 0.9 * root), 0.5)

        expected = [(at(h) - at(-h)) / 2e-4 for h in 1e-4 * np.eye(3)]
        found = greeks([60.0, 60.0], 100.0, [0.8, 0.9], HALF, 30 * DAY)
        np.testing.assert_allclose(found.probability_delta, expected, rtol=1e-6)

    def test_cash_is_less_debt(self) -> None:
        found = greeks([60.0, 50.0], 100.0, [0.8, 0.0], HALF, 7 * DAY).probability_delta
        s = 0.8 * math.sqrt(7 / 365)
        density = norm.pdf(math.log(50 / 60) / s + s / 2) / s
        np.testing.assert_allclose(found, [-density, -density * 50 / 50, density * 2], rtol=1e-9)

    def test_shapes_follow_the_accounts(self) -> None:
        found = greeks(np.ones((5, 2)), 1.5, [0.8, 0.9], HALF, DAY)
        assert [x.shape for x in found] == [(5, 3), (5, 3, 3), (5, 3)]
        empty = greeks([], 1.0, [], np.empty((0, 0)), DAY)
        assert [x.shape for x in empty] == [(1,), (1, 1), (1,)]

    def test_probability_that_chance_cannot_change_has_no_slope(self) -> None:
        assert not greeks([60.0, 60.0], 100.0, [0.8, 0.9], HALF, 0.0).probability_delta.any()
        assert not greeks([0.0, 0.0], 100.0, [0.8, 0.9], HALF, DAY).probability_delta.any()

    def test_account_without_debt_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="debt"):
            greeks([60.0], 0.0, [0.8], [[1.0]], DAY)
