"""A book of accounts of which one, ten or a hundred fall when the oracle moves, as often as one likes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector as selector
from eth_utils.crypto import keccak

from bot.protocols.sluice.calls import Function
from tests.support.multitude import Batch, address_of, open_accounts, spread
from tests.support.world import World, plain_call, world

BLOCK_S: Final = 12
FALLING: Final = {1: 0.015, 10: 0.025, 100: 0.035}
"""By how much the price falls, as a fraction, so that so many accounts are liquidatable."""
_HEALTH: Final = {1: 1.01, 10: 1.02, 100: 1.03}
"""Health factors before the fall of those that the fall takes along, beside the ones that less takes."""
_REST: Final = (1.06, 3.0)
MULTICALL: Final = "0xcA11bde05977b3631167028862bE2a173976CA11"
"""Where Multicall3 is on every chain; peers read by it, and the scene is cleared by it."""
_FLAG_SET: Final = "0x" + keccak(text="FlagSet(address,uint32,bool)").hex()


@dataclass
class Scene:
    """Sluice on a node of its own that mines when it is told to.

    Parameters
    ----------
    world : World
        The deployment.
    accounts : list of str
        All accounts, those first that fall first.
    """

    world: World
    accounts: list[str] = field(default_factory=list)

    @property
    def price(self) -> float:
        """Price of the collateral as it was deployed, quote units."""
        return self.world.config.asset("WETH").price

    def grow(self, count: int) -> None:
        """Open accounts until there are so many."""
        self.world.node.call("evm_setAutomine", True)
        first = len(self.accounts)
        for batch in _batches(self.world, first, count):
            open_accounts(self.world, batch)
        self.accounts = [address_of(index) for index in range(count)]
        self.restore(())
        self.world.node.call("evm_setAutomine", False)

    def falling(self, count: int) -> list[str]:
        """Return the accounts that fall together."""
        return self.accounts[:count]

    # ------------------------------------------------------------------------------ blocks

    def quiet(self) -> int:
        """Mine a block on which nothing happens; return its number."""
        return self._mine()

    def fall(self, count: int) -> int:
        """Mine the block in which the price falls so far that ``count`` accounts are liquidatable."""
        self._publish(self.price * (1 - FALLING[count]))
        return self._mine()

    def restore(self, fallen: Sequence[str]) -> int:
        """Mine what waits, then the old prices, and let the flags of the fallen fall, all in one block."""
        self._publish(self.price)
        for asset in self.world.manifest.assets:
            if asset.symbol != "WETH":
                self._answer(asset.symbol, self.world.config.asset(asset.symbol).price)
        if fallen:
            self._clear(fallen)
        return self._mine()

    def landed(self, block: int) -> int:
        """Return how many kicks landed in a block in which all flags fell again."""
        wanted = {"address": self.world.manifest.clearing_house, "topics": [_FLAG_SET]}
        window = {"fromBlock": hex(block), "toBlock": hex(block)}
        return len(self.world.node.call("eth_getLogs", wanted | window)) // 2

    def reset(self) -> None:
        """Put everything back after a contender that failed: the node's pool, prices, flags."""
        self.world.node.call("anvil_dropAllTransactions")
        self.restore(self.falling(max(FALLING)))

    def _clear(self, accounts: Sequence[str]) -> None:
        engine = self.world.manifest.liquidation_engine
        calls = [
            (engine, True, Function("liquidation_engine", "clear").data(account)) for account in accounts
        ]
        self._send(MULTICALL, _aggregate(calls))

    def _mine(self) -> int:
        self.world.advance(BLOCK_S)
        return int(self.world.node.call("eth_blockNumber"), 16)

    def _publish(self, price: float) -> None:
        self._answer("WETH", price)

    def _answer(self, symbol: str, price: float) -> None:
        asset = self.world.manifest.asset(symbol)
        answer = round(price * 10**asset.feed_decimals)
        self._send(asset.feed, plain_call("publish(int256,uint256)", answer, self.world.timestamp))

    def _send(self, to: str, data: bytes) -> None:
        """Send a transaction that the next block just takes, so that a keeper's come before it."""
        node = self.world.node
        base_fee = int(node.call("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
        transaction = {
            "from": self.world.owner,
            "to": to,
            "data": "0x" + data.hex(),
            "gas": hex(20_000_000),
            "maxFeePerGas": hex(base_fee * 9 // 8 + 1),
            "maxPriorityFeePerGas": "0x0",
        }
        node.call("eth_sendTransaction", transaction)


def _aggregate(calls: Sequence[tuple[str, bool, bytes]]) -> bytes:
    types = "(address,bool,bytes)[]"
    return selector(f"aggregate3({types})") + encode([types], [calls])


def _batches(here: World, first: int, count: int) -> Iterator[Batch]:
    """Return the accounts from number ``first`` to ``count``: those that fall, then the rest."""
    known = 0
    for end, health in _HEALTH.items():
        if first <= known and end <= count:
            yield spread(here, end - known, first=known, health=(health, health))
        known = end
    start = max(first, known)
    if count > start:
        yield spread(here, count - start, first=start, health=_REST)


@contextmanager
def scene(multicall_code: str) -> Iterator[Scene]:
    """Deploy Sluice on a fresh node, with Multicall3 beside it, while the context lasts."""
    with world() as here:
        here.node.call("anvil_setCode", MULTICALL, multicall_code)
        yield Scene(here)
