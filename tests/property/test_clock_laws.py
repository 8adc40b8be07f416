"""Laws of an auction's clock: what load takes of the time, and what urgency gives back of it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.engine import Leg, Markets, Pace
from bot.domain.release import URGENT, SpeedParameters
from bot.domain.wad import WAD

ASSET = 0
FLOOR = 8 * WAD // 10
NEED = 975 * WAD // 1_000
BEGUN = 1_700_000_000
MARKETS = Markets(
    SpeedParameters(120, 200, 30, 5_000, 30_000, 600, 10_000, 5_000_000, 1_800, 1_000), frozenset()
)

starts = st.integers(94 * WAD // 100, 103 * WAD // 100)
decays = st.integers(10**13, 10**15)
walls = st.integers(0, 7_200)
urgencies = st.integers(0, URGENT)


@st.composite
def paces(draw: st.DrawFn) -> tuple[Leg, Pace]:
    """Draw a leg, and a moment at which its markets were active for a part of the time."""
    wall = draw(walls)
    active = draw(st.integers(0, wall * 1_000))
    leg = Leg(draw(starts), draw(decays), BEGUN)
    return leg, Pace(MARKETS, active, draw(urgencies), BEGUN + wall, NEED)


@given(paces())
def test_urgency_lowers_no_reserve_below_what_takers_need(drawn: tuple[Leg, Pace]) -> None:
    leg, pace = drawn
    calm = replace(pace, urgency=0).multiplier(ASSET, leg, FLOOR)
    assert min(calm, NEED) <= pace.multiplier(ASSET, leg, FLOOR) <= calm


@given(paces(), urgencies)
def test_more_urgency_never_raises_a_reserve(drawn: tuple[Leg, Pace], other: int) -> None:
    leg, pace = drawn
    low, high = sorted((pace.urgency, other))
    calmer, hastier = (replace(pace, urgency=u).multiplier(ASSET, leg, FLOOR) for u in (low, high))
    assert hastier <= calmer


@given(paces(), st.integers(0, 600))
def test_a_reserve_never_rises_with_time(drawn: tuple[Leg, Pace], seconds: int) -> None:
    leg, pace = drawn
    assert pace.buy_progress is not None
    later = replace(pace, time=pace.time + seconds)  # at worst no market is active any more
    assert later.multiplier(ASSET, leg, FLOOR) <= pace.multiplier(ASSET, leg, FLOOR)


@given(paces())
def test_full_urgency_leads_to_wall_time_or_to_what_takers_need(drawn: tuple[Leg, Pace]) -> None:
    leg, pace = drawn
    urgent = replace(pace, urgency=URGENT)
    wall = leg.multiplier(FLOOR, (pace.time - BEGUN) * 1_000)
    active = leg.multiplier(FLOOR, pace.buy_progress or 0)
    assert urgent.multiplier(ASSET, leg, FLOOR) == (wall if wall >= NEED else min(active, NEED))
