"""The reference dealer's mind: what it quotes on, at what price, and how far its limits let it go."""

from dataclasses import replace
from typing import Any

import pytest

from bot.domain.wad import BPS, WAD
from bot.errors import QuoteDeclinedError
from bot.rfq.dealing import Dealer
from bot.rfq.messages import Code
from bot.rfq.pricing import PricingRules, SeenPrices, bid, reference_price, spread_bps
from bot.rfq.typed_data import recovered
from bot.rfq.verification import Bounds, Offer, check_fields
from bot.strategy.board import Board
from tests.support.dealing import DEALER, HEAD, a_dealer, asked, scene, view_of
from tests.support.rfq import DOMAIN
from tests.support.snapshots import NOW, USDC, WBTC, WETH, pool_at, units


async def declined(dealer: Dealer, **changes: Any) -> Code:
    with pytest.raises(QuoteDeclinedError) as error:
        await dealer.quote(asked(**changes))
    return Code(error.value.code)


# ------------------------------------------------------------------------------- a quote


async def test_a_quote_satisfies_the_keepers_own_checks() -> None:
    dealer = a_dealer()
    await dealer.show(view_of(scene()))
    issued = await dealer.quote(asked())
    offer = Offer(asked(fair_price=200 * 10**6), DEALER, issued.quote, issued.signature)
    check_fields(offer, HEAD, Bounds())
    assert recovered(DOMAIN.digest(issued.quote), issued.signature) == DEALER
    assert issued.digest == DOMAIN.digest(issued.quote)


async def test_the_price_is_below_feed_and_pool_by_at_least_the_base_spread() -> None:
    for pool_price in (198.0, 200.0, 202.0):
        made = scene()
        made.pools = [pool_at(pool_price, 20_000_000)]
        dealer = a_dealer()
        await dealer.show(view_of(made))
        issued = await dealer.quote(asked())
        assert issued.quote.price <= int(min(pool_price, 200.0) * 10**6 * (1 - 10 / BPS))
        assert issued.quote.price > 195 * 10**6


def test_the_spread_grows_with_volatility_size_and_inventory() -> None:
    rules = PricingRules()
    least = spread_bps(rules, 0.2, 0, 0.0)
    assert least >= rules.base_bps
    assert spread_bps(rules, 2.0, 0, 0.0) > least
    assert spread_bps(rules, 0.2, 10**6 * WAD, 0.0) == least + 30
    assert spread_bps(rules, 0.2, 0, 1.0) == least + 30


def test_the_spread_is_rounded_up_for_the_dealer_that_earns_it() -> None:
    rules = PricingRules(base_bps=10.0, risk_multiple=0.0, size_bps=30.0)
    assert spread_bps(rules, 0.2, 0, 0.0) == 10
    assert spread_bps(rules, 0.2, 1_000 * WAD, 0.0) == 11
    half_a_minute = PricingRules(base_bps=0.0, horizon_s=30.0)
    assert spread_bps(half_a_minute, 1.0, 0, 0.0) == 10  # 10**4 * sqrt(30 s / 1 a) = 9.75


def test_a_spread_beyond_the_widest_is_none() -> None:
    with pytest.raises(QuoteDeclinedError):
        spread_bps(PricingRules(widest_bps=50), 50.0, 0, 0.0)


def test_a_bid_is_rounded_down_for_the_dealer_that_pays_it() -> None:
    assert bid(10_001, 1) == 9_999


async def test_a_larger_quote_has_a_lower_price() -> None:
    made = scene()
    made.pools = [pool_at(200.0, 200_000)]
    prices = []
    for amount in (1, 5, 10):
        dealer = a_dealer()
        await dealer.show(view_of(made))
        prices.append((await dealer.quote(asked(amount=units("WETH", amount)))).quote.price)
    assert prices == sorted(prices, reverse=True)
    assert len(set(prices)) == 3


def test_the_reference_takes_the_best_pool_and_never_more_than_the_feed() -> None:
    made = scene()
    made.pools = [pool_at(199.0, 10_000_000), pool_at(201.0, 10_000_000, WETH, fee_pips=3_000)]
    made.pools[1] = replace(made.pools[1], address=b"\x09" * 20)
    snapshot = made.shoot()
    markets = Board(snapshot.pools).markets(WETH, USDC)
    price = reference_price(snapshot.assets[WETH], snapshot.assets[USDC], markets, 10**18, PricingRules())
    assert price == 200 * 10**6


def test_volatility_is_that_of_what_was_seen_and_not_below_its_floor() -> None:
    rules = PricingRules(floor_volatility=0.1, prior_volatility=0.8)
    seen = SeenPrices(rules)
    assert seen.volatility == 0.8
    for second in range(20):
        seen.see(second * 12, 200 * 10**6)
    assert seen.volatility == 0.1
    for second in range(20, 60):
        seen.see(second * 12, (200 + 2 * (second % 2)) * 10**6)
    assert seen.volatility > 5
    seen.see(0, 1)  # older than the last: passed over
    assert seen.volatility > 5


# ------------------------------------------------------------------------------ refusals


async def test_nothing_is_quoted_before_a_head_was_seen_or_while_resting() -> None:
    dealer = a_dealer()
    assert await declined(dealer) is Code.NOT_READY
    await dealer.show(view_of(scene()))
    await dealer.rest()
    assert await declined(dealer) is Code.NOT_READY


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"account": b"\x99" * 20}, Code.NOT_FOR_SALE),
        ({"epoch": 1}, Code.NOT_FOR_SALE),
        ({"collateral_id": WBTC}, Code.NOT_DEALT),
        ({"debt_id": WETH}, Code.NOT_DEALT),
        ({"collateral_id": USDC, "debt_id": WETH}, Code.NOT_DEALT),
        ({"amount": 0}, Code.LIMIT),
    ],
)
async def test_a_request_that_cannot_be_filled_is_declined(changes: Any, code: Code) -> None:
    dealer = a_dealer()
    await dealer.show(view_of(scene()))
    assert await declined(dealer, **changes) is code


async def test_a_reserve_above_the_bid_is_declined_until_it_has_fallen() -> None:
    dealer = a_dealer()
    await dealer.show(view_of(scene(age=0)))
    assert await declined(dealer) is Code.BELOW_RESERVE
    await dealer.show(view_of(scene(age=600)))
    assert (await dealer.quote(asked())).quote.price


@pytest.mark.parametrize(
    "changes",
    [{"halted": True}, {"resumed_at": NOW}, {"prices": {"WETH": 400.0, "WBTC": 8_000.0, "USDC": 1.0}}],
    ids=["halted", "lapsed", "healthy"],
)
async def test_what_is_not_for_sale_is_not_quoted(changes: Any) -> None:
    dealer = a_dealer()
    await dealer.show(view_of(scene(**changes)))
    assert await declined(dealer) is Code.NOT_FOR_SALE


async def test_no_price_is_invented_where_the_oracle_refuses_or_feed_and_pool_disagree() -> None:
    stale = {"WETH": None, "WBTC": 8_000.0, "USDC": 1.0}
    dealer = a_dealer()
    await dealer.show(view_of(scene(prices=stale)))
    assert await declined(dealer) is Code.NO_PRICE
    for pools in ([], [pool_at(150.0, 20_000_000)], [pool_at(250.0, 20_000_000)]):
        made = scene()
        made.pools = pools
        await dealer.show(view_of(made))
        assert await declined(dealer) is Code.NO_PRICE


# -------------------------------------------------------------------------------- limits


async def test_a_quote_is_cut_to_its_value_limit() -> None:
    dealer = a_dealer(quote_value=600 * WAD)
    await dealer.show(view_of(scene()))
    assert (await dealer.quote(asked())).quote.max_fill == units("WETH", 3)


async def test_open_quotes_never_promise_more_than_funds_and_limits_hold() -> None:
    for limits, funds in (
        ({}, {"balance": units("USDC", 1_500)}),
        ({}, {"allowance": units("USDC", 1_500)}),
        ({"open_value": 1_500 * WAD}, {}),
        ({"inventory_value": 1_500 * WAD}, {}),
    ):
        dealer = a_dealer(**limits)
        await dealer.show(view_of(scene(), **funds))
        quotes, code = [], None
        for filler in range(1, 20):
            try:
                issued = await dealer.quote(asked(filler=bytes([filler]) * 20, amount=units("WETH", 2)))
            except QuoteDeclinedError as error:
                code = error.code
                break
            quotes.append(issued)
        assert code is Code.LIMIT
        assert sum(issued.reserved for issued in quotes) <= units("USDC", 1_500)
        assert sum(issued.reserved for issued in quotes) > units("USDC", 1_400)


async def test_what_was_promised_while_a_head_was_read_is_not_promised_again_on_it() -> None:
    dealer, funds = a_dealer(), {"balance": units("USDC", 900)}
    await dealer.show(view_of(scene(), **funds))
    read = view_of(scene(), **funds)  # with the open quotes of this moment
    issued = await dealer.quote(asked())
    await dealer.show(read)
    assert issued in dealer.live
    assert await declined(dealer, filler=b"\x05" * 20) is Code.LIMIT
    await dealer.show(view_of(scene(), **funds))  # the next one is read after it was written, and settled
    assert dealer.live == ()


async def test_collateral_that_is_held_already_counts_as_inventory() -> None:
    dealer = a_dealer(inventory_value=1_000 * WAD)
    await dealer.show(view_of(scene(), weth=units("WETH", 4)))
    assert (await dealer.quote(asked())).quote.max_fill == units("WETH", 1)


async def test_the_number_of_open_quotes_is_limited_in_all_and_for_each_keeper() -> None:
    dealer = a_dealer(open_quotes=3, open_per_filler=2)
    made = scene()
    for row in (1, 2):
        made.account({"WETH": 10}, {"USDC": 1_700})
        made.auction(row, ["WETH"], age=600)
    await dealer.show(view_of(made))
    accounts = [row.to_bytes(20) for row in range(3)]
    await dealer.quote(asked(account=accounts[0]))
    await dealer.quote(asked(account=accounts[1]))
    assert await declined(dealer, account=accounts[2]) is Code.LIMIT
    await dealer.quote(asked(account=accounts[2], filler=b"\x05" * 20))
    assert await declined(dealer, account=accounts[0], filler=b"\x06" * 20) is Code.LIMIT


async def test_asking_again_returns_the_quote_that_stands() -> None:
    dealer = a_dealer()
    await dealer.show(view_of(scene()))
    first = await dealer.quote(asked())
    assert await dealer.quote(asked()) == first
    assert await dealer.quote(asked(amount=units("WETH", 1))) != first  # asks for less than it offers
    assert await dealer.quote(asked(filler=b"\x05" * 20)) != first


async def test_a_quote_that_is_about_to_end_is_followed_by_a_new_one() -> None:
    dealer = a_dealer()
    view = view_of(scene())
    await dealer.show(view)
    first = await dealer.quote(asked())
    old = replace(first, quote=replace(first.quote, deadline=NOW + 17))
    await dealer.show(replace(view, open=(old,)))
    assert (await dealer.quote(asked())).quote.nonce != first.quote.nonce


async def test_a_called_back_dealer_needs_no_allowance() -> None:
    dealer = a_dealer(callback=True)
    await dealer.show(view_of(scene(), allowance=0))
    assert (await dealer.quote(asked())).quote.callback
