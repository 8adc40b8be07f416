"""The market on chain: real Uniswap V3 pools, their providers and the arbitrageur.

Everything here is calldata and what to read; `bot.sim.replay` decides when. Each pool has a provider of its
own, so that its positions can be listed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from bot.protocols.decoding import decode
from bot.protocols.sluice.manifest import Manifest, PoolManifest
from bot.sim.abi import call_data
from bot.sim.liquidity import (
    DEPTH_DISTANCE,
    Geometry,
    Range,
    Recentring,
    amounts,
    arbitrage_target,
    depth,
    scale_for_depth,
    shape,
    tail,
    worth_trading,
)
from bot.sim.sender import Sender, Transaction

MINT = "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))"
SWAP = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
DECREASE = "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))"
COLLECT = "collect((uint256,address,uint128,uint128))"
POSITION_TYPES = ("uint96", "address", "address", "address", "uint24", "int24", "int24", "uint128")

NO_DEADLINE = 2**256 - 1
UNLIMITED = 2**256 - 1
MOST_UINT128 = 2**128 - 1
PURSE = 10**12
"""Whole tokens of each kind that providers and the arbitrageur start with: never a limit."""

SWAP_GAS = 1_500_000
RECENTRE_GAS = 12_000_000

Read: TypeAlias = Callable[[str, bytes], bytes]
"""Reads from a contract at the latest block."""

ReadMany: TypeAlias = Callable[[Sequence[tuple[str, bytes]]], Sequence[bytes]]
"""The same, many reads at once."""


@dataclass(frozen=True, slots=True)
class Position:
    """A provider's position.

    Parameters
    ----------
    token_id : int
        In the position manager.
    band : Range
        Its ticks and liquidity.
    """

    token_id: int
    band: Range


@dataclass(slots=True)
class PoolMarket:
    """One pool, the liquidity in it and what moves it.

    Parameters
    ----------
    name : str
        ``"WETH/USDC"``.
    address, base_token, quote_token : str
        Of the pool and its tokens.
    base_id, quote_id : int
        Asset ids of the tokens.
    position_manager, swap_router : str
        Uniswap's periphery.
    geometry : Geometry
        How it expresses prices.
    provider : str
        Owns the liquidity.
    scale : float
        Factor on the table's levels.
    recentring : Recentring
        When the providers move.
    positions : list of Position
        What there is; read from the chain.
    """

    name: str
    address: str
    base_token: str
    quote_token: str
    base_id: int
    quote_id: int
    position_manager: str
    swap_router: str
    geometry: Geometry
    provider: str
    scale: float
    recentring: Recentring
    positions: list[Position] = field(default_factory=list)

    # -------------------------------------------------------------------------- liquidity

    def providing(self, bands: Sequence[Range], sqrt_price_x96: int) -> list[bytes]:
        """Return the position manager's calls that provide bands at a price."""
        tokens = sorted((self.base_token, self.quote_token), key=lambda token: int(token, 16))
        calls = []
        for band in bands:
            token0, token1 = amounts(band, sqrt_price_x96)
            terms = (*tokens, self.geometry.fee_pips, band.lower, band.upper)
            calls.append(call_data(MINT, (*terms, token0, token1, 0, 0, self.provider, NO_DEADLINE)))
        return calls

    def opening(self, sqrt_price_x96: int) -> bytes:
        """Return the call that provides the bands and the full range at a price."""
        bands = [*shape(self.geometry, self.recentring.centre, self.scale), tail(self.geometry, self.scale)]
        return call_data("multicall(bytes[])", self.providing(bands, sqrt_price_x96))

    def recentre(self, sqrt_price_x96: int) -> Transaction:
        """Return the transaction that moves the bands, not the full range, to a price."""
        full = self.geometry.full_range()
        calls: list[bytes] = []
        for position in self.positions:
            if (position.band.lower, position.band.upper) != full:
                calls += self._removing(position)
        bands = shape(self.geometry, self.geometry.price(sqrt_price_x96), self.scale)
        data = call_data("multicall(bytes[])", calls + self.providing(bands, sqrt_price_x96))
        return Transaction(self.provider, self.position_manager, data, RECENTRE_GAS)

    def _removing(self, position: Position) -> list[bytes]:
        """Return the calls that take a position back whole."""
        withdrawal = (position.token_id, position.band.liquidity, 0, 0, NO_DEADLINE)
        return [
            call_data(DECREASE, withdrawal),
            call_data(COLLECT, (position.token_id, self.provider, MOST_UINT128, MOST_UINT128)),
            call_data("burn(uint256)", position.token_id),
        ]

    def read_positions(self, read: ReadMany) -> None:
        """Read what liquidity there is."""
        manager = self.position_manager
        (count,) = read([(manager, call_data("balanceOf(address)", self.provider))])
        listing = "tokenOfOwnerByIndex(address,uint256)"
        indices = range(int.from_bytes(count))
        listed = read([(manager, call_data(listing, self.provider, index)) for index in indices])
        ids = [int.from_bytes(token_id) for token_id in listed]
        found = read([(manager, call_data("positions(uint256)", token_id)) for token_id in ids])
        self.positions = []
        for token_id, data in zip(ids, found, strict=True):
            words = decode(POSITION_TYPES, data)
            self.positions.append(Position(token_id, Range(words[5], words[6], words[7])))

    def depth(self, sqrt_price_x96: int, *, selling: bool = True) -> float:
        """Return the quote that moving the price by 2 % takes, whole tokens."""
        factor = 1.0 - DEPTH_DISTANCE if selling else 1.0 + DEPTH_DISTANCE
        return depth(self.geometry, [position.band for position in self.positions], sqrt_price_x96, factor)

    # -------------------------------------------------------------------------- arbitrage

    def arbitrage(
        self, sqrt_price_x96: int, market_price: float, elapsed_s: int, recovery_s: float, trader: str
    ) -> Transaction | None:
        """Return the swap that moves the pool toward the market, or None if the gap is within the fee.

        Parameters
        ----------
        sqrt_price_x96 : int
            The pool's price before it.
        market_price : float
            Quote per base.
        elapsed_s : int
            Block time since the last block.
        recovery_s : float
            Time in which half of the gap is closed.
        trader : str
            Pays with the one token, receives the other.
        """
        price = self.geometry.price(sqrt_price_x96)
        if not worth_trading(price, market_price, self.geometry.fee_pips):
            return None
        target = arbitrage_target(price, market_price, elapsed_s, recovery_s)
        limit = self.geometry.sqrt_price_x96(target)
        buying = target > price
        paid, bought = (self.quote_token, self.base_token) if buying else (self.base_token, self.quote_token)
        order = (paid, bought, self.geometry.fee_pips, trader, NO_DEADLINE, 2**120, 0, limit)
        return Transaction(trader, self.swap_router, call_data(SWAP, order), SWAP_GAS)


def make_pool(
    manifest: Manifest, pool: PoolManifest, provider: str, price: float, depth_quote: float
) -> PoolMarket:
    """Return a pool of a deployment, its liquidity not yet provided.

    Parameters
    ----------
    manifest : Manifest
        The deployment.
    pool : PoolManifest
        One of its pools.
    provider : str
        Who will own the liquidity.
    price : float
        Centre of the bands, quote per base.
    depth_quote : float
        Whole quote tokens that selling over 2 % of the price is to bring.
    """
    base, quote = manifest.asset(pool.base), manifest.asset(pool.quote)
    first = int(base.token, 16) < int(quote.token, 16)
    geometry = Geometry(base.decimals, quote.decimals, first, pool.fee_pips)
    return PoolMarket(
        name=f"{pool.base}/{pool.quote}",
        address=pool.address,
        base_token=base.token,
        quote_token=quote.token,
        base_id=base.id,
        quote_id=quote.id,
        position_manager=manifest.uniswap_v3.position_manager,
        swap_router=manifest.uniswap_v3.swap_router,
        geometry=geometry,
        provider=provider,
        scale=scale_for_depth(geometry, price, depth_quote),
        recentring=Recentring(price),
    )


def fill_purse(sender: Sender, pool: PoolMarket, spender: str) -> None:
    """Give the sender plenty of both tokens of a pool and let ``spender`` take them."""
    units = {pool.base_token: pool.geometry.base_decimals, pool.quote_token: pool.geometry.quote_decimals}
    for token, decimals in units.items():
        sender.send(token, call_data("mint(address,uint256)", sender.address, PURSE * 10**decimals))
        sender.send(token, call_data("approve(address,uint256)", spender, UNLIMITED))


def open_pool(sender: Sender, pool: PoolMarket) -> None:
    """Provide a pool's liquidity from its provider's account and read it back."""
    fill_purse(sender, pool, pool.position_manager)
    sender.send(pool.position_manager, pool.opening(read_sqrt_price(sender.call, pool.address)))
    pool.read_positions(lambda calls: [sender.call(to, data) for to, data in calls])


def read_sqrt_price(read: Read, pool: str) -> int:
    """Return a pool's ``sqrtPriceX96``."""
    return int.from_bytes(read(pool, call_data("slot0()"))[:32])
