"""The gas of liquidations is what benchmarks/gas.json says: a change is explained, the file written anew."""

import json
from pathlib import Path

import pytest

from benchmarks.gas.__main__ import OUT
from benchmarks.gas.chain import fresh_chain
from benchmarks.gas.measure import SNAPSHOT, measure_sluice
from benchmarks.gas.sluice import Sluice

pytestmark = [pytest.mark.node]

PAGE = Path(__file__).parents[2] / "docs" / "gas.md"
TOLD = (
    "swap",
    "take_full_stale_depth",
    "poke",
    "kick_first",
    "kick_3_collaterals",
    "kick_8_collaterals",
    "take_3_collaterals",
    "take_8_collaterals",
)
"""What the page tells beside the snapshot."""


def test_gas_is_what_the_snapshot_says() -> None:
    kept = json.loads(OUT.read_text())["sluice"]
    with fresh_chain() as chain:
        sluice = Sluice(chain)
        sluice.deploy()
        found = measure_sluice(sluice, lambda text: None)
    assert {name: found[name] for name in SNAPSHOT} == kept, "if the change is meant, run `make bench-gas`"
    page = PAGE.read_text()
    assert [name for name in TOLD if f"{found[name]:,}" not in page] == []
