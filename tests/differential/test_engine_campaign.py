"""The Python twin of the engine against the engine on thousands of random states, to the wei.

A state is an account with its balances, auctions and budgets, at some prices and some moment, seen from one
of its pairs of collateral and debt. In each, one call of the engine is foretold by the twin and simulated on
the node, which stays as it is: the largest slice and the reserve price, a take or a swap. Either the call is
refused, as foretold, or every figure that it books is the twin's. Between the moments of a crowd some sales
really take place, so that balances, deficits and budgets move on.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.strategy.case import Case
from tests.differential.test_engine_twin import (
    auctions,
    compare_buckets,
    compare_slice,
    context,
    swap,
    take,
)
from tests.support.crowd import Crowd
from tests.support.moments import Moment
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]

MOMENTS = 24
"""Of each crowd."""
LEAST_IN_A_HUNDRED = {
    "take": 20,
    "swap": 5,
    "at insolvency": 10,
    "above the curve": 3,
    "several debts": 10,
    "several collaterals": 10,
    "urgent": 5,
    "cut by the budget": 1,
    "closing": 1,
}


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world() as deployed:
        deployed.node.call("anvil_impersonateAccount", KEEPER)
        for asset in deployed.manifest.assets:
            units = deployed.units(asset.symbol, 10**7)
            deployed.mint(asset.symbol, KEEPER, units, deployed.manifest.clearing_house)
        Crowd.of(deployed, 0x51).join(20)
        yield deployed


async def compared(here: World, seed: int) -> Counter[str]:
    """Compare every pair of every auction of a crowd at random moments; return how many of each kind."""
    seen: Counter[str] = Counter()
    with here.scratch():
        crowd = Crowd.of(here, seed)
        crowd.join(4)
        crowd.join_owing_two(4)
        crowd.shock()
        await crowd.kick_all()
        for index, symbol in enumerate(("WETH", "WBTC")):
            here.provide(index, 20e6, 0.9)
            here.follow_oracle(symbol)
        for _ in range(MOMENTS):
            head = await crowd.see()
            moment = Moment.of(here, head.timestamp + crowd.random.randrange(1, 600))
            for case, pair in auctions(crowd, replace(head, timestamp=moment.time)):
                seen.update(compare(moment, crowd, case, pair))
            if crowd.random.random() < 0.5:
                await settled_once(here, crowd)
        compare_buckets(here, crowd, await crowd.see())
    return seen


async def settled_once(here: World, crowd: Crowd) -> None:
    """Let a sale take place, or time pass."""
    running = auctions(crowd, await crowd.next_block(crowd.random.randrange(1, 300)))
    if running:
        take(here, crowd, *crowd.random.choice(running))
    else:
        here.node.call("evm_mine")


def compare(moment: Moment, crowd: Crowd, case: Case, pair: tuple[int, int]) -> list[str]:
    """Compare one state by a call of a random kind; return of what kind it was and how it ended."""
    kind = crowd.random.choice(("slice", "take", "take", "swap"))
    if kind == "slice":
        ended = compare_slice(moment, case, pair)
    else:
        went = (take if kind == "take" else swap)(moment, crowd, case, pair)
        ended = kind if went else f"{kind} refused"
    told = ["states", ended]
    _, reserve = context(case, pair)
    if reserve.insolvent:
        told.append("at insolvency")
    if reserve.multiplier > case.multiplier(pair[0]):
        told.append("above the curve")
    if sum(holding.debt > 0 for holding in case.holdings) > 1:
        told.append("several debts")
    if len(case.collateral_ids) > 1:
        told.append("several collaterals")
    if case.urgency:
        told.append("urgent")
    return told


async def campaign(here: World, states: int) -> Counter[str]:
    """Play crowds until so many states were compared; prints what they were."""
    seen: Counter[str] = Counter()
    begun, seed = time.monotonic(), 1_000
    while seen["states"] < states:
        seen += await compared(here, seed)
        seed += 1
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(seen.items()))
    sys.stdout.write(f"\n{seed - 1_000} crowds in {time.monotonic() - begun:.0f} s: {told}\n")
    return seen


def assert_varied(seen: Counter[str], states: int) -> None:
    """Assert that so many states were compared, and no kind of them rarely."""
    assert seen["states"] >= states
    for kind, least in LEAST_IN_A_HUNDRED.items():
        assert seen[kind] * 100 >= least * states, f"{kind}: {seen[kind]} of {seen['states']}"


async def test_a_thousand_random_states_equal_the_engine(here: World) -> None:
    assert_varied(await campaign(here, 1_000), 1_000)


@pytest.mark.slow
async def test_ten_thousand_random_states_equal_the_engine(here: World) -> None:
    assert_varied(await campaign(here, 10_000), 10_000)
