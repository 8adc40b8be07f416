"""Who used a nonce, by what blocks hold, and by hashes where they cannot tell."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from bot.errors import RpcError
from bot.execution.nonce_use import used_by
from bot.ports import Hash32, Json, RpcCall
from tests.support.keeper import ENGINE, KEEPER

OURS = (Hash32("0x" + "aa" * 32), Hash32("0x" + "bb" * 32))
FOREIGN = Hash32("0x" + "ff" * 32)
NONCE, USED_AT = 4, 7


@dataclass
class Node:
    """A chain on which the account's nonce moved on in one block.

    Parameters
    ----------
    holds : sequence of (sender, nonce, hash)
        What stands in that block.
    known : collection of Hash32
        What is found by its hash.
    remembers : bool
        Whether counts of earlier blocks are known.
    """

    holds: Sequence[tuple[str, int, Hash32]] = ()
    known: Collection[Hash32] = ()
    remembers: bool = True
    label: str = "node"
    asked: list[str] = field(default_factory=list)

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        self.asked.append(method)
        if method == "eth_getTransactionCount":
            if not self.remembers:
                raise RpcError(method, -32000, "missing trie node")
            return hex(NONCE + (int(str(params[1]), 16) >= USED_AT))
        if method == "eth_getBlockByNumber":
            assert params[0] == hex(USED_AT)
            found = [{"from": who, "nonce": hex(nonce), "hash": hash_} for who, nonce, hash_ in self.holds]
            return {"transactions": found}
        return {"hash": params[0]} if params[0] in self.known else None

    async def batch(self, calls: Sequence[RpcCall]) -> list[Json | RpcError]:
        return [await self.request(*call) for call in calls]


async def user(node: Node) -> Hash32 | None:
    return await used_by(node, KEEPER, NONCE, OURS, planned=2, height=20)


async def test_the_block_that_used_the_nonce_tells_by_whom() -> None:
    others = [(ENGINE, NONCE, FOREIGN), (KEEPER, NONCE - 1, FOREIGN)]
    assert await user(Node([*others, (KEEPER.lower(), NONCE, OURS[1])])) == OURS[1]
    assert await user(Node([*others, (KEEPER, NONCE, FOREIGN)], known=OURS)) == FOREIGN


async def test_where_the_node_has_forgotten_each_of_ours_is_asked_for() -> None:
    for known in OURS:
        assert await user(Node(known=[known], remembers=False)) == known
    assert await user(Node(remembers=False)) is None


async def test_a_nonce_that_no_transaction_of_the_block_used_is_foreign_unless_ours_is_known() -> None:
    """As by an authorization in somebody else's transaction (EIP-7702)."""
    assert await user(Node([(ENGINE, 9, FOREIGN)])) is None
    assert await user(Node([(ENGINE, 9, FOREIGN)], known=OURS[1:])) == OURS[1]
