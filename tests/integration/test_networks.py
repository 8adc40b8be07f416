"""The same deployment and the same keeper on a fresh Anvil, on a Hardhat node, and on a fork.

The fork's upstream is a second local node, on which tokens, feeds and pools are deployed and have a past; on
the fork they come from an address book. The tests that go through ape are slow, because ape is.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from bot.chain.client import RpcClient
from bot.chain.endpoint import Endpoint
from bot.chain.feed import ChainHeadFeed
from bot.ports import NewHead
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.protocols.sluice.manifest import Manifest, load_manifest
from scripts.deployment.address_book import AddressBook, AddressBookError
from scripts.deployment.config import DeploymentConfig, SecondSourceConfig
from scripts.deployment.plan import deploy_everything
from tests.support.anvil import Client, anvil
from tests.support.daemon import sluice, write_settings
from tests.support.deployment import Web3Deployer
from tests.support.hardhat import hardhat
from tests.support.node_rpc import NodeRpc, latest
from tests.support.uniswap import ChainPool, Uniswap
from tests.support.world import KEEPER, World, plain_call

pytestmark = [pytest.mark.node]

ROOT = Path(__file__).parents[2]
CONFIG = DeploymentConfig(taker_operators=(KEEPER,))
MAINNET = 1


def world_on(node: Client, manifest: Manifest) -> World:
    return World(node, manifest, CONFIG, Web3Deployer(node.url).sender)


@contextmanager
def forked() -> Iterator[tuple[Client, Client, AddressBook]]:
    """Run a node whose tokens, feeds and pools have a past, and a fork of it; with the address book."""
    with anvil("--hardfork", "prague", "--chain-id", str(MAINNET)) as upstream:
        there = world_on(
            upstream, Manifest.model_validate(deploy_everything(Web3Deployer(upstream.url), CONFIG))
        )
        there.provide(0, 20_000_000)
        there.provide(1, 20_000_000, width=0.2)
        there.trade("WETH", "USDC", 500)
        there.publish("WETH", 199)
        with anvil("--hardfork", "prague", "--fork-url", upstream.url) as fork:
            yield upstream, fork, book_of(there.manifest)


def book_of(manifest: Manifest) -> AddressBook:
    return AddressBook.model_validate(
        {
            "tokens": {asset.symbol: asset.token for asset in manifest.assets},
            "feeds": {asset.symbol: asset.feed for asset in manifest.assets},
            "uniswap_v3": manifest.uniswap_v3.model_dump(),
        }
    )


@contextmanager
def fresh_anvil() -> Iterator[tuple[Client, AddressBook | None]]:
    with anvil("--hardfork", "prague") as node:
        yield node, None


@contextmanager
def fresh_hardhat() -> Iterator[tuple[Client, AddressBook | None]]:
    with hardhat() as node:
        yield node, None


@contextmanager
def fresh_fork() -> Iterator[tuple[Client, AddressBook | None]]:
    with forked() as (_, fork, book):
        yield fork, book


NETWORKS = pytest.mark.parametrize("network", [fresh_anvil, fresh_hardhat, fresh_fork])


def in_trouble(node: Client, manifest: Manifest, *, liquid: bool) -> tuple[World, str]:
    """Open an account, let the price fall below it, and return it."""
    here = world_on(node, manifest)
    here.lend("USDC", 1_000_000)
    if not liquid:
        here.provide(0, 20_000_000)
    borrower = here.open({"WETH": 100}, {"USDC": 15_500})
    here.publish("WETH", 170)
    assert here.health(borrower) < 1
    return here, borrower


@NETWORKS
async def test_the_book_is_kept_on_every_network(network: Callable[[], Any]) -> None:
    with network() as (node, book):
        deployed = deploy_everything(Web3Deployer(node.url), CONFIG, book=book)
        manifest = Manifest.model_validate(deployed)
        here = world_on(node, manifest)
        here.lend("USDC", 1_000_000)
        borrower = here.open({"WETH": 100}, {"USDC": 15_500})
        endpoint = Endpoint.parse(node.url.replace("http", "ws"))
        async with RpcClient(endpoint, manifest.chain_id) as rpc:
            protocol = SluiceProtocol(rpc, manifest, KEEPER)
            await protocol.check()
            events = aiter(ChainHeadFeed(rpc))
            first = await anext(events)
            assert isinstance(first, NewHead)
            await protocol.sync(first.head)
            here.publish("WETH", 170)
            here.trade("WETH", "USDC", 1) if book else here.provide(0, 1_000_000)
            newest = int(node.call("eth_blockNumber"), 16)
            head = first.head
            while head.number < newest:
                event = await anext(events)
                assert isinstance(event, NewHead)
                head = event.head
                await protocol.sync(head)
            assert await protocol.audit(head, 10) == 1
            assert [f"0x{account.hex()}" for account in protocol.state.book.accounts] == [borrower.lower()]
            for view, pool in zip(protocol.snapshot(head).pools, manifest.pools, strict=True):
                if not view.pool.liquidity_net:
                    continue
                chain = ChainPool(Uniswap(node, "", "", ""), pool.address, pool.fee_pips, 10)
                assert view.pool == chain.snapshot(view.pool.liquidity_net)


def proxy_code(aggregator: str) -> str:
    """Return code that says who its aggregator is, and asks it everything else."""
    pushed = "73" + aggregator[2:]
    ask = f"36 5f 5f 37 5f 5f 36 5f {pushed} 5a fa 3d 5f 5f 3e 3d 5f f3"
    answer = f"5b {pushed} 5f 52 60 20 5f f3"
    start = "5f 35 60 e0 1c 63 24 5a 7b fc 14 60 {:02x} 57"
    place = len(bytes.fromhex(start.format(0) + ask))
    return "0x" + bytes.fromhex(start.format(place) + ask + answer).hex()


async def test_rounds_of_an_aggregator_behind_a_proxy_are_heard() -> None:
    with forked() as (_, fork, book):
        aggregator, proxy = book.feeds["WETH"], to_checksum_address("0x" + "fe" * 20)
        fork.call("anvil_setCode", proxy, proxy_code(aggregator))
        proxied = book.model_copy(update={"feeds": book.feeds | {"WETH": proxy}})
        manifest = Manifest.model_validate(deploy_everything(Web3Deployer(fork.url), CONFIG, book=proxied))
        protocol = SluiceProtocol(NodeRpc(fork), manifest)
        await protocol.sync(latest(fork))
        here = world_on(fork, manifest)
        for price in (180, 175):
            answer, now = price * 10**8, here.timestamp
            here.send(here.owner, aggregator, plain_call("publish(int256,uint256)", answer, now))
            head = latest(fork)
            await protocol.sync(head)
            assert protocol.snapshot(head).assets[0].price == price * 10**18
            await protocol.audit(head, 0)


def test_an_address_book_that_does_not_fit_the_chain_is_refused() -> None:
    with forked() as (_, fork, book):
        deployer = Web3Deployer(fork.url)
        nowhere = "0x" + "99" * 20
        for changed, said in (
            ({"tokens": book.tokens | {"WETH": nowhere}}, "token of WETH, 0x99.* is no contract"),
            ({"feeds": book.feeds | {"WETH": book.tokens["WETH"]}}, "feed of WETH, .* has 18 decimals"),
            ({"tokens": {}, "feeds": {}}, "WETH is to be listed and has no address"),
            ({"tokens": book.tokens | {"WETH": book.tokens["USDC"]}}, "token of WETH, .* has 6 decimals"),
        ):
            with pytest.raises(AddressBookError, match=said):
                deploy_everything(deployer, CONFIG, book=book.model_copy(update=changed))


def test_second_feeds_and_a_sequencer_come_from_the_address_book_where_asked_for() -> None:
    confirmed, sequenced = (
        replace(CONFIG, second_sources=SecondSourceConfig()),
        replace(CONFIG, sequencer_grace=60),
    )
    with forked() as (_, fork, book):
        deployer, nowhere = Web3Deployer(fork.url), "0x" + "99" * 20
        for config, changed, said in (
            (confirmed, {}, "WETH has no second feed; add it to second_feeds"),
            (CONFIG, {"second_feeds": book.feeds}, "second_feeds are named and not asked for"),
            (
                confirmed,
                {"second_feeds": book.feeds | {"WBTC": nowhere}},
                "second feed of WBTC, 0x99.* no contract",
            ),
            (sequenced, {}, "uptime feed is not named"),
            (CONFIG, {"sequencer": nowhere}, "no grace given"),
            (sequenced, {"sequencer": nowhere}, "uptime feed, 0x99.* no contract"),
        ):
            with pytest.raises(AddressBookError, match=said):
                deploy_everything(deployer, config, book=book.model_copy(update=changed))
        turned = dict(zip(book.feeds, [*list(book.feeds.values())[1:], book.feeds["WETH"]], strict=True))
        named = book.model_copy(update={"second_feeds": turned, "sequencer": book.feeds["WETH"]})
        both = replace(confirmed, sequencer_grace=60)
        manifest = Manifest.model_validate(deploy_everything(deployer, both, book=named))
        assert [asset.second_feed for asset in manifest.assets] == list(turned.values())
        assert manifest.sequencer is not None
        assert (manifest.sequencer.feed, manifest.sequencer.grace) == (book.feeds["WETH"], 60)
        here = world_on(fork, manifest)
        feed, deviation = here.read("price_oracle", "secondary", manifest.asset("WBTC").token)
        assert (to_checksum_address(feed[0]), deviation) == (turned["WBTC"], 200)


def test_a_pool_that_is_not_there_is_named(tmp_path: Path) -> None:
    with forked() as (_, fork, book):
        factory = DeploymentConfig(pools=(*CONFIG.pools[:1], type(CONFIG.pools[0])("WBTC", "USDC", 100)))
        with pytest.raises(AddressBookError, match="no pool of WBTC and USDC at 100 pips"):
            deploy_everything(Web3Deployer(fork.url), factory, book=book)
    path = tmp_path / "book.json"
    for text, said in (
        ("{}", "tokens: Field required"),
        ('{"tokens": {"WETH": "0x1"}, "feeds": {}, "uniswap_v3": {}}', "tokens.WETH: .*0x and 40"),
        ("nonsense", "the file: Invalid JSON"),
    ):
        path.write_text(text)
        with pytest.raises(AddressBookError, match=said):
            AddressBook.read(path)
    with pytest.raises(AddressBookError, match="cannot be read: No such file"):
        AddressBook.read(tmp_path / "nowhere.json")


# ------------------------------------------------------------------------------ through ape


def deploy_with_ape(network: str, manifest: Path, *flags: str, **environment: str) -> None:
    command = [str(ROOT / "scripts" / "ape"), "run", "deploy", "--network", network]
    command += ["--manifest", str(manifest), "--taker-operator", KEEPER, *flags]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]


@pytest.mark.parametrize("script", ["deploy", "seed"])
def test_a_node_that_is_not_there_is_told_in_one_line(tmp_path: Path, script: str) -> None:
    command = [str(ROOT / "scripts" / "ape"), "run", script, "--network", "http://127.0.0.1:1"]
    command += ["--manifest", str(tmp_path / "deployed.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No (supported) node found on 'http://127.0.0.1:1'; start a node")
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1


def act_once(folder: Path, here: World) -> None:
    """Let the keeper act on one head, as its operator would start it."""
    settings = write_settings(folder, here)
    text = settings.read_text().replace("chain_id = 31337", f"chain_id = {here.manifest.chain_id}")
    settings.write_text(text)
    done = sluice("keeper", "run", "--config", settings, "--once", timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"sent": 1' in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("network", [fresh_anvil, fresh_hardhat])
def test_the_same_deployment_and_keeper_on_development_nodes(
    network: Callable[[], Any], tmp_path: Path
) -> None:
    with network() as (node, _):
        deploy_with_ape(node.url, tmp_path / "deployed.json")
        here, borrower = in_trouble(node, load_manifest(tmp_path / "deployed.json"), liquid=False)
        node.call("anvil_setBalance", KEEPER, hex(10**21))
        act_once(tmp_path, here)
        here.advance(12)
        assert here.read("clearing_house", "accountInfo", borrower)[3]


@pytest.mark.slow
def test_a_seeded_deployment_can_be_rehearsed_as_the_readme_says(tmp_path: Path) -> None:
    with anvil("--hardfork", "prague") as node:
        manifest = tmp_path / "deployed.json"
        deploy_with_ape(node.url, manifest)
        command = [str(ROOT / "scripts" / "ape"), "run", "seed", "--network", node.url, "--accounts", "20"]
        command += ["--manifest", str(manifest)]
        seeded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert seeded.returncode == 0, seeded.stdout + seeded.stderr
        assert "opened 20 accounts" in seeded.stdout
        here = world_on(node, load_manifest(manifest))
        here.advance(240)  # the engine sells through no pool that is younger
        settings = write_settings(tmp_path, here)
        played = sluice("keeper", "rehearse", "--config", settings, "--json", timeout=120)
        verdicts = [entry["verdict"] for entry in json.loads(played.stdout)["accounts"]]
        assert verdicts == ["settled"] * 20, played.stdout


@pytest.mark.slow
def test_the_same_deployment_and_keeper_on_a_fork(tmp_path: Path) -> None:
    with forked() as (upstream, fork, book):
        (tmp_path / "book.json").write_text(book.model_dump_json())
        deploy_with_ape(
            "ethereum:mainnet-fork:foundry",
            tmp_path / "deployed.json",
            "--address-book",
            str(tmp_path / "book.json"),
            APE_FOUNDRY_HOST=fork.url,
            APE_NODE_MAINNET=json.dumps({"uri": upstream.url}),
        )
        manifest = load_manifest(tmp_path / "deployed.json", MAINNET)
        assert {asset.token for asset in manifest.assets} == set(book.tokens.values())
        here, borrower = in_trouble(fork, manifest, liquid=True)
        fork.call("anvil_setBalance", KEEPER, hex(10**21))
        act_once(tmp_path, here)
        here.advance(12)
        assert here.read("clearing_house", "accountInfo", borrower)[3]
