"""Where Sluice's rules equal those that others have published, and where they differ, and why."""

from math import exp, log, sqrt

import pytest

from bot.domain.engine import AssetTerms, Holding, Leg, Position, Sale, largest_take, position_of, terms_at
from bot.domain.wad import div_up
from tests.reference.published import (
    AAVE_LEFTOVER,
    AAVE_V4_DUST,
    BASE,
    BPS,
    RAY,
    WAD,
    AaveV4Terms,
    aave_v3_largest_repayment,
    aave_v3_leaves_dust,
    aave_v4_bonus_bps,
    aave_v4_repayment,
    aave_v4_size,
    euler_discount_factor,
    euler_largest_liquidation,
    maker_exponential,
    maker_linear,
    maker_stairstep,
    morpho_incentive_factor,
    ray_power,
)

# ------------------------------------------------------------------------------ an account of Sluice's

TARGET = 105 * WAD // 100
PENALTY = WAD // 200
FLOOR = 8 * WAD // 10
DUST = 100 * WAD
THRESHOLD = 83 * WAD // 100
DECAY = WAD // 100 // 89
NEAR_START = WAD - (5 + 30) * WAD // BPS
"""A lot within the near depth starts at 1 less the pool's fee and 0.3 %."""
ETHER = AssetTerms(10**18, 2_000 * WAD, THRESHOLD, 108 * WAD // 100)
DOLLAR = AssetTerms(10**18, WAD, 9 * WAD // 10, WAD)
HELD = 1_000


def position(health: float, multiplier: int, ether: float = HELD) -> Position:
    """Return so much ether against the dollars that bring the account to ``health``."""
    debt = int(ether * 2_000 * 0.83 / health * 1e9) * 10**9
    holdings = (Holding(0, int(ether * WAD), 0), Holding(2, 0, debt))
    return position_of(holdings, {0: ETHER, 2: DOLLAR}, {0: multiplier}, 0, 2, DUST)


def slice_at(health: float, multiplier: int, target: int = TARGET) -> Sale:
    """Sluice's largest take at a multiplier of the curve."""
    here = position(health, multiplier)
    return largest_take(here, terms_at(here, multiplier, PENALTY), target, DUST)


def health_after(health: float, repaid: float, seized_value: float) -> float:
    """Health factor of the account above after a sale, in dollars."""
    debt = HELD * 2_000 * 0.83 / health
    return (HELD * 2_000 - seized_value) * 0.83 / (debt - repaid)


# ---------------------------------------------------------------------------------- Maker: the curves

ETHER_A = {"cut": 99 * RAY // 100, "step": 90}
"""Maker's ETH-A: 1 % every 90 seconds."""


@pytest.mark.parametrize("steps", [0, 1, 2, 10, 40, 100])
def test_at_the_edge_of_a_step_the_curve_is_makers_stairstep(steps: int) -> None:
    decay = int(-log(0.99) / 90 * WAD)
    start = 12 * WAD // 10
    theirs = maker_stairstep(12 * RAY // 10, ETHER_A["cut"], ETHER_A["step"], 90 * steps)
    ours = Leg(start, decay, 0).multiplier(0, 90_000 * steps)
    assert ours / WAD == pytest.approx(theirs / RAY, rel=1e-9)


def test_within_a_step_the_curve_goes_on_where_the_stairs_stand_still() -> None:
    decay = int(-log(0.99) / 90 * WAD)
    leg = Leg(WAD, decay, 0)
    for second in range(1, 90):
        theirs = maker_stairstep(RAY, ETHER_A["cut"], ETHER_A["step"], second)
        assert theirs == RAY
        assert leg.multiplier(0, 1_000 * second) < WAD
        assert leg.multiplier(0, 1_000 * second) * 10**9 >= maker_stairstep(
            RAY, ETHER_A["cut"], 90, second + 90
        )


def test_sluices_default_speed_is_makers_within_a_hundredth_of_a_step() -> None:
    ours = Leg(WAD, DECAY, 0).multiplier(0, 90_000)
    theirs = maker_stairstep(RAY, ETHER_A["cut"], ETHER_A["step"], 90)
    assert ours / WAD == pytest.approx(theirs / RAY, abs=1.5e-4)


@pytest.mark.parametrize("elapsed", [0, 1, 59, 600, 3_600])
def test_the_curve_is_makers_exponential_with_the_same_cut(elapsed: int) -> None:
    cut = int(exp(-DECAY / WAD) * RAY)
    theirs = maker_exponential(RAY, cut, elapsed)
    ours = Leg(WAD, DECAY, 0).multiplier(0, 1_000 * elapsed)
    assert ours / WAD == pytest.approx(theirs / RAY, rel=1e-9)


def test_makers_linear_curve_ends_at_nothing_and_sluices_at_its_floor() -> None:
    tau = 6 * 3_600
    assert maker_linear(RAY, tau, tau // 2) == RAY // 2
    assert maker_linear(RAY, tau, tau) == 0
    assert Leg(WAD, DECAY, 0).multiplier(FLOOR, 1_000 * tau) == FLOOR


def test_powers_are_rounded_to_the_nearest_ray() -> None:
    assert ray_power(ETHER_A["cut"], 0) == RAY
    assert ray_power(ETHER_A["cut"], 1) == ETHER_A["cut"]
    assert ray_power(ETHER_A["cut"], 7) * 100**7 == pytest.approx(99**7 * RAY, rel=1e-15)


# ----------------------------------------------------------------------- Aave v3.3: the close factor


@pytest.mark.parametrize(
    ("health", "debt", "collateral", "share"),
    [
        (96, 10_000, 12_000, 0.5),  # both large, health above 0.95: half
        (95, 10_000, 12_000, 1.0),  # health at 0.95: all
        (80, 10_000, 12_000, 1.0),
        (96, 1_999, 12_000, 1.0),  # a small debt: all
        (96, 2_000, 12_000, 0.5),
        (96, 10_000, 1_999, 1.0),  # a small collateral: all
        (96, 10_000, 2_000, 0.5),
    ],
)
def test_the_close_factor_is_half_or_all(health: int, debt: int, collateral: int, share: float) -> None:
    allowed = aave_v3_largest_repayment(health * WAD // 100, debt * BASE, debt * BASE, collateral * BASE)
    assert allowed == round(share * debt) * BASE


def test_the_half_is_of_the_total_debt_and_may_be_all_of_a_reserve() -> None:
    health = 97 * WAD // 100
    assert aave_v3_largest_repayment(health, 10_000 * BASE, 4_000 * BASE, 9_000 * BASE) == 4_000 * BASE
    assert aave_v3_largest_repayment(health, 10_000 * BASE, 6_000 * BASE, 9_000 * BASE) == 5_000 * BASE


def test_aave_and_sluice_both_leave_nothing_or_enough() -> None:
    assert aave_v3_leaves_dust(AAVE_LEFTOVER - 1, AAVE_LEFTOVER)
    assert aave_v3_leaves_dust(AAVE_LEFTOVER, AAVE_LEFTOVER - 1)
    assert not aave_v3_leaves_dust(0, 1)
    assert not aave_v3_leaves_dust(1, 0)
    assert not aave_v3_leaves_dust(AAVE_LEFTOVER, AAVE_LEFTOVER)


@pytest.mark.parametrize("health", [0.999, 0.99, 0.98, 0.97])
def test_sluice_sells_less_than_half_where_aave_may_sell_half(health: float) -> None:
    sale, debt = slice_at(health, NEAR_START), position(health, NEAR_START).debt
    theirs = aave_v3_largest_repayment(int(health * WAD), debt // 10**10, debt // 10**10, HELD * 2_000 * BASE)
    assert theirs == pytest.approx(debt / 10**10 / 2)
    assert sale.repaid / 10**10 < theirs
    # and what Aave's half does to the account, at its bonus of 5 %
    half = theirs / BASE
    assert health_after(health, half, 1.05 * half) > 1.05
    seized = sale.seized * 2_000 / WAD
    assert health_after(health, sale.repaid / WAD, seized) == pytest.approx(1.05, abs=1e-9)


# --------------------------------------------------------------------- Aave v4: bonus, size to target


def test_aave_v4s_bonus_runs_from_its_share_to_its_whole() -> None:
    terms = AaveV4Terms(10_500, 5_000, 9 * WAD // 10, TARGET)
    assert aave_v4_bonus_bps(terms, WAD) == 10_250
    assert aave_v4_bonus_bps(terms, 95 * WAD // 100) == 10_375
    assert aave_v4_bonus_bps(terms, 9 * WAD // 10) == 10_500
    assert aave_v4_bonus_bps(terms, 5 * WAD // 10) == 10_500


@pytest.mark.parametrize("health", [0.999, 0.97, 0.95, 0.92])
def test_at_the_same_factor_sluices_size_is_aave_v4s(health: float) -> None:
    """Both solve ``(A - k b r) / (D - r) = h``: equal up to a unit per rounding, where b is the same."""
    terms = AaveV4Terms(10_500, 10_000, 0, TARGET)
    multiplier = div_up(WAD + PENALTY, 105 * WAD // 100)
    here = position(health, multiplier)
    sale = largest_take(here, terms_at(here, multiplier, PENALTY), TARGET, DUST)
    theirs = aave_v4_repayment(terms, here.balance.debt_value, here.balance.health_factor, 8_300)
    assert sale.repaid == pytest.approx(theirs, rel=1e-15)


@pytest.mark.parametrize(
    ("ether", "health", "whole"),
    [
        (0.5, 0.97, "debt"),  # 856 dollars owed: less than the dust as it is
        (1.0, 0.97, "debt"),  # 1,711 dollars, of which the target would leave 984
        (1.8, 0.97, ""),  # 3,080 dollars: enough is left of both
        (1.2, 0.9, "debt"),  # 2,213 dollars: the target would leave 354
        (1_000.0, 0.97, ""),
    ],
)
def test_aave_v4_and_sluice_take_all_of_a_side_rather_than_leave_dust(
    ether: float, health: float, whole: str
) -> None:
    """With the same dust and the same factor the two close the same sides, and for the same value.

    Where the collateral would not reach they differ: Aave's bonus stays, Sluice's factor ends at V / D.
    """
    terms = AaveV4Terms(10_500, 10_000, 0, TARGET)
    multiplier = div_up(WAD + PENALTY, 105 * WAD // 100)
    here = position(health, multiplier, ether)
    sale = largest_take(here, terms_at(here, multiplier, PENALTY), TARGET, AAVE_V4_DUST)
    balance = here.balance
    theirs, taken = aave_v4_size(
        terms, balance.debt_value, balance.collateral_value, balance.health_factor, 8_300
    )
    assert sale.repaid == pytest.approx(theirs, rel=1e-12)
    assert sale.seized * 2_000 == pytest.approx(taken, rel=1e-12)
    assert (sale.repaid == here.debt) == (whole == "debt")


@pytest.mark.parametrize("health", [0.999, 0.97, 0.95])
def test_aave_v4s_bonus_follows_health_and_sluices_time(health: float) -> None:
    terms = AaveV4Terms(10_500, 5_000, 9 * WAD // 10, TARGET)
    theirs = aave_v4_bonus_bps(terms, int(health * WAD)) / BPS
    first = terms_at(position(health, NEAR_START), NEAR_START, PENALTY)
    assert (WAD + first.penalty) / first.multiplier < theirs, "a fresh lot in a deep market costs less"
    late = Leg(NEAR_START, DECAY, 0).multiplier(FLOOR, 600_000)
    last = terms_at(position(health, late), late, PENALTY)
    assert (WAD + last.penalty) / last.multiplier > theirs, "and one that nobody wants more"


# ---------------------------------------------------------------------- Morpho: the incentive factor


@pytest.mark.parametrize(
    ("lltv", "factor"),
    [(98, 1.0060), (945, 1.0168), (915, 1.0262), (86, 1.0438), (77, 1.0741), (625, 1.1268), (385, 1.15)],
)
def test_morphos_incentive_factor_at_its_published_thresholds(lltv: int, factor: float) -> None:
    scale = 100 if lltv < 100 else 1_000
    assert morpho_incentive_factor(lltv * WAD // scale) / WAD == pytest.approx(factor, abs=5e-5)


@pytest.mark.parametrize("lltv", [62.5, 77, 86, 91.5, 94.5])
def test_sluices_curve_passes_morphos_factor_and_starts_below_it(lltv: float) -> None:
    theirs = morpho_incentive_factor(int(lltv * WAD / 100)) / WAD
    leg = Leg(NEAR_START, DECAY, 0)
    assert 1.005 / (leg.multiplier(FLOOR, 0) / WAD) < theirs
    seconds = log(NEAR_START / WAD * theirs / 1.005) / (DECAY / WAD)
    assert 1.005 / (leg.multiplier(FLOOR, int(seconds * 1_000)) / WAD) == pytest.approx(theirs, rel=1e-5)
    assert seconds < 1_200, "within twenty minutes"


@pytest.mark.parametrize("lltv", [38.5, 62.5, 77, 86, 91.5, 94.5, 98])
def test_morphos_factor_keeps_a_fresh_liquidation_healthy_as_sluices_check_does(lltv: float) -> None:
    """Both demand ``k b < 1`` where liquidation begins: there a sale raises health whatever its size."""
    threshold = lltv / 100
    assert threshold * morpho_incentive_factor(int(threshold * WAD)) / WAD < 1
    assert 0.83 * 1.005 / (NEAR_START / WAD) < 1


# ------------------------------------------------------------------------------- Euler: the discount


def test_eulers_discount_is_what_health_lacks_up_to_its_cap() -> None:
    assert euler_discount_factor(95, 100, 1_500) == 95 * WAD // 100
    assert euler_discount_factor(70, 100, 1_500) == 85 * WAD // 100
    assert euler_largest_liquidation(95 * WAD, 120 * WAD, 100 * WAD, 1_500) == (
        100 * WAD,
        100 * WAD * WAD // (95 * WAD // 100),
    )
    repaid, taken = euler_largest_liquidation(80 * WAD, 90 * WAD, 100 * WAD, 1_500)
    assert (repaid, taken) == (90 * WAD * 85 // 100, 90 * WAD)


def test_eulers_discount_can_lower_health_and_sluices_never_does() -> None:
    """A sale at b raises health iff ``k b < HF``; Euler's b, 1 / HF, lowers it below ``HF = sqrt(k)``.

    Sluice's b is capped at HF / k. Where the curve has fallen so far that the account is insolvent at it, a
    sale cancels debt in the same proportion, and there is no health to lose.
    """
    health = 0.87
    assert health < sqrt(0.83)
    factor = euler_discount_factor(int(health * WAD), WAD, 2_000) / WAD
    repaid = 100_000.0
    assert health_after(health, repaid, repaid / factor) < health
    late = 957 * WAD // 1_000
    offer = terms_at(position(health, late), late, PENALTY)
    assert not offer.insolvent
    assert offer.penalty < PENALTY, "the penalty has shrunk to keep b at its cap"
    ours = (WAD + offer.penalty) / offer.multiplier
    assert ours < 1 / factor
    assert health_after(health, repaid, repaid * ours) >= health - 1e-12


@pytest.mark.parametrize("health", [0.99, 0.95, 0.92])
def test_euler_may_take_the_whole_position_where_sluice_takes_what_is_needed(health: float) -> None:
    here = position(health, NEAR_START)
    balance = here.balance
    theirs, _ = euler_largest_liquidation(
        balance.weighted_collateral, balance.collateral_value, balance.debt_value, 1_500
    )
    assert theirs == balance.debt_value
    assert slice_at(health, NEAR_START).repaid < theirs * 0.65
