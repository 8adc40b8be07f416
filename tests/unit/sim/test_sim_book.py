"""The generated book: it has the quantiles of a real one, and the clearing house would open every account."""

import numpy as np
import pytest

from bot.errors import ReplayOptionError
from bot.sim.book import AssetTerms, Book
from bot.sim.generator import HF_PROBABILITIES, HF_QUANTILES, WAD, generate_book, ln_debt_quantile
from tests.support.replays import SMALLEST_BORROW, TERMS


def made(count: int = 895, seed: int = 1) -> Book:
    return generate_book(count, seed, TERMS, SMALLEST_BORROW)


def health(book: Book) -> np.ndarray:
    return np.array([account.health_factor(TERMS) for account in book.accounts])


def debts_usd(book: Book) -> np.ndarray:
    return np.array([account.debt_value(TERMS) / WAD for account in book.accounts])


@pytest.mark.parametrize("count", [200, 895])
def test_health_factors_have_the_quantiles_of_a_real_book(count: int) -> None:
    found = np.quantile(health(made(count)), HF_PROBABILITIES[1:])
    assert np.abs(found / HF_QUANTILES[1:] - 1).max() < 0.02


def test_ln_debt_in_eth_has_the_mean_and_deviation_of_a_real_book() -> None:
    drawn = ln_debt_quantile((np.arange(20_000) + 0.5) / 20_000)
    assert drawn.min() >= 0
    assert drawn.mean() == pytest.approx(3.29, abs=0.01)
    assert drawn.std() == pytest.approx(2.19, abs=0.01)


def test_at_todays_prices_a_generated_book_keeps_those_moments() -> None:
    eth = AssetTerms("WETH", 0, 18, 3_000 * WAD, 8_000, 8_300, 10_800)
    book = generate_book(895, 1, {**TERMS, "WETH": eth}, SMALLEST_BORROW)
    ln_debt = np.log([account.debt_value({**TERMS, "WETH": eth}) / WAD / 3_000 for account in book.accounts])
    assert book.raised == 0
    assert ln_debt.mean() == pytest.approx(3.29, abs=0.05)
    assert ln_debt.std() == pytest.approx(2.19, abs=0.1)


@pytest.mark.parametrize("count", [20, 50, 200, 895])
def test_no_account_is_above_a_tenth_of_the_book(count: int) -> None:
    debts = debts_usd(made(count))
    assert debts.max() / debts.sum() <= 0.1 + 1e-9


def test_half_of_the_accounts_hold_more_than_one_collateral() -> None:
    accounts = made(200).accounts
    assert sum(len(account.collateral) > 1 for account in accounts) == 100


def test_some_accounts_are_short_and_some_owe_two_assets() -> None:
    accounts = made(200).accounts
    short = [a for a in accounts if a.collateral[0][0] == "USDC" and a.debt[0][0] != "USDC"]
    assert len(short) == 20
    assert sum(len(account.debt) > 1 for account in accounts) >= 5


def test_no_account_holds_what_it_owes() -> None:
    for account in made(200).accounts:
        held, owed = ({symbol for symbol, _ in side} for side in (account.collateral, account.debt))
        assert not held & owed


def test_every_account_is_within_its_borrow_limit_and_above_the_smallest_borrow() -> None:
    for account in made().accounts:
        assert account.weighted_debt(TERMS) <= account.borrow_limit(TERMS)
        assert all(TERMS[symbol].value_up(amount) >= SMALLEST_BORROW for symbol, amount in account.debt)


def test_accounts_that_could_not_borrow_start_at_their_limit() -> None:
    strict = {**TERMS, "WETH": AssetTerms("WETH", 0, 18, TERMS["WETH"].price_wad, 7_000, 8_300, 10_800)}
    accounts = generate_book(200, 1, strict, SMALLEST_BORROW).accounts
    floors = [account for account in accounts if account.health_factor(strict) < 1.2]
    assert floors
    assert all(account.weighted_debt(strict) <= account.borrow_limit(strict) for account in accounts)


def test_debts_raised_to_the_smallest_borrow_are_counted() -> None:
    book = made(200)
    at_bottom = int((debts_usd(book) < SMALLEST_BORROW / WAD * 1.001).sum())
    assert book.raised == at_bottom > 0


def test_the_same_seed_gives_the_same_book_and_another_seed_another() -> None:
    assert made(50) == made(50)
    assert made(50).accounts != made(50, seed=2).accounts


def test_a_book_too_small_for_its_own_rule_is_refused() -> None:
    with pytest.raises(ReplayOptionError, match="--accounts must be at least 20"):
        made(19)
