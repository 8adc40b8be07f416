"""The dealer's transactions on a real node: hedges through the real pools, each once, whatever goes wrong."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from eth_account import Account

from bot.errors import EndpointUnreachableError, MalformedAnswerError
from bot.execution.fees import FeePolicy
from bot.ports import Json, Receipt
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.rfq.dealing import DealerView
from bot.rfq.hedging import HedgeOptions, Hedger, UniswapHedge
from bot.rfq.landing import LandingOptions, Lane, received
from bot.rfq.ledger import DealerLedger
from bot.rfq.reading import Places, Reader
from bot.rfq.records import IssuedQuote, Work, WorkKind, WorkState
from bot.rfq.signing import DealerKey
from bot.rfq.typed_data import QuoteDomain
from tests.support.landing import Crash, CrashAt
from tests.support.node_rpc import NodeRpc, latest
from tests.support.rfq import a_quote
from tests.support.world import World, plain_call

pytestmark = pytest.mark.node

KEY = "0x" + "d1" * 32
WETH, USDC = 0, 2
BOUGHT = 5 * 10**18


@dataclass
class Desk:
    """A dealer's ledger, lane and hedger on a node.

    Parameters
    ----------
    rpc : NodeRpc
        The node.
    """

    world: World
    rpc: Any
    ledger: DealerLedger
    lane: Lane
    hedger: Hedger
    places: Places

    async def head(self, funding: dict[int, int] | None = None) -> None:
        """Let the dealer act on the newest head, then mine."""
        head = latest(self.world.node)
        protocol = SluiceProtocol(NodeRpc(self.world.node), self.world.manifest)
        await protocol.sync(head)
        reading = await Reader(NodeRpc(self.world.node), self.places).at(head, [])
        view = DealerView(head, protocol.snapshot(head), reading.funds)
        try:
            await self.hedger.step(view, reading, funding or {})
        finally:
            self.world.node.call("evm_mine")

    def balance(self, symbol: str) -> int:
        token = self.world.manifest.asset(symbol).token
        data = plain_call("balanceOf(address)", "0x" + self.places.dealer.hex())
        return int.from_bytes(self.world.view(token, data))


@asynccontextmanager
async def desk_on(
    here: World,
    path: Path,
    rpc: Any = None,
    options: HedgeOptions | None = None,
    depth: int = 0,
    wrap: Callable[[Any], Any] = lambda part: part,
) -> AsyncIterator[Desk]:
    key = DealerKey(Account.from_key(KEY))
    here.node.call("anvil_setBalance", key.address, hex(10**21))
    manifest = here.manifest
    places = Places(
        engine=bytes.fromhex(manifest.liquidation_engine[2:]),
        house=bytes.fromhex(manifest.clearing_house[2:]),
        router=bytes.fromhex(manifest.uniswap_v3.swap_router[2:]),
        dealer=key.raw_address,
        tokens={asset.id: bytes.fromhex(asset.token[2:]) for asset in manifest.assets},
    )
    usdc = manifest.asset("USDC").token

    def proceeds(work: Work, receipt: Receipt) -> int:
        return received(usdc, key.address, receipt) if work.kind is WorkKind.HEDGE else 0  # type: ignore[arg-type]

    rpc = rpc or NodeRpc(here.node)
    ledger = await DealerLedger.open(path, "test")
    landing = LandingOptions(31337, FeePolicy(10**9, 10**12), depth=depth, resend_after=1)
    lane = Lane(wrap(rpc), wrap(ledger), key, landing, proceeds)
    chosen = options or HedgeOptions()
    hedger = Hedger(lane, wrap(ledger), UniswapHedge(places, chosen), places, chosen, lambda call: call)
    try:
        yield Desk(here, rpc, ledger, lane, hedger, places)
    finally:
        await ledger.close()


async def bought(desk: Desk, amount: int = BOUGHT) -> None:
    """Let the dealer have bought collateral: the tokens, and the fill in its ledger."""
    manifest = desk.world.manifest
    domain = QuoteDomain(31337, desk.places.engine)

    def make(nonce: int) -> IssuedQuote:
        quote = replace(a_quote(nonce=nonce), max_fill=amount)
        return IssuedQuote(quote, domain.digest(quote), b"\x01" * 65, 1)

    issued = await desk.ledger.issue(make)
    await desk.ledger.settle({issued.digest: amount}, latest(desk.world.node))
    mint = plain_call("mint(address,uint256)", "0x" + desk.places.dealer.hex(), amount)
    desk.world.send(desk.world.owner, manifest.asset("WETH").token, mint)


async def heads(desk: Desk, count: int) -> None:
    for _ in range(count):
        await desk.head()


async def test_what_was_bought_is_sold_in_the_pool_and_the_approval_is_exact(
    here: World, tmp_path: Path
) -> None:
    async with desk_on(here, tmp_path / "dealer.sqlite") as desk:
        await bought(desk)
        await heads(desk, 6)
        works = await desk.ledger.works(10)
        assert [work.kind for work in reversed(works)] == [WorkKind.APPROVE, WorkKind.HEDGE]
        assert await desk.ledger.exposure() == {(WETH, USDC): 0}
        assert desk.balance("WETH") == 0
        assert works[0].bought == desk.balance("USDC") > 0
        router, dealer = "0x" + desk.places.router.hex(), "0x" + desk.places.dealer.hex()
        left = here.view(
            here.manifest.asset("WETH").token, plain_call("allowance(address,address)", dealer, router)
        )
        assert int.from_bytes(left) == 0


async def test_nothing_is_sold_below_what_is_worth_a_transaction(here: World, tmp_path: Path) -> None:
    async with desk_on(here, tmp_path / "dealer.sqlite") as desk:
        await bought(desk, 10**16)
        await heads(desk, 3)
        assert await desk.ledger.works(10) == []


async def test_a_sale_is_cut_to_the_slippage_limit_and_goes_on_later(here: World, tmp_path: Path) -> None:
    options = HedgeOptions(max_slippage_bps=1)
    async with desk_on(here, tmp_path / "dealer.sqlite", options=options) as desk:
        await bought(desk, 200 * 10**18)
        await heads(desk, 5)
        sold = [work.sold for work in await desk.ledger.works(10) if work.kind is WorkKind.HEDGE]
        assert len(sold) > 1
        assert (await desk.ledger.exposure())[WETH, USDC] == 200 * 10**18 - sum(sold) > 0


async def test_the_clearing_house_may_draw_what_open_quotes_may_cost_and_no_more(
    here: World, tmp_path: Path
) -> None:
    async with desk_on(here, tmp_path / "dealer.sqlite") as desk:
        for _ in range(4):
            await desk.head({USDC: 10**12})
        works = await desk.ledger.works(10)
        assert [work.kind for work in works] == [WorkKind.APPROVE]
        reading = await Reader(NodeRpc(here.node), desk.places).at(latest(here.node), [])
        assert reading.funds[USDC].allowance == 10**12


class KilledError(Exception):
    """Stands for the end of the process."""


class Crashing(NodeRpc):
    """A node that a crash cuts off at a broadcast, before or after it has arrived."""

    def __init__(self, node: Any, fatal: int, *, arrives: bool) -> None:
        super().__init__(node)
        self._left = fatal
        self._arrives = arrives

    async def request(self, method: str, params: Any = ()) -> Json:
        if method == "eth_sendRawTransaction":
            self._left -= 1
            if self._left == 0:
                if self._arrives:
                    await super().request(method, params)
                raise KilledError
        return await super().request(method, params)


@pytest.mark.parametrize("arrives", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fatal", [1, 2], ids=["approval", "hedge"])
async def test_a_crash_around_a_broadcast_neither_loses_nor_doubles_it(
    here: World, tmp_path: Path, fatal: int, arrives: bool
) -> None:
    path = tmp_path / "dealer.sqlite"
    crashing = Crashing(here.node, fatal, arrives=arrives)
    async with desk_on(here, path, crashing) as desk:
        await bought(desk)
        with pytest.raises(KilledError):
            await heads(desk, 6)
    async with desk_on(here, path) as desk:
        await heads(desk, 8)
        works = await desk.ledger.works(10)
        assert [work.kind for work in reversed(works)] == [WorkKind.APPROVE, WorkKind.HEDGE]
        assert {work.state for work in works} == {WorkState.INCLUDED}
        assert await desk.ledger.exposure() == {(WETH, USDC): 0}
        assert desk.balance("WETH") == 0


@pytest.mark.slow
async def test_a_crash_at_any_step_of_a_hedge_neither_loses_nor_doubles_it(
    here: World, tmp_path: Path
) -> None:
    blank = tmp_path / "blank.sqlite"
    async with desk_on(here, blank) as desk:
        await bought(desk)
        mint = plain_call("mint(address,uint256)", "0x" + desk.places.dealer.hex(), BOUGHT)
        here.send(here.owner, here.manifest.asset("WETH").token, mint)  # held, and not to be sold
    point, crashed = 0, True
    while crashed:
        point += 1
        snapshot, crashed = here.node.call("evm_snapshot"), False
        path = Path(shutil.copy(blank, tmp_path / f"{point}.sqlite"))
        try:
            async with desk_on(here, path, wrap=CrashAt(point).wrap) as desk:
                await heads(desk, 5)
        except Crash:
            crashed = True
        async with desk_on(here, path) as desk:
            await heads(desk, 6)
            works = await desk.ledger.works(10)
            assert {work.state for work in works} == {WorkState.INCLUDED}, f"crash at point {point}"
            assert sum(work.sold for work in works) == BOUGHT, f"crash at point {point}"
            assert await desk.ledger.exposure() == {(WETH, USDC): 0}
            assert desk.balance("WETH") == BOUGHT
        here.node.call("evm_revert", snapshot)
    assert point > 40


async def test_a_broadcast_that_nobody_answered_is_sent_again_as_the_same_bytes(
    here: World, tmp_path: Path
) -> None:
    class Deaf(NodeRpc):
        sent: ClassVar[list[Any]] = []

        async def request(self, method: str, params: Any = ()) -> Json:
            if method == "eth_sendRawTransaction":
                self.sent.append(params[0])
                if len(self.sent) == 1:
                    raise EndpointUnreachableError("test node", "dropped")
            return await super().request(method, params)

    async with desk_on(here, tmp_path / "dealer.sqlite", Deaf(here.node)) as desk:
        await bought(desk)
        await heads(desk, 8)
        assert Deaf.sent[0] == Deaf.sent[1]
        assert desk.balance("WETH") == 0


async def test_a_nonce_that_was_used_elsewhere_drops_the_transaction_and_the_hedge_is_due_again(
    here: World, tmp_path: Path
) -> None:
    class Swallowing(NodeRpc):
        swallowed = 0

        async def request(self, method: str, params: Any = ()) -> Json:
            if method == "eth_sendRawTransaction" and self.swallowed == 0:
                self.swallowed += 1
                other = {"to": here.owner, "value": 1, "gas": 21_000, "nonce": 0, "chainId": 31337}
                fees = {"maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9}
                raw = Account.from_key(KEY).sign_transaction(other | fees).raw_transaction
                here.node.call("eth_sendRawTransaction", "0x" + bytes(raw).hex())
                return None
            return await super().request(method, params)

    async with desk_on(here, tmp_path / "dealer.sqlite", Swallowing(here.node)) as desk:
        await bought(desk)
        await heads(desk, 9)
        works = list(reversed(await desk.ledger.works(10)))
        assert works[0].state is WorkState.DROPPED
        assert [work.kind for work in works[1:]] == [WorkKind.APPROVE, WorkKind.HEDGE]
        assert desk.balance("WETH") == 0


async def test_a_hedge_whose_receipt_is_late_is_not_made_again(here: World, tmp_path: Path) -> None:
    class Late(NodeRpc):
        withheld = 0

        async def request(self, method: str, params: Any = ()) -> Json:
            if method == "eth_getTransactionReceipt" and self.withheld < 6:
                self.withheld += 1
                return None
            return await super().request(method, params)

    async with desk_on(here, tmp_path / "dealer.sqlite", Late(here.node)) as desk:
        await bought(desk)
        mint = plain_call("mint(address,uint256)", "0x" + desk.places.dealer.hex(), BOUGHT)
        here.send(here.owner, here.manifest.asset("WETH").token, mint)  # held, and not to be sold
        await heads(desk, 14)
        assert {work.state for work in await desk.ledger.works(10)} == {WorkState.INCLUDED}
        assert await desk.ledger.exposure() == {(WETH, USDC): 0}
        assert desk.balance("WETH") == BOUGHT


@pytest.mark.parametrize("wrong", [{"transactionHash": "0x" + "77" * 32}, {"blockHash": "0x" + "77" * 32}])
async def test_a_receipt_of_something_else_or_of_another_branch_ends_no_hedge(
    here: World, tmp_path: Path, wrong: dict[str, str]
) -> None:
    class Astray(NodeRpc):
        async def request(self, method: str, params: Any = ()) -> Json:
            answer: Any = await super().request(method, params)
            return {**answer, **wrong} if method == "eth_getTransactionReceipt" and answer else answer

    path = tmp_path / "dealer.sqlite"
    async with desk_on(here, path, Astray(here.node)) as desk:
        await bought(desk)
        for _ in range(3):
            with suppress(MalformedAnswerError):
                await desk.head()
        assert [work.state for work in await desk.ledger.works(10)] == [WorkState.SIGNED]
    async with desk_on(here, path) as desk:
        await heads(desk, 6)
        assert desk.balance("WETH") == 0


async def test_a_pool_that_moves_reverts_the_hedge_and_the_next_one_takes_the_new_price(
    here: World, tmp_path: Path
) -> None:
    async with desk_on(here, tmp_path / "dealer.sqlite") as desk:
        await bought(desk)
        await desk.head()
        await desk.head()
        head = latest(here.node)
        protocol = SluiceProtocol(NodeRpc(here.node), here.manifest)
        await protocol.sync(head)
        order = UniswapHedge(desk.places, HedgeOptions()).order(protocol.snapshot(head), (WETH, USDC), BOUGHT)
        assert order is not None
        here.trade("WETH", "USDC", 3_000)
        dealer = "0x" + desk.places.dealer.hex()
        here.node.call("anvil_impersonateAccount", dealer)
        assert here.send(dealer, order.call.to, order.call.data, must_succeed=False)["status"] == "0x0"
        await heads(desk, 6)
        assert desk.balance("WETH") == 0


async def test_a_hedge_counts_only_when_it_is_deep_enough_to_stay(here: World, tmp_path: Path) -> None:
    async with desk_on(here, tmp_path / "dealer.sqlite", depth=3) as desk:
        await bought(desk)
        await heads(desk, 6)
        assert desk.balance("WETH") == 0
        assert await desk.ledger.exposure() == {(WETH, USDC): BOUGHT}
        (open_work,) = await desk.ledger.open_works()
        assert open_work.kind is WorkKind.HEDGE
        await heads(desk, 4)
        assert await desk.ledger.exposure() == {(WETH, USDC): 0}
