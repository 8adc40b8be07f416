"""The auction's curve, its limits, and its expectations against equations solved by other means."""

import math
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

from bot.domain import auction
from bot.errors import InvalidInputError

DAY = 86_400.0
PER_ROOT_SECOND = 0.04 / math.sqrt(DAY)
LIVELY = {"decay_per_second": 1.1e-4, "volatility_daily": 0.04, "block_time": 12.0}
CALM = {"decay_per_second": 1e-3, "volatility_daily": 0.01, "block_time": 12.0}
SLUGGISH = {"decay_per_second": 4e-8, "volatility_daily": 0.05, "block_time": 2.0}
WILD = {"decay_per_second": 0.9, "volatility_daily": 300.0, "block_time": 1.0}
BRISK = {"decay_per_second": 1.8e-4, "volatility_daily": 0.04, "block_time": 12.0}
VIOLENT = {"decay_per_second": 256.0, "volatility_daily": 4_703.0, "block_time": 1.0}
# Drift over deviation of a block: 2.8, 102, 0.02, 0.37, 4.6; the violent one has 8, at a deviation of 16.
KINDS = [LIVELY, CALM, SLUGGISH, WILD, BRISK]


def step_of(auction_kind: dict[str, float]) -> tuple[float, float]:
    """Mean fall and deviation of z per second and root second."""
    sigma = auction_kind["volatility_daily"] / math.sqrt(DAY)
    return auction_kind["decay_per_second"] - sigma**2 / 2.0, sigma


class TestCurve:
    """Where the reserve starts and how it falls."""

    def test_decays_from_its_start_to_its_floor(self) -> None:
        assert auction.multiplier(elapsed=0.0, start=1.007, decay=1e-4, floor=0.8) == 1.007
        assert auction.multiplier(100.0, 1.007, 1e-4, 0.8) == pytest.approx(
            1.007 * math.exp(-0.01), rel=1e-15
        )
        assert auction.multiplier(1e6, 1.007, 1e-4, 0.8) == 0.8
        assert auction.multiplier([0.0, 1e9], 1.007, 1e-4, 0.0).tolist() == [1.007, 0.0]

    def test_a_floor_above_the_start_holds(self) -> None:
        assert auction.multiplier(0.0, 0.7, 1e-4, 0.8) == 0.8

    def test_a_start_is_passed_with_the_probability_asked_for(self) -> None:
        start = auction.start_multiplier(volatility_daily=0.04, staleness=3_600.0, probability=0.01)
        deviation = 0.04 * math.sqrt(3_600.0 / DAY)
        assert norm.sf(math.log(start) / deviation) == pytest.approx(0.01, rel=1e-12)

    def test_a_tiny_probability_keeps_its_digits(self) -> None:
        exponent = math.log(auction.start_multiplier(1.0, DAY, 1e-30))
        assert norm.sf(exponent) == pytest.approx(1e-30, rel=1e-10, abs=0.0)

    def test_a_fresh_or_steady_price_starts_at_par(self) -> None:
        assert auction.start_multiplier(0.04, 0.0, 0.01) == 1.0
        assert auction.start_multiplier(0.0, 100.0, 0.01) == 1.0
        assert auction.start_multiplier([0.04, 0.04], 100.0, [0.5, 0.9])[0] == 1.0

    @pytest.mark.parametrize("probability", [0.0, 1.0])
    def test_certainty_has_no_start(self, probability: float) -> None:
        with pytest.raises(InvalidInputError, match="probability"):
            auction.start_multiplier(0.04, 100.0, probability)


def integral(function: Any, edges: Any) -> float:
    """Gauss-Legendre quadrature of a function of arrays, piece by piece between ascending edges."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    return sum(
        float(weights @ function(0.5 * (low + high) + 0.5 * (high - low) * nodes)) * 0.5 * (high - low)
        for low, high in pairwise(edges)
    )


@pytest.mark.parametrize("kind", [*KINDS, VIOLENT])
class TestPoissonBlocks:
    """The closed form satisfies the equation of one block, which has one bounded solution."""

    @staticmethod
    def density(kind: dict[str, float], x: Any) -> Any:
        """Density of the change of z from one block to the next: exponential to either side."""
        delta, sigma = step_of(kind)
        root = math.sqrt(delta**2 + 2.0 / kind["block_time"] * sigma**2)
        return np.exp((-delta * x - root * np.abs(x)) / sigma**2) / (kind["block_time"] * root)

    @classmethod
    def expectation(cls, kind: dict[str, float], filled: Any, beyond: Any, z: float) -> float:
        """Mean over one block of what a fill is worth, or of what is still to come."""
        delta, sigma = step_of(kind)
        root = math.sqrt(delta**2 + 2.0 / kind["block_time"] * sigma**2)
        down, up = sigma**2 / (root - delta), sigma**2 / (root + delta)
        edges = [z - 45 * down, z - 10 * down, z - down, z, z + up, z + 10 * up, z + 45 * up]

        def part(worth: Any) -> Any:
            return lambda y: cls.density(kind, y - z) * worth(y)

        below = integral(part(filled), sorted({min(edge, 0.0) for edge in edges}))
        return below + integral(part(beyond), sorted({max(edge, 0.0) for edge in edges}))

    def test_the_step_is_a_normal_over_an_exponential_time(self, kind: dict[str, float]) -> None:
        delta, sigma = (mpmath.mpf(x) for x in step_of(kind))
        mean = mpmath.mpf(kind["block_time"])
        for x in (-2 * delta * mean, sigma * mpmath.sqrt(mean) / 2):
            mixture = mpmath.quad(
                lambda t, x=x: (
                    mpmath.exp(-t / mean) / mean * mpmath.npdf(x, -delta * t, sigma * mpmath.sqrt(t))
                ),
                [0, mean / 100, mean, 2 * mean, 4 * mean, 10 * mean, 80 * mean],
            )
            assert self.density(kind, float(x)) == pytest.approx(float(mixture), rel=1e-7)

    @pytest.mark.parametrize("start", [-3.0, -0.5, 0.0, 0.7, 4.0])
    def test_the_loss_solves_the_equation_of_one_block(self, kind: dict[str, float], start: float) -> None:
        z = start * step_of(kind)[1] * math.sqrt(kind["block_time"])
        expected = self.expectation(
            kind, lambda y: -np.expm1(y), lambda y: auction.expected_loss(**kind, start_log=y), z
        )
        assert auction.expected_loss(**kind, start_log=z) == pytest.approx(expected, rel=1e-10)

    @pytest.mark.parametrize("start", [-3.0, -0.5, 0.0, 0.7, 4.0])
    def test_the_time_solves_the_equation_of_one_block(self, kind: dict[str, float], start: float) -> None:
        z = start * step_of(kind)[1] * math.sqrt(kind["block_time"])
        later = self.expectation(
            kind, np.zeros_like, lambda y: auction.expected_fill_time(**kind, start_log=y), z
        )
        computed = auction.expected_fill_time(**kind, start_log=z)
        assert computed == pytest.approx(kind["block_time"] + later, rel=1e-10)

    def test_from_fair_on_the_loss_is_that_of_the_design(self, kind: dict[str, float]) -> None:
        delta, sigma = step_of(kind)
        zeta = (math.sqrt(delta**2 + 2 * sigma**2 / kind["block_time"]) - delta) / sigma**2
        for start in (0.0, 0.05, 3.0):
            assert auction.expected_loss(**kind, start_log=start) == pytest.approx(1 / (1 + zeta), rel=1e-9)


@pytest.mark.parametrize("kind", [*KINDS, VIOLENT])
class TestFixedSlots:
    """The numerical solution satisfies the equation of one slot, and Spitzer's identities at the start."""

    @staticmethod
    def expectation(kind: dict[str, float], filled: Any, beyond: Any, z: float) -> float:
        """Mean over one slot of what a fill is worth, or of what is still to come."""
        delta, sigma = step_of(kind)
        mean, deviation = z - delta * kind["block_time"], sigma * math.sqrt(kind["block_time"])
        edges = mean + deviation * np.array([-9.0, -5.0, -2.0, 0.0, 2.0, 5.0, 9.0])

        def part(worth: Any) -> Any:
            return lambda y: norm.pdf(y, mean, deviation) * worth(y)

        below = integral(part(filled), np.unique(np.minimum(edges, 0.0)))
        return below + integral(part(beyond), np.unique(np.maximum(edges, 0.0)))

    @pytest.mark.parametrize("start", [-3.0, -0.5, 0.0, 0.7, 6.0])
    def test_the_loss_solves_the_equation_of_one_slot(self, kind: dict[str, float], start: float) -> None:
        z = start * step_of(kind)[1] * math.sqrt(kind["block_time"])
        expected = self.expectation(
            kind, lambda y: -np.expm1(y), lambda y: auction.expected_loss(**kind, start_log=y, slots=True), z
        )
        assert auction.expected_loss(**kind, start_log=z, slots=True) == pytest.approx(expected, rel=1e-10)

    @pytest.mark.parametrize("start", [-3.0, -0.5, 0.0, 0.7, 6.0])
    def test_the_time_solves_the_equation_of_one_slot(self, kind: dict[str, float], start: float) -> None:
        z = start * step_of(kind)[1] * math.sqrt(kind["block_time"])
        later = self.expectation(
            kind, np.zeros_like, lambda y: auction.expected_fill_time(**kind, start_log=y, slots=True), z
        )
        computed = auction.expected_fill_time(**kind, start_log=z, slots=True)
        assert computed == pytest.approx(kind["block_time"] + later, rel=1e-10)

    def test_from_fair_the_series_of_spitzer_give_both(self, kind: dict[str, float]) -> None:
        delta, sigma = step_of(kind)
        blocks, lost = spitzer(delta * kind["block_time"], sigma * math.sqrt(kind["block_time"]))
        assert auction.expected_loss(**kind, slots=True) == pytest.approx(lost, rel=1e-10)
        time = auction.expected_fill_time(**kind, slots=True)
        assert time == pytest.approx(kind["block_time"] * blocks, rel=1e-10)


def spitzer(drift: float, deviation: float) -> tuple[float, float]:
    """Mean number of steps to the first descent of a normal walk from 0, and 1 - E[exp(z)] there."""
    mpmath.mp.dps = 25
    s = mpmath.mpf(deviation)
    mu = drift / s

    def above(n: mpmath.mpf) -> mpmath.mpf:
        return mpmath.ncdf(-mu * mpmath.sqrt(n)) / n

    def tilted(n: mpmath.mpf) -> mpmath.mpf:
        """E[exp(S_n); S_n > 0] / n where that vanishes as n grows, else E[exp(S_n); S_n <= 0] / n."""
        return mpmath.exp(n * (s * s / 2 - mu * s)) * mpmath.ncdf(-abs(mu - s) * mpmath.sqrt(n)) / n

    def summed(term: Any) -> mpmath.mpf:
        """Add up to 400, and the rest by Euler and Maclaurin."""
        edge = mpmath.mpf(400)
        tail = mpmath.quad(term, [edge, 10 * edge, 1000 * edge, mpmath.inf])
        corrections = term(edge) / 2 - mpmath.diff(term, edge) / 12 + mpmath.diff(term, edge, 3) / 720
        return mpmath.fsum(term(mpmath.mpf(n)) for n in range(1, 400)) + tail + corrections

    if mu > s:
        lost = -mpmath.expm1(s * s / 2 - mu * s) * mpmath.exp(summed(tilted))
    else:
        lost = mpmath.exp(-summed(tilted))
    return float(mpmath.exp(summed(above))), float(lost)


class TestLimits:
    """Where a parameter vanishes."""

    def test_without_volatility_poisson_blocks_wait_for_the_line(self) -> None:
        assert auction.expected_loss(1e-3, 0.0, 12.0) == pytest.approx(0.012 / 1.012, rel=1e-14)
        assert auction.expected_loss(1e-3, 0.0, 12.0, start_log=0.05) == pytest.approx(0.012 / 1.012)
        assert auction.expected_fill_time(1e-3, 0.0, 12.0, start_log=0.05) == pytest.approx(62.0, rel=1e-14)
        assert auction.expected_fill_time(1e-3, 0.0, 12.0, start_log=-0.05) == 12.0
        below = auction.expected_loss(1e-3, 0.0, 12.0, start_log=-0.05)
        assert below == pytest.approx(1.0 - math.exp(-0.05) / 1.012, rel=1e-13)

    def test_without_volatility_slots_count_whole_blocks(self) -> None:
        given = {"decay_per_second": 1e-3, "volatility_daily": 0.0, "block_time": 10.0, "slots": True}
        assert auction.expected_fill_time(**given, start_log=0.05) == 50.0
        assert auction.expected_loss(**given, start_log=0.05) == pytest.approx(0.0, abs=1e-15)
        assert auction.expected_fill_time(**given, start_log=0.051) == 60.0
        assert auction.expected_loss(**given, start_log=0.051) == pytest.approx(
            -math.expm1(-0.009), rel=1e-12
        )
        assert auction.expected_fill_time(**given) == 10.0
        assert auction.expected_loss(**given) == pytest.approx(-math.expm1(-0.01), rel=1e-14)

    @pytest.mark.parametrize("slots", [False, True])
    @pytest.mark.parametrize("start", [-0.02, 0.0, 0.0313])
    def test_a_little_volatility_is_near_none(self, start: float, slots: bool) -> None:
        for volatility in (1e-9, 1e-30, 1e-200):
            for expected in (auction.expected_loss, auction.expected_fill_time):
                assert expected(1e-3, volatility, 12.0, start, slots) == pytest.approx(
                    expected(1e-3, 0.0, 12.0, start, slots), rel=1e-6
                )

    @pytest.mark.parametrize("slots", [False, True])
    def test_a_still_ask_below_fair_fills_at_once_and_above_never(self, slots: bool) -> None:
        assert auction.expected_loss(0.0, 0.0, 12.0, -0.1, slots) == pytest.approx(-math.expm1(-0.1))
        assert auction.expected_fill_time(0.0, 0.0, 12.0, -0.1, slots) == 12.0
        assert auction.expected_fill_time(0.0, 0.0, 12.0, 0.0, slots) == 12.0
        assert auction.expected_fill_time(0.0, 0.0, 12.0, 0.1, slots) == math.inf
        with pytest.raises(InvalidInputError, match="may never meet fair"):
            auction.expected_loss(0.0, 0.0, 12.0, 0.1, slots)

    @pytest.mark.parametrize("slots", [False, True])
    @pytest.mark.parametrize("start", [-0.1, 0.0, 0.1])
    def test_a_decay_that_volatility_outruns_has_no_loss_and_no_end(self, start: float, slots: bool) -> None:
        decay = 0.4 * PER_ROOT_SECOND**2
        assert auction.expected_fill_time(decay, 0.04, 12.0, start, slots) == math.inf
        with pytest.raises(InvalidInputError) as caught:
            auction.expected_loss(decay, 0.04, 12.0, start, slots)
        assert caught.value.name == "decay_per_second"
        assert caught.value.value == decay

    @pytest.mark.parametrize("slots", [False, True])
    def test_at_the_edge_the_fill_is_sure_but_takes_for_ever(self, slots: bool) -> None:
        variance = 0.04 * 0.04 / DAY
        for start in (-0.01, 0.0, 0.02):
            edge = auction.expected_loss(variance / 2, 0.04, 12.0, start, slots)
            near = auction.expected_loss(variance / 2 + 1e-13, 0.04, 12.0, start, slots)
            assert edge == pytest.approx(near, rel=1e-4)
            assert auction.expected_fill_time(variance / 2, 0.04, 12.0, start, slots) == math.inf

    def test_a_driftless_walk_overshoots_by_the_constant_of_the_zeta_function(self) -> None:
        deviation = PER_ROOT_SECOND * math.sqrt(12.0)
        loss = auction.expected_loss(0.04 * 0.04 / DAY / 2, 0.04, 12.0, start_log=0.5, slots=True)
        overshoot = -float(mpmath.zeta(0.5)) / math.sqrt(2.0 * math.pi) * deviation
        # The second moment of the overshoot is 0.34 + ..., hence the next order of the loss.
        assert loss == pytest.approx(overshoot, rel=3.0 * deviation)

    @pytest.mark.parametrize("kind", KINDS)
    def test_from_afar_slots_lose_less_and_fill_sooner_than_poisson_blocks(
        self, kind: dict[str, float]
    ) -> None:
        for expected in (auction.expected_loss, auction.expected_fill_time):
            assert expected(**kind, start_log=50.0, slots=True) < expected(**kind, start_log=50.0)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("slots", [False, True])
    def test_far_above_fair_the_loss_forgets_the_start(self, kind: dict[str, float], slots: bool) -> None:
        far = [auction.expected_loss(**kind, start_log=z, slots=slots) for z in (300.0, 600.0)]
        assert far[0] == pytest.approx(far[1], rel=1e-9)
        times = [auction.expected_fill_time(**kind, start_log=z, slots=slots) for z in (300.0, 600.0)]
        assert times[1] - times[0] == pytest.approx(300.0 / step_of(kind)[0], rel=1e-9)

    @pytest.mark.parametrize("slots", [False, True])
    def test_far_below_fair_the_first_block_takes_nearly_nothing(self, slots: bool) -> None:
        assert auction.expected_loss(**LIVELY, start_log=-700.0, slots=slots) == 1.0
        assert auction.expected_fill_time(**LIVELY, start_log=-700.0, slots=slots) == 12.0

    @pytest.mark.parametrize("start", [701.0, -701.0, 10**77])
    def test_a_start_that_is_no_ratio_of_floats_is_refused(self, start: float) -> None:
        with pytest.raises(InvalidInputError, match="start_log"):
            auction.expected_loss(**LIVELY, start_log=start)

    def test_a_volatility_whose_square_overflows_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="volatility_daily"):
            auction.expected_loss(1.0, 1e200, 12.0)

    def test_the_regimes_of_the_walk_meet(self) -> None:
        # Drift over deviation of a step passes 7.5, where the method changes.
        sigma, block_time = PER_ROOT_SECOND, 12.0
        for start in (-0.001, 0.0, 0.0004, 0.02):
            values = [
                auction.expected_loss(
                    mu * sigma / math.sqrt(block_time) + sigma**2 / 2, 0.04, block_time, start, slots=True
                )
                for mu in (7.5 - 1e-9, 7.5 + 1e-9)
            ]
            assert values[0] == pytest.approx(values[1], rel=1e-7)

    def test_arrays_give_what_each_scalar_gives(self) -> None:
        starts = np.array([[-0.01], [0.0], [0.02]])
        decays = np.array([1e-4, 1e-3])
        for slots in (False, True):
            for expected in (auction.expected_loss, auction.expected_fill_time):
                together = expected(decays, 0.04, 12.0, starts, slots)
                alone = [[expected(d, 0.04, 12.0, float(z[0]), slots) for d in decays] for z in starts]
                assert np.array_equal(together, alone)
