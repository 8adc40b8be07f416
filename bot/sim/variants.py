"""Mechanisms that a replay can play instead of the whole of Sluice, to tell what each part of it is for.

All run on the same house, oracle, pools and accounts. The parts of Sluice are switched off by what governance
may set; only the fixed bonus is another engine, which exists for this comparison alone.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import Any

from bot.errors import SetupError
from bot.protocols.decoding import decode
from bot.protocols.sluice.manifest import Manifest
from bot.sim.abi import call_data
from bot.sim.anvil import GAS_LIMIT, project_root
from bot.sim.rpc import LocalRpc
from bot.sim.sender import NodeSender

SPEED_TYPES = (
    "uint16",
    "uint16",
    "uint16",
    "uint16",
    "uint16",
    "uint24",
    "uint32",
    "uint32",
    "uint24",
    "uint16",
)
"""Fields of `ILiquidationEngine.SpeedParameters`."""

URGENCY_Z, TAU_CLEAR = 4, 5
"""Places of the two that urgency follows from."""

LEAST_URGENCY_Z_BPS = 10_000
LEAST_TAU_CLEAR_S = 60
"""Smallest values that governance may set: urgency then begins one standard deviation of a minute early."""

ARTIFACT = Path(".build/forge/out/FixedBonusEngine.sol/FixedBonusEngine.json")


class Variant(StrEnum):
    """What is played.

    ``fixed_bonus``: 5 % and a close factor, with a liquidator of its own. ``dutch``: the reserve curve alone.
    ``budget``: with release budgets, urgency as good as off. ``full``: all of Sluice.
    """

    FIXED_BONUS = "fixed_bonus"
    DUTCH = "dutch"
    BUDGET = "budget"
    FULL = "full"


def arrange(variant: Variant, sender: NodeSender, manifest: Manifest) -> Manifest:
    """Make a fresh deployment play a variant; return its manifest, with the engine that is then in force.

    Parameters
    ----------
    variant : Variant
        Which one.
    sender : NodeSender
        Of the account that administers everything.
    manifest : Manifest
        The deployment.

    Raises
    ------
    SetupError
        If a transaction reverts, or the engine of the fixed bonus was not compiled.
    """
    if variant is Variant.DUTCH:
        for asset in manifest.assets:
            data = call_data("setBudgeted(uint8,bool)", asset.id, False)
            sender.send(manifest.liquidation_engine, data)
    elif variant is Variant.BUDGET:
        _quieten_urgency(sender, manifest)
    elif variant is Variant.FIXED_BONUS:
        engine = _deploy_fixed_bonus(sender.rpc, sender.address, manifest.clearing_house)
        sender.send(manifest.clearing_house, call_data("setEngine(address)", engine))
        return manifest.model_copy(update={"liquidation_engine": engine})
    return manifest


def _quieten_urgency(sender: NodeSender, manifest: Manifest) -> None:
    """Make urgency's range as narrow as governance may."""
    read = sender.call(manifest.liquidation_engine, call_data("speedParameters()"))
    speed = list(decode(SPEED_TYPES, read))
    speed[URGENCY_Z], speed[TAU_CLEAR] = LEAST_URGENCY_Z_BPS, LEAST_TAU_CLEAR_S
    signature = f"setSpeedParameters(({','.join(SPEED_TYPES)}))"
    sender.send(manifest.liquidation_engine, call_data(signature, tuple(speed)))


def _deploy_fixed_bonus(rpc: LocalRpc, deployer: str, house: str) -> str:
    """Deploy the engine of the fixed bonus and return its address."""
    path = project_root() / ARTIFACT
    try:
        code = json.loads(path.read_text())["bytecode"]["object"]
    except FileNotFoundError:
        raise SetupError(f"{ARTIFACT} is missing; run `make setup`") from None
    head = rpc.call("eth_getBlockByNumber", "latest", False)
    fields: dict[str, Any] = {
        "from": deployer,
        "data": code + house[2:].lower().rjust(64, "0"),
        "gas": hex(GAS_LIMIT),
        "gasPrice": hex(2 * int(head["baseFeePerGas"], 16) + 1),
    }
    sent = rpc.call("eth_sendTransaction", fields)
    rpc.call("evm_setNextBlockTimestamp", int(head["timestamp"], 16) + 1)
    rpc.call("evm_mine")
    receipt = rpc.call("eth_getTransactionReceipt", sent)
    if receipt is None or int(receipt["status"], 16) != 1:
        raise SetupError("the engine of the fixed bonus could not be deployed; run `make setup`")
    return str(receipt["contractAddress"])
