"""Who is struck: chance that depends on the seed and on what is asked, never on who asks first."""

from collections import Counter
from hashlib import blake2b
from random import Random

_STEPS = 2**64


class Dice:
    """Draws for one phase.

    Each draw is a hash of the seed, the phase, the fault, the call and how often the call was seen, so calls
    that overtake each other do not change each other's fate.

    Parameters
    ----------
    seed : int
        Of the script.
    phase : str
        Name.
    """

    def __init__(self, seed: int, phase: str) -> None:
        self._root = f"{seed}|{phase}"
        self._seen: Counter[bytes] = Counter()

    def strikes(self, fault: int, share: float, subject: str) -> bool:
        """Whether the fault of this index strikes the call, with a chance of ``share``."""
        return self.number(fault, subject) < share

    def number(self, fault: int, subject: str) -> float:
        """Return a number in [0, 1); another one each time that it is asked for."""
        return int.from_bytes(self._digest(fault, subject)) / _STEPS

    def random(self, fault: int, subject: str) -> Random:
        """Return a generator of its own for a call."""
        return Random(self._digest(fault, subject))

    def _digest(self, fault: int, subject: str) -> bytes:
        key = blake2b(f"{fault}|{subject}".encode(), digest_size=8).digest()
        self._seen[key] += 1
        text = f"{self._root}|{fault}|{subject}|{self._seen[key]}"
        return blake2b(text.encode(), digest_size=8).digest()
