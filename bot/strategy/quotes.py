"""Firm quotes of dealers, as the strategy sees them: verified, and frozen with the snapshot.

Addresses are 20 bytes, amounts token units, times unix seconds.
"""

from dataclasses import dataclass
from typing import Final

from bot.domain.wad import BPS, WAD, mul_div_up

NOBODY: Final = bytes(20)
"""The zero address: as a filler, anyone."""

UNLIMITED: Final = 2**256 - 1
"""Funds of a dealer that is called back for them: only the fill itself can tell."""


@dataclass(frozen=True, slots=True)
class FirmQuote:
    """What a dealer signs: the struct ``Quote`` of the liquidation engine's EIP-712 domain.

    Parameters
    ----------
    dealer : bytes
        Signs and pays.
    account : bytes
        Whose collateral.
    epoch : int
        Of the account's auction; the quote is void after a redo, a clear or a cure.
    collateral_id, debt_id : int
        The pair.
    price : int
        Units of the debt token for 10**18 units of collateral.
    min_fill, max_fill : int
        Collateral units per fill at least, and over all fills at most.
    nonce : int
        Unordered: word ``nonce >> 8``, bit ``nonce & 0xff``.
    deadline : int
        Last second in which it holds.
    filler : bytes
        Who may fill it; `NOBODY` for anyone.
    callback : bool
        Whether the dealer is called back for the payment, which is otherwise drawn on its allowance.
    """

    dealer: bytes
    account: bytes
    epoch: int
    collateral_id: int
    debt_id: int
    price: int
    min_fill: int
    max_fill: int
    nonce: int
    deadline: int
    filler: bytes
    callback: bool

    def payment(self, seized: int) -> int:
        """Return the debt tokens paid for ``seized``. Rounding: UP, as the engine asks for it."""
        return mul_div_up(seized, self.price, WAD)


@dataclass(frozen=True, slots=True)
class OpenQuote:
    """A quote whose fields and signature were verified, with what the chain says of it at the head.

    Parameters
    ----------
    quote : FirmQuote
        What was signed.
    signature : bytes
        As the engine takes it.
    filled : int
        Collateral units of it that were filled before.
    funds : int
        Debt tokens that the dealer can pay now; `UNLIMITED` where it is called back for them.
    fill_rate_bps : int
        Share of this dealer's fills that went through, by experience.
    """

    quote: FirmQuote
    signature: bytes
    filled: int = 0
    funds: int = UNLIMITED
    fill_rate_bps: int = BPS

    @property
    def left(self) -> int:
        """Collateral units that may still be filled."""
        return max(self.quote.max_fill - self.filled, 0)

    @property
    def least(self) -> int:
        """Smallest fill; what is left of the quote may be less than its minimum."""
        return min(self.quote.min_fill, self.left)
