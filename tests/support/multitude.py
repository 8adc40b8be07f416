"""Accounts by the hundred thousand, on a node of one's own, in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector as selector

from scripts.deployment.artifacts import ForgeArtifacts
from tests.support.deployment import Web3Deployer
from tests.support.world import World, plain_call

SEED = "seed(address[],uint8,uint128[],uint8,uint128[])"
BATCH = 2_000
FIRST_ADDRESS = 0x5EED << 64
BLOCK_GAS_LIMIT = 1_000_000_000


@dataclass(frozen=True)
class Batch:
    """Accounts of one kind.

    Parameters
    ----------
    accounts : sequence of str
        Addresses.
    collateral, debt : sequence of int
        Token units, by account.
    """

    accounts: Sequence[str]
    collateral: Sequence[int]
    debt: Sequence[int]


def address_of(index: int) -> str:
    """Return the address of the account that was opened as number ``index``."""
    return "0x" + (FIRST_ADDRESS + index).to_bytes(20).hex()


def spread(world: World, count: int, *, first: int = 0, health: tuple[float, float] = (1.05, 3.0)) -> Batch:
    """Return WETH accounts that owe USDC, their health factors spread evenly between two limits."""
    asset = world.config.asset("WETH")
    random = np.random.default_rng(first)
    whole = random.uniform(5, 50, count).round(3)
    target = np.linspace(*health, count)
    random.shuffle(target)
    value = whole * asset.price * asset.liquidation_threshold_bps / 10_000
    accounts = [address_of(first + index) for index in range(count)]
    collateral = [world.units("WETH", amount) for amount in whole.tolist()]
    debt = [world.units("USDC", amount) for amount in (value / target).round(2).tolist()]
    return Batch(accounts, collateral, debt)


def open_accounts(world: World, batch: Batch, collateral: str = "WETH", debt: str = "USDC") -> None:
    """Open accounts on the world's deployment, with storage, totals and logs as if each came by itself.

    The house's code gives way to one that opens accounts in bulk, and comes back afterwards. Takes about 15 s
    for 100,000 accounts.
    """
    node, house = world.node, world.manifest.clearing_house
    node.call("evm_setBlockGasLimit", hex(BLOCK_GAS_LIMIT))
    world.lend(debt, 2 * sum(batch.debt) / 10 ** world.manifest.asset(debt).decimals)
    deposited = plain_call("mint(address,uint256)", house, sum(batch.collateral))
    world.send(world.owner, world.manifest.asset(collateral).token, deposited)
    seeding = Web3Deployer(node.url).deploy(
        ForgeArtifacts().own("SeedingHouse"), world.manifest.access_manager
    )
    original = node.call("eth_getCode", house, "latest")
    node.call("anvil_setCode", house, node.call("eth_getCode", seeding, "latest"))
    ids = (world.manifest.asset(collateral).id, world.manifest.asset(debt).id)
    try:
        for start in range(0, len(batch.accounts), BATCH):
            _seed(world, batch, slice(start, start + BATCH), ids)
    finally:
        node.call("anvil_setCode", house, original)


def _seed(world: World, batch: Batch, part: slice, ids: tuple[int, int]) -> None:
    types = SEED[SEED.index("(") + 1 : -1].split(",")
    arguments = [batch.accounts[part], ids[0], batch.collateral[part], ids[1], batch.debt[part]]
    data = selector(SEED) + encode(types, arguments)
    transaction = {"from": world.owner, "to": world.manifest.clearing_house, "data": "0x" + data.hex()}
    receipt = world.node.call("eth_sendTransactionSync", {**transaction, "gas": hex(BLOCK_GAS_LIMIT // 2)})
    if receipt["status"] != "0x1":
        raise AssertionError(f"accounts {part.start} and on could not be opened")
