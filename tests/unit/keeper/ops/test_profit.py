"""The difference between the profit expected and realised: its parts add up, each to its own cause."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.wad import WAD
from bot.ops.profit import Plan, split
from bot.ports import Outcome, Transaction
from bot.strategy.decision import Action, Booking, Candidate, Kind
from tests.support.keeper import an_intent
from tests.support.snapshots import USDC, WBTC, WETH

GWEI = 10**9
ETHER = 200 * WAD
"""Price of 10**18 wei."""
CANDIDATE = Candidate(
    Action(Kind.TAKE, b"\x01" * 20, (WETH,), USDC), revenue=50 * WAD, gas_cost=2 * WAD, seized=1
)
PLAN = Plan(CANDIDATE, {WETH: 200 * WAD}, gas_price=25 * GWEI)
LANDED = Transaction(
    1,
    an_intent("0xa", "k"),
    None,
    10,
    Outcome.INCLUDED,
    gas_used=400_000,
    effective_gas_price=25 * GWEI,
    realised_profit=50 * WAD,
)


def test_what_goes_as_planned_differs_in_nothing() -> None:
    found = split(LANDED, PLAN, ETHER, {WETH: 200 * WAD})
    assert found == (48 * WAD, 48 * WAD, 0, 0, 0, 0)


def test_a_dearer_price_of_gas_is_the_bump_and_more_gas_is_gas() -> None:
    bumped = split(replace(LANDED, effective_gas_price=50 * GWEI), PLAN, ETHER, {WETH: 200 * WAD})
    assert (bumped.bump, bumped.gas, bumped.slippage, bumped.price) == (-2 * WAD, 0, 0, 0)
    hungry = split(replace(LANDED, gas_used=600_000), PLAN, ETHER, {WETH: 200 * WAD})
    assert (hungry.gas, hungry.bump) == (-1 * WAD, 0)


def test_a_price_that_moved_is_told_from_a_pool_that_paid_less() -> None:
    fallen = replace(LANDED, realised_profit=45 * WAD)
    assert split(fallen, PLAN, ETHER, {WETH: 180 * WAD})[2:4] == (-5 * WAD, 0)
    assert split(fallen, PLAN, ETHER, {WETH: 200 * WAD})[2:4] == (0, -5 * WAD)
    assert split(fallen, PLAN, ETHER, {WETH: None})[2:4] == (0, -5 * WAD)


def test_the_revenue_of_each_sale_moves_with_the_price_of_its_collateral() -> None:
    further = Booking(WBTC, USDC, 1, 1, 1, WAD, WAD, revenue=20 * WAD, gas_cost=0, tip=0)
    both = replace(CANDIDATE, further=(further,))
    plan = Plan(both, {WETH: 200 * WAD, WBTC: 8_000 * WAD}, gas_price=25 * GWEI)
    fallen = replace(LANDED, realised_profit=48 * WAD)
    found = split(fallen, plan, ETHER, {WETH: 180 * WAD, WBTC: 8_400 * WAD})
    assert found.price == -3 * WAD + 1 * WAD
    assert found.slippage == 0
    assert split(fallen, plan, ETHER, {WETH: 180 * WAD, WBTC: None}).price == -3 * WAD


def test_a_revert_loses_the_revenue_and_the_gas() -> None:
    reverted = replace(LANDED, outcome=Outcome.REVERTED, realised_profit=None)
    found = split(reverted, PLAN, ETHER, {WETH: 180 * WAD})
    assert (found.realised, found.slippage, found.price) == (-2 * WAD, -50 * WAD, 0)


@given(
    revenue=st.integers(-(10**24), 10**24),
    realised=st.none() | st.integers(-(10**24), 10**24),
    gas=st.integers(0, 30_000_000),
    paid=st.integers(0, 10**13),
    planned=st.integers(0, 10**13),
    native=st.integers(0, 10**23),
    price=st.none() | st.integers(1, 10**23),
    later=st.none() | st.integers(0, 10**23),
    outcome=st.sampled_from([Outcome.INCLUDED, Outcome.REVERTED]),
)
def test_the_parts_add_up_to_the_wei(
    revenue: int,
    realised: int | None,
    gas: int,
    paid: int,
    planned: int,
    native: int,
    price: int | None,
    later: int | None,
    outcome: Outcome,
) -> None:
    row = replace(LANDED, outcome=outcome, gas_used=gas, effective_gas_price=paid, realised_profit=realised)
    plan = Plan(replace(CANDIDATE, revenue=revenue), {} if price is None else {WETH: price}, planned)
    found = split(row, plan, native, {WETH: later})
    assert found.price + found.slippage + found.gas + found.bump == found.realised - found.expected


@pytest.mark.parametrize("missing", ["gas_used", "effective_gas_price"])
def test_a_receipt_without_gas_costs_nothing(missing: str) -> None:
    assert split(replace(LANDED, **{missing: None}), PLAN, ETHER, {}).realised == 50 * WAD
