"""Who sends the laboratory's transactions: the replay over its own node, or an ape script."""

from dataclasses import dataclass
from typing import Any, Protocol

from bot.errors import RpcError, SetupError
from bot.sim.anvil import GAS_LIMIT
from bot.sim.rpc import LocalRpc, Request


class Sender(Protocol):
    """Sends transactions from one account, each mined before the next is sent."""

    @property
    def address(self) -> str:
        """Checksummed address that pays."""

    def call(self, to: str, data: bytes) -> bytes:
        """Return what a call gives at the latest block."""

    def send(self, to: str, data: bytes) -> None:
        """Send a transaction and wait until it is mined.

        Raises
        ------
        SetupError
            If it reverts.
        """


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction that a block is to hold.

    Parameters
    ----------
    sender, to : str
        Addresses.
    data : bytes
        Calldata.
    gas : int
        Limit.
    """

    sender: str
    to: str
    data: bytes
    gas: int

    def request(self, nonce: int, gas_price_wei: int) -> Request:
        """Return the request that hands it to the node, which signs it."""
        fields = {
            "from": self.sender,
            "to": self.to,
            "data": "0x" + self.data.hex(),
            "gas": hex(self.gas),
            "gasPrice": hex(gas_price_wei),
            "nonce": hex(nonce),
        }
        return "eth_sendTransaction", [fields]


def call_request(to: str, data: bytes, block: str = "latest") -> Request:
    """Return the request that reads from a contract."""
    return "eth_call", [{"to": to, "data": "0x" + data.hex()}, block]


def to_bytes(text: str) -> bytes:
    """Return the bytes of a hexadecimal string with ``0x``."""
    return bytes.fromhex(text[2:])


@dataclass(slots=True)
class NodeSender:
    """Sends from an account that the replay's own node signs for, one block for each transaction.

    Parameters
    ----------
    rpc : LocalRpc
        The node, which mines only on request.
    address : str
        The account.
    interval_s : int
        Block time between two transactions.
    """

    rpc: LocalRpc
    address: str
    interval_s: int = 1

    def call(self, to: str, data: bytes) -> bytes:
        """Return what a call gives at the latest block."""
        method, params = call_request(to, data)
        return to_bytes(self.rpc.call(method, *params))

    def send(self, to: str, data: bytes) -> None:
        """Send a transaction and mine it.

        Raises
        ------
        SetupError
            If it reverts.
        """
        head, nonce = self.rpc.batch(
            [
                ("eth_getBlockByNumber", ["latest", False]),
                ("eth_getTransactionCount", [self.address, "latest"]),
            ]
        )
        gas_price = 2 * int(head["baseFeePerGas"], 16) + 1
        method, params = Transaction(self.address, to, data, GAS_LIMIT).request(int(nonce, 16), gas_price)
        sent = self.rpc.call(method, *params)
        self.rpc.call("evm_setNextBlockTimestamp", int(head["timestamp"], 16) + self.interval_s)
        self.rpc.call("evm_mine")
        receipt = self.rpc.call("eth_getTransactionReceipt", sent)
        if receipt is None or int(receipt["status"], 16) != 1:
            raise SetupError(f"a transaction to {to} {self._failure(to, data, receipt)}")

    def _failure(self, to: str, data: bytes, receipt: Any) -> str:
        """Say why a transaction did not go through."""
        if receipt is None:
            return "was not mined; is the node's block gas limit below 30 million?"
        call = {"from": self.address, "to": to, "data": "0x" + data.hex(), "gas": hex(GAS_LIMIT)}
        try:
            self.rpc.call("eth_call", call, hex(int(receipt["blockNumber"], 16) - 1))
        except RpcError as error:
            return f"reverted: {error.message} ({error.data})"
        return "reverted, though a call in its place does not; is the gas limit too low?"
