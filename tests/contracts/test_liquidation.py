"""Liquidations from the kick to the last settlement, over the real clearing house and a real pool."""

import ape
import pytest

from bot.protocols.sluice.calls import pool_path, route_data
from tests.contracts.market import sell_down_to

MAX = 2**256 - 1
WAD = 10**18
FOR_EVER = 2**40 - 1
ONE_UNIT_OF_DEBT = 1e-9
"""Of the health factor: repayments are rounded up to a unit of the debt."""


@pytest.fixture
def unhealthy(sluice, borrower, chain):
    """Return a leveraged account that a fall of ETH from 200 to 185 has made liquidatable."""
    sluice.open(borrower, ("WETH", 100), ("USDC", 15_500))
    sluice.publish(WETH=185)
    assert sluice.health(borrower) < 1
    return borrower


def take(sluice, account, taker, collateral="WETH", debt="USDC", amount=MAX):
    return sluice.engine.take(
        account, sluice.id(collateral), sluice.id(debt), amount, MAX, taker, b"", sender=taker
    )


def swap(sluice, account, settler, collateral="WETH", debt="USDC"):
    tokens = sluice.tokens
    route = route_data((10_000, pool_path(tokens[collateral].address, 500, tokens[debt].address)))
    return sluice.engine.swap(
        account, sluice.id(collateral), sluice.id(debt), MAX, 0, sluice.venue, route, sender=settler
    )


def settled(sluice, receipt):
    (event,) = sluice.house.Settled.from_receipt(receipt)
    return event


def test_a_healthy_account_cannot_be_kicked(sluice, borrower, kicker, chain):
    sluice.open(borrower, ("WETH", 100), ("USDC", 15_000))
    chain.mine()
    with ape.reverts(sluice.engine.AccountHealthy):
        sluice.kick(borrower, "WETH", sender=kicker)


def test_a_take_restores_the_target_and_no_more(sluice, unhealthy, kicker, taker):
    sluice.kick(unhealthy, "WETH", sender=kicker)
    sluice.wait(120)
    before = sluice.tokens["WETH"].balanceOf(taker)
    event = settled(sluice, take(sluice, unhealthy, taker))
    assert sluice.health(unhealthy) == pytest.approx(1.05, abs=ONE_UNIT_OF_DEBT)
    assert sluice.tokens["WETH"].balanceOf(taker) - before == event.seized
    assert not sluice.house.accountInfo(unhealthy).flagged
    assert sluice.identity_gap("USDC") == 0
    assert sluice.identity_gap("WETH") == 0


def test_a_taker_pays_at_least_the_reserve(sluice, unhealthy, kicker, taker):
    sluice.kick(unhealthy, "WETH", sender=kicker)
    sluice.wait(300)
    event = settled(sluice, take(sluice, unhealthy, taker, amount=WAD))
    assert event.seized == WAD
    price = sluice.oracle.price(sluice.tokens["WETH"])
    reserve = event.multiplierWad * price // WAD
    assert event.payment * 10**12 >= reserve * event.seized // WAD


def test_a_fresh_auction_starts_above_the_oracle_price(sluice, unhealthy, kicker, taker):
    sluice.kick(unhealthy, "WETH", sender=kicker)
    reserve = sluice.engine.reservePrice(unhealthy, sluice.id("WETH"))
    assert 185 * 1.006 * WAD < reserve <= 185 * 1.0071 * WAD
    with ape.reverts(sluice.engine.PriceAboveLimit):
        sluice.engine.take(
            unhealthy, sluice.id("WETH"), sluice.id("USDC"), MAX, 185 * WAD, taker, b"", sender=taker
        )


def test_a_pool_off_the_oracle_is_not_sold_into(sluice, unhealthy, kicker, stranger):
    sluice.kick(unhealthy, "WETH", sender=kicker)
    sluice.wait(300)
    with ape.reverts(sluice.engine.VenueOffOracle):
        swap(sluice, unhealthy, stranger)


def test_the_engine_sells_through_the_real_pool(sluice, unhealthy, kicker, stranger, governor):
    sell_down_to(sluice, governor, 185)
    sluice.kick(unhealthy, "WETH", sender=kicker)
    sluice.wait(300)
    receipt = swap(sluice, unhealthy, stranger)
    event = settled(sluice, receipt)
    assert event.settler == stranger
    assert event.payment > 0
    assert 1 < sluice.health(unhealthy) <= 1.05
    assert sluice.house.creditOf(sluice.id("USDC"), stranger) > 0
    assert sluice.identity_gap("USDC") == 0


def test_the_kicker_collects_the_tip_once(sluice, unhealthy, kicker, taker):
    sluice.publish(WETH=175)
    sluice.kick(unhealthy, "WETH", sender=kicker)
    sluice.wait(120)
    usdc = sluice.id("USDC")
    take(sluice, unhealthy, taker, amount=20 * WAD)
    tip = sluice.house.creditOf(usdc, kicker)
    assert tip == sluice.units("USDC", 5)
    take(sluice, unhealthy, taker, amount=5 * WAD)
    assert sluice.house.creditOf(usdc, kicker) == tip
    balance = sluice.tokens["USDC"].balanceOf(kicker)
    sluice.house.collectCredit(usdc, kicker, sender=kicker)
    assert sluice.tokens["USDC"].balanceOf(kicker) - balance == tip


def test_an_owner_cures_by_repaying_and_the_auction_is_void(sluice, unhealthy, kicker, taker):
    sluice.kick(unhealthy, "WETH", sender=kicker)
    sluice.house.repay(sluice.id("USDC"), sluice.units("USDC", 2_000), unhealthy, sender=unhealthy)
    assert not sluice.house.accountInfo(unhealthy).flagged
    with ape.reverts(sluice.engine.AuctionMissing):
        take(sluice, unhealthy, taker)


def test_anyone_clears_an_account_that_recovered(sluice, unhealthy, kicker, stranger):
    sluice.kick(unhealthy, "WETH", sender=kicker)
    with ape.reverts():
        sluice.engine.clear(unhealthy, sender=stranger)
    sluice.publish(WETH=200)
    sluice.engine.clear(unhealthy, sender=stranger)
    assert not sluice.house.accountInfo(unhealthy).flagged


def test_a_lapsed_auction_allows_only_redo(sluice, unhealthy, kicker, taker, stranger):
    sluice.kick(unhealthy, "WETH", sender=kicker)
    with ape.reverts(sluice.engine.AuctionRunning):
        sluice.engine.redo(unhealthy, [sluice.id("WETH")], sender=stranger)
    sluice.wait(7_201)
    with ape.reverts(sluice.engine.AuctionLapsed):
        take(sluice, unhealthy, taker)
    sluice.engine.redo(unhealthy, [sluice.id("WETH")], sender=stranger)
    assert sluice.engine.reservePrice(unhealthy, sluice.id("WETH")) > 185 * WAD


def test_a_short_is_liquidated_when_its_debt_rises(sluice, borrower, kicker, taker):
    sluice.open(borrower, ("USDC", 30_000), ("WETH", 110))
    sluice.publish(WETH=230)
    assert sluice.health(borrower) < 1
    sluice.kick(borrower, "USDC", sender=kicker)
    sluice.wait(120)
    take(sluice, borrower, taker, collateral="USDC", debt="WETH")
    assert sluice.health(borrower) == pytest.approx(1.05, abs=1e-4)
    assert sluice.identity_gap("WETH") == 0


def test_an_insolvent_account_books_its_deficit_to_suppliers(sluice, borrower, kicker, taker, lender):
    sluice.open(borrower, ("WETH", 100), ("USDC", 15_500))
    sluice.publish(WETH=140)
    supply = sluice.house.market(sluice.id("USDC")).totalSupplyAssets
    sluice.kick(borrower, "WETH", sender=kicker)
    sluice.wait(300)
    receipt = take(sluice, borrower, taker)
    booked = settled(sluice, receipt)
    deficit = booked.cancelled - booked.repaid
    assert deficit > 0
    assert sluice.debt(borrower, "USDC") == 0
    assert sluice.collateral(borrower, "WETH") == 0
    loss = supply - sluice.house.market(sluice.id("USDC")).totalSupplyAssets
    assert loss == pytest.approx(deficit, rel=1e-3)
    assert sluice.identity_gap("USDC") == 0


def test_the_flash_taker_needs_no_capital(sluice, unhealthy, kicker, governor):
    sluice.kick(unhealthy, "WETH", sender=kicker)
    sluice.wait(1_200)
    usdc = sluice.tokens["USDC"]
    assert usdc.balanceOf(sluice.flash_taker) == 0
    sluice.flash_taker.takeAndSell(
        unhealthy, sluice.id("WETH"), sluice.id("USDC"), MAX, MAX, 500, 1, sender=governor
    )
    profit = usdc.balanceOf(sluice.flash_taker)
    assert profit > 0
    assert sluice.tokens["WETH"].balanceOf(sluice.flash_taker) == 0
    assert sluice.health(unhealthy) > 1


def test_the_flash_taker_reverts_below_its_minimum_profit(sluice, unhealthy, kicker, governor, stranger):
    sluice.kick(unhealthy, "WETH", sender=kicker)
    sluice.wait(1_200)
    arguments = (unhealthy, sluice.id("WETH"), sluice.id("USDC"), MAX, MAX, 500)
    with ape.reverts(sluice.flash_taker.ProfitBelowMinimum):
        sluice.flash_taker.takeAndSell(*arguments, 10**12, sender=governor)
    with ape.reverts(sluice.flash_taker.OperatorUnauthorised):
        sluice.flash_taker.takeAndSell(*arguments, 1, sender=stranger)


def test_the_breaker_stops_settlements_and_lapses_the_auction(sluice, unhealthy, kicker, taker, governor):
    sluice.kick(unhealthy, "WETH", sender=kicker)
    sluice.engine.setBreaker(3, 2**40 - 1, sender=governor)
    with ape.reverts(sluice.engine.BreakerOpen):
        take(sluice, unhealthy, taker)
    sluice.wait(12)
    sluice.engine.setBreaker(0, 0, sender=governor)
    with ape.reverts(sluice.engine.AuctionLapsed):
        take(sluice, unhealthy, taker)


def test_collateral_in_the_debt_asset_is_netted_before_anything_is_sold(sluice, borrower, kicker):
    sluice.deposit(borrower, "WETH", 100)
    sluice.deposit(borrower, "USDC", 1_000)
    sluice.borrow(borrower, "USDC", 16_800)
    sluice.publish(WETH=188)
    assert sluice.health(borrower) < 1
    sluice.kick(borrower, "WETH", sender=kicker)
    assert sluice.collateral(borrower, "USDC") == 0
    assert sluice.debt(borrower, "USDC") == pytest.approx(sluice.units("USDC", 15_800), rel=1e-6)
