"""A seeded book that looks like a real one.

Matched are figures of a real book of 895 borrowers with more than 1 ETH of debt: the quantiles of the health
factor, and mean and deviation of ln(debt in ETH). Draws are stratified (one from each of n equally likely
strata, in random order), so that a small book matches as closely as a large one.

Rules beyond those figures, in words:

- ln(debt in ETH) is a normal cut at zero, since the book counts debts above 1 ETH, with the two parameters
  that give the cut distribution the mean and deviation observed;
- debts above a tenth of the book are cut to a tenth of it;
- between the quantiles ln(HF) is interpolated evenly; below the first it ends at 1.04, above the last its
  tail is a power law with the slope of the last two, ending at 20;
- a tenth of the accounts are short (stable collateral, volatile debt), a tenth are spreads (two debts, or
  volatile debt against another volatile collateral), half hold two collaterals; none holds what it owes;
- accounts that start so low that they could not borrow against every asset hold the most lenient one alone;
- debts below the clearing house's smallest borrow are raised to it, the health factor unchanged.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from bot.errors import ReplayOptionError
from bot.sim.book import BPS, Account, AssetTerms, Book, Terms
from bot.sim.prices import FloatArray

LN_DEBT_MEAN = 3.29
LN_DEBT_DEVIATION = 2.19

HF_PROBABILITIES = (0.0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90)
HF_QUANTILES = (1.04, 1.059, 1.162, 1.203, 1.361, 1.801, 2.607, 3.659)
HF_LARGEST = 20.0

LARGEST_SHARE = 0.1
"""Of the book's debt, in one account."""

FEWEST_ACCOUNTS = 20
"""With fewer, keeping each below a tenth of the book would make them all alike."""

SHORT_SHARE = 0.1
SPREAD_SHARE = 0.1
SEVERAL_COLLATERALS_SHARE = 0.5

HEADROOM = 1.0005
"""Distance kept from the borrow limit, so that rounding never refuses a loan."""

WAD = 10**18


@dataclass(frozen=True, slots=True)
class _Shape:
    """Composition of one account: shares of its value by symbol, each side adding up to one."""

    collateral: tuple[tuple[str, float], ...]
    debt: tuple[tuple[str, float], ...]


def generate_book(count: int, seed: int, terms: Terms, smallest_borrow_wad: int) -> Book:
    """Draw a book.

    Parameters
    ----------
    count : int
        Number of accounts, at least 20.
    seed : int
        Not negative. The same seed gives the same book.
    terms : Terms
        Of WETH, WBTC and USDC.
    smallest_borrow_wad : int
        Smallest debt per asset, WAD quote units.

    Raises
    ------
    ReplayOptionError
        If ``count`` is too small for the rule that no account is above a tenth of the book.
    """
    if count < FEWEST_ACCOUNTS:
        requirement = f"at least {FEWEST_ACCOUNTS} (no account may be above a tenth of the book)"
        raise ReplayOptionError("--accounts", count, requirement)
    rng = np.random.default_rng([seed, count])
    health = health_quantile(_strata(rng, count))
    debts_eth = cap_shares(np.exp(ln_debt_quantile(_strata(rng, count))))
    shapes = _shapes(rng, health, terms)
    eth_usd = terms["WETH"].price_wad / WAD
    smallest = smallest_borrow_wad / WAD * HEADROOM
    drawn = debts_eth * eth_usd
    accounts = []
    raised = 0
    for index, (shape, target) in enumerate(zip(shapes, health, strict=True)):
        shape, value = _at_least(shape, float(drawn[index]), smallest)
        raised += value > drawn[index]
        accounts.append(_account(f"{index:04d}", shape, value, float(target), terms))
    return Book(tuple(accounts), "generated", raised)


def health_quantile(probability: FloatArray) -> FloatArray:
    """Return the health factor below which this share of accounts starts."""
    known = np.interp(probability, HF_PROBABILITIES, np.log(HF_QUANTILES))
    last, before = 1.0 - HF_PROBABILITIES[-1], 1.0 - HF_PROBABILITIES[-2]
    slope = math.log(HF_QUANTILES[-1] / HF_QUANTILES[-2]) / math.log(before / last)
    tail = math.log(HF_QUANTILES[-1]) + slope * np.log(last / np.maximum(1.0 - probability, 1e-12))
    health = np.exp(np.where(probability > HF_PROBABILITIES[-1], tail, known))
    return np.asarray(np.minimum(health, HF_LARGEST), dtype=np.float64)


def ln_debt_quantile(probability: FloatArray) -> FloatArray:
    """Return ln(debt in ETH) below which this share of accounts lies."""
    location, scale = _cut_normal()
    cut = stats.truncnorm(-location / scale, np.inf, loc=location, scale=scale)
    return np.asarray(cut.ppf(probability), dtype=np.float64)


def _cut_normal() -> tuple[float, float]:
    """Return location and scale of the normal whose part above zero has the observed mean and deviation."""

    def misfit(parameters: FloatArray, /) -> tuple[float, float]:
        location, scale = parameters
        cut = stats.truncnorm(-location / scale, np.inf, loc=location, scale=scale)
        return float(cut.mean()) - LN_DEBT_MEAN, float(cut.std()) - LN_DEBT_DEVIATION

    location, scale = optimize.fsolve(misfit, (LN_DEBT_MEAN, LN_DEBT_DEVIATION))
    return float(location), float(scale)


def cap_shares(debts: FloatArray) -> FloatArray:
    """Cut the largest debts so that none is above a tenth of what remains.

    The cut is the largest ``c`` with ``c <= sum(min(debt, c)) / 10``: with the j largest cut,
    ``c = (sum of the others) / (10 - j)``.
    """
    ordered = np.sort(debts)[::-1]
    parts = round(1 / LARGEST_SHARE)
    for cut in range(parts):
        ceiling = float(ordered[cut:].sum()) / (parts - cut)
        if ordered[cut] <= ceiling:
            return np.minimum(debts, ceiling)
    return np.minimum(debts, ordered[parts - 1])


def _strata(rng: np.random.Generator, count: int) -> FloatArray:
    """Draw one probability from each of ``count`` equal strata, in random order."""
    drawn: FloatArray = (rng.permutation(count) + rng.random(count)) / count
    return drawn


# ------------------------------------------------------------------------------------ composition


def borrow_floor(terms: AssetTerms) -> float:
    """Return the lowest health factor at which an account can borrow against this asset alone."""
    return HEADROOM * terms.liquidation_threshold_bps / terms.max_ltv_bps


def _shapes(rng: np.random.Generator, health: FloatArray, terms: Terms) -> list[_Shape]:
    """Choose each account's assets."""
    count = len(health)
    strict = max(borrow_floor(asset) for asset in terms.values())
    free = rng.permutation(np.flatnonzero(health >= strict))
    several = set(free[: round(SEVERAL_COLLATERALS_SHARE * count)].tolist())
    order = rng.permutation(free)
    shorts = round(SHORT_SHARE * count)
    short = set(order[:shorts].tolist())
    spread = set(order[shorts : shorts + round(SPREAD_SHARE * count)].tolist())
    return [
        _shape(rng, index in several, index in short, index in spread)
        if health[index] >= strict
        else _Shape((("WETH", 1.0),), (("USDC", 1.0),))
        for index in range(count)
    ]


def _shape(rng: np.random.Generator, several: bool, short: bool, spread: bool) -> _Shape:
    """Draw a composition: a long owes USDC, a short owes what it expects to fall."""
    volatile, other = ("WETH", "WBTC") if rng.random() < 0.7 else ("WBTC", "WETH")
    part = float(rng.uniform(0.3, 0.8))
    if short:
        collateral = (("USDC", part), (other, 1.0 - part)) if several else (("USDC", 1.0),)
        return _Shape(collateral, ((volatile, 1.0),))
    if spread:
        collateral = ((volatile, part), ("USDC", 1.0 - part)) if several else ((volatile, 1.0),)
        debt = ((other, 1.0),) if several else (("USDC", part), (other, 1.0 - part))
        return _Shape(collateral, debt)
    collateral = ((volatile, part), (other, 1.0 - part)) if several else ((volatile, 1.0),)
    return _Shape(collateral, (("USDC", 1.0),))


def _at_least(shape: _Shape, value: float, smallest: float) -> tuple[_Shape, float]:
    """Return a composition and a debt of which every part is at least the smallest borrow."""
    if len(shape.debt) > 1 and min(share for _, share in shape.debt) * value < smallest:
        shape = replace(shape, debt=((shape.debt[0][0], 1.0),))
    return shape, max(value, smallest)


def _account(name: str, shape: _Shape, debt_usd: float, health: float, terms: Terms) -> Account:
    """Size an account: the debt as drawn, the collateral that gives the health factor."""
    weighted = debt_usd * sum(share * terms[symbol].debt_weight_bps / BPS for symbol, share in shape.debt)
    counted = sum(share * terms[symbol].liquidation_threshold_bps / BPS for symbol, share in shape.collateral)
    lent = sum(share * terms[symbol].max_ltv_bps / BPS for symbol, share in shape.collateral)
    value = max(health, HEADROOM * counted / lent) * weighted / counted
    return Account(
        name,
        tuple((symbol, _units(value * share, terms[symbol])) for symbol, share in shape.collateral),
        tuple((symbol, _units(debt_usd * share, terms[symbol])) for symbol, share in shape.debt),
    )


def _units(value_usd: float, terms: AssetTerms) -> int:
    """Return the token units worth a value, rounded up."""
    return math.ceil(value_usd * WAD / terms.price_wad * terms.unit)
