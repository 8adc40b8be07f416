"""Signed transactions, read back: what a stranger, or a disk, says was signed is not taken on trust."""

from collections.abc import Iterable, Mapping

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from rlp.exceptions import RLPException

from bot.errors import LedgerCorruptError
from bot.ports import Hash32, Signed, Transaction


def decoded(raw: bytes) -> tuple[Mapping[str, object], str]:
    """Return what a signed transaction says, by the names of JSON-RPC, and who signed it.

    Raises
    ------
    ValueError
        If it is no signed transaction.
    """
    try:
        return TypedTransaction.from_bytes(HexBytes(raw)).as_dict(), Account.recover_transaction(raw)
    except (ValueError, TypeError, KeyError, IndexError, RLPException) as error:
        raise ValueError(f"it cannot be read ({type(error).__name__})") from None


def check_journalled(rows: Iterable[Transaction]) -> None:
    """Check that what the ledger says of signed transactions is what their bytes say.

    Nonces, fees and hashes decide what is sent next: one that is not that of the bytes would have gaps filled
    that there are not, and transactions given up that are on chain.

    Parameters
    ----------
    rows : iterable of Transaction
        Those that may be acted on.

    Raises
    ------
    LedgerCorruptError
        If a row and its bytes differ.
    """
    for row in rows:
        if row.signed is not None:
            problem = _difference(row, row.signed)
            if problem is not None:
                raise LedgerCorruptError("transactions", row.id, problem)


def _difference(row: Transaction, signed: Signed) -> str | None:
    if signed.hash != Hash32("0x" + keccak(signed.raw).hex()):
        return f"its bytes do not have the hash {signed.hash}"
    try:
        said, signer = decoded(signed.raw)
    except ValueError as error:
        return f"its bytes: {error}"
    kept = {
        "nonce": signed.nonce,
        "gas": signed.gas_limit,
        "maxFeePerGas": signed.max_fee_per_gas,
        "maxPriorityFeePerGas": signed.max_priority_fee_per_gas,
    }
    for name, value in kept.items():
        if said.get(name) != value:
            return f"its {name} is {value}, its bytes say {said.get(name)!r}"
    if row.signer != signer:
        return f"its signer is {row.signer}, its bytes are signed by {signer}"
    return None
