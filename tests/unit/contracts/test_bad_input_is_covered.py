"""Every function that changes state has a test of the input that it must refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FORGE = ROOT / "tests" / "invariants"
DECLARED = re.compile(r"function (\w+)\(")
CHANGING = re.compile(r"function (\w+)\([^)]*\)\s+external(?!\s+(?:view|pure))\b")
STANDARD_VAULT = {"deposit", "mint", "withdraw", "redeem"}
# OpenZeppelin's own, unchanged
INHERITED = {"setAuthority", "transferOwnership", "acceptOwnership", "renounceOwnership"}

ELSEWHERE = {
    "flash_taker": {
        "takeAndSell": "test_a_flash_take_refuses_what_the_engine_refuses",
        "onTake": "test_callbacks_of_strangers_are_refused",
        "uniswapV3SwapCallback": "test_callbacks_of_strangers_are_refused",
        "setOperator": "test_only_the_owner_withdraws_and_appoints",
        "withdraw": "test_a_flash_take_refuses_what_the_engine_refuses",
    },
    "protection": {
        "protect": "test_terms_out_of_bounds_are_refused_by_name",
        "unprotect": "test_an_account_without_terms_is_refused",
        "becomeOperator": "test_a_signature_of_another_is_refused",
        "deleverage": "test_a_sale_refuses_nothing_the_most_and_what_is_not_there",
        "setParameters": "test_parameters_have_bounds",
        "addScenario": "test_a_scenario_that_is_none_is_refused",
        "setPaused": "test_governance_alone_governs",
        "multicall": "test_nothing_else_moves_an_account",
    },
    "flash_protector": {
        "deleverageAndSell": "test_a_sale_refuses_nothing_the_most_and_what_is_not_there",
        "uniswapV3SwapCallback": "test_callbacks_of_strangers_are_refused",
    },
    "market_depth": {
        "setPaths": "test_a_path_that_is_none_is_refused",
        "setWindow": "test_the_window_has_bounds",
    },
    "price_oracle": {
        "setFeed": "test_a_feed_that_cannot_be_used_is_refused",
        "setSecondary": "test_a_second_source_that_cannot_be_used_is_refused",
    },
    "uniswap_v3_venue": {
        "swap": "test_what_does_not_decode_is_refused",
        "uniswapV3SwapCallback": "test_the_callback_of_a_stranger_is_refused",
    },
    "IInsuranceFund": {
        "requestRedeem": "test_requests_of_nothing_a_share_and_the_most",
        "cancelRequest": "test_cancellations_of_nothing_a_share_and_the_most",
        "cover": "test_covers_of_nothing_a_unit_and_the_most",
        "setCooldown": "test_settings_of_nothing_one_and_the_most",
        "setCap": "test_settings_of_nothing_one_and_the_most",
        "deposit": "test_deposits_of_nothing_a_unit_and_the_most",
        "mint": "test_mints_of_nothing_a_share_and_the_most",
        "withdraw": "test_withdrawals_of_nothing_a_unit_and_the_most",
        "redeem": "test_redemptions_of_nothing_a_share_and_the_most",
    },
    "ISupplyVault": {
        "wrap": "test_a_vault_refuses_nothing_the_most_and_what_is_anothers",
        "unwrap": "test_a_vault_refuses_nothing_the_most_and_what_is_anothers",
        "deposit": "test_a_vault_refuses_nothing_the_most_and_what_is_anothers",
        "mint": "test_a_vault_refuses_nothing_the_most_and_what_is_anothers",
        "withdraw": "test_a_vault_refuses_nothing_the_most_and_what_is_anothers",
        "redeem": "test_a_vault_refuses_nothing_the_most_and_what_is_anothers",
    },
}


def changing_in_abi(name: str) -> set[str]:
    abi = json.loads((ROOT / "bot" / "abi" / f"{name}.json").read_text())
    entries = abi if isinstance(abi, list) else abi["abi"]
    return {
        entry["name"]
        for entry in entries
        if entry["type"] == "function" and entry["stateMutability"] not in {"view", "pure"}
    } - INHERITED


def changing_in_source(name: str) -> set[str]:
    source = (ROOT / "contracts" / "interfaces" / f"{name}.sol").read_text()
    return set(CHANGING.findall(source)) | STANDARD_VAULT


def named_in(pattern: str) -> set[str]:
    return {name for path in FORGE.glob(pattern) for name in DECLARED.findall(path.read_text())}


@pytest.mark.parametrize(
    ("abi", "suite"),
    [("clearing_house", "BadInputHouse.t.sol"), ("liquidation_engine", "BadInputEngine.t.sol")],
)
def test_each_function_of_house_and_engine_has_its_own_test(abi: str, suite: str) -> None:
    functions = changing_in_abi(abi)
    assert functions
    assert {f"test_{name}_refuses" for name in functions} - named_in(suite) == set()


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_each_function_of_the_rest_names_a_test_that_is_there(name: str) -> None:
    functions = changing_in_source(name) if name.startswith("I") else changing_in_abi(name)
    assert set(ELSEWHERE[name]) == functions
    assert set(ELSEWHERE[name].values()) - named_in("*.t.sol") == set()
