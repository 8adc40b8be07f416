"""Builders for tests of the laboratory."""

from collections.abc import Mapping, Sequence
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic

from bot import abi
from bot.protocols.sluice.manifest import Manifest
from bot.sim.book import AssetTerms

WAD = 10**18
SMALLEST_BORROW = 500 * WAD
TERMS = {
    "WETH": AssetTerms("WETH", 0, 18, 13_840_000_000 * 10**10, 8_000, 8_300, 10_800),
    "WBTC": AssetTerms("WBTC", 1, 8, 603_628_000_000 * 10**10, 7_300, 7_800, 11_000),
    "USDC": AssetTerms("USDC", 2, 6, WAD, 8_700, 9_000, 10_000),
}


def address(number: int) -> str:
    """Return an address of one's own choice, lower case."""
    return f"0x{number:040x}"


HOUSE, ENGINE, TAKER, LENS, KEEPER, BORROWER = (address(number) for number in range(0xA1, 0xA7))
ORACLE = (100 * WAD, 6_000 * WAD, WAD)
"""Prices before the first block, by asset id."""


def manifest() -> Manifest:
    """Return a deployment that is nowhere."""
    assets = [
        {
            "id": terms.asset_id,
            "symbol": terms.symbol,
            "token": address(0xB0 + terms.asset_id),
            "decimals": terms.decimals,
            "feed": address(0xC0 + terms.asset_id),
            "feed_decimals": 8,
            "max_age": 4_200,
        }
        for terms in TERMS.values()
    ]
    return Manifest.model_validate(
        {
            "version": 1,
            "chain_id": 31_337,
            "block": 1,
            "access_manager": address(1),
            "clearing_house": HOUSE,
            "liquidation_engine": ENGINE,
            "price_oracle": address(2),
            "uniswap_v3_venue": address(3),
            "flash_taker": TAKER,
            "position_lens": LENS,
            "uniswap_v3": {
                name: address(0xD0 + index)
                for index, name in enumerate(("factory", "position_manager", "swap_router", "quoter"))
            },
            "assets": assets,
            "pools": [{"base": "WETH", "quote": "USDC", "fee_pips": 500, "address": address(0xE0)}],
            "code_hashes": {},
        }
    )


def log(contract: str, emitter: str, event: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as a node sends it.

    Parameters
    ----------
    contract : str
        Name of its ABI.
    emitter : str
        Address.
    event : str
        Name.
    values : mapping
        By argument name; structs as tuples in the ABI's order.
    """
    (entry,) = [e for e in abi.load(contract) if e["type"] == "event" and e["name"] == event]
    indexed = [argument for argument in entry["inputs"] if argument["indexed"]]
    others = [argument for argument in entry["inputs"] if not argument["indexed"]]
    topics = [event_abi_to_log_topic(entry)]
    topics += [encode([argument["type"]], [values[argument["name"]]]) for argument in indexed]
    types = [collapse_if_tuple(argument) for argument in others]
    data = encode(types, [values[argument["name"]] for argument in others])
    return {
        "address": emitter,
        "topics": ["0x" + topic.hex() for topic in topics],
        "data": "0x" + data.hex(),
        "blockNumber": "0x7",
        "blockHash": "0x" + "11" * 32,
        "transactionHash": "0x" + "22" * 32,
        "logIndex": "0x0",
    }


def receipt(sender: str, logs: Sequence[Mapping[str, Any]] = (), *, succeeded: bool = True) -> dict[str, Any]:
    """Return a receipt as a node sends it: block 7, 100,000 gas at 30 gwei."""
    return {
        "from": sender,
        "transactionHash": "0x" + "22" * 32,
        "blockNumber": "0x7",
        "status": "0x1" if succeeded else "0x0",
        "gasUsed": hex(100_000),
        "effectiveGasPrice": hex(30 * 10**9),
        "logs": list(logs),
    }


def settlement_logs(*, route: int = 1, settler: str = KEEPER, **amounts: int) -> list[dict[str, Any]]:
    """Return what engine and house log of one settlement: 1 WETH sold at an oracle price of 100 for USDC.

    Parameters
    ----------
    route : int
        0 take, 1 swap.
    settler : str
        Who settles.
    amounts : int
        Any of ``seized payment repaid surplus tip chip deficit``, token units.
    """
    usdc = 10**6
    values = {
        "seized": 10**18,
        "payment": 99 * usdc,
        "repaid": 98 * usdc,
        "surplus": 0,
        "tip": 0,
        "chip": 0,
        "deficit": 0,
    } | amounts
    settled = {
        "account": BORROWER,
        "collateralId": 0,
        "debtId": 2,
        "epoch": 1,
        "route": route,
        "settler": settler,
        "kicker": KEEPER,
        "multiplierWad": WAD,
        **{name: values[name] for name in ("seized", "payment", "repaid", "surplus", "tip", "chip")},
        "cancelled": values["repaid"] + values["deficit"],
        "shares": 1,
    }
    return [log("clearing_house", HOUSE, "Settled", settled)]
