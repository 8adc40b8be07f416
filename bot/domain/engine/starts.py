"""Where a reserve starts and how fast it falls: ``CurveParameters`` and the kick of ``EngineAuctions``.

A lot that fits in the near depth starts at what the market pays there, raised by what its pools paid above
the oracle's price of late. A larger one, or one of which that is not known, starts no lower than where the
oracle may at most be behind.
Source: docs/mechanism.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from bot.domain.engine.accounts import AssetTerms, Balance, Holding
from bot.domain.engine.clocks import Markets
from bot.domain.engine.parameters import EngineParameters
from bot.domain.release import Bucket, Side, SpeedParameters
from bot.domain.wad import WAD, WAD_PER_BPS, div_down, div_up, mul_div_down, mul_div_up, mul_up

NEAR_START_MAX: Final = 103 * WAD // 100
"""Highest near start, WAD, however much pools pay."""
DEBT_PREMIUM_MIN: Final = 97 * WAD // 100
"""Least that a debt may cost in its pools over the oracle's price, WAD."""
_WAD_PER_PIP: Final = WAD // 10**6
_LATENCY_FACTOR: Final = 2_617_119_612_951_069
"""z sqrt(latency / year) = 3 sqrt(24 / 31,536,000), WAD, up."""
_CUBE_NUMERATOR: Final = 10**52
_CUBE_DIVISOR: Final = 144 * 31_536_000 * 10**8
"""d* / (dt^2 year) in the units in which a volatility in basis points gives the cube of lambda, WAD."""


class Curve(NamedTuple):
    """Start multiplier m0 and decay lambda per second, WAD."""

    start_multiplier: int
    decay_per_second: int


@dataclass(frozen=True, slots=True)
class CurveInputs:
    """``ILiquidationEngine.CurveInputs``, in its units."""

    volatility_bps: int
    deviation_bps: int
    venue_fee_pips: int

    @property
    def far_start(self) -> int:
        """``1 + deviation + z sigma sqrt(latency)``, WAD. Rounding: UP."""
        latency = mul_up(self.volatility_bps * WAD_PER_BPS, _LATENCY_FACTOR)
        return WAD + self.deviation_bps * WAD_PER_BPS + latency

    @property
    def decay(self) -> int:
        """lambda, WAD a second. Rounding: DOWN, the cube and its root."""
        return _cube_root(self.volatility_bps**2 * _CUBE_NUMERATOR // _CUBE_DIVISOR)

    def lowest_near_start(self, near_slippage_bps: int) -> int:
        """Return ``1 - venueFee - s0``, WAD, exactly."""
        return WAD - self.venue_fee_pips * _WAD_PER_PIP - near_slippage_bps * WAD_PER_BPS


def raised_up(lowest: int, premium: int) -> int:
    """Return the near start where pools pay ``premium`` times the oracle's price. Rounding: UP.

    Parameters
    ----------
    lowest : int
        Near start where they pay no more than it, WAD.
    premium : int
        WAD.
    """
    return max(min(mul_up(lowest, premium), NEAR_START_MAX), lowest)


def lot_up(value: int, threshold: int, balance: Balance, rules: EngineParameters, start: int) -> int:
    """Return the value of a collateral that restores the target at a start. Rounding: UP.

    ``min(V_i, (h D_w - A) b / (h - k b))`` with ``b = (1 + p) / start``, for a debt of weight 1, which needs
    the most.

    Parameters
    ----------
    value, threshold : int
        V_i of the collateral, WAD quote units, and its k, WAD.
    balance : Balance
        Of the account.
    rules : EngineParameters
        Target and penalty.
    start : int
        m0, WAD.
    """
    factor = div_up(WAD + rules.penalty, start)
    divisor = max(rules.target - mul_up(threshold, factor), 0)
    if divisor == 0:
        return value
    missing = max(mul_up(rules.target, balance.weighted_debt) - balance.weighted_collateral, 0)
    return min(mul_div_up(missing, factor, divisor), value)


@dataclass(frozen=True, slots=True)
class Opening:
    """What the legs of one kick start from.

    Parameters
    ----------
    markets : Markets
        All release budgets.
    rules : EngineParameters
        Of the engine.
    holdings : sequence of Holding
        All the account holds and owes.
    terms : mapping of int to AssetTerms
        Prices and weights of those assets.
    balance : Balance
        Of the account.
    time : int
        Of the kick, unix seconds.
    """

    markets: Markets
    rules: EngineParameters
    holdings: Sequence[Holding]
    terms: Mapping[int, AssetTerms]
    balance: Balance
    time: int

    def curve(self, collateral_id: int, inputs: CurveInputs) -> Curve:
        """Return the curve that a kick gives a collateral.

        Parameters
        ----------
        collateral_id : int
            One of those held.
        inputs : CurveInputs
            Of that collateral.
        """
        near_depth, debt_premium = self._debts()
        premium, terms = WAD, self.terms[collateral_id]
        if collateral_id in self.markets.budgeted:
            sells = self.markets.bucket(collateral_id, Side.SELL, self.time)
            near_depth = _least(near_depth, self._near_depth(sells))
            premium = div_up(sells.mean_price_at(self.time), terms.price)
        lowest = inputs.lowest_near_start(self.markets.speed.near_slippage_bps)
        start = raised_up(lowest, div_up(premium, debt_premium))
        value = next(
            terms.value_down(held.collateral) for held in self.holdings if held.asset_id == collateral_id
        )
        lot = lot_up(value, terms.threshold, self.balance, self.rules, start)
        is_near = near_depth is not None and lot <= near_depth
        return Curve(start if is_near else max(start, inputs.far_start), inputs.decay)

    def _debts(self) -> tuple[int | None, int]:
        """Return the near depth of the debts' markets, None without any, and their lowest premium, WAD."""
        depth, premium = None, WAD
        for held in self.holdings:
            if not held.debt or held.asset_id not in self.markets.budgeted:
                continue
            buys = self.markets.bucket(held.asset_id, Side.BUY, self.time)
            depth = _least(depth, self._near_depth(buys))
            if mean_price := buys.mean_price_at(self.time):
                paid = div_down(mean_price, self.terms[held.asset_id].price)
                premium = min(premium, max(paid, DEBT_PREMIUM_MIN))
        return depth, premium

    def _near_depth(self, bucket: Bucket) -> int:
        """Return what a market takes within s0, WAD quote units; 0 where nobody knows what its pools pay."""
        return near_depth_down(bucket, self.markets.speed) if bucket.mean_price_at(self.time) else 0


def near_depth_down(bucket: Bucket, speed: SpeedParameters) -> int:
    """Return ``depth s0 / slippageLimit`` of a market, WAD quote units. Rounding: DOWN."""
    depth = bucket.depth(speed.shape_bps)
    return mul_div_down(depth, speed.near_slippage_bps, speed.slippage_limit_bps)


def _least(depth: int | None, other: int) -> int:
    return other if depth is None else min(depth, other)


def _cube_root(x: int) -> int:
    """Return the largest integer whose cube is at most ``x``, by Newton's method from above."""
    root = 1 << -(-x.bit_length() // 3)
    while (better := (2 * root + x // (root * root)) // 3) < root:
        root = better
    return root
