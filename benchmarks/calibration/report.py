"""The calibration as a table, as JSON and as plots."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.calibration.data import ASSETS, FloatArray
from benchmarks.calibration.scores import BINS, LEVELS, Book, Cell, Interval, Week
from benchmarks.calibration.walk import (
    BUCKETS,
    EMPIRICAL,
    GARCH,
    GBM,
    HAR,
    HORIZONS,
    RANGES,
    Forecasts,
)

COLOURS = {GBM: "#888888", EMPIRICAL: "#0060a8"}
GOALS = {
    "calibration error per bucket": 0.02,
    "Brier skill over GBM with EWMA": 0.10,
    "QLIKE gain over EWMA": 0.05,
}


def percent(interval: Interval) -> str:
    """Write an interval in per cent."""
    return f"{100 * interval.value:6.1f} [{100 * interval.low:6.1f},{100 * interval.high:6.1f}]"


def table(cells: Iterable[Cell]) -> str:
    """Skill and calibration per cell."""
    lines = [
        f"Candidate: {EMPIRICAL}. Skills in per cent with 95 % block-bootstrap intervals; ECE: {BINS} bins.",
        f"{'asset':5} {'horizon':7} {'bucket':12} {'origins':>8} {'hits':>6} {'Brier':>8}  "
        f"{'over GBM with EWMA':22}  {'over constant rate':22}  {'ECE':>6} {'GBM':>6}",
    ]
    for cell in cells:
        low, high = cell.bucket
        lines.append(
            f"{cell.asset:5} {cell.horizon:7} [{low:.2f}, {high:.2f}) {cell.origins:8d} {cell.hits:6d} "
            f"{cell.brier[EMPIRICAL]:8.5f}  {percent(cell.skill[EMPIRICAL])}  {percent(cell.over_constant)}  "
            f"{cell.calibration[EMPIRICAL]:6.4f} {cell.calibration[GBM]:6.4f}"
        )
    return "\n".join(lines)


def rivals(pooled: dict[str, dict[str, Interval]]) -> str:
    """Skill of every model over GBM with EWMA, all assets and buckets."""
    lines = ["Brier skill over GBM with EWMA 0.94 of bars, all assets and buckets (per cent):"]
    for horizon, skills in pooled.items():
        lines += [f"  {horizon:7} {name:30} {percent(skill)}" for name, skill in skills.items()]
    return "\n".join(lines)


def books(rows: Iterable[Book]) -> str:
    """Kupiec's tests and QLIKE."""
    lines = [
        "Exceptions of the quantile forecast for the fall, a horizon apart: share (Kupiec p-value); QLIKE.",
        f"{'asset':5} {'horizon':7} {'n':>6}  "
        + "  ".join(f"{name[:3]} {level:.0%}" + " " * 10 for name in (GBM, EMPIRICAL) for level in LEVELS)
        + "  QLIKE EWMA ranges  GARCH    HAR  HAR gain over EWMA",
    ]
    for row in rows:
        shares = []
        for name in (GBM, EMPIRICAL):
            for level in LEVELS:
                count, exceptions, p_value = row.kupiec[name][level]
                shares.append(f"{exceptions / count:6.2%} ({p_value:5.3f})")
        losses = " ".join(f"{row.qlike[name]:6.4f}" for name in (GBM, RANGES, GARCH, HAR))
        start = f"{row.asset:5} {row.horizon:7} {count:6d}"
        lines.append(f"{start}  {'  '.join(shares)}      {losses}  {percent(row.qlike_gain)}")
    return "\n".join(lines)


def weeks(rows: Iterable[Week]) -> str:
    """Say what the models made of the crash weeks."""
    lines = [
        "Crash weeks, all assets and buckets:",
        f"  {'week':24} {'horizon':7} {'forecasts':>9} {'touched':>8} {'GBM':>9} {'ours':>8} {'skill':>7}",
    ]
    lines += [
        f"  {row.name:24} {row.horizon:7} {row.forecasts:9d} {row.frequency:8.2%} {row.mean[GBM]:9.2%} "
        f"{row.mean[EMPIRICAL]:8.2%} {row.skill:7.1%}"
        for row in rows
    ]
    return "\n".join(lines)


def verdict(
    cells: list[Cell], rows: list[Book], pooled: dict[str, dict[str, Interval]], daily: dict[str, Interval]
) -> str:
    """Say what ships, and what falls short of the goals."""
    lines = []
    for horizon, skills in pooled.items():
        best = skills[EMPIRICAL]
        ships = "ships as default" if best.above_zero else "does not ship (GBM with EWMA stays)"
        lines.append(
            f"{horizon}: {EMPIRICAL} {ships}: skill {percent(best).strip()} per cent, "
            f"over EWMA of daily returns {percent(daily[horizon]).strip()}."
        )
    names = [_name(cell) for cell in cells]
    skill = [cell.skill[EMPIRICAL] for cell in cells]
    error = [cell.calibration[EMPIRICAL] for cell in cells]
    lines.append(_met("Brier skill of 10 %", [one.value >= 0.10 for one in skill], names))
    lines.append(_met("skill interval above zero", [one.above_zero for one in skill], names))
    lines.append(_met("calibration error of 0.02", [one <= 0.02 for one in error], names))
    gains = [row.qlike_gain.value >= 0.05 for row in rows]
    lines.append(_met("QLIKE gain of 5 %", gains, [_name(row) for row in rows]))
    return "\n".join(lines)


def _met(goal: str, reached: Sequence[bool], names: Sequence[str]) -> str:
    missing = [name for name, good in zip(names, reached, strict=True) if not good]
    text = f"{goal}: reached in {sum(reached)} of {len(reached)}"
    return text + ("." if not missing or len(missing) > len(names) / 2 else f"; not in {'; '.join(missing)}.")


def _name(row: Cell | Book) -> str:
    if isinstance(row, Cell):
        return f"{row.asset} {row.horizon} [{row.bucket[0]}, {row.bucket[1]})"
    return f"{row.asset} {row.horizon}"


def write_json(
    path: Path,
    cells: list[Cell],
    rows: list[Book],
    pooled: dict[str, dict[str, Interval]],
    daily: dict[str, Interval],
    crashes: list[Week],
) -> None:
    """Write every number of the tables."""
    content: dict[str, Any] = {
        "goals": GOALS,
        "candidate": EMPIRICAL,
        "baseline": GBM,
        "pooled_skill": {h: {m: s._asdict() for m, s in skills.items()} for h, skills in pooled.items()},
        "pooled_skill_over_daily_ewma": {h: skill._asdict() for h, skill in daily.items()},
        "crash_weeks": [_plain(week._asdict()) for week in crashes],
        "cells": [_plain(cell._asdict()) for cell in cells],
        "books": [_plain(row._asdict()) for row in rows],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return {name: round(number, 6) for name, number in value._asdict().items()}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return round(value, 8) if isinstance(value, float) else value


def plot_reliability(path: Path, results: dict[str, dict[str, Forecasts]]) -> None:
    """Draw forecast against frequency per asset and horizon; larger marks hold more forecasts."""
    figure, axes = plt.subplots(len(HORIZONS), len(ASSETS), figsize=(8.4, 8.4), sharex=True, sharey=True)
    for row, horizon in zip(axes, HORIZONS, strict=True):
        for axis, asset in zip(row, ASSETS, strict=True):
            forecasts = results[horizon.name][asset]
            axis.plot([0, 1], [0, 1], color="black", linewidth=0.6)
            for name in (GBM, EMPIRICAL):
                _reliability(axis, forecasts.probability[name].ravel(), forecasts.outcome.ravel(), name)
            axis.set_title(f"{asset}, {horizon.name}", fontsize=9)
            axis.tick_params(labelsize=7)
    axes[0, 0].legend(fontsize=7, loc="upper left")
    figure.supxlabel("forecast probability of touching the barrier", fontsize=9)
    figure.supylabel("observed frequency", fontsize=9)
    _save(figure, path)


def _reliability(axis: Axes, forecast: FloatArray, outcome: FloatArray, name: str) -> None:
    index = np.minimum((forecast * BINS).astype(int), BINS - 1)
    count = np.bincount(index, minlength=BINS)
    filled = count > 20
    mean = np.bincount(index, weights=forecast, minlength=BINS)[filled] / count[filled]
    frequency = np.bincount(index, weights=outcome, minlength=BINS)[filled] / count[filled]
    size = 120.0 * np.sqrt(count[filled] / count.sum())
    axis.plot(mean, frequency, color=COLOURS[name], linewidth=0.8, label=name)
    axis.scatter(mean, frequency, s=size, color=COLOURS[name], alpha=0.6, linewidth=0)


def plot_skill(path: Path, cells: list[Cell]) -> None:
    """Draw the skill over GBM with EWMA of each cell with its interval."""
    figure, axes = plt.subplots(1, len(HORIZONS), figsize=(8.4, 3.2), sharey=True)
    for axis, horizon in zip(axes, HORIZONS, strict=True):
        for offset, asset in zip((-0.2, 0.0, 0.2), ASSETS, strict=True):
            own = [c.skill[EMPIRICAL] for c in cells if (c.asset, c.horizon) == (asset, horizon.name)]
            values = 100.0 * np.array([skill.value for skill in own])
            spread = 100.0 * np.array([[s.value - s.low for s in own], [s.high - s.value for s in own]])
            place = np.arange(len(own)) + offset
            axis.errorbar(
                place, values, np.maximum(spread, 0.0), fmt="o", markersize=3, linewidth=1, label=asset
            )
        axis.axhline(0.0, color="black", linewidth=0.6)
        axis.axhline(10.0, color="black", linewidth=0.6, linestyle=":")
        axis.set_xticks(range(len(BUCKETS)), [f"{low}–{high}" for low, high in BUCKETS], fontsize=7)
        axis.set_title(horizon.name, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.set_ylim(-15.0, 30.0)
    axes[0].set_ylabel("Brier skill over GBM with EWMA, %", fontsize=8)
    axes[0].legend(fontsize=7)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=80, metadata={"Software": None})
    plt.close(figure)
