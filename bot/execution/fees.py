"""What to pay for gas (EIP-1559), up to what inclusion is worth. Pure integers."""

from dataclasses import dataclass

from bot.ports import Head

LEAST_BUMP_BPS = 1_250
"""Nodes take a replacement only if both of its fees are an eighth higher."""

_BPS = 10_000


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
    bid_bps : int
        Share of what inclusion is worth beyond base fee and tip that is added to the tip at once.
    bump_bps : int
        By how much a replacement raises both fees; at least `LEAST_BUMP_BPS`.
    """

    tip: int
    cap: int
    headroom_blocks: int = 6
    bid_bps: int = 0
    bump_bps: int = LEAST_BUMP_BPS

    def ceiling(self, worth: int | None, gas_limit: int) -> int | None:
        """Return the most that inclusion is worth per gas; None where only the cap binds.

        Rounding: DOWN, so that the whole gas never costs more than ``worth``.

        Parameters
        ----------
        worth : int or None
            Wei that inclusion is worth, if that is measured.
        gas_limit : int
            All of which may be used.
        """
        return None if worth is None else max(worth // gas_limit, 0)

    def at(self, head: Head, ceiling: int | None = None) -> Fees | None:
        """Return the fees for the block after ``head``; None without room for base fee and tip.

        The maximum is ``base_fee * (9/8)**headroom_blocks + tip``, rounded up, or the ceiling if less.

        Parameters
        ----------
        head : Head
            The newest.
        ceiling : int, optional
            Most per gas; the cap by default.
        """
        most = self.cap if ceiling is None else min(ceiling, self.cap)
        spare = most - head.base_fee_per_gas - self.tip
        if spare < 0:
            return None
        tip = self.tip if ceiling is None else self.tip + spare * self.bid_bps // _BPS
        grown = _ceil_div(head.base_fee_per_gas * 9**self.headroom_blocks, 8**self.headroom_blocks)
        return Fees(min(grown + tip, most), tip)

    def replacing(self, old: Fees, head: Head, ceiling: int | None = None) -> Fees | None:
        """Return fees that replace a transaction with ``old`` ones; None if the ceiling leaves no room.

        Both are at least ``bump_bps`` above the old ones, rounded up, and enough for the block after
        ``head``.
        """
        most = self.cap if ceiling is None else min(ceiling, self.cap)
        wanted = self.at(head, ceiling)
        if wanted is None:
            return None
        fees = Fees(
            max(wanted.max_fee_per_gas, self._bumped(old.max_fee_per_gas)),
            max(wanted.max_priority_fee_per_gas, self._bumped(old.max_priority_fee_per_gas)),
        )
        return fees if fees.max_fee_per_gas <= most else None

    def _bumped(self, fee: int) -> int:
        return max(fee + 1, _ceil_div(fee * (_BPS + self.bump_bps), _BPS))


def _ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
