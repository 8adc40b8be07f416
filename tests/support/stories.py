"""What a keeper does until its process is killed at some step, and how the next one goes on."""

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count as numbers
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from bot.chain.client import RpcClient
from bot.chain.endpoint import Endpoint
from bot.execution.broadcast import PublicRoute
from bot.execution.guard import Unlimited
from bot.execution.post import JsonRpcPost
from bot.execution.relay import PrivateRoute, RelayOptions, Style
from bot.ports import Address, Head, Intent, Outcome, Terms, Transaction
from bot.protocols.sluice.fills import fill_data
from bot.rfq.asking import DeskOptions, KnownDealer, RequestDesk
from bot.rfq.keeping import DealtQuotes, FillWatcher
from bot.rfq.messages import RequestMessage, SignedMessage, request_of, signed_message
from bot.rfq.verification import QuoteVerifier
from bot.strategy.decide import decide
from bot.strategy.settings import StrategySettings
from tests.support.anvil import Client
from tests.support.landing import (
    CHAIN_ID,
    GWEI,
    KEY,
    CrashAt,
    Keeper,
    RefusesWhatItTook,
    Refusing,
    account,
    count,
    head_of,
    intent,
    kill,
    mine,
    running,
    spike,
)
from tests.support.rfq import DOMAIN, FAIR, VENUE, FakeChain, a_key, a_quote, address_of, sign
from tests.support.snapshots import NOW, Scene

Wrap = Callable[[Any], Any]

WORTH = Terms(worth=10**18)
DEALER = a_key()

_PATIENCE = 8
"""Heads within which everything is to have landed."""


@dataclass(frozen=True)
class Stage:
    """Where a story is played.

    Parameters
    ----------
    port : int
        Of the node.
    path : Path
        The ledger.
    counter : Address
        A contract that counts what is done.
    relay : str
        URL of a private relay.
    """

    port: int
    path: Path
    counter: Address
    relay: str = ""


class Story:
    """Two accounts are acted for, and it lands; other stories say what is different."""

    lands = 2

    @asynccontextmanager
    async def keeper(self, stage: Stage, wrap: Wrap) -> AsyncIterator[Keeper]:
        """Run a keeper; ``wrap`` stands before everything that it calls."""
        async with running(stage.port, stage.path, wrap=wrap) as keeper:
            yield keeper

    async def offer(self, node: Client, keeper: Keeper, stage: Stage) -> None:
        """Offer what is still to be done, as on every head."""
        await keeper.executor.execute(self.wanted(stage), head_of(node))

    def wanted(self, stage: Stage) -> list[Intent]:
        return [intent(stage.counter, name, terms=WORTH) for name in "ab"]

    async def play(self, node: Client, stage: Stage, wrap: Wrap) -> None:
        """Do what is to be interrupted."""
        async with self.keeper(stage, wrap) as keeper:
            await self.act(node, keeper, stage)

    async def act(self, node: Client, keeper: Keeper, stage: Stage) -> None:
        await self.offer(node, keeper, stage)
        await keeper.executor.track(mine(node))

    async def go_on(self, node: Client, stage: Stage) -> list[Transaction]:
        """Start anew, and come to an end; return what the ledger says then."""
        node.call("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        async with self.keeper(stage, lambda target: target) as keeper:
            await keeper.executor.reconcile(mine(node))
            ended = False
            for _ in range(_PATIENCE):
                await self.offer(node, keeper, stage)
                await keeper.executor.track(mine(node))
                rows = await keeper.ledger.recent_transactions(50)
                if ended:  # and offered once more since, which must come to nothing
                    break
                ended = len(landed_accounts(rows)) == self.lands and not any(r.outcome.is_open for r in rows)
            await self.check(keeper)
            return rows

    async def check(self, keeper: Keeper) -> None:
        """Look at what is told by nothing but this story."""


class Bumped(Story):
    """A spike shuts both out, and they are made dearer twice."""

    async def act(self, node: Client, keeper: Keeper, stage: Stage) -> None:
        await self.offer(node, keeper, stage)
        for gwei in (20, 40):
            await keeper.executor.track(spike(node, gwei))
        await keeper.executor.track(mine(node))


class Cancelled(Story):
    """A spike shuts both out until their deadline has passed."""

    async def act(self, node: Client, keeper: Keeper, stage: Stage) -> None:
        late = Terms(deadline=head_of(node).timestamp)
        await keeper.executor.execute([replace(one, terms=late) for one in self.wanted(stage)], head_of(node))
        await keeper.executor.track(spike(node, 20))
        await keeper.executor.track(mine(node))


class Filled(Story):
    """The node refuses the first, so that its nonce is filled, and the second lands behind it."""

    async def play(self, node: Client, stage: Stage, wrap: Wrap) -> None:
        full = Refusing(1)
        await super().play(node, stage, lambda target: wrap(full.wrap(target)))

    async def act(self, node: Client, keeper: Keeper, stage: Stage) -> None:
        await self.offer(node, keeper, stage)
        for _ in range(3):
            await keeper.executor.track(mine(node))


class Halt(Unlimited):
    """A halt that a story throws."""

    reason: str | None = None

    async def halted(self) -> str | None:
        return self.reason


class Halted(Story):
    """A spike shuts both out, and then the keeper is halted."""

    @asynccontextmanager
    async def keeper(self, stage: Stage, wrap: Wrap) -> AsyncIterator[Keeper]:
        self.halt = Halt()
        async with running(stage.port, stage.path, wrap=wrap, guard=lambda memory: self.halt) as keeper:
            yield keeper

    async def act(self, node: Client, keeper: Keeper, stage: Stage) -> None:
        await self.offer(node, keeper, stage)
        spike(node, 20)
        self.halt.reason = "by hand"
        await keeper.executor.track(head_of(node))
        await keeper.executor.track(mine(node))


class Private(Story):
    """A relay is given both; one that lands nothing leaves them to the public pool after two blocks."""

    def __init__(self, style: Style, tracks: int) -> None:
        self._style: Style = style
        self._tracks = tracks

    @asynccontextmanager
    async def keeper(self, stage: Stage, wrap: Wrap) -> AsyncIterator[Keeper]:
        post = JsonRpcPost(Endpoint.parse(stage.relay), "relay.url", timeout_s=10.0)
        async with RpcClient(Endpoint.parse(f"ws://127.0.0.1:{stage.port}"), CHAIN_ID) as rpc:
            options = RelayOptions(self._style, blocks=2)
            route = PrivateRoute(wrap(post), PublicRoute(wrap(rpc)), options)
            async with running(
                stage.port, stage.path, wrap=wrap, accounts=[account(KEY, route=route)]
            ) as keeper:
                yield keeper
        await post.close()

    async def act(self, node: Client, keeper: Keeper, stage: Stage) -> None:
        await self.offer(node, keeper, stage)
        for _ in range(self._tracks):
            await keeper.executor.track(mine(node))


class Refused(Story):
    """The node takes the action, and an endpoint that lags behind says that it is refused."""

    lands = 1

    async def offer(self, node: Client, keeper: Keeper, stage: Stage) -> None:
        """Offer what is still to be done; the state has moved on, so that it has another key."""
        head = head_of(node)
        if count(node, stage.counter) == 0:
            await keeper.executor.execute([intent(stage.counter, "a", head.number.to_bytes(8))], head)

    async def play(self, node: Client, stage: Stage, wrap: Wrap) -> None:
        liar = RefusesWhatItTook()
        await super().play(node, stage, lambda target: wrap(liar.wrap(target)))

    async def act(self, node: Client, keeper: Keeper, stage: Stage) -> None:
        await self.offer(node, keeper, stage)
        for _ in range(2):
            await keeper.executor.track(head_of(node))
            await self.offer(node, keeper, stage)
            await keeper.executor.track(mine(node))


class Undone(Story):
    """Both land, and a reorg undoes it while the keeper is down."""

    async def play(self, node: Client, stage: Stage, wrap: Wrap) -> None:
        mine(node, 3)
        async with self.keeper(stage, lambda target: target) as keeper:
            await keeper.ledger.record_head(head_of(node))
            await self.act(node, keeper, stage)
        node.call("anvil_reorg", 1, [])
        node.call("anvil_dropAllTransactions")
        async with self.keeper(stage, wrap) as keeper:
            await keeper.executor.reconcile(head_of(node))
            for _ in range(2):
                await self.act(node, keeper, stage)


@dataclass
class DealtKeeper(Keeper):
    """A keeper that asks dealers.

    Parameters
    ----------
    quotes : DealtQuotes
        Asks them.
    """

    quotes: DealtQuotes


class HonestDealer:
    """Signs what is asked for."""

    label = "dealer"

    def __init__(self) -> None:
        self._nonces = numbers()

    async def quote(self, message: RequestMessage) -> SignedMessage:
        request = request_of(message)
        quote = a_quote(
            DEALER,
            account=request.account,
            epoch=request.epoch,
            collateral_id=request.collateral_id,
            debt_id=request.debt_id,
            price=FAIR * 995 // 1000,
            max_fill=request.amount,
            nonce=next(self._nonces),
            deadline=NOW + 36,
            filler=request.filler,
        )
        return signed_message(quote, sign(quote, DEALER))


class Dealt(Story):
    """A dealer's quotes on two accounts are filled, and its score is told of it."""

    @asynccontextmanager
    async def keeper(self, stage: Stage, wrap: Wrap) -> AsyncIterator[Keeper]:
        async with running(stage.port, stage.path, wrap=wrap) as keeper:
            known = KnownDealer(address_of(DEALER), wrap(HonestDealer()))
            verifier = QuoteVerifier(wrap(FakeChain()), VENUE)
            options = DeskOptions(deadline_s=5.0, mark_after=1)
            desk = RequestDesk([known], DOMAIN, verifier, wrap(keeper.ledger.dealers), options)
            quotes = DealtQuotes(desk)
            watched: Any = FillWatcher(keeper.executor, quotes)
            yield DealtKeeper(watched, keeper.ledger, quotes)

    async def offer(self, node: Client, keeper: Keeper, stage: Stage) -> None:
        assert isinstance(keeper, DealtKeeper)
        head = head_of(node)
        snapshot = await keeper.quotes.attach(auctions(), quoted_at(head))
        fills = [
            intent(
                stage.counter,
                candidate.action.account.hex(),
                fill_data(candidate.action),
                key=f"{candidate.action.account.hex()}:fill",
                terms=WORTH,
            )
            for candidate in decide(snapshot, StrategySettings()).candidates
        ]
        assert len(fills) == 2
        await keeper.executor.execute(fills, head)

    async def check(self, keeper: Keeper) -> None:
        """Nothing is held against the dealer, and no fill counts twice; a kill may forget one."""
        scores = await keeper.ledger.dealers.load()
        score = scores[to_checksum_address(address_of(DEALER))]
        assert score.fills <= 2
        assert (score.failed_fills, score.faults, score.strikes) == (0, 0, 0)


def auctions() -> Any:
    """Return a snapshot with two auctions that no pool buys from."""
    scene = Scene()
    scene.account({"WETH": 1}, {})  # the first one's address is zero, for which nobody may ask
    for _ in range(2):
        scene.auction(scene.account({"WETH": 10}, {"USDC": 1_700}), ["WETH"], age=600)
    return scene.shoot()


def quoted_at(head: Head) -> Head:
    """Return a head at whose time the auctions stand."""
    return replace(head, timestamp=NOW)


STORIES: dict[str, Story] = {
    "landed": Story(),
    "bumped": Bumped(),
    "cancelled": Cancelled(),
    "filled": Filled(),
    "halted": Halted(),
    "built by a relay": Private("bundle", tracks=1),
    "left by a relay": Private("transaction", tracks=3),
    "refused and taken": Refused(),
    "undone": Undone(),
    "dealt": Dealt(),
}


def processes() -> ForkServerContext:
    """Return what starts processes in which stories can be played at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def play_until_killed(name: str, stage: Stage, point: int) -> None:
    """Play a story, and be killed at a point: before or after one of the calls, if it comes that far."""
    asyncio.run(STORIES[name].play(Client(stage.port), stage, CrashAt(point, kill).wrap))


async def is_killed(context: ForkServerContext, name: str, stage: Stage, point: int) -> bool:
    """Return whether a story in a process of its own came as far as a point; it is killed there."""
    process = context.Process(target=play_until_killed, args=(name, stage, point))
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode in (0, -signal.SIGKILL), f"{name} at point {point}: {process.exitcode}"
    return process.exitcode != 0


def landed_accounts(rows: Sequence[Transaction]) -> list[str]:
    """Return the accounts of the actions that are in blocks."""
    return [row.intent.account for row in rows if row.outcome is Outcome.INCLUDED and not row.cancels]
