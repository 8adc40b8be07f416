"""The checks that every formula shares, and what each formula refuses."""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bot.domain import _validation as valid
from bot.domain import auction, health, schedule, scoring, sizing
from bot.errors import CorrelationError, InvalidInputError

NOT_NUMBERS = ["1.5", None, 1j, [[1.0], [1.0, 2.0]], {"a": 1}, 10**400, np.array(["1"])]
NOT_FINITE = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("value", NOT_NUMBERS + NOT_FINITE)
def test_what_is_no_finite_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        valid.finite("price", value)
    assert caught.value.name == "price"
    assert "price must be" in str(caught.value)


@pytest.mark.parametrize("value", [1, 1.0, True, Decimal("1"), Fraction(1), np.float32(1), np.int64(1)])
def test_any_real_number_becomes_a_float(value: Any) -> None:
    result = valid.finite("price", value)
    assert result.dtype == np.float64
    assert valid.scalar("price", result) == 1.0


def test_an_integer_of_77_digits_is_a_number() -> None:
    assert valid.scalar("amount", valid.positive("amount", 10**77)) == 1e77


@pytest.mark.parametrize("digits", [400, 10_000])
def test_an_integer_beyond_a_float_is_refused_with_its_size(digits: int) -> None:
    with pytest.raises(InvalidInputError, match=rf"about 10\*\*{digits}"):
        valid.finite("amount", 10**digits)
    with pytest.raises(InvalidInputError, match="a whole number from 1 to 5"):
        valid.whole_number("count", 10**digits, maximum=5)


def test_the_first_offender_of_an_array_is_named_with_its_place() -> None:
    with pytest.raises(InvalidInputError, match=r"element 1, 0\), got -3\.0") as caught:
        valid.non_negative("amounts", [[1.0, 2.0], [-3.0, math.nan]])
    assert caught.value.value == -3.0


@pytest.mark.parametrize(
    ("check", "inside", "outside"),
    [
        (valid.positive, [5e-324, 1e308], [0.0, -1.0]),
        (valid.non_negative, [0.0, -0.0, 1e308], [-5e-324]),
        (valid.fraction, [0.0, 1.0], [-1e-9, 1.0000001]),
        (valid.fraction_below_one, [0.0, 0.9999999], [1.0]),
        (valid.open_fraction, [5e-324, 0.9999999], [0.0, 1.0]),
        (lambda n, v: valid.at_least(n, v, 2.0), [2.0], [1.9999999]),
        (lambda n, v: valid.above(n, v, -1.0), [-0.9999999], [-1.0]),
    ],
)
def test_a_check_accepts_its_interval_and_nothing_else(
    check: Callable[[str, Any], Any], inside: list[float], outside: list[float]
) -> None:
    assert np.array_equal(check("x", inside), inside)
    for value in outside + NOT_FINITE:
        with pytest.raises(InvalidInputError):
            check("x", value)


def test_empty_arrays_pass_the_checks_of_values() -> None:
    assert valid.positive("x", []).size == 0


def test_shapes_that_do_not_broadcast_are_refused_with_their_names() -> None:
    with pytest.raises(InvalidInputError, match=r"left, right must be .*\(2,\).*\(3,\)"):
        valid.broadcast(left=np.zeros(2), right=np.zeros(3))


@pytest.mark.parametrize("shape", [(), (0,), (2, 2)])
def test_a_vector_has_one_axis_and_an_element(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match="one-dimensional"):
        valid.vector("x", np.zeros(shape))


@pytest.mark.parametrize("value", [0, 11, True, 3.0, "3", None])
def test_a_count_is_a_whole_number_in_its_range(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="from 1 to 10"):
        valid.whole_number("count", value, maximum=10)


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], r"entries in \[-1, 1\]"),
        ([[1.0, 0.2], [0.3, 1.0]], "symmetric"),
        ([[0.9, 0.2], [0.2, 1.0]], "ones on its diagonal, one entry is 0.9"),
        ([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]], "semi-definite"),
    ],
)
def test_what_is_no_correlation_matrix_is_refused_with_the_reason(
    matrix: list[list[float]], reason: str
) -> None:
    with pytest.raises(CorrelationError, match=reason):
        valid.correlation_matrix("correlation", matrix)


@pytest.mark.parametrize("matrix", [[], [1.0], [[1.0, 0.0]], [[math.nan]]])
def test_a_correlation_matrix_is_square_and_finite(matrix: list[Any]) -> None:
    with pytest.raises(InvalidInputError):
        valid.correlation_matrix("correlation", matrix)
    with pytest.raises(InvalidInputError, match="3 by 3"):
        valid.correlation_matrix("correlation", np.eye(2), size=3)


def test_a_singular_correlation_passes_and_rounding_is_cleaned() -> None:
    given = np.array([[1.0, 1.0 + 1e-12], [1.0, 1.0 - 1e-12]])
    assert np.array_equal(valid.correlation_matrix("correlation", given), np.ones((2, 2)))


VALID: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (health.health_factor, {"weighted_collateral": 1.0, "debt": 1.0}),
    (health.liquidation_price, {"quantity": 1.0, "threshold": 0.8, "other_weighted": 0.0, "debt": 1.0}),
    (
        sizing.repay_to_target,
        {
            "collateral_value": 100.0,
            "debt_value": 90.0,
            "threshold": 0.8,
            "bonus": 0.05,
            "target": 1.05,
            "weighted_total": 80.0,
            "debt_weight": 1.0,
        },
    ),
    (
        sizing.cheapest_mix,
        {
            "values": [100.0],
            "thresholds": [0.8],
            "bonuses": [0.05],
            "debt_value": 81.0,
            "target": 1.05,
            "debt_weight": 1.0,
        },
    ),
    (sizing.raises_health, {"health": 0.9, "threshold": 0.8, "bonus": 0.05, "debt_weight": 1.0}),
    (sizing.largest_safe_bonus, {"collateral_value": 1.0, "debt_value": 1.0}),
    (auction.multiplier, {"elapsed": 1.0, "start": 1.0, "decay": 1e-4, "floor": 0.8}),
    (auction.start_multiplier, {"volatility_daily": 0.04, "staleness": 24.0, "probability": 0.01}),
    (
        auction.expected_loss,
        {"decay_per_second": 1e-4, "volatility_daily": 0.04, "block_time": 12.0, "start_log": 0.0},
    ),
    (
        auction.expected_fill_time,
        {"decay_per_second": 1e-4, "volatility_daily": 0.04, "block_time": 12.0, "start_log": 0.0},
    ),
    (
        auction.optimal_decay,
        {
            "start_log": 0.0,
            "volatility_daily": 0.04,
            "block_time": 12.0,
            "cost_of_delay_per_second": 1e-6,
        },
    ),
    (
        schedule.almgren_chriss,
        {
            "amount": 1.0,
            "periods": 3,
            "period_length": 1.0,
            "volatility": 0.1,
            "temporary_impact": 0.1,
            "permanent_impact": 0.01,
            "risk_aversion": 1.0,
        },
    ),
    (schedule.obizhaeva_wang, {"amount": 1.0, "trades": 3, "decay": 0.5}),
    (
        schedule.resilient_cost,
        {"amount": 1.0, "trades": 3, "impact": 1.0, "horizon": 10.0, "recovery_time": 5.0},
    ),
    (
        schedule.best_slice_count,
        {
            "amount": 1.0,
            "fixed_cost": 0.01,
            "impact": 1.0,
            "horizon": 10.0,
            "recovery_time": 5.0,
            "most": 10,
        },
    ),
    (scoring.brier, {"p": [0.5], "y": [1.0]}),
    (scoring.log_loss, {"p": [0.5], "y": [1.0]}),
    (scoring.expected_calibration_error, {"p": [0.5], "y": [1.0], "bins": 10}),
    (scoring.qlike, {"forecast": [1.0], "realised": [1.0]}),
    (scoring.kupiec, {"observations": 10, "exceptions": 1, "probability": 0.1}),
    (scoring.diebold_mariano, {"first": [1.0, 2.0], "second": [2.0, 2.5], "lags": 0}),
]
CASES = [
    pytest.param(function, kwargs, name, id=f"{function.__name__}-{name}")
    for function, kwargs in VALID
    for name in kwargs
]


@pytest.mark.parametrize(("function", "kwargs", "name"), CASES)
def test_a_bad_argument_is_refused_by_its_own_name(
    function: Callable[..., Any], kwargs: dict[str, Any], name: str
) -> None:
    function(**kwargs)
    for bad in [math.nan, -math.inf, -2.0, "1", 1j, 10**400, [[1.0], [1.0, 2.0]]]:
        if bad == -2.0 and name in ("start_log", "amount", "first", "second"):
            continue
        value = [bad] if isinstance(kwargs[name], list) else bad
        with pytest.raises(InvalidInputError) as caught:
            function(**{**kwargs, name: value})
        assert caught.value.name == name


@pytest.mark.parametrize(("function", "kwargs", "name"), CASES)
def test_no_size_of_input_leaks_a_warning_or_a_foreign_error(
    function: Callable[..., Any], kwargs: dict[str, Any], name: str
) -> None:
    for size in [0, 5e-324, 1e-200, 1e-9, 1, 1e9, 10**77, 1.7e308]:
        value = [size] if isinstance(kwargs[name], list) else size
        with np.errstate(all="raise"):
            try:
                result = function(**{**kwargs, name: value})
            except (InvalidInputError, sizing.TargetHealthUnreachableError):
                continue
        assert not np.any(np.isnan(np.asarray(result, dtype=float)))
