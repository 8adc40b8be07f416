"""Writes ``bot/abi/*.json`` from what forge compiled.

The keeper carries the ABIs it speaks inside its own package, so that it runs without a compiler. Run
``forge build`` first, then ``python scripts/export_abi.py``; ``--check`` only compares, and ends with
status 1 where a file is out of date. ``internalType`` is dropped: it changes without the ABI changing.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FORGE_OUT = ROOT / ".build" / "forge" / "out"
NPM = ROOT / "node_modules"
TARGET = ROOT / "bot" / "abi"

CONTRACTS = {
    "clearing_house": "ClearingHouse",
    "liquidation_engine": "LiquidationEngine",
    "price_oracle": "PriceOracle",
    "uniswap_v3_venue": "UniswapV3Venue",
    "flash_taker": "FlashTaker",
    "position_lens": "PositionLens",
    "liquidation_lens": "LiquidationLens",
    "market_depth": "MarketDepth",
    "protection": "Protection",
    "flash_protector": "FlashProtector",
    "aggregator": "MockAggregator",
}
"""File in ``bot/abi`` to the contract of ours whose ABI it holds."""

FOREIGN = {"uniswap_v3_pool": "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json"}
"""File in ``bot/abi`` to an artifact of an npm package."""


def trimmed(node: Any) -> Any:
    """Return an ABI without what only a compiler needs."""
    if isinstance(node, list):
        return [trimmed(item) for item in node]
    if isinstance(node, dict):
        return {key: trimmed(value) for key, value in node.items() if key != "internalType"}
    return node


def ordered(abi: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries in an order that does not depend on the compiler."""
    return sorted(
        abi, key=lambda entry: (entry["type"], entry.get("name", ""), json.dumps(entry, sort_keys=True))
    )


def exports(forge_out: Path) -> dict[str, str]:
    """Return file name to the text it must hold.

    Raises
    ------
    FileNotFoundError
        If a contract was not compiled.
    """
    sources = {
        name: forge_out / f"{contract}.sol" / f"{contract}.json" for name, contract in CONTRACTS.items()
    }
    sources |= {name: NPM / path for name, path in FOREIGN.items()}
    texts = {}
    for name, source in sources.items():
        abi = ordered(trimmed(json.loads(source.read_text())["abi"]))
        texts[f"{name}.json"] = "[\n" + ",\n".join(json.dumps(entry) for entry in abi) + "\n]\n"
    return texts


def outdated(texts: dict[str, str], target: Path = TARGET) -> list[str]:
    """Return the files in ``target`` that differ from ``texts``, by name."""
    current = {name: (target / name).read_text() if (target / name).exists() else "" for name in texts}
    return [name for name, text in texts.items() if current[name] != text]


def main() -> int:
    """Write the files, or with ``--check`` compare them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    parser.add_argument("--forge-out", type=Path, default=FORGE_OUT, help="where forge wrote its artifacts")
    arguments = parser.parse_args()
    try:
        texts = exports(arguments.forge_out)
    except FileNotFoundError as error:
        print(f"{error.filename} is missing: run `forge build` first", file=sys.stderr)
        return 1
    stale = outdated(texts)
    if arguments.check:
        for name in stale:
            print(f"bot/abi/{name} is out of date: run `make abi`", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (TARGET / name).write_text(texts[name])
        print(f"wrote bot/abi/{name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
