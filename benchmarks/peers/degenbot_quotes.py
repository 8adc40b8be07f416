"""Quotes of degenbot's Uniswap V3 pool, timed on request: the peer's side of ``benchmarks/domain_amm.py``.

Runs under degenbot's own interpreter. The first line on standard input is the pool and the amounts as JSON;
each further line asks for one round, answered by the seconds each quote took. The pool is filled in without
its constructor, which would read a chain; the calculation measured is the library's public one, untouched.
"""

import dataclasses
import importlib.metadata
import json
import sys
import time
from threading import Lock
from types import SimpleNamespace

from degenbot import UniswapV3Pool

try:
    from degenbot.uniswap import v3_types
except ImportError:  # before 0.4
    from degenbot.uniswap import types as v3_types


def tick_map(nets: dict[int, int]) -> dict[int, object]:
    """Return the library's record of each initialised tick."""
    return {
        tick: v3_types.UniswapV3LiquidityAtTick(liquidity_net=net, liquidity_gross=abs(net), block=0)
        for tick, net in nets.items()
    }


def bitmap(nets: dict[int, int], spacing: int) -> dict[int, object]:
    """Return the library's record of each word of the tick bitmap."""
    words: dict[int, int] = {}
    for tick in nets:
        compressed = tick // spacing
        words[compressed >> 8] = words.get(compressed >> 8, 0) | 1 << (compressed & 255)
    return {word: v3_types.UniswapV3BitmapAtWord(bitmap=bits, block=0) for word, bits in words.items()}


def pool_of(given: dict) -> UniswapV3Pool:
    """Return a pool in the given state, of whichever release is installed."""
    nets = {int(tick): int(net) for tick, net in given["liquidity_net"].items()}
    pool = object.__new__(UniswapV3Pool)
    known = {
        "address": "0x" + "00" * 20,
        "pool": "0x" + "00" * 20,
        "liquidity": int(given["liquidity"]),
        "sqrt_price_x96": int(given["sqrt_price_x96"]),
        "tick": given["tick"],
        "tick_bitmap": bitmap(nets, given["tick_spacing"]),
        "tick_data": tick_map(nets),
        "block": 0,
    }
    state_type = getattr(UniswapV3Pool.PoolState, "__value__", UniswapV3Pool.PoolState)
    wanted = {field.name for field in dataclasses.fields(state_type)}
    pool._state = state_type(**{name: value for name, value in known.items() if name in wanted})
    pool.fee, pool.tick_spacing = given["fee_pips"], given["tick_spacing"]
    pool.sparse_liquidity_map = False
    pool.token0, pool.token1 = SimpleNamespace(), SimpleNamespace()
    pool._state_lock = Lock()
    pool._swap_step_cache = {}
    pool._swap_step_cache_lock = Lock()
    return pool


def main() -> None:
    """Answer the first line with the outputs, each further one with a round's time."""
    given = json.loads(sys.stdin.readline())
    pool = pool_of(given)
    token, quote = pool.token0, pool.calculate_tokens_out_from_tokens_in
    amounts = [int(amount) for amount in given["amounts"]]
    print(
        json.dumps(
            {
                "version": importlib.metadata.version("degenbot"),
                "outputs": [str(quote(token, a)) for a in amounts],
            }
        ),
        flush=True,
    )
    for _ in sys.stdin:
        start = time.perf_counter()
        for amount in amounts:
            quote(token, amount)
        print((time.perf_counter() - start) / len(amounts), flush=True)


if __name__ == "__main__":
    main()
