"""Fixed point by hand-made numbers, and what it refuses."""

from collections.abc import Callable
from typing import Any

import pytest

from bot.domain import wad
from bot.errors import InvalidInputError

UNIT = wad.WAD
TWO = [wad.mul_down, wad.mul_up, wad.div_down, wad.div_up, wad.bps_down, wad.bps_up]
THREE = [wad.mul_div_down, wad.mul_div_up]


def test_each_name_says_which_way_it_rounds() -> None:
    third = UNIT // 3
    assert (wad.mul_down(1, third), wad.mul_up(1, third)) == (0, 1)
    assert (wad.div_down(1, 3 * UNIT), wad.div_up(1, 3 * UNIT)) == (0, 1)
    assert (wad.mul_div_down(7, 3, 2), wad.mul_div_up(7, 3, 2)) == (10, 11)
    assert (wad.bps_down(9_999, 1), wad.bps_up(9_999, 1)) == (0, 1)


def test_what_divides_evenly_is_not_rounded() -> None:
    for multiply, divide in ((wad.mul_down, wad.div_down), (wad.mul_up, wad.div_up)):
        assert multiply(5 * UNIT, 3 * UNIT) == 15 * UNIT
        assert divide(15 * UNIT, 3 * UNIT) == 5 * UNIT
        assert multiply(0, UNIT) == divide(0, UNIT) == 0
    assert wad.bps_down(10_000, 250) == wad.bps_up(10_000, 250) == 250


@pytest.mark.parametrize("function", TWO)
@pytest.mark.parametrize("pair", [(-1, 1), (1, -1), (-1, -1), (-(10**77), 10**77)])
def test_a_negative_number_is_refused_with_its_value(
    function: Callable[[int, int], int], pair: tuple[int, int]
) -> None:
    with pytest.raises(InvalidInputError, match="non-negative") as caught:
        function(*pair)
    assert min(pair) in caught.value.value


@pytest.mark.parametrize("function", THREE)
@pytest.mark.parametrize("given", [(-1, 1, 1), (1, -1, 1), (1, 1, -1), (1, 1, 0), (0, 0, 0)])
def test_a_negative_factor_or_no_divisor_is_refused(
    function: Callable[[int, int, int], int], given: tuple[int, int, int]
) -> None:
    with pytest.raises(InvalidInputError, match="divisor above zero"):
        function(*given)


@pytest.mark.parametrize("function", [wad.div_down, wad.div_up])
def test_nothing_is_divided_by_zero(function: Callable[[int, int], int]) -> None:
    with pytest.raises(InvalidInputError, match="divisor above zero"):
        function(1, 0)


@pytest.mark.parametrize("function", TWO)
@pytest.mark.parametrize("pair", [(1.0, 1), (1, 1.0), ("1", 1), (None, 1)])
def test_money_is_never_a_float(function: Any, pair: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError):
        function(*pair)


def test_the_exponential_at_its_ends() -> None:
    assert wad.exp_wad(0) == UNIT
    assert wad.exp_wad(-41_446_531_673_892_822_313) == 0
    assert wad.exp_wad(-(10**30)) == 0
    with pytest.raises(OverflowError):
        wad.exp_wad(135_305_999_368_893_231_589)
