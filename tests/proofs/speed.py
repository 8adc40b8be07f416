"""Theorems on ReserveCurve, CurveParameters, ReleaseBudget and Urgency."""

from __future__ import annotations

import z3

from tests.proofs.model import Model
from tests.proofs.paths import Path, Term
from tests.proofs.primitives import EXP, WAD
from tests.proofs.theorem import cancel, grow, theorem

CURVES = (
    "start and decay of 64 bits, times of 48 bits, floor up to 1; expWad any rising function up to 1 at 0"
)


def curve(path: Path) -> tuple[Term, Term, Term]:
    """Return start, decay and floor of a curve."""
    return path.uint("start", 64), path.uint("decay", 64), path.between("floor", 1, WAD)


@theorem("ReserveCurve", "never below the floor, never above the larger of start and floor", CURVES)
def a_reserve_keeps_between_floor_and_start(model: Model, path: Path) -> Term:
    start, decay, floor = curve(path)
    elapsed = path.uint("elapsed", 48)
    exponential = exponential_of(path, decay, elapsed)
    grow(path, exponential, WAD, start)
    result = model.call(path, "ReserveCurve", "multiplierUp", start, decay, elapsed, floor)
    return z3.And(result >= floor, z3.Or(result <= start, result <= floor))


@theorem("ReserveCurve", "begins at the larger of start and floor", CURVES)
def a_reserve_begins_at_its_start(model: Model, path: Path) -> Term:
    start, decay, floor = curve(path)
    result = model.call(path, "ReserveCurve", "multiplierUp", start, decay, 0, floor)
    return result == z3.If(start > floor, start, floor)


@theorem("ReserveCurve", "never rises with time", CURVES)
def a_reserve_never_rises(model: Model, path: Path) -> Term:
    start, decay, floor = curve(path)
    elapsed, later = path.uint("elapsed", 48), path.uint("later", 48)
    path.learn(elapsed <= later)
    grow(path, elapsed, later, decay)
    grow(path, exponential_of(path, decay, later), exponential_of(path, decay, elapsed), start)
    now = model.call(path, "ReserveCurve", "multiplierUp", start, decay, elapsed, floor)
    then = model.call(path, "ReserveCurve", "multiplierUp", start, decay, later, floor)
    return then <= now


def exponential_of(path: Path, decay: Term, elapsed: Term) -> Term:
    """Return the term of the exponential that the curve will use: the same function of the same quotient."""
    return EXP(-path.floor(decay * elapsed, 1_000))


# ---------------------------------------------------------------------- budgets

BUCKETS = "levels within the capacity around zero, capacities to 5e12, recovery to a day, times below 2^32"
FAR = 2**32 - 1
NEAR_START_MAX = 103 * 10**16
"""`Parameters.NEAR_START_MAX_WAD`."""


def bucket(model: Model, path: Path) -> dict[str, Term]:
    """Return a bucket as it may stand in storage."""
    most = 5_000_000 * 10**6
    capacity = path.between("capacity", 1, most)
    level = path.between("level", -most, most)
    path.learn(z3.And(level <= capacity, level >= -capacity))
    times = {name: path.between(name, 1, FAR) for name in ("levelAt", "pokedAt")}
    clock = path.between("clock", 0, FAR * 1_000)
    return model.struct(
        path, "ILiquidationEngine", "Bucket", level=level, capacity=capacity, clock=clock, **times
    )


def speed(model: Model, path: Path) -> dict[str, Term]:
    """Return parameters of speed as `Parameters` lets them be."""
    given = model.struct(path, "ILiquidationEngine", "SpeedParameters")
    path.learn(z3.And(given["recovery"] > 0, given["recovery"] <= 86_400))
    path.learn(z3.And(given["minCapacity"] > 0, given["minCapacity"] <= given["maxCapacity"]))
    path.learn(given["maxCapacity"] <= 5_000_000)
    return given


def within(held: dict[str, Term]) -> Term:
    """Say that a level lies within its capacity on both sides of zero."""
    return z3.And(held["level"] <= held["capacity"], held["level"] >= -held["capacity"])


@theorem(
    "ReleaseBudget",
    "a draw lowers the level by its value, rounded up, to -capacity at the least; no call reverts",
    BUCKETS,
    total=True,
)
def a_draw_lowers_the_level(model: Model, path: Path) -> Term:
    held = bucket(model, path)
    before, value = held["level"], path.uint("value", 128)
    model.call(path, "ReleaseBudget", "draw", held, value)
    after = held["level"]
    exact = z3.And((before - after) * 10**12 >= value, (before - after - 1) * 10**12 < value)
    return z3.And(within(held), after <= before, z3.Or(exact, after == -held["capacity"]))


@theorem("ReleaseBudget", "a larger draw leaves no more", BUCKETS)
def a_larger_draw_leaves_less(model: Model, path: Path) -> Term:
    held = bucket(model, path)
    other = dict(held)
    value, more = path.uint("value", 128), path.uint("more", 128)
    path.learn(value <= more)
    model.call(path, "ReleaseBudget", "draw", held, value)
    model.call(path, "ReleaseBudget", "draw", other, more)
    return other["level"] <= held["level"]


@theorem(
    "ReleaseBudget",
    "a new capacity keeps the load, at most twice the capacity; no call reverts",
    BUCKETS,
    total=True,
)
def a_new_capacity_keeps_the_load(model: Model, path: Path) -> Term:
    held = bucket(model, path)
    load = held["capacity"] - held["level"]
    capacity = path.between("other", 1, 5_000_000 * 10**6)
    model.call(path, "ReleaseBudget", "resize", held, capacity)
    kept = held["capacity"] - held["level"]
    return z3.And(
        within(held),
        held["capacity"] == capacity,
        z3.Or(kept == load, z3.And(kept < load, kept == 2 * capacity)),
    )


@theorem(
    "ReleaseBudget", "time refills by floor(capacity elapsed / recovery), never past the capacity", BUCKETS
)
def time_refills(model: Model, path: Path) -> Term:
    held, recovery, time = rolled(model, path)
    before, since = held["level"], held["levelAt"]
    model.call(path, "ReleaseBudget", "_roll", held, recovery, time)
    gained = held["level"] - before
    refill = path.floor(held["capacity"] * (time - since), recovery)
    full = held["level"] == held["capacity"]
    return z3.And(within(held), gained >= 0, gained <= refill, z3.Or(gained == refill, full))


def rolled(model: Model, path: Path) -> tuple[dict[str, Term], Term, Term]:
    """Return a bucket, a recovery time and a time not before the bucket's."""
    held = bucket(model, path)
    recovery = path.between("recovery", 1, 86_400)
    time = path.between("time", held["levelAt"], FAR)
    return held, recovery, time


@theorem("ReleaseBudget", "rolling forward in two steps never refills more than in one", BUCKETS)
def pieces_refill_no_more(model: Model, path: Path) -> Term:
    held, recovery, between = rolled(model, path)
    later = path.between("later", between, FAR)
    once = dict(held)
    start = held["levelAt"]
    whole = path.floor(held["capacity"] * (later - start), recovery)
    first = path.floor(held["capacity"] * (between - start), recovery)
    second = path.floor(held["capacity"] * (later - between), recovery)
    cancel(path, first + second, whole + 1, recovery)
    model.call(path, "ReleaseBudget", "_roll", once, recovery, later)
    model.call(path, "ReleaseBudget", "_roll", held, recovery, between)
    model.call(path, "ReleaseBudget", "_roll", held, recovery, later)
    return held["level"] <= once["level"]


@theorem("ReleaseBudget", "the clock never runs back and never outruns the wall", BUCKETS)
def the_clock_keeps_within_the_wall(model: Model, path: Path) -> Term:
    capacity = path.between("capacity", 1, 5_000_000 * 10**6)
    before = path.between("before", 0, 2 * 5_000_000 * 10**6)
    path.learn(before <= 2 * capacity)
    elapsed, recovery = path.between("elapsed", 1, FAR), path.between("recovery", 1, 86_400)
    refill = path.floor(capacity * elapsed, recovery)
    gained = z3.If(refill < before, refill, before)
    active = model.call(
        path, "ReleaseBudget", "_active", capacity, before, before - gained, elapsed, recovery
    )
    low = z3.If(capacity > before, capacity - before, 0)
    high = z3.If(capacity > before - gained, capacity - before + gained, 0)
    # the ramp: (high - low) (high + low) <= gained * 2 capacity, and gained * recovery <= capacity * elapsed
    grow(path, high - low, gained, high + low)
    grow(path, high + low, 2 * capacity, gained)
    rise = (high * high - low * low) * recovery * 1_000
    grow(path, high * high - low * low, gained * 2 * capacity, recovery * 1_000)
    path.floor(rise, 2 * capacity * capacity)
    return z3.And(active >= 0, active <= elapsed * 1_000)


@theorem("ReleaseBudget", "capacity lies between B_min and B_max and rises with depth", "depth below 2^128")
def capacity_is_clamped_and_rises(model: Model, path: Path) -> Term:
    given = speed(model, path)
    path.learn(given["shapeBps"] <= 10_000)
    depth, deeper = path.uint("depth", 128), path.uint("deeper", 128)
    path.learn(depth <= deeper)
    grow(path, depth, deeper, given["shapeBps"])
    low = model.call(path, "ReleaseBudget", "capacityOf", depth, given)
    high = model.call(path, "ReleaseBudget", "capacityOf", deeper, given)
    return z3.And(given["minCapacity"] * 10**6 <= low, low <= high, high <= given["maxCapacity"] * 10**6)


@theorem("ReleaseBudget", "open above zero for all, and for the urgent as far below as they are", BUCKETS)
def urgency_opens(model: Model, path: Path) -> Term:
    held = bucket(model, path)
    urgency, more = path.uint("urgency", 8), path.uint("more", 8)
    path.learn(urgency <= more)
    grow(path, urgency, more, held["capacity"])
    calm = model.call(path, "ReleaseBudget", "isOpen", held, urgency)
    urgent = model.call(path, "ReleaseBudget", "isOpen", held, more)
    return z3.And(
        z3.Implies(calm, urgent),
        z3.Implies(held["level"] > 0, calm),
        z3.Implies(urgency == 255, calm),
        z3.Implies(z3.And(urgency == 0, held["level"] <= 0), z3.Not(calm)),
    )


# ---------------------------------------------------------------------- urgency and where curves start

ACCOUNTS = "values below 2^128, need up to 1, widths below 2^96; lnWad any rising function from 0 at 1"


@theorem(
    "Urgency",
    "within 0 and 255, and 255 wherever collateral at what takers need is no more than the debt",
    ACCOUNTS,
)
def urgency_is_full_in_insolvency(model: Model, path: Path) -> Term:
    collateral, debt, need, width = account(path)
    urgency = model.call(path, "Urgency", "urgency", collateral, debt, need, width)
    cover = path.ceil(collateral * need, debt)
    cancel(path, cover - 1, WAD, debt)
    insolvent = collateral * need <= debt * WAD
    return z3.And(urgency >= 0, urgency <= 255, z3.Implies(insolvent, urgency == 255))


def account(path: Path) -> tuple[Term, Term, Term, Term]:
    """Return collateral, debt, need and width."""
    debt = path.uint("debt", 128, least=1)
    return path.uint("collateral", 128), debt, path.between("need", 1, WAD), path.uint("width", 96, least=1)


@theorem("Urgency", "never rises with collateral", ACCOUNTS)
def urgency_falls_with_collateral(model: Model, path: Path) -> Term:
    collateral, debt, need, width = account(path)
    more = path.uint("more", 128)
    path.learn(collateral <= more)
    grow(path, collateral, more, need)
    cancel(path, path.ceil(collateral * need, debt) - 1, path.ceil(more * need, debt), debt)
    poor = model.call(path, "Urgency", "urgency", collateral, debt, need, width)
    rich = model.call(path, "Urgency", "urgency", more, debt, need, width)
    return rich <= poor


@theorem("Urgency", "never falls with debt", ACCOUNTS)
def urgency_rises_with_debt(model: Model, path: Path) -> Term:
    collateral, debt, need, width = account(path)
    more = path.uint("more", 128, least=1)
    path.learn(debt <= more)
    less, cover = path.ceil(collateral * need, more), path.ceil(collateral * need, debt)
    grow(path, debt, more, cover)
    cancel(path, less - 1, cover, more)
    light = model.call(path, "Urgency", "urgency", collateral, debt, need, width)
    heavy = model.call(path, "Urgency", "urgency", collateral, more, need, width)
    return heavy >= light


@theorem(
    "CurveParameters",
    "a near start is at most 1, a far one at least 1; no call reverts",
    "fees and slippage together below 1, volatility up to 500 %, deviation up to 100 %",
    total=True,
)
def starts_lie_on_their_sides(model: Model, path: Path) -> Term:
    inputs = model.struct(path, "ILiquidationEngine", "CurveInputs")
    path.learn(z3.And(inputs["volatilityBps"] <= 50_000, inputs["deviationBps"] <= 10_000))
    slippage = path.uint("slippage", 16)
    path.learn(inputs["venueFeePips"] + slippage * 100 < 10**6)
    far = model.call(path, "CurveParameters", "farStartUp", inputs)
    near = model.call(path, "CurveParameters", "nearStart", inputs["venueFeePips"], slippage)
    return z3.And(near <= WAD, near > 0, far >= WAD)


@theorem(
    "CurveParameters",
    "a near start that is raised lies between the lowest one and the most",
    "lowest up to 1, premiums below 2^96",
    total=True,
)
def a_raised_start_keeps_its_bounds(model: Model, path: Path) -> Term:
    lowest, premium = path.between("lowest", 1, WAD), path.uint("premium", 96)
    raised = model.call(path, "CurveParameters", "raisedUp", lowest, premium)
    return z3.And(raised >= lowest, raised <= NEAR_START_MAX)


@theorem("CurveParameters", "decay rises with volatility", "all of 16 bits")
def decay_rises_with_volatility(model: Model, path: Path) -> Term:
    calm, wild = path.uint("calm", 16), path.uint("wild", 16)
    path.learn(calm <= wild)
    slow = model.call(path, "CurveParameters", "decayDown", calm)
    fast = model.call(path, "CurveParameters", "decayDown", wild)
    return slow <= fast


@theorem("DepthMath", "two pools one behind the other are no deeper than either", "depths below 2^128")
def a_chain_is_no_deeper_than_its_parts(model: Model, path: Path) -> Term:
    first, second = path.uint("first", 128), path.uint("second", 128)
    both = model.call(path, "DepthMath", "behind", first, second)
    cancel(path, both, first, first + second)
    cancel(path, both, second, first + second)
    return z3.And(both <= first, both <= second)
