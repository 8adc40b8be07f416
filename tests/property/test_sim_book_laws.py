"""Laws of the generated book, for any size, seed and prices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sim.book import AssetTerms
from bot.sim.generator import cap_shares, generate_book, health_quantile
from tests.support.replays import SMALLEST_BORROW, TERMS, WAD

EXAMPLES = settings(max_examples=25, deadline=None)


def priced(eth_usd: float, btc_usd: float) -> dict[str, AssetTerms]:
    return {
        **TERMS,
        "WETH": AssetTerms("WETH", 0, 18, int(eth_usd * WAD), 8_000, 8_300, 10_800),
        "WBTC": AssetTerms("WBTC", 1, 8, int(btc_usd * WAD), 7_300, 7_800, 11_000),
    }


@EXAMPLES
@given(st.integers(20, 300), st.integers(0, 2**32), st.floats(50, 10_000), st.floats(1_000, 200_000))
def test_every_account_can_be_opened(count: int, seed: int, eth: float, btc: float) -> None:
    terms = priced(eth, btc)
    book = generate_book(count, seed, terms, SMALLEST_BORROW)
    assert len({account.name for account in book.accounts}) == count
    for account in book.accounts:
        assert account.weighted_debt(terms) <= account.borrow_limit(terms)
        assert account.health_factor(terms) > 1.03
        assert all(terms[symbol].value_up(amount) >= SMALLEST_BORROW for symbol, amount in account.debt)
        assert all(amount > 0 for _, amount in account.collateral)


@EXAMPLES
@given(st.integers(20, 300), st.integers(0, 2**32))
def test_no_account_is_above_a_tenth_whatever_the_seed(count: int, seed: int) -> None:
    debts = [
        account.debt_value(TERMS) for account in generate_book(count, seed, TERMS, SMALLEST_BORROW).accounts
    ]
    assert max(debts) <= 0.1000001 * sum(debts)


@given(st.lists(st.floats(0.1, 1e6), min_size=10, max_size=60))
def test_a_cut_is_the_largest_that_keeps_the_rule(debts: list[float]) -> None:
    cut = cap_shares(np.array(debts))
    ceiling = cut.max()
    assert ceiling <= 0.1 * cut.sum() * (1 + 1e-9) or len(debts) == 10
    assert (cut <= np.array(debts)).all()
    if ceiling < max(debts):
        higher = np.minimum(debts, ceiling * 1.001)
        assert higher.max() > 0.1 * higher.sum()


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_probability_is_a_higher_health_factor(one: float, other: float) -> None:
    low, high = health_quantile(np.array(sorted((one, other))))
    assert 1.04 - 1e-9 <= low <= high <= 20.0


@pytest.mark.parametrize(("probability", "value"), [(0.01, 1.059), (0.25, 1.361), (0.5, 1.801), (0.9, 3.659)])
def test_the_known_quantiles_are_met(probability: float, value: float) -> None:
    assert health_quantile(np.array([probability]))[0] == pytest.approx(value)
