"""What the strategy sees of the chain at one head: frozen, complete, and nothing else.

Amounts are token units, prices WAD quote units per whole token, values WAD quote units, times unix seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.domain.amm.uniswap_v3 import Pool
from bot.domain.engine import AssetTerms, CurveInputs, EngineParameters, Holding, Leg, Markets
from bot.domain.lending import Market, assets_up
from bot.domain.uint128 import UInt128Array
from bot.domain.volatility import LiveCovariance
from bot.strategy.protected import Protections
from bot.strategy.quotes import OpenQuote

NO_KICK: Final = 1
NO_REDO: Final = 2
NO_SETTLEMENT: Final = 3
INTERRUPTED: Final = 0
"""What the engine keeps for the time of the kick of an auction that a refused price made lapse."""
"""Levels of the breaker: what each stops, and all below it."""
TWAP_WINDOW: Final = 180
"""Seconds over which the engine holds a pool's mean price against the oracle's."""
TWAP_TOLERANCE_BPS: Final = 300
"""How far it may be from it."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A listed asset at the head.

    Parameters
    ----------
    asset_id : int
        Index in the clearing house.
    symbol : str
        For people.
    unit : int
        Token units of a whole token.
    threshold, weight : int
        Liquidation threshold and debt weight, WAD.
    price : int or None
        None where the oracle refuses it: stale, not positive, clamped, or never answered.
    market : Market
        Totals with interest up to the head's timestamp.
    """

    asset_id: int
    symbol: str
    unit: int
    threshold: int
    weight: int
    price: int | None
    market: Market


@dataclass(frozen=True, slots=True)
class Positions:
    """All accounts, columnar: row by account, column by asset id.

    Parameters
    ----------
    accounts : sequence of bytes
        Addresses, 20 bytes each.
    collateral, debt_shares : UInt128Array
        Token units, and shares of the asset's debt.
    flagged : array of bool
        Whether an auction runs.
    risk_block : array of int
        Block of the account's last borrow or withdrawal.
    """

    accounts: Sequence[bytes]
    collateral: UInt128Array
    debt_shares: UInt128Array
    flagged: npt.NDArray[np.bool_]
    risk_block: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Auction:
    """A running auction.

    Parameters
    ----------
    epoch : int
        Number of the auction of this account.
    kicker : bytes
        Who is owed the tip, 20 bytes.
    kicked_at : int
        When it began; `INTERRUPTED` once a refused price has made it lapse.
    tip_owed : int
        What is left of its kicker's tip, in steps of `bot.domain.incentives.TIP_STEPS` to a quote unit.
    legs : mapping of int to Leg
        The running reserve of each collateral, by asset id.
    buy_clocks : mapping of int to int
        Clock of each budgeted debt's buy side at the kick, milliseconds, by asset id.
    insolvent : bool
        Whether the account was worth less than its debt, at the oracle's prices, when it began.
    """

    epoch: int
    kicker: bytes
    kicked_at: int
    tip_owed: int
    legs: Mapping[int, Leg]
    buy_clocks: Mapping[int, int] = field(default_factory=dict)
    insolvent: bool = False


@dataclass(frozen=True, slots=True)
class PoolView:
    """A Uniswap V3 pool of two listed assets.

    Parameters
    ----------
    address : bytes
        Of the pool.
    token0, token1 : int
        Asset ids.
    pool : Pool
        Its state.
    mean_tick : int or None
        Its time-weighted mean tick over the last `TWAP_WINDOW` seconds; None where it is not known.
    """

    address: bytes
    token0: int
    token1: int
    pool: Pool
    mean_tick: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The protocol at one head.

    Parameters
    ----------
    block, timestamp, base_fee : int
        Height, unix seconds and wei per gas of the head.
    assets : tuple of Asset
        By asset id.
    positions : Positions
        All accounts.
    auctions : mapping of int to Auction
        By row, for flagged accounts.
    engine : EngineParameters
        Of the liquidation engine.
    keeper : bytes or None
        Who would act, 20 bytes.
    markets : Markets
        Release budgets of every asset.
    breaker_level : int
        What the breaker stops now: 1 kicks, 2 redos too, 3 settlements too.
    resumed_at : int
        When settlements were last resumed; auctions kicked before it have lapsed.
    swap_open, take_open : bool
        Whether the engine may sell through the pools, and whether the flash taker serves this keeper.
    pools : tuple of PoolView
        Where collateral can be sold.
    covariance : LiveCovariance or None
        How the feeds have moved, by asset id; None where nothing is estimated.
    quotes : mapping of bytes to tuple of OpenQuote
        Verified quotes of dealers, by account.
    poke_open : bool
        Whether the engine knows where to read depth.
    protections : Protections or None
        Who asked for early deleveraging; None where nobody can.
    curves : mapping of int to CurveInputs
        What the reserves of an asset follow from, by asset id, where governance has set it.
    marks : mapping of int to mapping of int to int
        Parts of debts that are marked as pending deficits, token units, by row and asset id.
    """

    block: int
    timestamp: int
    base_fee: int
    assets: tuple[Asset, ...]
    positions: Positions
    auctions: Mapping[int, Auction]
    engine: EngineParameters
    keeper: bytes | None
    markets: Markets
    breaker_level: int
    resumed_at: int
    swap_open: bool
    take_open: bool
    pools: tuple[PoolView, ...]
    covariance: LiveCovariance | None = None
    quotes: Mapping[bytes, tuple[OpenQuote, ...]] = field(default_factory=dict)
    poke_open: bool = False
    curves: Mapping[int, CurveInputs] = field(default_factory=dict)
    marks: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    protections: Protections | None = None

    @property
    def halted(self) -> bool:
        """Whether settlements are stopped."""
        return self.breaker_level >= NO_SETTLEMENT

    def interrupted(self, auction: Auction) -> bool:
        """Return whether an auction lapsed before its tail, by a halt or a refused price."""
        return auction.kicked_at == INTERRUPTED or self.resumed_at > auction.kicked_at

    def has_lapsed(self, auction: Auction | None) -> bool:
        """Return whether only a redo is left: after the tail, interrupted, or unknown to the engine."""
        if auction is None or self.interrupted(auction):
            return True
        return self.timestamp >= auction.kicked_at + self.engine.tail

    def holdings(self, row: int) -> tuple[Holding, ...]:
        """Return what an account holds and owes, by rising asset id; debt rounded up, interest included."""
        found = []
        rows = zip(self.positions.collateral.row(row), self.positions.debt_shares.row(row), strict=True)
        for asset, (collateral, shares) in zip(self.assets, rows, strict=True):
            if collateral or shares:
                market = asset.market
                debt = assets_up(shares, market.borrow_assets, market.borrow_shares) if shares else 0
                found.append(Holding(asset.asset_id, collateral, debt))
        return tuple(found)

    def terms(self, asset_id: int) -> AssetTerms:
        """Return price and weights of an asset that has a price."""
        asset = self.assets[asset_id]
        assert asset.price is not None  # asked only for accounts whose assets all have one
        return AssetTerms(asset.unit, asset.price, asset.threshold, asset.weight)
