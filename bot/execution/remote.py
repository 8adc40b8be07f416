"""A key that is kept elsewhere, behind ``eth_signTransaction`` (Web3Signer, and what speaks like it)."""

from typing import Final

import structlog
from eth_utils.crypto import keccak

from bot.chain import codec
from bot.errors import RemoteKeyMissingError, RpcError, SignatureInvalidError
from bot.execution.decoding import decoded
from bot.execution.post import JsonRpcPost
from bot.execution.signer import Unsigned
from bot.ports import Address, Hash32, Json, Signed

_log = structlog.get_logger(__name__)

_UNKNOWN_METHOD: Final = -32601
"""JSON-RPC's code for a question that is not known."""


class RemoteSigner:
    """See `bot.execution.signer.Signer`.

    Nothing that comes back is used before it was decoded, found to say what was asked, field by field, and
    to be signed by the account.

    Parameters
    ----------
    post : JsonRpcPost
        Where the key is.
    address : Address
        Its account.
    """

    def __init__(self, post: JsonRpcPost, address: Address) -> None:
        self._post: Final = post
        self._address: Final = address

    @property
    def address(self) -> Address:
        """Account of the key."""
        return self._address

    async def check(self) -> None:
        """Ask which keys are held, so that a signer that is away or lacks the key is told at the start.

        A signer that does not know the question is not asked another: that is told, and nothing follows.

        Raises
        ------
        RemoteKeyMissingError
            If the account's is not among them.
        EndpointUnreachableError, RpcError, MalformedAnswerError
            If the signer does not answer, refuses, or answers with something else.
        """
        try:
            answer = await self._post.call("eth_accounts")
        except RpcError as error:
            if error.code != _UNKNOWN_METHOD:
                raise
            _log.warning("remote_signer_unproven", signer=self._post.label, reason=error.message)
            return
        held = codec.sequence(answer, "answer to eth_accounts")
        if self._address.lower() not in {str(account).lower() for account in held}:
            raise RemoteKeyMissingError(self._post.label, self._address, len(held))

    async def sign(self, transaction: Unsigned) -> Signed:
        """See `bot.execution.signer.Signer.sign`.

        Raises
        ------
        SignatureInvalidError
            If something else was signed than asked for, or by another account.
        EndpointUnreachableError, RpcError, MalformedAnswerError
            If the signer does not answer, refuses, or answers with something else.
        """
        answer = await self._post.call("eth_signTransaction", _request(self._address, transaction))
        raw = codec.data(answer, "eth_signTransaction")
        self._check(raw, transaction)
        return Signed(
            raw=raw,
            hash=Hash32("0x" + keccak(raw).hex()),
            nonce=transaction.nonce,
            gas_limit=transaction.gas_limit,
            max_fee_per_gas=transaction.fees.max_fee_per_gas,
            max_priority_fee_per_gas=transaction.fees.max_priority_fee_per_gas,
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._post.close()

    def _check(self, raw: bytes, transaction: Unsigned) -> None:
        label = self._post.label
        try:
            said, signer = decoded(raw)
        except ValueError as error:
            raise SignatureInvalidError(label, str(error)) from None
        for name, wanted in _fields(transaction).items():
            if said.get(name) != wanted:
                raise SignatureInvalidError(label, f"its {name} is {said.get(name)!r}, not {wanted!r}")
        if signer != self._address:
            raise SignatureInvalidError(label, f"it is signed by {signer}, not by {self._address}")

    def __repr__(self) -> str:
        return f"RemoteSigner({self._address} at {self._post.label})"


def _request(address: Address, transaction: Unsigned) -> Json:
    call, fees = transaction.call, transaction.fees
    return {
        "from": address,
        "to": call.to,
        "data": codec.hex_data(call.data),
        "value": codec.hex_quantity(call.value),
        "gas": codec.hex_quantity(transaction.gas_limit),
        "nonce": codec.hex_quantity(transaction.nonce),
        "chainId": codec.hex_quantity(transaction.chain_id),
        "maxFeePerGas": codec.hex_quantity(fees.max_fee_per_gas),
        "maxPriorityFeePerGas": codec.hex_quantity(fees.max_priority_fee_per_gas),
    }


def _fields(transaction: Unsigned) -> dict[str, object]:
    """Return what a decoded transaction must say."""
    return {
        "type": 2,
        "chainId": transaction.chain_id,
        "nonce": transaction.nonce,
        "gas": transaction.gas_limit,
        "maxFeePerGas": transaction.fees.max_fee_per_gas,
        "maxPriorityFeePerGas": transaction.fees.max_priority_fee_per_gas,
        "to": bytes.fromhex(transaction.call.to[2:]),
        "value": transaction.call.value,
        "data": transaction.call.data,
        "accessList": (),
    }
