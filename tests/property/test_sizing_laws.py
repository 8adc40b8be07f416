"""What holds for every repayment."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain import sizing
from bot.errors import TargetHealthUnreachableError

value = st.floats(1.0, 1e12)
threshold = st.floats(0.05, 0.95)
bonus = st.floats(0.0, 0.3)
target = st.floats(1.005, 1.3)
weight = st.floats(1.0, 1.5)


@st.composite
def unhealthy(draw: st.DrawFn) -> dict[str, float]:
    """Draw an account below its target that a repayment can lift."""
    collateral, counted, goal = draw(value), draw(threshold), draw(target)
    other = draw(st.floats(0.0, 1e12))
    account = {
        "collateral_value": collateral,
        "threshold": counted,
        "bonus": draw(bonus),
        "target": goal,
        "weighted_total": collateral * counted + other,
        "debt_weight": draw(weight),
    }
    account["debt_value"] = account["weighted_total"] / draw(st.floats(0.3, 1.0))
    assume(goal * account["debt_weight"] > 1.001 * counted * (1.0 + account["bonus"]))
    return account


@given(account=unhealthy())
def test_a_repayment_ends_at_the_target_or_uses_the_collateral_up(account: dict[str, float]) -> None:
    repay = sizing.repay_to_target(**account)
    incentive = 1.0 + account["bonus"]
    most = account["collateral_value"] / incentive
    assert 0.0 <= repay <= most
    assert repay <= account["debt_value"] / account["debt_weight"]
    if repay < most:
        left = account["weighted_total"] - account["threshold"] * incentive * repay
        owed = account["debt_value"] - account["debt_weight"] * repay
        assert left == pytest.approx(account["target"] * owed, rel=1e-9, abs=1e-9 * account["debt_value"])


@given(account=unhealthy(), higher=st.floats(1.0, 1.5))
def test_a_higher_target_never_repays_less(account: dict[str, float], higher: float) -> None:
    more = sizing.repay_to_target(**{**account, "target": account["target"] * higher})
    assert more >= sizing.repay_to_target(**account) * (1.0 - 1e-12)


@given(account=unhealthy(), part=st.floats(0.0, 1.0))
def test_splitting_a_liquidation_gains_nothing(account: dict[str, float], part: float) -> None:
    whole = sizing.repay_to_target(**account)
    first, incentive = part * whole, 1.0 + account["bonus"]
    rest = {
        **account,
        "collateral_value": max(account["collateral_value"] - first * incentive, 0.0),
        "weighted_total": max(account["weighted_total"] - account["threshold"] * first * incentive, 0.0),
        "debt_value": max(account["debt_value"] - account["debt_weight"] * first, 0.0),
    }
    assert first + sizing.repay_to_target(**rest) == pytest.approx(whole, rel=1e-6, abs=1e-6)


@given(account=unhealthy())
def test_one_collateral_is_a_mix_of_one(account: dict[str, float]) -> None:
    del account["weighted_total"]
    account["debt_value"] = account["collateral_value"] * account["threshold"] / 0.97
    alone = sizing.repay_to_target(**account)
    assume(alone < account["collateral_value"] / (1.0 + account["bonus"]))
    mix = sizing.cheapest_mix(
        [account["collateral_value"]],
        [account["threshold"]],
        [account["bonus"]],
        account["debt_value"],
        account["target"],
        account["debt_weight"],
    )
    assert mix[0] == pytest.approx(alone, rel=1e-12)


@given(
    book=st.lists(st.tuples(value, threshold, bonus), min_size=2, max_size=6),
    goal=target,
    heavy=weight,
    health=st.floats(0.9, 1.0),
    data=st.data(),
)
def test_moving_a_repayment_to_another_collateral_never_saves(
    book: list[tuple[float, float, float]], goal: float, heavy: float, health: float, data: st.DataObject
) -> None:
    values, thresholds, bonuses = (np.array(column) for column in zip(*book, strict=True))
    debt = float(values @ thresholds) / health
    try:
        mix = sizing.cheapest_mix(values, thresholds, bonuses, debt, goal, heavy)
    except TargetHealthUnreachableError:
        assume(False)
    gain = goal * heavy - thresholds * (1.0 + bonuses)
    source, sink = data.draw(st.permutations(range(len(book))))[:2]
    assume(gain[source] > 1e-3 and gain[sink] > 1e-3)
    room = values[sink] / (1.0 + bonuses[sink]) - mix[sink]
    moved = data.draw(st.floats(0.0, 1.0)) * min(mix[source], room * gain[sink] / gain[source])
    change = moved * (gain[source] / gain[sink] * bonuses[sink] - bonuses[source])
    assert change >= -1e-12 * max(debt, moved)


@given(collateral=value, debt=value, counted=threshold, extra=bonus)
def test_a_slice_that_raises_health_at_a_safe_bonus_keeps_the_account_solvent(
    collateral: float, debt: float, counted: float, extra: float
) -> None:
    assume(extra <= sizing.largest_safe_bonus(collateral, debt))
    repay = min(collateral / (1.0 + extra), debt)
    assert collateral - (1.0 + extra) * repay >= (debt - repay) - 1e-9 * debt
