"""The Python twin of the engine against the engine on thousands of random states, to the wei.

A state is an account with its balances, auctions and budgets, at some prices and some moment. In each, one
call of the engine is foretold by the twin and simulated on the node, which stays as it is: a kick, a
netting or a redo of the account; of one of its pairs of collateral and debt the largest slice and the
reserve price, a take, a swap, or the fill of a dealer's quote. Either the call is refused, as foretold, or
every figure that it books is the twin's. Between the moments of a crowd some sales really take place, so
that balances, deficits, budgets and quotes move on.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from bot.domain import engine
from bot.strategy.case import Case
from tests.differential.fills import Dealer, compare_fill, fill_once
from tests.differential.openings import compare_kick, compare_net, compare_redo
from tests.differential.test_engine_twin import (
    auctions,
    compare_buckets,
    compare_slice,
    context,
    largest,
    oracle_price,
    swap,
    take,
)
from tests.support.crowd import Crowd
from tests.support.moments import Moment
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]

OPENINGS = 5
"""Moments of each crowd before anything is kicked."""
MOMENTS = 20
"""While auctions run."""
LAPSES = 2
"""After the tail."""
LEAST_IN_A_THOUSAND = {
    "take": 100,
    "swap": 30,
    "at insolvency": 100,
    "above the curve": 20,
    "several debts": 100,
    "several collaterals": 100,
    "urgent": 50,
    "held back by a budget": 20,
    "closing": 5,
    "fill": 50,
    "fill in part": 20,
    "filled before": 2,
    "brings its depth": 3,
    "kick": 50,
    "netted first": 10,
    "marked": 5,
    "far start": 30,
    "lowest start": 3,
    "start between": 3,
    "net": 5,
    "redo": 30,
}


@dataclass
class Stage:
    """A world of people, and a dealer among them."""

    here: World
    dealer: Dealer


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with world() as deployed:
        deployed.node.call("anvil_impersonateAccount", KEEPER)
        for asset in deployed.manifest.assets:
            units = deployed.units(asset.symbol, 10**7)
            deployed.mint(asset.symbol, KEEPER, units, deployed.manifest.clearing_house)
        Crowd.of(deployed, 0x51).join(20)
        deployed.advance(2_000)  # the pools' record is then as long as the window of their depth
        yield Stage(deployed, Dealer.at(deployed))


async def compared(stage: Stage, seed: int) -> Counter[str]:
    """Compare the accounts of a crowd at random moments of its auctions; return how many of each kind."""
    seen: Counter[str] = Counter()
    here = stage.here
    with here.scratch():
        stage.dealer.open_quotes.clear()
        crowd = Crowd.of(here, seed)
        crowd.join(4)
        crowd.join_owing_two(4)
        crowd.shock()
        for index, symbol in enumerate(("WETH", "WBTC")):
            here.provide(index, 10 ** crowd.random.uniform(5, 7.3), 0.9)
            here.follow_oracle(symbol)
        seen += await opened(here, crowd)
        await kick_some(here, crowd)
        for symbol in ("WETH", "WBTC"):
            here.follow_oracle(symbol)
        for _ in range(MOMENTS):
            seen += await sold(stage, crowd)
        compare_buckets(here, crowd, await crowd.see())
        here.advance(crowd.protocol.snapshot(await crowd.see()).engine.tail)
        here.refresh()
        seen += await begun_again(here, crowd)
    return seen


# --------------------------------------------------------------------------------- the parts of a crowd


async def opened(here: World, crowd: Crowd) -> Counter[str]:
    """Compare kicks and nettings of accounts that nobody has kicked, with pools somewhat off and known."""
    seen: Counter[str] = Counter()
    for _ in range(OPENINGS):
        poke_some(here, crowd)
        moment, cases = await at_a_moment(here, crowd, 90)
        for case in cases:
            if case.flagged or crowd.random.random() < 0.4:
                continue
            compare = compare_net if case.doubled and crowd.random.random() < 0.4 else compare_kick
            seen.update(["states", *compare(moment, crowd, case), *traits(case)])
    return seen


async def sold(stage: Stage, crowd: Crowd) -> Counter[str]:
    """Compare a sale of each pair that is for sale; then some sale takes place, or time passes."""
    seen: Counter[str] = Counter()
    here = stage.here
    head = await crowd.see()
    moment = Moment.of(here, head.timestamp + crowd.random.randrange(1, 600))
    later = replace(head, timestamp=moment.time)
    for case, pair in auctions(crowd, later):
        seen.update(compare(moment, crowd, case, pair, stage.dealer))
    for case in crowd.suspects(later):
        if case.flagged and not case.lapsed and crowd.random.random() < 0.1:
            again = compare_kick if case.missing_legs else compare_redo
            seen.update(["states", *again(moment, crowd, case), *traits(case)])
    await settled_once(stage, crowd)
    return seen


async def begun_again(here: World, crowd: Crowd) -> Counter[str]:
    """Compare redos of auctions that have lapsed."""
    seen: Counter[str] = Counter()
    for _ in range(LAPSES):
        poke_some(here, crowd)
        moment, cases = await at_a_moment(here, crowd, 90)
        for case in cases:
            if case.flagged:
                seen.update(["states", *compare_redo(moment, crowd, case), *traits(case)])
    return seen


async def at_a_moment(here: World, crowd: Crowd, within: int) -> tuple[Moment, list[Case]]:
    """Return a moment at most so many seconds from now, and the unhealthy accounts as they will be."""
    head = await crowd.see()
    moment = Moment.of(here, head.timestamp + crowd.random.randrange(1, within))
    return moment, crowd.suspects(replace(head, timestamp=moment.time))


def poke_some(here: World, crowd: Crowd) -> None:
    """Let the oracle move a little ahead of the pools, and tell the engine of some of them."""
    for symbol in ("WETH", "WBTC"):
        answer = oracle_price(here, symbol) * crowd.random.uniform(0.985, 1.01)
        here.publish(symbol, round(answer, 2))
        if crowd.random.random() < 0.7:
            here.act(KEEPER, "liquidation_engine", "poke", here.manifest.asset(symbol).id)


async def kick_some(here: World, crowd: Crowd) -> None:
    """Kick every unhealthy account, a part of them with some of their collaterals alone."""
    for case in crowd.suspects(await crowd.see()):
        ids = list(case.collateral_ids)
        if crowd.random.random() < 0.3:
            ids = ids[:1]
        account = "0x" + case.account.hex()
        here.act(KEEPER, "liquidation_engine", "kick", account, ids)


async def settled_once(stage: Stage, crowd: Crowd) -> None:
    """Let a sale take place, or time pass."""
    if crowd.random.random() < 0.5:
        return
    running = auctions(crowd, await crowd.next_block(crowd.random.randrange(1, 300)))
    if not running:
        stage.here.node.call("evm_mine")
    elif crowd.random.random() < 0.5:
        take(stage.here, crowd, *crowd.random.choice(running))
    else:
        fill_once(stage.here, crowd, *crowd.random.choice(running), stage.dealer)


# --------------------------------------------------------------------------------- one state


def compare(moment: Moment, crowd: Crowd, case: Case, pair: tuple[int, int], dealer: Dealer) -> list[str]:
    """Compare one state by a sale of a random kind; return of what kind it was and how it ended."""
    kind = crowd.random.choice(("slice", "take", "take", "swap", "fill", "fill"))
    if kind == "slice":
        ended = [compare_slice(moment, case, pair)]
    elif kind == "fill":
        ended = compare_fill(moment, crowd, case, pair, dealer)
    else:
        went = (take if kind == "take" else swap)(moment, crowd, case, pair)
        ended = [kind if went else f"{kind} refused"]
    told = ["states", *ended, *traits(case)]
    position, reserve = context(case, pair)
    if reserve.insolvent:
        told.append("at insolvency")
    if reserve.multiplier > case.multiplier(pair[0]):
        told.append("above the curve")
    if largest(case, pair, position, reserve) != engine.largest_take(
        position, reserve, case.snapshot.engine.target, case.snapshot.engine.dust
    ):
        told.append("held back by a budget")
    return told


def traits(case: Case) -> list[str]:
    """Return what is worth counting of an account."""
    told = []
    if sum(holding.debt > 0 for holding in case.holdings) > 1:
        told.append("several debts")
    if len(case.collateral_ids) > 1:
        told.append("several collaterals")
    if case.urgency:
        told.append("urgent")
    return told


# --------------------------------------------------------------------------------- the campaign


async def campaign(stage: Stage, states: int) -> Counter[str]:
    """Play crowds until so many states were compared; prints what they were."""
    seen: Counter[str] = Counter()
    begun, seed = time.monotonic(), 1_000
    while seen["states"] < states:
        seen += await compared(stage, seed)
        seed += 1
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(seen.items()))
    sys.stdout.write(f"\n{seed - 1_000} crowds in {time.monotonic() - begun:.0f} s: {told}\n")
    return seen


def assert_varied(seen: Counter[str], states: int) -> None:
    """Assert that so many states were compared, and no kind of them rarely."""
    assert seen["states"] >= states
    for kind, least in LEAST_IN_A_THOUSAND.items():
        assert seen[kind] * 1_000 >= least * states, f"{kind}: {seen[kind]} of {seen['states']}"


async def test_a_thousand_random_states_equal_the_engine(stage: Stage) -> None:
    assert_varied(await campaign(stage, 1_000), 1_000)


@pytest.mark.slow
async def test_ten_thousand_random_states_equal_the_engine(stage: Stage) -> None:
    assert_varied(await campaign(stage, 10_000), 10_000)
