"""What the deployment plan leaves on chain."""

from collections.abc import Iterator

import pytest

from bot.domain.wad import WAD
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.strategy.board import Board
from scripts.deployment.config import DeploymentConfig
from scripts.deployment.plan import curve_inputs, engine_parameters, rate_model_of, risk_of
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
    }


def test_parameters_are_those_of_the_configuration(here: World) -> None:
    assert here.read("liquidation_engine", "parameters")[0] == engine_parameters(CONFIG.engine)
    assert here.read("clearing_house", "smallestBorrow")[0] == CONFIG.smallest_borrow * WAD
    for asset, listed in zip(CONFIG.assets, here.manifest.assets, strict=True):
        assert here.read("clearing_house", "assetParameters", listed.id)[0] == risk_of(asset)
        assert here.read("clearing_house", "rateModel", listed.id)[0] == rate_model_of(asset)
        assert here.read("price_oracle", "price", listed.token)[0] == round(asset.price * 10**8) * 10**10
        inputs = curve_inputs(CONFIG.engine)
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


def test_the_guardian_may_halt_and_a_stranger_may_not(here: World) -> None:
    with here.scratch():
        here.act(here.owner, "liquidation_engine", "setHalted", True)
        assert here.read("liquidation_engine", "halt")[0]
        stranger = here.person()
        with pytest.raises((AssertionError, RpcError), match="reverted"):
            here.act(stranger, "liquidation_engine", "setHalted", False)
