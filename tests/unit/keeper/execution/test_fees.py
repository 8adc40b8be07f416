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


def test_no_more_is_paid_than_inclusion_is_worth() -> None:
    policy = FeePolicy(tip=2, cap=1_000, headroom_blocks=6)
    assert policy.ceiling(None, 100) is None
    assert policy.ceiling(9_999, 100) == 99
    assert policy.ceiling(-5, 100) == 0
    assert policy.at(a_head(1, base_fee=50), 70) == Fees(70, 2)
    assert policy.at(a_head(1, base_fee=50), 52) == Fees(52, 2)
    assert policy.at(a_head(1, base_fee=50), 51) is None


def test_the_cap_binds_where_inclusion_is_worth_more() -> None:
    assert FeePolicy(tip=2, cap=60, headroom_blocks=6).at(a_head(1, base_fee=50), 10**9) == Fees(60, 2)


def test_a_share_of_what_inclusion_is_worth_is_bid_at_once() -> None:
    policy = FeePolicy(tip=2, cap=1_000, headroom_blocks=0, bid_bps=2_500)
    assert policy.at(a_head(1, base_fee=50), 92) == Fees(62, 12)
    assert policy.at(a_head(1, base_fee=50)) == Fees(52, 2), "nothing is bid for what pays nothing"


def test_a_replacement_stops_at_what_inclusion_is_worth() -> None:
    policy = FeePolicy(tip=8, cap=1_000, headroom_blocks=0)
    old = Fees(80, 8)
    assert policy.replacing(old, a_head(1, base_fee=50), 90) == Fees(90, 9)
    assert policy.replacing(old, a_head(1, base_fee=50), 89) is None


@given(
    old_max=st.integers(0, 10**13),
    old_tip=st.integers(0, 10**13),
    bump=st.integers(1_250, 20_000),
    worth=st.integers(0, 10**20),
    base=st.integers(0, 10**12),
)
def test_every_bump_is_enough_on_both_fields_and_within_worth(
    old_max: int, old_tip: int, bump: int, worth: int, base: int
) -> None:
    policy = FeePolicy(tip=1, cap=10**14, bump_bps=bump)
    gas = 100_000
    old = Fees(max(old_max, old_tip), old_tip)
    fees = policy.replacing(old, a_head(1, base_fee=base), policy.ceiling(worth, gas))
    if fees is not None:
        assert fees.max_fee_per_gas * gas <= worth
        assert fees.max_priority_fee_per_gas <= fees.max_fee_per_gas
        for new, before in zip(
            (fees.max_fee_per_gas, fees.max_priority_fee_per_gas),
            (old.max_fee_per_gas, old.max_priority_fee_per_gas),
            strict=True,
        ):
            assert new * 10_000 >= before * (10_000 + bump)
            assert new > before
