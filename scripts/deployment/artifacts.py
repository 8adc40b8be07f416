"""Compiled contracts, from forge's output or from an npm package."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from eth_utils.abi import function_abi_to_4byte_selector

ROOT = Path(__file__).resolve().parent.parent.parent
FORGE_OUT = ROOT / os.environ.get("FOUNDRY_OUT", ".build/forge/out")
"""Where forge writes: its own variable, or what foundry.toml says."""
NPM = ROOT / "node_modules"


@dataclass(frozen=True)
class Artifact:
    """A contract that can be deployed.

    Parameters
    ----------
    name : str
        Name of the contract in its source.
    abi : sequence of dict
        As the compiler wrote it.
    bytecode : str
        Creation code, hexadecimal with ``0x``, all libraries linked.
    """

    name: str
    abi: Sequence[dict[str, Any]]
    bytecode: str

    def selector(self, function: str) -> bytes:
        """Return the four bytes that select a function; it must not be overloaded."""
        (entry,) = [e for e in self.abi if e["type"] == "function" and e["name"] == function]
        return function_abi_to_4byte_selector(entry)


class Artifacts(Protocol):
    """Where the plan finds compiled contracts."""

    def own(self, name: str) -> Artifact:
        """Return a contract of this project."""

    def npm(self, path: str) -> Artifact:
        """Return a contract of an npm package, by the artifact's path below ``node_modules``."""


@dataclass(frozen=True)
class ForgeArtifacts:
    """Contracts compiled by forge, and those that npm packages carry compiled.

    Parameters
    ----------
    out : Path
        Forge's output directory.
    """

    out: Path = FORGE_OUT

    def own(self, name: str) -> Artifact:
        """Return a contract of this project.

        Raises
        ------
        FileNotFoundError
            If forge has not compiled it.
        """
        data = json.loads((self.out / f"{name}.sol" / f"{name}.json").read_text())
        return Artifact(name, data["abi"], data["bytecode"]["object"])

    def npm(self, path: str) -> Artifact:
        """Return a contract of an npm package (hardhat's artifact format)."""
        data = json.loads((NPM / path).read_text())
        return Artifact(data["contractName"], data["abi"], data["bytecode"])
