"""A world as it would be at a moment to come: what is sent or asked there leaves no trace."""

from dataclasses import dataclass, fields
from typing import Any

from bot.protocols.sluice.calls import Function
from tests.support.world import World

VIEW_GAS = 1_000_000


def _call(sender: str, to: str, data: bytes, gas: int = 8_000_000) -> dict[str, str]:
    return {"from": sender, "to": to, "input": "0x" + data.hex(), "gas": hex(gas)}


@dataclass
class Moment(World):
    """A world whose next block is simulated at a time of its own.

    Parameters
    ----------
    time : int
        Of the simulated block, Unix seconds; after the newest one's.
    """

    time: int = 0

    @classmethod
    def of(cls, world: World, time: int) -> "Moment":
        """Return a world at a moment; the node's state stays where it is."""
        return cls(*(getattr(world, entry.name) for entry in fields(World)), time=time)

    def send(self, sender: str, to: str, data: bytes, *, must_succeed: bool = True) -> dict[str, Any]:
        """Simulate a transaction and return status and logs, as in its receipt."""
        receipt = self._simulated([_call(sender, to, data)])[0]
        if must_succeed and receipt["status"] != "0x1":
            raise AssertionError(f"reverted: {to} {data[:4].hex()}")
        return receipt

    def send_and_read(
        self, sender: str, to: str, data: bytes, questions: list[tuple[Any, ...]]
    ) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
        """Simulate a transaction, and views of our contracts after it.

        Parameters
        ----------
        sender, to, data
            Of the transaction; it may fail.
        questions : list of tuple
            Contract as named in the manifest, function, arguments.
        """
        entries = [Function(contract, function) for contract, function, *_ in questions]
        calls = [_call(sender, to, data)]
        for entry, (contract, _, *arguments) in zip(entries, questions, strict=True):
            calls.append(_call(sender, getattr(self.manifest, contract), entry.data(*arguments), VIEW_GAS))
        receipt, *answers = self._simulated(calls)
        returned = [bytes.fromhex(answer["returnData"][2:]) for answer in answers]
        return receipt, [entry.result(data) for entry, data in zip(entries, returned, strict=True)]

    def _simulated(self, calls: list[dict[str, str]]) -> list[dict[str, Any]]:
        """Return how calls in one block end, one after the other."""
        block = {"blockOverrides": {"time": hex(self.time)}, "calls": calls}
        answer = self.node.call("eth_simulateV1", {"blockStateCalls": [block]}, "latest")
        receipts: list[dict[str, Any]] = answer[0]["calls"]
        return receipts

    def view(self, to: str, data: bytes, block: Any = "latest") -> bytes:
        """Return what a call gives back at the moment; raises the node's error when it reverts."""
        call, overrides = {"to": to, "data": "0x" + data.hex()}, {"time": hex(self.time)}
        return bytes.fromhex(self.node.call("eth_call", call, block, {}, overrides)[2:])
