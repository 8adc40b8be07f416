"""Second feeds and a sequencer, followed from logs: the book has the prices that the oracle has."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bot.errors import BookDivergedError
from bot.ports import Head
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.protocols.sluice.manifest import Manifest
from bot.strategy.case import Case
from bot.strategy.decide import decide
from bot.strategy.decision import Kind
from bot.strategy.settings import StrategySettings
from scripts.deployment.config import DeploymentConfig, SecondSourceConfig
from tests.support.anvil import RpcError
from tests.support.crowd import Crowd
from tests.support.node_rpc import NodeRpc, latest
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]

GRACE = 600
CONFIG = DeploymentConfig(second_sources=SecondSourceConfig(), sequencer_grace=GRACE)
UP, DOWN = 0, 1


@pytest.fixture(scope="module")
def confirmed() -> Iterator[World]:
    with world(CONFIG) as here:
        yield here


@pytest.fixture
def here(confirmed: World) -> Iterator[World]:
    with confirmed.scratch():
        confirmed.refresh()
        yield confirmed


def confirm(here: World, symbol: str, price: float) -> None:
    """Let an asset's second feed answer with a price."""
    feed = here.manifest.asset(symbol).second_feed
    assert feed is not None
    here.answer(feed, round(price * 10**6) * 10**12, here.timestamp)


def sequencer_is(here: World, status: int, since: int) -> None:
    assert here.manifest.sequencer is not None
    here.answer(here.manifest.sequencer.feed, status, since)


def oracle_price(here: World, head: Head, symbol: str) -> int | None:
    """Return what the oracle says of an asset at a head; None where it refuses."""
    try:
        return int(here.read("price_oracle", "price", here.manifest.asset(symbol).token)[0])
    except RpcError:
        return None


async def seen(crowd: Crowd) -> Head:
    """Bring the book to the newest head; hold its prices against the oracle and a book read anew."""
    head = await crowd.see()
    here, prices = crowd.world, [asset.price for asset in crowd.protocol.snapshot(head).assets]
    assert prices == [oracle_price(here, head, asset.symbol) for asset in here.manifest.assets]
    fresh = SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER)
    await fresh.sync(head)
    assert [asset.price for asset in fresh.snapshot(head).assets] == prices
    assert fresh.snapshot(head).resumed_at == crowd.protocol.snapshot(head).resumed_at
    await crowd.protocol.audit(head, 10)
    return head


def chosen(crowd: Crowd, head: Head) -> list[Kind]:
    """Return what the keeper would do, where it keeps house and sells through the pools alone."""
    snapshot = replace(crowd.protocol.snapshot(head), poke_open=False)
    decisions = decide(snapshot, StrategySettings(priority_fee=0)).decisions
    return [decision.chosen.action.kind for decision in decisions if decision.chosen is not None]


async def test_a_price_that_the_second_feed_does_not_confirm_is_none_until_it_does(here: World) -> None:
    crowd = Crowd.of(here, 1)
    here.open({"WETH": 100}, {"USDC": 15_000})
    weth = here.manifest.asset("WETH").id
    for first, second, given in ((200, 200, True), (190, 200, False), (196, 200, False), (196, 192.1, True)):
        here.publish("WETH", first)
        confirm(here, "WETH", second)
        head = await seen(crowd)
        price = crowd.protocol.snapshot(head).assets[weth].price
        assert price == (first * 10**18 if given else None)


async def test_sources_that_disagree_make_an_auction_lapse_that_begins_anew_once_they_agree(
    here: World,
) -> None:
    crowd = Crowd.of(here, 1)
    here.open({"WETH": 100}, {"USDC": 15_500})
    here.publish("WETH", 182)
    confirm(here, "WETH", 182)
    await crowd.kick_all()
    here.advance(600)
    confirm(here, "WETH", 200)
    head = await seen(crowd)
    assert chosen(crowd, head) == [Kind.LAPSE]
    account = here.accounts[-1]
    here.act(KEEPER, "liquidation_engine", "lapse", account)
    confirm(here, "WETH", 182)
    head = await seen(crowd)
    assert Case.of(crowd.protocol.snapshot(head), 0).lapsed
    assert chosen(crowd, head)[0] in (Kind.REDO, Kind.REDO_SWAP)


async def test_an_outage_of_the_sequencer_interrupts_auctions_and_needs_no_lapse(here: World) -> None:
    crowd = Crowd.of(here, 1)
    here.open({"WETH": 100}, {"USDC": 15_500})
    here.publish("WETH", 182)
    confirm(here, "WETH", 182)
    await crowd.kick_all()
    here.advance(60)
    sequencer_is(here, DOWN, here.timestamp)
    assert chosen(crowd, await seen(crowd)) == []
    here.advance(900)
    here.refresh()
    sequencer_is(here, UP, here.timestamp)
    assert chosen(crowd, await seen(crowd)) == []
    here.advance(GRACE)
    here.refresh()
    head = await seen(crowd)
    assert crowd.protocol.snapshot(head).assets[0].price is not None
    assert Case.of(crowd.protocol.snapshot(head), 0).lapsed
    assert chosen(crowd, head)[0] in (Kind.REDO, Kind.REDO_SWAP)


def always_answering(*words: int) -> str:
    """Return code that answers each call with the same words."""
    stores = [f"7f{word:064x}60{32 * place:02x}52" for place, word in enumerate(words)]
    return "0x" + "".join(stores) + f"60{32 * len(words):02x}5ff3"


async def test_the_grace_runs_from_the_restart_and_not_from_the_last_word_of_the_uptime_feed(
    here: World,
) -> None:
    sequencer, now = here.manifest.sequencer, here.timestamp
    assert sequencer is not None
    for began, given in ((GRACE, True), (GRACE - 1, False)):
        here.node.call("anvil_setCode", sequencer.feed, always_answering(7, UP, now - began, now - 1, 7))
        crowd = Crowd.of(here, 1)
        price = crowd.protocol.snapshot(await seen(crowd)).assets[0].price
        assert (price is not None) is given


async def test_a_second_feed_that_governance_takes_away_need_not_confirm_any_more(here: World) -> None:
    crowd = Crowd.of(here, 1)
    here.publish("WETH", 150)
    assert crowd.protocol.snapshot(await seen(crowd)).assets[0].price is None
    token, nothing = here.manifest.asset("WETH").token, ("0x" + "00" * 20, 0, 0, 0)
    here.act(here.owner, "price_oracle", "setSecondary", token, nothing, 0)
    assert crowd.protocol.snapshot(await seen(crowd)).assets[0].price == 150 * 10**18


async def test_a_second_feed_that_the_manifest_does_not_name_is_not_heard_and_the_audit_tells(
    here: World,
) -> None:
    assets = [asset.model_copy(update={"second_feed": None}) for asset in here.manifest.assets]
    unaware: Manifest = here.manifest.model_copy(update={"assets": tuple(assets)})
    protocol = SluiceProtocol(NodeRpc(here.node), unaware, KEEPER)
    head = latest(here.node)
    await protocol.sync(head)
    await protocol.audit(head, 1)
    here.publish("WETH", 150)
    head = latest(here.node)
    await protocol.sync(head)
    with pytest.raises(BookDivergedError, match="totals of asset 0"):
        await protocol.audit(head, 1)
