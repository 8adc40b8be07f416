"""The one interface between the plan and whatever carries it out (ape, web3, a test)."""

from typing import Any, Protocol

from scripts.deployment.artifacts import Artifact


class Deployer(Protocol):
    """Sends transactions from one account and waits until each is mined.

    Every method raises if a transaction reverts; the plan does not retry.
    """

    @property
    def sender(self) -> str:
        """Checksummed address that pays and becomes the administrator."""

    def deploy(self, artifact: Artifact, *arguments: Any) -> str:
        """Deploy a contract and return its checksummed address."""

    def send(self, address: str, artifact: Artifact, function: str, *arguments: Any) -> None:
        """Call a function of a deployed contract in a transaction; structs are tuples in the ABI's order."""

    def call(self, address: str, artifact: Artifact, function: str, *arguments: Any) -> Any:
        """Call a view function of a deployed contract."""

    def chain_id(self) -> int:
        """Return the chain's id."""

    def head(self) -> tuple[int, int]:
        """Return number and timestamp (unix seconds) of the latest block."""

    def code(self, address: str) -> bytes:
        """Return the code at an address."""
