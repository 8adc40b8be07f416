"""``sluice risk``: how the live forecasts turned out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bot.bootstrap import read_predictions
from bot.cli.boundary import run
from bot.cli.options import ConfigFile, questioned
from bot.domain import scoring
from bot.domain._validation import FloatArray
from bot.ports import PredictionRecord
from bot.strategy.predictions import Fate

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="rich",
    no_args_is_help=True,
    help="See how the forecasts turned out.",
)

FEWEST: Final = 30
"""Answers below which a score says nothing."""

BINS: Final = 10
"""Equal bins of the predicted probability."""

OVERLAP: Final = "errors are as if predictions were independent; those that overlap in time are not"

HEALTH_EDGES: Final = (1.0, 1.02, 1.05, 1.1, 1.2, float("inf"))
_ANSWERED: Final = (Fate.HAPPENED, Fate.DID_NOT)


@dataclass(frozen=True, slots=True)
class Answers:
    """Predictions of one event that were answered.

    Parameters
    ----------
    event : str
        For people.
    predicted, happened, health : (n,) array
        Probability, 0 or 1, and the health factor at the time of the prediction.
    pending, void : int
        Predictions whose horizon is not over, and those that will never be answered.
    """

    event: str
    predicted: FloatArray
    happened: FloatArray
    health: FloatArray
    pending: int
    void: int

    def where(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> "Answers":
        """Return some of them."""
        return Answers(self.event, self.predicted[chosen], self.happened[chosen], self.health[chosen], 0, 0)

    def __len__(self) -> int:
        return len(self.predicted)


@app.callback()
def risk() -> None:
    """See how the forecasts turned out."""


@app.command()
def report(
    config: ConfigFile = None,
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A ledger other than that of the settings.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="Predictions to look back on.")] = 200_000,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the reliability diagram into a PNG file.")
    ] = None,
) -> None:
    """Hold the live predictions against what happened, from the ledger.

    For each event (the account becomes liquidatable, or insolvent, within the horizon): how often it came
    true in each bin of the predicted probability, Brier score, its skill against the constant rate, log loss
    and expected calibration error (ECE), overall and by health. Predictions on accounts that were changed
    meanwhile have no answer and count nowhere.
    """
    file = ledger or questioned(config).ledger.place()
    records = run(read_predictions(file, last))
    console = Console(highlight=False)
    found = [
        answers(records, "liquidatable", lambda record: record.prediction.liquidatable),
        answers(records, "insolvency", lambda record: record.prediction.insolvency),
    ]
    for event in found:
        _show(console, event)
    if plot is not None:
        draw_reliability([event for event in found if len(event) >= FEWEST], plot)
        console.print(f"plot: {plot}")


def answers(
    records: Sequence[PredictionRecord], event: str, predicted: Callable[[PredictionRecord], float]
) -> Answers:
    """Return the answered predictions of one event, a field of `Fates`."""
    fates = [getattr(record.fates, event) for record in records]
    known = [(r, fate) for r, fate in zip(records, fates, strict=True) if fate in _ANSWERED]
    pending = sum(fate is Fate.PENDING for fate in fates)
    return Answers(
        event,
        np.array([predicted(record) for record, _ in known]),
        np.array([float(fate is Fate.HAPPENED) for _, fate in known]),
        np.array([record.prediction.health for record, _ in known]),
        pending,
        len(fates) - len(known) - pending,
    )


def _show(console: Console, event: Answers) -> None:
    counts = f"{len(event)} answered, {event.pending} pending, {event.void} without an answer"
    console.print(f"[bold]{event.event} within the horizon[/bold]: {counts}")
    if len(event) < FEWEST:
        console.print(
            f"too little to judge: a score needs {FEWEST} answers at least; let the keeper run for longer "
            "than the horizon (risk.horizon_s)\n"
        )
        return
    console.print(_reliability(event), _scores(event), OVERLAP, "", sep="\n")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _reliability(event: Answers) -> Table:
    table = _table("Reliability", "predicted", "count", "mean predicted", "came true", "± 2 s.e.")
    for low, high, chosen in _bins(event):
        part = event.where(chosen)
        if len(part):
            share = float(part.happened.mean())
            error = 2.0 * float(np.sqrt(share * (1.0 - share) / len(part)))
            mean = f"{part.predicted.mean():.4f}"
            table.add_row(f"{low:.1f} to {high:.1f}", str(len(part)), mean, f"{share:.4f}", f"{error:.4f}")
    return table


def _bins(event: Answers) -> list[tuple[float, float, np.ndarray[Any, np.dtype[np.bool_]]]]:
    """Return the bins as the calibration error cuts them: each holds its lower edge, the last also 1."""
    edges = np.arange(1, BINS) / BINS
    index = np.searchsorted(edges, event.predicted, side="right")
    return [(bin_ / BINS, (bin_ + 1) / BINS, index == bin_) for bin_ in range(BINS)]


def _scores(event: Answers) -> Table:
    columns = ("count", "predicted", "came true", "Brier", "skill", "log loss", "ECE")
    table = _table("Scores by health at the prediction", "health", *columns)
    groups = [("all", event)]
    for low, high in pairwise(HEALTH_EDGES):
        chosen = (event.health >= low) & (event.health < high)
        groups.append((f"[{low:g}, {high:g})", event.where(chosen)))
    for name, part in groups:
        table.add_row(name, str(len(part)), *_row(part))
    return table


def _row(part: Answers) -> tuple[str, ...]:
    if len(part) < FEWEST:
        return ("too few",) + ("",) * 5
    predicted, happened = part.predicted, part.happened
    rate = float(happened.mean())
    score, constant = scoring.brier(predicted, happened), rate * (1.0 - rate)
    return (
        f"{predicted.mean():.4f}",
        f"{rate:.4f}",
        f"{score:.4f}",
        f"{1.0 - score / constant:+.3f}" if constant > 0.0 else "",
        f"{scoring.log_loss(predicted, happened):.4f}",
        f"{scoring.expected_calibration_error(predicted, happened, BINS):.4f}",
    )


def draw_reliability(events: Sequence[Answers], file: Path) -> None:
    """Draw how often predictions came true against the probability predicted.

    Parameters
    ----------
    events : sequence of Answers
        One curve each; bars are two standard errors.
    file : Path
        PNG to write.
    """
    figure = Figure(figsize=(6.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    axis.plot([0, 1], [0, 1], color="0.7", linewidth=1.0, label="perfect")
    for event in events:
        parts = [event.where(chosen) for _, _, chosen in _bins(event) if chosen.any()]
        shares = np.array([part.happened.mean() for part in parts])
        errors = 2.0 * np.sqrt(shares * (1.0 - shares) / [len(part) for part in parts])
        means = [float(part.predicted.mean()) for part in parts]
        axis.errorbar(means, shares, errors, marker="o", capsize=3, label=f"{event.event} ({len(event)})")
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="predicted", ylabel="came true")
    axis.set_title("Live predictions against what happened")
    axis.legend(loc="lower right")
    figure.savefig(file, format="png", dpi=120)
