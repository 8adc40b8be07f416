"""Totals below interest that is not booked yet, found from totals above it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.lending import Market, RateModel, accrued
from bot.errors import BookDivergedError
from bot.protocols.sluice.loading import before_interest

RATES = RateModel(100, 400, 6_000, 9_000)
AMOUNTS = st.one_of(st.integers(0, 50), st.integers(0, 10**30))


@given(
    borrowed=AMOUNTS,
    lent=AMOUNTS,
    reserve=AMOUNTS,
    elapsed=st.one_of(st.integers(0, 100), st.integers(0, 5 * 365 * 86_400)),
    factor=st.integers(0, 5_000),
)
def test_interest_is_taken_off_to_the_wei(
    borrowed: int, lent: int, reserve: int, elapsed: int, factor: int
) -> None:
    stored = Market(borrowed + lent, 7, borrowed, 9, 5, 4, reserve, 3, last_accrual=1_000)
    shown = accrued(stored, RATES, factor, 1_000 + elapsed)
    as_read = Market(**{**as_dict(shown), "last_accrual": 1_000})
    assert before_interest(as_read, RATES, factor, 1_000 + elapsed) == stored


def test_totals_that_no_debt_leads_to_are_refused() -> None:
    impossible = Market(10**18, 1, 1, 1, 0, 0, 0, 0, last_accrual=0)
    steep = RateModel(60_000, 60_000, 60_000, 9_000)
    with pytest.raises(BookDivergedError, match="totals with interest"):
        before_interest(impossible, steep, 0, 10 * 365 * 86_400)


def as_dict(market: Market) -> dict[str, int]:
    return {name: getattr(market, name) for name in Market.__dataclass_fields__}
