"""Theorems on Sizing: what a sale costs, what it cancels, how large it is."""

from __future__ import annotations

from collections.abc import Callable

import z3

from tests.proofs.model import Model
from tests.proofs.paths import Path, Term
from tests.proofs.primitives import WAD
from tests.proofs.theorem import Statement, cancel, grow, theorem

SALES = "amounts, prices and values below 2^128, units to 1e18, multipliers to 2, penalties to 1"


def sizing(says: str) -> Callable[[Statement], Statement]:
    """Enter a statement about sales into the list of what is proven."""
    return theorem("Sizing", says, SALES)


def position(model: Model, path: Path) -> dict[str, Term]:
    """Return an account with some debt and some collateral, seen from a pair."""
    amounts = {name: path.uint(name, 128, least=1) for name in ("collateral", "debt")}
    prices = {name: path.uint(name, 128, least=1) for name in ("collateralPrice", "debtPrice")}
    units = {name: path.between(name, 1, WAD) for name in ("collateralUnit", "debtUnit")}
    values = {
        name: path.uint(name, 128, least=1)
        for name in ("collateralValue", "debtValue", "weightedCollateral", "weightedDebt")
    }
    return model.struct(
        path,
        "Sizing",
        "Position",
        otherDebtValue=path.uint("otherDebtValue", 128),
        highestMultiplier=path.between("highest", 1, 2 * WAD),
        threshold=path.between("threshold", 1, WAD),
        weight=path.between("weight", WAD, 2 * WAD),
        **amounts,
        **prices,
        **units,
        **values,
    )


def offer(model: Model, path: Path, held: dict[str, Term], *, insolvent: bool) -> dict[str, Term]:
    """Return terms of a sale, as `terms` makes them."""
    reserve = path.uint("reserve", 128, least=1)
    path.learn((reserve < held["debtValue"]) if insolvent else (reserve >= held["debtValue"]))
    penalty = 0 if insolvent else path.between("penalty", 0, WAD)
    multiplier = path.between("multiplier", 1, 2 * WAD)
    given = {"multiplier": multiplier, "penalty": penalty, "reserveValue": reserve, "insolvent": insolvent}
    return model.struct(path, "Sizing", "Terms", **given)


def any_offer(model: Model, path: Path, held: dict[str, Term]) -> dict[str, Term]:
    """Return terms of a sale of an account that is solvent, or is not."""
    return offer(model, path, held, insolvent=path.branch(path.fresh("insolvent") > 0))


def sold_and_paid(path: Path, least: int = 0) -> tuple[Term, Term]:
    """Return how much is sold, at least ``least``, and what is paid for it."""
    return path.uint("seized", 128, least=least), path.uint("payment", 128)


def value_up(path: Path, held: dict[str, Term], amount: Term) -> Term:
    """Return what an amount of the collateral is worth, rounded up."""
    return path.ceil(amount * held["collateralPrice"], held["collateralUnit"])


def rules(model: Model, path: Path) -> dict[str, Term]:
    """Return what governance has set, within its bounds."""
    return model.struct(
        path,
        "Sizing",
        "Rules",
        target=path.between("target", WAD, 2 * WAD),
        penalty=path.between("set", 0, WAD),
        dust=path.uint("dust", 96),
    )


def meets_reserve(path: Path, held: dict[str, Term], multiplier: Term, seized: Term, payment: Term) -> Term:
    """Say that a payment is worth at least seized * price * multiplier, without any rounding."""
    value = value_up(path, held, seized)
    reserve = path.ceil(value * multiplier, WAD)
    exact = seized * held["collateralPrice"]
    grow(path, exact, value * held["collateralUnit"], multiplier * held["debtUnit"])
    grow(path, value * multiplier, reserve * WAD, held["collateralUnit"] * held["debtUnit"])
    grow(path, reserve * held["debtUnit"], payment * held["debtPrice"], WAD * held["collateralUnit"])
    owed = exact * (multiplier * held["debtUnit"])
    return payment * held["debtPrice"] * (WAD * held["collateralUnit"]) >= owed


@sizing("a payment is worth at least the reserve, to the unit and without any rounding")
def a_payment_meets_the_reserve(model: Model, path: Path) -> Term:
    held = position(model, path)
    multiplier, seized = path.between("multiplier", 1, 2 * WAD), path.uint("seized", 128)
    payment = model.call(path, "Sizing", "paymentUp", held, multiplier, seized)
    return meets_reserve(path, held, multiplier, seized, payment)


@sizing("more collateral never costs less")
def a_payment_rises_with_the_slice(model: Model, path: Path) -> Term:
    held = position(model, path)
    multiplier = path.between("multiplier", 1, 2 * WAD)
    seized, more = path.uint("seized", 128), path.uint("more", 128)
    path.learn(seized <= more)
    values = [value_up(path, held, amount) for amount in (seized, more)]
    owed = [path.ceil(value * multiplier, WAD) for value in values]
    grow(path, seized, more, held["collateralPrice"])
    cancel(path, values[0] - 1, values[1], held["collateralUnit"])
    grow(path, *values, multiplier)
    grow(path, *owed, held["debtUnit"])
    low = model.call(path, "Sizing", "paymentUp", held, multiplier, seized)
    high = model.call(path, "Sizing", "paymentUp", held, multiplier, more)
    cancel(path, low - 1, high, held["debtPrice"])
    return low <= high


@sizing("in two pieces a slice costs at least as much as whole")
def pieces_cost_no_less(model: Model, path: Path) -> Term:
    held = position(model, path)
    multiplier = path.between("multiplier", 1, 2 * WAD)
    parts = path.uint("first", 128), path.uint("second", 128)
    values = [value_up(path, held, amount) for amount in (*parts, sum(parts))]
    cancel(path, values[2] - 1, values[0] + values[1], held["collateralUnit"])
    owed = [path.ceil(value * multiplier, WAD) for value in values]
    grow(path, values[2], values[0] + values[1], multiplier)
    grow(path, owed[2], owed[0] + owed[1], held["debtUnit"])
    paid = [model.call(path, "Sizing", "paymentUp", held, multiplier, a) for a in (*parts, sum(parts))]
    cancel(path, paid[2] - 1, paid[0] + paid[1], held["debtPrice"])
    return paid[2] <= paid[0] + paid[1]


@sizing("a sale's multiplier rounded down is at most the same rounded up")
def multipliers_are_rounded_as_named(model: Model, path: Path) -> Term:
    held = position(model, path)
    seized, payment = sold_and_paid(path, least=1)
    low = model.call(path, "Sizing", "multiplierDown", held, seized, payment)
    high = model.call(path, "Sizing", "multiplierUp", held, seized, payment)
    value = [f(seized * held["collateralPrice"], held["collateralUnit"]) for f in (path.floor, path.ceil)]
    cancel(path, value[0], value[1], held["collateralUnit"])
    paid = [f(payment * held["debtPrice"], held["debtUnit"]) for f in (path.floor, path.ceil)]
    cancel(path, paid[0], paid[1], held["debtUnit"])
    grow(path, value[0], value[1], high)
    cancel(path, low, high, value[1])
    return low <= high


@sizing("solvent: repaid is within debt and payment, and (1 + p) repaid covers the payment or the debt")
def a_solvent_sale_is_shared_out(model: Model, path: Path) -> Term:
    held = position(model, path)
    terms = offer(model, path, held, insolvent=False)
    seized, payment = sold_and_paid(path)
    sale = model.call(path, "Sizing", "realised", held, terms, seized, payment)
    exact = path.ceil(payment * WAD, WAD + terms["penalty"])
    grow(path, WAD, WAD + terms["penalty"], payment)
    cancel(path, exact - 1, payment, WAD + terms["penalty"])
    enough = z3.Or(sale["repaid"] == held["debt"], sale["repaid"] * (WAD + terms["penalty"]) >= payment * WAD)
    return z3.And(
        sale["repaid"] <= held["debt"],
        sale["repaid"] <= payment,
        enough,
        sale["repaid"] + sale["surplus"] <= payment,
        sale["cancelled"] == sale["repaid"],
    )


@sizing("insolvent: paid = repaid + surplus; repaid <= cancelled <= debt, at most repaid D / S")
def an_insolvent_sale_is_shared_out(model: Model, path: Path) -> Term:
    held = position(model, path)
    terms = offer(model, path, held, insolvent=True)
    seized, payment = sold_and_paid(path)
    sale = model.call(path, "Sizing", "realised", held, terms, seized, payment)
    exact = path.floor(sale["repaid"] * held["debtValue"], terms["reserveValue"])
    grow(path, terms["reserveValue"], held["debtValue"], sale["repaid"])
    cancel(path, sale["repaid"], exact + 1, terms["reserveValue"])
    return z3.And(
        sale["repaid"] <= held["debt"],
        sale["repaid"] + sale["surplus"] == payment,
        sale["cancelled"] >= sale["repaid"],
        sale["cancelled"] <= held["debt"],
        sale["cancelled"] * terms["reserveValue"] <= sale["repaid"] * held["debtValue"],
    )


@sizing("the largest slice: within collateral and debt, and paid for at the reserve at least; solvent or not")
def the_largest_slice_fits_and_pays(model: Model, path: Path) -> Term:
    held = position(model, path)
    terms = any_offer(model, path, held)
    sale = model.call(path, "Sizing", "largest", held, terms, rules(model, path))
    least = model.call(path, "Sizing", "paymentUp", held, terms["multiplier"], sale["seized"])
    return z3.And(
        sale["seized"] <= held["collateral"],
        sale["cancelled"] <= held["debt"],
        sale["repaid"] <= held["debt"],
        sale["payment"] >= least,
    )


@sizing("a swap or fill is never sized beyond the collateral")
def a_sale_is_within_the_collateral(model: Model, path: Path) -> Term:
    held = position(model, path)
    best = offer(model, path, held, insolvent=False)
    low = any_offer(model, path, held)
    seized = model.call(path, "Sizing", "saleSize", held, best, low, rules(model, path))
    return seized <= held["collateral"]


@sizing("solvent terms: price at least the curve, p at most the one set, b within HF w / k and V / D")
def solvent_terms_are_not_toxic(model: Model, path: Path) -> Term:
    held = position(model, path)
    given, multiplier = rules(model, path), path.between("curve", 1, 2 * WAD)
    terms = model.call(path, "Sizing", "terms", held, given, multiplier)
    if terms["insolvent"] is True:
        return z3.And(terms["multiplier"] >= multiplier, terms["reserveValue"] < held["debtValue"])
    factor, price = WAD + terms["penalty"], terms["multiplier"]
    numerator, divisor = held["weightedCollateral"] * held["weight"], held["threshold"] * held["weightedDebt"]
    health = path.floor(price * numerator, divisor)
    solvency = path.floor(price * held["collateralValue"], held["debtValue"])
    cases = ((health, numerator, divisor), (solvency, held["collateralValue"], held["debtValue"]))
    for room, above, below in cases:
        grow(path, factor, room, below)
        least = path.ceil(WAD * below, above)
        grow(path, least, price, above)
        cancel(path, WAD, room + 1, below)
    return z3.And(
        price >= multiplier,
        terms["penalty"] <= given["penalty"],
        terms["reserveValue"] >= held["debtValue"],
        factor * divisor <= price * numerator,
        factor * held["debtValue"] <= price * held["collateralValue"],
    )


@sizing("what is left is valued down and what is owed up: no side is flattered")
def the_aftermath_is_careful(model: Model, path: Path) -> Term:
    held = position(model, path)
    path.learn(held["debtValue"] >= held["otherDebtValue"])
    seized, cancelled = path.uint("seized", 128), path.uint("cancelled", 128)
    path.learn(z3.And(seized <= held["collateral"], cancelled <= held["debt"]))
    sale = model.struct(
        path, "Sizing", "Sale", seized=seized, cancelled=cancelled, surplus=0, payment=0, repaid=0
    )
    after = model.call(path, "Sizing", "aftermath", held, sale, path.between("surplusThreshold", 0, WAD))
    unit, owed = held["collateralUnit"], held["debtUnit"]
    gone = seized * held["collateralPrice"]
    collateral = z3.Or(
        after["collateralValue"] == 0, (held["collateralValue"] - after["collateralValue"]) * unit >= gone
    )
    relief = (held["debtValue"] - after["debtValue"]) * owed <= cancelled * held["debtPrice"]
    return z3.And(collateral, z3.Or(cancelled == held["debt"], relief))


@sizing("a lot is at most the collateral")
def a_lot_is_within_the_collateral(model: Model, path: Path) -> Term:
    value, threshold = path.uint("value", 128), path.between("threshold", 1, WAD)
    weighted, debt = path.uint("weighted", 128), path.uint("debt", 128)
    start = path.between("start", 1, 2 * WAD)
    lot = model.call(path, "Sizing", "lotUp", value, threshold, weighted, debt, rules(model, path), start)
    return lot <= value


@sizing("health taken at its word lies within the range that allows for roundings")
def a_health_lies_within_its_range(model: Model, path: Path) -> Term:
    held = position(model, path)
    names = ("collateralValue", "debtValue", "weightedCollateral", "weightedDebt")
    after = {name: path.uint(name, 128, least=1) for name in names}
    least, most = path.uint("least", 128), path.uint("most", 128)
    within = model.call(path, "Sizing", "isWithin", after, least, most)
    path.learn(within)
    lowest, highest = model.call(path, "Sizing", "healthRange", held, after)
    health = path.floor(after["weightedCollateral"] * WAD, after["weightedDebt"])
    grow(path, health, lowest - 1, after["weightedDebt"])
    grow(path, highest, health - 1, after["weightedDebt"])
    return z3.And(lowest <= most, highest >= least)
