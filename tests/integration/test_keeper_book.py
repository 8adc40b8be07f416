"""The book that is kept from logs against the chain: through every kind of event, gaps and reorgs."""

from dataclasses import replace

import pytest

from bot.errors import BookDivergedError, ManifestError, RpcError
from bot.ports import Hash32
from bot.protocols.sluice.adapter import SluiceProtocol, SyncOptions
from bot.protocols.sluice.calls import pool_path, route_data
from tests.support.crowd import Crowd
from tests.support.node_rpc import NodeRpc, latest
from tests.support.uniswap import ChainPool, Uniswap
from tests.support.world import KEEPER, World

pytestmark = [pytest.mark.node]


async def live(crowd: Crowd, blocks: int, *, shocks: bool = True) -> None:
    """Let the strategy act for some blocks, in which prices, pools and owners move."""
    world, random = crowd.world, crowd.random
    for block in range(blocks):
        if shocks and block % 12 == 0:
            crowd.shock()
            world.trade("WETH", "USDC", random.uniform(10, 10_000))
        if random.random() < 0.3 and world.accounts:
            owner = random.choice(world.accounts)
            symbol = random.choice(("WETH", "WBTC", "USDC"))
            world.mint(symbol, owner, world.units(symbol, 1), world.manifest.clearing_house)
            asset_id = world.manifest.asset(symbol).id
            world.act(owner, "clearing_house", "depositCollateral", asset_id, world.units(symbol, 1), owner)
        crowd.try_everything(await crowd.see())
        world.advance(random.randrange(1, 120))


async def repay_all(crowd: Crowd, owner: str) -> None:
    world = crowd.world
    debts = world.read("clearing_house", "accountInfo", owner)[1]
    for asset in world.manifest.assets:
        if debts >> asset.id & 1:
            world.mint(asset.symbol, owner, world.units(asset.symbol, 10**7), world.manifest.clearing_house)
            world.act(owner, "clearing_house", "repay", asset.id, 2**256 - 1, owner)


@pytest.mark.parametrize("seed", range(3))
async def test_the_book_equals_the_chain_through_a_crash(here: World, seed: int) -> None:
    crowd = Crowd.of(here, seed)
    crowd.join(12)
    await live(crowd, 40)
    await repay_all(crowd, here.accounts[0])
    head = await crowd.see()
    assert await crowd.protocol.audit(head, 100) >= 12
    assert all(asset.market.imbalance == 0 for asset in crowd.protocol.snapshot(head).assets)


async def test_pools_kept_from_logs_equal_the_chain(here: World) -> None:
    crowd = Crowd.of(here, 1)
    for symbol, amount in (("WETH", 20_000), ("WETH", 500), ("USDC", 3_000_000)):
        here.trade(symbol, "USDC" if symbol == "WETH" else "WETH", amount)
    here.provide(0, 1_000_000, width=0.1)
    here.trade("USDC", "WETH", 6_000_000)
    snapshot = crowd.protocol.snapshot(await crowd.see())
    for view in snapshot.pools:
        chain = ChainPool(Uniswap(here.node, "", "", ""), "0x" + view.address.hex(), 500, 10)
        assert view.pool == chain.snapshot(view.pool.liquidity_net)


async def test_a_quiet_head_costs_one_request_however_many_accounts(here: World) -> None:
    crowd = Crowd.of(here, 2)
    crowd.join(6)
    rpc = NodeRpc(here.node)
    protocol = SluiceProtocol(rpc, here.manifest)
    await protocol.sync(latest(here.node))
    rpc.asked.clear()
    for _ in range(5):
        here.advance(12)
        await protocol.sync(latest(here.node))
        protocol.snapshot(latest(here.node))
    assert dict(rpc.asked) == {"eth_getLogs": 5}


async def test_a_gap_is_read_in_one_stretch(here: World) -> None:
    crowd = Crowd.of(here, 3)
    crowd.join(4)
    await crowd.see()
    crowd.shock()
    await crowd.kick_all()
    for _ in range(3):
        here.advance(40)
    head = latest(here.node)
    stepwise = SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER)
    for number in range(head.number - 8, head.number + 1):
        await stepwise.sync(latest(here.node, number))
    await crowd.protocol.sync(head)
    small = SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER, SyncOptions(chunk=7))
    await small.sync(head)
    for other in (crowd.protocol, small):
        assert other.state.auctions == stepwise.state.auctions
        assert other.state.book.collateral == stepwise.state.book.collateral
        await other.audit(head, 50)


@pytest.mark.parametrize("depth", [1, 3])
async def test_a_reorg_is_undone_and_the_new_branch_followed(here: World, depth: int) -> None:
    crowd = Crowd.of(here, 4)
    crowd.join(5)
    crowd.shock()
    await crowd.see()
    await crowd.kick_all()
    here.advance(60)
    head = await crowd.see()
    ancestor = latest(here.node, head.number - depth)
    here.node.call("anvil_reorg", depth, [])
    await crowd.protocol.roll_back(ancestor)
    fresh = SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER)
    newest = await crowd.see()
    assert newest.hash != head.hash
    await fresh.sync(newest)
    assert crowd.protocol.state.auctions == fresh.state.auctions
    assert crowd.protocol.state.book.debt_shares == fresh.state.book.debt_shares
    await crowd.protocol.audit(newest, 50)


async def test_a_reorg_beyond_the_journal_reads_everything_again(here: World) -> None:
    protocol = SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER, SyncOptions(journal=2))
    await protocol.sync(latest(here.node))
    old = latest(here.node)
    for _ in range(5):
        here.advance(12)
        await protocol.sync(latest(here.node))
    await protocol.roll_back(old)
    assert protocol.tip is None
    await protocol.sync(latest(here.node))
    await protocol.audit(latest(here.node), 50)


async def test_an_audit_finds_a_book_that_is_off_by_a_wei(here: World) -> None:
    crowd = Crowd.of(here, 5)
    (account, *_) = crowd.join(3)
    head = await crowd.see()
    await crowd.protocol.audit(head, 50)
    crowd.protocol.state.book.add_debt(bytes.fromhex(account[2:]), 0, 1)
    with pytest.raises(BookDivergedError, match="account 0x"):
        await crowd.protocol.audit(head, 50)


async def test_an_audit_finds_totals_that_are_off(here: World) -> None:
    crowd = Crowd.of(here, 6)
    head = await crowd.see()
    asset = crowd.protocol.state.assets[2]
    off = replace(asset.market, reserve_assets=asset.market.reserve_assets + 1)
    crowd.protocol.state.assets[2] = replace(asset, market=off)
    with pytest.raises(BookDivergedError, match="totals of asset 2"):
        await crowd.protocol.audit(head, 50)


async def test_logs_of_another_branch_are_refused(here: World) -> None:
    protocol = SluiceProtocol(NodeRpc(here.node), here.manifest)
    head = latest(here.node)
    with pytest.raises(RpcError, match="was announced"):
        await protocol.sync(replace(head, hash=Hash32("0x" + "12" * 32)))


async def test_a_manifest_that_is_not_of_this_chain_is_told(here: World) -> None:
    manifest = here.manifest
    for changes, said in (
        ({"flash_taker": "0x" + "99" * 20}, "is no contract"),
        ({"flash_taker": manifest.position_lens}, "is another contract"),
    ):
        wrong = manifest.model_copy(update=changes)
        with pytest.raises(ManifestError, match=said):
            await SluiceProtocol(NodeRpc(here.node), wrong).check("m.json")


async def test_auctions_kept_from_logs_equal_the_engine(here: World) -> None:
    crowd = Crowd.of(here, 7)
    crowd.join(16)
    crowd.shock()
    await crowd.kick_all()
    await live(crowd, 8, shocks=False)
    here.advance(7_200)
    here.refresh()
    head = await crowd.see()
    redone = 0
    for case in crowd.suspects(head):
        if case.lapsed:
            account = "0x" + case.account.hex()
            here.act(KEEPER, "liquidation_engine", "redo", account, case.collateral_ids)
            redone += 1
    assert redone >= 2
    here.advance(60)
    await live(crowd, 2, shocks=False)
    snapshot = crowd.protocol.snapshot(await crowd.see())
    assert snapshot.auctions
    for row, auction in snapshot.auctions.items():
        account = "0x" + snapshot.positions.accounts[row].hex()
        (found,) = here.read("liquidation_engine", "auction", account)
        kicker = "0x" + auction.kicker.hex()
        assert found == (kicker, auction.kicked_at, auction.epoch, auction.tip_owed == 0)
        for asset in here.manifest.assets:
            (leg,) = here.read("liquidation_engine", "auctionLeg", account, asset.id)
            runs = leg[2] != 0 and leg[3] == auction.epoch
            kept = auction.legs.get(asset.id)
            assert runs == (kept is not None)
            if kept is not None:
                assert (kept.start_multiplier, kept.decay_per_second, kept.started_at) == leg[:3]


async def test_a_surplus_and_a_part_of_a_tip_are_kept(here: World) -> None:
    crowd = Crowd.of(here, 8)
    account = here.open({"WETH": 3.4}, {"USDC": 540})
    small = here.open({"WETH": 3.4}, {"USDC": 540})
    here.mint("USDC", small, here.units("USDC", 1_000), here.manifest.clearing_house)
    here.act(small, "clearing_house", "repay", 2, 436 * 10**6, small)
    spared = here.units("WETH", 2.6)
    here.act(small, "clearing_house", "withdrawCollateral", 0, spared, small, small)
    here.publish("WETH", 180)
    head = await crowd.see()
    assert await crowd.kick_all() == 1
    # a slice so small that 60 % of its penalty do not pay the tip of 5
    here.mint("USDC", KEEPER, here.units("USDC", 10_000), here.manifest.clearing_house)
    units = here.units("WETH", 1)
    here.act(KEEPER, "liquidation_engine", "take", account, 0, 2, units, 2**255, KEEPER, b"")
    snapshot = crowd.protocol.snapshot(await crowd.see())
    (auction,) = snapshot.auctions.values()
    paid = int(here.read("clearing_house", "creditOf", 2, KEEPER)[0])
    assert 0 < paid < 5 * 10**6
    assert auction.tip_owed == 5_000 - -(-paid // 1_000)
    # what the sale would leave on either side is dust: it sells all, and brings more than is owed
    here.trade("WETH", "USDC", 68_600)
    here.advance(400)
    here.publish("WETH", 150)
    assert here.health(small) < 1
    await crowd.see()
    await crowd.kick_all()
    here.advance(600)
    weth, usdc = (here.manifest.asset(symbol).token for symbol in ("WETH", "USDC"))
    route = route_data((10_000, pool_path(weth, 500, usdc)))
    arguments = (small, 0, 2, 2**256 - 1, 0, here.manifest.uniswap_v3_venue, route)
    here.act(KEEPER, "liquidation_engine", "swap", *arguments)
    head = await crowd.see()
    row = crowd.protocol.state.book.find(bytes.fromhex(small[2:]))
    assert row is not None
    assert crowd.protocol.state.book.collateral[row, 2] > 0
    await crowd.protocol.audit(head, 100)
