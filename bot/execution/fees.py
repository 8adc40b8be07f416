"""What to pay for gas (EIP-1559). Pure integers."""

from dataclasses import dataclass

from bot.ports import Head

_BUMP_NUMERATOR, _BUMP_DENOMINATOR = 9, 8
"""Nodes take a replacement only if both of its fees are an eighth higher."""


@dataclass(frozen=True, slots=True)
class Fees:
    """The two fees of a transaction, wei per gas."""

    max_fee_per_gas: int
    max_priority_fee_per_gas: int


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """A tip on top of a base fee that may rise for some blocks, under a cap.

    Parameters
    ----------
    tip : int
        Priority fee, wei per gas.
    cap : int
        Most that is ever paid per gas, base fee and tip together, wei.
    headroom_blocks : int
        Full blocks in a row, each raising the base fee by an eighth, through which the transaction
        stays valid.
    """

    tip: int
    cap: int
    headroom_blocks: int = 6

    def at(self, head: Head) -> Fees | None:
        """Return the fees for the block after ``head``; None if the cap leaves no room for base fee and tip.

        The maximum is ``base_fee * (9/8)**headroom_blocks + tip``, rounded up, or the cap if that is less.
        """
        if head.base_fee_per_gas + self.tip > self.cap:
            return None
        grown = _ceil_div(head.base_fee_per_gas * 9**self.headroom_blocks, 8**self.headroom_blocks)
        return Fees(min(grown + self.tip, self.cap), self.tip)

    def replacing(self, old: Fees, head: Head) -> Fees | None:
        """Return fees that replace a transaction with ``old`` ones; None if the cap leaves no room.

        Both are at least an eighth above the old ones, rounded up, and enough for the block after ``head``.
        """
        wanted = self.at(head)
        if wanted is None:
            return None
        fees = Fees(
            max(wanted.max_fee_per_gas, _bumped(old.max_fee_per_gas)),
            max(wanted.max_priority_fee_per_gas, _bumped(old.max_priority_fee_per_gas)),
        )
        return fees if fees.max_fee_per_gas <= self.cap else None


def _bumped(fee: int) -> int:
    return max(fee + 1, _ceil_div(fee * _BUMP_NUMERATOR, _BUMP_DENOMINATOR))


def _ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
