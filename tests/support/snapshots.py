"""Snapshots made by hand, in whole tokens and US dollars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt

import numpy as np

from bot.domain.amm.uniswap_v3 import Pool, tick_at_sqrt_price
from bot.domain.engine import EngineParameters, Leg, Markets
from bot.domain.incentives import TIP_STEPS
from bot.domain.lending import Market
from bot.domain.release import SpeedParameters
from bot.domain.uint128 import UInt128Array
from bot.domain.wad import WAD, WAD_PER_BPS
from bot.strategy.snapshot import Asset, Auction, PoolView, Positions, Snapshot

WETH, WBTC, USDC = 0, 1, 2
SYMBOLS = ("WETH", "WBTC", "USDC")
UNITS = (10**18, 10**8, 10**6)
PRICES = {"WETH": 200.0, "WBTC": 8_000.0, "USDC": 1.0}
THRESHOLDS = (8_300, 7_800, 9_000)
WEIGHTS = (10_800, 11_000, 10_000)
RULES = EngineParameters(10_500, 50, 10, 6_000, 8_000, 5, 100, 7_200)
SPEED = SpeedParameters(120, 200, 30, 5_000, 30_000, 600, 10_000, 5_000_000, 1_800, 1_000)
MARKETS = Markets(SPEED)
START = 1_007_100_000_000_000_000
DECAY = WAD // 100 // 89
NOW = 1_600_000_000
KEEPER = b"\x11" * 20
FULL_RANGE = 887_270


def units(symbol: str, amount: float) -> int:
    """Return whole tokens as token units."""
    return round(amount * 10**6) * UNITS[SYMBOLS.index(symbol)] // 10**6


def pool_at(
    price: float,
    worth: float,
    base: int = WETH,
    *,
    quote: int = USDC,
    fee_pips: int = 500,
    mean_tick: int | None = None,
) -> PoolView:
    """Return a pool of two assets over the full range, worth ``worth`` of the quote asset on each side.

    The base is token0, so selling it is ``zero_for_one``.
    """
    raw = Fraction(price) * UNITS[quote] / UNITS[base]
    sqrt_price = isqrt((raw.numerator << 192) // raw.denominator)
    liquidity = round(worth * UNITS[quote] * 2**96 / sqrt_price)
    nets = {-FULL_RANGE: liquidity, FULL_RANGE: -liquidity}
    pool = Pool(sqrt_price, tick_at_sqrt_price(sqrt_price), liquidity, fee_pips, 10, nets)
    address = bytes([base + 1, quote + 1]) + fee_pips.to_bytes(18)
    return PoolView(address, base, quote, pool, mean_tick)


@dataclass
class Scene:
    """What a snapshot is made of; change it, then `shoot`.

    Parameters
    ----------
    prices : dict
        By symbol; None where the oracle refuses.
    accounts : list
        Collateral and debt of each, by symbol.
    """

    prices: dict[str, float | None] = field(default_factory=lambda: dict(PRICES))
    accounts: list[tuple[Mapping[str, float], Mapping[str, float]]] = field(default_factory=list)
    auctions: dict[int, Auction] = field(default_factory=dict)
    pools: list[PoolView] = field(default_factory=list)
    risk_blocks: dict[int, int] = field(default_factory=dict)
    rules: EngineParameters = RULES
    markets: Markets = MARKETS
    halted: bool = False
    resumed_at: int = 0
    swap_open: bool = True
    take_open: bool = True
    base_fee: int = 0
    block: int = 100

    def account(self, collateral: Mapping[str, float], debt: Mapping[str, float]) -> int:
        """Add an account and return its row."""
        self.accounts.append((collateral, debt))
        return len(self.accounts) - 1

    def auction(
        self,
        row: int,
        symbols: Sequence[str],
        *,
        age: int,
        tip: int = 0,
        kicker: bytes = b"\x22" * 20,
        insolvent: bool = True,
    ) -> None:
        """Let an auction run that was kicked ``age`` seconds ago; ``tip`` is what is owed, quote units.

        It may be ended only where the account was ``insolvent`` then.
        """
        kicked = NOW - age
        legs = {SYMBOLS.index(symbol): Leg(START, DECAY, kicked) for symbol in symbols}
        self.auctions[row] = Auction(0, kicker, kicked, tip * TIP_STEPS, legs, insolvent=insolvent)

    def shoot(self) -> Snapshot:
        """Return the snapshot. A share of debt is worth one unit: the pools have lent nothing else."""
        rows = len(self.accounts)
        collateral, shares = UInt128Array.zeros(rows, 3), UInt128Array.zeros(rows, 3)
        for row, (held, owed) in enumerate(self.accounts):
            for symbol, amount in held.items():
                collateral[row, SYMBOLS.index(symbol)] = units(symbol, amount)
            for symbol, amount in owed.items():
                shares[row, SYMBOLS.index(symbol)] = units(symbol, amount) * 10**6
        flagged = np.array([row in self.auctions for row in range(rows)], np.bool_)
        risk = np.array([self.risk_blocks.get(row, -1) for row in range(rows)], np.int64)
        names = tuple(row.to_bytes(20) for row in range(rows))
        return Snapshot(
            block=self.block,
            timestamp=NOW,
            base_fee=self.base_fee,
            assets=tuple(self._asset(asset_id) for asset_id in range(3)),
            positions=Positions(names, collateral, shares, flagged, risk),
            auctions=dict(self.auctions),
            engine=self.rules,
            keeper=KEEPER,
            markets=self.markets,
            breaker_level=3 if self.halted else 0,
            resumed_at=self.resumed_at,
            swap_open=self.swap_open,
            take_open=self.take_open,
            pools=tuple(self.pools),
        )

    def _asset(self, asset_id: int) -> Asset:
        price = self.prices[SYMBOLS[asset_id]]
        lent = 10**9 * UNITS[asset_id]
        return Asset(
            asset_id=asset_id,
            symbol=SYMBOLS[asset_id],
            unit=UNITS[asset_id],
            threshold=THRESHOLDS[asset_id] * WAD_PER_BPS,
            weight=WEIGHTS[asset_id] * WAD_PER_BPS,
            price=None if price is None else round(price * 10**8) * 10**10,
            market=Market(
                supply_assets=2 * lent,
                borrow_assets=lent - 1,
                borrow_shares=(lent - 1) * 10**6,
                cash=lent + 10**6 * UNITS[asset_id],
                reserve_assets=10**6 * UNITS[asset_id],
            ),
        )
