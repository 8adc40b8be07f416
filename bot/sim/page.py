"""The report as files: JSON, a page, and its pictures."""

import json
import os
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup
from matplotlib.figure import Figure

from bot.errors import ReplayOptionError
from bot.sim import summary
from bot.sim.plots import draw, to_png, to_svg
from bot.sim.report import Report

SECTIONS = (
    (
        "prices",
        "Prices",
        "The market's price, what the oracle published, and where the pools stood. A sale in a pool below "
        "the oracle is dear; in a pool above it, a sale brings more than the oracle's value.",
    ),
    (
        "health",
        "Health of the book",
        "Debt by the health factor of its account, at oracle prices after each block. Below 1 an account can "
        "be liquidated.",
    ),
    (
        "sales",
        "What was sold, against depth",
        "Collateral sold in each five minutes, and what selling over 2 % of the pool's price would have "
        "brought at that moment. What settlements of shorts bought is below zero.",
    ),
    (
        "budget",
        "Release budgets",
        "What auctions may still sell at once (or buy, for what accounts owe), and the capacity that follows "
        "from the measured depth, the least one where nobody measured it lately. A settlement draws, time "
        "refills; below zero the last lot or urgency has overdrawn it.",
    ),
    (
        "auctions",
        "Clocks, urgency and reserves",
        "Budgets slow an auction's clock while its market is loaded; urgency pulls it back toward the wall "
        "clock as the account nears insolvency. The reserve falls by that clock.",
    ),
    (
        "cost",
        "What borrowers paid",
        "Value given less debt repaid, over debt repaid, at the market's price in the block of the "
        "settlement. The area of a dot is the debt repaid; below zero the sale brought more than the "
        "market's price.",
    ),
    (
        "unhealthy",
        "Debt still unhealthy, and bad debt",
        "Debt of accounts with a health factor below 1 after each block, and debt that no collateral covers: "
        "booked as a loss of the suppliers, or not yet.",
    ),
)


def render_html(report: Report, pictures: Mapping[str, Figure]) -> str:
    """Return the report as one page that needs nothing else.

    Parameters
    ----------
    report : Report
        What was found.
    pictures : mapping
        As `bot.sim.plots.draw` gives them.
    """
    source = files("bot.sim").joinpath("templates", "report.html").read_text(encoding="utf-8")
    template = Environment(autoescape=True).from_string(source)
    sections = [
        {"title": title, "text": text, "svg": Markup(to_svg(pictures[name]))}
        for name, title, text in SECTIONS
    ]
    return template.render(
        title=summary.title(report),
        subtitle=summary.subtitle(report),
        key_figures=summary.key_figures(report),
        sections=sections,
        figures=summary.figures(report),
        rules=summary.rules(report),
        schema_version=report.schema_version,
        setup_s=report.wall.setup_s,
        replay_s=report.wall.replay_s,
    )


def check_writable(folder: Path, json_file: Path | None) -> None:
    """Check, before anything is started, that the report will find its place.

    Raises
    ------
    ReplayOptionError
        If the folder cannot be made or written to, or the JSON file's folder does not exist.
    """
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise ReplayOptionError("--out", str(folder), "a folder that can be made and written to")
    if json_file is not None and (json_file.is_dir() or not os.access(json_file.resolve().parent, os.W_OK)):
        raise ReplayOptionError(
            "--json", str(json_file), "a file in a folder that exists and can be written to"
        )


def write_report(report: Report, keeper_log: str, folder: Path, json_file: Path | None) -> Path:
    """Write everything and return the page's path.

    A reader finds each file whole or not at all: it is written beside its place and moved there.

    Parameters
    ----------
    report : Report
        What was found.
    keeper_log : str
        Kept beside it.
    folder : Path
        Made if it is not there.
    json_file : Path or None
        Where a second copy of the JSON goes.
    """
    pictures = draw(report)
    folder.mkdir(parents=True, exist_ok=True)
    data = to_json(report)
    page = folder / "report.html"
    write_whole(page, render_html(report, pictures).encode())
    for name, picture in pictures.items():
        write_whole(folder / f"{name}.png", to_png(picture))
    write_whole(folder / "keeper.log", keeper_log.encode())
    write_whole(folder / "report.json", data)
    if json_file is not None:
        write_whole(json_file, data)
    return page


def to_json(report: Report) -> bytes:
    """Return the report as JSON, one line for each of its parts, so that its figures can be read."""
    parts = report.model_dump(mode="json")
    lines = [f"{json.dumps(name)}: {json.dumps(part, ensure_ascii=False)}" for name, part in parts.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that a reader finds the old one or the new one, never half of it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # it is there only if something failed
