"""How far the reserves of an auction have fallen: the contracts' ``Clocks`` and ``ReserveCurve``.

The clock of a leg keeps the pace of the slowest market that its account is sold into: the sell side of the
collateral, and the buy sides of the debts, where they have release budgets. Urgency pulls it toward wall
time: ``elapsed = active + u (wall - active)``, but no reserve below what takers need by that. Times are unix
seconds, clocks milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from bot.domain.engine.accounts import AssetTerms, Balance, Holding
from bot.domain.release import URGENT, Bucket, Side, SpeedParameters
from bot.domain.urgency import is_remote, need, urgency, width_down
from bot.domain.wad import WAD_PER_BPS, exp_wad, mul_up

VOLATILITY_BPS: Final = 8_000
"""Volatility of an asset, a year, until governance sets another."""
VOLATILITY_MAX_BPS: Final = 50_000
"""The largest that governance may set."""
_MILLIS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Leg:
    """The reserve of one collateral: a snapshot taken at its kick.

    Parameters
    ----------
    start_multiplier, decay_per_second : int
        m0 and lambda, WAD.
    started_at : int
        Unix seconds.
    clock_at : int
        Clock of the collateral's sell side at the start, milliseconds; zero where it has no bucket.
    urgency : int
        Highest urgency that the kick or a settlement of this leg saw, 0 to `URGENT`.
    """

    start_multiplier: int
    decay_per_second: int
    started_at: int
    clock_at: int = 0
    urgency: int = 0

    def multiplier(self, floor: int, elapsed_ms: int) -> int:
        """Return ``max(floor, m0 exp(-lambda elapsed))``, WAD. Rounding: UP, because others pay it."""
        exponent = -(self.decay_per_second * elapsed_ms // _MILLIS)
        return max(mul_up(self.start_multiplier, exp_wad(exponent)), floor)


@dataclass(frozen=True, slots=True)
class Markets:
    """The release budgets of every asset, and what urgency follows from.

    Parameters
    ----------
    speed : SpeedParameters
        Of the engine.
    budgeted : frozenset of int
        Assets that have buckets.
    buckets : mapping of (int, Side) to Bucket
        As stored; one that was never drawn or poked is absent.
    volatilities : mapping of int to int
        Volatility by asset id, basis points a year; absent: `VOLATILITY_BPS`.
    """

    speed: SpeedParameters
    budgeted: frozenset[int] = frozenset()
    buckets: Mapping[tuple[int, Side], Bucket] = field(default_factory=dict)
    volatilities: Mapping[int, int] = field(default_factory=dict)

    def bucket(self, asset_id: int, side: Side, time: int) -> Bucket:
        """Return a bucket as it stands at ``time``."""
        return self.buckets.get((asset_id, side), Bucket()).at(self.speed, time)

    def drawn(self, pair: tuple[int, int], value: int, time: int) -> "Markets":
        """Return the budgets after a sale of a collateral for a debt.

        Parameters
        ----------
        pair : tuple of int
            Asset ids of collateral and debt.
        value : int
            Of the collateral sold, at the oracle's price, WAD quote units, rounded up.
        time : int
            Unix seconds.
        """
        draws = zip(pair, (Side.SELL, Side.BUY), strict=True)
        taken = {
            (asset_id, side): self.bucket(asset_id, side, time).drawn(value)
            for asset_id, side in draws
            if asset_id in self.budgeted
        }
        return replace(self, buckets={**self.buckets, **taken})

    def urgency(
        self,
        holdings: Sequence[Holding],
        terms: Mapping[int, AssetTerms],
        balance: Balance,
        penalty_bps: int,
    ) -> int:
        """Return u of an account at this moment, 0 to `URGENT`. Rounding: DOWN."""
        speed = self.speed
        least = need(speed.slippage_limit_bps, penalty_bps)
        widest = width_down(2 * VOLATILITY_MAX_BPS * WAD_PER_BPS, speed.urgency_z_bps, speed.tau_clear)
        if is_remote(balance.collateral_value, balance.debt_value, least, widest):
            return 0
        if balance.collateral_value == 0:
            return URGENT
        width = width_down(self._volatility(holdings, terms, balance), speed.urgency_z_bps, speed.tau_clear)
        return urgency(balance.collateral_value, balance.debt_value, least, width)

    def _volatility(
        self, holdings: Sequence[Holding], terms: Mapping[int, AssetTerms], balance: Balance
    ) -> int:
        """Return sigma_p, WAD a year: of V / D at the most adverse correlation. Rounding: DOWN."""
        held = owed = 0
        for holding in holdings:
            asset = terms[holding.asset_id]
            volatility = self.volatilities.get(holding.asset_id, VOLATILITY_BPS) * WAD_PER_BPS
            held += asset.value_down(holding.collateral) * volatility
            owed += asset.value_up(holding.debt) * volatility
        return held // balance.collateral_value + owed // balance.debt_value


class Elapsed(NamedTuple):
    """How far a leg's clock has come, milliseconds.

    Attributes
    ----------
    active : int
        While its markets were not loaded.
    elapsed : int
        With what urgency gives back.
    """

    active: int
    elapsed: int


@dataclass(frozen=True, slots=True)
class Pace:
    """What every leg of an account shares at one moment.

    Parameters
    ----------
    markets : Markets
        All release budgets.
    buy_progress : int or None
        Milliseconds that the slowest of the debts' markets was active since the kick; None without one.
    urgency : int
        u of this moment.
    time : int
        Unix seconds.
    need : int
        m_need, WAD: below it urgency lowers nothing.
    overrun : int
        Milliseconds to leave out at the end of every clock: zero, but for the moment of a lapse.
    """

    markets: Markets
    buy_progress: int | None
    urgency: int
    time: int
    need: int
    overrun: int = 0

    def multiplier(self, asset_id: int, leg: Leg, floor: int) -> int:
        """Return the multiplier of a leg, WAD. Rounding: UP.

        Where urgency alone would lead below `need`, it is that, or what the active clock has come to by
        itself.
        """
        clock = self.elapsed(asset_id, leg)
        multiplier = leg.multiplier(floor, clock.elapsed)
        if multiplier < self.need and clock.elapsed > clock.active:
            return min(leg.multiplier(floor, clock.active), self.need)
        return multiplier

    def elapsed(self, asset_id: int, leg: Leg) -> Elapsed:
        """Return the milliseconds that a leg's clock was active, and has run. Rounding: DOWN.

        A market that got its bucket after the kick is as active as the wall.
        """
        whole = (self.time - leg.started_at) * _MILLIS
        active = whole if self.buy_progress is None else min(self.buy_progress, whole)
        if asset_id in self.markets.budgeted:
            clock = self.markets.bucket(asset_id, Side.SELL, self.time).clock
            active = min(active, max(clock - leg.clock_at, 0))
        wall, active = max(whole - self.overrun, 0), max(active - self.overrun, 0)
        pulled = (wall - active) * max(self.urgency, leg.urgency) // URGENT
        return Elapsed(active, active + pulled)


def pace_of(
    markets: Markets,
    buy_clocks: Mapping[int, int],
    urgency_now: int,
    time: int,
    penalty_bps: int,
) -> Pace:
    """Return what the legs of an account share at ``time``.

    Parameters
    ----------
    markets : Markets
        All release budgets.
    buy_clocks : mapping of int to int
        Clock of each budgeted debt's buy side at the kick, milliseconds; one repaid since counts until
        the auction ends, lest its repayment lower the reserve of all that is left.
    urgency_now : int
        `Markets.urgency` of the account.
    time : int
        Unix seconds.
    penalty_bps : int
        Penalty of a liquidation.
    """
    progress = [
        max(markets.bucket(debt_id, Side.BUY, time).clock - clock, 0)
        for debt_id, clock in buy_clocks.items()
        if debt_id in markets.budgeted
    ]
    least = need(markets.speed.slippage_limit_bps, penalty_bps)
    return Pace(markets, min(progress, default=None), urgency_now, time, least)
