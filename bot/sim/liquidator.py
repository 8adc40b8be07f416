"""A liquidator for the fixed bonus: on each head it sends whatever pays best, for as long as something pays.

It stands where the keeper stands: it sees a head, its transactions come first in the next block, and nobody
competes with it. Sizes come from the pools' liquidity and price as of the head, moved by its own sales; the
engine holds it to the profit that it asks for, so a wrong guess reverts and costs gas.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bot.protocols.sluice.calls import pool_path, route_data
from bot.sim.abi import call_data
from bot.sim.book import AssetTerms
from bot.sim.book_view import AccountView, BookHealth, MarketView
from bot.sim.depth_curve import DepthCurve, depth_curve
from bot.sim.lockstep import Acknowledgement
from bot.sim.sender import Transaction
from bot.sim.watcher import Head, Watcher
from bot.sim.world import World

WAD = 10**18
BONUS = 0.05
CLOSE_FACTOR, CLOSE_FACTOR_HEALTH = 0.5, 0.95
SMALL_USD = 2_000.0
"""The engine's rule, which it checks itself; here to choose sizes by."""

LIQUIDATION = "liquidate((address,uint8,uint8,uint256,uint256,address,bytes))"
GAS_USED, GAS_LIMIT = 450_000, 1_500_000
"""What a liquidation with its sale takes, and the limit that it is sent with."""

SIZES = np.geomspace(1.0, 0.01, 14)
"""Parts of the largest size that are tried."""

Route = tuple[tuple[int, bool], ...]
"""Pools in order, and whether each is sold its base."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A liquidation that would pay.

    Parameters
    ----------
    index : int
        Of the account, in the book's order.
    collateral_id, debt_id : int
        Assets.
    repaid : float
        Debt to repay, token units.
    seized : float
        Collateral that it gives, token units.
    profit : float
        Sale less debt repaid less gas, US dollars at the oracle's prices.
    """

    index: int
    collateral_id: int
    debt_id: int
    repaid: float
    seized: float
    profit: float


@dataclass
class Liquidator:
    """Liquidates on the engine of the fixed bonus, from an account that the node impersonates.

    Parameters
    ----------
    world : World
        A stage set for the fixed bonus.
    watcher : Watcher
        Reads the blocks; book and prices are taken from it.
    address : str
        Sends and earns.
    gas_price_wei : int
        Paid by each transaction.
    """

    world: World
    watcher: Watcher
    address: str
    gas_price_wei: int

    def __post_init__(self) -> None:
        self._fee_usd_per_eth = self.gas_price_wei * GAS_USED / WAD
        self.world.anvil.rpc.call("anvil_impersonateAccount", self.address)

    def act(self, head: Head, sqrt_prices: Sequence[int]) -> Acknowledgement:
        """Send upon a head all that pays; the pools are at these prices."""
        pools = [
            depth_curve(pool.geometry, [position.band for position in pool.positions], price)
            for pool, price in zip(self.world.pools, sqrt_prices, strict=True)
        ]
        chosen = list(self.choose(self.watcher.book.health(self.watcher.markets), pools))
        count = self.world.anvil.rpc.call("eth_getTransactionCount", self.address, "latest")
        for nonce, offer in enumerate(chosen, int(count, 16)):
            method, params = self._transaction(offer).request(nonce, self.gas_price_wei)
            self.world.anvil.rpc.call(method, *params)
        return Acknowledgement(head.number, head.block_hash, len(chosen))

    def choose(self, health: BookHealth, pools: list[DepthCurve]) -> Iterator[Offer]:
        """Yield the best offer, then the best of what it leaves, one for each account.

        Each account is priced against the pools as they stand after the offers before it; those that looked
        best at first are asked first.
        """
        indices = [int(index) for index in np.flatnonzero(health.unhealthy)]
        first = [(self.best(index, health, pools), index) for index in indices]
        ranked = sorted((offer.profit, index) for offer, index in first if offer is not None)
        for _, index in reversed(ranked):
            offer = self.best(index, health, pools)
            if offer is not None:
                route = self.route(offer.collateral_id, offer.debt_id)
                _, after = _sell(route, pools, offer.seized)
                pools[:] = after
                yield offer

    def best(self, index: int, health: BookHealth, pools: Sequence[DepthCurve]) -> Offer | None:
        """Return the offer of one account that pays most, or None if none pays its gas."""
        account = self.watcher.book.account(index)
        near = health.health[index] > CLOSE_FACTOR_HEALTH
        most_usd = health.debt[index] * (CLOSE_FACTOR if near else 1.0)
        offers = [
            offer
            for collateral_id, held in enumerate(account.collateral)
            for debt_id, shares in enumerate(account.debt_shares)
            if held and shares and collateral_id != debt_id
            for offer in self._sizes(index, collateral_id, debt_id, account, most_usd, pools)
        ]
        paying = [offer for offer in offers if offer.profit > 0.0]
        return max(paying, key=lambda offer: offer.profit, default=None)

    def _sizes(
        self,
        index: int,
        collateral_id: int,
        debt_id: int,
        account: AccountView,
        most_usd: float,
        pools: Sequence[DepthCurve],
    ) -> Iterator[Offer]:
        """Yield one pair's offers, from the largest size down."""
        markets, terms = self.watcher.markets, self.world.terms
        in_usd = [_usd_per_unit(market, asset) for market, asset in zip(markets, terms, strict=True)]
        owed = account.debt_shares[debt_id] * _assets_per_share(markets[debt_id]) * in_usd[debt_id]
        held = account.collateral[collateral_id] * in_usd[collateral_id]
        small = min(owed, held) < SMALL_USD
        largest = min(owed if small else min(owed, most_usd), held / (1.0 + BONUS))
        route = self.route(collateral_id, debt_id)
        fee = self._fee_usd_per_eth * self._eth_usd()
        for repaid in largest * SIZES:
            seized = repaid * (1.0 + BONUS) / in_usd[collateral_id]
            brought, _ = _sell(route, pools, seized)
            profit = brought * in_usd[debt_id] - repaid - fee
            yield Offer(index, collateral_id, debt_id, repaid / in_usd[debt_id], seized, profit)

    def route(self, collateral_id: int, debt_id: int) -> Route:
        """Return the pools that a sale goes through: one, or two with the quote token between them."""
        pools = self.world.pools
        into = {pool.base_id: number for number, pool in enumerate(pools)}
        route: list[tuple[int, bool]] = []
        if collateral_id in into:
            route.append((into[collateral_id], True))
        if debt_id in into:
            route.append((into[debt_id], False))
        return tuple(route)

    def _eth_usd(self) -> float:
        eth = self.world.manifest.asset("WETH").id
        return self.watcher.markets[eth].price_wad / WAD

    def _transaction(self, offer: Offer) -> Transaction:
        markets, terms = self.watcher.markets, self.world.terms
        fee_units = (
            self._fee_usd_per_eth
            * self._eth_usd()
            / _usd_per_unit(markets[offer.debt_id], terms[offer.debt_id])
        )
        order = (
            self.world.accounts[offer.index],
            offer.collateral_id,
            offer.debt_id,
            _whole(offer.repaid),
            int(fee_units),
            self.world.manifest.uniswap_v3_venue,
            route_data((10_000, self._path(self.route(offer.collateral_id, offer.debt_id)))),
        )
        engine = self.world.manifest.liquidation_engine
        return Transaction(self.address, engine, call_data(LIQUIDATION, order), GAS_LIMIT)

    def _path(self, route: Route) -> bytes:
        """Pack a route as Uniswap's routers do."""
        path = b""
        for number, base in route:
            pool = self.world.pools[number]
            ends = (pool.base_token, pool.quote_token) if base else (pool.quote_token, pool.base_token)
            hop = pool_path(ends[0], pool.geometry.fee_pips, ends[1])
            path = path + hop[20:] if path else hop
        return path


def _sell(route: Route, pools: Sequence[DepthCurve], amount: float) -> tuple[float, list[DepthCurve]]:
    """Return what a sale along a route brings, raw units, and all pools after it."""
    after = list(pools)
    for number, base in route:
        amount, after[number] = after[number].sold(amount, base=base)
    return amount, after


def _whole(repaid: float) -> int:
    """Return a limit that a debt repaid whole does not miss for a float's rounding; the engine caps it."""
    return int(repaid * (1.0 + 1e-9)) + 1


def _usd_per_unit(market: MarketView, terms: AssetTerms) -> float:
    return float(market.price_wad / WAD / terms.unit)


def _assets_per_share(market: MarketView) -> float:
    return market.total_borrow_assets / max(market.total_borrow_shares, 1)
