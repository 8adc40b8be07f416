"""A long reading that the node turns away in its middle goes on from there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from eth_abi.abi import decode, encode

from bot.errors import ChainError, EndpointBusyError, EndpointUnreachableError, RpcError
from bot.ports import Json, RpcCall
from bot.protocols.sluice.loading import PositionReader
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.protections import follower_of
from bot.protocols.sluice.reader import LogReader
from tests.support.clock import leaping
from tests.support.keeper import a_hash, a_head
from tests.support.manifests import LENS, manifest

BUSY = RpcError("any", -32005, "Too many requests")
OVER_HTTP = EndpointUnreachableError("https://node", "HTTP status 429")
ACCOUNTS = [bytes([index]) * 20 for index in range(10)]


@dataclass
class Node:
    """Answers everything, but turns away the requests with these numbers, counted from 0."""

    turns_away: dict[int, ChainError]
    asked: list[Json] = field(default_factory=list)
    label: str = "node"

    async def request(self, method: str, params: Sequence[Any] = ()) -> Json:
        number = len(self.asked)
        self.asked.append(params[0])
        if number in self.turns_away:
            raise self.turns_away[number]
        if method == "eth_getLogs":
            return [_deposit(int(params[0]["fromBlock"], 16))]
        (accounts,) = decode(["address[]"], bytes.fromhex(params[0]["data"][10:]))
        return "0x" + encode(["bytes"], [bytes(26 * len(accounts))]).hex()

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        raise AssertionError("nothing here is asked in batches")


def _deposit(block: int) -> dict[str, Any]:
    return {"topics": [a_hash(0), "0x" + block.to_bytes(32).hex()]}


@leaping
@pytest.mark.parametrize("fault", [BUSY, OVER_HTTP])
async def test_a_chunk_of_logs_that_is_turned_away_is_asked_for_again_and_not_halved(
    fault: ChainError,
) -> None:
    node = Node({1: fault, 2: fault})
    found = await LogReader(node, Manifest.model_validate(manifest()), 100).depositors_up_to(1, a_head(300))
    assert [int.from_bytes(account) for account in found] == [1, 101, 201]
    ranges = [(int(asked["fromBlock"], 16), int(asked["toBlock"], 16)) for asked in node.asked]  # type: ignore[index,call-overload]
    assert ranges == [(1, 100), (101, 200), (101, 200), (101, 200), (201, 300)]


@leaping
@pytest.mark.parametrize("fault", [BUSY, OVER_HTTP])
async def test_a_page_of_accounts_that_is_turned_away_is_asked_for_again_alone(fault: ChainError) -> None:
    node = Node({1: fault})
    found = await PositionReader(node, LENS, per_call=4).read(ACCOUNTS, 2, a_head(7))
    assert (found.columns.epoch.size, found.damaged) == (10, frozenset())
    assert len(node.asked) == 3 + 1


@leaping
async def test_a_node_that_stays_busy_ends_the_reading_with_the_fix() -> None:
    node = Node(dict.fromkeys(range(1_000), BUSY))
    with pytest.raises(EndpointBusyError, match="requests_per_second"):
        await PositionReader(node, LENS, per_call=10).read(ACCOUNTS, 2, a_head(7))
    assert len(node.asked) == 6


@leaping
@pytest.mark.parametrize("fault", [BUSY, OVER_HTTP])
async def test_a_chunk_of_those_who_asked_for_protection_is_asked_for_again_alone(fault: ChainError) -> None:
    node = Blocks({1: fault, 3: fault})
    protected = Manifest.model_validate(manifest(protection=LENS, flash_protector=LENS))
    follower = follower_of(node, protected, 100)
    assert follower is not None
    await follower.sync(a_head(250))
    asked = [(one["fromBlock"], one["toBlock"]) for one in node.asked if isinstance(one, dict)]
    assert [(int(first, 16), int(last, 16)) for first, last in asked] == [
        *((1, 100), (101, 200), (101, 200), (201, 250), (201, 250)),
    ]
    assert not follower.view().accounts


class Blocks(Node):
    """Has blocks, and no logs."""

    async def request(self, method: str, params: Sequence[Any] = ()) -> Json:
        answer = await super().request(method, params) if method == "eth_getLogs" else None
        if answer is not None:
            return []
        head = a_head(int(params[0], 16))
        fields = {"hash": head.hash, "parentHash": head.parent_hash, "number": hex(head.number)}
        return {**fields, "timestamp": hex(head.timestamp), "baseFeePerGas": "0x1"}
