"""Watching the chain: what each block did, and how the book stands after it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.errors import MeasurementError
from bot.protocols.decoding import decode
from bot.sim.abi import call_data
from bot.sim.actors import Actors
from bot.sim.book_view import (
    WAD,
    AccountView,
    BookHealth,
    BookView,
    MarketView,
    parse_markets,
    parse_positions,
)
from bot.sim.measure import Frame, PoolFrame, Recorder
from bot.sim.observation import BlockFacts, Observer
from bot.sim.release import ReleaseWatch
from bot.sim.rpc import Request
from bot.sim.sender import call_request, to_bytes
from bot.sim.world import World

READ_AT_ONCE = 500
"""Accounts that one call of the lens reads."""


@dataclass(frozen=True, slots=True)
class Head:
    """A block that was mined: height and hash."""

    number: int
    block_hash: str


class Watcher:
    """Reads each block once and tells the recorder.

    Balances are read again only for accounts that an event names; at the end all are, and any difference
    means that the events are incomplete, which `verify` refuses.

    Parameters
    ----------
    world : World
        What is watched.
    recorder : Recorder
        Told of everything.
    keeper : str
        The keeper's address.
    release : ReleaseWatch or None
        Watches budgets and auctions; None where another engine has none.
    """

    def __init__(
        self, world: World, recorder: Recorder, keeper: str, release: ReleaseWatch | None = None
    ) -> None:
        self._world = world
        self._release = release
        self._recorder = recorder
        self._index = {account.lower(): index for index, account in enumerate(world.accounts)}
        self._views = self._read(range(len(world.accounts)), "latest")
        self.book = BookView(world.terms, len(world.accounts))
        for index, view in enumerate(self._views):
            self.book.update(index, view)
        self.markets = self._read_markets("latest")
        self._observer = Observer(world.manifest, keeper, [market.price_wad for market in self.markets])

    def watch(self, ts: int, market: tuple[float, ...], actors: Actors) -> tuple[Head, Frame]:
        """Read the block that was just mined.

        Parameters
        ----------
        ts : int
            Its time.
        market : tuple of float
            The market's prices, US dollars by asset id.
        actors : Actors
            Told what of theirs was mined, and the pools' prices.
        """
        head, receipts, markets = self._read_block(actors)
        self.markets = markets
        actors.settle(receipts)
        facts = self._observer.observe(receipts)
        self._follow(facts, hex(head.number))
        self._recorder.acted(head.number, ts, facts, market)
        self._name_reverted(head.number, facts)
        health = self.book.health(self.markets)
        frame = self._frame(head.number, ts, market, health, actors.sqrt_prices)
        if self._release is not None:
            budgets, auctions = self._release.watch(ts, facts, self._accounts(), self.markets)
            frame = replace(frame, budgets=budgets, auctions=auctions)
        self._recorder.stands(frame, health)
        return head, frame

    def equity(self, market: Sequence[float]) -> float:
        """Return what borrowers own beyond their debt at the market's prices; never less than zero each."""
        collateral, debt = self.book.value(self.markets, market)
        return float((collateral - debt).clip(min=0.0).sum())

    def debt(self, market: Sequence[float]) -> float:
        """Return the book's debt at the market's prices."""
        return float(self.book.value(self.markets, market)[1].sum())

    def verify(self) -> None:
        """Check that the book that was followed through events is the one on chain.

        Raises
        ------
        MeasurementError
            If an account differs.
        """
        for index, view in enumerate(self._read(range(len(self._views)), "latest")):
            if view != self._views[index]:
                account = self._world.accounts[index]
                raise MeasurementError(f"account {account} holds {view}, its events say {self._views[index]}")

    # ------------------------------------------------------------------------------ internals

    def _read_block(self, actors: Actors) -> tuple[Head, list[Any], list[MarketView]]:
        """Read head, receipts and markets in one request; nothing is mined until the keeper has acted."""
        reads: list[Request] = [
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_getBlockReceipts", ["latest"]),
            call_request(self._world.manifest.position_lens, call_data("markets()")),
            *(call_request(pool.address, call_data("slot0()")) for pool in self._world.pools),
        ]
        block, receipts, packed, *slots = self._world.anvil.rpc.batch(reads)
        actors.sqrt_prices = [int(slot[2:66], 16) for slot in slots]
        return Head(int(block["number"], 16), str(block["hash"])), receipts, self._unpack_markets(packed)

    def _follow(self, facts: BlockFacts, block: str) -> None:
        """Read the accounts that the block's events name."""
        touched = sorted(self._index[account] for account in facts.touched if account in self._index)
        for index, view in zip(touched, self._read(touched, block), strict=True):
            self._views[index] = view
            self.book.update(index, view)

    def _accounts(self) -> dict[str, AccountView]:
        return {account: self._views[index] for account, index in self._index.items()}

    def _name_reverted(self, block: int, facts: BlockFacts) -> None:
        """Find the accounts of the keeper's reverted transactions in their calldata."""
        for transaction in facts.keeper:
            if not transaction.succeeded:
                sent = self._world.anvil.rpc.call("eth_getTransactionByHash", transaction.transaction_hash)
                self._recorder.answered(block, self._recorder.named_in(to_bytes(sent["input"])))

    def _frame(
        self, block: int, ts: int, market: tuple[float, ...], health: BookHealth, sqrt_prices: Sequence[int]
    ) -> Frame:
        pools = zip(self._world.pools, sqrt_prices, strict=True)
        return Frame(
            block=block,
            ts=ts,
            market=market,
            oracle=tuple(asset.price_wad / WAD for asset in self.markets),
            pools=tuple(
                PoolFrame(pool.geometry.price(price), pool.depth(price), pool.depth(price, selling=False))
                for pool, price in pools
            ),
            collateral=float(health.collateral.sum()),
            debt=float(health.debt.sum()),
            debt_by_band=health.debt_by_band(),
            unhealthy_accounts=int(health.unhealthy.sum()),
            shortfall=health.shortfall(),
        )

    def _read(self, indices: Sequence[int], block: str) -> list[AccountView]:
        """Read balances through the lens."""
        views: list[AccountView] = []
        lens = self._world.manifest.position_lens
        for begin in range(0, len(indices), READ_AT_ONCE):
            asked = [self._world.accounts[index] for index in indices[begin : begin + READ_AT_ONCE]]
            method, params = call_request(lens, call_data("positions(address[])", asked), block)
            packed = decode(["bytes"], to_bytes(self._world.anvil.rpc.call(method, *params)))[0]
            views += parse_positions(packed, len(asked), len(self._world.terms))
        return views

    def _read_markets(self, block: str) -> list[MarketView]:
        method, params = call_request(self._world.manifest.position_lens, call_data("markets()"), block)
        return self._unpack_markets(self._world.anvil.rpc.call(method, *params))

    def _unpack_markets(self, packed: str) -> list[MarketView]:
        return parse_markets(decode(["bytes"], to_bytes(packed))[0], len(self._world.terms))
