"""What the accounts need, by rules: to the wei, within limits, never unlimited."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.errors import InvalidInputError, MalformedAnswerError, RpcError
from bot.execution.inventory import (
    LARGEST_APPROVAL,
    Approval,
    Credit,
    GasMoney,
    Holdings,
    Inventory,
    InventoryRules,
    Sweep,
    wanted,
)
from bot.ports import Address, Call, Intent, Json, Lane, RpcCall
from tests.support.keeper import ENGINE, KEEPER, a_head

HEAD = a_head(100)
COLD = Address("0x00000000000000000000000000000000000000C0")
TOKEN = Address("0x000000000000000000000000000000000000007E")
OTHERS = tuple(Address(f"0x000000000000000000000000000000000000000{number}") for number in (1, 2))
NOTHING = InventoryRules(main=KEEPER)
HOUSE = Call(ENGINE, b"\x01"), Call(ENGINE, b"\x02")


def holdings(main: int = 0, others: Sequence[int] = (), **amounts: list[int]) -> Holdings:
    none: dict[str, list[int]] = {"tokens": [], "allowances": [], "credits": []}
    return Holdings(main, list(others), **none | amounts)


def moves(intents: Sequence[Intent]) -> list[tuple[str, Address, int]]:
    return [(intent.account, intent.call.to, intent.call.value) for intent in intents]


GAS = replace(NOTHING, others=OTHERS, gas=GasMoney(floor=10, target=50, reserve=100, largest=45))


@pytest.mark.parametrize(
    ("main", "others", "filled"),
    [
        (1_000, (10, 50), []),
        (1_000, (9, 10), [41]),
        (1_000, (0, 0), [45, 45]),
        (160, (0, 0), [45, 15]),
        (100, (0, 0), []),
    ],
)
def test_gas_money_is_filled_up_within_its_limits(
    main: int, others: tuple[int, ...], filled: list[int]
) -> None:
    intents = wanted(holdings(main, others), GAS, HEAD)
    assert [intent.call.value for intent in intents] == filled
    assert all(intent.terms.sender == KEEPER for intent in intents)
    assert all(intent.terms.lane is Lane.HOUSEKEEPING for intent in intents)


def test_a_surplus_leaves_above_its_threshold_alone() -> None:
    rules = replace(NOTHING, cold=COLD, sweeps=(Sweep("WETH", TOKEN, 50, 20), Sweep("native", None, 70, 60)))
    assert wanted(holdings(70, tokens=[50]), rules, HEAD) == []
    token, native = wanted(holdings(71, tokens=[51]), rules, HEAD)
    assert native.call == Call(COLD, b"", 11)
    assert token.call.to == TOKEN
    assert token.call.data == bytes.fromhex("a9059cbb" + "00" * 31 + "c0") + (31).to_bytes(32, "big")


def test_a_sweep_takes_what_the_fillings_leave() -> None:
    rules = replace(GAS, cold=COLD, sweeps=(Sweep("native", None, 150, 120),))
    assert [value for _, _, value in moves(wanted(holdings(240, (0, 0)), rules, HEAD))] == [45, 45]
    assert [value for _, _, value in moves(wanted(holdings(241, (0, 0)), rules, HEAD))] == [45, 45, 31]


def approved(amount: int, found: int) -> list[int]:
    """Return what is approved where ``amount`` belongs and ``found`` is."""
    rules = replace(NOTHING, approvals=(Approval("WETH", TOKEN, ENGINE, amount),))
    intents = wanted(holdings(allowances=[found]), rules, HEAD)
    head = bytes.fromhex("095ea7b3" + "00" * 31 + "e1")
    assert all(intent.call.to == TOKEN and intent.call.data.startswith(head) for intent in intents)
    return [int.from_bytes(intent.call.data[len(head) :]) for intent in intents]


def test_an_approval_is_made_exact_and_left_alone_when_it_is() -> None:
    assert approved(42, found=0) == [42]
    assert approved(42, found=42) == []
    assert approved(0, found=0) == []


@pytest.mark.parametrize("found", [1, 41, 43, 2**256 - 1])
def test_an_allowance_is_never_changed_into_another_but_revoked_first(found: int) -> None:
    assert approved(42, found) == [0]
    assert approved(0, found) == [0]


def test_credits_are_collected_above_their_threshold() -> None:
    rules = replace(NOTHING, cold=COLD, credits=(Credit("USDC", *HOUSE, above=5),))
    assert wanted(holdings(credits=[5]), rules, HEAD) == []
    assert [intent.call for intent in wanted(holdings(credits=[6]), rules, HEAD)] == [HOUSE[1]]


def test_what_a_further_account_earned_is_collected_by_that_account() -> None:
    credits = (Credit("USDC", *HOUSE, above=5), Credit("USDC", *HOUSE, above=5, owner=OTHERS[0]))
    rules = replace(NOTHING, others=OTHERS, cold=COLD, credits=credits)
    found = wanted(holdings(credits=[6, 6]), rules, HEAD)
    assert [intent.terms.sender for intent in found] == [KEEPER, OTHERS[0]]
    assert len({intent.account for intent in found}) == len({intent.key for intent in found}) == 2


def test_each_intent_has_a_key_of_its_head_and_an_account_of_its_own() -> None:
    rules = replace(GAS, approvals=(Approval("WETH", TOKEN, ENGINE, 1),))
    intents = wanted(holdings(10**6, (0, 0), allowances=[0]), rules, HEAD)
    assert len({intent.account for intent in intents}) == len(intents) == 3
    assert all(HEAD.hash in intent.key for intent in intents)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Approval("WETH", TOKEN, ENGINE, LARGEST_APPROVAL + 1),
        lambda: Approval("WETH", TOKEN, ENGINE, 2**256 - 1),
        lambda: Approval("WETH", TOKEN, ENGINE, -1),
        lambda: Sweep("WETH", TOKEN, 5, 6),
        lambda: GasMoney(floor=5, target=4, reserve=0, largest=0),
    ],
)
def test_rules_that_make_no_sense_are_refused(make: object) -> None:
    with pytest.raises(InvalidInputError):
        make()  # type: ignore[operator]


class Node:
    label = "node"

    def __init__(self, answers: list[Json | RpcError]) -> None:
        self.answers = answers
        self.asked: list[RpcCall] = []

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        raise AssertionError("one batch is enough")

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        self.asked += calls
        return self.answers


FULL = replace(
    GAS,
    cold=COLD,
    sweeps=(Sweep("WETH", TOKEN, 50, 20), Sweep("native", None, 10**9, 0)),
    approvals=(Approval("WETH", TOKEN, ENGINE, 1),),
    credits=(Credit("USDC", *HOUSE, above=5),),
    interval=10,
)


def hex_word(value: int) -> str:
    return "0x" + value.to_bytes(32, "big").hex()


async def test_a_look_is_one_round_trip_pinned_to_the_head_and_not_every_head() -> None:
    node = Node(["0x64", "0xa", "0xa", hex_word(51), hex_word(1), hex_word(6)])
    inventory = Inventory(node, FULL)
    intents = await inventory.wants(HEAD)
    assert [intent.account for intent in intents] == ["sweep WETH", "collect USDC"]
    assert len(node.asked) == 6
    assert all(call.params[1] == {"blockHash": HEAD.hash} for call in node.asked)
    assert await inventory.wants(a_head(109)) == []
    assert len(node.asked) == 6
    await inventory.wants(a_head(110))
    assert len(node.asked) == 12


@pytest.mark.parametrize("answer", ["0x", "0x01", None, 5, hex_word(1) + "00"])
async def test_a_view_that_answers_nothing_is_an_error_and_never_zero(answer: Json) -> None:
    node = Node(["0x64", "0xa", "0xa", answer, hex_word(1), hex_word(6)])
    with pytest.raises(MalformedAnswerError):
        await Inventory(node, FULL).wants(HEAD)


async def test_a_revocation_that_makes_room_is_followed_up_on_the_next_head() -> None:
    node = Node(["0x64", "0xa", "0xa", hex_word(0), hex_word(7), hex_word(0)])
    inventory = Inventory(node, FULL)
    assert len(await inventory.wants(HEAD)) == 1
    node.answers[4] = hex_word(0)
    assert len(await inventory.wants(a_head(101))) == 1
    assert await inventory.wants(a_head(102)) == []
    assert len(node.asked) == 12


async def test_a_failed_look_is_taken_again_on_the_next_head() -> None:
    node = Node([RpcError("eth_getBalance", -32000, "header not found"), *["0x1"] * 5])
    inventory = Inventory(node, FULL)
    with pytest.raises(RpcError):
        await inventory.wants(HEAD)
    node.answers = ["0x64", "0xa", "0xa", hex_word(0), hex_word(1), hex_word(0)]
    assert await inventory.wants(a_head(101)) == []
