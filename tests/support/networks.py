"""Random networks of venues, and the slow, plain ways to split a trade over one."""

import math
import warnings
from collections.abc import Sequence
from itertools import combinations

import cvxpy as cp
import numpy as np

from bot.domain.amm.uniswap_v3 import Pool, sqrt_price_at_tick, tick_at_sqrt_price
from bot.domain.routing import Chain, Concentrated, ConstantProduct, Quote, Venue

FEES = (0.0001, 0.0005, 0.003, 0.01)
SPACING = {100: 1, 500: 10, 3000: 60, 10_000: 200}


def random_pool(rng: np.random.Generator, price: float, value: float) -> Pool:
    """Return a pool near ``price`` with up to 20 positions, the widest of them over the whole axis.

    ``value`` sets the size: about that much of token0 would move the price by 100 %.
    """
    fee = int(rng.choice(list(SPACING)))
    spacing = SPACING[fee]
    sqrt_price = int(math.sqrt(price) * 2**96)
    centre = tick_at_sqrt_price(sqrt_price)
    edge = 887_272 // spacing * spacing
    positions = [(-edge, edge, 0.05)]
    for _ in range(int(rng.integers(0, 20))):
        middle, width = centre + rng.normal(0, 400), rng.lognormal(6.5, 1.0)
        lower = math.floor((middle - width) / spacing) * spacing
        upper = max(lower + spacing, math.ceil((middle + width) / spacing) * spacing)
        positions.append((lower, upper, float(rng.lognormal(0, 1))))
    scale = value * math.sqrt(price) / sum(weight for *_, weight in positions)
    nets: dict[int, int] = {}
    liquidity = 0
    for lower, upper, weight in positions:
        amount = max(1, int(weight * scale))
        nets[lower] = nets.get(lower, 0) + amount
        nets[upper] = nets.get(upper, 0) - amount
        liquidity += amount if lower <= centre < upper else 0
    return Pool(sqrt_price, centre, liquidity, fee, spacing, nets)


def random_network(
    rng: np.random.Generator, venues: int, *, fixed_costs: bool, kinds: str = "pcq"
) -> tuple[float, list[Venue]]:
    """Return an amount and that many venues around one price: p constant product, c concentrated, q quote."""
    price = float(10 ** rng.uniform(-3, 3))
    depth = float(10 ** rng.uniform(19, 24))
    amount = depth * float(10 ** rng.uniform(-4, 0.5))
    made: list[Venue] = []
    for _ in range(venues):
        kind = kinds[int(rng.integers(len(kinds)))]
        size = depth * float(rng.lognormal(0, 1.5))
        local = price * float(np.exp(rng.normal(0, 0.01)))
        cost = amount * price * float(10 ** rng.uniform(-6, -1.5)) if fixed_costs else 0.0
        if kind == "p":
            made.append(ConstantProduct(size, size * local, float(rng.choice(FEES)), cost))
        elif kind == "q":
            made.append(Quote(local, amount * float(rng.uniform(0.05, 1.5)), cost))
        elif rng.integers(2):
            made.append(Concentrated(random_pool(rng, local, size), True, cost))
        else:
            made.append(Concentrated(random_pool(rng, 1 / local, size * local), False, cost))
    if all(isinstance(venue, Quote) for venue in made):
        made[0] = ConstantProduct(depth, depth * price, 0.003, made[0].fixed_cost)
    return amount, made


def output(venue: Venue, amount: float) -> float:
    """Return what a venue pays, from the definition: pools in integers."""
    if amount <= 0:
        return 0.0
    if isinstance(venue, Quote):
        return venue.price * amount
    if isinstance(venue, ConstantProduct):
        kept = amount * (1 - venue.fee)
        return venue.reserve_out * kept / (venue.reserve_in + kept)
    hops = venue.hops if isinstance(venue, Chain) else ((venue.pool, venue.zero_for_one),)
    whole = int(amount)
    for pool, zero_for_one in hops:
        whole = pool.quote_exact_input(whole, zero_for_one).amount_out if whole else 0
    return float(whole)


def convex_optimum(amount: float, venues: Sequence[Venue]) -> float:
    """Return the best output without fixed costs, as a convex solver finds it.

    Everything is scaled to the amount and to the output of the best price. A concentrated pool is the sum of
    its ranges, each a constant product pool with a capacity: as their prices fall in order, the solver fills
    them in order.
    """
    pieces = [piece for venue in venues for piece in _pieces(venue, amount)]
    price = max(piece[0] for piece in pieces)
    inputs = cp.Variable(len(pieces), nonneg=True)
    terms, limits = [], [cp.sum(inputs) == 1.0]
    for x, (start_price, reserve, capacity) in zip(inputs, pieces, strict=True):
        if reserve == math.inf:
            terms.append(start_price / price * x)
        else:
            depth = reserve / amount
            terms.append(start_price / price * (x - cp.quad_over_lin(x, depth + x)))
        if capacity < amount:
            limits.append(x <= capacity / amount)
    problem = cp.Problem(cp.Maximize(cp.sum(cp.hstack(terms))), limits)
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        problem.solve(solver=cp.CLARABEL)
    if problem.status != cp.OPTIMAL:  # about one in a thousand: the interior point stalls in a corner
        problem.solve(solver=cp.SCS, eps=1e-9, max_iters=100_000)
    assert problem.status == cp.OPTIMAL, problem.status
    return float(problem.value) * amount * price


def _pieces(venue: Venue, amount: float) -> list[tuple[float, float, float]]:
    """Return (first price, virtual input reserve with the fee in it, capacity) of each range within reach."""
    if isinstance(venue, Quote):
        return [(venue.price, math.inf, venue.capacity)]
    if isinstance(venue, ConstantProduct):
        keep = 1 - venue.fee
        return [(keep * venue.reserve_out / venue.reserve_in, venue.reserve_in / keep, math.inf)]
    if isinstance(venue, Chain):
        raise TypeError("the convex reference knows no chains")
    return _pool_pieces(venue.pool, venue.zero_for_one, amount)


def _pool_pieces(pool: Pool, zero_for_one: bool, amount: float) -> list[tuple[float, float, float]]:
    keep = 1 - pool.fee_pips / 1e6
    pieces = []
    price, liquidity, spent = pool.sqrt_price_x96 / 2**96, pool.liquidity, 0.0
    ahead = [t for t in pool.liquidity_net if (t <= pool.tick) == zero_for_one]
    for tick in sorted(ahead, reverse=zero_for_one):
        end = sqrt_price_at_tick(tick) / 2**96
        if zero_for_one:
            capacity, reserve, first = liquidity * (1 / end - 1 / price), liquidity / price, keep * price**2
        else:
            capacity, reserve, first = liquidity * (end - price), liquidity * price, keep / price**2
        if capacity > 0:
            pieces.append((first, reserve / keep, capacity / keep))
        spent += capacity / keep
        if spent > amount:
            break
        net = pool.liquidity_net[tick]
        price, liquidity = end, liquidity + (-net if zero_for_one else net)
    return pieces


def subsets(venues: Sequence[Venue]) -> list[tuple[int, ...]]:
    """Return every non-empty choice of venues, by position."""
    return [chosen for size in range(1, len(venues) + 1) for chosen in combinations(range(len(venues)), size)]
