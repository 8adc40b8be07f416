"""Market makers and routing: quotes beside degenbot's on the same pool, and the time a split takes.

Run ``python -m benchmarks.domain_amm``; the peer's interpreter is made by
``benchmarks/peers/install-degenbot`` (``--peer-python`` names another). Rounds of ours and the peer's
alternate in one run, and every output is first compared to the wei. Quotes are medians over the rounds.
Splits are judged by processor time, since each network is timed once; the wall clock is printed beside it.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from bot.domain.amm.uniswap_v3 import Pool, sqrt_price_at_tick
from bot.domain.routing import split
from tests.support.networks import random_network
from tests.support.uniswap import DEX_DATA, usdc_weth_03

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".build" / "peers"
RANGES = 18
AMOUNTS = 50
ROUNDS = 25
NETWORKS = 2_000
VENUES = 8

QUOTE_GOAL = 10.0
SPLIT_GOAL_MS = 1.0


def ladder_pool(ranges: int, spacing: int = 60) -> Pool:
    """Return a pool with that many ranges of equal width on either side of the price, thinner outwards."""
    price = sqrt_price_at_tick(0) + 12_345
    nets = {}
    for k in range(1, ranges + 1):
        nets[-spacing * k], nets[spacing * k] = 10**20 + k, -(10**20) - k
    return Pool(price, 0, sum(net for net in nets.values() if net > 0), 3000, spacing, nets)


def recorded_pool() -> Pool:
    """Return the recorded USDC/WETH 0.3 % pool."""
    setup = usdc_weth_03()
    nets: dict[int, int] = {}
    for lower, upper, liquidity in setup.positions:
        nets[lower] = nets.get(lower, 0) + liquidity
        nets[upper] = nets.get(upper, 0) - liquidity
    tick = 193_048
    active = sum(net for t, net in nets.items() if t <= tick)
    return Pool(setup.sqrt_price_x96, tick, active, setup.fee_pips, setup.tick_spacing, nets)


def crossing_amounts(pool: Pool, ranges: int) -> list[int]:
    """Return inputs of token0 that end inside the last of that many ranges, all different."""
    ticks = [tick for _, tick in pool.liquidity_ahead(True)]
    enter, leave = (
        pool.amount_to_price(sqrt_price_at_tick(tick), True).amount_in for tick in ticks[ranges - 2 : ranges]
    )
    return [enter + (leave - enter) * (k + 1) // (AMOUNTS + 1) for k in range(AMOUNTS)]


def seconds_each(call: Callable[[int], object], amounts: list[int]) -> float:
    """Return the mean time of one call over the amounts."""
    start = time.perf_counter()
    for amount in amounts:
        call(amount)
    return (time.perf_counter() - start) / len(amounts)


def median_seconds(call: Callable[[int], object], amounts: list[int]) -> float:
    """Return the median over the rounds of the mean time of one call."""
    return statistics.median(seconds_each(call, amounts) for _ in range(ROUNDS))


@contextmanager
def degenbot(python: str, pool: Pool, amounts: list[int]) -> Iterator[tuple[str, Callable[[], float]]]:
    """Run the peer on a pool; give its version and a function that makes it time one round."""
    home = PEERS / "home"
    settings = home / ".config" / "degenbot"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "degenbot.db").touch()  # on a first import it would lock the database against itself
    given = {
        "sqrt_price_x96": str(pool.sqrt_price_x96),
        "tick": pool.tick,
        "liquidity": str(pool.liquidity),
        "fee_pips": pool.fee_pips,
        "tick_spacing": pool.tick_spacing,
        "liquidity_net": {str(tick): str(net) for tick, net in pool.liquidity_net.items()},
        "amounts": [str(amount) for amount in amounts],
    }
    worker = subprocess.Popen(
        [python, str(ROOT / "benchmarks" / "peers" / "degenbot_quotes.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "HOME": str(home)},
    )
    assert worker.stdin is not None
    assert worker.stdout is not None

    def ask(line: str) -> str:
        worker.stdin.write(line + "\n")
        worker.stdin.flush()
        return worker.stdout.readline()

    try:
        answer = json.loads(ask(json.dumps(given)))
        expected = [str(pool.quote_exact_input(amount, True).amount_out) for amount in amounts]
        if answer["outputs"] != expected:
            raise SystemExit("the two pools disagree: the comparison would be void")
        yield answer["version"], lambda: float(ask("round"))
    finally:
        worker.stdin.close()
        worker.wait(timeout=30)


def compare_quotes(name: str, pool: Pool, python: str) -> float:
    """Print our time and the peer's for one pool; return the ratio."""
    amounts = crossing_amounts(pool, RANGES)
    with degenbot(python, pool, amounts) as (version, peer_round):
        mine, theirs = [], []
        for _ in range(ROUNDS):
            mine.append(seconds_each(lambda amount: pool.quote_exact_input(amount, True), amounts))
            theirs.append(peer_round())
    ratio = statistics.median(theirs) / statistics.median(mine)
    print(
        f"  {name:34}{statistics.median(mine) * 1e6:10.2f} us{statistics.median(theirs) * 1e6:12.1f} us"
        f"{ratio:10.0f} x   degenbot {version}"
    )
    return ratio


def report_quotes(python: str | None) -> bool:
    """Print the comparison with the peer; return whether the goal is met."""
    print(f"Uniswap V3 quote over {RANGES} initialised ranges (goal: at least {QUOTE_GOAL:.0f} x)")
    if python is None:
        print("  skipped: no degenbot; make its interpreter with benchmarks/peers/install-degenbot")
        return True
    pools = {"even ladder": ladder_pool(RANGES + 2)}
    if DEX_DATA.exists():
        pools["recorded USDC/WETH 0.3 %"] = recorded_pool()
    print(f"  {'':34}{'Sluice':>13}{'degenbot':>15}{'ratio':>12}")
    return min([compare_quotes(name, pool, python) for name, pool in pools.items()]) >= QUOTE_GOAL


def report_other_states() -> None:
    """Print what a quote costs in a new pool, after the price has moved, and over more ranges."""
    print("The same quote in other states (Sluice alone)")
    pool = ladder_pool(RANGES + 2)
    amounts = crossing_amounts(pool, RANGES)
    state = pool.sqrt_price_x96, pool.tick, pool.liquidity, pool.fee_pips, pool.tick_spacing
    cases: dict[str, Callable[[int], object]] = {
        "pool built for one quote": lambda a: Pool(*state, pool.liquidity_net).quote_exact_input(a, True),
        "price moved before each quote": lambda a: pool.with_price(
            pool.sqrt_price_x96 + a % 1000, 0
        ).quote_exact_input(a, True),
    }
    for name, call in cases.items():
        print(f"  {name:34}{median_seconds(call, amounts) * 1e6:10.2f} us")
    for ranges in (18, 180, 1800):
        wide = ladder_pool(ranges + 2)
        spent = median_seconds(
            partial(wide.quote_exact_input, zero_for_one=True), crossing_amounts(wide, ranges)
        )
        print(f"  {f'{ranges} ranges crossed':34}{spent * 1e6:10.2f} us")


def split_times(fixed_costs: bool) -> np.ndarray:
    """Return the processor and the wall time of one split of each network, milliseconds, by column."""
    rng = np.random.default_rng(2026)
    spent = []
    for _ in range(NETWORKS):
        amount, venues = random_network(rng, VENUES, fixed_costs=fixed_costs)
        processor, wall = time.thread_time(), time.perf_counter()
        split(amount, venues)
        spent.append((time.thread_time() - processor, time.perf_counter() - wall))
    return np.array(spent) * 1e3


def report_splits() -> bool:
    """Print the time of a split over random networks; return whether the goal is met."""
    print(f"Split over {VENUES} venues, {NETWORKS} random networks (goal: p99 below {SPLIT_GOAL_MS:.0f} ms)")
    print(f"  {'':34}{'p50':>10}{'p99':>10}{'slowest':>10}   wall p50{'p99':>10}   ms")
    met = True
    for name, fixed_costs in (("without fixed costs", False), ("with a fixed cost on each venue", True)):
        processor, wall = split_times(fixed_costs).T
        middle, high = np.percentile(processor, [50, 99])
        wall_middle, wall_high = np.percentile(wall, [50, 99])
        figures = f"{middle:10.3f}{high:10.3f}{processor.max():10.3f}{wall_middle:11.3f}{wall_high:10.3f}"
        print(f"  {name:34}{figures}")
        met &= bool(high < SPLIT_GOAL_MS)
    return met


def main() -> None:
    """Run all of it; exit with an error where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", help="an interpreter that can import degenbot")
    given = parser.parse_args().peer_python
    made = PEERS / "degenbot" / "bin" / "python"
    python = given or (str(made) if made.exists() else None)
    quotes = report_quotes(python)
    report_other_states()
    splits = report_splits()
    if not (quotes and splits):
        raise SystemExit("a goal was missed")


if __name__ == "__main__":
    main()
