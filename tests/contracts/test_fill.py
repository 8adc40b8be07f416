"""A dealer's signed quote, filled by anyone."""

import ape
import pytest
from eth_account import Account

MAX = 2**256 - 1
WAD = 10**18
NOBODY = "0x" + "00" * 20
PRICE = 184 * 10**6
"""Dollars of six decimals per ether: just below the oracle's 185."""


@pytest.fixture
def kicked(sluice, borrower, kicker):
    """Return an account in auction, at a time when 184 for an ether is above the reserve."""
    sluice.open(borrower, ("WETH", 100), ("USDC", 15_500))
    sluice.publish(WETH=185)
    sluice.kick(borrower, "WETH", sender=kicker)
    sluice.wait(240)
    return borrower


def quote_of(sluice, dealer, account, **changes):
    """Return a dealer's quote for up to 50 ether, as the engine's struct."""
    quote = {
        "dealer": dealer.address,
        "account": account.address,
        "epoch": sluice.house.accountInfo(account).epoch,
        "collateralId": sluice.id("WETH"),
        "debtId": sluice.id("USDC"),
        "price": PRICE,
        "minFill": WAD,
        "maxFill": 50 * WAD,
        "nonce": 7,
        "deadline": sluice.chain.pending_timestamp + 600,
        "filler": NOBODY,
        "callback": False,
    }
    return tuple((quote | changes).values())


def signed(sluice, dealer, quote):
    return Account.unsafe_sign_hash(sluice.engine.quoteHash(quote), dealer.private_key).signature


def test_a_fill_moves_collateral_to_the_dealer_and_a_chip_to_the_filler(sluice, kicked, taker, stranger):
    quote = quote_of(sluice, taker, kicked)
    signature = signed(sluice, taker, quote)
    before = sluice.tokens["WETH"].balanceOf(taker)
    receipt = sluice.engine.fill(quote, signature, MAX, sender=stranger)
    (event,) = sluice.house.Settled.from_receipt(receipt)
    assert (event.route, event.settler) == (2, stranger.address)
    assert sluice.tokens["WETH"].balanceOf(taker) - before == event.seized
    assert event.payment == -(-event.seized * PRICE // WAD)
    assert sluice.house.creditOf(sluice.id("USDC"), stranger) == event.chip > 0
    assert sluice.health(kicked) == pytest.approx(1.05, abs=1e-9)
    assert sluice.identity_gap("USDC") == sluice.identity_gap("WETH") == 0


def test_a_quote_is_filled_in_parts_until_it_is_used_up(sluice, kicked, taker, stranger):
    quote = quote_of(sluice, taker, kicked, maxFill=5 * WAD)
    signature = signed(sluice, taker, quote)
    sluice.engine.fill(quote, signature, 2 * WAD, sender=stranger)
    assert sluice.engine.filled(sluice.engine.quoteHash(quote)) == 2 * WAD
    sluice.engine.fill(quote, signature, MAX, sender=stranger)
    with ape.reverts(sluice.engine.QuoteSpent):
        sluice.engine.fill(quote, signature, WAD, sender=stranger)


def test_a_cancelled_an_expired_and_a_foreign_quote_are_refused(sluice, kicked, taker, stranger, lender):
    quote = quote_of(sluice, taker, kicked)
    with ape.reverts(sluice.engine.QuoteUnsigned):
        sluice.engine.fill(quote, signed(sluice, lender, quote), MAX, sender=stranger)
    late = quote_of(sluice, taker, kicked, deadline=sluice.chain.pending_timestamp - 60)
    with ape.reverts(sluice.engine.QuoteExpired):
        sluice.engine.fill(late, signed(sluice, taker, late), MAX, sender=stranger)
    sluice.engine.invalidateNonce(7, sender=taker)
    with ape.reverts(sluice.engine.QuoteSpent):
        sluice.engine.fill(quote, signed(sluice, taker, quote), MAX, sender=stranger)


def test_a_quote_below_the_reserve_is_refused(sluice, kicked, taker, stranger):
    quote = quote_of(sluice, taker, kicked, price=150 * 10**6)
    with ape.reverts(sluice.engine.QuoteBelowReserve):
        sluice.engine.fill(quote, signed(sluice, taker, quote), MAX, sender=stranger)
