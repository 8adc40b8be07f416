"""What is shipped for operators, held against the code: names, run book, and the shape of each file."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.ops.alerts import WORTH_TELLING
from bot.ops.metrics import WATCHED, Metrics

ROOT = Path(__file__).parents[4]
OPS = ROOT / "ops"
OURS = re.compile(r"\bsluice_[a-z_]+\b")
EVENT = re.compile(r'event="([a-z_]+)"')


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((OPS / "alerts.yaml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def queries() -> list[str]:
    dashboard = json.loads((OPS / "dashboard.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


@pytest.fixture(scope="module")
def names() -> set[str]:
    return Metrics().names()


@pytest.mark.parametrize("query", [rule["expr"] for rule in rules()] + queries())
def test_a_query_names_metrics_that_there_are(query: str, names: set[str]) -> None:
    used = set(OURS.findall(query))
    assert used | ({"up"} if "up{" in query else set())
    assert used <= names


def test_every_metric_is_looked_at_by_a_rule_or_a_panel(names: set[str]) -> None:
    used = set(OURS.findall(" ".join([*queries(), *(rule["expr"] for rule in rules())])))
    looked_at = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in names} == looked_at


def test_every_event_that_a_rule_waits_for_is_logged_and_counted_from_nothing() -> None:
    waited_for = {event for rule in rules() for event in EVENT.findall(rule["expr"])}
    assert waited_for <= {event for _, event in WATCHED}
    sources = "\n".join(path.read_text() for path in (ROOT / "bot").rglob("*.py"))
    logged = set(re.findall(r'_log\.(\w+)\(\s*"(\w+)"', sources))
    assert set(WATCHED) <= logged


def test_labels_that_rules_match_are_those_of_the_metrics() -> None:
    text = " ".join(rule["expr"] for rule in rules())
    checks = set(re.findall(r'check="(\w+)"', text)) | set(["heads", "acting", "book"])
    assert checks <= {"heads", "acting", "book", "leading", "ledger", "permitted"}
    exposed = Metrics().exposed().decode()
    for outcome in re.findall(r'outcome="(\w+)"', text):
        assert f'sluice_transactions_settled_total{{outcome="{outcome}"}} 0.0' in exposed


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_says_what_it_is_and_has_its_section_in_the_run_book(rule: dict[str, Any]) -> None:
    guide = (ROOT / "docs" / "operating.md").read_text()
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert {"summary", "description", "runbook"} <= set(rule["annotations"])
    assert rule["annotations"]["runbook"] == f"docs/operating.md#{rule['alert'].lower()}"
    section = re.search(rf"^### {rule['alert']}\n\n(.+?)(?=^#|\Z)", guide, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert len(section[1].split()) >= 10


def test_the_run_book_has_no_section_without_an_alert() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text()
    assert re.findall(r"^### (\w+)", guide, re.MULTILINE) == [rule["alert"] for rule in rules()]


def test_every_event_that_an_operator_is_told_of_is_explained() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "bot").rglob("*.py"))
    told = set(re.findall(r'_log\.(?:error|critical|exception)\(\s*"(\w+)"', sources)) | WORTH_TELLING
    guides = (ROOT / "docs" / "operating.md").read_text().partition("## Messages")[2]
    guides += (ROOT / "docs" / "rfq.md").read_text().partition("**When it complains.**")[2]
    assert len(told) > 20
    assert {event for event in told if f"`{event}`" not in guides} == set()


def test_the_messages_point_to_sections_that_there_are() -> None:
    guide, _, messages = (ROOT / "docs" / "operating.md").read_text().partition("## Messages")
    assert set(re.findall(r"\bSluice[A-Z]\w+", messages)) <= set(
        re.findall(r"^### (\w+)", guide, re.MULTILINE)
    )


def test_the_dashboard_has_panels_that_do_not_overlap() -> None:
    panels = json.loads((OPS / "dashboard.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_scrape_configuration_names_the_job_of_the_rules() -> None:
    config = yaml.safe_load((OPS / "prometheus.yml").read_text())
    assert config["rule_files"] == ["alerts.yaml"]
    assert [job["job_name"] for job in config["scrape_configs"]] == ["sluice"]


# ---------------------------------------------------------------------------- unit and image


def test_the_unit_gives_the_keeper_no_more_than_it_needs() -> None:
    unit = (OPS / "sluice-keeper.service").read_text()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=", "LimitCORE=0"):
        assert f"\n{line}\n" in unit
    assert "User=sluice" in unit
    assert "LoadCredential=password:" in unit
    assert re.search(r"^ExecStart=\S+/sluice keeper run --config \S+$", unit, re.MULTILINE)


def test_the_image_runs_as_nobody_of_pinned_parts_and_says_how_it_is() -> None:
    recipe = (OPS / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", recipe, re.MULTILINE)
    assert bases
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base) for base in bases)
    assert re.search(r"^USER \d+:\d+$", recipe, re.MULTILINE)
    assert "/healthz" in recipe
    assert "PASSWORD" not in recipe


def test_the_pins_of_the_image_are_those_of_the_lock() -> None:
    (script,) = re.findall(r"sed -n '(.+?)' requirements\.lock", (OPS / "Dockerfile").read_text())
    sed = shutil.which("sed")
    assert sed is not None
    found = subprocess.run(
        [sed, "-n", script, str(ROOT / "requirements.lock")], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(found) > 50
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==\S+", line) for line in found)
