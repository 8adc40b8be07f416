"""Carries the deployment plan out over HTTP, from an unlocked account of a development node."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from web3 import HTTPProvider, Web3
from web3.types import TxParams

from scripts.deployment.artifacts import Artifact


@dataclass(frozen=True)
class Web3Deployer:
    """A `Deployer` for tests: one transaction after the other, each mined before the next.

    Parameters
    ----------
    url : str
        HTTP endpoint of the node.
    account : int
        Index among the node's unlocked accounts.
    """

    url: str
    account: int = 0

    @cached_property
    def w3(self) -> Web3:
        w3 = Web3(HTTPProvider(self.url))
        w3.middleware_onion.remove("validation")
        return w3

    @cached_property
    def sender(self) -> str:
        return self.w3.eth.accounts[self.account]

    def deploy(self, artifact: Artifact, *arguments: Any) -> str:
        contract = self.w3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        receipt = self._mined(
            contract.constructor(*arguments).build_transaction(self._defaults()), artifact.name
        )
        return str(receipt["contractAddress"])

    def send(self, address: str, artifact: Artifact, function: str, *arguments: Any) -> None:
        call = self.w3.eth.contract(address, abi=artifact.abi).functions[function](*arguments)
        self._mined(call.build_transaction(self._defaults()), f"{artifact.name}.{function}")

    def call(self, address: str, artifact: Artifact, function: str, *arguments: Any) -> Any:
        return self.w3.eth.contract(address, abi=artifact.abi).functions[function](*arguments).call()

    def chain_id(self) -> int:
        return self.w3.eth.chain_id

    def head(self) -> tuple[int, int]:
        block = self.w3.eth.get_block("latest")
        return block["number"], block["timestamp"]

    def code(self, address: str) -> bytes:
        return bytes(self.w3.eth.get_code(address))

    def _defaults(self) -> TxParams:
        return {"from": self.sender, "gas": 25_000_000, "gasPrice": self.w3.eth.gas_price}

    def _mined(self, transaction: TxParams, what: str) -> Any:
        receipt = self.w3.eth.wait_for_transaction_receipt(
            self.w3.eth.send_transaction(transaction), timeout=30, poll_latency=0.005
        )
        if receipt["status"] != 1:
            raise AssertionError(f"{what} reverted in block {receipt['blockNumber']}")
        return receipt
