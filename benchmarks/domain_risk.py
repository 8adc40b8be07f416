"""How fast the risk functions are: ``python -m benchmarks.domain_risk``.

The screen of a million accounts is measured beside the least any formula of its kind costs, one evaluation of
scipy's ``ndtr`` for each account, in the same run. The bound for the screen is 60 ms.
"""

import time
from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from bot.domain.risk import (
    expected_bad_debt,
    first_passage,
    first_passage_jumps,
    greeks,
    portfolio_insolvency,
)

ACCOUNTS = 1_000_000
REPEATS = 9
BOUND = 60.0


def fastest(call: Callable[[], object]) -> float:
    """Milliseconds of the fastest of several calls."""
    call()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return 1e3 * min(times)


def main() -> None:
    """Print the table."""
    generator = np.random.default_rng(1)
    ratio = np.exp(np.abs(generator.normal(0.0, 0.15, ACCOUNTS)))
    volatility = generator.uniform(0.3, 1.5, ACCOUNTS)
    bare_input = generator.normal(-2.0, 1.0, ACCOUNTS)
    bare = fastest(lambda: ndtr(bare_input))
    print(f"{'1,000,000 accounts':44} {'ms':>8} {'to bare ndtr':>13}")
    print(f"{'bare ndtr':44} {bare:8.1f} {1.0:13.2f}")
    for name, sigma in (("one volatility", np.array(0.8)), ("each its own", volatility)):
        taken = fastest(lambda sigma=sigma: first_passage(ratio, sigma, 3_600.0))  # type: ignore[misc]
        verdict = "" if taken < BOUND else f"  MISSES {BOUND:.0f} ms"
        print(f"{'first_passage, ' + name:44} {taken:8.1f} {taken / bare:13.2f}{verdict}")
    taken = fastest(lambda: first_passage(ratio, 0.8, 3_600.0, check_interval=12.0))
    print(f"{'first_passage every 12 s, one volatility':44} {taken:8.1f} {taken / bare:13.2f}")
    debt = np.full(ACCOUNTS, 0.9)
    taken = fastest(lambda: expected_bad_debt(ratio, debt, 0.05, 0.01, volatility, 3_600.0))
    print(f"{'expected_bad_debt':44} {taken:8.1f} {taken / bare:13.2f}")
    _portfolios(generator)


def _portfolios(generator: np.random.Generator) -> None:
    count, assets = 1_000, 8
    values = generator.dirichlet(np.ones(assets), size=count)
    volatilities = generator.uniform(0.5, 1.2, assets)
    correlation = np.full((assets, assets), 0.7) + 0.3 * np.eye(assets)
    debt = generator.uniform(0.85, 0.98, count)
    hour = 3_600.0
    print(f"\n{'1,000 accounts of 8 assets':44} {'ms':>8}")
    for method in ("auto", "lognormal", "cornish_fisher", "form"):
        taken = fastest(
            lambda m=method: portfolio_insolvency(values, debt, volatilities, correlation, hour, method=m)  # type: ignore[misc]
        )
        print(f"{'portfolio_insolvency, ' + method:44} {taken:8.1f}")
    taken = fastest(lambda: portfolio_insolvency(values, debt, volatilities, correlation, hour, at="any"))
    print(f"{'portfolio_insolvency, auto, at any time':44} {taken:8.1f}")
    print(f"{'greeks':44} {fastest(lambda: greeks(values, debt, volatilities, correlation, hour)):8.1f}")
    taken = fastest(lambda: first_passage_jumps(1.0 / debt, 0.8, hour, 50.0, 0.4, 0.02, 0.03))
    print(f"{'first_passage_jumps, one process':44} {taken:8.1f}")


if __name__ == "__main__":
    main()
