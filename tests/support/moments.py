"""A world as it would be at a moment to come: what is sent or asked there leaves no trace."""

from dataclasses import dataclass, fields
from typing import Any

from tests.support.world import World


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
        call = {"from": sender, "to": to, "input": "0x" + data.hex(), "gas": hex(8_000_000)}
        block = {"blockOverrides": {"time": hex(self.time)}, "calls": [call]}
        answer = self.node.call("eth_simulateV1", {"blockStateCalls": [block]}, "latest")
        receipt: dict[str, Any] = answer[0]["calls"][0]
        if must_succeed and receipt["status"] != "0x1":
            raise AssertionError(f"reverted: {to} {data[:4].hex()}")
        return receipt

    def view(self, to: str, data: bytes, block: Any = "latest") -> bytes:
        """Return what a call gives back at the moment; raises the node's error when it reverts."""
        call, overrides = {"to": to, "data": "0x" + data.hex()}, {"time": hex(self.time)}
        return bytes.fromhex(self.node.call("eth_call", call, block, {}, overrides)[2:])
