"""Watching what sets the speed of sales: release budgets, and the clocks and urgency of running auctions.

Buckets and legs are read from the engine. Clocks and urgency follow from them by the twin of the engine in
`bot.domain`, and the multiplier that comes out must be the engine's own, to the wei.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.domain.engine.accounts import AssetTerms, Holding, balance_of
from bot.domain.engine.clocks import Leg, Markets, Pace, pace_of
from bot.domain.engine.parameters import EngineParameters
from bot.domain.lending import assets_up
from bot.domain.release import MICROS, URGENT, Bucket, Side, SpeedParameters
from bot.domain.wad import WAD, WAD_PER_BPS
from bot.errors import MeasurementError
from bot.protocols.sluice.calls import Function
from bot.sim.book import AssetTerms as ListedTerms
from bot.sim.book_view import AccountView, MarketView
from bot.sim.measure import AuctionFrame, BudgetFrame
from bot.sim.observation import BlockFacts, LegKey
from bot.sim.rpc import Request
from bot.sim.sender import call_request, to_bytes
from bot.sim.world import World

ENGINE: Final = "liquidation_engine"
PARAMETERS: Final = Function(ENGINE, "parameters")
SPEED: Final = Function(ENGINE, "speedParameters")
BUDGETED: Final = Function(ENGINE, "budgeted")
CURVE_INPUTS: Final = Function(ENGINE, "curveInputs")
BUCKET_NOW: Final = Function(ENGINE, "bucketNow")
BUY_CLOCK: Final = Function(ENGINE, "buyClock")
AUCTION_LEG: Final = Function(ENGINE, "auctionLeg")
MULTIPLIER: Final = Function(ENGINE, "multiplier")

MILLIS = 1_000


@dataclass(frozen=True, slots=True)
class _Running:
    """A leg as it was last read, and the clocks of its account's debts at the kick."""

    leg: Leg
    buy_clocks: Mapping[int, int]


class ReleaseWatch:
    """Reads budgets and running auctions once a block.

    What governance sets is read once: nothing of it changes within a replay.

    Parameters
    ----------
    world : World
        What is watched; its engine is Sluice's own.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._terms = world.terms
        ids = [terms.asset_id for terms in world.terms]
        parameters, speed, budgeted, *curves = self._read(
            [(PARAMETERS, ()), (SPEED, ()), (BUDGETED, ()), *((CURVE_INPUTS, (asset,)) for asset in ids)]
        )
        rules = EngineParameters(*parameters[0])
        self._penalty_bps, self._floor = rules.penalty_bps, rules.floor
        self._speed = SpeedParameters(*speed[0])
        self._budgeted = frozenset(asset for asset in ids if budgeted[0] >> asset & 1)
        self._volatilities = {asset: curve[0][0] for asset, curve in zip(ids, curves, strict=True)}
        self._sides = [(asset, side) for asset in sorted(self._budgeted) for side in Side]
        self._running: dict[LegKey, _Running] = {}

    def watch(
        self, ts: int, facts: BlockFacts, accounts: Mapping[str, AccountView], markets: Sequence[MarketView]
    ) -> tuple[tuple[BudgetFrame, ...], tuple[AuctionFrame, ...]]:
        """Return every budget, and every leg that runs after the latest block in the order of their starts.

        No leg is returned for a block in which the oracle refuses a price: nothing can be settled then, and
        the engine shows no multiplier.

        Parameters
        ----------
        ts : int
            Time of the block, unix seconds.
        facts : BlockFacts
            What it did: a settlement may have raised the urgency of its account's legs.
        accounts : mapping
            Balances after it, by address.
        markets : sequence of MarketView
            Totals and prices by asset id.

        Raises
        ------
        MeasurementError
            If a multiplier is not the one that clocks and urgency lead to.
        """
        self._follow(facts)
        answers = self._read([(BUCKET_NOW, key) for key in self._sides])
        buckets = {key: Bucket(*answer[0]) for key, answer in zip(self._sides, answers, strict=True)}
        auctions = self._auctions(ts, buckets, accounts, markets) if all(m.price_wad for m in markets) else ()
        return tuple(_budget(*key, bucket) for key, bucket in buckets.items()), auctions

    # ------------------------------------------------------------------------------ internals

    def _follow(self, facts: BlockFacts) -> None:
        """Read the legs that started, and again those whose account an event names."""
        debts = sorted(self._budgeted)
        for key in dict.fromkeys([*(key for key in self._running if key[0] in facts.touched), *facts.legs]):
            calls = [(AUCTION_LEG, key), *((BUY_CLOCK, (key[0], debt)) for debt in debts)]
            leg, *clocks = self._read(calls)
            start, decay, at, epoch, clock_at, urgency = leg[0]
            begun = {debt: clock for debt, (clock, of) in zip(debts, clocks, strict=True) if of == epoch}
            self._running[key] = _Running(Leg(start, decay, at, clock_at, urgency), begun)

    def _auctions(
        self,
        ts: int,
        buckets: Mapping[tuple[int, Side], Bucket],
        accounts: Mapping[str, AccountView],
        markets: Sequence[MarketView],
    ) -> tuple[AuctionFrame, ...]:
        shown = self._read([(MULTIPLIER, key) for key in self._running])
        multipliers = {key: wad for key, (runs, wad) in zip(self._running, shown, strict=True) if runs}
        self._running = {key: self._running[key] for key in multipliers}
        twin = Markets(self._speed, self._budgeted, buckets, self._volatilities)
        terms = _engine_terms(self._terms, markets)
        return tuple(
            self._frame(key, self._pace(key, twin, terms, accounts[key[0]], markets, ts), wad)
            for key, wad in multipliers.items()
        )

    def _pace(
        self,
        key: LegKey,
        twin: Markets,
        terms: Mapping[int, AssetTerms],
        account: AccountView,
        markets: Sequence[MarketView],
        ts: int,
    ) -> Pace:
        """Return what the legs of an account share, in the engine's own integers."""
        rows = enumerate(zip(account.collateral, account.debt_shares, markets, strict=True))
        holdings = [
            Holding(asset, held, assets_up(shares, market.total_borrow_assets, market.total_borrow_shares))
            for asset, (held, shares, market) in rows
            if held or shares
        ]
        urgency = twin.urgency(holdings, terms, balance_of(holdings, terms), self._penalty_bps)
        return pace_of(twin, self._running[key].buy_clocks, urgency, ts, self._penalty_bps)

    def _frame(self, key: LegKey, pace: Pace, multiplier: int) -> AuctionFrame:
        running, (account, asset_id) = self._running[key], key
        clock = pace.elapsed(asset_id, running.leg)
        expected = pace.multiplier(asset_id, running.leg, self._floor)
        if multiplier != expected:
            problem = f"account {account}, collateral {asset_id}: the multiplier is {multiplier}"
            raise MeasurementError(f"{problem}, clocks and urgency lead to {expected}")
        return AuctionFrame(
            account=account,
            asset_id=asset_id,
            started_at=running.leg.started_at,
            wall=float(pace.time - running.leg.started_at),
            active=clock.active / MILLIS,
            elapsed=clock.elapsed / MILLIS,
            urgency=max(pace.urgency, running.leg.urgency) / URGENT,
            multiplier=multiplier / WAD,
        )

    def _read(self, calls: Sequence[tuple[Function, tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
        """Return what functions of the engine give at the latest block."""
        engine = self._world.manifest.liquidation_engine
        requests: list[Request] = [
            call_request(engine, function.data(*arguments)) for function, arguments in calls
        ]
        answers = self._world.anvil.rpc.batch(requests)
        return [
            function.result(to_bytes(answer)) for (function, _), answer in zip(calls, answers, strict=True)
        ]


def _budget(asset_id: int, side: Side, bucket: Bucket) -> BudgetFrame:
    return BudgetFrame(asset_id, side is Side.SELL, bucket.level / MICROS, bucket.capacity / MICROS)


def _engine_terms(listed: Sequence[ListedTerms], markets: Sequence[MarketView]) -> dict[int, AssetTerms]:
    """Return every asset's terms at the prices of a block, by asset id."""
    return {
        asset.asset_id: AssetTerms(
            asset.unit,
            market.price_wad,
            asset.liquidation_threshold_bps * WAD_PER_BPS,
            asset.debt_weight_bps * WAD_PER_BPS,
        )
        for asset, market in zip(listed, markets, strict=True)
    }
