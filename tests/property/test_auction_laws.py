"""What holds for every auction."""

import math

from hypothesis import given
from hypothesis import strategies as st

from bot.domain import auction

DAY = 86_400.0
volatility = st.one_of(st.just(0.0), st.floats(1e-4, 1.0))
block_time = st.floats(0.05, 600.0)
speed = st.floats(1e-8, 1e-2)
start = st.floats(-0.5, 0.5)
slots = st.booleans()


def decay_above(daily: float, excess: float) -> float:
    return daily * daily / DAY / 2.0 + excess


@given(daily=volatility, interval=block_time, excess=speed, z=start, fixed=slots)
def test_a_loss_is_a_share_and_a_fill_takes_a_block(
    daily: float, interval: float, excess: float, z: float, fixed: bool
) -> None:
    decay = decay_above(daily, excess)
    assert 0.0 <= auction.expected_loss(decay, daily, interval, z, fixed) <= 1.0
    assert auction.expected_fill_time(decay, daily, interval, z, fixed) >= interval * (1.0 - 1e-12)


@given(daily=volatility, interval=block_time, excess=speed, z=start)
def test_a_faster_poisson_auction_loses_more_and_ends_sooner(
    daily: float, interval: float, excess: float, z: float
) -> None:
    slow, fast = decay_above(daily, excess), decay_above(daily, 1.5 * excess)
    loss = auction.expected_loss(slow, daily, interval, z)
    assert auction.expected_loss(fast, daily, interval, z) >= loss - 1e-14
    time = auction.expected_fill_time(slow, daily, interval, z)
    assert auction.expected_fill_time(fast, daily, interval, z) <= time * (1.0 + 1e-12)


@given(daily=volatility, interval=block_time, excess=speed, z=start, fixed=slots)
def test_wald_binds_the_time_to_the_overshoot(
    daily: float, interval: float, excess: float, z: float, fixed: bool
) -> None:
    # The mean of z at the fill is z - delta T, and by Jensen exp of a mean is at most the mean of exp.
    decay = decay_above(daily, excess)
    delta = decay - daily * daily / DAY / 2.0
    mean_at_fill = z - delta * auction.expected_fill_time(decay, daily, interval, z, fixed)
    kept = 1.0 - auction.expected_loss(decay, daily, interval, z, fixed)
    assert math.exp(mean_at_fill) <= kept + 1e-9


@given(
    daily=volatility,
    interval=block_time,
    excess=speed,
    z=start,
    factor=st.sampled_from([0.25, 4.0]),
    fixed=slots,
)
def test_the_unit_of_time_does_not_matter(
    daily: float, interval: float, excess: float, z: float, factor: float, fixed: bool
) -> None:
    decay = decay_above(daily, excess)
    scaled = (decay / factor, daily / math.sqrt(factor), interval * factor, z, fixed)
    plain = (decay, daily, interval, z, fixed)
    assert math.isclose(
        auction.expected_loss(*scaled), auction.expected_loss(*plain), rel_tol=1e-6, abs_tol=1e-12
    )
    assert math.isclose(
        auction.expected_fill_time(*scaled), factor * auction.expected_fill_time(*plain), rel_tol=1e-6
    )


@given(
    daily=st.floats(1e-3, 0.5),
    interval=block_time,
    z=st.floats(-0.001, 0.3),
    cost=st.floats(1e-9, 1e-3),
    step=st.sampled_from([0.5, 0.9, 0.99, 1.01, 1.1, 2.0]),
)
def test_no_decay_nearby_beats_the_best(
    daily: float, interval: float, z: float, cost: float, step: float
) -> None:
    def total(decay: float) -> float:
        waiting = auction.expected_fill_time(decay, daily, interval, z)
        return auction.expected_loss(decay, daily, interval, z) + cost * waiting

    best = auction.optimal_decay(z, daily, interval, cost)
    still = daily * daily / DAY / 2.0
    assert total(best) <= total(still + (best - still) * step) * (1.0 + 1e-12)


@given(
    elapsed=st.floats(0.0, 1e9),
    start_at=st.floats(0.1, 10.0),
    decay=st.floats(0.0, 1.0),
    floor=st.floats(0.0, 1.0),
)
def test_the_multiplier_never_rises_nor_passes_its_floor(
    elapsed: float, start_at: float, decay: float, floor: float
) -> None:
    now = auction.multiplier(elapsed, start_at, decay, floor)
    later = auction.multiplier(elapsed + 1.0, start_at, decay, floor)
    assert floor <= later <= now <= max(start_at, floor)
