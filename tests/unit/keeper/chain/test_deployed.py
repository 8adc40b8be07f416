"""Whether the contracts are there."""

from collections.abc import Sequence

import pytest
from eth_hash.auto import keccak

from bot.chain.deployed import check_code
from bot.errors import CodeMismatchError, RpcError
from bot.ports import Json, RpcCall
from tests.support.keeper import ENGINE, KEEPER, a_head

CODE = b"\x60\x01"
HASH = "0x" + keccak(CODE).hex()


class Node:
    label = "ws://node"

    def __init__(self, *answers: Json | RpcError) -> None:
        self._answers = list(answers)
        self.asked: list[RpcCall] = []

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        raise NotImplementedError

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        self.asked = list(calls)
        return self._answers


async def test_code_as_deployed_passes_at_the_very_head() -> None:
    node = Node("0x6001", "0x6001")
    contracts = {"engine": (ENGINE, HASH.upper().replace("0X", "0x")), "taker": (KEEPER, HASH)}
    await check_code(node, contracts, a_head(9))
    assert node.asked[0] == RpcCall("eth_getCode", [ENGINE, {"blockHash": a_head(9).hash}])


@pytest.mark.parametrize(("answer", "shown"), [("0x", "no code at all"), ("0x6002", "0x")])
async def test_other_code_or_none_names_the_contract_and_both_hashes(answer: str, shown: str) -> None:
    with pytest.raises(CodeMismatchError) as caught:
        await check_code(Node("0x6001", answer), {"a": (KEEPER, HASH), "engine": (ENGINE, HASH)}, a_head(9))
    assert all(part in str(caught.value) for part in ("engine", ENGINE, HASH, shown))


async def test_empty_code_never_passes_even_as_its_own_hash() -> None:
    with pytest.raises(CodeMismatchError, match="no code at all"):
        await check_code(Node("0x"), {"engine": (ENGINE, "0x" + keccak(b"").hex())}, a_head(9))


async def test_an_error_of_the_node_is_no_verdict_on_the_code() -> None:
    with pytest.raises(RpcError):
        await check_code(Node(RpcError("eth_getCode", -32000, "busy")), {"e": (ENGINE, HASH)}, a_head(9))
