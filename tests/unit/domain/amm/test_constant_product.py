import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from bot.domain.amm.constant_product import amount_out, input_for_slippage, profit_maximising_input
from bot.errors import InvalidInputError

ETHER = 10**18


def real_output(amount: float, reserve_in: float, reserve_out: float, fee: float) -> float:
    kept = amount * (1 - fee)
    return reserve_out * kept / (reserve_in + kept)


@pytest.mark.parametrize(
    ("amount", "reserve_in", "reserve_out", "expected"),
    [
        (1, 5, 10, 1662497915624478906),
        (1, 10, 5, 453305446940074565),
        (2, 5, 10, 2851015155847869602),
        (1, 100, 100, 987158034397061298),
    ],
)
def test_output_is_the_contracts_at_its_own_fee(
    amount: int, reserve_in: int, reserve_out: int, expected: int
) -> None:
    assert amount_out(amount * ETHER, reserve_in * ETHER, reserve_out * ETHER, 3000) == expected


def test_output_is_the_exact_fraction_rounded_down() -> None:
    rng = np.random.default_rng(1)
    for _ in range(500):
        amount, reserve_in, reserve_out = (int(10 ** rng.uniform(0, 30)) for _ in range(3))
        fee = int(rng.integers(0, 10**6))
        kept = Fraction(amount * (10**6 - fee), 10**6)
        exact = kept * reserve_out / (reserve_in + kept)
        assert amount_out(amount, reserve_in, reserve_out, fee) == math.floor(exact)


def test_output_of_256_bit_amounts_is_exact() -> None:
    huge = 10**77
    assert amount_out(huge, huge, huge, 0) == huge // 2
    assert amount_out(1, huge, huge, 3000) == 0


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0, 1, 1, 0), "amount_in"),
        ((-1, 1, 1, 0), "amount_in"),
        ((1e18, 1, 1, 0), "amount_in"),
        ((True, 1, 1, 0), "amount_in"),
        ((1, 0, 1, 0), "reserve_in"),
        ((1, 1, 0, 0), "reserve_out"),
        ((1, 1, 1, 10**6), "fee_pips"),
        ((1, 1, 1, -1), "fee_pips"),
    ],
)
def test_output_refuses_what_is_no_positive_integer(arguments: tuple[int, ...], name: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        amount_out(*arguments)
    assert caught.value.name == name


def test_profit_maximising_input_is_within_1e_9_of_a_numerical_search() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        reserve_in, reserve_out = 10 ** rng.uniform(0, 27, 2)
        fee = float(rng.choice([0.0, 0.0005, 0.003, 0.01]))
        edge = float(rng.uniform(0.01, 3.0))
        cost = reserve_out / reserve_in * (1 - fee) / (1 + edge)
        size = profit_maximising_input(reserve_in, reserve_out, fee, cost)

        def loss(share: float) -> float:
            amount = share * reserve_in  # noqa: B023 - used before the loop goes on
            return -(real_output(amount, reserve_in, reserve_out, fee) - cost * amount) / reserve_out  # noqa: B023

        found = minimize_scalar(loss, bounds=(0.0, 10.0), method="bounded", options={"xatol": 1e-12})
        assert -loss(size / reserve_in) == pytest.approx(-found.fun, rel=1e-9)
        assert size / reserve_in == pytest.approx(found.x, rel=1e-5)


def test_the_last_unit_of_the_best_input_brings_its_cost() -> None:
    size = profit_maximising_input(2e24, 7e12, 0.003, 2.5e-12)
    kept = 2e24 + 0.997 * size
    assert 0.997 * 2e24 * 7e12 / kept**2 == pytest.approx(2.5e-12, rel=1e-12)


def test_a_cap_binds_and_a_cost_above_the_price_buys_nothing() -> None:
    assert profit_maximising_input(100.0, 100.0, 0.003, 0.5, cap=3.0) == 3.0
    assert profit_maximising_input(100.0, 100.0, 0.003, 0.5, cap=0.0) == 0.0
    assert profit_maximising_input(100.0, 100.0, 0.003, 0.997) == 0.0
    assert profit_maximising_input(100.0, 100.0, 0.003, 5.0) == 0.0


def test_free_input_is_worth_all_that_the_cap_allows() -> None:
    assert profit_maximising_input(100.0, 100.0, 0.003, 0.0, cap=7.0) == 7.0
    with pytest.raises(InvalidInputError, match="free input has no optimum"):
        profit_maximising_input(100.0, 100.0, 0.003, 0.0)


def test_input_for_slippage_meets_the_average_price_exactly() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        reserve_in, reserve_out = 10 ** rng.uniform(0, 77, 2)
        fee, slippage = sorted(rng.uniform(0.0, 0.9, 2))
        size = input_for_slippage(reserve_in, reserve_out, fee, slippage)
        average = real_output(size, reserve_in, reserve_out, fee) / size
        assert average == pytest.approx((1 - slippage) * reserve_out / reserve_in, rel=1e-12)


def test_no_input_meets_a_slippage_below_the_fee() -> None:
    assert input_for_slippage(100.0, 100.0, 0.003, 0.003) == 0.0
    assert input_for_slippage(100.0, 100.0, 0.003, 0.0) == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 0.0, -1.0, 10**400, "1", None])
@pytest.mark.parametrize("position", [0, 1])
def test_sizing_refuses_reserves_that_are_not_positive_and_finite(bad: object, position: int) -> None:
    reserves = [100.0, 100.0]
    reserves[position] = bad  # type: ignore[assignment]
    name = ("reserve_in", "reserve_out")[position]
    for call in (
        lambda: profit_maximising_input(*reserves, 0.003, 0.5),
        lambda: input_for_slippage(*reserves, 0.003, 0.02),
    ):
        with pytest.raises(InvalidInputError) as caught:
            call()
        assert caught.value.name == name


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1.0, -0.1])
def test_sizing_refuses_fractions_outside_zero_to_one(bad: float) -> None:
    with pytest.raises(InvalidInputError, match="fee"):
        profit_maximising_input(1.0, 1.0, bad, 0.5)
    with pytest.raises(InvalidInputError, match="max_slippage"):
        input_for_slippage(1.0, 1.0, 0.003, bad)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1e-9])
def test_sizing_refuses_costs_and_caps_that_are_negative_or_not_finite(bad: float) -> None:
    with pytest.raises(InvalidInputError, match="unit_cost"):
        profit_maximising_input(1.0, 1.0, 0.003, bad)
    with pytest.raises(InvalidInputError, match="cap"):
        profit_maximising_input(1.0, 1.0, 0.003, 0.5, cap=bad)
