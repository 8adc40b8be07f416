"""How near an account is to insolvency, as a byte: the contracts' ``Urgency``.

u = clamp(1 - ln(V m_need / D) / (z_u sigma_p sqrt(tau_clear))), with m_need = 1 - slippage limit - penalty
and sigma_p = sum V_i sigma_i / V + sum d_j sigma_j / D, a year: an upper bound on the volatility of ln(V / D)
for any correlation. A release budget that nothing overrides leaves bad debt in a crash that does not recover.
Source: docs/mechanism.md.
"""

from math import isqrt
from typing import Final

from bot.domain.release import URGENT
from bot.domain.wad import BPS, WAD, bps_down, ln_wad, mul_div_up, mul_down

YEAR: Final = 365 * 86_400
"""Seconds in a year."""


def width_down(sigma: int, z_bps: int, tau: int) -> int:
    """Return ``z_u sigma_p sqrt(tau_clear)``, WAD. Rounding: DOWN at every step.

    Parameters
    ----------
    sigma : int
        sigma_p, WAD a year.
    z_bps : int
        z_u.
    tau : int
        Seconds.
    """
    root = isqrt(tau * WAD * WAD // YEAR)
    return bps_down(mul_down(sigma, root), z_bps)


def need(slippage_limit_bps: int, penalty_bps: int) -> int:
    """Return m_need, what takers need, WAD."""
    return WAD * (BPS - slippage_limit_bps - penalty_bps) // BPS


def urgency(collateral_value: int, debt_value: int, need_wad: int, width: int) -> int:
    """Return u, 0 to `URGENT`. Rounding: the cover UP, u DOWN.

    Parameters
    ----------
    collateral_value, debt_value : int
        V and D, WAD quote units; D positive.
    need_wad : int
        m_need, WAD.
    width : int
        z_u sigma_p sqrt(tau_clear), WAD.
    """
    cover = mul_div_up(collateral_value, need_wad, debt_value)
    if cover <= WAD:
        return URGENT
    distance = ln_wad(cover)
    return 0 if distance >= width else (width - distance) * URGENT // width


def is_remote(collateral_value: int, debt_value: int, need_wad: int, widest: int) -> bool:
    """Return whether u is zero at any volatility of a width up to ``widest``, without a logarithm."""
    if widest >= WAD:
        return False
    return mul_down(mul_down(collateral_value, need_wad), WAD - widest) >= debt_value
