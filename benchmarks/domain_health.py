"""Health of a whole book, and its most urgent accounts, against the bare matrix product.

Run with ``python -m benchmarks.domain_health``. Every figure is a median over rounds in which the contestants
take turns, so that a busy machine slows all of them alike; ratios are of medians in the same run. The product
is numpy's own, with as many threads as its BLAS takes. The full sort runs on its own: it evicts from the
caches what the others work on.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bot.domain import health

ACCOUNTS = 100_000
ASSETS = 8
URGENT = 1_000
ROUNDS = 300
LIMIT_MS = 5.0
LIMIT_RATIO = 3.0


def draw_book(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return amounts, weighted prices and debts of accounts that are mostly healthy."""
    prices = rng.lognormal(3.0, 2.0, ASSETS)
    amounts = rng.lognormal(0.0, 2.0, (ACCOUNTS, ASSETS)) * (rng.uniform(size=(ACCOUNTS, ASSETS)) < 0.4)
    amounts[:, 0] += 1e-3
    debts = amounts @ prices / rng.lognormal(0.6, 0.5, ACCOUNTS)
    return amounts, prices, debts


def medians_ms(contestants: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median milliseconds of each, measured in turns."""
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            samples[name].append(time.perf_counter() - start)
    return {name: 1e3 * float(np.median(values)) for name, values in samples.items()}


def main() -> None:
    """Measure, check the answer, and print a table."""
    amounts, prices, debts = draw_book(np.random.default_rng(1))
    holdings = health.Holdings(amounts)

    def screened(book: np.ndarray | health.Holdings) -> np.ndarray:
        return health.most_urgent(health.health_factors(book, prices, debts), URGENT)

    plain = np.argsort(amounts @ prices / debts, kind="stable")[:URGENT]
    if not np.array_equal(screened(amounts), plain):
        raise SystemExit("the most urgent accounts differ from those of a full sort")

    times = medians_ms(
        {
            "bare matrix product": lambda: amounts @ prices,
            "health and most urgent, book held": lambda: screened(holdings),
            "health and most urgent, array checked": lambda: screened(amounts),
        }
    )
    sort = {"product, division, full sort": lambda: np.argsort(amounts @ prices / debts)[:URGENT]}
    times |= medians_ms(sort)
    base = times["bare matrix product"]
    print(f"{ACCOUNTS:,} accounts, {ASSETS} assets, the {URGENT:,} most urgent in order; median of {ROUNDS}")
    for name, value in times.items():
        print(f"  {name:40s} {value:7.3f} ms  {value / base:6.2f} x the product")
    held = times["health and most urgent, book held"]
    verdict = "met" if held < LIMIT_MS and held < LIMIT_RATIO * base else "MISSED"
    print(f"  goal: below {LIMIT_MS:g} ms and {LIMIT_RATIO:g} x the product, book held: {verdict}")


if __name__ == "__main__":
    main()
