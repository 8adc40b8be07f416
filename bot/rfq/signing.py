"""The dealer's key: signs quotes as well as transactions."""

from eth_typing import Hash32

from bot.execution.signer import KeystoreSigner


class DealerKey(KeystoreSigner):
    """A key from a keystore that signs digests of quotes too. Make one with `unlock`."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r, s and v (27 or 28) over 32 bytes; deterministic, so that a quote has one signature.

        Parameters
        ----------
        digest : bytes
            Of a quote in this program's own domain; nothing that came from outside is signed.
        """
        signed = self._account.unsafe_sign_hash(Hash32(digest))
        return signed.r.to_bytes(32) + signed.s.to_bytes(32) + bytes([signed.v])

    @property
    def raw_address(self) -> bytes:
        """Account of the key, 20 bytes."""
        return bytes.fromhex(self.address[2:])
