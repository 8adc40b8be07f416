"""Syntax trees of the libraries, as the pinned compiler gives them."""

from __future__ import annotations

import json
import subprocess
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ROOT / "contracts" / "libraries"
READ = (
    "CurveParameters",
    "DecimalFloat",
    "DepthMath",
    "InterestRate",
    "ReleaseBudget",
    "ReserveCurve",
    "SharesMath",
    "Sizing",
    "Urgency",
    "WadMath",
)

Node = dict[str, Any]


class Trees:
    """Functions, structs and constants of the libraries with theorems, by name and by the compiler's ids.

    Parameters
    ----------
    changed : dict of str to str
        Sources that stand in for those of libraries of that name, for mutants.
    """

    def __init__(self, changed: dict[str, str] | None = None) -> None:
        self.units = compiled(changed or {})

    @cached_property
    def by_id(self) -> dict[int, Node]:
        """Every declaration that an expression may refer to."""
        found: dict[int, Node] = {}
        pending: list[Any] = list(self.units)
        while pending:
            node = pending.pop()
            if isinstance(node, dict):
                if "id" in node:
                    found[node["id"]] = node
                pending.extend(node.values())
            elif isinstance(node, list):
                pending.extend(node)
        return found

    def function(self, library: str, name: str) -> Node:
        """Return the definition of ``library.name``."""
        return self._member(library, "FunctionDefinition", name)

    def struct(self, holder: str, name: str) -> Node:
        """Return the definition of the struct ``holder.name``."""
        return self._member(holder, "StructDefinition", name)

    def _member(self, holder: str, kind: str, name: str) -> Node:
        for unit in self.units:
            for contract in unit["nodes"]:
                if contract["nodeType"] != "ContractDefinition" or contract["name"] != holder:
                    continue
                for node in contract["nodes"]:
                    if node["nodeType"] == kind and node["name"] == name:
                        return dict(node)
        raise LookupError(f"{holder} declares no {name}; the theorem that names it is out of date")


def compiled(changed: dict[str, str]) -> list[Node]:
    """Compile to syntax trees alone."""
    sources = {
        str(path.relative_to(ROOT)): {"content": changed.get(path.stem, path.read_text())}
        for path in (LIBRARIES / f"{name}.sol" for name in READ)
    }
    with (ROOT / "foundry.toml").open("rb") as file:
        remappings = tomllib.load(file)["profile"]["default"]["remappings"]
    asked = {
        "language": "Solidity",
        "sources": sources,
        "settings": {
            "remappings": remappings,
            "outputSelection": {"*": {"": ["ast"]}},
        },
    }
    answer = subprocess.run(
        [str(ROOT / "scripts" / "solc-v0.8.37"), "--standard-json", "--base-path", str(ROOT)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    output = json.loads(answer.stdout)
    faults = [error["formattedMessage"] for error in output.get("errors", []) if error["severity"] == "error"]
    if faults:
        raise SyntaxError("".join(faults))
    return [unit["ast"] for unit in output["sources"].values()]
