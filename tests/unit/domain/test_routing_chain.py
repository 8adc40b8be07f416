"""Two pools one after the other, held against exact quotes of one and then the other."""

import numpy as np
import pytest

from bot.domain.amm.uniswap_v3 import Pool
from bot.domain.routing import Chain, Concentrated, Venue, split
from bot.errors import InvalidInputError, LiquidityExhaustedError
from tests.support.networks import output, random_pool

DEPTH = 1e22


def hop(rng: np.random.Generator, price: float, size: float) -> tuple[Pool, bool]:
    """Return a pool that pays ``price``, in either direction, and takes about ``size``."""
    if rng.integers(2):
        return random_pool(rng, price, size), True
    return random_pool(rng, 1 / price, size * price), False


def chains(count: int, seed: int) -> list[Chain]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        first, second = 10 ** rng.uniform(-2, 2), 10 ** rng.uniform(-2, 2)
        sizes = DEPTH * 10 ** rng.uniform(-1, 1, 2)
        found.append(Chain((hop(rng, first, sizes[0]), hop(rng, second, sizes[1] * first))))
    return found


def exact(chain: Chain, amount: int) -> int:
    """Return what the contracts pay along a chain."""
    return int(output(chain, amount))


@pytest.mark.parametrize("share", [1e-6, 1e-3, 0.03, 0.3])
def test_a_chain_pays_what_its_pools_pay_in_turn(share: float) -> None:
    for chain in chains(60, seed=1):
        amount = DEPTH * share
        curve = chain.curve(amount)
        if curve.capacity() < amount:
            continue
        assert curve.output(amount) == pytest.approx(exact(chain, int(amount)), rel=1e-9)


def test_a_chain_takes_no_more_than_its_narrowest_pool() -> None:
    for chain in chains(40, seed=2):
        capacity = chain.curve(1e60).capacity()
        assert exact(chain, int(capacity * (1 - 1e-9))) > 0
        with pytest.raises(LiquidityExhaustedError):
            exact(chain, int(capacity * (1 + 1e-6)))


def test_a_chain_of_one_pool_is_that_pool() -> None:
    for chain in chains(20, seed=3):
        (pool, zero_for_one), _ = chain.hops
        alone, direct = Chain(((pool, zero_for_one),)), Concentrated(pool, zero_for_one)
        for amount in (1e17, 1e20, 1e21):
            assert split(amount, [alone]).total_out == split(amount, [direct]).total_out


def test_no_other_share_of_chain_and_pool_brings_more() -> None:
    rng = np.random.default_rng(4)
    for chain in chains(40, seed=4):
        price = exact(chain, 10**15) / 1e15
        direct = hop(rng, price, DEPTH)
        amount = DEPTH * 10 ** rng.uniform(-3, -0.7)
        venues: list[Venue] = [chain, Concentrated(*direct)]
        if chain.curve(1e60).capacity() < amount:
            continue
        best = split(amount, venues)
        for share in np.linspace(0.02, 0.98, 25):
            parts = int(amount * share), int(amount * (1 - share))
            other = exact(chain, parts[0]) + exact(Chain((direct,)), parts[1])
            assert other <= best.total_out * (1 + 1e-9)


def test_a_chain_that_does_not_earn_its_gas_is_left_out() -> None:
    (chain,) = chains(1, seed=5)
    direct = Concentrated(*hop(np.random.default_rng(6), exact(chain, 10**18) / 1e18, DEPTH))
    amount = DEPTH / 30
    both = split(amount, [chain, direct])
    alone = split(amount, [direct]).total_out
    assert both.amounts[0] > 0
    earned = both.total_out - alone
    assert earned > 0
    dear = split(amount, [Chain(chain.hops, earned * 1.001), direct])
    assert dear.amounts == (0.0, amount)


@pytest.mark.parametrize("hops", [(), ((1, True),)])
def test_a_chain_without_pools_is_refused(hops: tuple[object, ...]) -> None:
    with pytest.raises(InvalidInputError):
        Chain(hops)  # type: ignore[arg-type]
