"""Health of a whole book, and its most urgent accounts, against the bare matrix product.

Run with ``python -m benchmarks.domain_health``. Every figure is a median over rounds in which a screen and
the bare product of the same matrix take turns, so that a busy machine slows both alike and neither finds the
other's matrix in the caches; ratios are of medians in the same run. The product is numpy's own, with as many
threads as its BLAS takes.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bot.domain import health

ACCOUNTS = 100_000
ASSETS = 8
URGENT = 1_000
ROUNDS = 300
LIMIT_MS = 5.0
LIMIT_RATIO = 3.0


class Pair(NamedTuple):
    """Median milliseconds of the bare product of a matrix, and of its screen."""

    product_ms: float
    screened_ms: float

    @property
    def ratio(self) -> float:
        """How many products the screen takes."""
        return self.screened_ms / self.product_ms


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


def pair(name: str, product: Callable[[], Any], screen: Callable[[], Any]) -> Pair:
    """Measure a screen beside the bare product of the same matrix, and print both."""
    times = medians_ms({"product": product, "screen": screen})
    measured = Pair(times["product"], times["screen"])
    print(f"  {'bare matrix product, ' + name:40s} {measured.product_ms:7.3f} ms")
    label = "health and most urgent, " + name
    print(f"  {label:40s} {measured.screened_ms:7.3f} ms  {measured.ratio:6.2f} x the product")
    return measured


def main() -> None:
    """Measure, check the answer, and print a table."""
    amounts, prices, debts = draw_book(np.random.default_rng(1))
    holdings = health.Holdings(amounts)

    def screened(book: np.ndarray | health.Holdings) -> np.ndarray:
        return health.most_urgent(health.health_factors(book, prices, debts), URGENT)

    plain = np.argsort(amounts @ prices / debts, kind="stable")[:URGENT]
    if not np.array_equal(screened(amounts), plain):
        raise SystemExit("the most urgent accounts differ from those of a full sort")

    print(f"{ACCOUNTS:,} accounts, {ASSETS} assets, the {URGENT:,} most urgent in order; median of {ROUNDS}")
    held = pair("book held", lambda: holdings.amounts @ prices, lambda: screened(holdings))
    pair("array checked", lambda: amounts @ prices, lambda: screened(amounts))
    full = medians_ms({"sort": lambda: np.argsort(amounts @ prices / debts)[:URGENT]})["sort"]
    print(f"  {'product, division, full sort':40s} {full:7.3f} ms")
    verdict = "met" if held.screened_ms < LIMIT_MS and held.ratio < LIMIT_RATIO else "MISSED"
    print(f"  goal: below {LIMIT_MS:g} ms and {LIMIT_RATIO:g} x the product, book held: {verdict}")


if __name__ == "__main__":
    main()
