"""Theorems on WadMath, SharesMath and InterestRate."""

from __future__ import annotations

import z3

from tests.proofs.model import Model
from tests.proofs.paths import Path, Term
from tests.proofs.primitives import WAD
from tests.proofs.theorem import cancel, grow, theorem

WORDS = "all 256-bit words on which the call does not revert"
POOLS = "totals and amounts below 2^112, shares below 2^128"


def rounded(path: Path, down: Term, up: Term, product: Term, divisor: Term) -> Term:
    """Down <= product / divisor <= up, and up - down is 0 or 1."""
    cancel(path, down, up, divisor)
    cancel(path, up, down + 2, divisor)
    near = z3.And(up - down >= 0, up - down <= 1)
    return z3.And(down * divisor <= product, product <= up * divisor, near)


def pair(model: Model, path: Path, down: str, up: str, product: Term, divisor: Term, *given: Term) -> Term:
    """Return the conclusion for two functions that differ in their rounding."""
    lower = model.call(path, "WadMath", down, *given)
    upper = model.call(path, "WadMath", up, *given)
    return rounded(path, lower, upper, product, divisor)


@theorem("WadMath", "mulDown <= x y / 1e18 <= mulUp, at most 1 apart", WORDS)
def products_are_rounded_as_named(model: Model, path: Path) -> Term:
    x, y = path.uint("x", 256), path.uint("y", 256)
    return pair(model, path, "mulDown", "mulUp", x * y, WAD, x, y)


@theorem("WadMath", "divDown <= x 1e18 / y <= divUp, at most 1 apart", WORDS)
def quotients_are_rounded_as_named(model: Model, path: Path) -> Term:
    x, y = path.uint("x", 256), path.uint("y", 256)
    return pair(model, path, "divDown", "divUp", x * WAD, y, x, y)


@theorem("WadMath", "mulDivDown <= x y / d <= mulDivUp, at most 1 apart", WORDS)
def fractions_are_rounded_as_named(model: Model, path: Path) -> Term:
    x, y, d = path.uint("x", 256), path.uint("y", 256), path.uint("d", 256)
    return pair(model, path, "mulDivDown", "mulDivUp", x * y, d, x, y, d)


@theorem("WadMath", "valueDown <= amount price / unit <= valueUp, at most 1 apart", WORDS)
def values_are_rounded_as_named(model: Model, path: Path) -> Term:
    x, y, d = path.uint("x", 256), path.uint("y", 256), path.uint("d", 256)
    return pair(model, path, "valueDown", "valueUp", x * y, d, x, y, d)


@theorem("WadMath", "bpsDown <= x bps / 10,000 <= bpsUp, at most 1 apart", WORDS)
def basis_points_are_rounded_as_named(model: Model, path: Path) -> Term:
    x, y = path.uint("x", 256), path.uint("y", 256)
    return pair(model, path, "bpsDown", "bpsUp", x * y, 10_000, x, y)


@theorem("WadMath", "each of the ten rises with its first argument", WORDS)
def all_rise(model: Model, path: Path) -> Term:
    x, more, y, d = (path.uint(name, 256) for name in ("x", "more", "y", "d"))
    path.learn(x <= more)
    grow(path, x, more, y)
    grow(path, x, more, WAD)
    conclusions = []
    for name, given in (("mul", (y,)), ("div", (y,)), ("mulDiv", (y, d)), ("value", (y, d)), ("bps", (y,))):
        divisor = {"mul": WAD, "div": y, "bps": 10_000}.get(name, d)
        for way in ("Down", "Up"):
            small = model.call(path, "WadMath", name + way, x, *given)
            large = model.call(path, "WadMath", name + way, more, *given)
            cancel(path, small, large + 1, divisor)
            cancel(path, small - 1, large, divisor)
            conclusions.append(small <= large)
    return z3.And(conclusions)


@theorem("DecimalFloat", "a number is kept exactly or refused", "all 256-bit words")
def a_packed_number_is_exact(model: Model, path: Path) -> Term:
    number = path.uint("number", 256)
    exact, packed = model.call(path, "DecimalFloat", "pack", number)
    return exact is False or model.call(path, "DecimalFloat", "unpack", packed) == number


# ---------------------------------------------------------------------- shares


def pool(path: Path) -> tuple[Term, Term]:
    """Return totals of a pool: assets and shares."""
    return path.uint("assets", 112), path.uint("shares", 128)


@theorem("SharesMath", "what was deposited and is redeemed at once is no more than it was", POOLS)
def a_round_trip_gains_nothing(model: Model, path: Path) -> Term:
    assets, shares = pool(path)
    given = path.uint("given", 112)
    minted = model.call(path, "SharesMath", "toSharesDown", given, assets, shares)
    back = model.call(path, "SharesMath", "toAssetsDown", minted, assets + given, shares + minted)
    cancel(path, back, given, shares + minted + 10**6)
    return back <= given


@theorem("SharesMath", "a withdrawal burns shares worth at least what it pays", POOLS)
def a_withdrawal_burns_enough(model: Model, path: Path) -> Term:
    assets, shares = pool(path)
    paid = path.uint("paid", 112)
    burnt = model.call(path, "SharesMath", "toSharesUp", paid, assets, shares)
    worth = model.call(path, "SharesMath", "toAssetsUp", burnt, assets, shares)
    return z3.And(worth >= paid, burnt * (assets + 1) >= paid * (shares + 10**6))


@theorem("SharesMath", "neither deposit nor withdrawal lowers the price of a share", POOLS)
def a_share_keeps_its_price(model: Model, path: Path) -> Term:
    assets, shares = pool(path)
    amount = path.uint("amount", 112)
    minted = model.call(path, "SharesMath", "toSharesDown", amount, assets, shares)
    burnt = model.call(path, "SharesMath", "toSharesUp", amount, assets, shares)
    all_assets, all_shares = assets + 1, shares + 10**6
    deposit = (all_assets + amount) * all_shares >= all_assets * (all_shares + minted)
    withdrawal = (all_assets - amount) * all_shares >= all_assets * (all_shares - burnt)
    return z3.And(deposit, withdrawal)


@theorem(
    "SharesMath",
    "a borrower owes at least what was borrowed; a repayment takes off at most what was paid",
    POOLS,
)
def debts_round_against_the_borrower(model: Model, path: Path) -> Term:
    assets, shares = pool(path)
    amount = path.uint("amount", 112)
    owed = model.call(path, "SharesMath", "toSharesUp", amount, assets, shares)
    owes = model.call(path, "SharesMath", "toAssetsUp", owed, assets + amount, shares + owed)
    cancel(path, amount, owes, shares + owed + 10**6)
    repaid = model.call(path, "SharesMath", "toSharesDown", amount, assets, shares)
    relief = model.call(path, "SharesMath", "toAssetsDown", repaid, assets, shares)
    cancel(path, relief, amount, shares + 10**6)
    return z3.And(owes >= amount, relief <= amount)


@theorem("SharesMath", "shares to assets and back never gain a share", POOLS)
def shares_gain_nothing_by_conversion(model: Model, path: Path) -> Term:
    assets, shares = pool(path)
    held = path.uint("held", 128)
    worth = model.call(path, "SharesMath", "toAssetsDown", held, assets, shares)
    again = model.call(path, "SharesMath", "toSharesDown", worth, assets, shares)
    cancel(path, again, held, assets + 1)
    return again <= held


# ---------------------------------------------------------------------- interest

MODELS = "rates of 32 bits with base <= kink <= full, a kink between 0 and 1, totals below 2^112"


def rates(model: Model, path: Path) -> dict[str, Term]:
    """Return a rate model as `Parameters` lets it be."""
    given = model.struct(path, "IClearingHouse", "RateModel")
    path.learn(given["baseRateBps"] <= given["kinkRateBps"])
    path.learn(given["kinkRateBps"] <= given["fullRateBps"])
    path.learn(z3.And(given["kinkBps"] > 0, given["kinkBps"] < 10_000))
    return given


@theorem("InterestRate", "utilisation is at most 1 and rises with what is lent out", "totals below 2^112")
def utilisation_is_a_fraction_and_rises(model: Model, path: Path) -> Term:
    supplied, borrowed, more = (path.uint(name, 112) for name in ("supplied", "borrowed", "more"))
    path.learn(borrowed <= more)
    low = model.call(path, "InterestRate", "utilisation", supplied, borrowed)
    high = model.call(path, "InterestRate", "utilisation", supplied, more)
    cancel(path, low, high + 1, supplied)
    cancel(path, low, WAD, supplied)
    return z3.And(low <= high, high <= WAD)


@theorem("InterestRate", "the rate lies between base and full, and no call reverts", MODELS, total=True)
def the_rate_is_bounded(model: Model, path: Path) -> Term:
    given = rates(model, path)
    supplied, borrowed = path.uint("supplied", 112), path.uint("borrowed", 112)
    used = model.call(path, "InterestRate", "utilisation", supplied, borrowed)
    rate = model.call(path, "InterestRate", "borrowRate", given, supplied, borrowed)
    kink = given["kinkBps"] * 10**14
    below, above = given["kinkRateBps"] - given["baseRateBps"], given["fullRateBps"] - given["kinkRateBps"]
    grow(path, used, kink, below * 10**14)
    grow(path, used - kink, WAD - kink, above * 10**14)
    cancel(path, rate - 1 - given["baseRateBps"] * 10**14, below * 10**14, kink)
    cancel(path, rate - 1 - given["kinkRateBps"] * 10**14, above * 10**14, WAD - kink)
    return z3.And(given["baseRateBps"] * 10**14 <= rate, rate <= given["fullRateBps"] * 10**14)


@theorem(
    "InterestRate",
    "growth rises with rate and time, and is at least simple interest",
    "rates below 2^80, times below 2^40",
)
def growth_rises(model: Model, path: Path) -> Term:
    rate, faster = path.uint("rate", 80), path.uint("faster", 80)
    elapsed, longer = path.uint("elapsed", 40), path.uint("longer", 40)
    path.learn(z3.And(rate <= faster, elapsed <= longer))
    grow(path, rate, faster, elapsed)
    grow(path, elapsed, longer, faster)
    first, larger = path.ceil(rate * elapsed, 31_536_000), path.ceil(faster * longer, 31_536_000)
    cancel(path, first - 1, larger, 31_536_000)
    second, higher = path.ceil(first * first, 2 * WAD), path.ceil(larger * larger, 2 * WAD)
    for low, high in ((first, larger), (second, higher)):
        grow(path, low, high, first)
        grow(path, first, larger, high)
    small = model.call(path, "InterestRate", "growthUp", rate, elapsed)
    large = model.call(path, "InterestRate", "growthUp", faster, longer)
    return z3.And(small <= large, small * 31_536_000 >= rate * elapsed)
