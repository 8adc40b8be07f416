"""What the deployment plan leaves on chain."""

from collections.abc import Iterator
from dataclasses import astuple

import pytest

from bot.domain.wad import WAD
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.strategy.board import Board
from scripts.deployment.config import DeploymentConfig
from scripts.deployment.plan import ENGINE_MODULES, curve_inputs, rate_model_of, risk_of
from scripts.deployment.uniswap import ZERO_ADDRESS
from tests.support.anvil import RpcError
from tests.support.node_rpc import NodeRpc, latest
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]

CONFIG = DeploymentConfig()


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    with world(CONFIG) as deployed:
        yield deployed


async def test_the_code_on_chain_is_that_of_the_manifest(here: World) -> None:
    await SluiceProtocol(NodeRpc(here.node), here.manifest).check()
    assert here.manifest.code_hashes.keys() == {
        "access_manager",
        "price_oracle",
        "clearing_house",
        "liquidation_engine",
        "uniswap_v3_venue",
        "flash_taker",
        "position_lens",
        "liquidation_lens",
        "market_depth",
        *dict(ENGINE_MODULES),
    }


def test_parameters_are_those_of_the_configuration(here: World) -> None:
    assert here.read("liquidation_engine", "parameters")[0] == astuple(CONFIG.engine)
    assert here.read("liquidation_engine", "speedParameters")[0] == astuple(CONFIG.speed)
    assert here.read("clearing_house", "smallestBorrow")[0] == CONFIG.smallest_borrow * WAD
    for asset, listed in zip(CONFIG.assets, here.manifest.assets, strict=True):
        assert here.read("clearing_house", "assetParameters", listed.id)[0] == risk_of(asset)
        assert here.read("clearing_house", "rateModel", listed.id)[0] == rate_model_of(asset)
        assert here.read("price_oracle", "price", listed.token)[0] == round(asset.price * 10**8) * 10**10
        inputs = curve_inputs(CONFIG, asset)
        assert here.read("liquidation_engine", "curveInputs", listed.id)[0] == inputs


async def test_everything_is_known_from_logs_alone(here: World) -> None:
    protocol = SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER)
    head = latest(here.node)
    await protocol.sync(head)
    snapshot = protocol.snapshot(head)
    assert snapshot.swap_open
    assert snapshot.take_open
    assert [asset.symbol for asset in snapshot.assets] == ["WETH", "WBTC", "USDC"]
    assert snapshot.engine.tail == CONFIG.engine.tail


@pytest.mark.parametrize("base", [0, 1])
async def test_pools_start_at_the_prices_of_the_feeds(here: World, base: int) -> None:
    protocol = SluiceProtocol(NodeRpc(here.node), here.manifest)
    head = latest(here.node)
    await protocol.sync(head)
    snapshot = protocol.snapshot(head)
    (market,) = Board(snapshot.pools).markets(base, 2)
    asset = snapshot.assets[base]
    assert asset.price is not None
    paid = market.at_spot(asset.unit) / (1 - market.pool.fee_pips / 10**6)
    assert paid == pytest.approx(asset.price / WAD * 10**6, rel=1e-6)


def test_the_guardian_may_set_the_breaker_and_a_stranger_may_not(here: World) -> None:
    with here.scratch():
        here.act(here.owner, "liquidation_engine", "setBreaker", 3, 2**40 - 1)
        assert here.read("liquidation_engine", "breaker")[0] == 3
        stranger = here.person()
        with pytest.raises((AssertionError, RpcError), match="reverted"):
            here.act(stranger, "liquidation_engine", "setBreaker", 0, 0)


def test_every_asset_with_a_pool_has_depth_and_a_budget(here: World) -> None:
    assert here.read("liquidation_engine", "budgeted")[0] == 0b011
    assert here.read("liquidation_engine", "marketDepth")[0] == str(here.manifest.market_depth).lower()
    for asset_id, pool in enumerate(here.manifest.pools):
        (paths,) = here.read("market_depth", "paths", asset_id)
        assert paths == ((pool.address.lower(), ZERO_ADDRESS),)


def test_every_asset_has_a_fund_and_a_vault_of_its_own(here: World) -> None:
    manifest = here.manifest
    symbols = [asset.symbol for asset in manifest.assets]
    assert list(manifest.insurance_funds) == list(manifest.supply_vaults) == symbols
    assert len({*manifest.insurance_funds.values(), *manifest.supply_vaults.values()}) == 2 * len(symbols)
    for asset in manifest.assets:
        fund = manifest.insurance_funds[asset.symbol].lower()
        assert here.read("clearing_house", "fund", asset.id)[0] == fund
