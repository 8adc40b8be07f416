"""Our Uniswap V3 pool against the real bytecode: not one wei off.

The pools are minted position by position on a node, so bitmap, ticks and active liquidity are the contract's
own; amounts are spread over every scale and crowded around the inputs that end exactly on a tick.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from bot.domain.amm.uniswap_v3 import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    Pool,
    sqrt_price_at_tick,
)
from bot.errors import LiquidityExhaustedError
from tests.support.anvil import anvil
from tests.support.uniswap import (
    DEX_DATA,
    NODE_FLAGS,
    ChainPool,
    ChainQuote,
    PoolSetup,
    Position,
    Uniswap,
    usdc_weth_005,
    usdc_weth_03,
)

pytestmark = pytest.mark.node

QUOTES = 2_000
"""Quotes of the fast test; the slow one makes fifty times as many."""

needs_data = pytest.mark.skipif(
    not DEX_DATA.exists(), reason="the recorded tick ladders (../shared/data/dex) are absent"
)


@dataclass(frozen=True)
class Twins:
    """A real pool and ours, and the ticks at which a swap stops."""

    chain: ChainPool
    pool: Pool
    stops: list[int]


def random_setup(name: str, seed: int, fee: int, spacing: int, positions: int, centre: int) -> PoolSetup:
    """Return narrow, wide and one-sided positions around a tick; none covers the whole axis."""
    rng = random.Random(seed)
    edge = MAX_TICK // spacing
    made = []
    for _ in range(positions):
        middle = centre // spacing + rng.randint(-300, 300)
        width = max(1, int(10 ** rng.uniform(0, 3.2)))
        lower, upper = max(-edge, middle - width), min(edge, middle + rng.randint(1, width))
        made.append(Position(lower * spacing, upper * spacing, int(10 ** rng.uniform(3, 24))))
    price = sqrt_price_at_tick(centre) + rng.randint(0, sqrt_price_at_tick(centre) >> 15)
    return PoolSetup(name, price, fee, spacing, tuple(made))


SETUPS = (
    random_setup("dense", 1, 100, 1, 60, 5),
    random_setup("five", 2, 501, 10, 40, 196_000),
    random_setup("thirty", 3, 2999, 60, 30, -76_000),
    random_setup("hundred", 4, 10_000, 200, 20, 0),
    random_setup("free", 5, 0, 25, 30, 276_000),
    random_setup("all_fee", 6, 999_999, 50, 20, -270_000),
    PoolSetup(
        "coarse", 2**96, 777, 16_383, (Position(-884_682, 884_682, 10**20), Position(0, 16_383, 10**25))
    ),
    # a price so high that the contract's product of amount and price overflows, and it divides first
    PoolSetup("steep", sqrt_price_at_tick(880_000), 778, 16_383, (Position(-884_682, 884_682, 2**110),)),
    PoolSetup(
        "on_a_tick",
        sqrt_price_at_tick(600),
        3001,
        60,
        (Position(0, 600, 10**18), Position(600, 1200, 10**19), Position(-60, 660, 10**17)),
    ),
    PoolSetup("to_the_ends", 2**96, 101, 8, (Position(-MAX_TICK, MAX_TICK, 10**15), Position(-8, 8, 10**21))),
)


@pytest.fixture(scope="module")
def uniswap() -> Iterator[Uniswap]:
    with anvil(*NODE_FLAGS) as node:
        yield Uniswap.deploy(node)


@pytest.fixture(scope="module")
def synthetic(uniswap: Uniswap) -> list[Twins]:
    return [twins_of(uniswap, setup) for setup in SETUPS]


@pytest.fixture(scope="module")
def recorded(uniswap: Uniswap) -> Twins:
    return twins_of(uniswap, usdc_weth_03())


@pytest.fixture(scope="module")
def recorded_long(uniswap: Uniswap) -> Twins:
    return twins_of(uniswap, usdc_weth_005())


def twins_of(uniswap: Uniswap, setup: PoolSetup) -> Twins:
    chain = uniswap.create(setup)
    pool = chain.snapshot(tick for position in setup.positions for tick in position[:2])
    word = 256 * setup.tick_spacing
    centre = pool.tick // word * word
    edges = [centre + k * word - s for k in range(-3, 4) for s in (0, setup.tick_spacing)]
    return Twins(chain, pool, [tick for tick in (*pool.liquidity_net, *edges) if abs(tick) < MAX_TICK])


def requests(rng: random.Random, twins: Twins, count: int) -> list[tuple[int, bool]]:
    """Return inputs of every size in both directions, half of them at, just below or just above a stop."""
    made: list[tuple[int, bool]] = []
    while len(made) < count:
        zero_for_one = rng.random() < 0.5
        price = sqrt_price_at_tick(rng.choice(twins.stops))
        ahead = price < twins.pool.sqrt_price_x96 if zero_for_one else price > twins.pool.sqrt_price_x96
        if ahead and rng.random() < 0.5:
            amount = twins.pool.amount_to_price(price, zero_for_one).amount_in + rng.randint(-1, 1)
        else:
            amount = int(10 ** rng.uniform(0, 34))
        if amount > 0:
            made.append((amount, zero_for_one))
    return made


@contextmanager
def reverted_afterwards(chain: ChainPool) -> Iterator[None]:
    """Take the node back to where it was when the block ends."""
    snapshot = chain.uniswap.node.call("evm_snapshot")
    try:
        yield
    finally:
        assert chain.uniswap.node.call("evm_revert", snapshot)


def our_quote(pool: Pool, amount: int, zero_for_one: bool) -> tuple[int, int]:
    """Return output and price after; where liquidity runs out, the contract's partial fill."""
    try:
        quote = pool.quote_exact_input(amount, zero_for_one)
    except LiquidityExhaustedError as error:
        return int(error.amount_out), MIN_SQRT_PRICE + 1 if zero_for_one else MAX_SQRT_PRICE - 1
    return quote.amount_out, quote.sqrt_price_x96_after


def differences(twins: Twins, count: int, seed: int) -> list[object]:
    asked = requests(random.Random(seed), twins, count)
    answers = twins.chain.quotes(asked)
    return [
        (amount, zero_for_one, ours, real)
        for (amount, zero_for_one), real in zip(asked, answers, strict=True)
        if real is None or (ours := our_quote(twins.pool, amount, zero_for_one)) != real[:2]
    ]


def test_quotes_equal_the_contracts_on_pools_of_every_spacing(synthetic: list[Twins]) -> None:
    for seed, twins in enumerate(synthetic):
        assert differences(twins, QUOTES // len(synthetic), seed) == []


@needs_data
def test_quotes_equal_the_contracts_on_a_recorded_ladder(recorded: Twins) -> None:
    assert differences(recorded, QUOTES // 4, 1) == []


@pytest.mark.slow
def test_a_hundred_thousand_quotes_equal_the_contracts(
    synthetic: list[Twins], request: pytest.FixtureRequest
) -> None:
    names = ("recorded", "recorded_long") if DEX_DATA.exists() else ()
    pools = synthetic + [request.getfixturevalue(name) for name in names]
    share = -(-50 * QUOTES // len(pools))
    for seed, twins in enumerate(pools):
        assert differences(twins, share, 1000 + seed) == []


def test_exact_outputs_cost_what_the_contract_asks(synthetic: list[Twins]) -> None:
    for seed, twins in enumerate(synthetic):
        rng = random.Random(seed)
        inputs = requests(rng, twins, 100)
        asked = [
            (max(1, our_quote(twins.pool, amount, zero_for_one)[0] + rng.randint(-1, 1)), zero_for_one)
            for amount, zero_for_one in inputs
        ]
        for (amount, zero_for_one), real in zip(
            asked, twins.chain.quotes(asked, exact_output=True), strict=True
        ):
            assert our_cost(twins.pool, amount, zero_for_one) == (real and real[:2])


def our_cost(pool: Pool, amount: int, zero_for_one: bool) -> tuple[int, int] | None:
    try:
        quote = pool.quote_exact_output(amount, zero_for_one)
    except LiquidityExhaustedError:
        return None
    return quote.amount_in, quote.sqrt_price_x96_after


def test_a_pool_follows_real_swaps_by_their_events(synthetic: list[Twins]) -> None:
    for seed, twins in enumerate(synthetic):
        rng = random.Random(seed)
        pool = twins.pool
        with reverted_afterwards(twins.chain):
            for amount, zero_for_one in requests(rng, twins, 12):
                try:
                    quote = pool.quote_exact_input(amount, zero_for_one)
                except LiquidityExhaustedError:
                    continue
                event = twins.chain.swap(amount, zero_for_one)
                paid = -(event.amount1 if zero_for_one else event.amount0)
                assert (paid, event.sqrt_price_x96, event.tick) == (quote[0], quote[2], quote[3])
                pool = pool.with_price(event.sqrt_price_x96, event.tick, event.liquidity)


def test_a_swap_to_a_price_limit_takes_and_pays_what_a_price_move_says(synthetic: list[Twins]) -> None:
    for seed, twins in enumerate(synthetic):
        rng = random.Random(seed)
        for _ in range(12):
            zero_for_one = rng.random() < 0.5
            own, stop = twins.pool.sqrt_price_x96, sqrt_price_at_tick(rng.choice(twins.stops))
            target = stop if (stop < own) == zero_for_one else own * (9 if zero_for_one else 11) // 10
            if target == own or not MIN_SQRT_PRICE < target < MAX_SQRT_PRICE:
                continue
            move = twins.pool.amount_to_price(target, zero_for_one)
            with reverted_afterwards(twins.chain):
                event = twins.chain.swap(2**200, zero_for_one, target)
            amounts = (event.amount0, -event.amount1) if zero_for_one else (event.amount1, -event.amount0)
            assert (*amounts, event.tick) == (move.amount_in, move.amount_out, move.tick_after)
            assert event.sqrt_price_x96 == target


def test_the_fee_of_a_swap_within_one_range_is_what_the_pool_credits_to_its_liquidity(
    uniswap: Uniswap,
) -> None:
    setup = PoolSetup("one_range", 2**96, 3002, 60, (Position(-600_000, 600_000, 10**18),))
    twins = twins_of(uniswap, setup)
    liquidity = setup.positions[0].liquidity
    for amount in (1, 2, 1000, 333_333, 10**12 + 7, 10**16 + 1):
        quote = twins.pool.quote_exact_input(amount, zero_for_one=True)
        assert quote.tick_after > -256 * 60, "the swap must stay within one word of the bitmap"
        with reverted_afterwards(twins.chain):
            twins.chain.swap(amount, zero_for_one=True)
            credited = twins.chain.fee_growth(zero_for_one=True) * liquidity
        assert credited <= quote.fee_paid << 128 < credited + liquidity


def test_a_pool_follows_mints_and_burns(uniswap: Uniswap) -> None:
    setup = random_setup("changing", 9, 3003, 60, 10, 1200)
    twins = twins_of(uniswap, setup)
    first = setup.positions[0]
    fresh = Position(0, 1800, 10**20)
    twins.chain.mint(fresh)
    twins.chain.burn(first)
    ticks = {tick for position in (*setup.positions, fresh) for tick in position[:2]}
    after = twins.chain.snapshot(ticks)
    changed = {tick: after.liquidity_net.get(tick) for tick in (*fresh[:2], *first[:2])}
    assert twins.pool.with_ticks(changed, after.liquidity) == after
    assert differences(Twins(twins.chain, after, twins.stops), 60, 3) == []


def test_a_pool_without_liquidity_ahead_is_exhausted_at_once(synthetic: list[Twins]) -> None:
    chain = synthetic[0].chain
    with reverted_afterwards(chain):
        limit = MIN_SQRT_PRICE + 1
        event = chain.swap(2**200, True, limit)
        drained = synthetic[0].pool.with_price(event.sqrt_price_x96, event.tick, event.liquidity)
    with pytest.raises(LiquidityExhaustedError) as caught:
        drained.quote_exact_input(1, True)
    assert (caught.value.amount_in, caught.value.amount_out) == (0, 0)


def test_the_quotes_compared_cross_many_ticks(synthetic: list[Twins]) -> None:
    crossed = [
        real.ticks_crossed
        for twins in synthetic[:4]
        for real in twins.chain.quotes(requests(random.Random(0), twins, 100))
        if isinstance(real, ChainQuote)
    ]
    assert sum(count == 0 for count in crossed) > 20
    assert sum(count >= 5 for count in crossed) > 100
