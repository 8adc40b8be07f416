"""Liquidity in the real pools, minted through Uniswap's own position manager."""

import json

from ape.contracts import ContractContainer
from ethpm_types import ContractType

from scripts.deployment.artifacts import NPM
from scripts.deployment.uniswap import POSITION_MANAGER

MAX = 2**256 - 1
FULL_RANGE_500 = 887_270
"""Largest usable tick at a tick spacing of 10."""


def position_manager(address):
    """Return the position manager at ``address``."""
    data = json.loads((NPM / POSITION_MANAGER).read_text())
    contract_type = ContractType.model_validate({"contractName": data["contractName"], "abi": data["abi"]})
    return ContractContainer(contract_type).at(address)


def provide_liquidity(sluice, provider, base, quote, whole_base=20_000, whole_quote=4_000_000):
    """Mint a full-range position of ``base`` against ``quote`` at the pool's price."""
    manager = position_manager(sluice.manifest["uniswap_v3"]["position_manager"])
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
