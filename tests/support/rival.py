"""A liquidator that copies what the keeper has in the pool, and pays more for every other copy."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.support.anvil import RpcError
from tests.support.world import KEEPER, World

GWEI = 10**9
NOWHERE = (2**64, 0)


@dataclass
class Race:
    """One nonce of the keeper that somebody wants to be quicker than.

    Parameters
    ----------
    copy : str
        Hash of the copy.
    tried : set of str
        Hashes under which the keeper offered the original; replacements are added.
    """

    copy: str
    tried: set[str]


@dataclass
class Tally:
    """What came of races.

    Parameters
    ----------
    won : int
        The keeper's transaction went through, first or alone.
    lost : int
        The copy did.
    undecided : int
        Neither did while the race was watched.
    gas : int
        What the keeper paid for transactions that came second and to nothing, wei.
    """

    won: int = 0
    lost: int = 0
    undecided: int = 0
    gas: int = 0

    @property
    def share_won(self) -> float:
        """Won by the keeper, of those that were decided."""
        return self.won / max(1, self.won + self.lost)

    def __str__(self) -> str:
        spent = f"{self.gas / 1e18:.5f} ETH for what came second"
        return f"races won {self.won}, lost {self.lost}, undecided {self.undecided}; {spent}"


@dataclass
class Rival:
    """Looks at the pool before each block.

    Each copy has an account of its own, so that one that waits holds up no other.

    Parameters
    ----------
    here : World
        The chain; it must mine when it is told to, or nothing ever waits in the pool.
    random : Random
        Decides which copy of each two pays more.
    """

    here: World
    random: Random
    tally: Tally = field(default_factory=Tally)
    _races: dict[int, Race] = field(default_factory=dict)
    _deck: list[bool] = field(default_factory=list)

    def look(self) -> None:
        """Copy what is new in the pool and would work from another account."""
        for nonce, sent in self._pooled().items():
            if nonce in self._races:
                self._races[nonce].tried.add(sent["hash"])
            elif sent["to"] == self.here.manifest.liquidation_engine.lower():
                self._copy(nonce, sent)

    def settle(self) -> None:
        """Count what the chain says of the races so far, and forget them: a reorg would undo it."""
        for race in self._races.values():
            originals = [receipt for receipt in map(self._receipt, race.tried) if receipt is not None]
            copy = self._receipt(race.copy)
            self.tally.gas += sum(_cost(receipt) for receipt in originals if receipt["status"] == "0x0")
            mine = min((_place(receipt) for receipt in originals), default=NOWHERE)
            theirs = NOWHERE if copy is None else _place(copy)
            self.tally.won += mine < theirs
            self.tally.lost += theirs < mine
            self.tally.undecided += mine == theirs
        self._races.clear()

    def _copy(self, nonce: int, sent: dict[str, Any]) -> None:
        call = {"from": self.here.owner, "to": sent["to"], "data": sent["input"], "gas": sent["gas"]}
        most, tip = int(sent["maxFeePerGas"], 16), int(sent["maxPriorityFeePerGas"], 16)
        change = GWEI if self._outbids() else -(tip // 2)
        fees = {"maxFeePerGas": hex(most + change), "maxPriorityFeePerGas": hex(tip + change)}
        try:
            self.here.node.call("eth_call", call, "latest")
            copy = self.here.node.call("eth_sendTransaction", call | fees | {"from": self.here.person()})
        except RpcError:
            return  # it is for the keeper alone, or its fees are too low now
        self._deck.pop()
        self._races[nonce] = Race(copy, {sent["hash"]})

    def _outbids(self) -> bool:
        """Return whether the next copy pays more: one of each two does."""
        if not self._deck:
            self._deck = [True, False]
            self.random.shuffle(self._deck)
        return self._deck[-1]

    def _pooled(self) -> dict[int, dict[str, Any]]:
        """Return what the keeper has in the pool, by nonce."""
        waiting = self.here.node.call("txpool_content")["pending"]
        mine = {sender.lower(): sent for sender, sent in waiting.items()}.get(KEEPER.lower(), {})
        return {int(nonce): sent for nonce, sent in mine.items()}

    def _receipt(self, hash_: str) -> dict[str, Any] | None:
        receipt: dict[str, Any] | None = self.here.node.call("eth_getTransactionReceipt", hash_)
        return receipt


def _place(receipt: dict[str, Any]) -> tuple[int, int]:
    """Return where on the chain a transaction went through; nowhere if it came to nothing."""
    if receipt["status"] != "0x1":
        return NOWHERE
    return int(receipt["blockNumber"], 16), int(receipt["transactionIndex"], 16)


def _cost(receipt: dict[str, Any]) -> int:
    return int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
