"""Run slither over the contracts and hold its findings against ``slither.toml``.

``make slither``. Fails on a finding that no exception covers, and on an exception that covers no finding any
more, so that the list neither hides anything new nor keeps what is gone. The compiler is asked for syntax
trees alone, which takes seconds: slither reads nothing else, and a build through the IR takes minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EXCEPTIONS = ROOT / "slither.toml"
NO_CODE = {"object": "", "sourceMap": ""}


@dataclass(frozen=True)
class Acceptance:
    """Findings that are accepted.

    Attributes
    ----------
    check : str
        Name of the detector.
    where : str
        Pattern of the first element of the finding, ``Contract.function`` or ``Contract.function.variable``.
    why : str
        The reason, one line.
    """

    check: str
    where: str
    why: str

    def covers(self, check: str, where: str) -> bool:
        """Whether a finding of ``check`` at ``where`` is accepted."""
        return self.check == check and fnmatchcase(where, self.where)


def compiler_input() -> dict[str, Any]:
    """Ask, as standard JSON, for syntax trees and interfaces, with the settings of foundry.toml."""
    with (ROOT / "foundry.toml").open("rb") as file:
        settings = tomllib.load(file)["profile"]["default"]
    sources = sorted((ROOT / settings["src"]).rglob("*.sol"))
    return {
        "language": "Solidity",
        "sources": {str(path.relative_to(ROOT)): {"content": path.read_text()} for path in sources},
        "settings": {
            "optimizer": {"enabled": settings["optimizer"], "runs": settings["optimizer_runs"]},
            "evmVersion": settings["evm_version"],
            "remappings": settings["remappings"],
            "outputSelection": {"*": {"": ["ast"], "*": ["abi", "devdoc", "userdoc"]}},
        },
    }


def build_info() -> dict[str, Any]:
    """Compile to what slither would find after a build: trees and interfaces, no code."""
    asked = compiler_input()
    compiler = ROOT / "scripts" / "solc-v0.8.37"
    answer = subprocess.run(
        [str(compiler), "--standard-json"],
        cwd=ROOT,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    output = json.loads(answer.stdout)
    faults = [error["formattedMessage"] for error in output.get("errors", []) if error["severity"] == "error"]
    if faults:
        sys.exit("".join(faults))
    for contracts in output["contracts"].values():
        for contract in contracts.values():
            contract["evm"] = {"bytecode": NO_CODE, "deployedBytecode": NO_CODE}
    return {"solcVersion": compiler.name.removeprefix("solc-v"), "input": asked, "output": output}


def subject(element: dict[str, Any]) -> str:
    """Name what a finding is about: ``Contract.function`` or deeper."""
    names = [str(element["name"])]
    parent = element.get("type_specific_fields", {}).get("parent")
    while parent:
        names.append(str(parent["name"]))
        parent = parent.get("type_specific_fields", {}).get("parent")
    return ".".join(name for name in reversed(names) if not name.endswith(".sol"))


def findings(folder: Path) -> list[tuple[str, str, str]]:
    """Return detector, subject and description of each finding."""
    (folder / "contracts.json").write_text(json.dumps(build_info()))
    report = folder / "report"
    command = [
        sys.executable,
        "-m",
        "slither",
        ".",
        "--ignore-compile",
        "--foundry-build-info-directory",
        str(folder),
    ]
    command += ["--filter-paths", "node_modules|contracts/mocks", "--json", str(report)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if not report.exists():
        sys.exit(f"slither did not report:\n{run.stdout}\n{run.stderr}")
    answer = json.loads(report.read_text())
    if not answer["success"]:
        sys.exit(f"slither failed: {answer['error']}")
    found = answer["results"].get("detectors", [])
    return [(item["check"], subject(item["elements"][0]), item["description"]) for item in found]


def main() -> int:
    """Compare, report, and return the exit code."""
    with EXCEPTIONS.open("rb") as file:
        exceptions = [Acceptance(**entry) for entry in tomllib.load(file)["exception"]]
    with tempfile.TemporaryDirectory() as folder:
        found = findings(Path(folder))
    new = [item for item in found if not any(rule.covers(item[0], item[1]) for rule in exceptions)]
    idle = [rule for rule in exceptions if not any(rule.covers(check, where) for check, where, _ in found)]
    for check, where, description in new:
        sys.stdout.write(f"{check} at {where}\n{description}\n")
    for rule in idle:
        sys.stdout.write(f"slither.toml: {rule.check} at {rule.where} covers nothing any more: remove it\n")
    sys.stdout.write(
        f"slither: {len(found)} findings, {len(new)} not accepted; {len(exceptions)} exceptions\n"
    )
    return 1 if new or idle else 0


if __name__ == "__main__":
    sys.exit(main())
