"""What was measured, as tables and as the file that is kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.keeper.trials import Outcome

OURS: Final = "sluice"
PEERS: Final = ("silverback_reread", "silverback_cached", "viem_reread", "viem_cached")
_FLOOR_AT: Final = 1_000
_PEERS_AT: Final = 10_000
_QUANTILES: Final = (0.5, 0.95, 0.99)


@dataclass
class Results:
    """Outcomes by book and contender.

    Parameters
    ----------
    outcomes : dict
        By accounts in the book, then by contender.
    floor_ms : list of float
        Of each repetition.
    load : tuple of float
        Load average of the machine at the beginning and at the end.
    cores : int
        Of the machine.
    """

    outcomes: dict[int, dict[str, Outcome]] = field(default_factory=dict)
    floor_ms: list[float] = field(default_factory=list)
    load: tuple[float, float] = (0.0, 0.0)
    cores: int = 0

    def add(self, accounts: int, contender: str, outcome: Outcome) -> None:
        """Keep an outcome."""
        self.outcomes.setdefault(accounts, {})[contender] = outcome

    def snapshot(self) -> dict[str, Any]:
        """Return what is kept in the repository."""
        ours = {str(accounts): found[OURS] for accounts, found in self.outcomes.items()}
        return {
            "p99_ms": {
                accounts: quantiles(outcome.falls[1].last_ms)[2] for accounts, outcome in ours.items()
            },
            "times_floor_at_1000": self._times_floor(),
            "times_faster_at_10000": {peer: self._times_faster(peer, 1) for peer in PEERS},
            "rpc_calls_quiet_block": {a: o.quiet.calls for a, o in ours.items() if o.quiet is not None},
            "rss_mib": {a: round(o.rss_mib, 1) for a, o in ours.items()},
            "times_faster_at_10000_by_falling": {
                peer: {str(falling): self._times_faster(peer, falling) for falling in (1, 10, 100)}
                for peer in PEERS
            },
            "floor_ms": dict(zip(("p50", "p95", "p99"), quantiles(self.floor_ms), strict=True)),
            "load_s": {a: round(o.load_s, 2) for a, o in ours.items()},
            "all": {str(a): {n: _plain(o) for n, o in found.items()} for a, found in self.outcomes.items()},
            "machine": {"cores": self.cores, "load_average": [round(value, 1) for value in self.load]},
        }

    def _times_floor(self) -> float | None:
        found = self.outcomes.get(_FLOOR_AT, {}).get(OURS)
        if found is None or not self.floor_ms:
            return None
        return round(_median(found.falls[1].last_ms) / _median(self.floor_ms), 2)

    def _times_faster(self, peer: str, falling: int) -> float | None:
        found = self.outcomes.get(_PEERS_AT, {})
        if peer not in found or OURS not in found or falling not in found[peer].falls:
            return None
        theirs, ours = found[peer].falls[falling], found[OURS].falls[falling]
        return round(_median(theirs.last_ms) / _median(ours.last_ms), 2)

    def write(self, path: Path) -> None:
        """Write the snapshot."""
        path.write_text(json.dumps(self.snapshot(), indent=2) + "\n")

    def show(self, console: Console) -> None:
        """Print everything that was measured."""
        for table in (self._latencies(), self._traffic(), self._summary()):
            console.print(table)

    def _latencies(self) -> Table:
        titles = (
            "accounts",
            "falling",
            "contender",
            "n",
            "first p50",
            "last p50",
            "last p95",
            "last p99",
            "landed",
        )
        table = Table(*titles, title="ms from the block to the node, first and last of the transactions")
        for accounts, found in self.outcomes.items():
            for falling in sorted({count for outcome in found.values() for count in outcome.falls}):
                for name, outcome in found.items():
                    if falling in outcome.falls:
                        sample = outcome.falls[falling]
                        numbers = [_median(sample.first_ms), *quantiles(sample.last_ms)]
                        row = (f"{accounts:,}", str(falling), name, str(len(sample.last_ms)))
                        landed = f"{sample.landed}/{len(sample.last_ms) * falling}"
                        table.add_row(*row, *(f"{number:.1f}" for number in numbers), landed)
        return table

    def _traffic(self) -> Table:
        titles = ("accounts", "contender", "calls quiet", "KiB quiet", "calls busy", "KiB busy", "RSS MiB")
        table = Table(*titles, "start s", title="requests and bytes of a block, memory")
        for accounts, found in self.outcomes.items():
            for name, outcome in found.items():
                quiet, busy = outcome.quiet, outcome.busy.get(1)
                traffic = [
                    text
                    for part in (quiet, busy)
                    for text in (("", "") if part is None else (f"{part.calls:g}", f"{part.kib:,.0f}"))
                ]
                table.add_row(
                    f"{accounts:,}", name, *traffic, f"{outcome.rss_mib:.0f}", f"{outcome.load_s:.1f}"
                )
        return table

    def _summary(self) -> Table:
        table = Table("figure", "measured", "goal")
        snapshot = self.snapshot()
        for accounts, p99 in snapshot["p99_ms"].items():
            table.add_row(
                f"p99 at {accounts} accounts, ms", f"{p99:.1f}", "100" if accounts == "100000" else ""
            )
        floor = snapshot["floor_ms"]
        table.add_row("floor p50, p99, ms", f"{floor['p50']:.1f}, {floor['p99']:.1f}", "")
        table.add_row("times the floor at 1,000", _number(snapshot["times_floor_at_1000"]), "at most 3")
        for peer, times in snapshot["times_faster_at_10000"].items():
            goal = "at least 10" if peer.endswith("reread") else "above 1"
            table.add_row(f"times faster than {peer} at 10,000", _number(times), goal)
        return table


def quantiles(sample: Sequence[float]) -> list[float]:
    """Return p50, p95 and p99 of a sample; NaN where there is none."""
    if not sample:
        return [float("nan")] * len(_QUANTILES)
    return [round(float(value), 2) for value in np.quantile(sample, _QUANTILES)]


def _median(sample: Sequence[float]) -> float:
    return quantiles(sample)[0]


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:g}"


def _plain(outcome: Outcome) -> Mapping[str, Any]:
    """Return an outcome as it is kept: quantiles in place of samples."""
    falls = {
        str(falling): {
            "n": len(sample.last_ms),
            "landed": sample.landed / max(len(sample.last_ms) * falling, 1),
            "first_ms": dict(zip(("p50", "p95", "p99"), quantiles(sample.first_ms), strict=True)),
            "last_ms": dict(zip(("p50", "p95", "p99"), quantiles(sample.last_ms), strict=True)),
        }
        for falling, sample in outcome.falls.items()
    }
    return {
        "falls": falls,
        "quiet": None if outcome.quiet is None else asdict(outcome.quiet),
        "busy": {str(falling): asdict(traffic) for falling, traffic in outcome.busy.items()},
        "rss_mib": round(outcome.rss_mib, 1),
        "start_s": round(outcome.load_s, 2),
    }
