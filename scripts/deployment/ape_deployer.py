"""Carries the deployment plan out with ape: its networks and its accounts, with what forge compiled."""

from typing import Any

from ape.api import AccountAPI
from ape.contracts import ContractContainer, ContractInstance
from ape.utils import ManagerAccessMixin
from ethpm_types import ContractType

from scripts.deployment.artifacts import Artifact


class ApeDeployer(ManagerAccessMixin):
    """The plan's `Deployer` on the network that ape is connected to.

    Parameters
    ----------
    account : AccountAPI
        Pays, and becomes the administrator.
    """

    def __init__(self, account: AccountAPI) -> None:
        self._account = account
        self._instances: dict[str, ContractInstance] = {}

    @property
    def sender(self) -> str:
        """Checksummed address that pays and becomes the administrator."""
        return str(self._account.address)

    def deploy(self, artifact: Artifact, *arguments: Any) -> str:
        """Deploy a contract and return its checksummed address."""
        instance = self._account.deploy(container(artifact), *arguments)
        self._instances[instance.address] = instance
        return str(instance.address)

    def send(self, address: str, artifact: Artifact, function: str, *arguments: Any) -> None:
        """Call a function of a deployed contract in a transaction."""
        getattr(self._at(address, artifact), function)(*arguments, sender=self._account)

    def call(self, address: str, artifact: Artifact, function: str, *arguments: Any) -> Any:
        """Call a view function of a deployed contract."""
        return getattr(self._at(address, artifact), function)(*arguments)

    def chain_id(self) -> int:
        """Return the chain's id."""
        return int(self.provider.chain_id)

    def head(self) -> tuple[int, int]:
        """Return number and timestamp (unix seconds) of the latest block."""
        block = self.provider.get_block("latest")
        return int(block.number or 0), int(block.timestamp)

    def code(self, address: str) -> bytes:
        """Return the code at an address."""
        return bytes(self.provider.get_code(self.conversion_manager.convert(address, str)))

    def _at(self, address: str, artifact: Artifact) -> ContractInstance:
        if address not in self._instances:
            self._instances[address] = container(artifact).at(address)
        return self._instances[address]


def container(artifact: Artifact) -> ContractContainer:
    """Return what ape deploys a contract from, and finds its instances by."""
    contract_type = ContractType.model_validate(
        {
            "contractName": artifact.name,
            "abi": list(artifact.abi),
            "deploymentBytecode": {"bytecode": artifact.bytecode},
        }
    )
    return ContractContainer(contract_type)
