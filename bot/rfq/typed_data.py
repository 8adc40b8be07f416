"""The EIP-712 digest of a quote, and ECDSA signatures over it, without a node."""

from dataclasses import dataclass, field
from typing import Final

from eth_abi.abi import encode
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from bot.protocols.sluice.fills import QUOTE_FIELDS, quote_values
from bot.strategy.quotes import FirmQuote

_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_NAME: Final = b"Sluice Liquidation Engine"
_VERSION: Final = b"1"
_QUOTE_TYPE: Final = f"Quote({','.join(f'{kind} {name}' for kind, name in QUOTE_FIELDS)})".encode()
_QUOTE_TYPEHASH: Final = keccak(_QUOTE_TYPE)
_QUOTE_KINDS: Final = [kind for kind, _ in QUOTE_FIELDS]
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_SIGNATURE_BYTES: Final = 65
_V: Final = (27, 28)


@dataclass(frozen=True, slots=True)
class QuoteDomain:
    """Where quotes hold: one liquidation engine on one chain.

    Parameters
    ----------
    chain_id : int
        Of the chain.
    engine : bytes
        The liquidation engine, 20 bytes.
    """

    chain_id: int
    engine: bytes
    _separator: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        kinds = ["bytes32", "bytes32", "bytes32", "uint256", "address"]
        values = (keccak(_DOMAIN_TYPE), keccak(_NAME), keccak(_VERSION), self.chain_id, self.engine)
        object.__setattr__(self, "_separator", keccak(encode(kinds, values)))

    def digest(self, quote: FirmQuote) -> bytes:
        """Return the 32 bytes that are signed: ``keccak(0x1901 | separator | struct hash)``.

        Raises
        ------
        eth_abi.exceptions.EncodingError
            If a member does not fit its type; the parser of messages lets none such through.
        """
        struct = keccak(_QUOTE_TYPEHASH + encode(_QUOTE_KINDS, quote_values(quote)))
        return keccak(b"\x19\x01" + self._separator + struct)


def recovered(digest: bytes, signature: bytes) -> bytes | None:
    """Return the address that signed a digest, 20 bytes; None if this is no ECDSA signature.

    As strict as OpenZeppelin's library, which the engine uses: 65 bytes, ``v`` 27 or 28, and the lower of the
    two values of ``s``, so that a signature has one form only.
    """
    if len(signature) != _SIGNATURE_BYTES or signature[64] not in _V:
        return None
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    if s > _HALF_ORDER:
        return None
    try:
        public = Signature(vrs=(signature[64] - _V[0], r, s)).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError, ValueError):
        return None
    return public.to_canonical_address()
