"""How well the probabilities of failure are calibrated, on real prices, walking forward.

``python -m benchmarks.risk_calibration`` prints the tables, and writes ``benchmarks/risk_calibration.json``,
``docs/img/risk_reliability.png`` and ``docs/img/risk_skill.png``.

Fixed in advance: horizons of 10 minutes, an hour and a day; health factors drawn evenly from [1, 1.02),
[1.02, 1.05), [1.05, 1.1) and [1.1, 1.2); ETH, BTC and LINK. An account of one collateral against a stable
debt fails if the lowest traded price within the horizon touches its barrier. The prices hold the crash weeks
of March 2020, May 2021 and May 2022, at 5 minutes also that of November 2022; LINK has 5-minute bars in crash
weeks alone.

The baseline is a driftless geometric Brownian motion with an EWMA of decay 0.94 over the bars' returns (5
minutes for 10 minutes, an hour for the rest). Of the two readings of "EWMA 0.94" it is the stronger; that of
daily returns, RiskMetrics' own, is among the rivals.
"""

import sys
import time

from benchmarks.calibration import data, report
from benchmarks.calibration.scores import (
    CANDIDATES,
    Book,
    Cell,
    Interval,
    Week,
    crash_weeks,
    pooled_skill,
    score,
)
from benchmarks.calibration.walk import DAILY, EMPIRICAL, HORIZONS, Forecasts, walk


def main() -> None:
    """Run every horizon, and write what came out."""
    if not data.available():
        print("Skipped: no price data in ../shared/data/prices (its files: benchmarks/calibration/data.py).")
        sys.exit(0)
    started = time.perf_counter()
    results: dict[str, dict[str, Forecasts]] = {}
    cells: list[Cell] = []
    books: list[Book] = []
    pooled: dict[str, dict[str, Interval]] = {}
    daily: dict[str, Interval] = {}
    crashes: list[Week] = []
    for horizon in HORIZONS:
        results[horizon.name] = walk(horizon)
        own_cells, own_books = score(horizon, results[horizon.name])
        cells += own_cells
        books += own_books
        everything = list(results[horizon.name].values())
        pooled[horizon.name] = {name: pooled_skill(everything, name) for name in CANDIDATES}
        crashes += crash_weeks(horizon, everything)
        daily[horizon.name] = pooled_skill(everything, EMPIRICAL, DAILY)
    print(
        "\n\n".join([report.table(cells), report.rivals(pooled), report.books(books), report.weeks(crashes)])
    )
    print("\n" + report.verdict(cells, books, pooled, daily))
    report.write_json(
        data.ROOT / "benchmarks" / "risk_calibration.json", cells, books, pooled, daily, crashes
    )
    report.plot_reliability(data.ROOT / "docs" / "img" / "risk_reliability.png", results)
    report.plot_skill(data.ROOT / "docs" / "img" / "risk_skill.png", cells)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
