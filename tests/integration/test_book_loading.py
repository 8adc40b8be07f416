"""Where a book comes from at the start: the chain at one head, or a checkpoint and the logs since."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from time import perf_counter

import pytest
from eth_utils.crypto import keccak

from bot.chain.client import RpcClient
from bot.chain.endpoint import Endpoint
from bot.errors import BookDivergedError, CheckpointInvalidError, RpcError
from bot.ports import BookCheckpoint, Head, Json
from bot.protocols.sluice.adapter import SluiceProtocol, SyncOptions
from bot.protocols.sluice.frozen import freeze, thaw
from bot.protocols.sluice.reader import LogReader
from bot.protocols.sluice.state import State, decoders_of
from bot.protocols.sluice.timeline import apply_all
from tests.support.crowd import Crowd
from tests.support.multitude import open_accounts, spread
from tests.support.node_rpc import NodeRpc, latest
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]

SOON = SyncOptions(checkpoint_interval=1)


@dataclass
class Memory:
    """`bot.ports.BookMemory` in memory."""

    kept: list[BookCheckpoint] = field(default_factory=list)

    async def save_book(self, protocol: str, checkpoint: BookCheckpoint) -> None:
        self.kept.insert(0, checkpoint)

    async def books(self, protocol: str) -> list[BookCheckpoint]:
        return list(self.kept)

    async def forget_books(self, protocol: str) -> None:
        self.kept.clear()


def protocol_of(here: World, memory: Memory | None = None, options: SyncOptions = SOON) -> SluiceProtocol:
    return SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER, options, memory=memory)


async def from_logs_alone(here: World, head: Head) -> State:
    """Return the state that every log since the deployment leads to."""
    protocol = protocol_of(here)
    reader = LogReader(NodeRpc(here.node), here.manifest, 2_000)
    pools = await protocol._loader.fresh_pools(head)
    state = State(here.manifest, pools, decoders_of(here.manifest))
    apply_all(state, *await reader.up_to(here.manifest.block, head))
    return state


async def busy(here: World, seed: int) -> Crowd:
    """Let a crowd be kicked, sold and written off, and end between two accruals."""
    crowd = Crowd.of(here, seed)
    crowd.join(10)
    for _ in range(3):
        crowd.shock()
        here.trade("WETH", "USDC", 2_000)
        crowd.try_everything(await crowd.see())
        here.advance(600)
    here.provide(0, 100_000, width=0.1)
    here.advance(86_400)
    here.refresh()
    return crowd


def assert_same(one: State, other: State, head: Head) -> None:
    assert one.book.accounts == other.book.accounts
    for name in ("collateral", "debt_shares"):
        assert getattr(one.book, name) == getattr(other.book, name)
    for name in ("flagged", "epoch", "risk_block"):
        assert (getattr(one.book, name) == getattr(other.book, name)).all()
    apart = {"manifest", "decoders", "book", "pools", "covariance"}
    for name in {entry.name for entry in fields(State)} - apart:
        assert getattr(one, name) == getattr(other, name), name
    pools = zip(one.snapshot(head).pools, other.snapshot(head).pools, strict=True)
    assert all(mine.pool == theirs.pool for mine, theirs in pools)


@pytest.mark.parametrize("seed", range(3))
async def test_the_chain_at_one_head_gives_what_all_logs_give(here: World, seed: int) -> None:
    await busy(here, seed)
    head = latest(here.node)
    protocol = protocol_of(here)
    await protocol.sync(head)
    assert_same(protocol.state, await from_logs_alone(here, head), head)
    assert len(protocol.state.book) >= 10
    assert await protocol.audit(head, 100) >= 10


async def test_accounts_that_no_deposit_tells_of_are_found_in_all_logs(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await busy(here, 4)
    head, complete = latest(here.node), LogReader.depositors_up_to

    async def forgetful(reader: LogReader, first: int, head: Head) -> list[bytes]:
        return (await complete(reader, first, head))[1:]

    monkeypatch.setattr(LogReader, "depositors_up_to", forgetful)
    protocol = protocol_of(here)
    await protocol.sync(head)
    assert_same(protocol.state, await from_logs_alone(here, head), head)


async def test_many_accounts_are_read_in_few_calls_and_too_many_in_halves(here: World) -> None:
    open_accounts(here, spread(here, 1_000))
    head = latest(here.node)
    asked = {}
    for per_call in (250, 1_000_000):
        rpc = NodeRpc(here.node)
        options = SyncOptions(positions_per_call=per_call)
        protocol = SluiceProtocol(rpc, here.manifest, options=options)
        await protocol.sync(head)
        asked[per_call] = rpc.asked["eth_call"]
        assert len(protocol.state.book) == 1_000
        await protocol.audit(head, 50)
    assert asked[250] - asked[1_000_000] == 3


class BusyRpc(NodeRpc):
    """Turns some of its first requests away."""

    attempts = 0
    turned_away = 0

    async def request(self, method: str, params: Sequence[Json] = ()) -> Json:
        self.attempts += 1
        if self.attempts in (2, 5, 6, 12):
            self.turned_away += 1
            raise RpcError(method, -32005, "too many requests")
        return await super().request(method, params)


async def test_a_load_that_is_turned_away_in_its_middle_goes_on_from_there(here: World) -> None:
    open_accounts(here, spread(here, 1_000))
    head, options = latest(here.node), SyncOptions(positions_per_call=100)
    rpc, busy = NodeRpc(here.node), BusyRpc(here.node)
    calm, hindered = (SluiceProtocol(one, here.manifest, options=options) for one in (rpc, busy))
    await calm.sync(head)
    await hindered.sync(head)
    assert_same(hindered.state, calm.state, head)
    assert busy.turned_away == 4
    assert busy.asked["eth_getLogs"] == rpc.asked["eth_getLogs"]
    assert busy.asked["eth_call"] - rpc.asked["eth_call"] <= 4  # of a batch, all calls are made again


async def test_a_local_socket_loads_what_the_other_transports_do(tmp_path: Path) -> None:
    path = tmp_path / "node.ipc"
    with world(None, "--ipc", str(path)) as here:
        open_accounts(here, spread(here, 4_000))
        head, port = latest(here.node), here.node.url.rsplit(":", 1)[1]
        states, seconds = [], {}
        for url in (f"ws://127.0.0.1:{port}", f"http://127.0.0.1:{port}", f"ipc://{path}"):
            async with RpcClient(Endpoint.parse(url), here.manifest.chain_id) as client:
                protocol, started = SluiceProtocol(client, here.manifest), perf_counter()
                await protocol.sync(head)
                seconds[url[:4]] = round(perf_counter() - started, 2)
                states.append(protocol.state)
        print(f"4,000 accounts, s: {seconds}")  # noqa: T201
        assert len(states[-1].book) == 4_000
        assert_same(states[2], states[0], head)
        assert_same(states[2], states[1], head)


@pytest.mark.parametrize("count", [100, 3_000])
async def test_a_quiet_head_costs_one_request_with_few_accounts_and_with_many(
    here: World, count: int
) -> None:
    open_accounts(here, spread(here, count))
    rpc = NodeRpc(here.node)
    protocol = SluiceProtocol(rpc, here.manifest, memory=Memory())
    await protocol.sync(latest(here.node))
    rpc.asked.clear()
    for _ in range(4):
        here.advance(12)
        await protocol.sync(latest(here.node))
        protocol.snapshot(latest(here.node))
    assert dict(rpc.asked) == {"eth_getLogs": 4}


@pytest.mark.slow
async def test_a_hundred_thousand_accounts_are_loaded_as_the_chain_has_them(here: World) -> None:
    open_accounts(here, spread(here, 100_000))
    head, protocol = latest(here.node), protocol_of(here)
    await protocol.sync(head)
    assert len(protocol.state.book) == 100_000
    assert await protocol.audit(head, 200) == 200


# --------------------------------------------------------------------------------- quarantine


def spoil(here: World, account: str) -> None:
    """Give an account a collateral that is not listed, in the storage of the clearing house."""
    house = here.manifest.clearing_house
    for slot in range(32):
        place = "0x" + keccak(bytes(12) + bytes.fromhex(account[2:]) + slot.to_bytes(32)).hex()
        word = int(here.node.call("eth_getStorageAt", house, place, "latest"), 16)
        if word and word & (1 << 64) - 1 == here.read("clearing_house", "accountInfo", account)[0]:
            spoilt = "0x" + (word | 1 << 60).to_bytes(32).hex()
            here.node.call("anvil_setStorageAt", house, place, spoilt)
            here.advance(1)
            return
    raise AssertionError("the account's slot was not found")


async def test_an_account_that_makes_no_sense_is_quarantined_and_the_rest_is_watched(here: World) -> None:
    crowd = Crowd.of(here, 5)
    victim, *others = crowd.join(4)
    here.advance(12)
    undo = here.node.call("evm_snapshot")
    spoil(here, victim)
    protocol = protocol_of(here)
    await protocol.sync(latest(here.node))
    book = protocol.state.book
    assert [book.accounts[row].hex() for row in book.quarantined] == [victim[2:].lower()]
    assert await protocol.audit(latest(here.node), 100) == len(others)
    row = book.find(bytes.fromhex(victim[2:]))
    assert row is not None
    book.add_collateral(book.accounts[row], 0, -5)
    assert book.collateral.row(row) == [0, 0, 0]
    here.node.call("evm_revert", undo)
    assert await protocol.audit(latest(here.node), 100) == len(others) + 1
    assert not protocol.state.book.quarantined


# -------------------------------------------------------------------------------- checkpoints


async def kept(here: World) -> tuple[Memory, SluiceProtocol]:
    """Return what a protocol kept that watched a crowd, and that protocol."""
    await busy(here, 6)
    memory = Memory()
    protocol = protocol_of(here, memory)
    await protocol.sync(latest(here.node))
    await protocol.checkpoint()
    return memory, protocol


async def test_a_restart_goes_on_from_the_checkpoint_and_reads_only_what_it_missed(here: World) -> None:
    memory, _ = await kept(here)
    here.open({"WETH": 100}, {"USDC": 1_000})
    here.trade("WETH", "USDC", 50)
    here.publish("WETH", 150)
    head = latest(here.node)
    again = protocol_of(here, memory)
    await again.sync(head)
    rpc = again._rpc
    assert isinstance(rpc, NodeRpc)
    assert rpc.asked["eth_call"] == len(here.manifest.assets)  # who emits each feed's rounds
    assert rpc.asked["eth_getLogs"] == 1
    assert_same(again.state, await from_logs_alone(here, head), head)
    await again.audit(head, 100)


async def test_a_checkpoint_of_another_branch_is_passed_over(here: World) -> None:
    memory, protocol = await kept(here)
    older = memory.kept[0]
    here.publish("WETH", 150)
    tip = protocol.tip
    assert tip is not None
    memory.kept.insert(0, replace(older, block_number=tip.number + 1))
    head = latest(here.node)
    again = protocol_of(here, memory)
    await again.sync(head)
    assert isinstance(again._rpc, NodeRpc)
    assert again._rpc.asked["eth_call"] == len(here.manifest.assets)
    assert_same(again.state, await from_logs_alone(here, head), head)


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda blob: blob[:-1],
        lambda blob: blob[:60] + bytes([blob[60] ^ 1]) + blob[61:],
        lambda blob: b"",
        lambda blob: b"not a checkpoint",
    ],
)
async def test_a_checkpoint_that_is_damaged_is_refused_and_the_chain_read(
    here: World, spoilt: object
) -> None:
    memory, _ = await kept(here)
    blob = spoilt(memory.kept[0].blob)  # type: ignore[operator]
    with pytest.raises(CheckpointInvalidError, match="damaged"):
        thaw(blob, here.manifest)
    memory.kept[0] = replace(memory.kept[0], blob=blob)
    again = protocol_of(here, memory)
    await again.sync(latest(here.node))
    await again.audit(latest(here.node), 100)


async def test_a_checkpoint_of_another_deployment_or_program_is_refused(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, protocol = await kept(here)
    blob = freeze(protocol.state)
    other = here.manifest.model_copy(update={"block": here.manifest.block + 1})
    with pytest.raises(CheckpointInvalidError, match="another deployment"):
        thaw(blob, other)
    monkeypatch.setattr("bot.protocols.sluice.frozen._program", lambda: "later")
    with pytest.raises(CheckpointInvalidError, match="another version"):
        thaw(blob, here.manifest)


async def test_a_book_that_was_wrong_leaves_no_checkpoint_and_is_read_from_the_chain(here: World) -> None:
    memory, protocol = await kept(here)
    head = latest(here.node)
    protocol.state.book.add_debt(protocol.state.book.accounts[0], 0, 1)
    with pytest.raises(BookDivergedError):
        await protocol.audit(head, 100)
    await protocol.distrust()
    assert not memory.kept
    assert protocol.tip is None
    await protocol.sync(head)
    await protocol.audit(head, 100)


async def test_what_is_frozen_comes_back_the_same(here: World) -> None:
    _, protocol = await kept(here)
    head = latest(here.node)
    assert_same(thaw(freeze(protocol.state), here.manifest), protocol.state, head)
