"""A deployment on a node of its own, with people in it: for tests that need the real contracts.

Amounts are given in whole tokens, prices in US dollars. Transactions are mined one by one; time moves only by
`World.advance` and by a second per block.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import sqrt
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector as selector
from eth_utils.address import to_checksum_address

from bot.domain.amm.uniswap_v3 import MAX_TICK, tick_at_sqrt_price
from bot.protocols.sluice.calls import Function
from bot.protocols.sluice.manifest import Manifest
from scripts.deployment.config import DeploymentConfig
from scripts.deployment.plan import deploy_everything
from scripts.deployment.uniswap import sqrt_price_x96, starting_price
from tests.support.anvil import Client, anvil
from tests.support.deployment import Web3Deployer

KEEPER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
"""Anvil's second account, whose key everyone knows."""
KEEPER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
NODE_FLAGS = ("--hardfork", "prague", "--accounts", "10")
ALL = 2**256 - 1
Q96 = 2**96
SPACINGS = {500: 10, 3_000: 60}
"""Tick spacing by fee, as Uniswap's factory knows them."""


def plain_call(signature: str, *arguments: Any) -> bytes:
    """Return calldata for a function of plain types, named in its signature."""
    types = signature[signature.index("(") + 1 : -1]
    return selector(signature) + encode(types.split(",") if types else [], arguments)


@dataclass
class World:
    """Sluice on a development node.

    Parameters
    ----------
    node : Client
        The node.
    manifest : Manifest
        What was deployed.
    config : DeploymentConfig
        How.
    owner : str
        Deployer, administrator, publisher of prices and lender of last resort.
    """

    node: Client
    manifest: Manifest
    config: DeploymentConfig
    owner: str
    accounts: list[str] = field(default_factory=list)

    # ------------------------------------------------------------------------ plumbing

    def send(self, sender: str, to: str, data: bytes, *, must_succeed: bool = True) -> dict[str, Any]:
        """Send a transaction and return its receipt."""
        transaction = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(8_000_000)}
        receipt: dict[str, Any] = self.node.call("eth_sendTransactionSync", transaction)
        if must_succeed and receipt["status"] != "0x1":
            raise AssertionError(f"reverted: {to} {data[:4].hex()}")
        return receipt

    def view(self, to: str, data: bytes, block: Any = "latest") -> bytes:
        """Return what a call gives back; raises the node's error when it reverts."""
        answer = self.node.call("eth_call", {"to": to, "data": "0x" + data.hex()}, block)
        return bytes.fromhex(answer[2:])

    def read(self, contract: str, function: str, *arguments: Any) -> tuple[Any, ...]:
        """Return the outputs of a view of one of our contracts, named as in the manifest."""
        entry = Function(contract, function)
        return entry.result(self.view(getattr(self.manifest, contract), entry.data(*arguments)))

    def act(self, sender: str, contract: str, function: str, *arguments: Any) -> dict[str, Any]:
        """Call one of our contracts, named as in the manifest, in a transaction."""
        return self.send(
            sender, getattr(self.manifest, contract), Function(contract, function).data(*arguments)
        )

    def person(self) -> str:
        """Return a new address that may send transactions."""
        address = to_checksum_address((0xA000_0000 + len(self.accounts)).to_bytes(20))
        self.node.call("anvil_impersonateAccount", address)
        self.node.call("anvil_setBalance", address, hex(10**21))
        self.accounts.append(address)
        return address

    # ---------------------------------------------------------------------------- time

    @property
    def timestamp(self) -> int:
        """Of the latest block."""
        return int(self.node.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def advance(self, seconds: int) -> None:
        """Mine an empty block ``seconds`` after the latest."""
        self.node.call("evm_setNextBlockTimestamp", hex(self.timestamp + seconds))
        self.node.call("evm_mine")

    # ------------------------------------------------------------------------- markets

    def units(self, symbol: str, amount: float) -> int:
        """Return whole tokens as token units."""
        return round(amount * 10**6) * 10 ** self.manifest.asset(symbol).decimals // 10**6

    def publish(self, symbol: str, price: float) -> None:
        """Let an asset's feed answer with a price."""
        asset = self.manifest.asset(symbol)
        self.answer(asset.feed, round(price * 10**asset.feed_decimals), self.timestamp)

    def refresh(self) -> None:
        """Let every feed of a price repeat its answer, dated now."""
        for asset in self.manifest.assets:
            for feed in filter(None, (asset.feed, asset.second_feed)):
                answer = int.from_bytes(self.view(feed, plain_call("latestRoundData()"))[32:64])
                self.answer(feed, answer, self.timestamp)

    def answer(self, feed: str, answer: int, updated_at: int) -> None:
        """Let a feed answer, in raw units, as of a time."""
        self.send(self.owner, feed, plain_call("publish(int256,uint256)", answer, updated_at))

    def mint(self, symbol: str, to: str, amount: int, spender: str) -> None:
        """Give tokens to an address that lets ``spender`` have them."""
        token = self.manifest.asset(symbol).token
        self.send(self.owner, token, plain_call("mint(address,uint256)", to, amount))
        self.send(to, token, plain_call("approve(address,uint256)", spender, ALL))

    def lend(self, symbol: str, amount: float) -> None:
        """Supply an asset to its pool."""
        units, house = self.units(symbol, amount), self.manifest.clearing_house
        self.mint(symbol, self.owner, units, house)
        self.act(self.owner, "clearing_house", "supply", self.manifest.asset(symbol).id, units, self.owner)

    def provide(self, index: int, liquidity_usd: float, width: float = 0.4) -> None:
        """Provide liquidity around the price of a pool, about so much on each side.

        Parameters
        ----------
        index : int
            Of the pool in the manifest.
        liquidity_usd : float
            Worth of each side.
        width : float
            Half the range, as a fraction of the price.
        """
        pool = self.manifest.pools[index]
        pair = (self.manifest.asset(pool.base), self.manifest.asset(pool.quote))
        token0, token1 = sorted(pair, key=lambda asset: int(asset.token, 16))
        manager = self.manifest.uniswap_v3.position_manager
        amounts = []
        for asset in (token0, token1):
            units = self.units(asset.symbol, liquidity_usd / self.config.asset(asset.symbol).price)
            self.mint(asset.symbol, self.owner, units, manager)
            amounts.append(units)
        sqrt_price = starting_price(
            self.config.asset(pool.base), self.config.asset(pool.quote), token0.symbol == pool.base
        )
        spacing = SPACINGS[pool.fee_pips]
        low, high = (
            min(tick_at_sqrt_price(int(sqrt_price * sqrt(factor))), MAX_TICK) // spacing * spacing
            for factor in (1 - width, 1 + width)
        )
        types = "(address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256)"
        position = (token0.token, token1.token, pool.fee_pips, low, high, *amounts, 0, 0, self.owner, ALL)
        self.send(self.owner, manager, selector(f"mint({types})") + encode([types], [position]))

    def trade(self, sold: str, bought: str, amount: float, fee_pips: int = 500) -> None:
        """Sell an asset in its pool, which moves the price."""
        router, units = self.manifest.uniswap_v3.swap_router, self.units(sold, amount)
        self.mint(sold, self.owner, units, router)
        types = "(address,address,uint24,address,uint256,uint256,uint256,uint160)"
        tokens = (self.manifest.asset(sold).token, self.manifest.asset(bought).token)
        order = (*tokens, fee_pips, self.owner, ALL, units, 0, 0)
        self.send(self.owner, router, selector(f"exactInputSingle({types})") + encode([types], [order]))

    def follow_oracle(self, symbol: str, window: int = 200) -> None:
        """Trade an asset's pools to the oracle's price, and let their mean of the last minutes get there."""
        asset = self.manifest.asset(symbol)
        answer = int.from_bytes(self.view(asset.feed, plain_call("latestRoundData()"))[32:64])
        self.move_pools(symbol, Fraction(answer, 10**asset.feed_decimals), window)
        self.refresh()

    def move_pools(self, symbol: str, dollars: Fraction, window: int) -> None:
        """Trade an asset's pools to a price, and let ``window`` seconds pass."""
        base, quote = self.manifest.asset(symbol), self.manifest.asset("USDC")
        price = dollars * Fraction(10**quote.decimals, 10**base.decimals)
        base_first = int(base.token, 16) < int(quote.token, 16)
        wanted = sqrt_price_x96(price if base_first else 1 / price)
        for pool in self.manifest.pools:
            if (pool.base, pool.quote) == (symbol, "USDC"):
                self._trade_to(symbol, "USDC", wanted, pool.fee_pips)
                self._trade_to("USDC", symbol, wanted, pool.fee_pips)
        self.advance(window)

    def _trade_to(self, sold: str, bought: str, sqrt_price: int, fee_pips: int) -> None:
        """Sell until the pool's price is there; nothing where it lies the other way."""
        tokens = (self.manifest.asset(sold).token, self.manifest.asset(bought).token)
        router, units = self.manifest.uniswap_v3.swap_router, self.units(sold, 10**9)
        self.mint(sold, self.owner, units, router)
        types = "(address,address,uint24,address,uint256,uint256,uint256,uint160)"
        order = (*tokens, fee_pips, self.owner, ALL, units, 0, sqrt_price)
        call = selector(f"exactInputSingle({types})") + encode([types], [order])
        self.send(self.owner, router, call, must_succeed=False)

    # ------------------------------------------------------------------------ accounts

    def open(self, collateral: Mapping[str, float], debt: Mapping[str, float]) -> str:
        """Open an account and return its address."""
        owner, house = self.person(), self.manifest.clearing_house
        for symbol, amount in collateral.items():
            units = self.units(symbol, amount)
            self.mint(symbol, owner, units, house)
            self.act(
                owner, "clearing_house", "depositCollateral", self.manifest.asset(symbol).id, units, owner
            )
        for symbol, amount in debt.items():
            units = self.units(symbol, amount)
            self.act(owner, "clearing_house", "borrow", self.manifest.asset(symbol).id, units, owner, owner)
        return owner

    def health(self, account: str) -> float:
        """Return an account's health factor."""
        return int(self.read("clearing_house", "healthFactor", account)[0]) / 1e18

    @contextmanager
    def scratch(self) -> Iterator[None]:
        """Undo all that happens inside."""
        snapshot, people = self.node.call("evm_snapshot"), len(self.accounts)
        try:
            yield
        finally:
            self.node.call("evm_revert", snapshot)
            del self.accounts[people:]


@contextmanager
def world(config: DeploymentConfig | None = None, *flags: str) -> Iterator[World]:
    """Deploy Sluice on a fresh node, with lenders and liquidity, for as long as the context lasts.

    Parameters
    ----------
    config : DeploymentConfig or None
        What to deploy.
    flags : str
        More of the node's.
    """
    chosen = replace(config or DeploymentConfig(), taker_operators=(KEEPER,))
    with anvil(*NODE_FLAGS, *flags) as node:
        deployer = Web3Deployer(node.url)
        manifest = Manifest.model_validate(deploy_everything(deployer, chosen))
        here = World(node, manifest, chosen, deployer.sender)
        here.lend("USDC", 20_000_000)
        here.lend("WETH", 50_000)
        here.lend("WBTC", 1_000)
        here.provide(0, 20_000_000)
        here.provide(1, 20_000_000)
        yield here
