"""The release budget and urgency against slow, plain references."""

import math
from fractions import Fraction

import mpmath
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import urgency, wad
from bot.domain.release import MICROS, URGENT, WAD_PER_MICRO, Bucket, SpeedParameters

SPEED = SpeedParameters(
    recovery=120,
    slippage_limit_bps=200,
    near_slippage_bps=30,
    shape_bps=5_000,
    urgency_z_bps=30_000,
    tau_clear=600,
    min_capacity=10_000,
    max_capacity=5_000_000,
    depth_max_age=3_600,
    choice_tolerance_bps=100,
)
T0 = 1_700_000_000
CAPACITIES = st.integers(10_000 * MICROS, 5_000_000 * MICROS)
SECONDS = st.integers(0, 1_000)


@st.composite
def buckets(draw: st.DrawFn) -> Bucket:
    capacity = draw(CAPACITIES)
    level = draw(st.integers(-capacity, capacity))
    return Bucket(level, capacity, T0, draw(st.integers(0, 10**12)), T0)


def reference_clock(bucket: Bucket, elapsed: int) -> Fraction:
    """Return the exact integral of max(0, level) / capacity, milliseconds."""
    speed = Fraction(1, SPEED.recovery)
    start = Fraction(bucket.level, bucket.capacity)
    zero, full = max(-start / speed, Fraction(0)), (1 - start) / speed
    begin, end = min(zero, Fraction(elapsed)), min(full, Fraction(elapsed))
    low, high = start + speed * begin, start + speed * end
    ramp = (high * high - low * low) / (2 * speed) if end > begin else Fraction(0)
    return 1_000 * (ramp + max(elapsed - full, 0))


@given(bucket=buckets(), elapsed=SECONDS)
def test_the_clock_is_the_integral_of_the_level_and_never_ahead_of_it(bucket: Bucket, elapsed: int) -> None:
    active = bucket.at(SPEED, T0 + elapsed).clock - bucket.clock
    exact = reference_clock(bucket, elapsed)
    assert 0 <= active <= exact
    assert exact - active < 3
    assert active <= 1_000 * elapsed


@given(bucket=buckets(), elapsed=SECONDS)
def test_an_empty_bucket_is_full_after_twice_the_recovery(bucket: Bucket, elapsed: int) -> None:
    later = bucket.at(SPEED, T0 + 2 * SPEED.recovery + elapsed)
    assert later.level == later.capacity


@given(bucket=buckets(), elapsed=SECONDS, cut=SECONDS)
def test_rolling_in_pieces_never_releases_more_or_sooner(bucket: Bucket, elapsed: int, cut: int) -> None:
    whole = bucket.at(SPEED, T0 + elapsed)
    pieces = bucket.at(SPEED, T0 + min(cut, elapsed)).at(SPEED, T0 + elapsed)
    assert pieces.level <= whole.level <= pieces.level + 1
    assert pieces.clock <= whole.clock <= pieces.clock + 3


@given(bucket=buckets(), value=st.integers(0, 10**26))
def test_a_draw_costs_its_value_and_overdraws_by_the_capacity_at_most(bucket: Bucket, value: int) -> None:
    drawn = bucket.drawn(value)
    assert -bucket.capacity <= drawn.level <= bucket.level
    if drawn.level > -bucket.capacity:
        assert (bucket.level - drawn.level) * WAD_PER_MICRO >= value


@given(bucket=buckets(), capacity=CAPACITIES)
def test_another_capacity_forgets_no_load(bucket: Bucket, capacity: int) -> None:
    resized = bucket.resized(capacity)
    assert resized.load == min(bucket.load, 2 * capacity)


@given(bucket=buckets(), elapsed=SECONDS)
def test_depth_that_nobody_confirmed_counts_as_the_least(bucket: Bucket, elapsed: int) -> None:
    stale = bucket.at(SPEED, T0 + SPEED.depth_max_age + 1 + elapsed)
    assert stale.capacity == SPEED.min_capacity * MICROS


@given(bucket=buckets(), low=st.integers(0, URGENT), high=st.integers(0, URGENT))
def test_urgency_only_opens(bucket: Bucket, low: int, high: int) -> None:
    low, high = sorted((low, high))
    assert bucket.is_open(high) or not bucket.is_open(low)
    assert bucket.is_open(URGENT)


@given(
    collateral=st.integers(10**18, 10**27),
    ratio=st.floats(0.9, 1.3),
    sigma=st.integers(20, 500).map(lambda percent: percent * 10**16),
)
def test_urgency_follows_its_formula(collateral: int, ratio: float, sigma: int) -> None:
    debt = int(collateral / ratio)
    least = urgency.need(SPEED.slippage_limit_bps, 50)
    width = urgency.width_down(sigma, SPEED.urgency_z_bps, SPEED.tau_clear)
    found = urgency.urgency(collateral, debt, least, width)
    assert math.isclose(width / 1e18, 3 * sigma / 1e18 * math.sqrt(600 / (365 * 86_400)), rel_tol=1e-9)
    exact = 1 - math.log(collateral / debt * 0.975) / (width / 1e18)
    assert abs(found - 255 * min(max(exact, 0.0), 1.0)) <= 1 + 1e-6
    if urgency.is_remote(collateral, debt, least, width):
        assert found == 0


@given(x=st.integers(1, 2**200))
def test_the_logarithm_is_right_to_about_the_last_place(x: int) -> None:
    with mpmath.workdps(60):
        assert abs(wad.ln_wad(x) - mpmath.log(mpmath.mpf(x) / wad.WAD) * wad.WAD) < 1.1
