"""Signing: an interface, and a key kept in a JSON keystore."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_checksum_address

from bot.errors import KeystoreInvalidError, KeystorePasswordError
from bot.execution.fees import Fees
from bot.ports import Address, Call, Hash32, Signed


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A transaction to be signed.

    Parameters
    ----------
    call : Call
        What to call.
    chain_id, nonce, gas_limit : int
        Where, which, and how far it may run.
    fees : Fees
        What is paid.
    """

    call: Call
    chain_id: int
    nonce: int
    gas_limit: int
    fees: Fees


class Signer(Protocol):
    """Holds a key, here or elsewhere."""

    @property
    def address(self) -> Address:
        """Account of the key."""
        ...

    async def sign(self, transaction: Unsigned) -> Signed:
        """Return the signed transaction; the same input gives the same bytes (RFC 6979)."""
        ...


class KeystoreSigner:
    """A key that was decrypted from a keystore; it is in memory only, and in no text of this object."""

    def __init__(self, account: LocalAccount) -> None:
        self._account = account

    @classmethod
    def unlock(cls, path: Path, password: str) -> Self:
        """Decrypt a keystore. Takes about a second, by the design of the format.

        Raises
        ------
        KeystoreInvalidError
            If there is no such file or it is no keystore.
        KeystorePasswordError
            If the password is wrong.
        """
        keystore = _read(path)
        try:
            key = Account.decrypt(keystore, password)
        except ValueError as error:
            if "MAC mismatch" in str(error):
                raise KeystorePasswordError(str(path)) from None
            raise KeystoreInvalidError(str(path), "it cannot be decrypted") from None
        except (KeyError, TypeError, NotImplementedError):
            raise KeystoreInvalidError(str(path), "it cannot be decrypted") from None
        return cls(Account.from_key(key))

    @property
    def address(self) -> Address:
        """Account of the key."""
        return Address(self._account.address)

    async def sign(self, transaction: Unsigned) -> Signed:
        """See `Signer.sign`."""
        signed = self._account.sign_transaction(
            {
                "type": 2,
                "chainId": transaction.chain_id,
                "nonce": transaction.nonce,
                "gas": transaction.gas_limit,
                "maxFeePerGas": transaction.fees.max_fee_per_gas,
                "maxPriorityFeePerGas": transaction.fees.max_priority_fee_per_gas,
                "to": bytes.fromhex(transaction.call.to[2:]),
                "value": transaction.call.value,
                "data": transaction.call.data,
            }
        )
        return Signed(
            raw=bytes(signed.raw_transaction),
            hash=Hash32("0x" + bytes(signed.hash).hex()),
            nonce=transaction.nonce,
            gas_limit=transaction.gas_limit,
            max_fee_per_gas=transaction.fees.max_fee_per_gas,
            max_priority_fee_per_gas=transaction.fees.max_priority_fee_per_gas,
        )

    def __repr__(self) -> str:
        return f"KeystoreSigner({self.address})"


def keystore_address(path: Path) -> Address:
    """Return the account of a keystore without its password: enough for a dry run.

    Raises
    ------
    KeystoreInvalidError
        If there is no such file, it is no keystore, or it does not name its account.
    """
    address = _read(path).get("address")
    if not isinstance(address, str) or not is_address(address):
        raise KeystoreInvalidError(str(path), "it does not name its account")
    return Address(to_checksum_address(address))


def _read(path: Path) -> dict[str, object]:
    try:
        keystore = json.loads(path.read_text())
    except OSError as error:
        raise KeystoreInvalidError(str(path), (error.strerror or "it cannot be read").lower()) from None
    except ValueError:
        raise KeystoreInvalidError(str(path), "it is not JSON") from None
    if not isinstance(keystore, dict) or "crypto" not in {key.lower() for key in keystore}:
        raise KeystoreInvalidError(str(path), "it has no crypto section")
    return keystore
