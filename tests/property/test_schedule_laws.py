"""What holds for every schedule."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import schedule

amount = st.floats(1e-6, 1e12)
count = st.integers(1, 200)


@given(
    total=amount,
    periods=count,
    interval=st.floats(1e-3, 1e3),
    volatility=st.floats(0.0, 1e3),
    temporary=st.floats(1e-9, 1e3),
    share=st.floats(0.0, 0.99),
    aversion=st.floats(0.0, 1e6),
)
def test_a_risk_averse_sale_never_speeds_up(
    total: float,
    periods: int,
    interval: float,
    volatility: float,
    temporary: float,
    share: float,
    aversion: float,
) -> None:
    permanent = share * 2.0 * temporary / interval
    trades = schedule.almgren_chriss(total, periods, interval, volatility, temporary, permanent, aversion)
    assert trades.size == periods
    assert np.isclose(trades.sum(), total, rtol=1e-10)
    assert np.all(trades >= 0.0)
    assert np.all(np.diff(trades) <= 1e-12 * total)


@given(total=amount, trades=count, decay=st.floats(0.0, 1.0))
def test_a_resilient_market_is_sold_into_symmetrically(total: float, trades: int, decay: float) -> None:
    sold = schedule.obizhaeva_wang(total, trades, decay)
    assert np.isclose(sold.sum(), total, rtol=1e-10)
    assert np.array_equal(sold, sold[::-1])
    assert np.all(sold[0] >= sold)


@given(
    total=amount,
    impact=st.floats(1e-12, 1.0),
    horizon=st.floats(0.0, 1e5),
    recovery=st.floats(1e-2, 1e5),
    share=st.floats(1e-9, 2.0),
)
def test_the_best_count_beats_its_neighbours(
    total: float, impact: float, horizon: float, recovery: float, share: float
) -> None:
    whole = schedule.resilient_cost(total, 1, impact, horizon, recovery)
    fixed = share * whole

    def cost(trades: int) -> float:
        return trades * fixed + schedule.resilient_cost(total, trades, impact, horizon, recovery)

    best = schedule.best_slice_count(total, fixed, impact, horizon, recovery)
    for other in (1, best - 1, best + 1, 2 * best):
        if 1 <= other <= schedule.MOST_TRADES:
            assert cost(best) <= cost(other) + 1e-12 * cost(best)
