"""Actions to calldata, and revert data to words."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector as selector
from hypothesis import given
from hypothesis import strategies as st

from bot.protocols.sluice.calls import FUND_GAS, CallBuilder, explain_revert, route_data
from bot.protocols.sluice.manifest import Manifest
from bot.strategy.decision import Action, Kind, Way
from tests.support.manifests import ENGINE, TAKER, VENUE, manifest

ROOT = Path(__file__).parents[4]
ACCOUNT = b"\xab" * 20
TEXT = "0x" + "ab" * 20
TOKENS = [bytes.fromhex(str(asset["token"])[2:]) for asset in manifest()["assets"]]
PATH = TOKENS[0] + bytes.fromhex("0001f4") + TOKENS[2]
"""From asset 0 to asset 2 through the pool of 500 millionths, as Uniswap's routers pack it."""
ROUTE = encode(["(uint16,bytes)[]"], [[(10_000, PATH)]])


@pytest.fixture
def builder() -> CallBuilder:
    return CallBuilder(Manifest.model_validate(manifest()))


@pytest.mark.parametrize(
    ("action", "signature", "arguments"),
    [
        (Action(Kind.KICK, ACCOUNT, (0, 1)), "kick(address,uint8[])", (TEXT, (0, 1))),
        (Action(Kind.REDO, ACCOUNT, (2,)), "redo(address,uint8[])", (TEXT, (2,))),
        (Action(Kind.CLEAR, ACCOUNT), "clear(address)", (TEXT,)),
        (Action(Kind.NET, ACCOUNT, (2,)), "net(address,uint8)", (TEXT, 2)),
        (Action(Kind.LAPSE, ACCOUNT, (0, 2)), "lapse(address)", (TEXT,)),
        (Action(Kind.END, ACCOUNT), "end(address)", (TEXT,)),
        (Action(Kind.MARK, ACCOUNT), "mark(address)", (TEXT,)),
        (
            Action(Kind.SWAP, ACCOUNT, (0,), 2, 10**18, 5, (Way(10_000, (0, 2), (500,)),)),
            "swap(address,uint8,uint8,uint256,uint256,address,bytes)",
            (TEXT, 0, 2, 10**18, 5, VENUE.lower(), ROUTE),
        ),
    ],
)
def test_the_engine_is_called(
    builder: CallBuilder, action: Action, signature: str, arguments: tuple[object, ...]
) -> None:
    call = builder.call_for(action)
    assert call.to == ENGINE
    assert call.data[:4] == selector(signature)
    types = signature[signature.index("(") + 1 : -1].split(",")
    assert decode(types, call.data[4:]) == arguments


def test_a_route_names_each_path_with_its_weight() -> None:
    other = TOKENS[0] + bytes.fromhex("000bb8") + TOKENS[1] + bytes.fromhex("0001f4") + TOKENS[2]
    data = route_data((6_500, PATH), (3_500, other))
    assert decode(["(uint16,bytes)[]"], data) == (((6_500, PATH), (3_500, other)),)


def test_a_split_sale_is_encoded_way_by_way(builder: CallBuilder) -> None:
    ways = Way(6_500, (0, 2), (500,)), Way(3_500, (0, 1, 2), (3_000, 500))
    call = builder.call_for(Action(Kind.SWAP, ACCOUNT, (0,), 2, 10**18, 5, ways))
    types = ["address", "uint8", "uint8", "uint256", "uint256", "address", "bytes"]
    route = decode(types, call.data[4:])[-1]
    over = TOKENS[0] + bytes.fromhex("000bb8") + TOKENS[1] + bytes.fromhex("0001f4") + TOKENS[2]
    assert decode(["(uint16,bytes)[]"], route) == (((6_500, PATH), (3_500, over)),)


@pytest.mark.parametrize(("kind", "start"), [(Kind.KICK_SWAP, Kind.KICK), (Kind.REDO_SWAP, Kind.REDO)])
def test_a_start_and_its_sale_are_one_call(builder: CallBuilder, kind: Kind, start: Kind) -> None:
    sale = Action(Kind.SWAP, ACCOUNT, (0,), 2, 10**18, 5, (Way(10_000, (0, 2), (500,)),))
    call = builder.call_for(replace(sale, kind=kind, started=(0, 1)))
    assert call.to == ENGINE
    assert call.data[:4] == selector("multicall(bytes[])")
    alone = Action(start, ACCOUNT, (0, 1)), sale
    assert decode(["bytes[]"], call.data[4:]) == (tuple(builder.call_for(part).data for part in alone),)


@pytest.mark.parametrize("kind", [Kind.SWAP, Kind.KICK_SWAP])
def test_several_sales_are_one_call_in_their_order(builder: CallBuilder, kind: Kind) -> None:
    first = Action(Kind.SWAP, ACCOUNT, (0,), 2, 10**18, 5, (Way(10_000, (0, 2), (500,)),))
    second = Action(Kind.SWAP, ACCOUNT, (1,), 2, 10**8, 7, (Way(10_000, (1, 2), (500,)),))
    start = [Action(Kind.KICK, ACCOUNT, (0, 1))] if kind is Kind.KICK_SWAP else []
    started = start[0].collateral_ids if start else ()
    call = builder.call_for(replace(first, kind=kind, started=started, further=(second,)))
    assert call.data[:4] == selector("multicall(bytes[])")
    alone = tuple(builder.call_for(part).data for part in (*start, first, second))
    assert decode(["bytes[]"], call.data[4:]) == (alone,)


def test_a_call_that_asks_the_insurance_fund_keeps_gas_for_it(builder: CallBuilder) -> None:
    sale = Action(Kind.SWAP, ACCOUNT, (0,), 2, 10**18, 5, (Way(10_000, (0, 2), (500,)),))
    loss = replace(sale, collateral_ids=(1,), writes_off=True)
    assert builder.call_for(sale).gas_reserve == 0
    assert builder.call_for(loss).gas_reserve == FUND_GAS
    assert builder.call_for(replace(sale, further=(loss,))).gas_reserve == FUND_GAS


def test_the_gas_for_the_fund_is_enough_behind_three_calls() -> None:
    source = (ROOT / "contracts/libraries/Parameters.sol").read_text()
    (given,) = re.findall(r"FUND_GAS = ([\d_]+);", source)
    left = int(given) * 64 // 63 + 5_000
    for _ in range(3):  # of the multicall to itself, of the engine to its module, of that to the house
        left = left * 64 // 63 + 1
    assert left <= FUND_GAS < left * 102 // 100


def test_a_take_goes_through_the_flash_taker(builder: CallBuilder) -> None:
    way = Way(10_000, (0, 2), (3_000,))
    call = builder.call_for(Action(Kind.TAKE, ACCOUNT, (0,), 2, 2**256 - 1, 7, (way,), 9))
    assert call.to == TAKER
    assert call.data[:4] == selector("takeAndSell(address,uint8,uint8,uint256,uint256,uint24,uint256)")
    types = ["address", "uint8", "uint8", "uint256", "uint256", "uint24", "uint256"]
    assert decode(types, call.data[4:]) == (TEXT, 0, 2, 2**256 - 1, 7, 3_000, 9)


def test_a_custom_error_is_told_with_its_arguments() -> None:
    data = selector("PriceAboveLimit(uint256,uint256)") + encode(["uint256", "uint256"], [5, 4])
    assert explain_revert(data) == "PriceAboveLimit(price=5, maxPrice=4)"


def test_a_short_text_in_an_error_is_told_as_text() -> None:
    data = selector("ParameterOutOfBounds(bytes32,uint256,uint256,uint256)")
    data += encode(["bytes32", "uint256", "uint256", "uint256"], [b"chipBps", 1, 2, 3])
    assert "name=chipBps" in explain_revert(data)


def test_plain_reverts_and_panics_are_told() -> None:
    assert explain_revert(selector("Error(string)") + encode(["string"], ["STF"])) == "STF"
    assert explain_revert(selector("Panic(uint256)") + encode(["uint256"], [0x11])) == "Panic(0x11)"
    assert explain_revert(b"") == "no reason given"


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"",
            selector("PriceAboveLimit(uint256,uint256)"),
            selector("Error(string)"),
            selector("Panic(uint256)"),
        ]
    ),
)
def test_no_revert_data_makes_it_fail(garbage: bytes, prefix: bytes) -> None:
    assert explain_revert(prefix + garbage)
