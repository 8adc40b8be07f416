"""The ablation as a table between two marks of docs/ablation.md, and as one picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DOCS: Final = Path(__file__).parents[1] / "docs"
PAGE: Final = DOCS / "ablation.md"
PICTURE: Final = DOCS / "img" / "ablation.svg"
BEGIN: Final = "<!-- table: python -m benchmarks.ablation --table -->"
END: Final = "<!-- end of table -->"

VARIANTS: Final = {"fixed_bonus": "#9aa4af", "dutch": "#d8a13a", "budget": "#5b9bd5", "full": "#1f6f54"}
"""In order, each with its colour."""

COLUMNS: Final = (
    ("borrower_cost_bps", "borrower cost, bps", "{:,.0f}"),
    ("borrower_equity_end_usd", "equity kept, $", "{:,.0f}"),
    ("price_impact_bps", "price impact, bps", "{:,.0f}"),
    ("bad_debt_usd", "bad debt, $", "{:,.0f}"),
    ("residual_unhealthy_debt_usd", "unhealthy at the end, $", "{:,.0f}"),
    ("repaid_usd", "debt repaid, $", "{:,.0f}"),
    ("debt_at_risk_usd", "debt at risk, $", "{:,.0f}"),
)
PLOTTED: Final = COLUMNS[:5]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the cells as a markdown table, the lines of one scenario and depth together."""
    heads = ["scenario", "depth", "variant", *(title for _, title, _ in COLUMNS)]
    lines = ["| " + " | ".join(heads) + " |", "|---|---:|---" + "|---:" * len(COLUMNS) + "|"]
    for row in rows:
        values = [shape.format(row[name]) for name, _, shape in COLUMNS]
        lines.append(
            "| " + " | ".join([row["scenario"], f"{row['depth']:g}", row["variant"], *values]) + " |"
        )
    return "\n".join(lines)


def write_table(rows: Sequence[dict[str, Any]], page: Path = PAGE) -> None:
    """Put the table between its marks and leave all else as it is."""
    text = page.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}")


def draw(rows: Sequence[dict[str, Any]], picture: Path = PICTURE) -> None:
    """Draw each measure against scenario and depth, a bar for each variant."""
    groups = list(dict.fromkeys((row["scenario"], row["depth"]) for row in rows))
    figure = Figure(figsize=(11.0, 2.0 * len(PLOTTED)), layout="constrained")
    axes = figure.subplots(len(PLOTTED), 1, sharex=True)
    for axis, (name, title, _) in zip(axes, PLOTTED, strict=True):
        _bars(axis, rows, groups, name)
        axis.set_ylabel(title, fontsize=8)
    axes[0].legend(ncols=len(VARIANTS), fontsize=8, frameon=False)
    axes[-1].set_xticks(
        range(len(groups)), [f"{scenario}\n{depth:g}" for scenario, depth in groups], fontsize=7
    )
    figure.savefig(picture, metadata={"Date": None})


def _bars(axis: Axes, rows: Sequence[dict[str, Any]], groups: list[tuple[str, float]], name: str) -> None:
    width = 0.8 / len(VARIANTS)
    for number, (variant, colour) in enumerate(VARIANTS.items()):
        values = {(row["scenario"], row["depth"]): row[name] for row in rows if row["variant"] == variant}
        heights = [values.get(group, np.nan) for group in groups]
        places = np.arange(len(groups)) + (number - (len(VARIANTS) - 1) / 2) * width
        axis.bar(places, heights, width, color=colour, label=variant)
    axis.tick_params(labelsize=7)
    axis.grid(axis="y", linewidth=0.4)
    axis.set_axisbelow(True)
