"""What holds for every estimate of a variance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import volatility as vol

ESTIMATORS = (vol.close_to_close, vol.parkinson, vol.garman_klass, vol.rogers_satchell, vol.yang_zhang)


@pytest.fixture(autouse=True)
def complain() -> object:
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield


@st.composite
def bars(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """Three to eight bars whose highs and lows hold their bodies."""
    count = draw(st.integers(3, 8))
    price = st.floats(1e-6, 1e9)
    columns = [np.array(draw(st.lists(price, min_size=count, max_size=count))) for _ in range(4)]
    return columns[0], np.max(columns, axis=0), np.min(columns, axis=0), columns[3]


@given(given_bars=bars(), exponent=st.integers(-40, 40))
def test_estimates_are_variances_that_know_no_unit(given_bars: tuple[np.ndarray, ...], exponent: int) -> None:
    scaled = [prices * 2.0**exponent for prices in given_bars]
    for estimator in ESTIMATORS:
        found = estimator(*given_bars)
        assert found >= 0.0
        assert np.isfinite(found)
        assert estimator(*scaled) == pytest.approx(found, rel=1e-6, abs=1e-20)


@given(
    returns=st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=30),
    decay=st.floats(0.0, 0.999),
)
def test_ewma_is_a_mean_of_squares(returns: list[float], decay: float) -> None:
    squares = np.square(np.array(returns)[np.abs(returns) > 1e-150])
    found = vol.ewma(returns, decay)
    assert 0.0 <= found <= squares.max(initial=0.0) * (1 + 1e-9) + 1e-300


@given(
    gaps=st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=20),
    moves=st.lists(st.floats(-0.5, 0.5), min_size=21, max_size=21),
    half_life=st.floats(1e-3, 1e9),
)
def test_irregular_ewma_is_a_mean_of_rates(gaps: list[float], moves: list[float], half_life: float) -> None:
    times = np.cumsum([0.0, *gaps])
    prices = np.exp(np.cumsum(moves[: times.size]))
    rates = np.square(np.diff(np.log(prices))) / np.diff(times) * 31_536_000.0
    found = vol.ewma_irregular(times, prices, half_life)
    assert rates.min() * (1 - 1e-9) <= found <= rates.max() * (1 + 1e-9)


@given(
    series=st.lists(st.floats(0.0, 1.0), min_size=20, max_size=60),
    ahead=st.integers(1, 4),
)
def test_har_forecasts_stay_among_what_was_seen(series: list[float], ahead: int) -> None:
    forecast = vol.har_rv(series, lags=(1, 4))
    assert min(series) <= forecast <= max(series)
    model = vol.fit_log_har([series], spans=(1, 4), ahead=ahead)
    found = model.forecast(series)
    assert found.shape == (len(series),)
    assert (found >= 0.0).all()
