"""Fills of dealers' quotes to calldata."""

from typing import Final

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from bot.errors import InvalidInputError
from bot.strategy.decision import Action
from bot.strategy.quotes import FirmQuote

QUOTE_FIELDS: Final = (
    ("address", "dealer"),
    ("address", "account"),
    ("uint32", "epoch"),
    ("uint8", "collateralId"),
    ("uint8", "debtId"),
    ("uint256", "price"),
    ("uint128", "minFill"),
    ("uint128", "maxFill"),
    ("uint256", "nonce"),
    ("uint40", "deadline"),
    ("address", "filler"),
    ("bool", "callback"),
)
"""Type and name of each member of the engine's struct ``Quote``, in order."""

QUOTE_TYPE: Final = f"({','.join(kind for kind, _ in QUOTE_FIELDS)})"
"""The struct as the ABI writes it."""

_FILL: Final = function_signature_to_4byte_selector(f"fill({QUOTE_TYPE},bytes,uint256)")


def quote_values(quote: FirmQuote) -> tuple[str | int | bool, ...]:
    """Return a quote's members in the order of the struct, as an ABI encoder takes them."""
    return (
        "0x" + quote.dealer.hex(),
        "0x" + quote.account.hex(),
        quote.epoch,
        quote.collateral_id,
        quote.debt_id,
        quote.price,
        quote.min_fill,
        quote.max_fill,
        quote.nonce,
        quote.deadline,
        "0x" + quote.filler.hex(),
        quote.callback,
    )


FILL_HEAD: Final = len(_FILL) + 32 * len(QUOTE_FIELDS)
"""Bytes of a fill's calldata up to the end of the quote, whose members are of a word each."""


def fill_head(quote: FirmQuote) -> bytes:
    """Return the first `FILL_HEAD` bytes of the calldata that fills a quote."""
    return _FILL + encode([QUOTE_TYPE], [quote_values(quote)])


def fill_data(action: Action) -> bytes:
    """Return the calldata of ``LiquidationEngine.fill``.

    Raises
    ------
    InvalidInputError
        If the action names no quote.
    """
    offered = action.quote
    if offered is None:
        raise InvalidInputError("action.quote", None, "a quote, for a fill")
    arguments = (quote_values(offered.quote), offered.signature, action.max_seized)
    return _FILL + encode([QUOTE_TYPE, "bytes", "uint256"], arguments)
