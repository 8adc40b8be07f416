"""Unpaid work on the real contracts: marks as they are kept, and ends that the engine allows."""

from dataclasses import replace

import pytest

from bot.domain.wad import WAD
from bot.ports import Head
from bot.protocols.sluice.calls import Function
from bot.strategy.case import Case
from bot.strategy.decide import decide
from bot.strategy.decision import Candidate, Kind
from bot.strategy.settings import StrategySettings
from bot.strategy.snapshot import INTERRUPTED
from tests.support.anvil import RpcError
from tests.support.crowd import Crowd
from tests.support.world import KEEPER, World

pytestmark = [pytest.mark.node]

TAIL = 7_200
END = Function("liquidation_engine", "end")
MARKING = StrategySettings(priority_fee=0, mark_from=10 * WAD)


def only(crowd: Crowd, head: Head) -> Candidate | None:
    """Return the decision on the only account that needs one, where nobody sells."""
    snapshot = replace(crowd.protocol.snapshot(head), take_open=False, swap_open=False, poke_open=False)
    (decision,) = decide(snapshot, MARKING).decisions
    return decision.chosen


def do(crowd: Crowd, candidate: Candidate | None, kind: Kind) -> int:
    """Carry an action out; return the gas that it took."""
    assert candidate is not None
    assert candidate.action.kind is kind
    call = crowd.protocol.call_for(candidate.action)
    gas = int(crowd.world.send(KEEPER, call.to, call.data)["gasUsed"], 16)
    assert gas <= MARKING.gas.of(kind)
    return gas


async def test_an_auction_nobody_settled_is_marked_and_ended(here: World) -> None:
    crowd = Crowd.of(here, 1)
    account = here.open({"WETH": 100, "WBTC": 2}, {"USDC": 20_000, "WETH": 20})
    here.publish("WETH", 122)
    here.publish("WBTC", 4_900)  # 19,560 at the oracle's prices once ether is netted, against 20,000
    await crowd.kick_all()
    here.advance(600)
    do(crowd, only(crowd, await crowd.next_block(12)), Kind.MARK)
    head = await crowd.see()
    case = Case.of(crowd.protocol.snapshot(head), 0)
    kept = {
        asset.id: int(here.read("clearing_house", "markOf", account, asset.id)[0])
        for asset in here.manifest.assets
    }
    assert crowd.protocol.snapshot(head).marks[0] == {
        asset_id: mark for asset_id, mark in kept.items() if mark
    }
    assert case.marked == pytest.approx(case.feared, rel=1e-6)
    assert only(crowd, head) is None
    here.advance(TAIL)
    here.refresh()
    for symbol in ("WETH", "WBTC"):
        here.trade(symbol, "USDC", 150_000 if symbol == "WETH" else 4_000)
    do(crowd, only(crowd, await crowd.next_block(12)), Kind.END)
    head = await crowd.see()
    snapshot = crowd.protocol.snapshot(head)
    assert snapshot.holdings(0) == ()
    assert not snapshot.marks
    assert not snapshot.auctions
    await crowd.protocol.audit(head, 10)


async def test_a_refused_price_lapses_an_auction_that_is_begun_again_once_it_is_back(here: World) -> None:
    crowd = Crowd.of(here, 1)
    here.open({"WETH": 100, "WBTC": 1}, {"USDC": 20_000})
    here.publish("WETH", 150)
    await crowd.kick_all()
    here.advance(600)
    here.publish("WBTC", 0)
    head = await crowd.see()
    snapshot = replace(crowd.protocol.snapshot(head), poke_open=False)
    (decision,) = decide(snapshot, MARKING).decisions
    assert decision.chosen is not None
    call = crowd.protocol.call_for(decision.chosen.action)
    limit = MARKING.gas.of(Kind.LAPSE) + call.gas_reserve  # as execution sets it
    request = {"from": KEEPER, "to": call.to, "data": "0x" + call.data.hex(), "gas": hex(limit)}
    assert here.node.call("eth_call", request, "latest") == "0x"
    do(crowd, decision.chosen, Kind.LAPSE)
    head = await crowd.see()
    assert crowd.protocol.snapshot(head).auctions[0].kicked_at == INTERRUPTED
    assert not decide(replace(crowd.protocol.snapshot(head), poke_open=False), MARKING).decisions
    here.publish("WBTC", 8_000)
    candidate = only(crowd, await crowd.see())
    before = Case.of(crowd.protocol.snapshot(await crowd.see()), 0).multipliers()
    do(crowd, candidate, Kind.REDO)
    head = await crowd.see()
    assert min(Case.of(crowd.protocol.snapshot(head), 0).multipliers().values()) > max(before.values())
    await crowd.protocol.audit(head, 10)


async def test_the_engine_ends_what_the_twin_says_it_does(here: World) -> None:
    crowd = Crowd.of(here, 2)
    crowd.join(24)
    for symbol, factor in (("WETH", 0.76), ("WBTC", 0.73)):
        here.publish(symbol, {"WETH": 200, "WBTC": 8_000}[symbol] * factor)
    await crowd.kick_all()
    here.advance(TAIL + 300)
    here.refresh()
    for symbol, factor in (("WETH", 0.72), ("WBTC", 0.68)):
        here.publish(symbol, {"WETH": 200, "WBTC": 8_000}[symbol] * factor)
    head = await crowd.see()
    found = {True: 0, False: 0}
    for case in crowd.suspects(head):
        call = {
            "to": here.manifest.liquidation_engine,
            "data": "0x" + END.data("0x" + case.account.hex()).hex(),
        }
        try:
            here.node.call("eth_call", call, hex(head.number))
            ends = True
        except RpcError:
            ends = False
        assert ends == (case.asked_last is not None)
        found[ends] += 1
    assert min(found.values()) >= 2
