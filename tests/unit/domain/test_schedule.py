"""Schedules against the quadratic programmes that they solve."""

import math
from typing import Any, ClassVar

import numpy as np
import pytest
from scipy.linalg import toeplitz

from bot.domain import schedule
from bot.errors import InvalidInputError

PAPER = {
    "amount": 1e6,
    "periods": 5,
    "period_length": 1.0,
    "volatility": 0.95,
    "temporary_impact": 2.5e-6,
    "permanent_impact": 2.5e-7,
    "risk_aversion": 2e-6,
}


def least_cost_trades(
    amount: float,
    periods: int,
    period_length: float,
    volatility: float,
    temporary_impact: float,
    permanent_impact: float,
    risk_aversion: float,
) -> np.ndarray:
    """Minimise the paper's expected cost plus risk by its linear conditions, trades as the unknowns."""
    holding = np.tril(np.ones((periods, periods)), -1).T  # what is left after each trade
    impact = (temporary_impact - permanent_impact * period_length / 2.0) / period_length
    risk = risk_aversion * volatility**2 * period_length * holding.T @ holding
    quadratic = 2.0 * (impact * np.eye(periods) + risk)
    system = np.block([[quadratic, np.ones((periods, 1))], [np.ones((1, periods)), np.zeros((1, 1))]])
    return np.linalg.solve(system, np.append(np.zeros(periods), amount))[:periods]


class TestAlmgrenChriss:
    """Impact against risk."""

    @pytest.mark.parametrize("risk_aversion", [0.0, 1e-9, 2e-6, 1e-4, 1e-1])
    @pytest.mark.parametrize("periods", [1, 2, 5, 40])
    def test_solves_its_quadratic_programme(self, periods: int, risk_aversion: float) -> None:
        given = {**PAPER, "periods": periods, "risk_aversion": risk_aversion}
        trades = schedule.almgren_chriss(**given)
        assert trades == pytest.approx(least_cost_trades(**given), rel=1e-8, abs=1e-6)
        assert trades.sum() == pytest.approx(1e6, rel=1e-12)

    def test_is_the_hyperbolic_sine_of_the_paper(self) -> None:
        eta = 2.5e-6 - 2.5e-7 / 2.0
        kappa = math.acosh(1.0 + 2e-6 * 0.95**2 / (2.0 * eta))
        held = [1e6 * math.sinh(kappa * (5 - j)) / math.sinh(kappa * 5) for j in range(6)]
        assert schedule.almgren_chriss(**PAPER) == pytest.approx(-np.diff(held), rel=1e-12)

    def test_without_aversion_or_volatility_the_trades_are_equal(self) -> None:
        for change in ({"risk_aversion": 0.0}, {"volatility": 0.0}):
            assert schedule.almgren_chriss(**{**PAPER, **change}).tolist() == [2e5] * 5

    def test_a_little_aversion_is_near_none(self) -> None:
        trades = schedule.almgren_chriss(**{**PAPER, "risk_aversion": 1e-25})
        assert trades == pytest.approx(np.full(5, 2e5), rel=1e-12)

    def test_endless_aversion_trades_at_once(self) -> None:
        for aversion in (1e20, 1e300):
            trades = schedule.almgren_chriss(**{**PAPER, "risk_aversion": aversion})
            assert trades == pytest.approx([1e6, 0.0, 0.0, 0.0, 0.0], abs=1e-3)

    def test_a_purchase_is_a_sale_mirrored(self) -> None:
        bought = schedule.almgren_chriss(**{**PAPER, "amount": -1e6})
        assert bought.tolist() == (-schedule.almgren_chriss(**PAPER)).tolist()

    def test_many_periods_do_not_overflow(self) -> None:
        trades = schedule.almgren_chriss(**{**PAPER, "periods": 100_000})
        assert np.all(np.isfinite(trades))
        assert trades.sum() == pytest.approx(1e6, rel=1e-12)

    def test_permanent_impact_may_not_outweigh_the_temporary(self) -> None:
        with pytest.raises(InvalidInputError, match="temporary_impact must be above permanent_impact"):
            schedule.almgren_chriss(**{**PAPER, "permanent_impact": 5e-6})

    @pytest.mark.parametrize("periods", [0, -1, 2.0, True, 10**77])
    def test_periods_are_a_count_that_fits(self, periods: Any) -> None:
        with pytest.raises(InvalidInputError, match="periods"):
            schedule.almgren_chriss(**{**PAPER, "periods": periods})


def impact_cost(trades: np.ndarray, decay: float) -> float:
    return 0.5 * float(trades @ toeplitz(decay ** np.arange(trades.size)) @ trades)


class TestObizhaevaWang:
    """Impact against recovery."""

    @pytest.mark.parametrize("decay", [0.0, 0.1, 0.5, 0.99])
    @pytest.mark.parametrize("trades", [1, 2, 3, 10])
    def test_solves_its_linear_system(self, trades: int, decay: float) -> None:
        solved = np.linalg.solve(toeplitz(decay ** np.arange(trades)), np.ones(trades))
        expected = 100.0 * solved / solved.sum()
        assert schedule.obizhaeva_wang(100.0, trades, decay) == pytest.approx(expected, rel=1e-10)

    def test_impact_that_fades_at_once_is_spread_evenly(self) -> None:
        assert schedule.obizhaeva_wang(10.0, 4, 0.0).tolist() == [2.5] * 4

    def test_impact_that_never_fades_leaves_the_ends(self) -> None:
        assert schedule.obizhaeva_wang(10.0, 4, 1.0).tolist() == [5.0, 0.0, 0.0, 5.0]

    def test_one_trade_takes_all(self) -> None:
        assert schedule.obizhaeva_wang(10.0, 1, 0.5).tolist() == [10.0]

    @pytest.mark.parametrize("decay", [-0.1, 1.1, math.nan])
    def test_a_share_is_a_share(self, decay: float) -> None:
        with pytest.raises(InvalidInputError, match="decay"):
            schedule.obizhaeva_wang(10.0, 4, decay)


class TestSliceCount:
    """Impact against fixed costs."""

    given: ClassVar = {"amount": 1_000.0, "impact": 0.01, "horizon": 600.0, "recovery_time": 120.0}

    @pytest.mark.parametrize("trades", [1, 2, 5, 60])
    def test_the_cost_is_that_of_the_best_schedule(self, trades: int) -> None:
        decay = math.exp(-600.0 / 120.0 / (trades - 1)) if trades > 1 else 0.0
        best = schedule.obizhaeva_wang(1_000.0, trades, decay)
        expected = 0.01 * impact_cost(best, decay)
        assert schedule.resilient_cost(trades=trades, **self.given) == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("fixed_cost", [1e-3, 0.1, 5.0, 100.0, 2_000.0, 1e6])
    def test_no_other_count_costs_less(self, fixed_cost: float) -> None:
        counts = range(1, 1_001)
        costs = [n * fixed_cost + schedule.resilient_cost(trades=n, **self.given) for n in counts]
        best = schedule.best_slice_count(fixed_cost=fixed_cost, most=1_000, **self.given)
        assert costs[best - 1] <= min(costs) * (1.0 + 1e-15)

    def test_free_trades_are_as_many_as_allowed(self) -> None:
        assert schedule.best_slice_count(fixed_cost=0.0, **self.given) == schedule.MOST_TRADES
        assert schedule.best_slice_count(fixed_cost=0.0, most=7, **self.given) == 7

    @pytest.mark.parametrize("change", [{"amount": 0.0}, {"impact": 0.0}, {"horizon": 0.0}])
    def test_where_slices_save_nothing_there_is_one(self, change: dict[str, float]) -> None:
        for fixed_cost in (0.0, 1.0):
            assert schedule.best_slice_count(fixed_cost=fixed_cost, **{**self.given, **change}) == 1

    def test_an_impact_beyond_a_float_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="amount"):
            schedule.resilient_cost(1e200, 2, 1.0, 1.0, 1.0)
