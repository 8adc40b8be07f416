"""What holds for every rounding of the contracts' fixed point."""

from fractions import Fraction

import mpmath
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import wad

# Whole units, dust and powers of ten beside random integers, which hide rounding faults.
amount = st.one_of(
    st.integers(0, 2**256 - 1),
    st.integers(0, 10_000),
    st.integers(0, 10**12).map(lambda units: units * wad.WAD),
    st.builds(lambda power, step: max(10**power + step, 0), st.integers(0, 77), st.integers(-2, 2)),
)
positive = amount.filter(bool)


@given(x=amount, y=amount, d=positive)
def test_down_and_up_enclose_the_exact_quotient_within_one_unit(x: int, y: int, d: int) -> None:
    exact = Fraction(x * y, d)
    down, up = wad.mul_div_down(x, y, d), wad.mul_div_up(x, y, d)
    assert down <= exact < down + 1
    assert up - 1 < exact <= up
    assert (up == down) == (exact.denominator == 1)


@given(x=amount, y=amount)
def test_products_and_quotients_are_those_in_wad(x: int, y: int) -> None:
    assert wad.mul_down(x, y) == wad.mul_div_down(x, y, wad.WAD)
    assert wad.mul_up(x, y) == wad.mul_div_up(x, y, wad.WAD)
    assert wad.bps_down(x, y) == Fraction(x * y, wad.BPS).__floor__()
    assert wad.bps_up(x, y) == Fraction(x * y, wad.BPS).__ceil__()
    if y:
        assert wad.div_down(x, y) == Fraction(x * wad.WAD, y).__floor__()
        assert wad.div_up(x, y) == Fraction(x * wad.WAD, y).__ceil__()


@given(x=amount, y=positive)
def test_a_round_trip_never_gains_down_nor_loses_up(x: int, y: int) -> None:
    assert wad.mul_down(wad.div_down(x, y), y) <= x
    assert wad.mul_up(wad.div_up(x, y), y) >= x


@given(x=amount, y=amount, more=amount)
def test_more_never_gives_less(x: int, y: int, more: int) -> None:
    assert wad.mul_down(x + more, y) >= wad.mul_down(x, y)
    assert wad.mul_up(x + more, y) >= wad.mul_up(x, y)


@given(x=st.one_of(st.integers(-42 * wad.WAD, 0), st.integers(0, 135 * wad.WAD)))
def test_the_exponential_is_right_to_its_last_place_for_a_falling_price(x: int) -> None:
    mpmath.mp.dps = 90
    exact = mpmath.exp(mpmath.mpf(x) / wad.WAD) * wad.WAD
    assert abs(wad.exp_wad(x) - exact) <= 1.01 + (exact * mpmath.mpf(2) ** -65 if x > 0 else 0)
