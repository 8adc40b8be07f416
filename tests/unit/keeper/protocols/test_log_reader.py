"""Reading logs from a node that answers out of order, too much, too little, or of another block."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from bot.errors import MalformedAnswerError, RpcError
from bot.ports import Address, Json, RpcCall
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.reader import LogReader
from bot.protocols.sluice.state import FEED_EVENTS, HOUSE_EVENTS
from tests.support.keeper import a_hash, a_head
from tests.support.manifests import FEEDS, HOUSE, manifest

MANIFEST = Manifest.model_validate(manifest())
(ANSWERED,) = FEED_EVENTS.topics_of("AnswerUpdated")
(DEPOSITED,) = HOUSE_EVENTS.topics_of("CollateralDeposited")
AGGREGATOR = Address(to_checksum_address("0x" + "a5" * 20))


def raw_log(
    block: int, index: int, address: str = FEEDS[0], topics: Sequence[str] = (ANSWERED,)
) -> dict[str, Any]:
    return {
        "address": address,
        "topics": list(topics),
        "data": "0x",
        "blockNumber": hex(block),
        "blockHash": a_hash(block),
        "transactionHash": a_hash(1),
        "logIndex": hex(index),
    }


@dataclass
class Node:
    """Serves logs by range or block, and refuses a range that holds more than it likes."""

    logs: list[dict[str, Any]]
    most: int = 1_000
    asked: list[dict[str, Any]] = field(default_factory=list)
    label: str = "node"

    async def request(self, method: str, params: Sequence[Any] = ()) -> Json:
        (wanted,) = params
        self.asked.append(wanted)
        if "blockHash" in wanted:
            return self.logs
        first, last = (int(wanted[name], 16) for name in ("fromBlock", "toBlock"))
        found = [log for log in self.logs if first <= int(log["blockNumber"], 16) <= last]
        if len(found) > self.most:
            raise RpcError(method, -32005, f"query returned more than {self.most} results")
        return found

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        heads = [a_head(int(str(call.params[0]), 16)) for call in calls]
        return [
            {
                "number": hex(head.number),
                "hash": head.hash,
                "parentHash": head.parent_hash,
                "timestamp": hex(head.timestamp),
                "baseFeePerGas": "0x1",
            }
            for head in heads
        ]


def reader_of(node: Node, chunk: int = 100) -> LogReader:
    return LogReader(node, MANIFEST, chunk)


async def test_logs_of_a_head_are_put_in_order() -> None:
    logs = await reader_of(Node([raw_log(7, 2), raw_log(7, 0), raw_log(7, 1)])).of_head(a_head(7))
    assert [log.log_index for log in logs] == [0, 1, 2]


async def test_a_log_that_comes_twice_is_refused() -> None:
    with pytest.raises(MalformedAnswerError, match="place of a log"):
        await reader_of(Node([raw_log(7, 0), raw_log(7, 0)])).of_head(a_head(7))


async def test_a_log_of_another_block_is_refused() -> None:
    with pytest.raises(MalformedAnswerError, match="block of a log"):
        await reader_of(Node([raw_log(7, 0), raw_log(6, 1)])).of_head(a_head(7))


async def test_a_range_is_asked_for_in_chunks_and_halved_where_it_is_refused() -> None:
    node = Node([raw_log(block, 0) for block in range(1, 21)], most=3)
    stretch = await reader_of(node, chunk=10).up_to(1, a_head(20))
    assert [log.block_number for log in stretch.logs] == list(range(1, 21))
    assert stretch.times[20] == a_head(20).timestamp


async def test_what_is_refused_for_a_single_block_is_an_error() -> None:
    node = Node([raw_log(5, index) for index in range(5)], most=3)
    with pytest.raises(RpcError, match="more than 3"):
        await reader_of(node).up_to(1, a_head(8))
    assert len(node.asked) < 12


async def test_rules_are_asked_for_without_balances_and_pools() -> None:
    node = Node([])
    reader = reader_of(node)
    await reader.rules_up_to(1, a_head(5))
    await reader.up_to(1, a_head(5))
    rules, everything = node.asked
    assert DEPOSITED not in rules["topics"][0]
    assert set(rules["address"]) == set(everything["address"]) - {pool.address for pool in MANIFEST.pools}
    assert set(rules["topics"][0]) < set(everything["topics"][0])


async def test_depositors_come_in_order_of_appearance_each_once() -> None:
    accounts = [f"0x{number:064x}" for number in (5, 3, 5, 9)]
    node = Node([raw_log(2, index, HOUSE, (DEPOSITED, topic)) for index, topic in enumerate(accounts)])
    found = await reader_of(node).depositors_up_to(1, a_head(5))
    assert [int.from_bytes(account) for account in found] == [5, 3, 9]


@pytest.mark.parametrize(
    "broken", [[5], [{}], [{"topics": []}], [{"topics": ["0x1", "0x2"]}], [{"topics": None}]]
)
async def test_a_deposit_without_an_account_is_refused(broken: list[Any]) -> None:
    node = Node([])

    async def answer(method: str, params: Sequence[Any] = ()) -> Json:
        return broken

    node.request = answer  # type: ignore[method-assign]
    with pytest.raises(MalformedAnswerError, match="deposit"):
        await reader_of(node).depositors_up_to(1, a_head(5))


async def test_an_aggregator_is_heard_as_its_feed_until_another_takes_over() -> None:
    node = Node([raw_log(7, 0, AGGREGATOR)])
    reader = reader_of(node)
    reader.hear({AGGREGATOR: Address(FEEDS[0])})
    (log,) = await reader.of_head(a_head(7))
    assert log.address == FEEDS[0]
    other = Address("0x" + "B6" * 20)
    reader.hear({other: Address(FEEDS[0])})
    await reader.of_head(a_head(7))
    assert AGGREGATOR in node.asked[0]["address"]
    assert AGGREGATOR not in node.asked[1]["address"]
    assert other in node.asked[1]["address"]
