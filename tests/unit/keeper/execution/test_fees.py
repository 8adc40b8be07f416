"""What is paid for gas, to the wei."""

from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from bot.execution.fees import FeePolicy, Fees
from tests.support.keeper import a_head

WEI = st.integers(0, 10**13)


def test_headroom_lasts_for_the_blocks_it_is_meant_for() -> None:
    policy = FeePolicy(tip=7, cap=10**18, headroom_blocks=2)
    assert policy.at(a_head(1, base_fee=64)) == Fees(81 + 7, 7)
    assert policy.at(a_head(1, base_fee=65)) == Fees(83 + 7, 7)  # 82.27, rounded up


def test_the_cap_is_never_passed_and_may_be_reached() -> None:
    policy = FeePolicy(tip=10, cap=110, headroom_blocks=6)
    assert policy.at(a_head(1, base_fee=100)) == Fees(110, 10)
    assert policy.at(a_head(1, base_fee=101)) is None


@given(WEI, WEI, WEI, st.integers(0, 20))
def test_fees_cover_the_next_blocks_or_reach_the_cap(base: int, tip: int, cap: int, blocks: int) -> None:
    fees = FeePolicy(tip, cap, blocks).at(a_head(1, base_fee=base))
    if base + tip > cap:
        assert fees is None
    else:
        assert fees is not None
        assert fees.max_fee_per_gas == min(cap, ceil(base * Fraction(9, 8) ** blocks) + tip)
        assert base + tip <= fees.max_fee_per_gas <= cap
        assert fees.max_priority_fee_per_gas == tip


@given(WEI, WEI, WEI, WEI, WEI)
def test_a_replacement_raises_both_fees_by_an_eighth(
    base: int, tip: int, cap: int, old_max: int, old_tip: int
) -> None:
    fees = FeePolicy(tip, cap).replacing(Fees(old_max, old_tip), a_head(1, base_fee=base))
    if fees is not None:
        assert fees.max_fee_per_gas <= cap
        assert fees.max_fee_per_gas >= max(Fraction(9, 8) * old_max, old_max + 1, base + tip)
        assert fees.max_priority_fee_per_gas >= max(Fraction(9, 8) * old_tip, old_tip + 1, tip)


def test_a_replacement_past_the_cap_is_not_made() -> None:
    policy = FeePolicy(tip=1, cap=112)
    assert policy.replacing(Fees(100, 1), a_head(1, base_fee=10)) is None
    assert policy.replacing(Fees(99, 1), a_head(1, base_fee=10)) == Fees(112, 2)


def test_a_dearer_tip_never_exceeds_the_whole_fee() -> None:
    fees = FeePolicy(tip=0, cap=10**12).replacing(Fees(100, 100), a_head(1, base_fee=1))
    assert fees is not None
    assert fees.max_priority_fee_per_gas <= fees.max_fee_per_gas
