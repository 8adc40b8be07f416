"""Depth of the real pools, and what it lets the engine release."""

from math import exp

import pytest

WAD = 10**18
SELL, BUY = 0, 1


@pytest.fixture
def seasoned(sluice, chain):
    """Let the pools' record grow as long as the window of the mean."""
    chain.mine(deltatime=sluice.market_depth.window())
    sluice.wait(0)
    return sluice


def test_depth_is_what_the_pool_takes(seasoned):
    weth = seasoned.id("WETH")
    sold = seasoned.market_depth.depth(weth, SELL, 200)
    bought = seasoned.market_depth.depth(weth, BUY, 200)
    assert sold / WAD == pytest.approx(4_000_000 * (0.98**-0.5 - 1), rel=1e-3)
    assert bought / WAD == pytest.approx(4_000_000 * (1 - 1.02**-0.5), rel=1e-3)


def test_a_poke_gives_the_budget_the_depth_of_the_pools(seasoned, stranger):
    engine, weth = seasoned.engine, seasoned.id("WETH")
    least = engine.bucketNow(weth, SELL).capacity
    assert least == 10_000 * 10**6
    engine.poke(weth, sender=stranger)
    deep = engine.bucketNow(weth, SELL).capacity
    shape = engine.speedParameters().shapeBps / 10_000
    assert deep / 10**6 == pytest.approx(shape * seasoned.market_depth.depth(weth, SELL, 200) / WAD, rel=1e-6)


def test_a_lot_within_the_depth_starts_near_the_market(seasoned, borrower, kicker, stranger):
    seasoned.open(borrower, ("WETH", 100), ("USDC", 15_500))
    seasoned.engine.poke(seasoned.id("WETH"), sender=stranger)
    seasoned.publish(WETH=185)
    seasoned.kick(borrower, "WETH", sender=kicker)
    reserve = seasoned.engine.reservePrice(borrower, seasoned.id("WETH")) / WAD
    assert reserve == pytest.approx(
        185 * 1.03, rel=1e-6
    )  # the pool still pays 200: as high as a near start may


def test_a_pool_counts_no_more_than_3_per_cent_from_the_oracle(seasoned, borrower, kicker, stranger):
    engine, weth = seasoned.engine, seasoned.id("WETH")
    seasoned.open(borrower, ("WETH", 100), ("USDC", 15_990))
    seasoned.publish(WETH=192)
    engine.poke(weth, sender=stranger)
    sold, bought, mean = seasoned.market_depth.survey(weth, 200)
    assert mean / WAD == pytest.approx(192 * exp(0.03), rel=1e-9)
    assert (sold, bought) == (
        seasoned.market_depth.depth(weth, SELL, 200),
        seasoned.market_depth.depth(weth, BUY, 200),
    )
    seasoned.kick(borrower, "WETH", sender=kicker)
    start = engine.auctionLeg(borrower, weth).startMultiplierWad
    assert start / WAD == pytest.approx(exp(0.03) * (1 - 0.0005 - 0.003), rel=1e-6)
