"""Liquidity in the real pools, minted through Uniswap's own position manager."""

import json
from dataclasses import replace

from ape.contracts import ContractContainer
from ethpm_types import ContractType

from scripts.deployment.artifacts import NPM
from scripts.deployment.config import DeploymentConfig
from scripts.deployment.uniswap import POSITION_MANAGER, SWAP_ROUTER, starting_price

MAX = 2**256 - 1
FULL_RANGE_500 = 887_270
"""Largest usable tick at a tick spacing of 10."""


def npm_contract(artifact, address):
    """Return the contract of an npm package's artifact at ``address``."""
    data = json.loads((NPM / artifact).read_text())
    contract_type = ContractType.model_validate({"contractName": data["contractName"], "abi": data["abi"]})
    return ContractContainer(contract_type).at(address)


def provide_liquidity(sluice, provider, base, quote, whole_base=20_000, whole_quote=4_000_000):
    """Mint a full-range position of ``base`` against ``quote`` at the pool's price."""
    manager = npm_contract(POSITION_MANAGER, sluice.manifest["uniswap_v3"]["position_manager"])
    amounts = {}
    for symbol, whole in ((base, whole_base), (quote, whole_quote)):
        token = sluice.tokens[symbol]
        amounts[token.address] = sluice.units(symbol, whole)
        token.mint(provider, amounts[token.address], sender=provider)
        token.approve(manager, MAX, sender=provider)
    token0, token1 = sorted(amounts, key=lambda address: int(address, 16))
    parameters = (
        token0,
        token1,
        500,
        -FULL_RANGE_500,
        FULL_RANGE_500,
        amounts[token0],
        amounts[token1],
        0,
        0,
        provider,
        MAX,
    )
    manager.mint(parameters, sender=provider)


def sell_down_to(sluice, trader, price):
    """Sell ether in its pool until it is at ``price`` dollars."""
    config = DeploymentConfig()
    base, quote = replace(config.asset("WETH"), price=price), config.asset("USDC")
    token_in, token_out = sluice.tokens["WETH"], sluice.tokens["USDC"]
    limit = starting_price(base, quote, int(token_in.address, 16) < int(token_out.address, 16))
    router = npm_contract(SWAP_ROUTER, sluice.manifest["uniswap_v3"]["swap_router"])
    amount = sluice.units("WETH", 10_000)
    token_in.mint(trader, amount, sender=trader)
    token_in.approve(router, amount, sender=trader)
    router.exactInputSingle((token_in, token_out, 500, trader, MAX, amount, 0, limit), sender=trader)
