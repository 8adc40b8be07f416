"""Every entry point of engine and house is tried from inside a settlement."""

from __future__ import annotations

import re

import pytest

from tests.unit.contracts.test_bad_input_is_covered import FORGE, changing_in_abi

TABLES = [
    ("liquidation_engine", "LiquidationEngineOrigins.t.sol", "function entries()", "engine"),
    ("clearing_house", "ClearingHouseTokens.t.sol", "function _entries()", "house"),
]


@pytest.mark.parametrize(("abi", "suite", "table", "subject"), TABLES)
def test_each_entry_point_is_in_the_table_that_origins_play(
    abi: str, suite: str, table: str, subject: str
) -> None:
    source = (FORGE / suite).read_text()
    body = source[source.index(table) :].split("\n    }\n")[0]
    named = set(re.findall(rf"\((?:{subject}|Multicall)\.(\w+), ", body))
    named |= set(re.findall(r'encodeWithSignature\("(\w+)\(', body))
    functions = changing_in_abi(abi)
    assert functions
    assert functions - named == set()
