"""When a protected account may be deleveraged, at what fee, by how much: the contracts' ``ProtectionMath``.

To the wei what ``Protection`` computes; formulas and the direction of each rounding are in
docs/protection.md. Fractions, values and prices are WAD, amounts token units, times seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import isqrt
from typing import Final, NamedTuple

from bot.domain.engine import UNBOUNDED, AssetTerms, Balance, Holding, balance_of
from bot.domain.urgency import YEAR
from bot.domain.wad import (
    BPS,
    WAD,
    WAD_PER_BPS,
    bps_down,
    bps_up,
    div_down,
    div_up,
    ln_wad,
    mul_div_down,
    mul_div_up,
    mul_down,
    mul_up,
)
from bot.errors import InvalidInputError, TargetHealthUnreachableError

DAY: Final = 86_400
"""Seconds for which what was sold counts against an owner's daily bound."""
_ROUNDINGS: Final = 16
"""Quote units of 1e-18 by which the roundings of A and D_w may together lift health past a target."""


class ProtectionTerms(NamedTuple):
    """What an owner consents to: ``IProtection.Terms``, in its units.

    Parameters
    ----------
    collaterals : int
        Assets that may be sold, a bit each.
    min_distance : int
        DD_min, WAD.
    horizon : int
        tau_p, seconds.
    target_bps, max_fee_bps : int
        h, and the largest fee, basis points.
    scenarios : int
        Scenarios that count, a bit each.
    expiry : int
        Unix seconds from which the terms are void.
    min_value, max_value, max_daily_value : int
        Value repaid per call and per day, whole quote units.
    """

    collaterals: int
    min_distance: int
    horizon: int
    target_bps: int
    max_fee_bps: int
    scenarios: int
    expiry: int
    min_value: int
    max_value: int
    max_daily_value: int

    @property
    def target(self) -> int:
        """h, WAD."""
        return self.target_bps * WAD_PER_BPS

    def allows(self, asset_id: int) -> bool:
        """Return whether a collateral may be sold."""
        return bool(self.collaterals >> asset_id & 1)


class ProtectionRules(NamedTuple):
    """What governance sets: ``IProtection.Parameters``, basis points."""

    max_fee_bps: int = 100
    ramp_bps: int = 2_500
    correlation_up_bps: int = 10_000
    correlation_down_bps: int = 0


class Assessment(NamedTuple):
    """How near an account is, and what a sale would pay: ``IProtection.Assessment``, WAD.

    Parameters
    ----------
    health_factor : int
        A / D_w, down; `UNBOUNDED` without debt.
    volatility : int
        sigma_p, a year, down.
    distance : int
        DD, up; zero where the account is liquidatable, `UNBOUNDED` where nothing moves it.
    worst_health : int
        Least health over the scenarios chosen, up; `UNBOUNDED` without.
    shortfall : int
        How far below its trigger the account is; zero: not triggered.
    fee : int
        Of a sale now.
    """

    health_factor: int
    volatility: int
    distance: int
    worst_health: int
    shortfall: int
    fee: int


class ProtectionSale(NamedTuple):
    """What is repaid, and what is given for it.

    Parameters
    ----------
    repaid, seized : int
        Debt and collateral, token units; zero where the target is reached.
    value : int
        Value repaid, WAD quote units, down.
    whole : bool
        Whether a side is used up, so that health may pass the target.
    dust : bool
        Whether the contract refuses it because it leaves dust.
    """

    repaid: int
    seized: int
    value: int
    whole: bool
    dust: bool


# -------------------------------------------------------------------------------- how near


def assess(
    holdings: Sequence[Holding],
    assets: Mapping[int, AssetTerms],
    volatilities_bps: Mapping[int, int],
    terms: ProtectionTerms,
    rules: ProtectionRules,
    scenarios: Sequence[Mapping[int, int]],
) -> Assessment:
    """Return how near an account is by its owner's terms. Rounding: towards not triggering.

    Parameters
    ----------
    holdings : sequence of Holding
        All the account holds and owes, by rising asset id.
    assets : mapping of int to AssetTerms
        Of those assets.
    volatilities_bps : mapping of int to int
        Of those assets, a year.
    terms : ProtectionTerms
        The owner's.
    rules : ProtectionRules
        Governance's.
    scenarios : sequence of mapping of int to int
        By number: move of each asset's price, basis points; an absent asset stands.

    Raises
    ------
    InvalidInputError
        If the terms count a scenario that is not there.
    """
    if terms.scenarios >> len(scenarios):
        raise InvalidInputError("scenarios", terms.scenarios, f"a set of the {len(scenarios)} there are")
    balance = balance_of(holdings, assets)
    if not balance.weighted_debt:
        return Assessment(UNBOUNDED, 0, UNBOUNDED, UNBOUNDED, 0, 0)
    health = balance.health_factor
    volatility = volatility_down(holdings, assets, volatilities_bps, balance, rules)
    chosen = (shocks for number, shocks in enumerate(scenarios) if terms.scenarios >> number & 1)
    worst = min((_health_after_up(holdings, assets, shocks) for shocks in chosen), default=UNBOUNDED)
    distance = 0 if health < WAD else distance_up(balance, volatility, terms.horizon)
    short = max(div_down(max(terms.min_distance - distance, 0), terms.min_distance), max(WAD - worst, 0))
    ramp = rules.ramp_bps * WAD_PER_BPS
    most = min(terms.max_fee_bps, rules.max_fee_bps) * WAD_PER_BPS
    return Assessment(health, volatility, distance, worst, short, mul_div_down(most, min(short, ramp), ramp))


def volatility_down(
    holdings: Iterable[Holding],
    assets: Mapping[int, AssetTerms],
    volatilities_bps: Mapping[int, int],
    balance: Balance,
    rules: ProtectionRules,
) -> int:
    """Return sigma_p, WAD a year, at the worst correlations between the bounds. Rounding: DOWN.

    ``sqrt(Q + up (P^2 + N^2 - Q) - 2 down P N)``, with P and N the sums of ``|x_i| sigma_i`` over exposures
    above and below zero, and Q the sum of their squares; see docs/protection.md.

    Parameters
    ----------
    holdings, assets, volatilities_bps
        As for `assess`.
    balance : Balance
        The account's values; it owes something.
    rules : ProtectionRules
        The bounds of correlation.
    """
    held = owed = squares = 0
    for holding in holdings:
        asset = assets[holding.asset_id]
        counted = mul_down(asset.value_down(holding.collateral), asset.threshold)
        due = mul_up(asset.value_up(holding.debt), asset.weight)
        long = div_down(counted, max(balance.weighted_collateral, 1))
        short = div_down(due, balance.weighted_debt)
        swing = bps_down(abs(long - short), volatilities_bps[holding.asset_id])
        if long > short:
            held += swing
        else:
            owed += swing
        squares += swing * swing
    variance = squares * BPS
    variance += rules.correlation_up_bps * (held * held + owed * owed - squares)
    variance -= rules.correlation_down_bps * 2 * held * owed
    return isqrt(variance // BPS)


def distance_up(balance: Balance, volatility: int, horizon: int) -> int:
    """Return DD, WAD; `UNBOUNDED` without volatility. Rounding: UP.

    Parameters
    ----------
    balance : Balance
        Of an account that owes and is healthy.
    volatility : int
        sigma_p, WAD a year.
    horizon : int
        tau_p, seconds.
    """
    width = mul_down(volatility, isqrt(horizon * WAD * WAD // YEAR))
    if width == 0:
        return UNBOUNDED
    return div_up(ln_wad(div_up(balance.weighted_collateral, balance.weighted_debt)), width)


def _health_after_up(
    holdings: Iterable[Holding], assets: Mapping[int, AssetTerms], shocks_bps: Mapping[int, int]
) -> int:
    collateral = debt = 0
    for holding in holdings:
        asset, factor = assets[holding.asset_id], BPS + shocks_bps.get(holding.asset_id, 0)
        collateral += bps_up(mul_up(asset.value_down(holding.collateral), asset.threshold), factor)
        debt += bps_down(mul_down(asset.value_up(holding.debt), asset.weight), factor)
    return div_up(collateral, debt) if debt else UNBOUNDED


# -------------------------------------------------------------------------------- how much


class ProtectionPair(NamedTuple):
    """A collateral and a debt of an account that may be sold and repaid.

    Parameters
    ----------
    balance : Balance
        The account's values.
    sold, owed : AssetTerms
        Of collateral and debt.
    collateral, debt : int
        What there is of both, token units.
    target, fee, dust : int
        h and fee, WAD; smallest value left, WAD quote units.
    """

    balance: Balance
    sold: AssetTerms
    owed: AssetTerms
    collateral: int
    debt: int
    target: int
    fee: int
    dust: int

    def sale(self, most_value: int, max_repaid: int = UNBOUNDED) -> ProtectionSale:
        """Return the sale that the contract would make.

        ``r = (h D_w - A) / (h w_j - k_i (1 + fee))``. Rounding: DOWN, so that health ends at the target or a
        few token units below.

        Parameters
        ----------
        most_value : int
            What the owner's bounds leave, WAD quote units.
        max_repaid : int
            What the executor asks for, token units.

        Raises
        ------
        TargetHealthUnreachableError
            If selling this collateral cannot restore the target at this fee.
        """
        repaid = mul_div_down(self._to_target_down(), self.owed.unit, self.owed.price)
        if repaid == 0:
            return ProtectionSale(0, 0, 0, False, False)
        affordable = self._affordable_up()
        most = min(affordable, self.debt)
        if repaid > most or self._leaves_dust(repaid):
            repaid = most
        cap = mul_div_down(most_value, self.owed.unit, self.owed.price)
        repaid = min(repaid, max_repaid, cap)
        seized = self.collateral if repaid >= affordable else self._seized_down(repaid)
        whole = repaid == self.debt or seized == self.collateral
        dust = not whole and repaid != 0 and self._leaves_dust(repaid)
        return ProtectionSale(repaid, seized, self.owed.value_down(repaid), whole, dust)

    def _to_target_down(self) -> int:
        factor = mul_down(WAD + self.fee, self.sold.threshold)
        restored = mul_up(self.target, self.owed.weight)
        if restored <= factor:
            raise TargetHealthUnreachableError(self.target, factor)
        counted = self.balance.weighted_collateral + self.sold.value_up(1) + _ROUNDINGS
        missing = mul_down(self.target, self.balance.weighted_debt) - counted
        return div_down(max(missing, 0), restored - factor)

    def _affordable_up(self) -> int:
        value = div_up(self.sold.value_up(self.collateral), WAD + self.fee)
        return mul_div_up(value, self.owed.unit, self.owed.price)

    def _seized_down(self, repaid: int) -> int:
        value = mul_down(self.owed.value_down(repaid), WAD + self.fee)
        return min(mul_div_down(value, self.sold.unit, self.sold.price), self.collateral)

    def _leaves_dust(self, repaid: int) -> bool:
        collateral = self.sold.value_down(self.collateral - self._seized_down(repaid))
        debt = self.owed.value_down(max(self.debt - repaid, 0))
        return min(collateral, debt) < self.dust
