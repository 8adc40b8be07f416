"""The keeper's benchmark runs and writes what it says; how fast anything was is never asserted here."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.keeper.__main__ import FULL, OUT, QUICK, run
from benchmarks.keeper.results import PEERS, Results
from benchmarks.keeper.trials import Outcome, Sample

pytestmark = [pytest.mark.node]

PROMISED = {"p99_ms", "times_floor_at_1000", "times_faster_at_10000", "rpc_calls_quiet_block", "rss_mib"}


def test_a_quick_run_measures_our_keeper_and_the_floor_on_a_real_node(tmp_path: Path) -> None:
    results = run(QUICK, Console(quiet=True), tmp_path / "keeper.json", peers=False)
    results.show(Console(quiet=True))
    kept = json.loads((tmp_path / "keeper.json").read_text())
    assert kept.keys() >= PROMISED
    ours = kept["all"]["100"]["sluice"]
    assert {falling: found["n"] for falling, found in ours["falls"].items()} == {"1": 2, "10": 1}
    assert [found["landed"] for found in ours["falls"].values()] == [1.0, 1.0]
    assert all(found["last_ms"]["p50"] >= found["first_ms"]["p50"] > 0 for found in ours["falls"].values())
    assert ours["quiet"]["calls"] == 1
    assert kept["rpc_calls_quiet_block"] == {"100": 1}
    assert ours["busy"]["10"]["calls"] > ours["busy"]["1"]["calls"] > 1
    assert kept["rss_mib"]["100"] > 10
    assert kept["floor_ms"]["p50"] > 0


def test_the_figures_that_are_kept_are_those_that_are_promised() -> None:
    kept = json.loads(OUT.read_text())
    assert kept.keys() >= PROMISED
    assert kept["p99_ms"].keys() == {str(plan.accounts) for plan in FULL}
    assert kept["times_faster_at_10000"].keys() == set(PEERS)
    assert {"100", "100000"} <= kept["rpc_calls_quiet_block"].keys()


def test_times_are_ratios_of_medians_on_the_same_book() -> None:
    results = Results(floor_ms=[2.0, 4.0, 6.0])
    for accounts, contender, took in (
        (1_000, "sluice", 10.0),
        (10_000, "sluice", 20.0),
        (10_000, "viem_cached", 50.0),
    ):
        outcome = Outcome(falls={1: Sample([took] * 3, [took] * 3)})
        results.add(accounts, contender, outcome)
    kept = results.snapshot()
    assert kept["times_floor_at_1000"] == 2.5
    assert kept["times_faster_at_10000"] == dict.fromkeys(PEERS) | {"viem_cached": 2.5}
    assert kept["p99_ms"] == {"1000": 10.0, "10000": 20.0}
