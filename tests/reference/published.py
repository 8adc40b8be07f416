"""Liquidation rules of other protocols, from their published formulas, in the integers that they use.

Written for comparison only, each from what its protocol documents. Units are the originals': ray (1e27)
for Maker, base currency with 8 decimals and basis points for Aave, WAD (1e18) for Morpho and Euler.
"""

from dataclasses import dataclass

WAD = 10**18
RAY = 10**27
BPS = 10_000
BASE = 10**8
"""One US dollar in Aave's base currency."""

# ---------------------------------------------------------------------- Maker, Liquidations 2.0 (abaci)


def ray_power(base: int, exponent: int) -> int:
    """Return ``base ** exponent`` in rays, by squaring, each product rounded to the nearest."""
    result = base if exponent % 2 else RAY
    exponent //= 2
    while exponent:
        base = (base * base + RAY // 2) // RAY
        if exponent % 2:
            result = (result * base + RAY // 2) // RAY
        exponent //= 2
    return result


def maker_linear(top: int, tau: int, elapsed: int) -> int:
    """Price of the linear curve: from ``top`` to zero within ``tau`` seconds, rounded down."""
    return 0 if elapsed >= tau else top * ((tau - elapsed) * RAY // tau) // RAY


def maker_stairstep(top: int, cut: int, step: int, elapsed: int) -> int:
    """Price of the stairstep curve: times ``cut`` after every ``step`` seconds, rounded down."""
    return top * ray_power(cut, elapsed // step) // RAY


def maker_exponential(top: int, cut: int, elapsed: int) -> int:
    """Price of the exponential curve: times ``cut`` each second, rounded down."""
    return top * ray_power(cut, elapsed) // RAY


# ------------------------------------------------------------------------------------------- Aave v3.3

AAVE_CLOSE_FACTOR_BPS = 5_000
AAVE_CLOSE_FACTOR_HEALTH = 95 * WAD // 100
AAVE_SMALL = 2_000 * BASE
"""Collateral or debt of a reserve below this may be liquidated whole, base currency."""
AAVE_LEFTOVER = 1_000 * BASE
"""What must at least be left of both sides where neither is liquidated whole."""


def aave_v3_largest_repayment(
    health: int, total_debt: int, reserve_debt: int, reserve_collateral: int
) -> int:
    """Largest debt of one reserve that one liquidation may repay, all in base currency."""
    large = reserve_collateral >= AAVE_SMALL and reserve_debt >= AAVE_SMALL
    if not large or health <= AAVE_CLOSE_FACTOR_HEALTH:
        return reserve_debt
    half = (total_debt * AAVE_CLOSE_FACTOR_BPS + BPS // 2) // BPS
    return min(reserve_debt, half)


def aave_v3_leaves_dust(debt_left: int, collateral_left: int) -> bool:
    """Whether a liquidation that leaves so much, in base currency, is refused."""
    if debt_left == 0 or collateral_left == 0:
        return False
    return debt_left < AAVE_LEFTOVER or collateral_left < AAVE_LEFTOVER


# --------------------------------------------------------------------------------------------- Aave v4


@dataclass(frozen=True)
class AaveV4Terms:
    """A reserve's liquidation settings.

    Parameters
    ----------
    max_bonus_bps : int
        Collateral per debt at most, 10,500 for 5 %.
    bonus_factor_bps : int
        Share of the largest bonus that is paid right below a health factor of 1.
    health_for_max_bonus : int
        Health factor, WAD, at and below which the largest bonus is paid.
    target_health : int
        Health factor that a liquidation may restore, WAD.
    """

    max_bonus_bps: int
    bonus_factor_bps: int
    health_for_max_bonus: int
    target_health: int


def aave_v4_bonus_bps(terms: AaveV4Terms, health: int) -> int:
    """Collateral per debt, basis points: linear in the health factor between its two ends."""
    if health <= terms.health_for_max_bonus:
        return terms.max_bonus_bps
    least = (terms.max_bonus_bps - BPS) * terms.bonus_factor_bps // BPS + BPS
    span = WAD - terms.health_for_max_bonus
    return least + (terms.max_bonus_bps - least) * (WAD - health) // span


def aave_v4_repayment(terms: AaveV4Terms, debt_value: int, health: int, collateral_factor_bps: int) -> int:
    """Debt value to repay for the target health, rounded up: ``D (h - HF) / (h - b CF)``."""
    bonus = aave_v4_bonus_bps(terms, health)
    penalty = -(-bonus * (WAD // BPS) * collateral_factor_bps // BPS)
    return -(-debt_value * (terms.target_health - health) // (terms.target_health - penalty))


AAVE_V4_DUST = 1_000 * WAD
"""What must at least be left of a side where neither is liquidated whole, as value."""


def aave_v4_size(
    terms: AaveV4Terms, debt_value: int, collateral_value: int, health: int, collateral_factor_bps: int
) -> tuple[int, int]:
    """Debt repaid and collateral taken, as values, of an account with one of each, by whoever covers all.

    Up to the target; all of the debt where less than the dust would remain of it; all of the collateral,
    and the debt that it pays for, where it does not reach or less than the dust would remain of it.
    """
    bonus = aave_v4_bonus_bps(terms, health)
    repaid = min(debt_value, aave_v4_repayment(terms, debt_value, health, collateral_factor_bps))
    if debt_value - repaid < AAVE_V4_DUST:
        repaid = debt_value
    taken = repaid * bonus // BPS
    dusty = 0 < collateral_value - taken < AAVE_V4_DUST and repaid < debt_value
    if taken > collateral_value or dusty:
        return -(-collateral_value * BPS // bonus), collateral_value
    return repaid, taken


# ----------------------------------------------------------------------------------------- Morpho Blue

MORPHO_CURSOR = 3 * WAD // 10
MORPHO_MAX_FACTOR = 115 * WAD // 100


def morpho_incentive_factor(lltv: int) -> int:
    """Collateral value per debt value, WAD: ``min(1.15, 1 / (1 - 0.3 (1 - lltv)))``."""
    return min(MORPHO_MAX_FACTOR, WAD * WAD // (WAD - MORPHO_CURSOR * (WAD - lltv) // WAD))


# -------------------------------------------------------------------------------------------- Euler v2


def euler_discount_factor(adjusted_collateral: int, liability: int, max_discount_bps: int) -> int:
    """Price that a liquidator pays over the oracle's, WAD: the health score, not below 1 less the cap."""
    return max(adjusted_collateral * WAD // liability, WAD - WAD * max_discount_bps // BPS)


def euler_largest_liquidation(
    adjusted_collateral: int, collateral: int, liability: int, max_discount_bps: int
) -> tuple[int, int]:
    """Debt value repaid and collateral value taken by the largest liquidation."""
    factor = euler_discount_factor(adjusted_collateral, liability, max_discount_bps)
    taken = liability * WAD // factor
    return (collateral * factor // WAD, collateral) if collateral < taken else (liability, taken)
