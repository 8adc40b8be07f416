"""Carries the deployment plan out with ape: its networks, its accounts, its compiled contracts."""

from collections.abc import Sequence
from typing import Any

from ape.api import AccountAPI
from ape.contracts import ContractContainer, ContractInstance
from ape.managers.project import LocalProject
from ape.utils import ManagerAccessMixin
from ethpm_types import ContractType

from scripts.deployment.artifacts import Artifact, ForgeArtifacts


class ApeArtifacts(ForgeArtifacts):
    """Contracts as ape compiled them, and those of npm packages as they come.

    Parameters
    ----------
    project : LocalProject
        The project in whose folder ape runs.
    """

    def __init__(self, project: LocalProject) -> None:
        super().__init__()
        object.__setattr__(self, "_contracts", project.contracts)

    def own(self, name: str) -> Artifact:
        """Return a contract of this project.

        Raises
        ------
        KeyError
            If the project has no contract of this name.
        """
        contract = self._contracts[name]  # type: ignore[attr-defined]
        abi: Sequence[dict[str, Any]] = [
            entry.model_dump(mode="json", by_alias=True) for entry in contract.abi
        ]
        return Artifact(name, abi, contract.deployment_bytecode.bytecode)


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
        container = ContractContainer(_contract_type(artifact, artifact.bytecode))
        instance = self._account.deploy(container, *arguments)
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
            contract_type = _contract_type(artifact, artifact.bytecode)
            self._instances[address] = self.chain_manager.contracts.instance_at(
                address, contract_type=contract_type
            )
        return self._instances[address]


def _contract_type(artifact: Artifact, bytecode: str) -> ContractType:
    return ContractType.model_validate(
        {
            "contractName": artifact.name,
            "abi": list(artifact.abi),
            "deploymentBytecode": {"bytecode": bytecode},
        }
    )
