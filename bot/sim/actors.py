"""Who acts in a block besides the keeper: feeds, arbitrageur and providers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.errors import ReplayError
from bot.sim.abi import call_data
from bot.sim.feed import Round, to_answer
from bot.sim.market import PoolMarket, read_sqrt_price
from bot.sim.sender import NodeSender, Transaction, call_request, to_bytes
from bot.sim.world import World, nonces, read_rounds

GWEI = 10**9
PUBLISH_GAS = 200_000

ORDER = (
    "first the keeper's transactions, sent upon the head before, then the feeds that are due, then the "
    "arbitrageur, pool by pool, then the providers whose bands move"
)


class Actors:
    """Feeds, arbitrageur and providers of one world.

    The node orders by arrival, and `submit` is called once the keeper has acknowledged the head, so the
    keeper acts first, on the state that it saw; what a block publishes is what it sees next.

    Parameters
    ----------
    world : World
        A stage that is set.
    recovery_s : float
        Time in which arbitrage closes half of a gap.
    gas_price_wei : int
        Paid by each transaction: at least the block's base fee.
    """

    def __init__(self, world: World, recovery_s: float, gas_price_wei: int) -> None:
        roles = world.roles
        self._world = world
        self._recovery_s = recovery_s
        self._gas_price = gas_price_wei
        self._nonces = nonces(world.anvil, [roles.publisher, roles.trader, *roles.providers])
        self._rounds = [Round(*last) for last in read_rounds(world.anvil, world.manifest)]
        self._publishing: dict[str, tuple[int, Round]] = {}
        self._moving: dict[str, tuple[PoolMarket, float]] = {}
        read = NodeSender(world.anvil.rpc, roles.trader).call
        self.sqrt_prices = [read_sqrt_price(read, pool.address) for pool in world.pools]

    def submit(self, ts: int, elapsed_s: int, market: Sequence[float], keeper_waits: bool) -> None:
        """Hand a block's transactions to the node, in order.

        Parameters
        ----------
        ts, elapsed_s : int
            The block's time, and how long after the one before.
        market : sequence of float
            The market's prices, US dollars by asset id.
        keeper_waits : bool
            Whether transactions of the keeper wait to be mined: the pools are then read behind them.
        """
        self._publish(ts, market)
        for index, pool in enumerate(self._world.pools):
            price = self._pending_price(pool) if keeper_waits else self.sqrt_prices[index]
            self._arbitrage(pool, price, elapsed_s, market)
        for index, pool in enumerate(self._world.pools):
            self._recentre(pool, self.sqrt_prices[index], ts)

    def settle(self, receipts: Iterable[Mapping[str, Any]]) -> None:
        """Note which of these transactions were mined.

        Raises
        ------
        ReplayError
            If one of them reverted.
        """
        for receipt in receipts:
            sent = str(receipt["transactionHash"])
            if sent in self._publishing:
                asset_id, published = self._publishing.pop(sent)
                self._rounds[asset_id] = published
            elif sent in self._moving:
                pool, price = self._moving.pop(sent)
                pool.recentring.moved(price)
                pool.read_positions(self._read_many)
            else:
                continue
            if int(receipt["status"], 16) != 1:
                problem = f"transaction {sent} of the replay's own reverted"
                raise ReplayError(f"{problem}; the replay and the contracts do not fit together")

    def _publish(self, ts: int, market: Sequence[float]) -> None:
        """Let every feed publish that is due, unless its last answer still waits to be mined."""
        waiting = {asset_id for asset_id, _ in self._publishing.values()}
        for asset in self._world.manifest.assets:
            answer = to_answer(market[asset.id])
            if asset.id not in waiting and self._rounds[asset.id].is_due(answer, ts):
                data = call_data("publish(int256,uint256)", answer, ts)
                sent = self._send(Transaction(self._world.roles.publisher, asset.feed, data, PUBLISH_GAS))
                self._publishing[sent] = (asset.id, Round(answer, ts))

    def _arbitrage(self, pool: PoolMarket, price: int, elapsed_s: int, market: Sequence[float]) -> None:
        reference = market[pool.base_id] / market[pool.quote_id]
        swap = pool.arbitrage(price, reference, elapsed_s, self._recovery_s, self._world.roles.trader)
        if swap is not None:
            self._send(swap)

    def _recentre(self, pool: PoolMarket, seen: int, ts: int) -> None:
        moving = any(other is pool for other, _ in self._moving.values())
        if pool.recentring.is_due(pool.geometry.price(seen), ts) and not moving:
            price = self._pending_price(pool)
            self._moving[self._send(pool.recentre(price))] = (pool, pool.geometry.price(price))

    def _read_many(self, calls: Sequence[tuple[str, bytes]]) -> list[bytes]:
        requests = [call_request(to, data) for to, data in calls]
        return [to_bytes(result) for result in self._world.anvil.rpc.batch(requests)]

    def _pending_price(self, pool: PoolMarket) -> int:
        """Return a pool's price behind all that waits to be mined."""
        method, params = call_request(pool.address, call_data("slot0()"), "pending")
        return int.from_bytes(to_bytes(self._world.anvil.rpc.call(method, *params))[:32])

    def _send(self, transaction: Transaction) -> str:
        """Hand a transaction to the node and return its hash."""
        nonce = self._nonces[transaction.sender]
        method, params = transaction.request(nonce, self._gas_price)
        sent = str(self._world.anvil.rpc.call(method, *params))
        self._nonces[transaction.sender] = nonce + 1
        return sent
