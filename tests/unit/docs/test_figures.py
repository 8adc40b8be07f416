"""What the pages say of gas and of the ablation is what was measured, and what was measured is all there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ablation_page import BEGIN, END, PAGE, PICTURE, VARIANTS, table

ROOT = Path(__file__).parents[3]
GAS = json.loads((ROOT / "benchmarks" / "gas.json").read_text())
CELLS: list[dict[str, Any]] = json.loads((ROOT / "benchmarks" / "ablation.json").read_text())
CELL = {(cell["scenario"], cell["depth"], cell["variant"]): cell for cell in CELLS}
REQUIRED = ("black-thursday", "may-19", "persistent-crash")
DEPTHS = (0.3, 0.1, 0.02)
FIGURES = {
    "borrower_cost_bps",
    "borrower_equity_end_usd",
    "price_impact_bps",
    "bad_debt_usd",
    "residual_unhealthy_debt_usd",
    "debt_at_risk_usd",
}
OPERATIONS = {
    "kick": "kick",
    "take_partial": "take in part",
    "take_full": "take to the target",
    "kick_and_swap": "kick and swap",
    "fill": "fill",
    "redo": "redo",
    "deposit": "deposit",
    "borrow": "borrow",
    "repay": "repay",
}
"""In the snapshot, and on the page."""


def rows(page: Path) -> dict[str, list[str]]:
    """Return the lines of the first table of a page, by their first cell."""
    first = next(part for part in page.read_text().split("\n\n") if part.startswith("|"))
    lines = first.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells}


# ------------------------------------------------------------------------------------------------ gas


def test_the_snapshot_of_gas_has_each_operation_of_each_protocol() -> None:
    assert set(GAS) == {"sluice", "aave_v3", "morpho_blue"}
    assert set(GAS["sluice"]) == set(OPERATIONS)
    for peer in ("aave_v3", "morpho_blue"):
        assert {"liquidate", "deposit", "borrow", "repay"} <= set(GAS[peer])
    assert all(type(gas) is int and gas > 21_000 for figures in GAS.values() for gas in figures.values())


def test_the_page_on_gas_says_what_the_snapshot_says() -> None:
    written = rows(ROOT / "docs" / "gas.md")
    for operation, name in OPERATIONS.items():
        _, now, _, aave, morpho = written[name]
        assert now == f"{GAS['sluice'][operation]:,}", name
        as_peers_call_it = "liquidate" if operation == "take_partial" else operation
        assert aave == (f"{GAS['aave_v3'][as_peers_call_it]:,}" if aave else ""), name
        assert morpho == (f"{GAS['morpho_blue'][as_peers_call_it]:,}" if morpho else ""), name
    assert all(written["take in part"])


def test_the_known_issue_about_gas_says_what_the_snapshot_says() -> None:
    text = (ROOT / "docs" / "known-issues.md").read_text()
    issue = re.sub(r"\s+", " ", text.split("1. **Gas.**")[1].split("2. **")[0])
    said = {
        "a take costs": "take_full",
        "a fill": "fill",
        "kick and swap in one call": "kick_and_swap",
        "a kick": "kick",
    }
    for words, operation in said.items():
        found = re.search(rf"\b{words} (\d+,\d+)", issue, re.IGNORECASE)
        assert found is not None, words
        assert int(found[1].replace(",", "")) == round(GAS["sluice"][operation], -3), operation


# ------------------------------------------------------------------------------------------- ablation


def test_each_cell_of_the_ablation_is_there_with_each_figure() -> None:
    assert len(CELL) == len(CELLS)
    wanted = {(name, depth, variant) for name in REQUIRED for depth in DEPTHS for variant in VARIANTS}
    assert wanted - set(CELL) == set()
    for cell in CELLS:
        assert {"scenario", "depth", "variant"} | FIGURES <= set(cell)
        assert cell["debt_at_risk_usd"] > 0


def test_the_table_of_the_ablation_is_what_was_measured_and_its_picture_is_there() -> None:
    written = PAGE.read_text().split(BEGIN)[1].split(END)[0].strip()
    assert written == table(CELLS)
    assert PICTURE.read_text().lstrip().startswith("<?xml")


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("scenario", REQUIRED)
def test_sluice_loses_to_the_fixed_bonus_nowhere_by_more_than_it_set_out_to(
    scenario: str, depth: float
) -> None:
    bonus, full = CELL[scenario, depth, "fixed_bonus"], CELL[scenario, depth, "full"]
    assert full["debt_at_risk_usd"] == bonus["debt_at_risk_usd"]
    assert full["borrower_cost_bps"] <= 1.05 * bonus["borrower_cost_bps"]
    assert full["bad_debt_usd"] - bonus["bad_debt_usd"] <= 0.0005 * full["debt_at_risk_usd"]
    assert full["borrower_equity_end_usd"] > bonus["borrower_equity_end_usd"]
    assert full["price_impact_bps"] < bonus["price_impact_bps"]
    assert full["residual_unhealthy_debt_usd"] == 0


def test_the_page_says_how_often_borrowers_gain_and_what_they_pay_at_most() -> None:
    costs = [CELL[scenario, depth, "full"]["borrower_cost_bps"] for scenario in REQUIRED for depth in DEPTHS]
    assert f"{max(costs):.0f} basis points at most" in PAGE.read_text()
    assert sum(cost < 0 for cost in costs) == 7  # "seven cells of nine"
    assert "less than nothing in seven cells of\nnine" in PAGE.read_text()


def test_where_budgets_lose_the_known_issue_says_by_how_much() -> None:
    issue = (ROOT / "docs" / "known-issues.md").read_text().split("12. **")[1].split("13. **")[0]
    full, dutch, bonus = (CELL["gap-crash", 0.02, name] for name in ("full", "dutch", "fixed_bonus"))
    assert f"{100 * full['bad_debt_usd'] / full['debt_at_risk_usd']:.1f} %" in issue
    assert f"{100 * dutch['bad_debt_usd'] / dutch['debt_at_risk_usd']:.2f} %" in issue
    assert bonus["bad_debt_usd"] == 0
