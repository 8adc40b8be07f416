"""One development node on which every protocol is deployed and measured."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError
from web3.types import TxParams

from bot.sim.anvil import AnvilOptions, running_anvil
from scripts.deployment.artifacts import Artifact

GAS_LIMIT = 25_000_000
BLOCK_SECONDS = 12
ADMIN, SUPPLIER, LIQUIDATOR, DEALER = range(4)
"""Accounts of the node, by index; borrowers come after them."""
FIRST_BORROWER = 4
ACCOUNTS = 32
GENESIS = 1_700_000_000
"""Unix seconds: fixed, so that every transaction is the same to the byte in every run."""


class TransactionRevertedError(Exception):
    """A transaction of the benchmark reverted, so that its gas means nothing."""


@dataclass(frozen=True)
class Chain:
    """Sends transactions one to a block and tells what each cost; also a `Deployer` of the administrator.

    Parameters
    ----------
    url : str
        HTTP endpoint of a development node that signs for its accounts.
    """

    url: str

    @cached_property
    def w3(self) -> Web3:
        """The connection, without the middleware that asks for the chain id at every call."""
        w3 = Web3(HTTPProvider(self.url, request_kwargs={"timeout": 60}))
        w3.middleware_onion.remove("validation")
        return w3

    @cached_property
    def accounts(self) -> Sequence[str]:
        """Addresses the node signs for."""
        return [str(account) for account in self.w3.eth.accounts]

    @cached_property
    def sender(self) -> str:
        """The administrator."""
        return self.accounts[ADMIN]

    # ------------------------------------------------------------------ transactions

    def deploy(self, artifact: Artifact, *arguments: Any) -> str:
        """Deploy a contract and return its address."""
        contract = self.w3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        transaction = contract.constructor(*arguments).build_transaction(self._fields(self.sender))
        return str(self._mined(transaction, artifact.name)["contractAddress"])

    def send(self, address: str, artifact: Artifact, function: str, *arguments: Any) -> None:
        """Call a function as the administrator."""
        self.gas(ADMIN, address, artifact, function, *arguments)

    def gas(self, account: int, address: str, artifact: Artifact, function: str, *arguments: Any) -> int:
        """Call a function from an account; return the gas of the whole transaction, refunds deducted.

        Raises
        ------
        TransactionRevertedError
            If it reverts.
        """
        call = self.w3.eth.contract(cast("Any", address), abi=artifact.abi).functions[function](*arguments)
        transaction = call.build_transaction(self._fields(self.accounts[account]))
        return int(self._mined(transaction, f"{artifact.name}.{function}")["gasUsed"])

    def call(self, address: str, artifact: Artifact, function: str, *arguments: Any) -> Any:
        """Call a view function."""
        contract = self.w3.eth.contract(cast("Any", address), abi=artifact.abi)
        return contract.functions[function](*arguments).call()

    def _fields(self, sender: str) -> TxParams:
        return cast("TxParams", {"from": sender, "gas": GAS_LIMIT, "gasPrice": 2 * 10**9})

    def _mined(self, transaction: TxParams, what: str) -> Any:
        sent = self.w3.eth.send_transaction(transaction)
        self._request("evm_setNextBlockTimestamp", self.head()[1] + BLOCK_SECONDS)
        self._request("evm_mine")
        receipt = self.w3.eth.get_transaction_receipt(sent)
        if receipt["status"] != 1:
            raise TransactionRevertedError(f"{what}: {self._reason(transaction, receipt['blockNumber'])}")
        return receipt

    def _reason(self, transaction: TxParams, block: int) -> str:
        try:
            self.w3.eth.call(transaction, block - 1)
        except ContractLogicError as error:
            return str(error)
        return "reverted in its block, but not on the block before"

    # ------------------------------------------------------------------ the chain

    def chain_id(self) -> int:
        """Return the chain's id."""
        return self.w3.eth.chain_id

    def head(self) -> tuple[int, int]:
        """Return number and timestamp of the latest block."""
        block = self.w3.eth.get_block("latest")
        return block["number"], block["timestamp"]

    def code(self, address: str) -> bytes:
        """Return the code at an address."""
        return bytes(self.w3.eth.get_code(cast("Any", address)))

    def advance(self, seconds: int) -> None:
        """Let time pass, in one empty block."""
        self._request("evm_setNextBlockTimestamp", self.head()[1] + seconds)
        self._request("evm_mine")

    def sign(self, account: int, typed: dict[str, Any]) -> bytes:
        """Sign EIP-712 typed data with an account of the node."""
        return bytes.fromhex(self._request("eth_signTypedData_v4", self.accounts[account], typed)[2:])

    @contextlib.contextmanager
    def reverted(self) -> Iterator[None]:
        """Undo on leaving whatever is done inside."""
        mark = self._request("evm_snapshot")
        try:
            yield
        finally:
            self._request("evm_revert", mark)

    def _request(self, method: str, *params: object) -> Any:
        answer = self.w3.provider.make_request(cast("Any", method), list(params))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]


@contextlib.contextmanager
def fresh_chain() -> Iterator[Chain]:
    """Start a node that mines only on request, and end it on leaving."""
    options = AnvilOptions(timestamp=GENESIS, arguments=("--no-mining", "--accounts", str(ACCOUNTS)))
    with running_anvil(options) as node:
        yield Chain(node.http_url)
