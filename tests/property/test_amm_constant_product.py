"""The constant product pool: its product never falls, and no unit of output is withheld."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.amm.constant_product import amount_out

sizes = st.one_of(st.integers(1, 1000), st.integers(1, 10**30), st.integers(1, 10**77))
fees = st.integers(0, 10**6 - 1)


@settings(derandomize=True)
@given(sizes, sizes, sizes, fees)
def test_the_product_after_the_fee_never_falls(
    amount: int, reserve_in: int, reserve_out: int, fee: int
) -> None:
    paid = amount_out(amount, reserve_in, reserve_out, fee)
    kept = amount * (10**6 - fee)
    assert (reserve_in * 10**6 + kept) * (reserve_out - paid) >= reserve_in * reserve_out * 10**6
    assert (reserve_in * 10**6 + kept) * (reserve_out - paid - 1) < reserve_in * reserve_out * 10**6


@settings(derandomize=True)
@given(sizes, sizes, sizes, sizes, fees)
def test_two_swaps_never_bring_more_than_one_of_their_sum(
    first: int, second: int, reserve_in: int, reserve_out: int, fee: int
) -> None:
    start = amount_out(first, reserve_in, reserve_out, fee)
    if reserve_out > start:
        rest = amount_out(second, reserve_in + first, reserve_out - start, fee)
        if fee == 0:
            assert start + rest <= amount_out(first + second, reserve_in, reserve_out, fee)
        assert start + rest < reserve_out
