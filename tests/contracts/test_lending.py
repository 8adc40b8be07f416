"""Lenders and borrowers."""

import ape
import pytest

YEAR = 365 * 86_400


def test_lender_earns_what_the_borrower_pays_less_the_reserve(sluice, lender, borrower):
    sluice.open(borrower, ("WETH", 100), ("USDC", 10_000))
    usdc = sluice.id("USDC")
    before = sluice.house.market(usdc)
    sluice.wait(YEAR // 12)
    sluice.house.accrue(usdc, sender=lender)
    after = sluice.house.market(usdc)

    interest = after.totalBorrowAssets - before.totalBorrowAssets
    assert interest > 0
    assert after.reserveAssets - before.reserveAssets == pytest.approx(interest / 10, abs=1)
    assert (
        after.totalSupplyAssets - before.totalSupplyAssets + after.reserveAssets - before.reserveAssets
        == interest
    )


def test_lender_withdraws_supply_and_interest(sluice, lender, borrower):
    sluice.open(borrower, ("WETH", 100), ("USDC", 10_000))
    sluice.wait(YEAR)
    usdc = sluice.id("USDC")
    sluice.house.repay(usdc, 2**256 - 1, borrower, sender=borrower)
    shares = sluice.house.supplyShares(usdc, lender)
    balance = sluice.tokens["USDC"].balanceOf(lender)
    sluice.house.withdraw(usdc, 0, shares, lender, lender, sender=lender)
    assert sluice.tokens["USDC"].balanceOf(lender) - balance > sluice.units("USDC", 10_000_000)
    assert sluice.identity_gap("USDC") == 0


def test_borrowing_past_max_ltv_reverts(sluice, borrower):
    sluice.deposit(borrower, "WETH", 10)
    with ape.reverts(sluice.house.BorrowLimitExceeded):
        sluice.borrow(borrower, "USDC", 1_601)
    sluice.borrow(borrower, "USDC", 1_599)


def test_one_account_borrows_two_assets_against_two(sluice, borrower):
    sluice.deposit(borrower, "WETH", 10)
    sluice.deposit(borrower, "USDC", 10_000)
    sluice.borrow(borrower, "WBTC", "0.2")
    sluice.borrow(borrower, "USDC", 1_000)
    state = sluice.house.accountState(borrower)
    assert [leg.assetId for leg in state.legs] == [0, 1, 2]
    weighted = 10 * 200 * 0.83 + 10_000 * 0.90
    assert state.weightedCollateral / 1e18 == pytest.approx(weighted)
    assert state.weightedDebt / 1e18 == pytest.approx(0.2 * 8_000 * 1.10 + 1_000, rel=1e-6)


def test_a_debt_smaller_than_the_smallest_borrow_reverts(sluice, borrower):
    sluice.deposit(borrower, "WETH", 10)
    with ape.reverts(sluice.house.BorrowTooSmall):
        sluice.borrow(borrower, "USDC", 499)


def test_an_operator_borrows_for_the_account_and_a_stranger_does_not(sluice, borrower, stranger):
    sluice.deposit(borrower, "WETH", 10)
    arguments = (sluice.id("USDC"), sluice.units("USDC", 1_000), borrower, borrower)
    with ape.reverts(sluice.house.OperatorUnauthorised):
        sluice.house.borrow(*arguments, sender=stranger)
    sluice.house.setOperator(stranger, True, sender=borrower)
    sluice.house.borrow(*arguments, sender=stranger)
    assert sluice.debt(borrower, "USDC") == sluice.units("USDC", 1_000)


def test_multicall_opens_a_position_in_one_transaction(sluice, borrower):
    house = sluice.house
    calls = [
        house.depositCollateral.encode_input(sluice.id("WETH"), sluice.units("WETH", 10), borrower),
        house.borrow.encode_input(sluice.id("USDC"), sluice.units("USDC", 1_000), borrower, borrower),
    ]
    house.multicall(calls, sender=borrower)
    assert sluice.health(borrower) == pytest.approx(10 * 200 * 0.83 / 1_000, rel=1e-6)


@pytest.mark.parametrize("answer", [0, -1, 1, 10**17])
def test_a_price_that_is_no_price_stops_borrowing(sluice, borrower, governor, chain, answer):
    sluice.deposit(borrower, "WETH", 10)
    sluice.feeds["WETH"].publish(answer, chain.pending_timestamp, sender=governor)
    with ape.reverts():
        sluice.borrow(borrower, "USDC", 1_000)


def test_a_stale_price_stops_borrowing_but_not_repaying(sluice, borrower, chain):
    sluice.open(borrower, ("WETH", 10), ("USDC", 1_000))
    chain.mine(deltatime=4_201)
    with ape.reverts(sluice.oracle.PriceStale):
        sluice.borrow(borrower, "USDC", 500)
    sluice.house.repay(sluice.id("USDC"), 2**256 - 1, borrower, sender=borrower)
    assert sluice.house.balanceOf(borrower, sluice.id("USDC")).debtShares == 0
